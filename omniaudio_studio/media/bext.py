"""The broadcast extension chunk ``bext`` of WAV files: what the sound is, from when, how loud.

Source: EBU Tech 3285, "Specification of the Broadcast Wave Format", version 2 (2011): sizes and
order of the fields; loudness in hundredths, 0x7FFF for what is not given. Texts are ASCII.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.files import HASH_BLOCK
from omniaudio_studio.media.loudness import Loudness

if TYPE_CHECKING:
    from omniaudio_studio.foa.convention import Convention

# Description, Originator, OriginatorReference, OriginationDate, OriginationTime, TimeReference,
# Version, UMID, five loudness values, Reserved.
_FIXED = struct.Struct("<256s32s32s10s8sQH64s5h180s")
_VERSION = 2
_NOT_GIVEN = 0x7FFF
_LONGEST_HISTORY = 1 << 16  # bytes that are read
_MOST_CHUNKS = 1 << 12  # a file of zeros is nothing but empty chunks

CONVENTIONS: dict[Convention, str] = {
    "ambix": "AmbiX W Y Z X (ACN, SN3D).",
    "fuma": "FuMa W X Y Z (W at -3 dB).",
}
"""How the description of a sound field begins."""


@dataclass(frozen=True)
class Bext:
    """What a ``bext`` chunk states; empty texts are not given.

    Parameters
    ----------
    description : str
        Up to 256 characters; other characters than ASCII become "?".
    originator, originator_reference : str
        Up to 32 characters each.
    date, time : str
        "2026-01-31" and "14:05:59".
    time_reference : int
        Samples since midnight at the first sample.
    loudness : Loudness, optional
    coding_history : str
        Lines as in EBU R 98, each ended by CR LF.
    """

    description: str = ""
    originator: str = ""
    originator_reference: str = ""
    date: str = ""
    time: str = ""
    time_reference: int = 0
    loudness: Loudness | None = None
    coding_history: str = ""

    def encode(self) -> bytes:
        """The chunk's content. Its length depends on ``coding_history`` alone."""
        loud = self.loudness
        levels = (
            ()
            if loud is None
            else (
                loud.integrated,
                loud.spread if math.isfinite(loud.integrated) else math.nan,
                loud.true_peak,
                loud.momentary,
                loud.short_term,
            )
        )
        fixed = _FIXED.pack(
            _ascii(self.description),
            _ascii(self.originator),
            _ascii(self.originator_reference),
            _ascii(self.date),
            _ascii(self.time),
            max(0, self.time_reference),
            _VERSION,
            b"",  # UMID: none
            *([_hundredths(level) for level in levels] or [_NOT_GIVEN] * 5),
            b"",
        )
        return fixed + _ascii(self.coding_history)

    @classmethod
    def decode(cls, content: bytes) -> Bext | None:
        """Read a chunk's content; None where it is shorter than the fixed fields.

        Values that were not given are NaN; loudness is None in versions before 2.
        """
        if len(content) < _FIXED.size:
            return None
        *texts, reference, version, _, a, b, c, d, e, _ = _FIXED.unpack_from(content)
        description, originator, originator_reference, date, time = map(_text, texts)
        levels = [math.nan if value == _NOT_GIVEN else value / 100 for value in (a, b, c, d, e)]
        return cls(
            description=description,
            originator=originator,
            originator_reference=originator_reference,
            date=date,
            time=time,
            time_reference=reference,
            loudness=Loudness(*levels) if version >= 2 else None,
            coding_history=_text(content[_FIXED.size :]),
        )


def read_bext(path: str | Path) -> Bext | None:
    """The ``bext`` chunk of a WAV, RF64 or BW64 file; None without one, or for another file.

    Only heads of chunks are read besides, so that it takes no time in a file of any length.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        for name, size in chunks(file):
            if name == b"bext":
                return Bext.decode(file.read(min(size, _FIXED.size + _LONGEST_HISTORY)))
    return None


def named_convention(path: str | Path) -> Convention | None:
    """The convention of a sound field that was written here, by its name; None for other files."""
    found = read_bext(path)
    if found is not None:
        for convention, name in CONVENTIONS.items():
            if found.description.startswith(name):
                return convention
    return None


def sound_sha256(path: Path, cancel: Cancel | None = None) -> str:
    """SHA-256 of a WAV's samples alone, whatever else it states; "" for another file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for name, size in chunks(file):
            if name != b"data":
                continue
            while size > 0 and (block := file.read(min(size, HASH_BLOCK))):
                if cancel is not None:
                    cancel.check()
                digest.update(block)
                size -= len(block)
            return digest.hexdigest()
    return ""


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a WAV, RF64 or BW64 file, which then stands at its content.

    Nothing is given for another file. A file that is damaged ends early.
    """
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return
    data_size = None
    at = len(head)
    for _ in range(_MOST_CHUNKS):
        if len(head := _read_at(file, at, 8)) < 8:
            return
        name, size = struct.unpack("<4sI", head)
        if name == b"ds64" and len(sizes := file.read(16)) == 16:
            data_size = struct.unpack_from("<8xQ", sizes)[0]
            file.seek(at + 8)
        if name == b"data" and size == 0xFFFFFFFF and data_size is not None:
            size = data_size
        yield name, size
        at += 8 + size + size % 2


def _read_at(file: BinaryIO, place: int, count: int) -> bytes:
    try:
        file.seek(place)
    except (OSError, OverflowError):  # a size that no file has
        return b""
    return file.read(count)


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("ascii", "replace").strip()


def _hundredths(level: float) -> int:
    """-99.99 to 99.99 is what version 2 allows."""
    if not math.isfinite(level):
        return _NOT_GIVEN
    return round(100 * min(max(level, -99.99), 99.99))
