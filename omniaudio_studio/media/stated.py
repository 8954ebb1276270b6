"""Which ambisonic convention a file states about its sound.

===========================  ====================================================================
what says it                 source
===========================  ====================================================================
``SA3D`` in MP4 and MOV      Google, "Spatial Audio RFC": always ACN and SN3D
``chan`` in MP4 and MOV      Apple, CoreAudioBaseTypes.h: ACN with SN3D or N3D, or W X Y Z B-format
sub-format of a WAV          Dobson, "The AMB Ambisonic File Format": W X Y Z, W at -3 dB
``bext`` of a WAV            what this program writes there
``chna`` of a WAV            ITU-R BS.2076 and the common packs of BS.2094-1
===========================  ====================================================================

Cameras say less. Garmin's VIRB 360 records W Y Z X with an empty Z (its owner's manual, "Planar
Spatial Audio"), Zoom's H2n likewise (ambisonic.info/zoomh2.html). GoPro's MAX has stereo AAC first,
then "GoPro AMB", four channels of 32-bit PCM (ffprobe listings on trekview.org), in an order that
GoPro does not tell; nor does Ricoh of the four channels of PCM of its Theta V. They are read as
AmbiX, as every file that states nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omniaudio_studio.media.ambisonics import apple_convention, read_ambisonics
from omniaudio_studio.media.bext import chunks, named_convention
from omniaudio_studio.media.boxes import SOUND, read_moov, tracks

if TYPE_CHECKING:
    from omniaudio_studio.foa.convention import Convention

# Microsoft's sub-format GUID for B-format (".amb"): after its first two bytes.
_B_FORMAT_GUID = bytes.fromhex("00002107d3118644c8c1ca000000")
_EXTENSIBLE = 0xFFFE
# First-order packs of BS.2094-1.
_PACKS = {b"AP_00040001": "ambix", b"AP_00040011": "n3d", b"AP_00040021": "fuma"}
_CHUNK_LIMIT = 1 << 12
_CHNA_LIMIT = 1 << 16


@dataclass(frozen=True)
class Stated:
    """A convention, and what states it."""

    convention: Convention
    by: str


def stated_convention(path: str | Path) -> Stated | None:
    """What a file states about the convention of its field; None where it states nothing.

    Raises
    ------
    MediaError
        If an ``SA3D`` box is of an unknown kind.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(12)
    if head[8:] == b"WAVE":
        return _of_wav(path)
    if read_ambisonics(path) is not None:
        return Stated("ambix", "SA3D")
    moov = read_moov(path)
    for track in () if moov is None else tracks(moov):
        for entry in track.entries if track.handler == SOUND else ():
            found = None if moov is None else apple_convention(moov, entry)
            if found is not None:
                return Stated(cast("Convention", found), "chan")
    return None


def _of_wav(path: Path) -> Stated | None:
    named = named_convention(path)
    if named is not None:
        return Stated(named, "bext")
    with path.open("rb") as file:
        for name, size in islice(chunks(file), _CHUNK_LIMIT):
            if name == b"fmt ":
                form = file.read(min(size, 40))
                extensible = form[:2] == struct.pack("<H", _EXTENSIBLE)
                if extensible and form[26:40] == _B_FORMAT_GUID:
                    return Stated("fuma", "B-format WAV")
            elif name == b"chna":
                packs = file.read(min(size, _CHNA_LIMIT))
                for pack, convention in _PACKS.items():
                    if pack in packs:
                        return Stated(cast("Convention", convention), pack.decode())
    return None
