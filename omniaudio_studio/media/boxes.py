"""The boxes of MP4 and MOV files.

An MP4 is a row of boxes, each ``u32 size, 4-character type, payload``; size 1 puts a u64 size after
the type, and in the outermost row size 0 means up to the end (ISO/IEC 14496-12, 4.2). What a track
holds is said in its sample entry, ``moov/trak/mdia/minf/stbl/stsd/<codec>``: only ``moov`` is ever
read.

Files from anywhere come through here: every walk follows one known path instead of recursing, and
is bounded in boxes and bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from omniaudio_studio.errors import MediaError

MOOV_LIMIT = 96 * 2**20
"""Bytes of ``moov`` that are read. Ten hours at 60 pictures a second take about 30 million."""

# More boxes than that in one row are no file of pictures and sound.
_ROW_LIMIT = 1 << 14
_MOST_EDITS = 64
TOP_LIMIT = 1 << 18
"""Outermost boxes that are looked at; fragmented files have two or three per fragment."""
# Fixed fields of sample entries before their child boxes, after the header: 8 bytes common to all,
# 70 for pictures, 20 for sound (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
_VISUAL_FIELDS = 78
_AUDIO_FIELDS = 28
# QuickTime's sound descriptions of version 1 and 2 have so many bytes more (QuickTime File Format,
# "Sound Sample Descriptions").
_QUICKTIME_MORE = {0: 0, 1: 16, 2: 36}
PICTURE, SOUND = b"vide", b"soun"
"""Handlers of video and sound tracks."""

SPHERICAL_V1 = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
"""UUID of the XML of Google's Spherical Video V1 RFC, in a ``uuid`` box of the track."""


@dataclass(frozen=True)
class Box:
    """One box: its type, where it starts, its header's and its whole size in bytes."""

    kind: bytes
    start: int
    header: int
    size: int

    @property
    def body(self) -> int:
        """Where the payload starts."""
        return self.start + self.header

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Entry:
    """A sample entry: its box, and where its child boxes start."""

    box: Box
    children: int


@dataclass(frozen=True)
class Track:
    """One ``trak`` of an index.

    Attributes
    ----------
    number : int
        Track identifier, from 1 on; libav's ``stream.id``.
    handler : bytes
        ``b"vide"``, ``b"soun"`` or another kind.
    box : Box
    around : tuple of Box
        The boxes around the sample entries, outermost (``moov``) first.
    entries : tuple of Entry
    offsets : tuple of Box
        ``stco`` and ``co64``: where the chunks of media data are.
    """

    number: int
    handler: bytes
    box: Box
    around: tuple[Box, ...]
    entries: tuple[Entry, ...]
    offsets: tuple[Box, ...]


