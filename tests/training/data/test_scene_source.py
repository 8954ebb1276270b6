"""Stored scenes as excerpts: as they are, and turned with their sound."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import MediaError
from omniaudio_studio.training.data.encoders import BundleEncoder, RunEncoder
from omniaudio_studio.training.data.excerpt import Excerpt, Form
from omniaudio_studio.training.data.scene_source import SceneSource
from omniaudio_studio.training.scenes import build_scene_set, open_scene_set
from omniaudio_studio.training.views import EQUIRECT, FRONT
from tests.training.bright import apart, brightest
from tests.training.conftest import DISK_SETUP


def form(**changes: float) -> Form:
    values = {"seconds": 1.0, "yaws": 1, "rate": 48_000, **changes}
    return Form(
        int(values["rate"]), 3840, values["seconds"], 8.0, (EQUIRECT, FRONT), int(values["yaws"])
    )


def read(source: SceneSource, piece: int, wanted: Form) -> list[Excerpt]:
    given = list(source.excerpts(piece, wanted))
    assert all(isinstance(each, Excerpt) for each in given)
    return given  # type: ignore[return-value]


def test_a_scene_comes_as_it_is_stored(untrained_run: Path) -> None:
    scenes = open_scene_set(untrained_run / "scenes")
    source = SceneSource(untrained_run / "scenes")
    assert len(source.names) == 3 and source.seconds == 1.0
    (excerpt,) = read(source, 1, form())
    assert (excerpt.start, excerpt.yaw, excerpt.kind) == (0.0, 0.0, "foa")
    assert np.array_equal(excerpt.foa, scenes.foa[1][:, : 12 * 3840].astype(np.float32))
    assert np.array_equal(excerpt.views["equirect"], scenes.equirect[1])
    assert np.array_equal(excerpt.views["front"], scenes.front[1])
    heard = scenes.sources[1, :, :, 0][scenes.sources[1, :, :, 1] > 0]
    assert excerpt.classes == tuple(scenes.classes[int(i)] for i in np.unique(heard))


def test_shorter_excerpts_are_consecutive(untrained_run: Path) -> None:
    scenes = open_scene_set(untrained_run / "scenes")
    excerpts = read(SceneSource(untrained_run / "scenes"), 0, form(seconds=0.5))
    assert [excerpt.start for excerpt in excerpts] == [0.0, 0.5]
    second = excerpts[1]
    assert second.foa.shape == (4, 6 * 3840)  # whole latents of half a second
    assert np.array_equal(second.foa, scenes.foa[0][:, 24_000:][:, : 6 * 3840].astype(np.float32))
    assert np.array_equal(second.views["equirect"], scenes.equirect[0, 4:8])


def test_picture_and_sound_turn_by_the_same_angle(untrained_run: Path) -> None:
    source = SceneSource(untrained_run / "scenes")
    plain, *turned = read(source, 2, form(yaws=5))
    assert len({excerpt.yaw for excerpt in turned}) == 4
    w, y, z, x = plain.foa
    for excerpt in turned:
        columns = excerpt.yaw / (2 * math.pi) * EQUIRECT.width
        assert columns == pytest.approx(round(columns), abs=1e-9) and 0 < columns < EQUIRECT.width
        # What was that many columns left of the middle is ahead now: everything moves right.
        moved = np.roll(plain.views["equirect"], round(columns), axis=2)
        assert np.array_equal(excerpt.views["equirect"], moved)
        cos, sin = math.cos(excerpt.yaw), math.sin(excerpt.yaw)
        expected = np.stack([w, y * cos - x * sin, z, x * cos + y * sin])
        np.testing.assert_allclose(excerpt.foa, expected, atol=1e-6)


def test_the_front_of_a_turned_scene_is_what_its_panorama_has_ahead(
    tmp_path: Path, disk_library: MaterialLibrary
) -> None:
    build_scene_set(tmp_path, DISK_SETUP, disk_library, 8.0)
    source = SceneSource(tmp_path)
    seen = 0
    for piece in range(len(source.names)):
        for excerpt in read(source, piece, form(yaws=6))[1:]:
            for whole, ahead in zip(excerpt.views["equirect"], excerpt.views["front"], strict=True):
                if np.median(whole) > 60 or whole.max() < 200:
                    continue  # a procedural sky, or a moment without the disk
                found = brightest(whole, front=False)
                if found[0] > 0.8:
                    assert apart(brightest(ahead, front=True), found)[0] < 3
                    seen += 1
    assert seen >= 10


def test_turns_depend_on_the_seed_and_the_excerpt_alone(untrained_run: Path) -> None:
    wanted = form(yaws=4)
    assert wanted.turns("a", 0, 160) == wanted.turns("a", 0, 160)
    others = [wanted.turns("b", 0, 160), wanted.turns("a", 1, 160)]
    others.append(Form(48_000, 3840, 1.0, 8.0, (), 4, seed=1).turns("a", 0, 160))
    assert all(other != wanted.turns("a", 0, 160) and other[0] == 0.0 for other in others)


def test_sound_at_another_rate_is_the_same_sound(untrained_run: Path) -> None:
    source = SceneSource(untrained_run / "scenes")
    (at_48,) = read(source, 0, form())
    (at_24,) = read(source, 0, form(rate=24_000))
    assert at_24.foa.shape == (4, 6 * 3840)
    low = np.abs(np.fft.rfft(at_48.foa[0][: 2 * at_24.foa.shape[1]]))[:8000]
    half = 2 * np.abs(np.fft.rfft(at_24.foa[0]))[:8000]
    assert np.linalg.norm(low - half) < 0.05 * np.linalg.norm(low)


def test_a_pickled_source_is_small_and_the_same(untrained_run: Path) -> None:
    source = SceneSource(untrained_run / "scenes")
    data = pickle.dumps(source)
    assert len(data) < 1000
    assert pickle.loads(data).listing() == source.listing()


def test_what_cannot_be_given_is_refused(
    untrained_run: Path, tiny_encoder: BundleEncoder, run_encoder: RunEncoder
) -> None:
    source = SceneSource(untrained_run / "scenes")
    source.check(form())
    with pytest.raises(MediaError, match=r"scenes last 1 s, excerpts of 2 s were asked for"):
        source.check(form(seconds=2.0))
    with pytest.raises(MediaError, match="stored at 8 frames per second, the encoder looks at 4"):
        source.check(Form(48_000, 3840, 1.0, 4.0, run_encoder.views))
    with pytest.raises(MediaError, match=r"not the view 'equirect' \(32 x 16\)"):
        source.check(Form(48_000, 3840, 1.0, 8.0, tiny_encoder.views))
