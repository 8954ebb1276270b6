"""The field as an ADM file (BW64): a WAV whose ``axml`` and ``chna`` chunks say what it holds.

Sources: ITU-R BS.2076 (the model: programme, content, object, track), ITU-R BS.2094 (common
definitions: pack ``AP_00040001`` is first order, SN3D, ACN; tracks ``AT_00040001_01`` to
``AT_00040004_01`` are its channels 0 to 3), ITU-R BS.2088 (``chna``, ``axml``, BW64). Of common
definitions only the names are written, as BS.2094 has it. The root and what is told besides the
model are EBU Core's (EBU Tech 3293): title and description of ``coreMetadata``.
"""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.wav import RATE, WavResult, write_field
from omniaudio_studio.files import written_whole

_PACK = "AP_00040001"
_EBU_CORE = "urn:ebu:metadata-schema:ebuCore_2014"
_DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DEPTH = 24


def write_adm(
    source: DeliverySource,
    output: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
    rate: int = RATE,
) -> WavResult:
    """Write the field as one object of first-order ambisonics in a programme of its own.

    Below 4 GB the file is a RIFF WAVE with these chunks, which every player reads; above it is
    BW64. Always 24 bits: the EBU's renderer (ear 2.1.0) takes floats for whole numbers.

    Parameters and errors as for `delivery.wav.write_wav`.
    """
    samples = source.length(rate, cancel)
    # The name of the field, not of the output, which may be a temporary one.
    title = source.field.stem if source.clip is None else source.clip.path.stem
    origin = None if source.provenance is None else source.provenance.sentence()
    chunks = [
        (b"chna", chna_chunk()),
        (b"axml", axml_chunk(title, samples, rate, origin)),
    ]
    with written_whole(output, overwrite=overwrite) as place:
        return write_field(
            source,
            place,
            rate=rate,
            subtype="pcm24",
            samples=samples,
            chunks=chunks,
            big=b"BW64",
            progress=progress,
            cancel=cancel,
        )


def chna_chunk() -> bytes:
    """Which track is what: index, UID, track format and pack format of each (BS.2088)."""
    rows = b"".join(
        struct.pack(
            "<H12s14s11sx",
            index,
            _uid(index).encode(),
            _track_format(index).encode(),
            _PACK.encode(),
        )
        for index in range(1, 5)
    )
    return struct.pack("<HH", 4, 4) + rows


def axml_chunk(title: str, samples: int, rate: int, origin: str | None = None) -> bytes:
    """The model as XML, UTF-8.

    Parameters
    ----------
    title : str
        What programme, content and object are named after.
    samples, rate : int
        Length of the sound, and samples a second.
    origin : str, optional
        Where the sound comes from: the description of ``coreMetadata``.
    """
    ET.register_namespace("", _EBU_CORE)
    ET.register_namespace("dc", _DUBLIN_CORE)
    root = ET.Element(f"{{{_EBU_CORE}}}ebuCoreMain")
    core = _under(root, "coreMetadata")
    _under(_under(core, "title"), "title", title, space=_DUBLIN_CORE)
    if origin is not None:
        place = _under(core, "description", typeLabel="provenance")
        _under(place, "description", origin, space=_DUBLIN_CORE)
    model = _under(_under(core, "format"), "audioFormatExtended")
    end = _time(samples, rate)
    programme = _under(
        model,
        "audioProgramme",
        audioProgrammeID="APR_1001",
        audioProgrammeName=title,
        start=_time(0, rate),
        end=end,
    )
    programme.set(_XML_LANGUAGE, "en")
    _under(programme, "audioContentIDRef", "ACO_1001")
    content = _under(
        model, "audioContent", audioContentID="ACO_1001", audioContentName=f"{title}: sound field"
    )
    _under(content, "audioObjectIDRef", "AO_1001")
    thing = _under(
        model,
        "audioObject",
        audioObjectID="AO_1001",
        audioObjectName=f"{title}: first-order ambisonics",
        start=_time(0, rate),
        duration=end,
    )
    _under(thing, "audioPackFormatIDRef", _PACK)
    for index in range(1, 5):
        _under(thing, "audioTrackUIDRef", _uid(index))
    for index in range(1, 5):
        track = _under(
            model, "audioTrackUID", UID=_uid(index), sampleRate=str(rate), bitDepth=str(_DEPTH)
        )
        _under(track, "audioTrackFormatIDRef", _track_format(index))
        _under(track, "audioPackFormatIDRef", _PACK)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _under(
    parent: ET.Element, name: str, text: str = "", *, space: str = _EBU_CORE, **values: str
) -> ET.Element:
    element = ET.SubElement(parent, f"{{{space}}}{name}", values)
    element.text = _printable(text) or None
    for key, value in values.items():
        element.set(key, _printable(value))
    return element


def _printable(text: str) -> str:
    """XML has no words for control characters, nor for halves of characters in odd file names."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _uid(index: int) -> str:
    return f"ATU_{index:08x}"


def _track_format(index: int) -> str:
    """Of channel ACN ``index - 1``."""
    return f"AT_{0x40000 + index:08x}_01"


def _time(samples: int, rate: int) -> str:
    """hh:mm:ss.zzzzz (BS.2076, 5.2), rounded down: nothing lies beyond the end of the file."""
    hundred_thousandths = samples * 100_000 // rate
    seconds, rest = divmod(hundred_thousandths, 100_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:05d}"
