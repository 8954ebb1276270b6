"""Stored scenes: picture, sound and table agree, and building can stop and go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import sample_scene, scene_rng
from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.training.presets import SceneSetup
from omniaudio_studio.training.scenes import (
    SceneSet,
    build_scene_set,
    open_scene_set,
    source_table,
)
from tests.training.bright import apart, brightest

SETUP = SceneSetup(count=12, seconds=0.5, seed=4, max_sources=2)
ARRAYS = ("foa", "equirect", "front", "sources")


def test_the_bright_disk_is_where_the_table_says(disk_scenes: SceneSet) -> None:
    seen_ahead = 0
    for scene in range(len(disk_scenes)):
        for frame in range(disk_scenes.equirect.shape[1]):
            _, sounding, *direction = disk_scenes.sources[scene, frame, 0, :5]
            if not sounding:
                continue
            where = np.array(direction)
            found = brightest(disk_scenes.equirect[scene, frame], front=False)
            angle, azimuth = apart(found, where)
            # A disk may hop with its sound: up by at most 0.15 of its size, never sideways.
            assert angle < 8 and azimuth < 1
            if where[0] > 0.9:
                ahead = brightest(disk_scenes.front[scene, frame], front=True)
                assert apart(ahead, found)[0] < 3
                seen_ahead += 1
    assert seen_ahead >= 5


def test_the_sound_comes_from_where_the_table_says(disk_scenes: SceneSet) -> None:
    frames = disk_scenes.equirect.shape[1]
    samples = disk_scenes.foa.shape[-1] // frames
    angles = []
    for scene in range(len(disk_scenes)):
        for frame in range(frames):
            if not disk_scenes.sources[scene, frame, 0, 1]:
                continue
            w, y, z, x = disk_scenes.foa[scene, :, frame * samples : (frame + 1) * samples].astype(
                float
            )
            intensity = np.array([(w * x).sum(), (w * y).sum(), (w * z).sum()])
            if np.linalg.norm(intensity) < 1e-4:
                continue
            found = intensity / np.linalg.norm(intensity)
            angles.append(apart(found, disk_scenes.sources[scene, frame, 0, 2:5])[0])
    # Walls and noise pull a little, a moving source is ahead of its frame's time by half a frame.
    assert len(angles) > 50 and np.median(angles) < 6 and np.max(angles) < 25


def test_the_table_holds_class_time_direction_and_level() -> None:
    library = MaterialLibrary()
    scene = sample_scene(scene_rng(0, 1), library, 2.0, (3, 3), whole=0.0)
    times = np.arange(16) / 8
    table = source_table(scene, library.classes, times)
    assert table.shape == (16, 3, 7) and table.dtype == np.float32
    for index, source in enumerate(scene.sources):
        assert library.classes[int(table[0, index, 0])] == source.name
        for row, time in zip(table[:, index], times, strict=True):
            assert row[1] == (source.on <= time < source.off)
            azimuth, elevation = source.direction(time)
            expected = [
                np.cos(azimuth) * np.cos(elevation),
                np.sin(azimuth) * np.cos(elevation),
                np.sin(elevation),
            ]
            np.testing.assert_allclose(row[2:5], expected, atol=1e-6)
            assert row[5] == pytest.approx(row[1] * source.loudness(time), abs=1e-6)
            assert row[6] == pytest.approx(source.gain_db)
    assert 0 < table[..., 1].mean() < 1
    sounding = table[..., 1] > 0
    assert table[..., 5].max() > 0.9 and not table[..., 5][~sounding].any()


def test_no_source_is_no_class() -> None:
    library = MaterialLibrary()
    scene = sample_scene(scene_rng(0, 2), library, 1.0, (1, 1))
    table = source_table(scene, library.classes, np.zeros(1))
    assert (table[0, 1:, 0] == -1).all() and not table[0, 1:, 1:].any()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    return build_scene_set(tmp_path_factory.mktemp("whole"), SETUP, MaterialLibrary(), 8.0)


def test_shapes_are_those_that_are_documented(whole: SceneSet) -> None:
    assert len(whole) == 12
    assert whole.foa.shape == (12, 4, 24000) and whole.foa.dtype == np.float16
    assert whole.equirect.shape == (12, 4, 160, 320, 3) and whole.equirect.dtype == np.uint8
    assert whole.front.shape == (12, 4, 192, 192, 3) and whole.front.dtype == np.uint8
    assert whole.sources.shape == (12, 4, 3, 7) and whole.sources.dtype == np.float32
    assert whole.feature_rate == 8.0 and whole.classes == MaterialLibrary().classes
    assert np.isfinite(whole.foa).all() and (np.abs(whole.foa).max(axis=(1, 2)) > 1e-3).all()


def test_an_interrupted_set_goes_on_and_is_the_same(tmp_path: Path, whole: SceneSet) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, of: int) -> None:
        if done == 11:
            raise Stop

    with pytest.raises(Stop):
        build_scene_set(tmp_path, SETUP, MaterialLibrary(), 8.0, stop)
    # Until then, ten scenes are noted; they can be used.
    assert len(open_scene_set(tmp_path)) == 10
    counted: list[int] = []
    resumed = build_scene_set(
        tmp_path, SETUP, MaterialLibrary(), 8.0, lambda done, of: counted.append(done)
    )
    assert counted == [11, 12]
    for name in ARRAYS:
        assert np.array_equal(getattr(resumed, name)[:], getattr(whole, name)[:])
    # And once more: nothing is left to do.
    build_scene_set(tmp_path, SETUP, MaterialLibrary(), 8.0, lambda done, of: counted.append(done))
    assert counted == [11, 12]


@pytest.mark.parametrize("change", [{"seed": 5}, {"seconds": 1.0}, {"count": 13}])
def test_another_setup_is_refused(tmp_path: Path, change: dict[str, float]) -> None:
    setup = replace(SETUP, count=1)
    build_scene_set(tmp_path, setup, MaterialLibrary(), 8.0)
    other = replace(setup, **change)  # type: ignore[arg-type]
    with pytest.raises(MediaError) as caught:
        build_scene_set(tmp_path, other, MaterialLibrary(), 8.0)
    assert str(caught.value) == (
        f"{tmp_path} holds scenes of another setup: delete it, or name another folder"
    )
    assert len(open_scene_set(tmp_path)) == 1


def test_other_material_is_refused(tmp_path: Path, disk_library: MaterialLibrary) -> None:
    setup = replace(SETUP, count=1)
    build_scene_set(tmp_path, setup, MaterialLibrary(), 8.0)
    with pytest.raises(MediaError, match="another setup"):
        build_scene_set(tmp_path, setup, disk_library, 8.0)


def test_other_folds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sounds" / "hum").mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.1, 48000)
    for fold in (1, 2):
        soundfile.write(tmp_path / "sounds" / "hum" / f"{fold}-a.wav", noise, 48000)
    setup = replace(SETUP, count=1, max_sources=1)
    run = tmp_path / "run"
    build_scene_set(run, setup, MaterialLibrary(tmp_path / "sounds", folds=(1,)), 8.0)
    with pytest.raises(MediaError, match="another setup"):
        build_scene_set(run, setup, MaterialLibrary(tmp_path / "sounds", folds=(1, 2)), 8.0)
    build_scene_set(run, setup, MaterialLibrary(tmp_path / "sounds", folds=(1,)), 8.0)


def test_no_scenes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        open_scene_set(tmp_path)
    assert str(caught.value) == f"no scenes in {tmp_path}: run `omniaudio train scenes` first"
    (tmp_path / "scenes.json").write_text(json.dumps({"meta": {}, "done": 0}))
    with pytest.raises(MediaError) as unfinished:
        open_scene_set(tmp_path)
    assert str(unfinished.value) == (
        f"{tmp_path} holds no finished scene yet: run `omniaudio train scenes`"
    )
