"""Spherical metadata of Matroska and WebM files: read, and put into a file of our own.

An EBML element is ``id, size, payload``, both numbers of variable length (RFC 8794). What a picture
shows is said in ``Segment/Tracks/TrackEntry/Video`` (RFC 9559, 5.1.4.1.28): ``StereoMode``, and
``Projection`` with type, pose in degrees and what MP4 keeps in the projection's own box. libav
writes them where the stream that it copies has them, drops the mesh without a word, and adds none
of its own: that is what :func:`mark_in_place` is for.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.spherical import SphericalBoxes, bounds_in

_SEGMENT, _CLUSTER, _SEEK_HEAD = 0x18538067, 0x1F43B675, 0x114D9B74
_TRACKS, _TRACK, _VIDEO = 0x1654AE6B, 0xAE, 0xE0
_STEREO_MODE, _PROJECTION = 0x53B8, 0x7670
_TYPE, _PRIVATE, _YAW, _PITCH, _ROLL = 0x7671, 0x7672, 0x7673, 0x7674, 0x7675
_SEEK, _SEEK_POSITION = 0x4DBB, 0x53AC
_VOID, _CRC = 0xEC, 0xBF

_PROJECTIONS = {0: "rectangular", 1: "equirectangular", 2: "cubemap", 3: "mesh"}
_STEREO = {"mono": 0, "left-right": 1, "top-bottom": 3, "right-left": 11}
_STEREO_NAMES = {mode: name for name, mode in _STEREO.items()}
# Elements before the media data, and their bytes, that are looked at.
_ROW_LIMIT = 1 << 10
_TRACKS_LIMIT = 2 * 2**20

MESH = 3
"""ProjectionType of a mesh."""


@dataclass(frozen=True)
class Element:
    """One element: its identifier, where it starts, where its payload starts and ends."""

    name: int
    start: int
    body: int
    end: int


def projection_type(path: str | Path) -> int | None:
    """``ProjectionType`` of the first video track that has one, else None."""
    for video in _videos(path):
        kind = _projection(video).get(_TYPE)
        if kind is not None:
            return int.from_bytes(kind, "big")
    return None


def read_spherical(path: str | Path) -> SphericalBoxes | None:
    """Spherical metadata of the first video track that has it; None if there is none.

    A file that is no Matroska or WebM has none.
    """
    for video in _videos(path):
        said = _projection(video)
        kind = int.from_bytes(said.get(_TYPE, b""), "big")
        if not said or kind == 0:
            continue
        details = said.get(_PRIVATE, b"")
        stereo = {element.name: element for element in _row(video, 0, len(video))}.get(_STEREO_MODE)
        mode = 0 if stereo is None else int.from_bytes(video[stereo.body : stereo.end], "big")
        return SphericalBoxes(
            _PROJECTIONS.get(kind, "unknown"),
            _STEREO_NAMES.get(mode, "unknown"),
            _float(said.get(_YAW, b"")),
            _float(said.get(_PITCH, b"")),
            _float(said.get(_ROLL, b"")),
            bounds=bounds_in(details) if kind == 1 else (0.0, 0.0, 0.0, 0.0),
            details=details,
        )
    return None


def _videos(path: str | Path) -> Iterator[bytes]:
    """Payload of ``Video`` of every track."""
    with Path(path).open("rb") as file:
        found = next((e for e in _head(file) if e.name == _TRACKS), None)
        if found is None:
            return
        file.seek(found.body)
        tracks = file.read(min(found.end - found.body, _TRACKS_LIMIT))
    for track in _row(tracks, 0, len(tracks)):
        if track.name == _TRACK:
            for video in _row(tracks, track.body, track.end):
                if video.name == _VIDEO:
                    yield tracks[video.body : video.end]


def _projection(video: bytes) -> dict[int, bytes]:
    for element in _row(video, 0, len(video)):
        if element.name == _PROJECTION:
            inside = _row(video, element.body, element.end)
            return {inner.name: video[inner.body : inner.end] for inner in inside}
    return {}


def _float(data: bytes) -> float:
    if len(data) not in (4, 8):
        return 0.0
    value = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return value if abs(value) <= 360 else 0.0


def _head(file: BinaryIO) -> Iterator[Element]:
    """What the segment holds before its media data, as far as it makes sense."""
    size = file.seek(0, os.SEEK_END)
    start, inside = 0, False
    for _ in range(_ROW_LIMIT):
        if start >= size:
            return
        file.seek(start)
        element = _element(file.read(12), 0, None)
        if element is None or element.name == _CLUSTER:
            return
        moved = Element(element.name, start, start + element.body, start + element.end)
        if element.name == _SEGMENT and not inside:
            inside, start = True, moved.body
            continue
        if inside:
            yield moved
        start = moved.end


def _row(data: bytes, start: int, end: int) -> Iterator[Element]:
    """Elements in ``data[start:end]``, as far as they make sense."""
    for _ in range(_ROW_LIMIT):
        element = _element(data, start, end)
        if element is None:
            return
        yield element
        start = element.end


def _element(data: bytes, start: int, end: int | None) -> Element | None:
    """The element at ``start``; None where the data end or make no sense."""
    name, at = _number(data, start, keep_marker=True)
    size, body = _number(data, at, keep_marker=False)
    if name is None or size is None or (end is not None and body + size > end):
        return None
    return Element(name, start, body, body + size)


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """One variable-length number and where it ends; None where the data end or make no sense."""
    if at >= len(data) or data[at] == 0:
        return None, at
    length = 9 - data[at].bit_length()
    raw = data[at : at + length]
    if len(raw) < length:
        return None, at
    value = int.from_bytes(raw, "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), at + length


def mark_in_place(path: str | Path, spherical: SphericalBoxes) -> None:
    """Say what the first video track of a file of our own shows; the media data stay in place.

    Room is taken from a void element before the media data. libav leaves one of about 90 bytes
    behind its list of contents; the largest projection without a mesh needs 59.

    Parameters
    ----------
    path : str or Path
    spherical : SphericalBoxes
        What is there already is replaced.

    Raises
    ------
    MediaError
        If there is no video track, or no room.
    """
    path = Path(path)
    with path.open("r+b") as file:
        row = list(_head(file))
        tracks = next((element for element in row if element.name == _TRACKS), None)
        if tracks is None or tracks.end - tracks.start > _TRACKS_LIMIT:
            raise MediaError(f"{path} is no Matroska or WebM file with a list of tracks to mark")
        file.seek(tracks.start)
        old = file.read(tracks.end - tracks.start)
        new = _with_projection(old, spherical)
        if new is None:
            raise MediaError(f"{path} has no video track to mark")
        grown = len(new) - len(old)
        if grown <= 0 and grown != -1:  # no element is one byte long
            file.seek(tracks.start)
            file.write(_padded(new, -grown))
            return
        void = next((e for e in row if _has_room(e, grown) and e.start < tracks.start), None)
        if void is None or any(
            e.name == _SEEK_HEAD and void.start < e.start < tracks.start for e in row
        ):
            raise MediaError(f"{path} has no room for {grown} bytes before its list of tracks")
        # What stands between the two moves into the void's place, and the tracks grow behind it.
        file.seek(void.end)
        between = file.read(tracks.start - void.end)
        contents = _moved_contents(path, file, row, range(void.end, tracks.end), -grown)
        file.seek(void.start)
        file.write(_void(void.end - void.start - grown) + between + new)
        for place, changed in contents:
            file.seek(place)
            file.write(changed)


def _padded(tracks: bytes, count: int) -> bytes:
    """``Tracks`` made longer by a void at its end."""
    whole = _element(tracks, 0, len(tracks))
    assert whole is not None
    return _with_checksum(_resized(tracks, whole, tracks[whole.body :] + _void(count)))


def _has_room(element: Element, grown: int) -> bool:
    """Whether it is a void that may shrink so much: no element is one byte long."""
    left = element.end - element.start - grown
    return element.name == _VOID and (left == 0 or left >= 2)


def _with_projection(tracks: bytes, spherical: SphericalBoxes) -> bytes | None:
    """``Tracks`` whose first video track says so; None if it has none."""
    whole = _element(tracks, 0, len(tracks))
    for track in () if whole is None else _row(tracks, whole.body, whole.end):
        for video in _row(tracks, track.body, track.end) if track.name == _TRACK else ():
            if whole is None or video.name != _VIDEO:
                continue
            kept = b"".join(
                tracks[inner.start : inner.end]
                for inner in _row(tracks, video.body, video.end)
                if inner.name not in (_STEREO_MODE, _PROJECTION, _CRC, _VOID)
            )
            payload = _resized(tracks, video, kept + _said(spherical))
            for inner, outer in ((video, track), (track, whole)):
                around = tracks[outer.body : inner.start], tracks[inner.end : outer.end]
                payload = _resized(tracks, outer, payload.join(around))
            return _with_checksum(payload)
    return None


def _resized(data: bytes, element: Element, payload: bytes) -> bytes:
    """The element with another payload; its size takes as many bytes as before, or more."""
    size_at = element.start + _id_length(element.name)
    size = _number_bytes(len(payload), element.body - size_at)
    return data[element.start : size_at] + size + payload


def _said(spherical: SphericalBoxes) -> bytes:
    kinds = {name: kind for kind, name in _PROJECTIONS.items()}
    details = spherical.details or (bytes(20) if spherical.projection == "equirectangular" else b"")
    inside = _made(_TYPE, bytes([kinds[spherical.projection]]))
    if details:
        inside += _made(_PRIVATE, details)
    for name, angle in (
        (_YAW, spherical.yaw),
        (_PITCH, spherical.pitch),
        (_ROLL, spherical.roll),
    ):
        if angle:
            inside += _made(name, struct.pack(">f", angle))
    mode = _STEREO.get(spherical.stereo or "mono", 0)
    stereo = _made(_STEREO_MODE, bytes([mode])) if mode else b""
    return stereo + _made(_PROJECTION, inside)


def _made(name: int, payload: bytes) -> bytes:
    return name.to_bytes(_id_length(name), "big") + _number_bytes(len(payload), 1) + payload


def _void(size: int) -> bytes:
    """A void element of ``size`` bytes in all: 0, or 2 and more."""
    if size == 0:
        return b""
    length = 1 if size < 100 else 8
    return bytes([_VOID]) + _number_bytes(size - 1 - length, length) + bytes(size - 1 - length)


def _id_length(name: int) -> int:
    return (name.bit_length() + 7) // 8


def _number_bytes(value: int, least: int) -> bytes:
    """A size of variable length, in ``least`` bytes or more; all ones mean "unknown"."""
    length = least
    while value >= (1 << 7 * length) - 1:
        length += 1
    return (value | 1 << 7 * length).to_bytes(length, "big")


def _with_checksum(element: bytes) -> bytes:
    """The element with its CRC-32, which comes first where there is one, set right (RFC 8794)."""
    whole = _element(element, 0, len(element))
    first = None if whole is None else _element(element, whole.body, whole.end)
    if first is None or first.name != _CRC or first.end - first.body != 4:
        return element
    checksum = struct.pack("<I", zlib.crc32(element[first.end :]))
    return element[: first.body] + checksum + element[first.end :]


def _moved_contents(
    path: Path, file: BinaryIO, row: list[Element], moved: range, by: int
) -> list[tuple[int, bytes]]:
    """Lists of contents (``SeekHead``) and their places, once elements in ``moved`` went ``by``."""
    changed = []
    origin = min(element.start for element in row)  # places count from the segment's payload
    for head in row:
        if head.name != _SEEK_HEAD or head.end - head.start > _TRACKS_LIMIT:
            continue
        file.seek(head.start)
        data = bytearray(file.read(head.end - head.start))
        for seek in _row(bytes(data), head.body - head.start, len(data)):
            for inner in _row(bytes(data), seek.body, seek.end) if seek.name == _SEEK else ():
                place = origin + int.from_bytes(data[inner.body : inner.end], "big")
                if inner.name == _SEEK_POSITION and place in moved:
                    length, place = inner.end - inner.body, place - origin + by
                    if place >= 1 << 8 * length:
                        raise MediaError(f"{path} has no room in its list of contents")
                    data[inner.body : inner.end] = place.to_bytes(length, "big")
        changed.append((head.start, _with_checksum(bytes(data))))
    return changed
