"""Loudness and true peak (ITU-R BS.1770, EBU R 128).

Loudness comes from libav's ``ebur128`` filter; the true peak from four-fold oversampling (BS.1770,
annex 2), since the filter states it with three decimals of full scale only.

A sound field's loudness is that of W as a mono signal, as in the project's conventions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from omniaudio_studio.errors import MediaError

# The filter's own floor: what it says while nothing has passed the absolute gate of -70 LUFS.
_FLOOR = -70.0
_BLOCK = 48_000
_OVERSAMPLING = 4


@dataclass(frozen=True)
class Loudness:
    """What EBU R 128 tells of a sound; -inf for silence, and for what is too short to be measured.

    Attributes
    ----------
    integrated : float
        LUFS.
    spread : float
        Loudness range (EBU Tech 3342), LU; 0 where nothing was measured.
    true_peak : float
        dBTP.
    momentary, short_term : float
        The highest of windows of 0.4 s and of 3 s, LUFS.
    """

    integrated: float
    spread: float
    true_peak: float
    momentary: float
    short_term: float


class LoudnessMeter:
    """Measure a mono or stereo signal as it passes, in flat memory.

    Parameters
    ----------
    rate : int
        Samples a second.
    channels : {1, 2}
        Loudness adds the powers of left and right, as BS.1770 does.
    """

    def __init__(self, rate: int, channels: int = 1) -> None:
        import av.filter
        import soxr

        self._rate = rate
        self._layout = {1: "mono", 2: "stereo"}[channels]
        self._channels = channels
        self._position = 0
        self._integrated = self._momentary = self._short_term = -math.inf
        self._spread = 0.0
        self._peak = 0.0
        self._oversampled = soxr.ResampleStream(
            rate, _OVERSAMPLING * rate, channels, dtype="float32", quality="HQ"
        )
        graph = av.filter.Graph()
        source = graph.add_abuffer(
            sample_rate=rate, format="flt", layout=self._layout, time_base=Fraction(1, rate)
        )
        meter = graph.add("ebur128", "metadata=1:framelog=quiet")
        sink = graph.add("abuffersink")
        graph.link_nodes(source, meter, sink)
        graph.configure()
        self._graph = graph

    def push(self, signal: np.ndarray) -> None:
        """Take in ``signal``, float (n,): W of a field, or one channel; of stereo (2, n)."""
        import av

        samples = np.asarray(signal, dtype=np.float32)
        if samples.ndim == 1:
            samples = samples[None]
        if samples.ndim != 2 or samples.shape[0] != self._channels:
            raise ValueError(f"expected {self._layout} sound, got shape {np.shape(signal)}")
        for at in range(0, samples.shape[1], _BLOCK):
            part = np.ascontiguousarray(samples[:, at : at + _BLOCK].T)
            frame = av.AudioFrame.from_ndarray(
                part.reshape(1, -1), format="flt", layout=self._layout
            )
            frame.sample_rate = self._rate
            frame.time_base = Fraction(1, self._rate)
            frame.pts = self._position
            self._position += len(part)
            self._graph.push(frame)
            self._pull()
            self._look(self._oversampled.resample_chunk(part))

    def _pull(self) -> None:
        import av.error

        while True:
            try:
                frame: Any = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            values = frame.metadata
            if "lavfi.r128.I" in values:
                self._integrated = float(values["lavfi.r128.I"])
                self._spread = float(values["lavfi.r128.LRA"])
                self._momentary = max(self._momentary, float(values["lavfi.r128.M"]))
                self._short_term = max(self._short_term, float(values["lavfi.r128.S"]))

    def _finish(self) -> None:
        if self._position >= 0:
            self._graph.push(None)
            self._pull()
            rest = self._oversampled.resample_chunk(
                np.zeros((0, self._channels), np.float32), last=True
            )
            self._look(rest)
            self._position = -1

    def _look(self, oversampled: np.ndarray) -> None:
        if oversampled.size:
            self._peak = max(self._peak, float(np.abs(oversampled).max()))

    def integrated(self) -> float:
        """Integrated loudness in LUFS; -inf for silence or less than 0.4 s. Ends the measuring."""
        self._finish()
        # On the floor nothing has passed the gate, so there is no loudness.
        return self._integrated if self._integrated > _FLOOR else -math.inf

    def true_peak(self) -> float:
        """True peak in dBTP; -inf for silence. Ends the measuring."""
        self._finish()
        return 20 * math.log10(self._peak) if self._peak > 0 else -math.inf

    def summary(self) -> Loudness:
        """All of it. Ends the measuring."""
        integrated = self.integrated()
        return Loudness(
            integrated=integrated,
            spread=self._spread if math.isfinite(integrated) else 0.0,
            true_peak=self.true_peak(),
            momentary=_heard(self._momentary),
            short_term=_heard(self._short_term),
        )


def _heard(level: float) -> float:
    """The filter states -120.7 LUFS for windows of nothing, or that are not full yet."""
    return level if level > _FLOOR else -math.inf


def integrated_loudness(
    sound: str | Path | np.ndarray | Iterable[np.ndarray], rate: int | None = None
) -> float:
    """BS.1770 integrated loudness of W as a mono signal.

    Parameters
    ----------
    sound : str, Path, or float array (n,) or (channels, n), or an iterable of such arrays
        A file of first-order ambisonics, or samples whose first channel is W.
    rate : int, optional
        Samples a second; needed with samples.

    Returns
    -------
    float
        LUFS; -inf for silence or less than 0.4 s.
    """
    return _measured(sound, rate).integrated()


def true_peak(
    sound: str | Path | np.ndarray | Iterable[np.ndarray], rate: int | None = None
) -> float:
    """True peak of W in dBTP; see `integrated_loudness` for the parameters."""
    return _measured(sound, rate).true_peak()


def _measured(
    sound: str | Path | np.ndarray | Iterable[np.ndarray], rate: int | None
) -> LoudnessMeter:
    if isinstance(sound, str | Path):
        # Readers know a file by its `bext` chunk, which knows what loudness is.
        from omniaudio_studio.media.audio import FoaReader

        with FoaReader(sound) as reader:
            return _fed(LoudnessMeter(reader.rate), reader.blocks(_BLOCK))
    if rate is None:
        raise ValueError("samples need their rate")
    return _fed(LoudnessMeter(rate), [sound] if isinstance(sound, np.ndarray) else sound)


def _fed(meter: LoudnessMeter, blocks: Iterable[np.ndarray]) -> LoudnessMeter:
    for block in _first_channels(blocks):
        if not np.isfinite(block).all():
            raise MediaError("the sound holds NaN or infinite values; it has no loudness")
        meter.push(block)
    return meter


def _first_channels(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for block in blocks:
        yield block if block.ndim == 1 else block[0]
