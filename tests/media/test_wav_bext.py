"""What a WAV says of itself: `bext` as others read it, and as it is read back."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from omniaudio_studio.media.audio import FoaReader, read_foa
from omniaudio_studio.media.bext import (
    CONVENTIONS,
    Bext,
    named_convention,
    read_bext,
    sound_sha256,
)
from omniaudio_studio.media.loudness import Loudness, LoudnessMeter
from omniaudio_studio.media.wav import WavWriter, write_wav
from tests.media.clips import PROPERTY

RATE = 48000
LOUD = Loudness(-23.01, 4.5, -1.25, -18.0, -math.inf)
FULL = Bext(
    description="A field",
    originator="OmniAudio Studio 9",
    originator_reference="seed 7",
    date="2026-01-31",
    time="14:05:59",
    time_reference=5 * 10**9,
    loudness=LOUD,
    coding_history="A=PCM,F=48000,W=24,T=odd\r\n",
)


def write(path: Path, field: np.ndarray, bext: Bext | None, **options: object) -> Path:
    with WavWriter(path, RATE, len(field), bext=bext, **options) as writer:  # type: ignore[arg-type]
        writer.write(field)
    return path


def noise(samples: int = 1000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (4, samples)).astype(np.float32)


def test_the_fields_lie_where_tech_3285_has_them(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav", noise(), FULL).read_bytes()
    at = data.index(b"bext")
    assert at < data.index(b"fmt ") < data.index(b"data")
    content = data[at + 8 :][: struct.unpack_from("<I", data, at + 4)[0]]
    assert len(content) == 602 + len(FULL.coding_history)
    assert content[:8] == b"A field\0"
    assert content[256:276] == b"OmniAudio Studio 9\0\0"
    assert content[288:294] == b"seed 7"
    assert content[320:330] == b"2026-01-31" and content[330:338] == b"14:05:59"
    low, high, version = struct.unpack_from("<IIH", content, 338)
    assert low + (high << 32) == 5 * 10**9 and version == 2
    assert content[348:412] == bytes(64)
    assert content[422:602] == bytes(180)
    assert content[602:] == b"A=PCM,F=48000,W=24,T=odd\r\n"
    # LoudnessValue, LoudnessRange, MaxTruePeakLevel, MaxMomentary, MaxShortTerm in hundredths.
    levels = struct.unpack_from("<5h", FULL.encode(), 412)
    assert levels == (-2301, 450, -125, -1800, 0x7FFF)


@pytest.mark.parametrize("limit", [2**32 - 1, 0])
@pytest.mark.parametrize("subtype", ["float32", "pcm24"])
def test_the_sound_is_the_same_with_and_without_it(
    tmp_path: Path, limit: int, subtype: str
) -> None:
    with_ = write(tmp_path / "a.wav", noise(), FULL, subtype=subtype, riff_limit=limit)
    without = write(tmp_path / "b.wav", noise(), None, subtype=subtype, riff_limit=limit)
    for dtype in ("float32", "int32"):
        read = [soundfile.read(path, dtype=dtype)[0] for path in (with_, without)]
        np.testing.assert_array_equal(*read)
    assert len(read[0]) == 1000
    assert read_bext(without) is None
    assert sound_sha256(with_) == sound_sha256(without)
    raw = read_foa(without)[0].T if subtype == "float32" else None
    if raw is not None:
        expected = hashlib.sha256(np.ascontiguousarray(raw, "<f4").tobytes()).hexdigest()
        assert sound_sha256(with_) == expected


@pytest.mark.parametrize("limit", [2**32 - 1, 0])
def test_libav_reads_what_was_said(tmp_path: Path, limit: int) -> None:
    path = write(tmp_path / "a.wav", noise(), FULL, riff_limit=limit)
    with av.open(str(path)) as container:
        tags = container.metadata
    assert tags["comment"] == "A field"
    assert tags["encoded_by"] == "OmniAudio Studio 9"
    assert (tags["date"], tags["creation_time"]) == ("2026-01-31", "14:05:59")
    assert tags["time_reference"] == "5000000000"
    assert tags["coding_history"].startswith("A=PCM,F=48000")


def test_it_is_read_back_whole(tmp_path: Path) -> None:
    decoded = Bext.decode(FULL.encode())
    assert decoded is not None and decoded.loudness is not None
    assert math.isnan(decoded.loudness.short_term)
    assert replace(decoded.loudness, short_term=0.0) == replace(LOUD, short_term=0.0)
    found = read_bext(write(tmp_path / "a.wav", noise(), FULL))
    assert found is not None
    assert replace(found, loudness=None) == replace(
        FULL, loudness=None, coding_history=FULL.coding_history.strip()
    )


def test_loudness_is_measured_on_the_way_and_stated(tmp_path: Path) -> None:
    field = noise(2 * RATE)
    with WavWriter(tmp_path / "a.wav", RATE, 4, bext=replace(FULL, loudness=None)) as writer:
        for at in range(0, 2 * RATE, 30_000):
            writer.write(field[:, at : at + 30_000])
        assert writer.loudness is None
    meter = LoudnessMeter(RATE)
    meter.push(field[0])
    assert writer.loudness is not None
    assert writer.loudness.integrated == meter.summary().integrated
    found = read_bext(tmp_path / "a.wav")
    assert found is not None and found.loudness is not None
    assert found.loudness.integrated == pytest.approx(writer.loudness.integrated, abs=0.005)
    assert found.loudness.true_peak == pytest.approx(writer.loudness.true_peak, abs=0.005)


def test_texts_that_do_not_fit_are_cut_and_others_than_ascii_are_told_so(tmp_path: Path) -> None:
    odd = Bext(description="é" * 300, originator="x" * 40)
    found = read_bext(write(tmp_path / "a.wav", noise(), odd))
    assert found is not None
    assert found.description == "?" * 256 and found.originator == "x" * 32


def test_beyond_4_gb_the_chunk_is_found_and_the_sound_read(tmp_path: Path) -> None:
    """5 GB as a hole: RF64, whose data size only ``ds64`` knows."""
    path = tmp_path / "a.wav"
    writer = WavWriter(path, RATE, 4, bext=FULL)
    writer.frames = 5 * 10**9 // 16
    assert writer._file is not None
    writer._file.truncate(writer._file.tell() + writer.frames * 16)
    writer.close()
    with path.open("rb") as file:
        assert file.read(4) == b"RF64"
    assert read_bext(path).time_reference == 5 * 10**9  # type: ignore[union-attr]
    with FoaReader(path) as reader:
        assert reader.frames == 5 * 10**9 // 16
        last = next(reader.blocks(first=reader.frames - 3))
    assert last.shape == (4, 3)


def test_bw64_is_read_back(tmp_path: Path) -> None:
    field = noise()
    path = write(tmp_path / "a.wav", field, FULL, big=b"BW64", riff_limit=0)
    assert path.read_bytes()[:4] == b"BW64"
    found, rate = read_foa(path)
    assert rate == RATE
    np.testing.assert_array_equal(found, field)
    assert read_bext(path) is not None


def test_a_convention_is_known_by_its_name(tmp_path: Path) -> None:
    for convention, name in CONVENTIONS.items():
        path = write(tmp_path / "a.wav", noise(), Bext(f"{name} Sound generated."))
        assert named_convention(path) == convention
        with FoaReader(path) as reader:
            assert reader.convention == convention
    assert named_convention(write(tmp_path / "b.wav", noise(), FULL)) is None
    # Said by the caller, the name does not matter.
    with FoaReader(path, "ambix") as reader:
        assert reader.convention == "ambix"


@PROPERTY
@given(data=st.data())
def test_damaged_files_have_no_chunk_or_one(tmp_path: Path, data: st.DataObject) -> None:
    path = write(tmp_path / "a.wav", noise(50), FULL)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    assert read_bext(path) is None or isinstance(read_bext(path), Bext)


def test_files_of_other_kinds_have_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("RIFF and WAVE, but no such file")
    assert read_bext(tmp_path / "a.txt") is None
    assert sound_sha256(tmp_path / "a.txt") == ""
    write_wav(tmp_path / "a.wav", noise(), RATE)
    assert read_bext(tmp_path / "a.wav") is None


def test_what_the_meter_tells_in_all() -> None:
    """A 1 kHz sine at -20 dBFS is -23.0 LUFS in one channel (BS.1770: -3.01 dB at 0 dBFS)."""
    time = np.arange(8 * RATE) / RATE
    sine = (0.1 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    sine[4 * RATE :] *= 10**-0.5
    meter = LoudnessMeter(RATE)
    meter.push(sine)
    found = meter.summary()
    assert found.momentary == pytest.approx(-23.01, abs=0.05)
    assert found.short_term == pytest.approx(-23.01, abs=0.05)
    assert found.true_peak == pytest.approx(-20.0, abs=0.05)
    assert found.spread == pytest.approx(10.0, abs=1.0)
    assert found.integrated == pytest.approx(10 * np.log10((1 + 0.1) / 2) - 23.01, abs=0.3)
    silent = LoudnessMeter(RATE)
    silent.push(np.zeros(RATE, np.float32))
    assert silent.summary() == Loudness(-math.inf, 0.0, -math.inf, -math.inf, -math.inf)
