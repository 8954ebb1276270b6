"""The energy of the field over the picture: exact, and in the colours of delivered overlays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from omniaudio_studio.delivery.painting import EnergyPainter
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import energy_map_from_covariance
from omniaudio_studio.foa.encoding import encode_plane_wave
from qt_app.picture.clip import Mapped
from qt_app.picture.energy import Energy, peak_and_mean
from tests.media.clips import PROPERTY
from tests.qt.picture.drawing import HEIGHT, WIDTH, Draw, rendered, scene_of
from tests.qt.picture.pictures import as_picture

LOOKS = [(0, 0, 0, 90), (180, 0, 0, 100), (60, -40, 20, 70), (0, 90, 0, 110)]


def field(*sources: tuple[float, float, float]) -> NDArray[np.float64]:
    """Covariance of uncorrelated plane waves: azimuth and elevation in degrees, level."""
    noise = np.random.default_rng(5).normal(size=(len(sources), 4000))
    waves = [
        level * encode_plane_wave(sound, math.radians(azimuth), math.radians(elevation))
        for sound, (azimuth, elevation, level) in zip(noise, sources, strict=True)
    ]
    return covariance(np.sum(waves, axis=0))


FIELDS = [
    field((0, 0, 1.0)),
    field((90, 0, 1.0)),
    field((-120, 30, 1.0), (20, -50, 0.6)),
    field((10, 80, 1.0), (170, 0, 0.9), (-90, 0, 0.8)),
]


@PROPERTY
@given(arrays(np.float64, (4, 6), elements=st.floats(-3, 3)))
def test_peak_and_mean_are_the_map_s(mixing: NDArray[np.float64]) -> None:
    matrix = mixing @ mixing.T
    width, height = 180, 90
    energy = energy_map_from_covariance(matrix, width, height)
    peak, mean = peak_and_mean(matrix)
    scale = max(energy.max(), 1e-12)
    # A grid's maximum is hardly above the one that was climbed to (slowly, where two directions are
    # nearly as loud) and, at 2 degrees, hardly below.
    assert energy.max() <= peak + 1e-3 * scale
    assert peak <= energy.max() * 1.002 + 1e-12
    weight = np.cos(np.pi / 2 - np.pi * (np.arange(height) + 0.5) / height)[:, None]
    assert mean == pytest.approx(
        (energy * weight).sum() / (weight.sum() * width), rel=2e-3, abs=1e-9
    )


@pytest.mark.parametrize("opacity", [1.0, 0.4])
@pytest.mark.parametrize("number", range(len(FIELDS)))
def test_as_delivered_overlays_paint(draw: Draw, number: int, opacity: float) -> None:
    panorama = np.full((512, 1024, 3), 90, np.uint8)
    panorama[:, :512] = (60, 110, 140)
    picture = as_picture(panorama)
    painted = EnergyPainter(1024, 512).paint(panorama, FIELDS[number], opacity)
    energy = Energy.of(FIELDS[number], opacity)
    for look in LOOKS:
        expected = rendered(painted, Mapped(), look).astype(int)
        off = np.abs(draw(scene_of(picture, look, energy=energy)) - expected)
        assert off.mean() < 2.0, look
        assert (off.max(axis=2) > 16).mean() < 0.02, look  # the picture's own edge, within a pixel


def test_a_source_glows_where_it_is(draw: Draw) -> None:
    """At azimuth 40, elevation 10 degrees, seen looking to azimuth 25."""
    grey = as_picture(np.full((256, 512, 3), 30, np.uint8))
    energy = Energy.of(field((40, 10, 1.0)), 1.0)
    seen = draw(scene_of(grey, (25, 0, 0, 90), energy=energy)).astype(float).sum(axis=2)
    brightest = seen >= np.percentile(seen, 99.5)
    v, u = (float(part.mean()) for part in np.nonzero(brightest))
    focal = WIDTH / 2
    assert u == pytest.approx(WIDTH / 2 - focal * math.tan(math.radians(15)), abs=0.06 * WIDTH)
    elevation = math.tan(math.radians(10)) / math.cos(math.radians(15))
    assert v == pytest.approx(HEIGHT / 2 - focal * elevation, abs=0.06 * WIDTH)


def test_nothing_to_show() -> None:
    assert Energy.of(np.zeros((4, 4)), 1.0) is None
    assert Energy.of(np.full((4, 4), np.nan), 1.0) is None
    assert Energy.of(FIELDS[0], 0.0) is None
    # Alike from everywhere: a veil over the whole picture would say nothing.
    assert Energy.of(np.diag([1, 1 / 3, 1 / 3, 1 / 3]), 1.0) is None


def test_opacity(draw: Draw) -> None:
    grey = as_picture(np.full((256, 512, 3), 30, np.uint8))
    bare = draw(scene_of(grey, (0, 0, 0, 90))).astype(float)
    half, full = (
        draw(scene_of(grey, (0, 0, 0, 90), energy=Energy.of(FIELDS[0], opacity))) - bare
        for opacity in (0.5, 1.0)
    )
    assert full.max() > 80
    assert half.sum() == pytest.approx(full.sum() / 2, rel=0.03)
