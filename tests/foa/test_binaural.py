"""The streaming renderer and the offline one: sums, turning, clicks, memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from omniaudio_studio.foa.binaural import (
    BinauralFilters,
    BinauralRenderer,
    TrackRenderer,
    default_filters,
    head_rotation,
    render_binaural,
)
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import quaternion_from_angles, rotate, rotate_along

RATE = 48000
AHEAD = np.eye(3)


def noise(samples: int, seed: int = 0, channels: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)


def convolved(field: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """The plain sum of eight convolutions in float64."""
    return np.stack(
        [
            sum(
                np.convolve(field[c].astype(np.float64), ear[c].astype(np.float64))
                for c in range(4)
            )[: field.shape[1]]
            for ear in taps
        ]
    )


def in_blocks(
    renderer: BinauralRenderer, field: np.ndarray, sizes: list[int], head: np.ndarray = AHEAD
) -> np.ndarray:
    """Render in blocks of these sizes, over and over."""
    out = np.full((2, field.shape[1]), np.nan, dtype=np.float32)
    start = turn = 0
    while start < field.shape[1]:
        stop = min(start + sizes[turn % len(sizes)], field.shape[1])
        renderer.process(
            np.ascontiguousarray(field[:, start:stop]),
            ears := np.empty_like(out[:, start:stop]),
            head,
        )
        out[:, start:stop] = ears
        start, turn = stop, turn + 1
    return out


@pytest.mark.parametrize("sizes", [[64], [256], [4096], [480], [100, 64, 1777, 255, 4095], [1]])
def test_agrees_with_plain_convolution_in_any_blocks(sizes: list[int]) -> None:
    field = noise(2000 if sizes == [1] else 12000)
    filters = default_filters()
    out = in_blocks(BinauralRenderer(filters, max_block=4096), field, sizes)
    np.testing.assert_allclose(out, convolved(field, filters.taps), atol=5e-6)


@pytest.mark.parametrize("count", [1, 2, 63, 700, 5000])
def test_filters_of_any_length(count: int) -> None:
    taps = noise(2 * count, seed=count).reshape(2, 4, count) / count
    filters = BinauralFilters(taps, RATE, "test", "", "")
    field = noise(15000)
    out = in_blocks(BinauralRenderer(filters, max_block=512), field, [512, 64])
    np.testing.assert_allclose(out, convolved(field, taps), atol=1e-5)


def test_blocks_longer_than_the_largest_transform() -> None:
    field = noise(50000)
    filters = default_filters()
    renderer = BinauralRenderer(filters, max_block=50000)
    out = in_blocks(renderer, field, [50000], head_rotation(0.3, 0.2, 0.1))
    turned = rotate(field, head_rotation(0.3, 0.2, 0.1).T)
    np.testing.assert_allclose(out, convolved(turned, filters.taps), atol=1e-5)


def test_reset_forgets_the_sound_and_the_head() -> None:
    field = noise(1000)
    renderer = BinauralRenderer(default_filters())
    first = in_blocks(renderer, field, [250], head_rotation(1.0))
    renderer.reset()
    np.testing.assert_array_equal(in_blocks(renderer, field, [250], head_rotation(1.0)), first)
    renderer.reset(head_rotation(-1.0))
    turning = in_blocks(renderer, field, [250], head_rotation(1.0))
    assert np.abs(turning - first)[:, :250].max() > 0.1  # still on its way
    renderer.reset(head_rotation(1.0))
    np.testing.assert_array_equal(in_blocks(renderer, field, [250], head_rotation(1.0)), first)


@pytest.mark.parametrize(
    ("head", "azimuth", "elevation"),
    [
        (head_rotation(np.pi / 2), np.pi / 2, 0.0),
        (head_rotation(0.0, np.pi / 3), 0.0, np.pi / 3),
        (head_rotation(np.pi / 2, np.pi / 4), np.pi / 2, np.pi / 4),
    ],
)
def test_what_the_head_looks_at_is_in_front(
    head: np.ndarray, azimuth: float, elevation: float
) -> None:
    sound = noise(4000, channels=1)[0]
    looked_at = in_blocks(
        BinauralRenderer(default_filters()),
        encode_plane_wave(sound, azimuth, elevation),
        [256],
        head,
    )
    ahead = render_binaural(encode_plane_wave(sound, 0.0, 0.0), RATE)
    np.testing.assert_allclose(looked_at, ahead, atol=1e-5)


def test_a_lifted_left_ear_points_to_what_is_above() -> None:
    sound = noise(4000, channels=1)[0]
    above = in_blocks(
        BinauralRenderer(default_filters()),
        encode_plane_wave(sound, 0.0, np.pi / 2),
        [256],
        head_rotation(roll=np.pi / 2),
    )
    left = render_binaural(encode_plane_wave(sound, np.pi / 2, 0.0), RATE)
    np.testing.assert_allclose(above, left, atol=1e-5)


def test_turning_the_head_is_turning_the_field_the_other_way() -> None:
    field = noise(9000)
    out = render_binaural(field, RATE, track=(0.0, np.pi / 2, 0.0, 0.0))
    turned = render_binaural(rotate(field, head_rotation(-np.pi / 2)), RATE)
    np.testing.assert_allclose(out, turned, atol=1e-5)
    streamed = in_blocks(
        BinauralRenderer(default_filters()), field, [256], head_rotation(np.pi / 2)
    )
    np.testing.assert_allclose(streamed, turned, atol=1e-5)


def wandering(seconds: float, step: float, size: float, seed: int = 3) -> tuple[np.ndarray, ...]:
    times = np.arange(0.0, seconds, step)
    rng = np.random.default_rng(seed)
    return (times, *(np.cumsum(rng.standard_normal(times.size)) * size for _ in range(3)))


@pytest.mark.parametrize("step", [0.05, 0.0137, 1.1])
def test_a_track_is_followed(step: float) -> None:
    """As the field turned sample by sample by rotate_along, then filtered."""
    field = noise(3 * RATE)
    times, *angles = wandering(3.0, step, 0.4)
    # The field turns by the inverse.
    turned = rotate_along(field, times, quaternion_from_angles(*angles).T * [1, -1, -1, -1], RATE)
    out = render_binaural(field, RATE, track=(times, *angles))
    np.testing.assert_allclose(out, render_binaural(turned, RATE), atol=5e-5)


def test_a_track_in_blocks_is_the_same_track() -> None:
    field = noise(60000)
    track = wandering(1.25, 0.01, 0.1)
    whole = render_binaural(field, RATE, track=track)
    renderer = TrackRenderer(default_filters(), RATE, track)
    out = np.empty_like(whole)
    start = 0
    for size in [1, 100, 20000, 777, 16384, 60000]:
        stop = min(start + size, 60000)
        renderer.process(field[:, start:stop], out[:, start:stop])
        start = stop
    np.testing.assert_allclose(out, whole, atol=2e-5)


@pytest.mark.parametrize("jump", [0.25, 0.2500037])
def test_a_jump_of_the_track_is_fast_but_no_click(jump: float) -> None:
    field = encode_plane_wave(np.ones(RATE // 2, np.float32), 0.0, 0.0)
    track = ([0.0, jump, jump], [0.0, 0.0, np.pi], [0.0] * 3, [0.0] * 3)
    ahead = render_binaural(field, RATE, track=track, filters=listening())[1]
    np.testing.assert_allclose(ahead[:12000], 1.0, atol=1e-6)
    np.testing.assert_allclose(ahead[12200:], -1.0, atol=1e-6)
    assert np.abs(np.diff(ahead)).max() < 0.05


def test_a_track_of_a_thousand_points_a_second_stays_close() -> None:
    """Points closer than 5 ms are thinned: at 2 rad/s the path is missed by under 0.3 degrees."""
    field = encode_plane_wave(np.ones(RATE, np.float32), 0.0, 0.0)
    times = np.arange(0.0, 1.0, 0.001)
    yaw = np.sin(2.0 * times)
    out = render_binaural(field, RATE, track=(times, yaw, 0 * yaw, 0 * yaw), filters=listening())
    # Channel Y, heard by the left ear alone, is the sine of the angle to the left.
    expected = np.sin(-np.sin(2.0 * np.arange(RATE) / RATE))
    assert np.abs(out[0] - expected)[: RATE - 48].max() < np.radians(0.3)


def listening() -> BinauralFilters:
    """No filters at all: Y in the left ear, X in the right one."""
    taps = np.zeros((2, 4, 1), np.float32)
    taps[0, 1] = taps[1, 3] = 1.0
    return BinauralFilters(taps, RATE, "channels", "", "")


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_the_head_moves_at_constant_speed_within_a_block(size: int) -> None:
    """Exactly, also by half a turn in one block."""
    field = encode_plane_wave(np.ones(size, np.float32), 0.0, 0.0)
    for angle in (1e-9, 1e-4, 0.5, 2.0, 3.0, np.pi - 1e-9):
        renderer = BinauralRenderer(listening(), max_block=size)
        renderer.reset(AHEAD)
        out = np.empty((2, size), np.float32)
        renderer.process(field, out, head_rotation(angle))
        passed = angle * np.arange(1, size + 1) / size
        np.testing.assert_allclose(out[0], -np.sin(passed), atol=2e-6)
        np.testing.assert_allclose(out[1], np.cos(passed), atol=2e-6)


@pytest.mark.parametrize("angles", [(np.pi, 0, 0), (0, np.pi, 0), (0, 0, np.pi), (np.pi, 0.4, 0.1)])
def test_half_a_turn_about_any_axis_ends_where_it_should(angles: tuple[float, ...]) -> None:
    field = noise(256)
    head = head_rotation(*angles)
    renderer = BinauralRenderer(listening(), max_block=256)
    renderer.reset(AHEAD)
    renderer.process(field, out := np.empty((2, 256), np.float32), head)
    expected = rotate(field, head.T)[[1, 3], -1]
    np.testing.assert_allclose(out[:, -1], expected, atol=1e-5)
    lengths = np.linalg.norm(field[1:], axis=0)
    assert (np.linalg.norm(out, axis=0) <= lengths + 1e-5).all()


@pytest.mark.parametrize("size", [64, 256, 512])
@pytest.mark.parametrize("azimuth", [0.0, 1.0])
def test_a_sine_under_a_fast_turn_does_not_click(size: int, azimuth: float) -> None:
    """1 kHz while the head turns twice a second: beyond the turn's sidebands, under -60 dB.

    The ends of the signal are faded, so that the spectrum shows the renderer and not the cut.
    """
    samples = 2 * RATE
    time = np.arange(samples) / RATE
    tone = (np.sin(2 * np.pi * 1000 * time) * np.hanning(samples)).astype(np.float32)
    field = encode_plane_wave(tone, azimuth, 0.3)
    renderer = BinauralRenderer(default_filters(), max_block=size)
    out = np.zeros((2, samples), np.float32)
    # As a mouse moves: a new place only every 16 ms, and in between the same again.
    place = np.floor(time * 62.5) / 62.5 * 2 * np.pi * 2
    smooth = time * 2 * np.pi * 2
    for path, limit, floor in ((smooth, 40, -100), (place, 2500, -60)):
        renderer.reset()
        for start in range(0, samples - size + 1, size):
            stop = start + size
            renderer.process(
                field[:, start:stop], out[:, start:stop], head_rotation(path[stop - 1])
            )
        spectrum = np.abs(np.fft.rfft(out * np.hanning(samples), axis=1))
        frequency = np.fft.rfftfreq(samples, 1 / RATE)
        beyond = np.abs(frequency - 1000) > limit
        level = 20 * np.log10(spectrum[:, beyond].max() / spectrum.max())
        assert level < floor, (limit, level)


def test_a_jump_without_interpolation_would_be_heard() -> None:
    """The measure above has teeth: the same turn in steps per block fails it by far."""
    samples, size = 2 * RATE, 256
    time = np.arange(samples) / RATE
    tone = (np.sin(2 * np.pi * 1000 * time) * np.hanning(samples)).astype(np.float32)
    field = encode_plane_wave(tone, 0.0, 0.3)
    renderer = BinauralRenderer(default_filters(), max_block=size)
    renderer.reset(AHEAD)
    out = np.zeros((2, samples), np.float32)
    for start in range(0, samples - size + 1, size):
        turned = rotate(field[:, start : start + size], head_rotation(-time[start] * 2 * np.pi * 2))
        renderer.process(turned, out[:, start : start + size], AHEAD)
    spectrum = np.abs(np.fft.rfft(out * np.hanning(samples), axis=1))
    beyond = np.abs(np.fft.rfftfreq(samples, 1 / RATE) - 1000) > 40
    assert 20 * np.log10(spectrum[:, beyond].max() / spectrum.max()) > -60


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 has no fft out=")
@pytest.mark.parametrize("size", [64, 256, 1000, 4096])
def test_process_makes_no_arrays(size: int) -> None:
    """What it takes for a moment is Python's small change, the same for blocks of any size."""
    renderer = BinauralRenderer(default_filters(), max_block=4096)
    field, out = noise(size), np.empty((2, size), np.float32)
    heads = [head_rotation(0.02 * turn, 0.01 * turn) for turn in range(20)]
    for head in heads:
        renderer.process(field, out, head)
    tracemalloc.start()
    try:
        for head in heads:
            renderer.process(field, out, head)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for head in heads:
            renderer.process(field, out, head)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 4096  # one channel of 4096 samples would be four times that
    assert after - before < 512


