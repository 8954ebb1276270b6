"""One take on its way to its file: pulled to its hints, turned, resampled, cut to length, ducked,
mixed, written. Streaming."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.result import Preview

if TYPE_CHECKING:
    from omniaudio_studio.foa.hints import PulledField
    from omniaudio_studio.jobs.mixing import Stream
    from omniaudio_studio.media.bext import Bext
    from omniaudio_studio.media.loudness import LoudnessMeter
    from omniaudio_studio.media.wav import Subtype, WavWriter

Block = NDArray[np.float32]

SILENCE_DB = -120.0
MAX_ROUNDING = 16  # samples
TRUE_PEAK_LIMIT = -1.0  # dBTP, after a loudness target was applied


class TakeWriter:
    """A sink for the engine's blocks; a context manager. Call :meth:`finish` after the last block.

    Parameters
    ----------
    path
        WAV to write.
    source_rate, rate
        The engine's and the delivery sample rate, hertz.
    samples
        Exact length of the file, samples at ``rate``.
    subtype
        "float32" or "pcm24".
    pulled
        What the engine's blocks go through first, in the clip's axes.
    yaw
        Radians: what is at this azimuth becomes the front.
    gains
        What all channels are multiplied by, one row.
    bed
        Added after that: one row to W, or four.
    metered
        Measure loudness and true peak on the way.
    bext
        What the file states of itself; nothing where None, as for one that is only on the way.
    on_preview
        Called with a Preview per block written.
    take
        Its number, for the preview.
    """

    def __init__(
        self,
        path: Path,
        *,
        source_rate: int,
        rate: int,
        samples: int,
        subtype: Subtype = "float32",
        pulled: PulledField | None = None,
        yaw: float = 0.0,
        gains: Stream | None = None,
        bed: Stream | None = None,
        metered: bool = False,
        bext: Bext | None = None,
        on_preview: Callable[[Preview], None] | None = None,
        take: int = 0,
    ) -> None:
        self.path, self.rate, self.samples = path, rate, samples
        self.pulled, self.yaw, self.take = pulled, yaw, take
        self.gains, self.bed = gains, bed
        self._on_preview = on_preview
        self._resampler: Any = None
        if source_rate != rate:
            import soxr

            self._resampler = soxr.ResampleStream(source_rate, rate, 4, dtype="float32")
        from omniaudio_studio.media.wav import WavWriter

        self._wav: WavWriter = WavWriter(path, rate, 4, subtype, bext=bext)
        self.written = 0
        self.peak = 0.0  # of the four channels, linear, before any limit of the file's format
        self._meters: list[LoudnessMeter] = []
        if metered:
            from omniaudio_studio.media.loudness import LoudnessMeter

            self._meters = [LoudnessMeter(rate) for _ in range(4)]

    def __enter__(self) -> TakeWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wav.__exit__(kind, error, trace)

    @property
    def clipped(self) -> int:
        """Values beyond full scale that a 24-bit file could not hold."""
        return self._wav.clipped

    def loudness(self) -> float:
        """Integrated loudness of W so far, LUFS; ends the measuring."""
        return self._meters[0].integrated()

    def true_peak(self) -> float:
        """The highest true peak of the four channels, dBTP; ends the measuring."""
        return max(meter.true_peak() for meter in self._meters)

    def __call__(self, block: Block) -> None:
        """Take the next block, float32 (4, n) at the source rate."""
        if self.pulled is not None:
            block = self.pulled.push(block)
        self._turn(block)

    def _turn(self, block: Block) -> None:
        if self.yaw:
            block = rotate_yaw(block, -self.yaw)
        if self._resampler is not None:
            block = np.ascontiguousarray(self._resampler.resample_chunk(block.T).T)
        self._write(block)

    def finish(self) -> None:
        """Write what is still held on the way, and fill up to the exact length."""
        if self.pulled is not None:
            self._turn(self.pulled.finish())
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(np.zeros((0, 4), np.float32), last=True)
            self._write(np.ascontiguousarray(rest.T))
        # Rounding at two rates may leave a sample or two, and no more.
        missing = self.samples - self.written
        if missing > MAX_ROUNDING:
            raise OmniAudioError(
                f"the sound ended {missing} samples early (expected {self.samples}); this is a "
                "fault of the program or the model: please report it"
            )
        if missing:
            self._write(np.zeros((4, self.samples - self.written), np.float32))

    def _write(self, block: Block) -> None:
        block = block[:, : self.samples - self.written]
        count = block.shape[1]
        if not count:
            return
        if self._on_preview is not None:
            self._on_preview(self._preview(block))
        if self.gains is not None:
            block = block * self.gains.read(count)
        if self.bed is not None:
            bed = self.bed.read(count)
            block = block.copy()
            block[: len(bed)] += bed
        for meter, channel in zip(self._meters, block, strict=False):
            meter.push(channel)
        self._wav.write(block)
        self.peak = max(self.peak, float(np.abs(block).max()))
        self.written += count

    def _preview(self, block: Block) -> Preview:
        power = float(np.mean(np.square(block[0], dtype=np.float64)))
        azimuth, elevation = direction_of_arrival(block) if power > 0 else (0.0, 0.0)
        return Preview(
            take=self.take,
            start=self.written / self.rate,
            seconds=block.shape[1] / self.rate,
            level=max(SILENCE_DB, 10 * math.log10(power)) if power > 0 else SILENCE_DB,
            azimuth=azimuth,
            elevation=elevation,
        )


def loudness_gain(measured: float, target: float, true_peak: float) -> float:
    """Decibels that bring ``measured`` LUFS to ``target`` and keep peaks below -1 dBTP.

    One gain for all four channels keeps every direction. Silence gets none.
    """
    if not math.isfinite(measured) or measured <= -70.0:
        return 0.0
    gain = target - measured
    if math.isfinite(true_peak):
        gain = min(gain, TRUE_PEAK_LIMIT - true_peak)
    return gain


def reach_loudness(
    writer: TakeWriter,
    target: Path,
    loudness: float,
    subtype: Subtype,
    check: Callable[[], None],
    bext: Bext | None = None,
) -> tuple[float, int, list[str]]:
    """Write what a metered writer wrote to ``target``, at the loudness asked for.

    ``bext`` is what the file states of itself.

    Returns
    -------
    float, int, list of str
        The gain in decibels, the values clipped, and what is to be told where the loudness could
        not be reached.
    """
    measured = writer.loudness()
    gain = loudness_gain(measured, loudness, writer.true_peak())
    told = []
    if not abs(measured + gain - loudness) < 0.1:
        told.append(
            f"{target.name} is at {measured + gain:.1f} LUFS, not the {loudness:g} asked for: more "
            "gain would pass -1 dBTP, or it is silent"
        )
    return gain, copy_with_gain(writer.path, target, gain, subtype, check, bext), told


def clipping_warning(values: int) -> list[str]:
    """What is to be told of values that a 24-bit file could not hold, if there are any."""
    if not values:
        return []
    return [
        f"{values} values were beyond full scale and were clipped; use --subtype float32, or a "
        "--loudness target"
    ]


def copy_with_gain(
    source: Path,
    target: Path,
    gain_db: float,
    subtype: Subtype,
    check: Callable[[], None],
    bext: Bext | None = None,
) -> int:
    """Write ``source`` to ``target`` with one gain for all channels; returns the values clipped.

    ``check`` is called per block, and raises where the work is cancelled. ``bext`` is what the file
    states of itself.
    """
    import soundfile

    from omniaudio_studio.media.wav import WavWriter

    gain = np.float32(10 ** (gain_db / 20))
    with (
        soundfile.SoundFile(source) as reader,
        WavWriter(target, reader.samplerate, reader.channels, subtype, bext=bext) as writer,
    ):
        for block in reader.blocks(blocksize=1 << 16, dtype="float32", always_2d=True):
            check()
            writer.write(block.T * gain)
        return writer.clipped
