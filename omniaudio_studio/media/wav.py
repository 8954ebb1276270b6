"""WAV files out: streamed, four channels or any number, RF64 past 4 GB.

The header is ours because the channel mask must be 0 (no loudspeakers are meant: the channels are
a sound field), which libsndfile does not write for RF64 and WAVEX.

Sources: Microsoft "Multiple channel audio data and WAVE files" (WAVE_FORMAT_EXTENSIBLE);
EBU Tech 3306 (RF64, ``ds64``); ITU-R BS.2088 (BW64: RF64 by another name).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.files import reason

if TYPE_CHECKING:
    from omniaudio_studio.media.bext import Bext
    from omniaudio_studio.media.loudness import Loudness, LoudnessMeter

Subtype = Literal["float32", "pcm24"]

_PCM, _FLOAT = 1, 3
_EXTENSIBLE = 0xFFFE
# The rest of the sub-format GUID after its first two bytes, the same for every wave format.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_DS64_SIZE = 28
_U32 = 0xFFFFFFFF
# RIFF's own limit: the size field counts what follows its 8 bytes.
RIFF_LIMIT = _U32


class WavWriter:
    """Write a WAV file block by block.

    Parameters
    ----------
    path : str or Path
        Written to directly; wrap it in `files.written_whole` to have it appear whole.
    rate : int
        Samples a second.
    channels : int
    subtype : {"float32", "pcm24"}
    bext : Bext, optional
        What the broadcast extension chunk is to state. The loudness of the first channel, a sound
        field's W, is measured on the way and stated too.
    chunks : sequence of (bytes, bytes)
        Names and contents of more chunks, before the sound.
    big : {b"RF64", b"BW64"}
        What the file calls itself where it is too large for RIFF.
    riff_limit : int
        Largest RIFF size in bytes before the file becomes RF64; other values serve tests.

    Attributes
    ----------
    loudness : Loudness or None
        Of the first channel, once the file is closed; None without a ``bext``.
    frames : int
        Samples per channel written so far.
    clipped : int
        Values that ``pcm24`` could not hold and that were set to full scale.

    Raises
    ------
    OutputError
        If the system refuses to write (folder, permission, full disk), or the sound is not finite.
    """

    def __init__(
        self,
        path: str | Path,
        rate: int,
        channels: int,
        subtype: Subtype = "float32",
        *,
        bext: Bext | None = None,
        chunks: Sequence[tuple[bytes, bytes]] = (),
        big: Literal[b"RF64", b"BW64"] = b"RF64",
        riff_limit: int = RIFF_LIMIT,
    ) -> None:
        if subtype not in ("float32", "pcm24"):
            raise OptionError(f"sample format {subtype}: expected float32 or pcm24")
        if not (1 <= channels <= 0xFFFF and 1 <= rate <= _U32):
            raise OptionError(f"cannot write {channels} channels at {rate} Hz as WAV")
        self.path = Path(path)
        self.rate, self.channels, self.subtype = int(rate), int(channels), subtype
        self.frames = 0
        self.clipped = 0
        self.loudness: Loudness | None = None
        self._bext = bext
        self._meter: LoudnessMeter | None = None
        if bext is not None:
            from omniaudio_studio.media.loudness import LoudnessMeter

            self._meter = LoudnessMeter(self.rate)
        self._chunks, self._big = tuple(chunks), big
        self._riff_limit = riff_limit
        self._bytes_per_frame = channels * (4 if subtype == "float32" else 3)
        self._file: BinaryIO | None = None
        try:
            self._file = self.path.open("wb")
            # Room for the larger header is kept from the start; sizes follow at the end.
            self._file.write(self._header())
        except OSError as error:
            self._abandon()
            raise self._refused(error) from error

    def write(self, block: np.ndarray) -> None:
        """Append ``block``, float (channels, n), full scale at 1."""
        if self._file is None:
            raise OutputError(f"{self.path} is closed already")
        block = np.asarray(block)
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise ValueError(f"expected ({self.channels}, n) samples, got shape {block.shape}")
        if not np.isfinite(block).all():
            raise OutputError(
                f"{self.path}: the sound holds NaN or infinite values after "
                f"{self.frames / self.rate:.3f} s; nothing sensible can be written"
            )
        try:
            self._file.write(self._encoded(block))
        except OSError as error:
            raise self._refused(error) from error
        self.frames += block.shape[1]
        if self._meter is not None:
            self._meter.push(block[0])

    def _encoded(self, block: np.ndarray) -> bytes:
        interleaved = np.ascontiguousarray(block.T)
        if self.subtype == "float32":
            return interleaved.astype("<f4").tobytes()
        # In float64: float32 has 24 bits itself, and 2**23 - 1 is not among its numbers near 1.
        scaled = np.rint(interleaved.astype(np.float64) * 2**23)
        limited = np.clip(scaled, -(2**23), 2**23 - 1)
        self.clipped += int(np.count_nonzero(scaled != limited))
        words = limited.astype("<i4").reshape(-1, 1).view(np.uint8)
        return words[:, :3].tobytes()

    def close(self) -> None:
        """Write the sizes into the header and close. Safe to call twice."""
        if self._file is None:
            return
        try:
            if self.frames * self._bytes_per_frame % 2:
                self._file.write(b"\0")  # chunks are padded to even sizes
            if self._bext is not None and self._meter is not None:
                self.loudness = self._meter.summary()
                self._bext = replace(self._bext, loudness=self.loudness)
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()
            self._file = None
        except OSError as error:
            self._abandon()
            raise self._refused(error) from error

    def _header(self) -> bytes:
        """The whole header for the frames written so far."""
        data = self.frames * self._bytes_per_frame
        depth = 32 if self.subtype == "float32" else 24
        code = _FLOAT if self.subtype == "float32" else _PCM
        form = struct.pack(
            "<HHIIHHHHI",
            _EXTENSIBLE,
            self.channels,
            self.rate,
            min(self.rate * self._bytes_per_frame, _U32),
            self._bytes_per_frame,
            depth,
            22,  # bytes of the extension: valid bits, channel mask, sub-format
            depth,
            0,  # channel mask: no loudspeakers
        )
        form += struct.pack("<H", code) + _GUID_TAIL
        bext = b"" if self._bext is None else _chunk(b"bext", self._bext.encode())
        more = b"".join(_chunk(name, content) for name, content in self._chunks)
        # bext, fmt, fact, other chunks, head of data
        after_ds64 = len(bext) + 8 + len(form) + 12 + len(more) + 8
        riff = 4 + 8 + _DS64_SIZE + after_ds64 + data + data % 2
        big = riff > self._riff_limit
        name, size = (self._big, _U32) if big else (b"RIFF", riff)
        if big:
            reserve = struct.pack("<4sIQQQI", b"ds64", _DS64_SIZE, riff, data, self.frames, 0)
        else:
            reserve = struct.pack("<4sI", b"JUNK", _DS64_SIZE) + bytes(_DS64_SIZE)
        return b"".join(
            (
                struct.pack("<4sI4s", name, size, b"WAVE"),
                reserve,
                bext,
                _chunk(b"fmt ", form),
                struct.pack("<4sII", b"fact", 4, _U32 if big else self.frames),
                more,
                struct.pack("<4sI", b"data", _U32 if big else data),
            )
        )

    def _abandon(self) -> None:
        """Close without another complaint: the first error is the one to report."""
        if self._file is not None:
            # A full disk refuses the last buffer again.
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.path}: {reason(error)}")

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def write_wav(path: str | Path, data: np.ndarray, rate: int, subtype: Subtype = "float32") -> None:
    """Write float (channels, n) samples, or (n,) for one channel, as one WAV file.

    Raises
    ------
    OutputError
        As for `WavWriter`.
    """
    data = np.atleast_2d(data)
    with WavWriter(path, rate, data.shape[0], subtype) as writer:
        writer.write(data)
