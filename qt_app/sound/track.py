"""One source at the output's sample rate, in pieces that are read ahead."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, MissingFileError, OmniAudioError
from omniaudio_studio.foa.rotation import rotate_yaw
from qt_app.sound.source import FIELD, MONO, SoundSource

PIECE = 8192
"""Samples in a piece, at the output's rate."""

# How far to both sides of a piece the resampler looks, in samples of the lower rate: more than its
# filter is long, so that pieces fit together without a seam.
_MARGIN = 2048
_RETRY_SECONDS = 1.0

Piece = NDArray[np.float32]


class Track:
    """A sound file seen through its kind.

    ``pieces[k]`` holds samples k * PIECE to (k + 1) * PIECE at ``rate``, float32 (width, PIECE).
    The reader thread puts them in and takes them out, the callback looks them up.

    Parameters
    ----------
    source : SoundSource
    rate : int
        Of the output.

    Attributes
    ----------
    width : int
        4 for a field, 2 for what is heard as it is, 1 for W in both ears.
    gain : float
        Linear; the mixer glides to it.
    """

    def __init__(self, source: SoundSource, rate: int) -> None:
        self.source = source
        self.rate = rate
        self.width = {FIELD: 4, MONO: 1}.get(source.kind, 2)
        self.gain = 10 ** (source.gain_db / 20)
        self.identity = identity(source)
        self.pieces: dict[int, Piece] = {}
        self._shift = round(source.start * rate)
        self._silence = np.zeros((self.width, PIECE), dtype=np.float32)
        self._silence.setflags(write=False)
        self._failed: set[int] = set()
        self._again = 0.0
        self._told = False

    def load(self, index: int) -> str | None:
        """Put piece ``index`` in: silence where the file cannot be read.

        Returns
        -------
        str or None
            What is wrong, the first time that something is.
        """
        try:
            self.pieces[index] = self._read(index)
        except OmniAudioError as error:
            self.pieces[index] = self._silence
            self._failed.add(index)
            self._again = time.monotonic() + _RETRY_SECONDS
            if not self._told:
                self._told = True
                return str(error)
        else:
            self._told = False
        return None

    def forget(self, keep: set[int]) -> None:
        """Let go of all pieces but these, and of failures that are old enough to try again."""
        if self._failed and time.monotonic() > self._again:
            for index in self._failed:
                self.pieces.pop(index, None)
            self._failed.clear()
        for index in [index for index in self.pieces if index not in keep]:
            del self.pieces[index]

    def _read(self, index: int) -> Piece:
        import soundfile

        path = self.source.path
        start = index * PIECE - self._shift
        try:
            # Opened for each piece: a file may be moved, replaced or deleted while it is heard.
            with soundfile.SoundFile(path) as file:
                if self.source.kind == FIELD and file.channels != 4:
                    raise MediaError(
                        f"{path.name} has {file.channels} channels; a sound field has four"
                    )
                if file.samplerate == self.rate:
                    samples = self._span(file, start, start + PIECE)
                else:
                    samples = self._resampled(file, start)
        except (OSError, RuntimeError) as error:
            if isinstance(error, OmniAudioError):
                raise
            if not path.exists():
                raise MissingFileError(
                    f"{path.name} is no longer there; silence is played in its place"
                ) from error
            raise MediaError(f"cannot read {path.name}: {error}") from error
        if not np.isfinite(samples).all():
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        if self.width == 4 and self.source.yaw:
            samples = rotate_yaw(samples, self.source.yaw)
        return samples

    def _span(self, file: object, start: int, stop: int) -> Piece:
        """Samples ``start`` to ``stop`` at the file's own rate, zeros outside; (width, n)."""
        out = np.zeros((self.width, stop - start), dtype=np.float32)
        first, last = max(start, 0), min(stop, file.frames)  # type: ignore[attr-defined]
        if last <= first:
            return out
        file.seek(first)  # type: ignore[attr-defined]
        data = file.read(last - first, dtype="float32", always_2d=True)  # type: ignore[attr-defined]
        if len(data) < last - first:
            raise MediaError(f"{self.source.path.name} ends early; is it still being written?")
        # One channel is heard in both ears; of more than two only these.
        out[:, first - start : first - start + len(data)] = data.T[: self.width]
        return out

    def _resampled(self, file: object, start: int) -> Piece:
        import soxr

        own: int = file.samplerate  # type: ignore[attr-defined]
        common = math.gcd(own, self.rate)
        # A span that begins on a multiple of these keeps the two grids aligned.
        step_own, step_rate = own // common, self.rate // common
        margin = math.ceil(_MARGIN * own / min(own, self.rate))
        begin = start * own // self.rate - margin
        begin -= begin % step_own
        stop = -(-(start + PIECE) * own // self.rate) + margin
        span = self._span(file, begin, stop)
        resampled = soxr.resample(np.ascontiguousarray(span.T), own, self.rate, quality="HQ")
        offset = start - begin // step_own * step_rate
        return np.ascontiguousarray(resampled[offset : offset + PIECE].T, dtype=np.float32)


def identity(source: SoundSource) -> tuple[object, ...]:
    """Differs when pieces that were read may no longer hold; gain and label do not matter."""
    what = (source.key, source.kind, source.path, source.start, source.yaw)
    try:
        stat = source.path.stat()
    except OSError:
        return (*what, 0, -1)
    return (*what, stat.st_mtime_ns, stat.st_size)
