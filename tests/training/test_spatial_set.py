"""Excerpts on disk: measured as they should be, turned exactly, made again after a stop."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.bundles.manifest import load_manifest, write_manifest
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import BundleError, MediaError, MissingFileError
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.training.presets import SceneSetup
from omniaudio_studio.training.scenes import SceneSet, build_scene_set
from omniaudio_studio.training.spatial_excerpts import SceneExcerpts
from omniaudio_studio.training.spatial_set import (
    BANDS,
    SpatialSet,
    build_spatial_set,
    measure_field,
    open_spatial_set,
)
from omniaudio_studio.training.spatial_vision import PanoramaVision, bundle_vision
from omniaudio_studio.training.stages.spatializer import draw_row
from tests.support.tiny_bundle import make_tiny_bundle

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"
ARRAYS = ("features", "energy", "vectors")


@pytest.fixture(scope="module")
def vision() -> PanoramaVision:
    # (At the rate of the scenes below, whatever the starter's own is.)
    return replace(bundle_vision(STARTER, threads=1), rate=8.0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    setup = SceneSetup(count=12, seconds=0.5, seed=4, max_sources=1)
    return build_scene_set(tmp_path_factory.mktemp("scenes"), setup, MaterialLibrary(), 8.0)


def noise(seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal(round(48000 * seconds))).astype(np.float32)


def test_a_plane_wave_is_a_unit_vector() -> None:
    azimuth, elevation = math.radians(70), math.radians(-20)
    energy, vectors = measure_field(encode_plane_wave(noise(), azimuth, elevation), 24, 24.0)
    assert energy.shape == (24, BANDS) and vectors.shape == (24, BANDS, 3)
    expected = [
        math.cos(azimuth) * math.cos(elevation),
        math.sin(azimuth) * math.cos(elevation),
        math.sin(elevation),
    ]
    np.testing.assert_allclose(vectors, np.broadcast_to(expected, vectors.shape), atol=1e-4)
    # All of W's power is in some band (the first and last frame see silence beyond the ends).
    np.testing.assert_allclose((10.0 ** energy[2:-2]).sum(axis=1).mean(), 0.01, rtol=0.05)


def test_equal_sound_from_front_and_behind_has_no_direction() -> None:
    sound = noise()
    field = encode_plane_wave(sound, 0.0, 0.0) + encode_plane_wave(sound, math.pi, 0.0)
    assert np.abs(measure_field(field, 24, 24.0)[1]).max() < 1e-4


def test_silence_has_neither_energy_nor_direction() -> None:
    energy, vectors = measure_field(np.zeros((4, 48000), np.float32), 24, 24.0)
    assert (energy == -12).all() and not vectors.any()


def test_features_turn_with_the_panorama(vision: PanoramaVision, scenes: SceneSet) -> None:
    frames, _ = next(SceneExcerpts(scenes, vision).read(0))
    pixels = frames.shape[2] // 20  # of a cell
    grid = vision.features(frames).reshape(len(frames), 10, 20, -1).astype(np.float32)
    for columns in (1, 7, 10):
        moved = vision.features(np.roll(frames, pixels * columns, axis=2)).astype(np.float32)
        expected = np.roll(grid, columns, axis=2).reshape(moved.shape)
        np.testing.assert_allclose(moved, expected, atol=4e-3)
    assert np.abs(moved - grid.reshape(moved.shape)).max() > 0.5  # it does make a difference


def test_a_drawn_excerpt_is_the_scene_turned(
    vision: PanoramaVision, scenes: SceneSet, tmp_path: Path
) -> None:
    """What training sees of a scene is what would be made of the scene turned as a whole."""
    one = replace(
        scenes, foa=scenes.foa[:1], equirect=scenes.equirect[:1], sources=scenes.sources[:1]
    )
    clips = build_spatial_set(tmp_path, SceneExcerpts(one, vision), vision)
    frames = clips.features.shape[1]
    picture, _ = next(SceneExcerpts(one, vision).read(0))
    panoramas = [np.roll(picture, picture.shape[2] // 20 * turn, axis=2) for turn in range(20)]
    seen = np.stack([vision.features(frames).astype(np.float32) for frames in panoramas])
    turns = set()
    for seed in range(4):
        band = np.arange(seed, 40, 3)
        row = draw_row(clips, np.random.default_rng(seed), frames, band)
        found = row["equirect"]
        gaps = np.abs(seen - found).max(axis=(1, 2, 3))
        turn = int(np.argmin(gaps))
        assert gaps[turn] < 4e-3 < np.partition(gaps, 1)[1]
        turns.add(turn)
        # The picture moves to the right, azimuth runs to the left.
        field = rotate_yaw(one.foa[0].astype(np.float32), -2 * math.pi * turn / 20)
        _, vectors = measure_field(field, 3 * frames, 24.0)
        np.testing.assert_allclose(row["vector"], vectors[:, band], atol=2e-3)
    assert len(turns) > 1


def test_shapes_and_kinds(vision: PanoramaVision, scenes: SceneSet, tmp_path: Path) -> None:
    clips = build_spatial_set(tmp_path, SceneExcerpts(scenes, vision), vision)
    assert len(clips) == 12 and (clips.rows, clips.columns, clips.ratio) == (10, 20, 3)
    assert clips.features.shape == (12, 4, 200, 32)
    assert clips.energy.shape == (12, 12, 40) and clips.vectors.shape == (12, 12, 40, 3)
    for name in ARRAYS:
        assert getattr(clips, name).dtype == np.float16
        assert np.isfinite(getattr(clips, name)).all()
    lengths = np.linalg.norm(clips.vectors.astype(np.float32), axis=-1)
    assert lengths.max() < 1.001 and lengths.max() > 0.9


def stopping_at(last: int) -> Callable[[int, int], None]:
    def stop(done: int, of: int) -> None:
        if done == last:
            raise KeyboardInterrupt

    return stop


def test_an_interrupted_set_goes_on_and_is_the_same(
    vision: PanoramaVision, scenes: SceneSet, tmp_path: Path
) -> None:
    source = SceneExcerpts(scenes, vision)
    whole = build_spatial_set(tmp_path / "whole", source, vision)
    with pytest.raises(KeyboardInterrupt):
        build_spatial_set(tmp_path / "part", source, vision, stopping_at(11))
    # Until then, ten excerpts are noted; they can be used.
    assert len(open_spatial_set(tmp_path / "part")) == 10
    counted: list[int] = []
    resumed = build_spatial_set(
        tmp_path / "part", source, vision, lambda done, of: counted.append(done)
    )
    assert counted == [11, 12]
    for name in ARRAYS:
        assert np.array_equal(getattr(resumed, name), getattr(whole, name))
    build_spatial_set(tmp_path / "part", source, vision, lambda done, of: counted.append(done))
    assert counted == [11, 12]


def test_another_source_or_vision_is_refused(
    vision: PanoramaVision, scenes: SceneSet, tmp_path: Path
) -> None:
    few = replace(scenes, sources=scenes.sources[:2], foa=scenes.foa[:2])
    build_spatial_set(tmp_path, SceneExcerpts(few, vision), vision)
    moved = replace(few, sources=few.sources + np.float32(0.01))
    other = replace(vision, sha256="0" * 64)
    for source, eyes in ((moved, vision), (few, other)):
        with pytest.raises(MediaError) as caught:
            build_spatial_set(tmp_path, SceneExcerpts(source, eyes), eyes)
        assert str(caught.value) == (
            f"{tmp_path} was made of other scenes or clips, or by another bundle's vision: "
            "delete it, or name another folder for the run"
        )
    assert len(open_spatial_set(tmp_path)) == 2


def test_no_excerpts_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"^no excerpts in .*: run `omniaudio train spat"):
        open_spatial_set(tmp_path)
    (tmp_path / "spatial.json").write_text(json.dumps({"meta": {}, "done": 0}))
    with pytest.raises(MediaError, match="holds no finished excerpt yet"):
        open_spatial_set(tmp_path)
    (tmp_path / "spatial.json").write_text("{")
    with pytest.raises(MediaError, match=r"spatial\.json cannot be read .*delete its folder$"):
        open_spatial_set(tmp_path)


def test_scenes_of_another_rate_or_size_are_refused(
    vision: PanoramaVision, scenes: SceneSet
) -> None:
    with pytest.raises(MediaError, match=r"^the scenes are at 8 frames per second, .* at 5;"):
        SceneExcerpts(scenes, replace(vision, rate=5.0))
    small = replace(vision, view=replace(vision.view, width=70, height=35))
    with pytest.raises(MediaError, match=r"^the scenes' panoramas are 320 x 160, .* at 70 x 35;"):
        SceneExcerpts(scenes, small)


def test_larger_scenes_are_reduced_by_a_whole_factor(
    vision: PanoramaVision, scenes: SceneSet
) -> None:
    small = replace(vision, view=replace(vision.view, width=80, height=40))
    whole = scenes.equirect[3]
    (found, _), *_ = SceneExcerpts(scenes, small).read(3)
    assert found.shape == (4, 40, 80, 3) and found.dtype == np.uint8
    expected = whole[1, 8:12, 20:24].astype(float).mean(axis=(0, 1))
    np.testing.assert_allclose(found[1, 2, 5], expected, atol=0.5)


def test_a_bundle_without_cells_is_refused(tmp_path: Path, scenes: SceneSet) -> None:
    """The tiny bundle's vision gives one vector for a picture."""
    tiny = bundle_vision(make_tiny_bundle(tmp_path / "tiny"))
    with pytest.raises(BundleError) as caught:
        tiny.grid()
    message = str(caught.value)
    assert "gives no cells of the panorama" in message and "\n" not in message
    flat = replace(tiny, run=lambda frames: np.zeros((len(frames), 150, 4), np.float32))
    with pytest.raises(BundleError, match="found features of 150 places"):
        flat.grid()


