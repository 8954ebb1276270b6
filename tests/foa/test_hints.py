"""Hints: what is pulled lands where it is wanted, smoothly, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.foa.direction import angular_error, direction_of_arrival
from omniaudio_studio.foa.encoding import diffuse_field, encode_moving, encode_plane_wave
from omniaudio_studio.foa.hints import FADE_SECONDS, Pull, PulledField

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def pull(
    azimuth: float, elevation: float = 0.0, *, start: float = 0.0, end: float = 9.0, by: float = 1.0
) -> Pull:
    return Pull(start, end, np.radians(azimuth), np.radians(elevation), by)


def blocks(foa: np.ndarray, sizes: Sequence[int]) -> Iterator[np.ndarray]:
    at = number = 0
    while at < foa.shape[1]:
        size = sizes[number % len(sizes)]
        yield foa[:, at : at + size]
        at, number = at + size, number + 1


def pulled(
    foa: np.ndarray, *pulls: Pull, start: float = 0.0, sizes: Sequence[int] = (5000,)
) -> np.ndarray:
    field = PulledField(pulls, RATE, start)
    return np.concatenate([*map(field.push, blocks(foa, sizes)), field.finish()], axis=1)


def seconds(begin: float, end: float) -> slice:
    return slice(round(begin * RATE), round(end * RATE))


def degrees_off(foa: np.ndarray, azimuth: float, elevation: float) -> float:
    found = direction_of_arrival(foa)
    return float(np.degrees(angular_error(*found, np.radians(azimuth), np.radians(elevation))))


@pytest.mark.parametrize(("azimuth", "elevation"), [(70, 0), (-50, 0), (10, 60), (10, -60)])
def test_a_plane_wave_60_degrees_off_lands_on_the_hint(azimuth: float, elevation: float) -> None:
    wave = encode_plane_wave(noise(2.0), np.radians(10), 0.0)
    out = pulled(wave, pull(azimuth, elevation, end=2.0))
    inside = out[:, seconds(FADE_SECONDS, 2.0 - FADE_SECONDS)]
    assert degrees_off(inside, azimuth, elevation) < 0.1


@pytest.mark.parametrize(
    ("strength", "lands"), [(0.25, 15.0), (0.5, 30.0), (0.75, 45.0), (1.0, 60.0)]
)
def test_strength_is_the_share_of_the_way(strength: float, lands: float) -> None:
    wave = encode_plane_wave(noise(2.0), 0.0, 0.0)
    out = pulled(wave, pull(60.0, by=strength))
    assert degrees_off(out[:, seconds(0.3, 2.0)], lands, 0.0) < 0.1


@pytest.mark.parametrize("azimuth", [120.0, 170.0, -179.0])
def test_no_more_than_90_degrees(azimuth: float) -> None:
    out = pulled(encode_plane_wave(noise(2.0), 0.0, 0.0), pull(azimuth))
    assert degrees_off(out[:, seconds(0.3, 2.0)], np.sign(azimuth) * 90.0, 0.0) < 0.1


def test_what_is_right_behind_turns_over_one_side() -> None:
    out = pulled(encode_plane_wave(noise(2.0), np.pi, 0.0), pull(0.0))
    azimuth, elevation = np.degrees(direction_of_arrival(out[:, seconds(0.3, 2.0)]))
    assert (abs(azimuth), elevation) == pytest.approx((90.0, 0.0), abs=0.1)


def test_a_wave_on_the_hint_stays() -> None:
    wave = encode_plane_wave(noise(1.0), 0.5, 0.2)
    np.testing.assert_allclose(pulled(wave, Pull(0, 1, 0.5, 0.2, 1.0)), wave, atol=1e-5)


def test_outside_of_the_range_nothing_changes_to_the_bit() -> None:
    foa = encode_plane_wave(noise(3.0), 1.0, 0.3)
    foa[:, 100] = -0.0
    out = pulled(foa, pull(-60.0, start=1.0, end=2.0))
    changed = np.flatnonzero((out.view(np.uint32) != foa.view(np.uint32)).any(axis=0))
    assert RATE * 1.0 < changed[0] < RATE * 1.05
    assert RATE * 1.95 < changed[-1] < RATE * 2.0
    assert degrees_off(out[:, seconds(1.3, 1.7)], -60.0, 0.0) > 20  # from 57 degrees: 90 at most


def test_without_strength_nothing_changes_to_the_bit() -> None:
    foa = np.random.default_rng(0).standard_normal((4, RATE)).astype(np.float32)
    foa[:, 100] = -0.0
    out = pulled(foa, pull(60.0, by=0.0))
    np.testing.assert_array_equal(out.view(np.uint32), foa.view(np.uint32))


def test_w_stays_and_so_does_the_energy_of_the_rest() -> None:
    foa = encode_plane_wave(noise(2.0), 0.4, 0.2) + 0.3 * diffuse_field(
        noise(2.0, 1), np.random.default_rng(2), rate=RATE
    )
    out = pulled(foa, pull(-60.0, 30.0, start=0.3, end=1.7, by=0.8))
    np.testing.assert_array_equal(out[0], foa[0])
    before, after = (np.sum(np.square(part[1:], dtype=np.float64), axis=0) for part in (foa, out))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-9)
    assert np.std(out[1:] - foa[1:]) > 0.1 * np.std(foa[1:])


@given(
    sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=8),
    length=st.integers(1, 20_000),
    start=st.sampled_from([0.0, 3.21]),
)
@settings(max_examples=40, deadline=None)
def test_the_blocks_do_not_matter(sizes: list[int], length: int, start: float) -> None:
    rng = np.random.default_rng(length)
    foa = rng.standard_normal((4, length)).astype(np.float32)
    foa[3] += 2 * foa[0]
    pulls = (
        Pull(start + 0.2, start + 0.9, 2.0, 0.5, 0.7),
        Pull(start, start + 0.5, -1.0, 0.0, 0.9),
    )
    out = pulled(foa, *pulls, start=start, sizes=sizes)
    assert out.shape == foa.shape
    np.testing.assert_array_equal(out, pulled(foa, *pulls, start=start, sizes=[length]))


def test_it_lags_by_a_fixed_time_however_long_the_field() -> None:
    field = PulledField([pull(60.0)], RATE)
    came = went = 0
    for block in blocks(np.ones((4, 5 * RATE), np.float32), [777]):
        came += block.shape[1]
        went += field.push(block).shape[1]
        assert came - went <= field.latency
    assert field.latency <= 0.25 * RATE


def test_a_range_is_meant_on_the_clip_s_clock() -> None:
    foa = encode_plane_wave(noise(2.0), 0.0, 0.0)
    late = pulled(foa, pull(60.0, start=10.5, end=11.5), start=10.0)
    np.testing.assert_array_equal(late[:, seconds(0, 0.5)], foa[:, seconds(0, 0.5)])
    assert degrees_off(late[:, seconds(0.8, 1.2)], 60.0, 0.0) < 0.1


def test_a_pull_makes_no_new_tones() -> None:
    """A steady tone keeps its spectrum: no lines at the rate of blocks, 80 dB down and more."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
    out = pulled(encode_plane_wave(tone, 0.0, 0.0), pull(80.0, start=0.25, end=1.75))
    window = np.kaiser(2 * RATE, 14)
    for channel in (1, 3):
        spectrum = np.abs(np.fft.rfft(out[channel] * window))
        line = spectrum[2000]
        aside = np.concatenate([spectrum[:1900], spectrum[2100:]])
        assert 20 * np.log10(aside.max() / line) < -80


