"""The little of Matroska and WebM that libav does not tell: which projection a track declares.

An EBML element is ``id, size, payload``, both numbers of variable length (RFC 8794). libav reads
every projection of RFC 9559 but the mesh one, which it drops without a word.
"""

from __future__ import annotations

from pathlib import Path

_SEGMENT, _CLUSTER, _PROJECTION_TYPE = 0x18538067, 0x1F43B675, 0x7671
# Segment, Tracks, TrackEntry, Video, Projection: what to step into.
_PARENTS = (_SEGMENT, 0x1654AE6B, 0xAE, 0xE0, 0x7670)
# Tracks stand before the media data, near the start.
_HEAD = 2**20

MESH = 3
"""ProjectionType of a mesh (RFC 9559, 5.1.4.1.28.42)."""


def projection_type(path: str | Path) -> int | None:
    """``ProjectionType`` of the first video track that has one, else None."""
    with Path(path).open("rb") as file:
        data = file.read(_HEAD)
    return _find(data, 0, len(data))


def _find(data: bytes, start: int, end: int) -> int | None:
    while start < end:
        name, start = _number(data, start, keep_marker=True)
        size, start = _number(data, start, keep_marker=False)
        if name is None or size is None or name == _CLUSTER:
            return None
        stop = min(start + size, end)
        if name == _PROJECTION_TYPE:
            return int.from_bytes(data[start:stop], "big")
        if name in _PARENTS:
            found = _find(data, start, stop)
            if found is not None:
                return found
        start = stop
    return None


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
