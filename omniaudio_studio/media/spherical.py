"""Spherical metadata of MP4 and MOV files: read, and written into files of our own.

The boxes ``st3d`` (stereo layout) and ``sv3d`` (projection and pose) are those of Google's
Spherical Video V2 RFC. They are the last children of the video's sample entry.

An MP4 is a row of boxes, each ``u32 size, 4-character type, payload``; size 1 puts a u64 size after
the type, size 0 means up to the end.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from omniaudio_studio.errors import MediaError

# Boxes that hold boxes, on the way to the sample entries and chunk offsets.
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
# Fixed fields of sample entries before their child boxes (ISO/IEC 14496-12, 12.1.3): 8 bytes
# common to all, 70 for pictures.
_VISUAL_FIELDS = 78
_STEREO_MODES = {"mono": 0, "top-bottom": 1, "left-right": 2}
# A moov larger than this is not an index any more; refusing keeps memory flat.
_MOOV_LIMIT = 512 * 2**20


@dataclass(frozen=True)
class Box:
    """One box: its type, where it starts, its header's and its whole size in bytes."""

    kind: bytes
    start: int
    header: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class SphericalBoxes:
    """What the boxes of a video track say.

    Attributes
    ----------
    projection : str
        "equirectangular", "cubemap", "mesh" or "unknown".
    stereo : str or None
        "mono", "top-bottom", "left-right", "unknown", None without ``st3d``.
    yaw, pitch, roll : float
        Pose, degrees.
    bounds : tuple of float
        What is cut off: top, bottom, left, right, as fractions of the whole.
    """

    projection: str
    stereo: str | None
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Ambisonics:
    """What ``SA3D`` says of a sound track (Google's Spatial Audio RFC).

    Attributes
    ----------
    order : int
    head_locked : bool
        True where two channels of head-locked stereo follow the field.
    tracks : tuple of int
        For each component in ACN order (W, Y, Z, X, ...), the track's channel that holds it.
    """

    order: int
    head_locked: bool
    tracks: tuple[int, ...]


