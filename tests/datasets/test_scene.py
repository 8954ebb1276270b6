"""Scenes are drawn within their bounds, repeatably, and survive being written down."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from omniaudio_studio.datasets.description import Scene, pretty
from omniaudio_studio.datasets.envelope import ENVELOPE_RATE, arrange, follow
from omniaudio_studio.datasets.library import RATE, MaterialLibrary
from omniaudio_studio.datasets.picture import SceneRenderer
from omniaudio_studio.datasets.scene import sample_scene, scene_rng
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.direction import angular_error

ALL = {"reflections": 1.0, "ambience": 1.0, "distractors": 1.0}


def test_the_same_seed_and_index_are_the_same_scene_in_another_process():
    library = MaterialLibrary()
    sample_scene(scene_rng(9, 0), library, 3.0)  # what was drawn before does not matter
    here = sample_scene(scene_rng(9, 4), library, 3.0, **ALL)
    code = (
        "from omniaudio_studio.datasets.library import MaterialLibrary\n"
        "from omniaudio_studio.datasets.scene import sample_scene, scene_rng\n"
        "s = sample_scene(scene_rng(9, 4), MaterialLibrary(), 3.0, reflections=1.0, "
        "ambience=1.0, distractors=1.0)\n"
        "print(s.to_json())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(there) == here.as_dict()
    again = Scene.from_dict(json.loads(there))
    np.testing.assert_array_equal(render_foa(again, library), render_foa(here, library))


def test_other_seeds_and_indices_are_other_scenes():
    library = MaterialLibrary()
    drawn = {sample_scene(scene_rng(s, i), library, 2.0).to_json() for s in (0, 1) for i in (0, 1)}
    assert len(drawn) == 4


@pytest.mark.parametrize("index", range(4))
def test_scene_json_round_trip(index):
    library = MaterialLibrary()
    scene = sample_scene(scene_rng(1, index), library, 2.0, **ALL, seed=(1, index))
    again = Scene.from_dict(json.loads(scene.to_json()))
    assert again.seed == (1, index)
    assert [s.events for s in again.sources] == [s.events for s in scene.sources]
    for a, b in zip(again.sources, scene.sources, strict=True):
        np.testing.assert_allclose(a.azimuth, b.azimuth, atol=1e-14)
        np.testing.assert_array_equal(a.envelope, b.envelope)
    np.testing.assert_allclose(render_foa(again, library), render_foa(scene, library), atol=1e-6)
    one, two = (SceneRenderer(s, library, 160, 80).frame(1.0).astype(int) for s in (again, scene))
    assert np.abs(one - two).max() <= 1


def test_everything_stays_within_its_bounds(library):
    azimuths, moving, outside = [], 0, 0
    for index in range(200):
        scene = sample_scene(scene_rng(2, index), library, 4.0)
        assert 1 <= len(scene.sources) <= 3
        assert len({s.name for s in scene.sources[:2]}) == len(scene.sources[:2])
        for source in scene.sources:
            assert 0 <= source.on < source.off <= 4
            assert np.radians(15) <= source.look.size <= np.radians(50)
            assert source.gain_db <= 0
            assert 0 <= source.envelope.min() <= source.envelope.max() <= 1
            assert source.envelope.max() > 0.9
            for start, offset, length in source.events:
                assert source.on <= start and start + length <= source.off + 1e-9
                assert offset + length <= library.load_sound(source.sound).size / RATE + 1e-9
            assert np.abs(source.elevation).max() <= np.radians(85.001)
            azimuths.append(source.azimuth[0])
            outside += abs(source.azimuth[0]) > np.pi / 3
            moving += source.moving
    counts, _ = np.histogram(azimuths, 6, (-np.pi, np.pi))
    assert counts.min() > len(azimuths) / 6 * 0.6  # all around
    assert 0.35 < moving / len(azimuths) < 0.65
    assert outside / len(azimuths) > 0.5


def test_sources_start_apart(library):
    for index in range(40):
        scene = sample_scene(scene_rng(5, index), library, 2.0, (3, 3), "still")
        first = [(float(s.azimuth[0]), float(s.elevation[0])) for s in scene.sources]
        for i, a in enumerate(first):
            for b in first[i + 1 :]:
                assert angular_error(*a, *b) > np.radians(39.9)


def test_moving_sources_move_at_a_moderate_speed_and_still_ones_do_not():
    library = MaterialLibrary()
    speeds = []
    for index in range(30):
        moving = sample_scene(scene_rng(6, index), library, 4.0, (1, 1), "moving").sources[0]
        assert moving.moving
        points = moving.vectors(np.arange(0, 4, 0.05))
        steps = np.arccos(np.clip((points[:, 1:] * points[:, :-1]).sum(axis=0), -1, 1)) / 0.05
        assert np.degrees(steps.max()) < 95  # 60 along the azimuth, and rise and fall
        speeds.append(np.degrees(steps.max()))
        still = sample_scene(scene_rng(6, index), library, 4.0, (1, 1), "still").sources[0]
        assert not still.moving
        assert still.direction(0.0) == still.direction(3.9)
    assert min(speeds) > 3 and np.mean(speeds) > 15


def test_a_track_crosses_the_seam_the_short_way(one_source):
    source = one_source(np.array([175.0, -175.0]), np.zeros(2), np.array([0.0, 1.0])).sources[0]
    assert abs(np.degrees(source.direction(0.5)[0])) == pytest.approx(180, abs=1e-6)
    assert np.degrees(source.direction(0.25)[0]) == pytest.approx(177.5, abs=0.01)


def test_sounds_start_late_or_stop_early_some_of_the_time(library):
    scenes = [sample_scene(scene_rng(8, i), library, 4.0) for i in range(60)]
    sources = [s for scene in scenes for s in scene.sources]
    late = np.mean([s.on > 0 for s in sources])
    early = np.mean([s.off < 4 for s in sources])
    assert 0.1 < late < 0.5 and 0.1 < early < 0.5
    share = np.mean([(s.off - s.on) / 4 for s in sources])
    assert share > 0.75


def test_the_envelope_rises_fast_and_falls_slower():
    sound = np.zeros(2 * RATE, np.float32)
    sound[RATE // 2 : RATE] = 0.1
    values = follow(sound, 2.0)
    assert values.size == 2 * ENVELOPE_RATE + 1
    assert values[:49].max() == 0
    assert values[55] > 0.85 and values[90] > 0.99
    # The square root of a decay with a time constant of 120 ms.
    assert values[112] == pytest.approx(np.exp(-0.5), abs=0.05)
    assert values[199] < 0.05
    assert not follow(np.zeros(RATE, np.float32), 1.0).any()


def test_events_are_cut_from_the_sound_and_faded():
    sound = np.linspace(0.1, 0.9, RATE, dtype=np.float32)
    out = arrange(sound, [(0.25, 0.0, 0.5), (1.0, 0.5, 0.25)], 2 * RATE)
    assert not out[: RATE // 4].any()
    middle = RATE // 2
    np.testing.assert_array_equal(out[middle - 10 : middle], sound[RATE // 4 - 10 : RATE // 4])
    assert out[round(1.1 * RATE)] == sound[round(0.6 * RATE)]
    assert out[RATE // 4] == 0 and abs(out[round(0.75 * RATE) - 1]) < 1e-3


def test_a_loop_is_crossfaded_without_a_gap(library):
    from omniaudio_studio.datasets.scene import _draw_events

    events = _draw_events(np.random.default_rng(0), 4.0, 0.0, 9.0)
    flat = arrange(np.full(4 * RATE, 0.5, np.float32), events, 9 * RATE)
    assert len(events) >= 3
    np.testing.assert_allclose(flat[RATE // 10 : -RATE // 10], 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0.1}, "0.5 to 600"),
        ({"seconds": float("nan")}, "0.5 to 600"),
        ({"sources": (0, 3)}, "1-3"),
        ({"sources": (3, 1)}, "1-3"),
        ({"motion": "fast"}, "still, moving, mixed"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    arguments = {"seconds": 2.0, "sources": (1, 1), "motion": "mixed"} | options
    with pytest.raises(OptionError, match=message):
        sample_scene(scene_rng(0, 0), MaterialLibrary(), **arguments)


def test_more_sources_than_classes_repeat_classes(library):
    scene = sample_scene(scene_rng(0, 0), library, 1.0, (5, 5))
    assert len(scene.sources) == 5


def test_bad_scene_files_are_one_clear_line(tmp_path):
    with pytest.raises(MissingFileError, match="not there"):
        Scene.load(tmp_path / "scene.json")
    path = tmp_path / "scene.json"
    good = sample_scene(scene_rng(0, 0), MaterialLibrary(), 1.0)
    path.write_text(good.to_json())
    assert Scene.load(path).seconds == 1.0
    for text, message in (
        ("{", "not JSON"),
        ("[]", "no scene"),
        (json.dumps({**good.as_dict(), "schema": 99}), "schema 99"),
        (json.dumps({**good.as_dict(), "sources": [{}]}), "track"),
        (json.dumps({k: v for k, v in good.as_dict().items() if k != "room"}), "room"),
    ):
        path.write_text(text)
        with pytest.raises(MediaError, match=message):
            Scene.load(path)


def test_pretty_changes_no_value():
    data = {"a": [1, -2.5e-7, [3.0, 4]], "b": "[1,   2]", "c": [], "d": {"e": [None, True]}}
    assert json.loads(pretty(data)) == data
