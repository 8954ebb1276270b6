"""WAV files that others read back, below and beyond 4 GB."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.media.wav import WavWriter, write_wav
from tests.media.clips import PROPERTY


def chunks(path: Path) -> dict[bytes, bytes]:
    """Chunks of a file whose sizes are all told by their own heads."""
    data = path.read_bytes()
    found, at = {}, 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def test_float_is_kept_bit_for_bit(tmp_path: Path) -> None:
    field = np.random.default_rng(0).normal(0, 1, (4, 5000)).astype(np.float32)
    write_wav(tmp_path / "a.wav", field, 48000)
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 48000
    np.testing.assert_array_equal(read.T, field)


@settings(PROPERTY, max_examples=20)
@given(
    channels=st.integers(1, 7),
    lengths=st.lists(st.integers(0, 700), max_size=5),
    subtype=st.sampled_from(["float32", "pcm24"]),
    big=st.booleans(),
)
def test_blocks_of_any_length_are_read_back(
    tmp_path: Path, channels: int, lengths: list[int], subtype: str, big: bool
) -> None:
    path = tmp_path / "a.wav"
    rng = np.random.default_rng(len(lengths))
    blocks = [rng.uniform(-1, 0.999, (channels, n)).astype(np.float32) for n in lengths]
    whole = np.concatenate([np.zeros((channels, 0), np.float32), *blocks], axis=1)
    with WavWriter(path, 44100, channels, subtype, riff_limit=0 if big else 2**32 - 1) as writer:
        for block in blocks:
            writer.write(block)
    assert writer.frames == whole.shape[1]
    info = soundfile.info(path)
    assert info.format == ("RF64" if big else "WAVEX")
    assert (info.channels, info.samplerate, info.frames) == (channels, 44100, whole.shape[1])
    read = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    np.testing.assert_allclose(read, whole, atol=0 if subtype == "float32" else 2**-23)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        decoded = [frame.to_ndarray().reshape(-1, channels) for frame in container.decode(stream)]
        assert sum(map(len, decoded)) == whole.shape[1]
        if subtype == "float32" and decoded:
            np.testing.assert_array_equal(np.concatenate(decoded).T, whole)


@pytest.mark.parametrize("limit", [2**32 - 1, 0])
def test_no_loudspeakers_are_named(tmp_path: Path, limit: int) -> None:
    """Channel mask 0: a quad mask would have players fold the field down."""
    with WavWriter(tmp_path / "a.wav", 48000, 4, riff_limit=limit) as writer:
        writer.write(np.zeros((4, 10)))
    data = (tmp_path / "a.wav").read_bytes()
    at = data.index(b"fmt ") + 8
    code, channels = struct.unpack_from("<HH", data, at)
    (mask,) = struct.unpack_from("<I", data, at + 20)
    assert (code, channels, mask) == (0xFFFE, 4, 0)
    # libsndfile and libav put no loudspeakers of their own in its place.
    with av.open(str(tmp_path / "a.wav")) as container:
        assert container.streams.audio[0].layout.name == "4 channels"


def test_it_becomes_rf64_only_when_it_must(tmp_path: Path) -> None:
    header = 4 + 36 + 48 + 12 + 8  # RIFF's form, room for ds64, fmt, fact, head of data
    for extra, kind in ((0, b"RIFF"), (-1, b"RF64")):
        with WavWriter(tmp_path / "a.wav", 48000, 4, riff_limit=header + 160 + extra) as writer:
            writer.write(np.ones((4, 10)))
        data = (tmp_path / "a.wav").read_bytes()
        assert data[:4] == kind
        assert len(data) == 8 + header + 160
    found = chunks(tmp_path / "a.wav") if kind == b"RIFF" else {}
    assert not found
    # EBU Tech 3306: sizes of the file and the data, and the number of frames, as u64.
    assert data[12:16] == b"ds64"
    assert struct.unpack_from("<QQQI", data, 20) == (header + 160, 160, 10, 0)
    assert data[4:8] == b"\xff" * 4 and data[data.index(b"data") + 4 :][:4] == b"\xff" * 4


def test_beyond_4_gb(tmp_path: Path) -> None:
    """The header alone, of a file that holds 5 GB as a hole."""
    path = tmp_path / "a.wav"
    writer = WavWriter(path, 48000, 4)
    writer.frames = 5 * 10**9 // 16
    assert writer._file is not None
    start = writer._file.tell()
    writer._file.truncate(start + writer.frames * 16)
    writer.close()
    info = soundfile.info(path)
    assert (info.format, info.frames, info.channels) == ("RF64", 5 * 10**9 // 16, 4)
    with soundfile.SoundFile(path) as file:
        file.seek(5 * 10**9 // 16 - 4)
        assert file.read().shape == (4, 4)


def test_24_bit_rounds_and_saturates(tmp_path: Path) -> None:
    step = 2.0**-23
    signal = np.array([[0, step, 1.4 * step, 1.6 * step, 1.0, 1.5, -1.0, -1.5, 1 - step]])
    with WavWriter(tmp_path / "a.wav", 48000, 1, "pcm24") as writer:
        writer.write(signal)
    read = soundfile.read(tmp_path / "a.wav", dtype="int32")[0] >> 8
    top = 2**23 - 1
    assert read.tolist() == [0, 1, 1, 2, top, top, -(2**23), -(2**23), top]
    assert writer.clipped == 3


def test_odd_amounts_of_data_are_padded(tmp_path: Path) -> None:
    """Chunks of RIFF begin at even places; the padding is no sound."""
    write_wav(tmp_path / "a.wav", np.full((1, 5), 0.5), 48000, "pcm24")
    data = (tmp_path / "a.wav").read_bytes()
    assert len(data) % 2 == 0
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    assert len(chunks(tmp_path / "a.wav")[b"data"]) == 15
    assert soundfile.info(tmp_path / "a.wav").frames == 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_sound_that_is_not_finite_is_refused(tmp_path: Path, bad: float) -> None:
    with pytest.raises(OutputError, match="NaN or infinite"):
        write_wav(tmp_path / "a.wav", np.array([[0.0, bad]]), 48000)


def test_full_disk_is_said_so() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OutputError, match="disk is full"):
        write_wav("/dev/full", np.zeros((4, 100_000)), 48000)
    with pytest.raises(OutputError, match="disk is full"), WavWriter("/dev/full", 48000, 4):
        pass  # even the header alone


def test_folders_and_formats_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*a\.wav"):
        WavWriter(tmp_path / "none" / "a.wav", 48000, 4)
    with pytest.raises(OptionError, match="float32 or pcm24"):
        WavWriter(tmp_path / "a.wav", 48000, 4, "pcm16")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="0 channels"):
        WavWriter(tmp_path / "a.wav", 48000, 0)
    with (
        WavWriter(tmp_path / "a.wav", 48000, 4) as writer,
        pytest.raises(ValueError, match=r"expected \(4, n\)"),
    ):
        writer.write(np.zeros((2, 5)))
    with pytest.raises(OutputError, match="closed"):
        writer.write(np.zeros((4, 5)))
