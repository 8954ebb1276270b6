"""The model's front turned to where the sound is: exactly undone, one angle per shot, and found."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.features import stream_features, window_times
from omniaudio_studio.engine.front import likely_front, with_front
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.plan import GenerationSettings, plan_generation
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import Cancelled, OptionError
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.media.probe import ClipInfo, probe
from tests.engine.test_features import Vision
from tests.support.lossless_clip import make_lossless_clip
from tests.support.material import material

WIDTH, HEIGHT, FPS = 128, 64, 10
QUARTER = WIDTH // 4

Pictures = list[np.ndarray]


def background(seed: int = 0) -> np.ndarray:
    """Blotches, different everywhere."""
    import cv2

    coarse = np.random.default_rng(seed).integers(40, 200, (8, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def hopping(azimuth: float, seconds: float, elevation: float = 0.0) -> Pictures:
    """A thing at an azimuth (degrees) that hops up and down five times a second."""
    pictures = []
    for number in range(round(seconds * FPS)):
        image = background()
        u = round((0.5 - azimuth / 360) * WIDTH)
        v = round((0.5 - elevation / 180) * HEIGHT) + 3 * (number % 2)
        columns = np.arange(u - 4, u + 4) % WIDTH
        image[v - 4 : v + 4, columns] = (250, 220, 20)
        pictures.append(image)
    return pictures


def clip_of(path: Path, pictures: Pictures) -> ClipInfo:
    return probe(make_lossless_clip(path, pictures, FPS))


@pytest.fixture(scope="module")
def generator(bundle: Bundle) -> Generator:
    return Generator(bundle, "cpu")


def generated(generator: Generator, info: ClipInfo, settings: GenerationSettings) -> np.ndarray:
    blocks: list[np.ndarray] = []
    generator.generate(info, settings, [blocks.append])
    return np.concatenate(blocks, axis=1)


def asked(front: float | str | None, info: ClipInfo, bundle: Bundle) -> GenerationSettings:
    return with_front(GenerationSettings(), front, info, bundle.manifest)


def test_no_turn_is_no_front(generator: Generator, bundle: Bundle, tmp_path: Path) -> None:
    info = clip_of(tmp_path / "clip.mov", hopping(30, 2))
    plain = generated(generator, info, GenerationSettings())
    np.testing.assert_array_equal(generated(generator, info, asked(0.0, info, bundle)), plain)
    assert asked(None, info, bundle) == GenerationSettings()
    other = generated(generator, info, asked(40.0, info, bundle))
    assert np.abs(other - plain).max() > 1e-3


@pytest.mark.parametrize(("front", "columns"), [(90, QUARTER), (-135, -3 * WIDTH // 8)])
def test_a_turned_front_is_a_turned_panorama(
    generator: Generator, bundle: Bundle, tmp_path: Path, front: float, columns: int
) -> None:
    """What lies at the front of a panorama that was rolled sounds the same, and lies there."""
    pictures = hopping(front, 4)
    info = clip_of(tmp_path / "clip.mov", pictures)
    rolled = clip_of(tmp_path / "rolled.mov", [np.roll(p, columns, axis=1) for p in pictures])
    ahead = generated(generator, rolled, GenerationSettings())
    turned = generated(generator, info, asked(front, info, bundle))
    np.testing.assert_array_equal(turned, rotate_yaw(ahead, math.radians(front)))


def test_each_shot_has_its_own_front(generator: Generator, bundle: Bundle, tmp_path: Path) -> None:
    """Before and after the fade at a cut each shot is what it is alone, turned by its own angle."""
    pictures = hopping(90, 3) + hopping(-90, 3, 20)
    info = clip_of(tmp_path / "clip.mov", pictures)
    segments = (Segment(0.0), Segment(3.0))
    settings = with_front(GenerationSettings(segments=segments), "auto", info, bundle.manifest)
    fronts = [shot.front for shot in plan_generation(info, settings, bundle.manifest).shots]
    assert np.degrees(fronts) == pytest.approx([90, -90], abs=20)
    sound = generated(generator, info, settings)
    for front, part in zip(fronts, (slice(0, 143_000), slice(146_000, 288_000)), strict=True):
        one = GenerationSettings(segments=segments, fronts=((0.0, front),))
        np.testing.assert_array_equal(sound[:, part], generated(generator, info, one)[:, part])
    # All windows of a shot look the same way, and a part of it too.
    plan = plan_generation(info, settings, bundle.manifest)
    assert len(plan.window_fronts) == len(plan.window_times) > 2
    late = GenerationSettings(start=4.0, fronts=settings.fronts)
    (shot,) = plan_generation(info, late, bundle.manifest).shots
    assert shot.front == fronts[1]


def test_a_picture_across_a_cut_is_seen_with_both_fronts(bundle: Bundle, tmp_path: Path) -> None:
    """Shots may be set where the picture does not change."""
    info = clip_of(tmp_path / "clip.mov", [background()] * 40)
    windows = [window_times(0.0, 2.0, 8.0, 1.95), window_times(2.0, 2.0, 8.0)]
    fronts = [math.radians(30), math.radians(-100)]
    views = bundle.manifest.views
    both = list(stream_features(info, windows, views, Vision(), fronts=fronts))
    for window, front, features in zip(windows, fronts, both, strict=True):
        (alone,) = stream_features(info, [window], views, Vision(), fronts=[front])
        for name, value in alone.items():
            np.testing.assert_array_equal(features[name], value)


@pytest.mark.parametrize("azimuth", [0, 75, 178, -120])
def test_what_moves_is_found(tmp_path: Path, azimuth: float) -> None:
    info = clip_of(tmp_path / "clip.mov", hopping(azimuth, 3))
    found = math.degrees(likely_front(info, 0.0, 3.0))
    assert abs((found - azimuth + 180) % 360 - 180) < 20
    assert found == pytest.approx(round(found))


def test_where_nothing_stands_out_it_looks_ahead(tmp_path: Path) -> None:
    still = clip_of(tmp_path / "still.mov", [background()] * 20)
    assert likely_front(still, 0.0, 2.0) == 0.0
    assert likely_front(still, 1.0, 1.05) == 0.0
    # A camera that pans: everything moves, and no place more than the others for long.
    pan = [np.roll(background(), 2 * k, axis=1) for k in range(40)]
    assert likely_front(clip_of(tmp_path / "pan.mov", pan), 0.0, 4.0) == 0.0
    everywhere = [background(k) for k in range(20)]
    assert likely_front(clip_of(tmp_path / "all.mov", everywhere), 0.0, 2.0) == 0.0


def test_a_moving_camera_does_not_decide(tmp_path: Path) -> None:
    """Behind, on the right, the ground flickers by all the time; on the left one thing jumps."""
    rng = np.random.default_rng(1)
    pictures = []
    for number in range(60):
        image = background()
        image[20:44, 64:] = rng.integers(60, 130, (24, 64, 3), dtype=np.uint8)
        image[:20] = rng.integers(60, 130, (20, WIDTH, 3), dtype=np.uint8)
        if number % 12 < 3:
            image[24:40, 24:40] = 250 * (number % 2)
        pictures.append(image)
    found = math.degrees(likely_front(clip_of(tmp_path / "clip.mov", pictures), 0.0, 6.0))
    assert abs(found - 90) < 20


def test_searching_can_be_stopped_and_tells_how_far_it_is(bundle: Bundle, tmp_path: Path) -> None:
    info = clip_of(tmp_path / "clip.mov", hopping(30, 2))
    reports: list[Progress] = []
    settings = GenerationSettings(segments=(Segment(0.0), Segment(1.0)))
    with_front(settings, "auto", info, bundle.manifest, progress=reports.append)
    assert [(r.stage, r.done, r.total) for r in reports] == [
        ("picture", pytest.approx(1.0), 2.0),
        ("picture", pytest.approx(2.0), 2.0),
    ]
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        with_front(settings, "auto", info, bundle.manifest, cancel=token)
    with pytest.raises(OptionError, match="finite"):
        GenerationSettings(fronts=((0.0, math.nan),)).validate()


def test_the_sample_clip() -> None:
    """The dog barks at 58 degrees, the helicopter flies by."""
    root = Path(__file__).resolve().parents[2]
    demo = probe(root / "omniaudio_studio" / "assets" / "demo.mp4")
    assert math.degrees(likely_front(demo, 0.0, demo.duration)) == pytest.approx(58, abs=20)


def test_a_real_clip() -> None:
    """A camera that is carried about: nothing stands out."""
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    assert likely_front(info, 0.0, 10.0) == 0.0
