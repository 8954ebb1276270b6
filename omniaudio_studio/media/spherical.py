"""Spherical metadata of MP4 and MOV files: what it says, and the boxes that say it.

``st3d`` (stereo layout) and ``sv3d`` (projection and pose) are children of the video's sample entry
(Google, "Spherical Video V2 RFC")::

    st3d    full box: u8 stereo mode
    sv3d    svhd    full box: name of the tool, ended by a zero
            proj    prhd    full box: s32 yaw, pitch, roll, degrees in 16.16
                    equi    full box: u32 bounds top, bottom, left, right, in 0.32
                    cbmp    full box: u32 layout, u32 padding
                    mshp    full box: a mesh

Cameras still write version 1 (Google, "Spherical Video RFC"): XML in a ``uuid`` box of the track.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.media.boxes import (
    PICTURE,
    SPHERICAL_V1,
    Box,
    Track,
    box,
    boxes_in,
    child,
    full_box,
    read_moov,
    tracks,
)

STEREO_MODES = {"mono": 0, "top-bottom": 1, "left-right": 2, "custom": 3, "right-left": 4}
_STEREO_NAMES = {mode: name for name, mode in STEREO_MODES.items()}
_PROJECTIONS = {b"equi": "equirectangular", b"cbmp": "cubemap", b"mshp": "mesh"}
_KINDS = {name: kind for kind, name in _PROJECTIONS.items()}
_XML_LIMIT = 1 << 16


@dataclass(frozen=True)
class SphericalBoxes:
    """What the metadata of a video track say.

    Attributes
    ----------
    projection : str
        "equirectangular", "cubemap", "mesh" or "unknown".
    stereo : str or None
        One of `STEREO_MODES`, "unknown", None where nothing is said.
    yaw, pitch, roll : float
        Pose, degrees.
    bounds : tuple of float
        What is cut off: top, bottom, left, right, as fractions of the whole.
    details : bytes
        Payload of the projection's own box (``equi``, ``cbmp``, ``mshp``), as it stands; Matroska
        keeps the same bytes (RFC 9559, ProjectionPrivate). Empty where there is none.
    version : int
        Of the metadata: 2 for boxes, 1 for XML.
    """

    projection: str
    stereo: str | None
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    details: bytes = b""
    version: int = 2

    def as_boxes(self) -> bytes:
        """``st3d`` and ``sv3d`` that say the same.

        Raises
        ------
        ValueError
            If the projection is unknown: there is no box for it.
        """
        if self.projection not in _KINDS:
            raise ValueError(
                f"expected a projection out of {sorted(_KINDS)}, not {self.projection}"
            )
        return _boxes(
            self.stereo if self.stereo in STEREO_MODES else None,
            (self.yaw, self.pitch, self.roll),
            box(_KINDS[self.projection], self.details or bytes(4) + _edges(self.bounds)),
        )


def read_spherical(path: str | Path) -> SphericalBoxes | None:
    """Spherical metadata of the first video track that has it; version 2 goes before version 1.

    Returns
    -------
    SphericalBoxes or None
        None if the file is no MP4 or MOV, or says nothing.

    Raises
    ------
    MediaError
        If its index is too large to be one.
    """
    moov = read_moov(path)
    if moov is None:
        return None
    pictures = [track for track in tracks(moov) if track.handler == PICTURE]
    for track in pictures:
        for entry in track.entries:
            found = _second_version(moov, entry.children, entry.box.end)
            if found is not None:
                return found
    for track in pictures:
        found = _first_version(moov, track)
        if found is not None:
            return found
    return None


def _second_version(moov: bytearray, start: int, end: int) -> SphericalBoxes | None:
    stereo: str | None = None
    found: SphericalBoxes | None = None
    for inner in boxes_in(moov, start, end):
        if inner.kind == b"st3d" and inner.end - inner.body >= 5:
            stereo = _STEREO_NAMES.get(moov[inner.body + 4], "unknown")
        elif inner.kind == b"sv3d":
            found = _projection(moov, inner)
    if found is None:
        return None
    return SphericalBoxes(
        found.projection, stereo, found.yaw, found.pitch, found.roll, found.bounds, found.details
    )


def _projection(moov: bytearray, sv3d: Box) -> SphericalBoxes:
    found, details = "unknown", b""
    pose = (0.0, 0.0, 0.0)
    bounds = (0.0, 0.0, 0.0, 0.0)
    proj = child(moov, sv3d, b"proj")
    for leaf in () if proj is None else boxes_in(moov, proj.body, proj.end):
        at = leaf.body + 4  # after version and flags
        if leaf.kind == b"prhd" and leaf.end - at >= 12:
            yaw, pitch, roll = struct.unpack_from(">3i", moov, at)
            pose = (yaw / 65536, pitch / 65536, roll / 65536)
        elif leaf.kind in _PROJECTIONS:
            found = _PROJECTIONS[leaf.kind]
            details = bytes(moov[leaf.body : leaf.end])
            bounds = bounds_in(details) if leaf.kind == b"equi" else bounds
    return SphericalBoxes(found, None, *pose, bounds, details)


def bounds_in(details: bytes) -> tuple[float, float, float, float]:
    """Top, bottom, left and right that are cut off, out of the payload of an ``equi`` box."""
    if len(details) < 20:
        return (0.0, 0.0, 0.0, 0.0)
    top, bottom, left, right = struct.unpack_from(">4I", details, 4)
    return (top / 2**32, bottom / 2**32, left / 2**32, right / 2**32)


def _first_version(moov: bytearray, track: Track) -> SphericalBoxes | None:
    for inner in boxes_in(moov, track.box.body, track.box.end):
        if inner.kind != b"uuid" or moov[inner.body : inner.body + 16] != SPHERICAL_V1:
            continue
        end = min(inner.end, inner.body + _XML_LIMIT)
        text = bytes(moov[inner.body + 16 : end]).decode("utf-8", "replace")
        if _told(text, "Spherical").lower() != "true":
            continue
        projection = _told(text, "ProjectionType").lower() or "unknown"
        stereo = _told(text, "StereoMode").lower() or None
        return SphericalBoxes(
            projection if projection in _KINDS else "unknown",
            stereo if stereo is None or stereo in STEREO_MODES else "unknown",
            _number(text, "InitialViewHeadingDegrees"),
            _number(text, "InitialViewPitchDegrees"),
            _number(text, "InitialViewRollDegrees"),
            bounds=_cropped(text),
            version=1,
        )
    return None


def _told(text: str, name: str) -> str:
    """Content of an element. The XML is taken by its names alone: nothing in it is resolved."""
    found = re.search(rf"<GSpherical:{name}>\s*([^<]{{0,200}}?)\s*</", text)
    return "" if found is None else found.group(1)


def _number(text: str, name: str) -> float:
    value = re.fullmatch(r"[-+]?\d{1,9}(\.\d{1,9})?", _told(text, name))
    return 0.0 if value is None else float(value.group())


def _cropped(text: str) -> tuple[float, float, float, float]:
    """Fractions cut off at top, bottom, left and right, out of pixels of the whole panorama."""
    whole_w, whole_h = _number(text, "FullPanoWidthPixels"), _number(text, "FullPanoHeightPixels")
    width = _number(text, "CroppedAreaImageWidthPixels")
    height = _number(text, "CroppedAreaImageHeightPixels")
    left, top = _number(text, "CroppedAreaLeftPixels"), _number(text, "CroppedAreaTopPixels")
    if not (0 < width <= whole_w and 0 < height <= whole_h and left >= 0 and top >= 0):
        return (0.0, 0.0, 0.0, 0.0)
    right, bottom = max(whole_w - left - width, 0.0), max(whole_h - top - height, 0.0)
    return (top / whole_h, bottom / whole_h, left / whole_w, right / whole_w)


def spherical_boxes(
    stereo: str = "mono",
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> bytes:
    """``st3d`` and ``sv3d`` of an equirectangular picture, for `marking.mark_in_place`.

    Parameters
    ----------
    stereo : str
        One of `STEREO_MODES`.
    yaw, pitch, roll : float
        Pose, degrees.
    bounds : tuple of float
        Fractions cut off at the top, bottom, left and right.
    """
    return _boxes(stereo, (yaw, pitch, roll), full_box(b"equi", _edges(bounds)))


def _edges(bounds: tuple[float, float, float, float]) -> bytes:
    return struct.pack(">4I", *(min(round(edge * 2**32), 2**32 - 1) for edge in bounds))


def _boxes(stereo: str | None, pose: tuple[float, float, float], projection: bytes) -> bytes:
    angles = struct.pack(">3i", *(round(angle * 65536) for angle in pose))
    layout = b"" if stereo is None else full_box(b"st3d", bytes([STEREO_MODES[stereo]]))
    return layout + box(
        b"sv3d",
        full_box(b"svhd", b"OmniAudio Studio\0")
        + box(b"proj", full_box(b"prhd", angles) + projection),
    )
