"""The design of binaural filters, against spheres and an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.magls import area_weights, magnitude_least_squares

RATE = 48000


def even_directions(count: int) -> np.ndarray:
    index = np.arange(count) + 0.5
    return direction_vector(index * np.pi * (3 - np.sqrt(5)), np.arcsin(1 - 2 * index / count))


def two_microphones(directions: np.ndarray, figure: float = 0.4) -> np.ndarray:
    """Cardioids (0: omnis) that look left and right, 9 cm from the middle: (g, 2, 512)."""
    gap = 0.09
    frequency = np.fft.rfftfreq(512, 1 / RATE)
    responses = []
    for side in (1.0, -1.0):
        towards = side * directions[1]
        delay = 0.002 - gap * towards / 343.0
        gain = 1.0 - figure + figure * towards
        responses.append(
            np.fft.irfft(gain[:, None] * np.exp(-2j * np.pi * frequency * delay[:, None]), 512)
        )
    return np.stack(responses, axis=1)


def responses_of(taps: np.ndarray, directions: np.ndarray) -> np.ndarray:
    x, y, z = directions
    harmonics = np.stack([np.ones_like(x), y, z, x], axis=1)
    return np.einsum("gc,ecn->gen", harmonics, taps.astype(np.float64))


def test_weights_add_up_and_follow_density() -> None:
    dense = direction_vector(np.linspace(0, 2 * np.pi, 200, endpoint=False), np.radians(10.0))
    weights = area_weights(np.concatenate([even_directions(400), dense], axis=1))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[400:].sum() < 0.2  # a third of the points, on a belt of a few degrees
    even = area_weights(even_directions(500)) * 500
    assert even.min() > 0.7
    assert even.max() < 1.3


def test_nobody_stands_for_what_was_not_measured() -> None:
    upper = even_directions(1000)
    upper = upper[:, upper[2] > -0.3]
    weights = area_weights(upper)
    assert weights.max() * upper.shape[1] < 6  # not the whole lower half on the lowest ring


def test_magnitudes_are_followed_above_the_transition() -> None:
    towards = even_directions(500)
    wanted = two_microphones(towards)
    taps = magnitude_least_squares(wanted, towards, RATE)
    made = np.fft.rfft(responses_of(taps, towards), 1024)
    target = np.fft.rfft(wanted, 1024)
    frequency = np.fft.rfftfreq(1024, 1 / RATE)
    # A cardioid is first order: its magnitude is within four channels' reach at any frequency.
    for low, high in ((2000, 8000), (8000, 16000)):
        inside = (frequency > low) & (frequency < high)
        shape = np.abs(made[..., inside]) / np.abs(target[..., inside])
        spread = 20 * np.log10(shape / np.median(shape))
        assert np.percentile(np.abs(spread), 90) < 2.5, (low, high)
    # What linear least squares gives at 6 kHz instead is far off.
    bin_ = int(np.searchsorted(frequency, 6000))
    x, y, z = towards
    harmonics = np.stack([np.ones_like(x), y, z, x], axis=1)
    linear = harmonics @ np.linalg.pinv(harmonics) @ target[:, 0, bin_]
    assert np.percentile(np.abs(20 * np.log10(np.abs(linear / target[:, 0, bin_]))), 90) > 6


def test_the_time_between_the_ears_is_kept_below_the_transition() -> None:
    towards = even_directions(500)
    taps = magnitude_least_squares(two_microphones(towards, 0.0), towards, RATE)
    left = responses_of(taps, np.array([[0.0], [1.0], [0.0]]))
    phases = np.angle(np.fft.rfft(left[0, 0], 4800) * np.conj(np.fft.rfft(left[0, 1], 4800)))
    for hertz in (50, 100, 200, 300, 400):  # four channels carry it no further
        assert phases[hertz // 10] == pytest.approx(2 * np.pi * hertz * 0.18 / 343, rel=0.15)


def test_symmetric_filters_are_mirror_images() -> None:
    towards = even_directions(300)
    uneven = two_microphones(towards) * np.array([1.0, 0.8])[:, None]
    taps = magnitude_least_squares(uneven, towards, RATE, symmetric=True)
    np.testing.assert_array_equal(taps[1, 1], -taps[0, 1])
    np.testing.assert_array_equal(taps[1, [0, 2, 3]], taps[0, [0, 2, 3]])
    own = magnitude_least_squares(uneven, towards, RATE)
    louder = np.sum(own[0, 0] ** 2) / np.sum(own[1, 0] ** 2)
    assert 10 * np.log10(louder) == pytest.approx(1.94, abs=0.3)  # 1 / 0.8: kept as measured


def test_a_coloured_loudspeaker_does_not_colour_the_filters() -> None:
    towards = even_directions(300)
    plain = two_microphones(towards)
    colour = np.array([1.0, -0.6, 0.2])  # a treble boost of 13 dB
    coloured = np.apply_along_axis(lambda h: np.convolve(h, colour)[:512], 2, plain)
    spectra = [
        np.abs(np.fft.rfft(magnitude_least_squares(each, towards, RATE)[0, 0], 1024))
        for each in (plain, coloured)
    ]
    change = 20 * np.log10(spectra[1] / spectra[0])[5:380]  # 230 Hz to 18 kHz
    assert np.abs(change).max() < 1.0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its use of SciPy
def test_agrees_with_spaudiopy_on_an_even_grid() -> None:
    """Magnitudes per channel, up to the equalisation that only ours has."""
    decoder = pytest.importorskip("spaudiopy.decoder")
    sig = pytest.importorskip("spaudiopy.sig")
    towards = even_directions(500)
    wanted = two_microphones(towards)
    azimuth, zenith = np.arctan2(towards[1], towards[0]), np.arccos(towards[2])
    theirs = decoder.magls_bin(
        sig.HRIRs(wanted[:, 0], wanted[:, 1], azimuth, zenith, RATE), 1, f_trans=1000.0
    )
    # Orthonormal harmonics to SN3D: Y_00 = 1 / sqrt(4 pi), Y_1m = sqrt(3 / 4 pi) times x, y or z.
    theirs = theirs * np.sqrt(np.array([1, 3, 3, 3]) / (4 * np.pi))[None, :, None]
    ours = magnitude_least_squares(wanted, towards, RATE)
    directions = even_directions(40)
    a, b = (
        np.abs(np.fft.rfft(responses_of(each, directions), 1024))[..., 30:380]
        for each in (ours, theirs)
    )
    ratio = 20 * np.log10(a / b)
    # The equaliser is the same for all directions and ears: what is left is the difference.
    difference = ratio - np.median(ratio, axis=(0, 1))
    assert np.percentile(np.abs(difference), 90) < 1.0
