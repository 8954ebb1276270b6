"""Sets on disk: the video shows and the field sounds what scene.json says; whole, resumable."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from omniaudio_studio.datasets import make
from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.make import make_scenes
from omniaudio_studio.datasets.picture import SceneRenderer
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.errors import Cancelled, OptionError, OutputError, OutputExistsError
from omniaudio_studio.files import remove_all_temporary
from omniaudio_studio.foa.direction import angular_error, direction_per_frame
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.probe import probe

SMALL = {"width": 128, "height": 64, "fps": 10.0}


def folders(root, material_folder, **changes):
    options = {
        "count": 2,
        "seconds": 1.0,
        "seed": 7,
        "sources": (1, 1),
        "motion": "moving",
        "sounds": material_folder / "sounds",
        "panoramas": material_folder / "panoramas",
        "sprites": material_folder / "sprites",
        "reflections": 0.0,
        "ambience": 0.0,
        **SMALL,
    }
    return make_scenes(root / "set", **{**options, **changes})


def test_the_files_hold_what_the_scene_says(tmp_path, material_folder, library):
    made = folders(tmp_path, material_folder, count=1, seconds=2.0, width=256, height=128)
    assert [f.name for f in made] == ["scene-00000"]
    assert {p.name for p in made[0].iterdir()} == {"video.mp4", "foa.wav", "scene.json"}
    scene = Scene.load(made[0] / "scene.json")
    source = scene.sources[0]
    foa, rate = soundfile.read(made[0] / "foa.wav", dtype="float32", always_2d=True)
    assert rate == 48000 and foa.shape == (96000, 4)
    np.testing.assert_allclose(foa.T, render_foa(scene, library), atol=1e-6)
    heard = direction_per_frame(foa.T, rate, 0.1)
    checked = 0
    for k in range(20):
        t = (k + 0.5) * 0.1
        if source.on + 0.1 < t < source.off - 0.1:
            error = angular_error(heard.azimuth[k], heard.elevation[k], *source.direction(t))
            assert error < 0.02
            checked += 1
    assert checked > 8
    info = probe(made[0] / "video.mp4")
    assert (info.width, info.height, info.fps) == (256, 128, 10.0)
    assert info.projection == "equirectangular" and info.projection_source == "metadata"
    assert info.duration == pytest.approx(2.0, abs=0.01)
    assert info.audio is not None and info.audio.channels == 1
    renderer = SceneRenderer(scene, library, 256, 128)
    for k in (0, 7, 19):
        shown = read_frame(info, k / 10 + 1e-6).astype(int)
        expected = renderer.frame(k / 10).astype(int)
        assert np.abs(shown - expected).mean() < 3  # what H.264 costs
    text = json.loads((made[0] / "scene.json").read_text())
    assert text["video"] == {"width": 256, "height": 128, "fps": 10.0}
    assert text["seed"] == [7, 0]


def test_a_second_run_keeps_what_is_there_and_makes_the_rest(tmp_path, material_folder):
    first = folders(tmp_path, material_folder, count=1)
    times = {p: p.stat().st_mtime_ns for p in first[0].iterdir()}
    seen = []
    both = folders(
        tmp_path, material_folder, progress=lambda done, total: seen.append((done, total))
    )
    assert {p: p.stat().st_mtime_ns for p in first[0].iterdir()} == times
    assert len(both) == 2 and (both[1] / "video.mp4").is_file()
    assert seen[-1] == (2, 2)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert any(1 < done < 2 for done, _ in seen)
    # The second scene does not depend on whether the first was made in the same run.
    other = folders(tmp_path / "other", material_folder)
    assert (other[1] / "scene.json").read_bytes() == (both[1] / "scene.json").read_bytes()
    assert (other[1] / "foa.wav").read_bytes() == (both[1] / "foa.wav").read_bytes()


@pytest.mark.parametrize("change", [{"seed": 8}, {"fps": 12.0}, {"seconds": 1.5}])
def test_another_set_in_the_same_folder_is_refused(tmp_path, material_folder, change):
    made = folders(tmp_path, material_folder, count=1)
    before = (made[0] / "scene.json").read_bytes()
    with pytest.raises(OutputExistsError, match="holds another scene"):
        folders(tmp_path, material_folder, count=1, **change)
    assert (made[0] / "scene.json").read_bytes() == before


def test_cancelling_leaves_whole_scenes_only(tmp_path, material_folder):
    class AfterSome:
        asked = 0

        def check(self) -> None:
            self.asked += 1
            if self.asked > 16:  # within the second scene
                raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        folders(tmp_path, material_folder, cancel=AfterSome())
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["scene-00000"]
    assert len(list((tmp_path / "set" / "scene-00000").iterdir())) == 3
    assert len(folders(tmp_path, material_folder)) == 2


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path, material_folder):
    (tmp_path / "set").write_text("a file")
    with pytest.raises(OutputError, match="cannot write into"):
        folders(tmp_path, material_folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"width": 127}, "127 x 64"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"fps": 0}, "fps is 0"),
        ({"ambience": 1.5}, "ambience is 1.5"),
        ({"seconds": 0.0}, "seconds is 0.0"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    tmp_path, material_folder, change, message
):
    with pytest.raises(OptionError, match=message):
        folders(tmp_path, material_folder, **change)
    assert not (tmp_path / "set").exists() or not any((tmp_path / "set").iterdir())


def test_odd_durations_and_broadcast_rates(tmp_path):
    made = make_scenes(tmp_path / "set", 1, 0.77, 3, **{**SMALL, "fps": 23.976})
    info = probe(made[0] / "video.mp4")
    assert info.fps == pytest.approx(23.976, abs=1e-3)
    foa, _ = soundfile.read(made[0] / "foa.wav")
    assert len(foa) == round(0.77 * 48000)
    assert MaterialLibrary().classes
    assert Scene.load(made[0] / "scene.json").sources[0].sound.startswith("procedural:")


def test_the_last_resort_takes_a_half_made_scene_away(tmp_path, material_folder, monkeypatch):
    left = []

    def stuck(*_):
        assert [p.name for p in (tmp_path / "set").iterdir()] != []
        remove_all_temporary()
        left.extend((tmp_path / "set").iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "render_foa", stuck)
    with pytest.raises(KeyboardInterrupt):
        folders(tmp_path, material_folder)
    assert left == []


@pytest.mark.parametrize(
    "change", [{"seconds": float("nan")}, {"sources": (3, 1)}, {"motion": "fast"}, {"count": 0}]
)
def test_wrong_options_make_no_folder(tmp_path, material_folder, change):
    with pytest.raises(OptionError):
        folders(tmp_path, material_folder, **change)
    assert not (tmp_path / "set").exists()
