"""What MP4 and MOV files say of an ambisonic sound track: ``SA3D``, and Apple's ``chan``.

SA3D (Google, "Spatial Audio RFC"), a child of the sound's sample entry::

    u8 version (0), u1 head_locked_stereo, u7 ambisonic_type (0: periphonic), u32 order,
    u8 channel ordering (0: ACN), u8 normalisation (0: SN3D), u32 channels, u32 map[channels]
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.boxes import SOUND, Entry, Track, box, boxes_in, read_moov, tracks

_MOST_CHANNELS = 256
_PCM = (b"lpcm", b"sowt", b"twos", b"in24", b"in32", b"fl32", b"fl64", b"raw ", b"ipcm", b"fpcm")
# The orders of first-order tracks that are in use: W Y Z X, W X Y Z, and those behind a stereo bed.
_USUAL = ((0, 1, 2, 3), (0, 2, 3, 1), (2, 3, 4, 5), (2, 4, 5, 3))
# kAudioChannelLayoutTag_... of Apple's CoreAudioBaseTypes.h: the upper half, and the convention.
_APPLE_LAYOUTS = {107: "fuma", 190: "ambix", 191: "n3d"}


@dataclass(frozen=True)
class Ambisonics:
    """An ambisonic sound track.

    Attributes
    ----------
    order : int
    head_locked : bool
        True where two channels of head-locked stereo come with the field.
    tracks : tuple of int
        For each component in ACN order (W, Y, Z, X, ...), the track's channel that holds it.
    number : int
        The track's number, libav's ``stream.id``; 0 where it is not said.
    """

    order: int
    head_locked: bool
    tracks: tuple[int, ...]
    number: int = 0


def ambisonics_box(*, head_locked: bool = False) -> bytes:
    """``SA3D`` of a first-order AmbiX track, for `marking.mark_in_place`.

    Parameters
    ----------
    head_locked : bool
        True for six channels, the last two of them stereo that does not turn with the head.
    """
    channels = 6 if head_locked else 4
    fields = struct.pack(">BBIBBI", 0, 0x80 if head_locked else 0, 1, 0, 0, channels)
    return box(b"SA3D", fields + struct.pack(f">{channels}I", *range(channels)))


def read_ambisonics(path: str | Path) -> Ambisonics | None:
    """``SA3D`` of the first sound track that has it; None if the file has none.

    Raises
    ------
    MediaError
        If it describes anything but ACN order and SN3D weights, the only ones the RFC knows.
    """
    moov = read_moov(path)
    if moov is None:
        return None
    for track in tracks(moov):
        for entry in track.entries if track.handler == SOUND else ():
            for inner in boxes_in(moov, entry.children, entry.box.end):
                if inner.kind == b"SA3D":
                    payload = bytes(moov[inner.body : inner.end])
                    return _parsed(Path(path), payload, track, _pcm_channels(moov, entry))
    return None


def _pcm_channels(moov: bytes | bytearray, entry: Entry) -> int | None:
    """How many channels a PCM entry states; other codecs say it in their own data."""
    start = entry.box.body
    if entry.box.kind not in _PCM or entry.children < start + 28:
        return None
    if struct.unpack_from(">H", moov, start + 8) == (2,) and entry.children >= start + 44:
        return int(struct.unpack_from(">I", moov, start + 40)[0])
    return int(struct.unpack_from(">H", moov, start + 16)[0])


def _parsed(path: Path, payload: bytes, track: Track, stated: int | None) -> Ambisonics:
    if len(payload) < 12:
        raise MediaError(f"{path}: its SA3D box is cut off; write the file again")
    version, kind, order, ordering, weights, channels = struct.unpack_from(">BBIBBI", payload)
    if version != 0 or kind & 0x7F or ordering or weights:
        raise MediaError(f"{path}: its SA3D box is of an unknown kind; expected ACN order, SN3D")
    if channels > _MOST_CHANNELS or len(payload) < 12 + 4 * channels:
        raise MediaError(f"{path}: its SA3D box claims {channels} channels and is too short")
    if stated is not None and stated != channels:
        # libav would believe the box and take the samples apart wrongly.
        raise MediaError(
            f"{path}: its SA3D box is for {channels} channels, but the track has {stated}"
        )
    named = struct.unpack_from(f">{channels}I", payload, 12)
    components = (order + 1) ** 2 if order < 16 else 0
    # Two channels more are a stereo bed, with or without the flag.
    locked = bool(kind & 0x80) or channels == components + 2
    if sorted(named) != list(range(channels)) or channels != components + 2 * locked:
        raise MediaError(f"{path}: the channel map of its SA3D box does not make sense")
    return Ambisonics(order, locked, _channel_of(named, components), track.number)


def _channel_of(named: tuple[int, ...], components: int) -> tuple[int, ...]:
    """For each component the channel that holds it.

    The RFC says that the map "maps audio channels to ambisonic components", as libav writes it;
    its example for W X Y Z (0, 2, 3, 1) is the inverse of that. Whichever gives an order in use
    is meant; the text where neither or both do.
    """
    text = tuple(named.index(component) for component in range(components))
    example = named[:components]
    return example if example in _USUAL and text not in _USUAL else text


def apple_convention(moov: bytes | bytearray, entry: Entry) -> str | None:
    """The convention that a sound entry's ``chan`` box names; None if it names no ambisonics.

    The box is ``u8 version, u24 flags, u32 layout tag, ...`` (QuickTime File Format, "Audio channel
    layout"); the tag's upper half is the kind, its lower half the number of channels.
    """
    for inner in boxes_in(moov, entry.children, entry.box.end):
        if inner.kind == b"chan" and inner.size >= inner.header + 8:
            (tag,) = struct.unpack_from(">I", moov, inner.body + 4)
            return _APPLE_LAYOUTS.get(tag >> 16)
    return None