def top_boxes(file: BinaryIO) -> Iterator[Box]:
    """The outermost boxes of a file, as far as they make sense."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start + 8 <= end:
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


def boxes_in(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Child boxes in ``data[start:end]``, as far as they make sense."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= end:
            size, header = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif size == 0:
            size = end - start
        if size < header or start + size > end:
            return
        yield Box(kind, start, header, size)
        start += size


def read_spherical(path: str | Path) -> SphericalBoxes | None:
    """Spherical metadata of the first video track that has it.

    Returns
    -------
    SphericalBoxes or None
        None if the file is no MP4 or has no such boxes.
    """
    with Path(path).open("rb") as file:
        moov = _read_moov(file)
    if moov is None:
        return None
    for entry, _ in _visual_entries(moov):
        found = _read_entry(moov, entry)
        if found is not None:
            return found
    return None


def read_ambisonics(path: str | Path) -> Ambisonics | None:
    """``SA3D`` of the first sound track that has it; None if the file has none.

    Raises
    ------
    MediaError
        If it describes anything but ACN order and SN3D weights, the only ones the RFC knows.
    """
    with Path(path).open("rb") as file:
        moov = _read_moov(file)
    # The box sits in a sample entry whose layout depends on the version; its name is unique.
    at = -1 if moov is None else moov.find(b"SA3D")
    if moov is None or at < 4 or at + 16 > len(moov):
        return None
    version, kind, order, ordering, weights, channels = struct.unpack_from(">BBIBBI", moov, at + 4)
    if version != 0 or kind & 0x7F or ordering or weights:
        raise MediaError(f"{path}: its SA3D box is of an unknown kind; expected ACN order, SN3D")
    if channels > 256 or at + 16 + 4 * channels > len(moov):
        return None
    components = struct.unpack_from(f">{channels}I", moov, at + 16)
    field = (order + 1) ** 2
    if sorted(components[:field]) != list(range(field)):
        raise MediaError(f"{path}: the channel map of its SA3D box does not make sense")
    tracks = tuple(components.index(component) for component in range(field))
    return Ambisonics(order, bool(kind & 0x80), tracks)


def _read_moov(file: BinaryIO) -> bytes | None:
    for box in top_boxes(file):
        if box.kind == b"moov" and box.size <= _MOOV_LIMIT:
            file.seek(box.start)
            data = file.read(box.size)
            return data if len(data) == box.size else None
    return None


def _visual_entries(moov: bytes) -> Iterator[tuple[Box, tuple[Box, ...]]]:
    """Sample entries of video tracks, each with the boxes around it, outermost first."""

    def walk(start: int, end: int, around: tuple[Box, ...]) -> Iterator[tuple[Box, ...]]:
        for box in boxes_in(moov, start, end):
            if box.kind in _PARENTS:
                yield from walk(box.start + box.header, box.end, (*around, box))
            elif box.kind == b"stsd":
                yield (*around, box)

    for around in walk(0, len(moov), ()):
        media = next(box for box in around if box.kind == b"mdia")
        if _handler(moov, media) != b"vide":
            continue
        stsd = around[-1]
        # stsd: version and flags, number of entries, then the entries.
        for entry in boxes_in(moov, stsd.start + stsd.header + 8, stsd.end):
            if entry.size >= entry.header + _VISUAL_FIELDS:
                yield entry, around


def _handler(moov: bytes, media: Box) -> bytes:
    for box in boxes_in(moov, media.start + media.header, media.end):
        if box.kind == b"hdlr":
            at = box.start + box.header + 8
            return moov[at : at + 4]
    return b""


def _read_entry(moov: bytes, entry: Box) -> SphericalBoxes | None:
    stereo: str | None = None
    projection: str | None = None
    pose = (0.0, 0.0, 0.0)
    bounds = (0.0, 0.0, 0.0, 0.0)
    for box in boxes_in(moov, entry.start + entry.header + _VISUAL_FIELDS, entry.end):
        body = box.start + box.header
        if box.kind == b"st3d" and box.end - body >= 5:
            names = {mode: name for name, mode in _STEREO_MODES.items()}
            stereo = names.get(moov[body + 4], "unknown")
        elif box.kind == b"sv3d":
            projection = "unknown"
            for part in boxes_in(moov, body, box.end):
                if part.kind != b"proj":
                    continue
                for leaf in boxes_in(moov, part.start + part.header, part.end):
                    at = leaf.start + leaf.header + 4  # after version and flags
                    if leaf.kind == b"prhd" and leaf.end - at >= 12:
                        yaw, pitch, roll = struct.unpack_from(">3i", moov, at)
                        pose = (yaw / 65536, pitch / 65536, roll / 65536)
                    elif leaf.kind == b"equi" and leaf.end - at >= 16:
                        projection = "equirectangular"
                        top, bottom, left, right = struct.unpack_from(">4I", moov, at)
                        bounds = (top / 2**32, bottom / 2**32, left / 2**32, right / 2**32)
                    elif leaf.kind == b"cbmp":
                        projection = "cubemap"
                    elif leaf.kind == b"mshp":
                        projection = "mesh"
    if projection is None:
        return None
    return SphericalBoxes(projection, stereo, *pose, bounds)


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def _full_box(kind: bytes, payload: bytes) -> bytes:
    return _box(kind, bytes(4) + payload)  # version 0, no flags


def spherical_boxes(
    stereo: str = "mono",
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    source: str = "OmniAudio Studio",
) -> bytes:
    """``st3d`` and ``sv3d`` of an equirectangular picture.

    Parameters
    ----------
    stereo : {"mono", "top-bottom", "left-right"}
    yaw, pitch, roll : float
        Pose, degrees.
    bounds : tuple of float
        Fractions cut off at the top, bottom, left and right.
    source : str
        Names the tool in the file.
    """
    pose = struct.pack(">3i", *(round(angle * 65536) for angle in (yaw, pitch, roll)))
    edges = struct.pack(">4I", *(min(round(edge * 2**32), 2**32 - 1) for edge in bounds))
    projection = _full_box(b"prhd", pose) + _full_box(b"equi", edges)
    return _full_box(b"st3d", bytes([_STEREO_MODES[stereo]])) + _box(
        b"sv3d",
        _full_box(b"svhd", source.encode("utf-8") + b"\0") + _box(b"proj", projection),
    )


def inject_spherical(
    source: str | Path, target: str | Path, stereo: str = "mono", **pose: float
) -> None:
    """Copy an MP4 or MOV, its first video track marked as equirectangular.

    The source is only read. The copy is streamed; only the index (``moov``) is held in memory.
    Metadata of the same kind is replaced.

    Raises
    ------
    MediaError
        If the source is no MP4 with an index and a video track, or is fragmented.
    """
    source, target = Path(source), Path(target)
    if target.exists() and source.samefile(target):
        raise MediaError(f"{target}: the copy cannot replace its own source; name another file")
    with source.open("rb") as reader:
        boxes = list(top_boxes(reader))
        index = next((box for box in boxes if box.kind == b"moov"), None)
        moov = _read_moov(reader)
        if index is None or moov is None:
            raise MediaError(f"{source} is no MP4 or MOV with a readable index (moov box)")
        if any(box.kind == b"moof" for box in boxes):
            raise MediaError(f"{source} is a fragmented MP4; remux it to a plain one first")
        changed = marked_moov(moov, spherical_boxes(stereo, **pose))  # type: ignore[arg-type]
        # Media data behind the index moves by what the index grew.
        changed = _shifted_offsets(changed, index.start, len(changed) - len(moov))
        with target.open("wb") as writer:
            reader.seek(0)
            _copy(reader, writer, index.start)
            writer.write(changed)
            reader.seek(index.end)
            shutil.copyfileobj(reader, writer, 2**20)


def mark_in_place(path: str | Path, boxes: bytes) -> None:
    """Add ``boxes`` to the video track of a file of our own whose index comes last.

    Nothing but the index is rewritten: the media data before it stay where they are.

    Raises
    ------
    MediaError
        If the index is not the file's last box.
    """
    path = Path(path)
    with path.open("r+b") as file:
        index = list(top_boxes(file))[-1]
        moov = _read_moov(file)
        if index.kind != b"moov" or moov is None:
            raise MediaError(f"{path}: expected the index (moov box) at the end of the file")
        file.seek(index.start)
        file.write(marked_moov(moov, boxes))
        file.truncate()


def marked_moov(moov: bytes, boxes: bytes) -> bytes:
    """A ``moov`` box whose first video sample entry ends with ``boxes``.

    Raises
    ------
    MediaError
        If there is no video track.
    """
    found = next(_visual_entries(moov), None)
    if found is None:
        raise MediaError("no video track to mark as 360")
    entry, around = found
    children = entry.start + entry.header + _VISUAL_FIELDS
    kept = b"".join(
        moov[box.start : box.end]
        for box in boxes_in(moov, children, entry.end)
        if box.kind not in (b"st3d", b"sv3d")
    )
    inside = moov[entry.start : children] + kept + boxes
    grown = len(inside) - entry.size
    result = bytearray(moov[: entry.start] + inside + moov[entry.end :])
    for box in (*around, entry):
        if box.header == 16:
            struct.pack_into(">Q", result, box.start + 8, box.size + grown)
        else:
            struct.pack_into(">I", result, box.start, box.size + grown)
    return bytes(result)


def _shifted_offsets(moov: bytes, behind: int, by: int) -> bytes:
    """Chunk offsets beyond ``behind`` moved on by ``by`` bytes."""
    result = bytearray(moov)

    def walk(start: int, end: int) -> None:
        for box in boxes_in(moov, start, end):
            body = box.start + box.header
            if box.kind in _PARENTS:
                walk(body, box.end)
            elif box.kind in (b"stco", b"co64"):
                code = ">I" if box.kind == b"stco" else ">Q"
                width = struct.calcsize(code)
                (count,) = struct.unpack_from(">I", moov, body + 4)
                for position in range(body + 8, body + 8 + count * width, width):
                    (offset,) = struct.unpack_from(code, moov, position)
                    if offset > behind:
                        struct.pack_into(code, result, position, offset + by)

    walk(0, len(moov))
    return bytes(result)


def _copy(reader: BinaryIO, writer: BinaryIO, count: int) -> None:
    while count > 0:
        block = reader.read(min(count, 2**20))
        if not block:
            return
        writer.write(block)
        count -= len(block)
