"""Painting: colour where the sound comes from, the picture as it was elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.delivery.painting import EnergyPainter
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import angular_error, energy_map_from_covariance
from omniaudio_studio.foa.encoding import encode_plane_wave

NOISE = np.random.default_rng(0).standard_normal(100)
DIFFUSE = np.diag([1, 1 / 3, 1 / 3, 1 / 3])
GREY = np.full((64, 128, 3), 90, np.uint8)


def wave(azimuth: float, elevation: float) -> np.ndarray:
    return covariance(encode_plane_wave(NOISE, azimuth, elevation))


def test_energy_is_the_energy_map() -> None:
    matrix = covariance(np.random.default_rng(1).standard_normal((4, 50)))
    energy, _ = EnergyPainter(64, 32).energy(matrix)
    expected = energy_map_from_covariance(matrix, 64, 32)
    np.testing.assert_allclose(energy, expected / expected.max(), atol=1e-5)
    large, _ = EnergyPainter(3840, 1920).energy(matrix)
    np.testing.assert_allclose(large.max(), 1)


def test_contrast() -> None:
    painter = EnergyPainter(128, 64)
    assert painter.energy(wave(0.4, 0.3))[1] == pytest.approx(1, abs=0.01)
    assert painter.energy(DIFFUSE)[1] == pytest.approx(0, abs=0.01)
    assert painter.energy(np.zeros((4, 4)))[1] == 0


@settings(max_examples=30)
@given(azimuth=st.floats(-np.pi, np.pi), elevation=st.floats(-1.3, 1.3))
def test_the_strongest_change_is_where_the_source_is(azimuth: float, elevation: float) -> None:
    painted = EnergyPainter(128, 64).paint(GREY, wave(azimuth, elevation))
    change = np.abs(painted.astype(int) - GREY).sum(axis=2).astype(float)
    # The centre of the most changed part, as a direction.
    v, u = np.nonzero(change > 0.95 * change.max())
    az, el = np.pi - 2 * np.pi * (u + 0.5) / 128, np.pi / 2 - np.pi * (v + 0.5) / 64
    x, y, z = (
        np.mean(part * np.cos(el))
        for part in (np.cos(az) * np.cos(el), np.sin(az) * np.cos(el), np.sin(el))
    )
    centre = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
    assert angular_error(*centre, azimuth, elevation) < 0.12
    # And the opposite half of the sphere is untouched but for the small lobe at the back.
    away = (
        np.cos(
            angular_error(
                *np.meshgrid(
                    np.pi - 2 * np.pi * (np.arange(128) + 0.5) / 128,
                    np.pi / 2 - np.pi * (np.arange(64) + 0.5) / 64,
                ),
                azimuth,
                elevation,
            )
        )
        < 0
    )
    assert np.all(change[away] <= 3)


def test_nothing_is_painted_for_silence_and_for_everywhere() -> None:
    painter = EnergyPainter(128, 64)
    for matrix, strength in ((np.zeros((4, 4)), 1.0), (DIFFUSE, 1.0), (wave(0, 0), 0.0)):
        painted = painter.paint(GREY, matrix, strength)
        assert np.abs(painted.astype(int) - GREY).max() <= 6
        assert painted is not GREY


def test_strength_is_opacity() -> None:
    painter = EnergyPainter(128, 64)
    changes = [
        np.abs(painter.paint(GREY, wave(0, 0), strength).astype(int) - GREY).max()
        for strength in (0.0, 0.25, 0.5, 1.0)
    ]
    assert changes == sorted(changes)
    assert changes[0] == 0
    assert changes[2] == pytest.approx(changes[3] / 2, abs=4)


def test_level_does_not_matter_and_the_seam_does_not_show() -> None:
    painter = EnergyPainter(128, 64)
    loud = painter.paint(GREY, 1e4 * wave(np.pi, 0))
    quiet = painter.paint(GREY, 1e-12 * wave(np.pi, 0))
    np.testing.assert_allclose(loud.astype(int), quiet.astype(int), atol=2)
    assert np.abs(loud[:, 0].astype(int) - loud[:, -1]).max() <= 2


@pytest.mark.parametrize("size", [(2, 2), (34, 2), (130, 66), (1920, 960)])
def test_any_size(size: tuple[int, int]) -> None:
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    painted = EnergyPainter(*size).paint(picture, wave(0.1, 0))
    assert painted.shape == picture.shape
    assert painted.dtype == np.uint8
    assert painted.max() > 0