@pytest.mark.parametrize(
    ("field", "out", "head", "said"),
    [
        ((3, 256), (2, 256), (3, 3), "expected"),
        ((4, 256), (2, 255), (3, 3), "expected"),
        ((4, 256), (2, 256), (4,), "expected"),
        ((4, 600), (2, 600), (3, 3), "at most 512"),
    ],
)
def test_wrong_shapes_are_refused(
    field: tuple[int, ...], out: tuple[int, ...], head: tuple[int, ...], said: str
) -> None:
    renderer = BinauralRenderer(default_filters(), max_block=512)
    with pytest.raises(ValueError, match=said):
        renderer.process(np.zeros(field, np.float32), np.zeros(out, np.float32), np.zeros(head))


def test_a_broken_orientation_is_refused_and_does_no_harm() -> None:
    field = noise(256)
    renderer, other = (BinauralRenderer(default_filters(), max_block=256) for _ in range(2))
    out, expected = np.empty((2, 256), np.float32), np.empty((2, 256), np.float32)
    for each in (renderer, other):
        each.process(field, out, AHEAD)
    with pytest.raises(ValueError, match="finite"):
        renderer.process(field, out, np.full((3, 3), np.nan))
    renderer.process(field, out, head_rotation(0.1))
    other.process(field, expected, head_rotation(0.1))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    "track",
    [
        ([0.0, 1.0], [0.0], [0.0], [0.0]),
        ([1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]),
        ([0.0, 1.0], [0.0, np.nan], [0.0, 0.0], [0.0, 0.0]),
        ([], [], [], []),
    ],
)
def test_a_track_that_makes_no_sense_is_refused(track: tuple[list[float], ...]) -> None:
    with pytest.raises(ValueError):
        render_binaural(noise(100), RATE, track=track)


def test_an_empty_field_gives_nothing() -> None:
    assert render_binaural(np.zeros((4, 0), np.float32), RATE).shape == (2, 0)