def top_boxes(file: BinaryIO) -> Iterator[Box]:
    """The outermost boxes of a file, as far as they make sense; the last may reach beyond it."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    for _ in range(TOP_LIMIT):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack_from(">Q", head, 8)[0], 16
        elif size == 0:
            size = end - start
        if size < header:
            return
        yield Box(kind, start, header, size)
        start += size


def boxes_in(data: bytes | bytearray, start: int, end: int) -> Iterator[Box]:
    """Child boxes in ``data[start:end]``, as far as they make sense."""
    for _ in range(_ROW_LIMIT):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= end:
            size, header = struct.unpack_from(">Q", data, start + 8)[0], 16
        # A size of 0 ends the list of a QuickTime sample description.
        if size < header or start + size > end:
            return
        yield Box(kind, start, header, size)
        start += size


def read_moov(path: str | Path) -> bytearray | None:
    """The index of an MP4 or MOV, header included; None if the file has none.

    Raises
    ------
    MediaError
        If it is larger than `MOOV_LIMIT`.
    """
    with Path(path).open("rb") as file:
        box = next((box for box in top_boxes(file) if box.kind == b"moov"), None)
        return None if box is None else read_index(Path(path), file, box)


def read_index(path: Path, file: BinaryIO, box: Box) -> bytearray | None:
    """As `read_moov`, for a ``moov`` box that was found already."""
    if box.size > MOOV_LIMIT:
        raise MediaError(
            f"{path}: its index (moov box) claims {box.size} bytes; expected {MOOV_LIMIT} at most: "
            "the file is damaged, or remux it with fewer tracks"
        )
    file.seek(box.start)
    data = bytearray(file.read(box.size))
    if len(data) != box.size:
        return None  # truncated
    if struct.unpack_from(">I", data)[0] == 0:
        struct.pack_into(">I", data, 0, box.size)  # up to the end: said outright from now on
    return data


def tracks(moov: bytes | bytearray) -> Iterator[Track]:
    """The tracks of an index that have sample entries, in their order."""
    index = next(boxes_in(moov, 0, len(moov)), None)
    if index is None or index.kind != b"moov":
        return
    for trak in boxes_in(moov, index.body, index.end):
        if trak.kind != b"trak":
            continue
        around = [index, trak]
        for kind in (b"mdia", b"minf", b"stbl", b"stsd"):
            inner = child(moov, around[-1], kind)
            if inner is None:
                break
            around.append(inner)
        else:
            stbl, stsd = around[-2:]
            handler = _handler(moov, around[2])
            yield Track(
                _number(moov, trak),
                handler,
                trak,
                tuple(around),
                tuple(_entries(moov, stsd, handler)),
                tuple(
                    box
                    for box in boxes_in(moov, stbl.body, stbl.end)
                    if box.kind in (b"stco", b"co64")
                ),
            )


def child(data: bytes | bytearray, parent: Box, kind: bytes) -> Box | None:
    """The first child box of that type."""
    return next((box for box in boxes_in(data, parent.body, parent.end) if box.kind == kind), None)


def _number(moov: bytes | bytearray, trak: Box) -> int:
    header = child(moov, trak, b"tkhd")
    if header is None or header.size < header.header + 24:
        return 0
    # Version 1 has 64-bit dates before the number.
    at = header.body + 4 + (16 if moov[header.body] == 1 else 8)
    return int(struct.unpack_from(">I", moov, at)[0])


def _handler(moov: bytes | bytearray, media: Box) -> bytes:
    box = child(moov, media, b"hdlr")
    return b"" if box is None else bytes(moov[box.body + 8 : min(box.body + 12, box.end)])


def _entries(moov: bytes | bytearray, stsd: Box, handler: bytes) -> Iterator[Entry]:
    if stsd.size < stsd.header + 8:
        return
    # stsd: version and flags, number of entries, then the entries.
    for box in boxes_in(moov, stsd.body + 8, stsd.end):
        fixed = 8
        if handler == PICTURE:
            fixed = _VISUAL_FIELDS
        elif handler == SOUND and box.size >= box.header + _AUDIO_FIELDS:
            version = struct.unpack_from(">H", moov, box.body + 8)[0]
            # An stsd of version 1 is ISO's own, whose entries of version 1 are not longer.
            quicktime = moov[stsd.body] == 0
            fixed = _AUDIO_FIELDS + (_QUICKTIME_MORE.get(version, 0) if quicktime else 0)
        elif handler == SOUND:
            fixed = _AUDIO_FIELDS
        if box.size >= box.header + fixed:
            yield Entry(box, box.body + fixed)


def box(kind: bytes, payload: bytes) -> bytes:
    """A box as bytes."""
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def full_box(kind: bytes, payload: bytes) -> bytes:
    """A box with version 0 and no flags."""
    return box(kind, bytes(4) + payload)


def edits(moov: bytes | bytearray, track: Track) -> tuple[tuple[float, int], ...]:
    """A track's edit list (ISO/IEC 14496-12, 8.6.6), its first entries.

    Returns
    -------
    tuple of (seconds, media time)
        How long each edit lasts, and where in the media (in the track's own clock) it starts; -1
        for nothing at all.
    """
    index = track.around[0]
    header, edts = child(moov, index, b"mvhd"), child(moov, track.box, b"edts")
    listed = None if edts is None else child(moov, edts, b"elst")
    if header is None or listed is None or header.end - header.body < 32:
        return ()
    scale = struct.unpack_from(">I", moov, header.body + (20 if moov[header.body] == 1 else 12))[0]
    code, width = (">Qq", 20) if moov[listed.body] == 1 else (">Ii", 12)
    if listed.end - listed.body < 8 or not scale:
        return ()
    count = struct.unpack_from(">I", moov, listed.body + 4)[0]
    count = min(count, (listed.end - listed.body - 8) // width, _MOST_EDITS)
    rows = (struct.unpack_from(code, moov, listed.body + 8 + k * width) for k in range(count))
    return tuple((length / scale, start) for length, start in rows)
