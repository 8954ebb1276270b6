"""Maps on the sphere and how they are compared, where the answer is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from omniaudio_studio.evaluation.spatial import maps
from omniaudio_studio.evaluation.spatial.maps import auc, correlation, field_maps, map_scores
from omniaudio_studio.evaluation.spatial.sphere import (
    angles_between,
    earth_movers_distance,
    even_points,
)
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import energy_map
from omniaudio_studio.foa.encoding import direction_vector, encode_plane_wave

RATE = 4000


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)


def plane_wave(signal: np.ndarray, azimuth: float, elevation: float = 0.0) -> np.ndarray:
    return encode_plane_wave(signal, np.radians(azimuth), np.radians(elevation))


# The sphere


def test_points_are_even():
    """Every polynomial of low degree has the mean that it has on the sphere."""
    points = even_points(2000)
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), 1)
    np.testing.assert_allclose(points.mean(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(points @ points.T / 2000, np.eye(3) / 3, atol=1e-3)
    apart = angles_between(points, points) + 4 * np.eye(2000)
    assert 0.75 < apart.min(axis=1).min() / np.sqrt(4 * np.pi / 2000) < 1.0
    with pytest.raises(ValueError, match="at least 2"):
        even_points(1)


def test_angles_are_exact_near_and_far():
    small = 1e-9
    a = direction_vector([0.0, 0.3], [0.0, 0.2])
    b = direction_vector([small, 0.3 - np.pi], [0.0, -0.2])
    np.testing.assert_allclose(np.diag(angles_between(a, b)), [small, np.pi], rtol=1e-6)
    assert angles_between(a, b).shape == (2, 2)


# Earth mover's distance


@pytest.mark.parametrize("angle", [0.0, 0.01, 1.0, np.pi / 2, np.pi])
def test_two_points_of_mass_are_their_angle_apart(angle):
    pytest.importorskip("ot")
    points = direction_vector([0.4, 0.4 + angle], [0.0, 0.0])
    assert earth_movers_distance([1, 0], [0, 1], points) == pytest.approx(angle, abs=1e-12)
    # Levels don't matter; half of the mass in place is half of the way.
    assert earth_movers_distance([5, 0], [1, 1], points) == pytest.approx(angle / 2, abs=1e-12)


def test_mass_takes_the_cheapest_ways():
    """Four points on the equator: the optimum pairs neighbours, not opposites."""
    pytest.importorskip("ot")
    points = direction_vector(np.radians([0, 180, 20, 190]), np.zeros(4))
    made, truth = [1, 1, 0, 0], [0, 0, 1, 1]
    assert earth_movers_distance(made, truth, points) == pytest.approx(np.radians(15))


def test_moving_common_mass_gains_nothing():
    """What both maps share is left out before solving; the whole problem has the same optimum."""
    ot = pytest.importorskip("ot")
    points = even_points(60)
    a, b = np.random.default_rng(1).random((2, 60))
    whole = ot.emd2(a / a.sum(), b / b.sum(), angles_between(points, points))
    assert earth_movers_distance(a, b, points) == pytest.approx(whole, abs=1e-12)


def test_a_map_against_itself_and_bad_maps():
    points = even_points(50)
    mass = np.random.default_rng(0).random(50)
    assert earth_movers_distance(mass, 3 * mass, points) == 0
    for bad in (np.zeros(50), -mass, np.full(50, np.nan)):
        with pytest.raises(ValueError, match="not all zero"):
            earth_movers_distance(bad, mass, points)
    with pytest.raises(ValueError, match="one length"):
        earth_movers_distance(mass, mass[:-1], points)


# Maps


def test_a_map_is_the_root_of_the_energy_map(noise):
    foa = plane_wave(noise, 40, 20) + plane_wave(noise[::-1], -70)
    width, height = 16, 8
    expected = np.sqrt(energy_map(foa, width, height))
    azimuth = np.pi - 2 * np.pi * (np.arange(width) + 0.5) / width
    elevation = np.pi / 2 - np.pi * (np.arange(height) + 0.5) / height
    points = direction_vector(*np.meshgrid(azimuth, elevation)).reshape(3, -1)
    np.testing.assert_allclose(field_maps(covariance(foa), points), expected.ravel(), rtol=1e-9)


def test_correlation_is_pearsons():
    a = np.array([1.0, 2.0, 4.0, 3.0])
    assert correlation(a, a) == pytest.approx(1)
    assert correlation(2 * a + 7, a) == pytest.approx(1)
    assert correlation(-a, a) == pytest.approx(-1)
    b = np.array([0.3, -1.0, 2.0, 0.1])
    assert correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation(np.full(4, 0.1 + 0.2), a) == 0  # without contrast


def test_auc_is_the_chance_that_a_point_inside_lies_higher():
    truth = np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 5, 5])  # two points within a standard deviation
    assert auc(truth, truth) == 1
    assert auc(-truth, truth) == 0
    assert auc(np.full(10, 0.3), truth) == 0.5
    assert auc(truth, np.full(10, 0.3)) == 0.5
    # Of 2 x 8 pairs: the first point beats 7 and ties with 1, the second beats 2.
    made = np.array([9.0, 8, 7, 6, 5, 4, 1, 0, 9, 3])
    assert auc(made, truth) == pytest.approx((7.5 + 2) / 16)
    assert auc(made**3, truth) == auc(made, truth)  # only the order counts


def test_a_field_against_itself(noise):
    pytest.importorskip("ot")
    foa = plane_wave(noise, 33, -10)
    for seconds in (None, 1.0, 0.2):
        scores = map_scores(foa, foa, RATE, seconds)
        assert scores.emd == 0
        assert scores.correlation == pytest.approx(1)
        assert scores.auc == 1


def test_w_alone_tells_nothing_and_a_turn_costs_more_the_wider_it_is(noise):
    pytest.importorskip("ot")
    truth = plane_wave(noise, 0)
    mono = np.zeros_like(truth)
    mono[0] = noise
    alone = map_scores(mono, truth, RATE)
    assert alone.correlation == 0 and alone.auc == 0.5
    turned = [map_scores(plane_wave(noise, angle), truth, RATE) for angle in (5, 20, 60, 110)]
    assert all(a.emd < b.emd for a, b in pairwise(turned))
    assert all(a.correlation > b.correlation for a, b in pairwise(turned))
    assert turned[1].emd < alone.emd < turned[3].emd
    # No mass need travel further than the field was turned.
    assert all(s.emd <= np.radians(a) for s, a in zip(turned, (5, 20, 60, 110), strict=True))


def test_windows_see_what_the_whole_clip_hides(noise):
    """Left, then right: averaged over the clip, the other way round is the same."""
    pytest.importorskip("ot")
    azimuth = np.repeat(np.radians([90.0, -90.0]), RATE)
    truth = encode_plane_wave(noise, azimuth, np.zeros(2 * RATE))
    swapped = encode_plane_wave(noise, -azimuth, np.zeros(2 * RATE))
    assert map_scores(swapped, truth, RATE).correlation > 0.95
    assert map_scores(swapped, truth, RATE, 1.0).correlation < 0.0


def test_windows_without_sound_do_not_count(noise):
    pytest.importorskip("ot")
    truth, made = plane_wave(noise, 0), plane_wave(noise, 0)
    truth[:, RATE:] = 1e-2 * plane_wave(noise, 90)[:, RATE:]  # 40 dB down
    assert map_scores(made, truth, RATE, 1.0).correlation == pytest.approx(1)
    with pytest.raises(ValueError, match="silent"):
        map_scores(made, 0 * truth, RATE)
    with pytest.raises(ValueError, match="silent"):
        map_scores(0 * made, truth, RATE)
    with pytest.raises(ValueError, match="one length"):
        map_scores(made[:, :RATE], truth, RATE, 1.0)


def test_without_pot_the_message_names_the_extra(monkeypatch):
    import sys

    from omniaudio_studio.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingDependencyError, match=r"omniaudio-studio\[eval\]"):
        earth_movers_distance([1, 0], [0, 1], even_points(2))


def test_coarse_maps_are_fine_enough(noise):
    """The earth mover's distance hardly changes with the number of points."""
    pytest.importorskip("ot")
    pair = [covariance(plane_wave(noise, *angles)) for angles in ((0, 0), (50, 30))]
    coarse, fine = (
        earth_movers_distance(*(field_maps(c, even_points(n)) for c in pair), even_points(n))
        for n in (maps.COARSE_POINTS, 600)
    )
    assert coarse == pytest.approx(fine, rel=0.02)