def test_a_moving_source_is_followed() -> None:
    """It is pulled along the way from where it is at each moment."""
    times = [0.0, 3.0]
    foa = encode_moving(noise(3.0), times, np.radians([0.0, 90.0]), [0.0, 0.0], RATE)
    out = pulled(foa, pull(45.0))
    for begin in np.arange(0.3, 2.7, 0.2):
        assert degrees_off(out[:, seconds(begin, begin + 0.1)], 45.0, 0.0) < 2.0


def test_a_sound_after_silence_is_pulled_from_its_first_sample() -> None:
    foa = encode_plane_wave(noise(2.0), 0.0, 0.0)
    foa[:, : RATE // 2] = 0
    out = pulled(foa, pull(60.0))
    np.testing.assert_array_equal(out[:, : RATE // 2], 0)
    assert degrees_off(out[:, seconds(0.5, 0.52)], 60.0, 0.0) < 2.0


def test_a_diffuse_field_is_left_alone() -> None:
    foa = diffuse_field(noise(3.0), np.random.default_rng(1), rate=RATE)
    out = pulled(foa, pull(90.0))
    assert np.std(out - foa) < 0.15 * np.std(foa)


def test_two_pulls_at_once_meet_between() -> None:
    wave = encode_plane_wave(noise(2.0), 0.0, 0.0)
    inside = seconds(0.3, 2.0)
    both = pulled(wave, pull(60.0), pull(0.0, 60.0))
    azimuth, elevation = np.degrees(direction_of_arrival(both[:, inside]))
    assert azimuth == pytest.approx(
        np.degrees(np.arctan(np.tan(np.radians(42.43)) / np.sqrt(2))), abs=2
    )
    assert elevation == pytest.approx(
        np.degrees(np.arcsin(np.sin(np.radians(42.43)) / np.sqrt(2))), abs=2
    )
    added = pulled(wave, pull(60.0, by=0.3), pull(60.0, by=0.3))
    assert degrees_off(added[:, inside], 36.0, 0.0) < 0.1
    strong = pulled(wave, pull(60.0, by=0.9), pull(-60.0, by=0.3))
    assert degrees_off(strong[:, inside], 30.0, 0.0) < 0.1