def test_a_bundle_that_does_not_see_all_around_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "tiny")
    data = load_manifest(folder).to_dict()
    for change in ({"name": "all"}, {"yaw": 90.0}, {"fit": "pad-square"}):
        views = [{**data["views"][0], **change}, *data["views"][1:]]
        write_manifest(folder, {**data, "views": views})
        with pytest.raises(BundleError) as caught:
            bundle_vision(folder)
        message = str(caught.value)
        assert "has no view 'equirect' of the whole panorama" in message and "\n" not in message


def test_a_graph_that_is_missing_or_damaged_is_one_line(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "tiny")
    graph = folder / load_manifest(folder).graphs["vision"]
    graph.write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"cannot be read .*; get the bundle again$"):
        bundle_vision(folder)
    graph.unlink()
    with pytest.raises(BundleError, match="the graph 'vision' is missing"):
        bundle_vision(folder)


def test_an_opened_set_is_the_built_one(
    vision: PanoramaVision, scenes: SceneSet, tmp_path: Path
) -> None:
    few = replace(scenes, sources=scenes.sources[:1], foa=scenes.foa[:1])
    built = build_spatial_set(tmp_path, SceneExcerpts(few, vision), vision)
    opened = open_spatial_set(tmp_path)
    assert isinstance(opened, SpatialSet)
    assert all(np.array_equal(getattr(built, n), getattr(opened, n)) for n in ARRAYS)
    assert (opened.rows, opened.columns, opened.ratio) == (10, 20, 3)
