"""A sound over time: peaks, levels, directions, loudness; small enough to draw at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.covariance import FrameCovariances
from omniaudio_studio.foa.direction import anglegram_from_covariances
from omniaudio_studio.jobs.analysis.cache import cached
from omniaudio_studio.jobs.analysis.levels import loudness_facts
from omniaudio_studio.jobs.analysis.source import opened
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.loudness import LoudnessMeter

PEAK_RATE = 100  # of the waveform, per second
FRAME_RATE = 10  # of everything else
AZIMUTHS = 72
RANGE_DB = 30.0  # of the anglegram, below its loudest moment: a first-order field has no more
FLOOR_DB = -120.0

Array = NDArray[np.float32]


def answer(context: Context, path: str) -> dict[str, Any]:
    """An .npz about a sound file: a field of four channels, or a mono or stereo one.

    It holds

    - ``peaks``: float32 (2, n), lowest and highest sample of W (of the channels' mean) in each
      hundredth of a second;
    - ``frame_rate``: 10;
    - ``levels``: float32 (channels, frames), RMS in dBFS, at least -120;
    - ``covariance``: float32 (frames, 4, 4), of a field;
    - ``anglegram``: uint8 (72, frames), of a field: energy per azimuth (`foa.direction.anglegram`)
      on a scale of decibels, 255 at its loudest, 0 at 30 dB below it.

    The answer tells ``rate``, ``samples``, ``seconds``, ``channels``, ``loudness`` and ``level``
    (see `levels.loudness_facts`), and ``peak_db`` (of all samples, dBFS, at least -120).
    """

    def make(file: Path) -> dict[str, Any]:
        with opened(Path(path)) as source:
            summary = _Summary(source.rate, source.channels)
            for block in source.blocks:
                context.cancel.check()
                summary.push(block)
                if source.samples:
                    context.progress(min(summary.samples / source.samples, 1.0))
        arrays, facts = summary.finish()
        with file.open("wb") as stream:
            np.savez(stream, **arrays)
        return facts

    npz, facts = cached("field", Path(path), ".npz", make)
    return {**facts, "npz": str(npz)}


class _Summary:
    """Everything at once, in one pass and flat memory but for what is kept."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels, self.samples = rate, channels, 0
        self._covariances = FrameCovariances(rate, 1 / FRAME_RATE)
        self._frames: list[NDArray[np.float64]] = []
        self._meter = LoudnessMeter(rate, 2 if channels == 2 else 1)
        self._lows: list[Array] = []
        self._highs: list[Array] = []
        self._waiting = np.zeros(0, np.float32)
        self._column = 0
        self._peak = 0.0

    def push(self, block: Array) -> None:
        # A bad sample in one place must not take the whole picture away.
        if not math.isfinite(float(block.sum(dtype=np.float64))):
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        field = block
        if self.channels < 4:
            field = np.zeros((4, block.shape[1]), np.float32)
            field[: self.channels] = block
        self._frames.append(self._covariances.push(field))
        omni = block[0] if self.channels == 4 else block.mean(axis=0)
        self._meter.push(block if self.channels == 2 else omni)
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        self.samples += block.shape[1]
        self._columns(omni)

    def _columns(self, omni: Array, last: bool = False) -> None:
        """Lowest and highest of each hundredth that is complete, edges true to the clock."""
        line = np.concatenate([self._waiting, omni])
        first = self._edge(self._column)
        end = first + len(line)
        count = math.floor(end * PEAK_RATE / self.rate) - self._column
        while count > 0 and self._edge(self._column + count) > end:
            count -= 1
        if last and end > self._edge(self._column + max(count, 0)):
            count = max(count, 0) + 1
        if count <= 0:
            self._waiting = line
            return
        starts = np.array([self._edge(self._column + k) for k in range(count)]) - first
        used = min(self._edge(self._column + count) - first, len(line))
        self._lows.append(np.minimum.reduceat(line[:used], starts))
        self._highs.append(np.maximum.reduceat(line[:used], starts))
        self._column += count
        self._waiting = line[used:]

    def _edge(self, column: int) -> int:
        return round(column * self.rate / PEAK_RATE)

    def finish(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._frames.append(self._covariances.finish())
        self._columns(np.zeros(0, np.float32), last=True)
        matrices = np.concatenate(self._frames)
        power = np.diagonal(matrices, axis1=1, axis2=2).T[: self.channels]
        levels = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
        arrays: dict[str, Any] = {
            "peaks": np.stack([_joined(self._lows), _joined(self._highs)]),
            "levels": levels.astype(np.float32),
            "frame_rate": np.float64(FRAME_RATE),
        }
        if self.channels == 4:
            arrays["covariance"] = matrices.astype(np.float32)
            arrays["anglegram"] = _decibels(anglegram_from_covariances(matrices, AZIMUTHS))
        return arrays, {
            "rate": self.rate,
            "samples": self.samples,
            "seconds": self.samples / self.rate,
            "channels": self.channels,
            **loudness_facts(self._meter, self.channels),
            "peak_db": 20 * math.log10(max(self._peak, 10 ** (FLOOR_DB / 20))),
        }


def _joined(parts: list[Array]) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _decibels(energy: NDArray[np.float64]) -> NDArray[np.uint8]:
    loudest = float(energy.max(initial=0.0))
    if loudest <= 0:
        return np.zeros(energy.shape, np.uint8)
    below = 10 * np.log10(np.maximum(energy / loudest, 10 ** (-RANGE_DB / 10)))
    return np.round((below + RANGE_DB) * (255 / RANGE_DB)).astype(np.uint8)
