"""Fields through every container and back: nothing lost, or little; nothing swapped or delayed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.delivery.mkv import write_mkv
from omniaudio_studio.delivery.mov import write_mov
from omniaudio_studio.delivery.mp4 import write_mp4
from omniaudio_studio.delivery.soundtrack import as_24_bits
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.webm import webm_ending, write_webm
from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.audio import read_audio, read_foa
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.delivery.muxed import DIRECTIONS, RATE, clip_of, from_all_sides, pink, source_of
from tests.support.material import material

Write = Callable[..., Any]


@pytest.fixture(scope="module")
def field() -> Foa:
    return from_all_sides()


@pytest.fixture(scope="module")
def h264(tmp_path_factory: pytest.TempPathFactory, field: Foa) -> DeliverySource:
    folder = tmp_path_factory.mktemp("h264")
    return source_of(clip_of(folder / "clip.mp4"), field, folder)


@pytest.fixture(scope="module")
def vp9(tmp_path_factory: pytest.TempPathFactory, field: Foa) -> DeliverySource:
    folder = tmp_path_factory.mktemp("vp9")
    return source_of(clip_of(folder / "clip.webm", codec="libvpx-vp9"), field, folder)


def in_24_bits(field: Foa) -> Foa:
    return (as_24_bits(field) / 2.0**23).astype(np.float32)


def pcm_mkv(*args: Any, **options: Any) -> None:
    write_mkv(*args, pcm=True, **options)


@pytest.mark.parametrize(
    ("write", "name"), [(write_mov, "a.mov"), (write_mkv, "a.mkv"), (pcm_mkv, "a.mkv")]
)
def test_lossless_sound_is_what_was_written(
    h264: DeliverySource, field: Foa, tmp_path: Path, write: Write, name: str
) -> None:
    write(h264, tmp_path / name)
    found, rate = read_foa(tmp_path / name)
    assert rate == RATE
    np.testing.assert_array_equal(found, in_24_bits(field))


def test_24_bits_hold_both_ends_of_the_scale() -> None:
    ends = np.array([-2, -1, -0.5, 0, 2.0**-23, 0.75, 1 - 2.0**-23, 1, 2], np.float32)
    expected = [-(2**23), -(2**23), -(2**22), 0, 1, 3 * 2**21, 2**23 - 1, 2**23 - 1, 2**23 - 1]
    assert as_24_bits(ends).tolist() == expected


def error_below(field: Foa, found: Foa) -> float:
    """How far the error's energy lies under the field's, dB; what follows the end is left out."""
    found = found[:, : field.shape[1]]
    return float(10 * np.log10(np.sum(field**2) / np.sum((field - found) ** 2)))


def delay(field: Foa, found: Foa) -> int:
    """Samples by which ``found`` comes late."""
    at, count = field.shape[1] // 10, field.shape[1] // 2
    piece = field[0, at : at + count]
    fits = [float(piece @ found[0, at + d : at + d + count]) for d in range(-50, 51)]
    return int(np.argmax(fits)) - 50


def off_by(found: Foa, part: int, where: tuple[float, float]) -> float:
    """Degrees between the intensity vector of a fifth of the field and a direction."""
    length = found.shape[1] // len(DIRECTIONS)
    inner = found[:, part * length + 2000 : (part + 1) * length - 2000].astype(np.float64)
    y, z, x = (inner[0] * inner[1:]).mean(axis=1)
    azimuth, elevation = where
    ahead = np.cos(elevation) * np.array([np.cos(azimuth), np.sin(azimuth)])
    cosine = float(np.array([x, y, z]) @ [*ahead, np.sin(elevation)] / np.linalg.norm([x, y, z]))
    return float(np.degrees(np.arccos(min(1.0, cosine))))


@pytest.mark.parametrize(
    ("clip", "write", "name", "least"),
    [
        ("h264", write_mp4, "aac.mp4", 25),
        ("vp9", write_mp4, "aac.mp4", 25),
        ("h264", write_webm, "opus.mp4", 15),
        ("vp9", write_webm, "opus.webm", 15),
    ],
)
def test_lossy_sound_keeps_level_direction_and_time(
    request: pytest.FixtureRequest,
    field: Foa,
    tmp_path: Path,
    clip: str,
    write: Write,
    name: str,
    least: float,
) -> None:
    write(request.getfixturevalue(clip), tmp_path / name)
    found, rate = read_foa(tmp_path / name)
    assert rate == RATE
    assert 0 <= found.shape[1] - field.shape[1] < 1024
    assert error_below(field, found) > least
    assert delay(field, found) == 0
    for part, where in enumerate(DIRECTIONS.values()):
        assert off_by(found[:, : field.shape[1]], part, where) < 1


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not installed")
@pytest.mark.parametrize(
    ("clip", "write", "name", "least"),
    [
        ("h264", write_mov, "a.mov", 120),
        ("h264", write_mp4, "a.mp4", 25),
        ("h264", write_webm, "b.mp4", 15),
        ("vp9", write_webm, "a.webm", 15),
        ("h264", write_mkv, "a.mkv", 120),
    ],
)
def test_another_decoder_hears_the_same(
    request: pytest.FixtureRequest,
    field: Foa,
    tmp_path: Path,
    clip: str,
    write: Write,
    name: str,
    least: float,
) -> None:
    """The command of another FFmpeg than the one inside."""
    write(request.getfixturevalue(clip), tmp_path / name)
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / name), "-map", "0:a"]
    raw = subprocess.run(
        [*command, "-f", "f32le", "-c:a", "pcm_f32le", "-"], capture_output=True, check=True
    ).stdout
    found = np.frombuffer(raw, "<f4").reshape(-1, 4).T
    assert abs(found.shape[1] - field.shape[1]) < 1024
    short = field[:, : found.shape[1]]
    assert error_below(short, found) > least
    assert delay(short, found) == 0


@pytest.mark.parametrize(
    ("write", "name", "least"), [(write_mp4, "a.mp4", 35), (write_webm, "b.mp4", 15)]
)
def test_a_recorded_field_survives(
    h264: DeliverySource, tmp_path: Path, write: Write, name: str, least: float
) -> None:
    recording = material("ambisonics/real_foa_wxyz_1.ogg")
    info = h264.clip
    assert info is not None
    source = DeliverySource(recording, info, convention="fuma")
    write(source, tmp_path / name)
    field = np.concatenate(list(source.blocks_in_clip(RATE, info.samples(RATE))), axis=1)
    found, _ = read_foa(tmp_path / name)
    assert error_below(field, found) > least
    assert delay(field, found) == 0


def test_yaw_is_turned_back(h264: DeliverySource, tmp_path: Path) -> None:
    """A take turned so that the left became its front stands on the left of the picture again."""
    info = h264.clip
    assert info is not None
    left = encode_plane_wave(pink(info.samples(RATE)), np.pi / 2, 0).astype(np.float32)
    write_wav(tmp_path / "turned.wav", rotate_yaw(left, -np.pi / 2), RATE)
    write_mov(DeliverySource(tmp_path / "turned.wav", info, yaw=90.0), tmp_path / "a.mov")
    found, _ = read_foa(tmp_path / "a.mov")
    np.testing.assert_allclose(found, left, atol=1e-6)
    assert probe(tmp_path / "a.mov").yaw == 0


def test_a_field_of_a_part_lies_where_it_belongs(h264: DeliverySource, tmp_path: Path) -> None:
    info = h264.clip
    assert info is not None
    part = encode_plane_wave(pink(RATE), 0.5, 0).astype(np.float32)
    write_wav(tmp_path / "part.wav", part, RATE)
    write_mov(DeliverySource(tmp_path / "part.wav", info, clip_start=0.7), tmp_path / "a.mov")
    found, _ = read_foa(tmp_path / "a.mov")
    expected = np.zeros((4, info.samples(RATE)), np.float32)
    expected[:, round(0.7 * RATE) : round(1.7 * RATE)] = in_24_bits(part)
    np.testing.assert_array_equal(found, expected)


def test_another_rate_is_resampled_and_kept_in_archives(
    h264: DeliverySource, tmp_path: Path
) -> None:
    info = h264.clip
    assert info is not None
    tone = 0.3 * np.sin(2 * np.pi * 500 * np.arange(round(2.5 * 44_100)) / 44_100)
    slow = encode_plane_wave(tone, np.pi / 2, 0).astype(np.float32)
    write_wav(tmp_path / "slow.wav", slow, 44_100)
    source = DeliverySource(tmp_path / "slow.wav", info)
    write_mov(source, tmp_path / "a.mov")
    found, rate = read_foa(tmp_path / "a.mov")
    assert (rate, found.shape[1]) == (RATE, round(2.5 * RATE))
    expected = 0.3 * np.sin(2 * np.pi * 500 * np.arange(found.shape[1]) / RATE)
    assert np.abs(found[1] - expected)[2000:-2000].max() < 1e-4
    write_mkv(source, tmp_path / "a.mkv")
    found, rate = read_foa(tmp_path / "a.mkv")
    assert rate == 44_100
    np.testing.assert_array_equal(found, in_24_bits(slow))


def test_beyond_full_scale_is_told(h264: DeliverySource, tmp_path: Path) -> None:
    info = h264.clip
    assert info is not None
    loud = np.zeros((4, RATE), np.float32)
    loud[:, 100:103] = 1.5
    write_wav(tmp_path / "loud.wav", loud, RATE)
    result = write_mov(DeliverySource(tmp_path / "loud.wav", info), tmp_path / "a.mov")
    assert any(note.startswith("12 samples are beyond full scale") for note in result.notes)
    found, _ = read_audio(tmp_path / "a.mov")
    assert found.max() == np.float32(1 - 2.0**-23)


def test_opus_goes_where_the_video_may(h264: DeliverySource, vp9: DeliverySource) -> None:
    assert h264.clip is not None and vp9.clip is not None
    assert (webm_ending(h264.clip), webm_ending(vp9.clip)) == (".mp4", ".webm")
    with pytest.raises(OptionError, match=r"expected a name that ends with \.mp4.*WebM cannot"):
        write_webm(h264, Path("a.webm"))
