"""Boxes put into MP4 and MOV files: in place for a file of our own, else into a copy.

Only the index (``moov``) is held in memory; media data are copied or left where they are.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MediaError
from omniaudio_studio.files import written_whole
from omniaudio_studio.media.boxes import (
    PICTURE,
    SOUND,
    SPHERICAL_V1,
    TOP_LIMIT,
    Box,
    Track,
    boxes_in,
    child,
    read_index,
    top_boxes,
    tracks,
)

# vexu is Apple's box on stereo pictures: libav 62 writes it into any MOV of a stereo clip, and then
# refuses the file if it comes before st3d, or forgets what st3d says if it comes behind.
_REPLACED = {PICTURE: (b"st3d", b"sv3d", b"vexu"), SOUND: (b"SA3D",)}
# A fragment's own index (moof) lists a few seconds of samples.
_FRAGMENT_LIMIT = 8 * 2**20
_BLOCK = 1 << 20


def mark_in_place(
    path: str | Path, picture: bytes = b"", sound: bytes = b"", *, sound_track: int | None = None
) -> None:
    """Add boxes to a file of our own: nothing but its index is written again.

    The index must come last, or be followed by free space that takes what it grows by.

    Parameters
    ----------
    path : str or Path
    picture : bytes
        ``st3d`` and ``sv3d`` for the first video track (`spherical.spherical_boxes`); those that
        are there are replaced.
    sound : bytes
        ``SA3D`` for a sound track (`ambisonics.ambisonics_box`); likewise.
    sound_track : int, optional
        Its number (libav's ``stream.id``); the first sound track by default.

    Raises
    ------
    MediaError
        If there is no index, no such track, or no room.
    """
    path = Path(path)
    with path.open("r+b") as file:
        rows = list(top_boxes(file))
        place = next((k for k, row in enumerate(rows) if row.kind == b"moov"), None)
        moov = None if place is None else read_index(path, file, rows[place])
        if place is None or moov is None:
            raise MediaError(f"{path} is no MP4 or MOV with a readable index (moov box)")
        parts = _marked(path, moov, list(tracks(moov)), picture, sound, sound_track)
        grown = sum(len(part) for part in parts) - len(moov)
        if place < len(rows) - 1:
            parts.append(_less_free(path, rows[place + 1], grown))
        file.seek(rows[place].start)
        _write(file, parts)
        if place == len(rows) - 1:
            file.truncate()


def _less_free(path: Path, free: Box, taken: int) -> bytes:
    """The header of a free box that gave up its first ``taken`` bytes."""
    left = free.size - taken
    if free.kind not in (b"free", b"skip") or free.header != 8 or not (left == 0 or left >= 8):
        raise MediaError(
            f"{path}: expected the index (moov box) at the end of the file, or free space behind it"
        )
    return struct.pack(">I4s", left, b"free") if left else b""


def patch(
    source: str | Path,
    output: str | Path,
    picture: bytes = b"",
    sound: bytes = b"",
    *,
    sound_track: int | None = None,
    overwrite: bool = False,
    cancel: Cancel | None = None,
) -> None:
    """Copy an MP4 or MOV of any size with other boxes; the source is only read.

    Offsets of media data behind the index move by what it grows, in fragments too. Where those of
    a plain file do not fit 32 bits any more, the index goes to the end instead.

    Parameters
    ----------
    source, output : str or Path
    picture, sound, sound_track
        As for `mark_in_place`.
    overwrite : bool
    cancel : object with ``check()``, optional
        Called for every MiB.

    Raises
    ------
    MediaError
        If the source has no index or no such track, or output and source are one file.
    OutputError, OutputExistsError
        If the output cannot be written.
    """
    source, output = Path(source), Path(output)
    if output.exists() and source.samefile(output):
        raise MediaError(f"{output}: the copy cannot replace its own source; name another file")
    with source.open("rb") as reader:
        rows = list(top_boxes(reader))
        if len(rows) == TOP_LIMIT:
            raise MediaError(f"{source} has more than {TOP_LIMIT} outermost boxes; remux it first")
        index = next((row for row in rows if row.kind == b"moov"), None)
        moov = None if index is None else read_index(source, reader, index)
        if index is None or moov is None:
            raise MediaError(f"{source} is no MP4 or MOV with a readable index (moov box)")
        # Found now: no walk fits once the sizes are those of the index to come.
        found = list(tracks(moov))
        parts = _marked(source, moov, found, picture, sound, sound_track)
        grown = sum(len(part) for part in parts) - len(moov)
        with (
            written_whole(output, overwrite=overwrite) as temporary,
            temporary.open("wb") as writer,
        ):
            if any(row.kind == b"moof" for row in rows):
                if not _shift_chunks(moov, found, index.start, grown):
                    raise MediaError(f"{source}: its offsets do not fit 32 bits; remux it first")
                _copy_fragments(source, reader, writer, rows, index, parts, grown, cancel)
            elif _shift_chunks(moov, found, index.start, grown):
                _copy(reader, writer, 0, index.start, cancel)
                _write(writer, parts)
                _copy(reader, writer, index.end, None, cancel)
            else:
                _copy_index_last(source, reader, writer, rows, index, parts, cancel)


def _marked(
    path: Path,
    moov: bytearray,
    found: list[Track],
    picture: bytes,
    sound: bytes,
    sound_track: int | None,
) -> list[bytes | memoryview]:
    """The index in pieces, new boxes among them, sizes in ``moov`` set right."""
    view = memoryview(moov)
    inserts: list[tuple[int, int, bytes]] = []
    for handler, boxes in ((PICTURE, picture), (SOUND, sound)):
        if not boxes:
            continue
        wanted = sound_track if handler == SOUND else None
        track = next(
            (
                track
                for track in found
                if track.handler == handler
                and track.entries
                and (wanted is None or track.number == wanted)
            ),
            None,
        )
        if track is None:
            what = "video" if handler == PICTURE else "sound"
            number = "" if wanted is None else f" number {wanted}"
            raise MediaError(f"{path} has no {what} track{number} to mark")
        if handler == PICTURE:
            _drop_first_version(moov, track.box)
        inserts.extend(_into(moov, track, boxes, _REPLACED[handler]))
    parts: list[bytes | memoryview] = []
    at = 0
    for start, end, new in sorted(inserts):
        parts += [view[at:start], new]
        at = end
    return [*parts, view[at:]]


def _into(
    moov: bytearray, track: Track, boxes: bytes, replaced: tuple[bytes, ...]
) -> Iterator[tuple[int, int, bytes]]:
    """What to cut out of (start, end) and put there instead, in all sample entries of a track."""
    for entry in track.entries:
        grown = len(boxes)
        end = entry.children
        for inner in boxes_in(moov, entry.children, entry.box.end):
            end = inner.end
            if inner.kind in replaced:
                grown -= inner.size
                yield inner.start, inner.end, b""
        yield end, end, boxes
        for outer in (*track.around, entry.box):
            if outer.header == 16:
                size = struct.unpack_from(">Q", moov, outer.start + 8)[0]
                struct.pack_into(">Q", moov, outer.start + 8, size + grown)
            else:
                size = struct.unpack_from(">I", moov, outer.start)[0]
                struct.pack_into(">I", moov, outer.start, size + grown)


def _drop_first_version(moov: bytearray, trak: Box) -> None:
    """Let the track's metadata of version 1 be free space: the new boxes may say otherwise."""
    for inner in boxes_in(moov, trak.body, trak.end):
        if inner.kind == b"uuid" and moov[inner.body : inner.body + 16] == SPHERICAL_V1:
            moov[inner.start + 4 : inner.start + 8] = b"free"


def _shift_chunks(moov: bytearray, found: list[Track], behind: int, by: int) -> bool:
    """Move chunk offsets beyond ``behind`` on by ``by`` bytes; False if they do not fit."""
    import numpy as np

    tables = []
    for track in found:
        for table in track.offsets:
            kind = np.dtype(">u4" if table.kind == b"stco" else ">u8")
            if table.size < table.header + 8:
                continue
            count = struct.unpack_from(">I", moov, table.body + 4)[0]
            count = min(count, (table.end - table.body - 8) // kind.itemsize)
            offsets = np.frombuffer(moov, kind, count, table.body + 8)
            if count and int(offsets.max()) + by > np.iinfo(kind).max:
                return False
            tables.append(offsets)
    for offsets in tables:
        # By blocks: a table may be as large as the whole index may be.
        for at in range(0, len(offsets), _BLOCK):
            part = offsets[at : at + _BLOCK]
            behind_it = part > behind
            if by >= 0:
                part[behind_it] += part.dtype.type(by)
            else:
                part[behind_it] -= part.dtype.type(-by)
    return True


def _copy_index_last(
    source: Path,
    reader: BufferedReader,
    writer: BinaryIO,
    rows: list[Box],
    index: Box,
    parts: list[bytes | memoryview],
    cancel: Cancel | None,
) -> None:
    """The old index becomes free space and the new one follows everything: no offset changes."""
    size = source.stat().st_size
    if rows[-1].end != size:
        raise MediaError(f"{source} is truncated or has something else behind it; remux it first")
    _copy(reader, writer, 0, None, cancel)
    writer.seek(index.start + 4)
    writer.write(b"free")
    last = rows[-1]
    reader.seek(last.start)
    if reader.read(4) == bytes(4):  # up to the end, which is no more where it was
        if last.size >= 1 << 32:
            raise MediaError(f"{source}: its last box has no size and is too large; remux it first")
        writer.seek(last.start)
        writer.write(struct.pack(">I", last.size))
    writer.seek(0, os.SEEK_END)
    _write(writer, parts)


def _copy_fragments(
    source: Path,
    reader: BufferedReader,
    writer: BinaryIO,
    rows: list[Box],
    index: Box,
    parts: list[bytes | memoryview],
    grown: int,
    cancel: Cancel | None,
) -> None:
    """Box by box: fragments say where their data are, from the file's start or from themselves."""
    for row in rows:
        if row.kind == b"moov" and row is index:
            _write(writer, parts)
        elif row.kind in (b"moof", b"mfra") and row.start > index.start:
            if row.size > _FRAGMENT_LIMIT:
                raise MediaError(f"{source}: a fragment's index claims {row.size} bytes; remux it")
            reader.seek(row.start)
            data = bytearray(reader.read(row.size))
            _shift_fragment(data, index.start, grown)
            writer.write(data)
        elif row.kind == b"sidx" and row.start < index.start:
            raise MediaError(f"{source}: a segment index stands before moov; remux it first")
        else:
            _copy(reader, writer, row.start, row.size, cancel)
    _copy(reader, writer, rows[-1].end, None, cancel)


def _shift_fragment(data: bytearray, behind: int, by: int) -> None:
    """``tfhd``'s base data offset and ``tfra``'s places (ISO/IEC 14496-12, 8.8.7 and 8.8.10)."""
    outer = next(boxes_in(data, 0, len(data)), None)
    if outer is None:
        return
    for inner in boxes_in(data, outer.body, outer.end):
        if inner.kind == b"traf":
            header = child(data, inner, b"tfhd")
            if header is not None and header.size >= header.header + 16:
                flags = struct.unpack_from(">I", data, header.body)[0] & 0xFFFFFF
                if flags & 1:
                    _shift(data, header.body + 8, ">Q", behind, by)
        elif inner.kind == b"tfra" and inner.size >= inner.header + 16:
            _shift_places(data, inner, behind, by)


def _shift_places(data: bytearray, table: Box, behind: int, by: int) -> None:
    """Times and places of fragments, then three numbers of 1 to 4 bytes each."""
    long = data[table.body] == 1
    lengths, count = struct.unpack_from(">II", data, table.body + 8)
    rest = sum((lengths >> shift & 3) + 1 for shift in (0, 2, 4))
    code, width = (">Q", 8) if long else (">I", 4)
    step = 2 * width + rest
    at = table.body + 16
    for _ in range(min(count, (table.end - at) // step)):
        _shift(data, at + width, code, behind, by)
        at += step


def _shift(data: bytearray, at: int, code: str, behind: int, by: int) -> None:
    (place,) = struct.unpack_from(code, data, at)
    if place > behind:
        limit = (1 << 8 * struct.calcsize(code)) - 1
        struct.pack_into(code, data, at, min(place + by, limit))


def _write(writer: BinaryIO, parts: list[bytes | memoryview]) -> None:
    for part in parts:
        writer.write(part)


def _copy(
    reader: BufferedReader, writer: BinaryIO, start: int, count: int | None, cancel: Cancel | None
) -> None:
    """``count`` bytes from ``start`` on, or all that are left."""
    reader.seek(min(start, reader.seek(0, os.SEEK_END)))  # a box may claim to end anywhere
    left = count
    buffer = memoryview(bytearray(_BLOCK))
    while left is None or left > 0:
        if cancel is not None:
            cancel.check()
        block = buffer if left is None else buffer[: min(left, _BLOCK)]
        read = reader.readinto(block)
        if not read:
            return
        writer.write(block[:read])
        if left is not None:
            left -= read
