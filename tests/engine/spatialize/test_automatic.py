"""Sources found without training, in drawn clips."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.engine.spatialize.automatic import find_automatic
from omniaudio_studio.engine.spatialize.found import Found
from omniaudio_studio.errors import Cancelled
from omniaudio_studio.media.probe import probe
from tests.engine.spatialize.clips import FPS, HEIGHT, RATE, WIDTH, Disc, bursts, write_clip

SECONDS = 6.0


def found(clip: Path, most: int = 3) -> Found:
    info = probe(clip)
    return find_automatic(info, clip, start=0.0, duration=info.duration, max_sources=most)


def errors(result: Found, source: int, vectors: np.ndarray) -> np.ndarray:
    cosine = (result.placement.directions[source] * vectors).sum(axis=1)
    return np.arccos(np.clip(cosine, -1, 1))


def moving(speed: float, start: float = 0.0) -> Disc:
    return Disc(lambda t: start + np.radians(speed) * t, lambda _: np.radians(24))


def pulsing(azimuth: float, envelope: np.ndarray) -> Disc:
    def size(t: float) -> float:
        at = min(round(100 * t), envelope.size - 1)
        return float(np.radians(22) * (1 + 0.4 * envelope[at]))

    return Disc(lambda _: azimuth, size)


@pytest.mark.parametrize("turns", [False, True])
def test_one_thing_that_moves_is_followed_also_by_a_camera_that_turns(
    tmp_path: Path, turns: bool
) -> None:
    disc = moving(35.0, -1.0)
    sound, _ = bursts(SECONDS, 1)

    def turn(t: float) -> int:
        return round(40 * t) if turns else 0  # 50 degrees a second, by whole pixels

    clip = write_clip(tmp_path / "clip.mp4", SECONDS, lambda _: [disc], sound, turn)
    result = found(clip)
    times = result.placement.times
    seen = np.array([disc.azimuth(t) - 2 * np.pi * turn(t) / WIDTH for t in times])
    vectors = Disc(lambda t: float(np.interp(t, times, seen)), lambda _: 0.0).vectors(times)
    assert len(result.names) == 1
    assert errors(result, 0, vectors)[3:-3].mean() < np.radians(8)
    assert result.confidence > 0.5
    assert result.placement.shares.sum(axis=0).max() <= 1 + 1e-6
    assert not result.warnings


def test_the_sound_decides_which_of_two_things_it_comes_from(tmp_path: Path) -> None:
    sound, envelope = bursts(8.0, 2)
    _, other = bursts(8.0, 77, every=0.7)
    discs = [pulsing(1.2, envelope), pulsing(-1.4, other)]
    clip = write_clip(tmp_path / "clip.mp4", 8.0, lambda _: discs, sound)
    result = found(clip, 1)
    vectors = discs[0].vectors(result.placement.times)
    assert errors(result, 0, vectors).mean() < np.radians(10)


def test_two_things_share_the_sound(tmp_path: Path) -> None:
    first, one = bursts(8.0, 3)
    second, two = bursts(8.0, 4, every=1.3)
    t = np.arange(first.size) / RATE
    low = (np.abs(second) * np.sin(2 * np.pi * 150 * t)).astype(np.float32)
    high = (np.abs(first) * np.sin(2 * np.pi * 5000 * t)).astype(np.float32)
    discs = [pulsing(1.2, one), pulsing(-1.4, two)]
    clip = write_clip(tmp_path / "clip.mp4", 8.0, lambda _: discs, low + high)
    result = found(clip)
    assert len(result.names) == 2
    placement = result.placement
    owners = []
    for disc in discs:
        far = [errors(result, k, disc.vectors(placement.times)).mean() for k in range(2)]
        owners.append(int(np.argmin(far)))
        assert min(far) < np.radians(12)
    assert owners[0] != owners[1]
    band_low, band_high = (int(np.searchsorted(placement.edges, f)) - 1 for f in (150.0, 5000.0))
    shares = placement.shares.mean(axis=2)
    assert shares[owners[0], band_high] > 2 * shares[owners[1], band_high]
    assert shares[owners[1], band_low] > 2 * shares[owners[0], band_low]


def test_stereo_tells_which_of_two_alike_it_is(tmp_path: Path) -> None:
    sound, envelope = bursts(SECONDS, 5)
    discs = [pulsing(1.5, envelope), pulsing(-1.5, envelope)]
    for name, gains, side in (("l", (1.0, 0.2), 0), ("r", (0.2, 1.0), 1)):
        stereo = np.stack([gain * sound for gain in gains])
        clip = write_clip(tmp_path / f"{name}.mp4", SECONDS, lambda _: discs, stereo)
        result = found(clip, 1)
        assert errors(result, 0, discs[side].vectors(result.placement.times)).mean() < 0.2


def test_after_a_cut_a_source_is_looked_for_anew(tmp_path: Path) -> None:
    sound, envelope = bursts(SECONDS, 6)
    discs = [pulsing(1.5, envelope), pulsing(-1.5, envelope)]
    light, dark = (
        np.full((HEIGHT, WIDTH, 3), 150, np.uint8),
        np.full((HEIGHT, WIDTH, 3), 30, np.uint8),
    )
    clip = write_clip(
        tmp_path / "clip.mp4",
        SECONDS,
        lambda t: [discs[int(t >= 3.0)]],
        sound,
        background=lambda t: light if t < 3 else dark,
    )
    result = found(clip, 1)
    times = result.placement.times
    before, after = times < 2.9, times > 3.1
    assert errors(result, 0, discs[0].vectors(times))[before].max() < 0.3
    assert errors(result, 0, discs[1].vectors(times))[after].max() < 0.3


def test_where_everything_moves_nothing_is_placed_and_that_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    sound, _ = bursts(3.0, 7)

    def flicker(_: float) -> np.ndarray:
        return (
            rng.integers(0, 255, (HEIGHT // 12, WIDTH // 12, 3), np.uint8)
            .repeat(12, 0)
            .repeat(12, 1)
        )

    clip = write_clip(tmp_path / "clip.mp4", 3.0, lambda _: [], sound, background=flicker)
    result = found(clip)
    assert result.placement.shares.max() == 0
    assert result.confidence < 0.3
    assert any("nothing in the picture goes with the sound" in line for line in result.warnings)


def test_where_nothing_moves_nothing_is_placed(tmp_path: Path) -> None:
    sound, _ = bursts(3.0, 8)
    clip = write_clip(tmp_path / "clip.mp4", 3.0, lambda _: [], sound)
    result = found(clip)
    assert result.placement.shares.max() == 0
    assert result.confidence < 0.05
    assert len(result.warnings) == 1


def test_a_range_is_found_as_in_the_whole_and_progress_is_told(tmp_path: Path) -> None:
    disc = moving(40.0, -2.0)
    sound, _ = bursts(SECONDS, 9)
    clip = write_clip(tmp_path / "clip.mp4", SECONDS, lambda _: [disc], sound)
    told: list[Progress] = []
    part = find_automatic(
        probe(clip), clip, start=2.0, duration=3.0, max_sources=1, progress=told.append
    )
    times = part.placement.times
    assert times[0] == pytest.approx(2.0 + 0.5 / 12)
    assert errors(part, 0, disc.vectors(times))[3:-3].mean() < np.radians(8)
    assert told[-1].stage == "picture"
    assert told[-1].done == told[-1].total == 3.0
    assert [report.done for report in told] == sorted(report.done for report in told)


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    sound, _ = bursts(SECONDS, 10)
    clip = write_clip(tmp_path / "clip.mp4", SECONDS, lambda _: [], sound)
    token = CancelToken()

    def stop(report: Progress) -> None:
        if report.done > 0.5:
            token.cancel()

    with pytest.raises(Cancelled):
        find_automatic(
            probe(clip), clip, start=0, duration=SECONDS, max_sources=1, progress=stop, cancel=token
        )
    assert threading.active_count() < 20


def test_frames_of_the_clip_are_what_the_test_thinks() -> None:
    assert WIDTH == 2 * HEIGHT
    assert RATE % FPS == 0
