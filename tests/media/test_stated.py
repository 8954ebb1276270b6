"""Fields of other programs and cameras: what they state is followed."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.media.ambisonics import ambisonics_box
from omniaudio_studio.media.audio import FoaReader, read_foa
from omniaudio_studio.media.boxes import box
from omniaudio_studio.media.marking import mark_in_place
from omniaudio_studio.media.stated import Stated, stated_convention
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import level

RATE = 48_000


def field(samples: int = RATE // 2) -> np.ndarray:
    """Four channels that no exchange leaves unnoticed, exact in 24 bits."""
    tones = np.sin(np.outer([300, 500, 800, 1300], 2 * np.pi * np.arange(samples) / RATE))
    return (np.round(0.2 * tones * 2**20) / 2**20).astype(np.float32)


def camera_file(
    path: Path, sounds: list[tuple[str, str, np.ndarray]], pictures: int = 1, handlers: Any = ()
) -> Path:
    """An MP4 or MOV with sound tracks (codec, layout, channels) after its pictures."""
    with av.open(str(path), "w", format="mov" if path.suffix == ".360" else None) as container:
        videos = [container.add_stream("libx264", 30) for _ in range(pictures)]
        for video in videos:
            video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        streams = [container.add_stream(codec, RATE) for codec, _, _ in sounds]
        for stream, (_, layout, _), name in zip(
            streams, sounds, [*handlers] or [""] * len(sounds), strict=True
        ):
            stream.layout = layout
            if name:
                stream.metadata["handler_name"] = name
        for number in range(15):
            grey = np.full((32, 64, 3), level(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            for video in videos:
                container.mux(video.encode(frame))
        for video in videos:
            container.mux(video.encode(None))
        for stream, (_, layout, samples) in zip(streams, sounds, strict=True):
            name = stream.codec_context.format.name
            data = np.ascontiguousarray(samples.astype(np.float32))
            if name != "fltp":
                data = np.round(samples * 2.0**31).astype(np.int32).T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), name, layout)
            frame.sample_rate, frame.pts = RATE, 0
            resampler = av.AudioResampler(frame_size=stream.codec_context.frame_size or 1024)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    return path


def test_gopro_max(tmp_path: Path) -> None:
    """Two tracks of pictures, stereo AAC, then four channels of 32-bit PCM called "GoPro AMB"."""
    path = camera_file(
        tmp_path / "GS010001.360",
        [("aac", "stereo", field()[:2]), ("pcm_s32le", "4.0", field())],
        pictures=2,
        handlers=("GoPro AAC", "GoPro AMB"),
    )
    with FoaReader(path) as reader:
        assert (reader.rate, reader.convention) == (RATE, "ambix")
    np.testing.assert_array_equal(read_foa(path)[0], field())
    assert stated_convention(path) is None


def test_the_marked_track_is_read(tmp_path: Path) -> None:
    """A track of loudspeaker channels that comes first is not taken for the field."""
    path = camera_file(
        tmp_path / "a.mov",
        [("pcm_s24le", "5.1", np.full((6, 999), 0.5)), ("pcm_s24le", "4.0", field())],
    )
    mark_in_place(path, sound=ambisonics_box(), sound_track=3)
    assert stated_convention(path) == Stated("ambix", "SA3D")
    np.testing.assert_array_equal(read_foa(path)[0], field())


@pytest.mark.parametrize("bed_first", [False, True])
def test_head_locked_stereo_is_left_out(tmp_path: Path, bed_first: bool) -> None:
    stereo = np.full((2, RATE // 2), 0.25, np.float32)
    order = [stereo, field()] if bed_first else [field(), stereo]
    path = camera_file(tmp_path / "a.mov", [("pcm_s24le", "6.0", np.concatenate(order))])
    named = (4, 5, 0, 1, 2, 3) if bed_first else range(6)
    payload = struct.pack(">BBIBBI6I", 0, 0x80, 1, 0, 0, 6, *named)
    mark_in_place(path, sound=box(b"SA3D", payload))
    np.testing.assert_array_equal(read_foa(path)[0], field())


def test_w_x_y_z_by_the_channel_map(tmp_path: Path) -> None:
    path = camera_file(tmp_path / "a.mov", [("pcm_s24le", "4.0", field()[[0, 3, 1, 2]])])
    mark_in_place(path, sound=box(b"SA3D", struct.pack(">BBIBBI4I", 0, 0, 1, 0, 0, 4, 0, 2, 3, 1)))
    np.testing.assert_array_equal(read_foa(path)[0], field())


def test_a_map_of_channels_that_are_not_there(tmp_path: Path) -> None:
    path = camera_file(tmp_path / "a.mov", [("pcm_s24le", "4.0", field())])
    named = (8, *range(1, 8), 0)
    mark_in_place(path, sound=box(b"SA3D", struct.pack(">BBIBBI9I", 0, 0, 2, 0, 0, 9, *named)))
    with pytest.raises(MediaError, match="for 9 channels, but the track has 4"):
        FoaReader(path)


@pytest.mark.parametrize("tag, convention", [(190, "ambix"), (191, "n3d"), (107, "fuma")])
def test_apple_layouts(tmp_path: Path, tag: int, convention: str) -> None:
    stored = from_ambix(field(), convention)
    path = camera_file(tmp_path / "a.mov", [("pcm_s24le", "4.0", stored)])
    data = bytearray(path.read_bytes())
    at = data.index(b"chan") + 8
    data[at : at + 4] = struct.pack(">I", tag << 16 | 4)
    path.write_bytes(data)
    assert stated_convention(path) == Stated(convention, "chan")  # type: ignore[arg-type]
    np.testing.assert_allclose(read_foa(path)[0], field(), atol=3e-7)


@pytest.mark.parametrize(
    "pack, convention",
    [("AP_00040001", "ambix"), ("AP_00040011", "n3d"), ("AP_00040021", "fuma"), ("AP_1", None)],
)
def test_packs_of_adm_files(tmp_path: Path, pack: str, convention: str | None) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, from_ambix(field(), convention or "ambix"), RATE)
    rows = b"".join(
        struct.pack("<H12s14s11sx", k, b"ATU_0000000%d" % k, b"AT_00040001_0%d" % k, pack.encode())
        for k in range(1, 5)
    )
    data = path.read_bytes()
    chna = struct.pack("<4sIHH", b"chna", 4 + len(rows), 4, 4) + rows
    size = struct.pack("<I", len(data) + len(chna) - 8)
    path.write_bytes(data[:4] + size + data[8:] + chna)
    expected = None if convention is None else Stated(convention, pack)  # type: ignore[arg-type]
    assert stated_convention(path) == expected
    np.testing.assert_allclose(read_foa(path)[0], field(), atol=3e-7)


def test_a_wav_of_empty_chunks_takes_no_time(tmp_path: Path) -> None:
    """Sparse: 2 GB of chunks without a name and a size."""
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 2**31 - 8, b"WAVE"))
        file.truncate(2**31)
    assert stated_convention(path) is None
