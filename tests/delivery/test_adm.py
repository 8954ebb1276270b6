"""ADM files: chunks, references, bits, and the EBU's renderer where it is installed."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from omniaudio_studio.delivery.adm import axml_chunk, chna_chunk, write_adm
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.errors import Cancelled, OutputExistsError
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.bext import chunks, read_bext
from omniaudio_studio.media.wav import WavWriter, write_wav

RATE = 48000
ORIGIN = Provenance("OmniAudio Studio 9", "generated", "tiny", "1", 7, 3.0, True, "CC0-1.0")
EBU = "{urn:ebu:metadata-schema:ebuCore_2014}"


def plane_wave(azimuth: float, samples: int = RATE) -> np.ndarray:
    sound = 0.1 * np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    return encode_plane_wave(sound, np.radians(azimuth), 0.0)


def contents(path: Path) -> dict[bytes, bytes]:
    with path.open("rb") as file:
        return {name: file.read(size) for name, size in chunks(file)}


@pytest.fixture
def source(tmp_path: Path) -> DeliverySource:
    (tmp_path / "in").mkdir()
    write_wav(tmp_path / "in" / "walk.wav", plane_wave(30, RATE + 7), RATE)
    return DeliverySource(tmp_path / "in" / "walk.wav", provenance=ORIGIN)


def test_the_sound_is_the_fields_own(source: DeliverySource, tmp_path: Path) -> None:
    result = write_adm(source, tmp_path / "a.wav")
    assert (result.samples, result.clipped) == (RATE + 7, 0)
    words = soundfile.read(tmp_path / "a.wav", dtype="int32")[0].T >> 8
    expected = np.rint(plane_wave(30, RATE + 7).astype(np.float64) * 2**23)
    np.testing.assert_array_equal(words, expected)
    read, rate = read_foa(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_array_equal(read, (expected / 2**23).astype(np.float32))


def test_every_track_is_one_channel_of_the_common_first_order_pack(
    source: DeliverySource, tmp_path: Path
) -> None:
    write_adm(source, tmp_path / "a.wav")
    chna = contents(tmp_path / "a.wav")[b"chna"]
    assert struct.unpack_from("<HH", chna) == (4, 4)
    rows = [struct.unpack_from("<H12s14s11sx", chna, 4 + 40 * k) for k in range(4)]
    assert len(chna) == 4 + 4 * 40
    assert rows == [
        (k, f"ATU_{k:08}".encode(), f"AT_0004000{k}_01".encode(), b"AP_00040001")
        for k in range(1, 5)
    ]


def test_names_references_and_times_of_the_model(source: DeliverySource, tmp_path: Path) -> None:
    write_adm(source, tmp_path / "a.wav")
    root = ET.fromstring(contents(tmp_path / "a.wav")[b"axml"])
    assert root.tag == f"{EBU}ebuCoreMain"
    one = {name: root.find(f".//{EBU}{name}") for name in
           ("audioProgramme", "audioContent", "audioObject")}  # fmt: skip
    assert one["audioProgramme"].get("audioProgrammeName") == "walk"  # type: ignore[union-attr]
    # 48007 samples, rounded down.
    assert one["audioProgramme"].get("end") == "00:00:01.00014"  # type: ignore[union-attr]
    refs = [element.text for element in root.iter() if element.tag.endswith("Ref")]
    assert refs == [
        "ACO_1001", "AO_1001", "AP_00040001", "ATU_00000001", "ATU_00000002", "ATU_00000003",
        "ATU_00000004", "AT_00040001_01", "AP_00040001", "AT_00040002_01", "AP_00040001",
        "AT_00040003_01", "AP_00040001", "AT_00040004_01", "AP_00040001",
    ]  # fmt: skip
    ids = {value for element in root.iter() for key, value in element.items()
           if key.endswith(("ID", "UID"))}  # fmt: skip
    own = {ref for ref in refs if not str(ref).startswith(("AP_", "AT_"))}
    assert own <= ids


def test_its_origin_is_told_unless_it_shall_not(source: DeliverySource, tmp_path: Path) -> None:
    write_adm(source, tmp_path / "a.wav")
    text = contents(tmp_path / "a.wav")[b"axml"].decode()
    assert ORIGIN.sentence() in text
    bext = read_bext(tmp_path / "a.wav")
    assert bext is not None and ORIGIN.sentence() in bext.description
    write_adm(replace(source, provenance=None), tmp_path / "b.wav")
    assert b"OmniAudio" not in (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize(
    "title", ["R&D <1> \"q\" 'x'", "tab\tand\x00null", "\udcff.wav", "Straße 雨"]
)
def test_any_file_name_makes_good_xml(title: str) -> None:
    root = ET.fromstring(axml_chunk(title, 10, RATE, title))
    found = root.find(f".//{EBU}audioProgramme").get("audioProgrammeName")  # type: ignore[union-attr]
    assert found == re.sub(r"[\t\x00\udcff]", "?", title)


def test_what_fails_leaves_nothing(source: DeliverySource, tmp_path: Path) -> None:
    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_adm(source, tmp_path / "a.wav", cancel=SimpleNamespace(check=stop))
    (tmp_path / "b.wav").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_adm(source, tmp_path / "b.wav")
    assert {path.name for path in tmp_path.iterdir()} == {"in", "b.wav"}


def ear_render() -> str:
    """The EBU's renderer; it needs an old NumPy, hence an environment of its own."""
    found = os.environ.get("OMNIAUDIO_EAR_RENDER") or shutil.which("ear-render")
    if not found:
        pytest.skip("ear-render is not installed (pip install ear), nor OMNIAUDIO_EAR_RENDER set")
    return found


@pytest.mark.parametrize("big", [False, True])
def test_the_ebus_renderer_hears_sources_where_they_are(tmp_path: Path, big: bool) -> None:
    """A source at each of four loudspeakers of 0+5+0 (L, R, C, LFE, Ls, Rs), one after another."""
    program = ear_render()
    places = {30: 0, -30: 1, 110: 4, -110: 5}
    part = RATE // 4
    field = np.concatenate([plane_wave(azimuth, part) for azimuth in places], axis=1)
    if big:
        more = [(b"chna", chna_chunk()), (b"axml", axml_chunk("big", RATE, RATE))]
        with WavWriter(
            tmp_path / "a.wav", RATE, 4, "pcm24", chunks=more, big=b"BW64", riff_limit=0
        ) as writer:
            writer.write(field)
    else:
        write_wav(tmp_path / "in.wav", field, RATE)
        write_adm(DeliverySource(tmp_path / "in.wav", provenance=ORIGIN), tmp_path / "a.wav")
    command = [program, "--strict", "-s", "0+5+0", str(tmp_path / "a.wav"), str(tmp_path / "o.wav")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    speakers = soundfile.read(tmp_path / "o.wav")[0].T
    assert speakers.shape == (6, RATE)
    # The renderer's filters last for a few milliseconds: the ends of each part are left out.
    for k, loudest in enumerate(places.values()):
        power = np.square(speakers[:, k * part + 1000 : (k + 1) * part - 1000]).mean(axis=1)
        assert int(np.argmax(power)) == loudest
        # All of them together play the source's power, to within 3 dB.
        assert abs(10 * np.log10(power.sum() / 0.01)) < 3
