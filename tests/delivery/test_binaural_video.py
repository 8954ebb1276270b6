"""The clip for plain players: stereo for headphones, in the picture's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.delivery.binaural_video import write_binaural_video
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.foa.binaural import render_binaural
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.spherical import read_spherical
from omniaudio_studio.media.wav import write_wav
from tests.delivery.muxed import RATE, clip_of, packets_of, pictures, pink


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    return probe(clip_of(tmp_path_factory.mktemp("clip") / "clip.mp4", 2.0))


@pytest.fixture(scope="module")
def left() -> np.ndarray:
    return encode_plane_wave(pink(2 * RATE), np.pi / 2, 0).astype(np.float32)


def rendered(path: Path) -> np.ndarray:
    sound, rate = read_audio(path)
    assert rate == RATE
    return sound[:, : 2 * RATE]


def louder_left(ears: np.ndarray, first: float = 0.0, last: float = 2.0) -> float:
    """Level of the left ear over the right one's, dB, between two times."""
    part = ears[:, round(first * RATE) : round(last * RATE)].astype(np.float64)
    return float(10 * np.log10(np.sum(part[0] ** 2) / np.sum(part[1] ** 2)))


def test_it_is_the_renderers_sound(clip: ClipInfo, left: np.ndarray, tmp_path: Path) -> None:
    write_wav(tmp_path / "left.wav", left, RATE)
    source = DeliverySource(tmp_path / "left.wav", clip)
    result = write_binaural_video(source, tmp_path / "a.mp4")
    assert result.sound == "AAC, 320 kb/s"
    found = rendered(tmp_path / "a.mp4")
    expected = render_binaural(left, RATE)[:, : 2 * RATE]
    error = np.sum((found - expected) ** 2) / np.sum(expected**2)
    assert 10 * np.log10(error) < -20
    assert louder_left(found) > 3
    assert packets_of(tmp_path / "a.mp4") == packets_of(clip.path)
    assert pictures(tmp_path / "a.mp4")[0] == (0.0, 0)
    assert read_spherical(tmp_path / "a.mp4") is not None
    told = probe(tmp_path / "a.mp4").audio
    assert told is not None and (told.channels, told.ambisonic) == (2, False)


def test_the_head_stands_in_the_picture(clip: ClipInfo, left: np.ndarray, tmp_path: Path) -> None:
    """A turned take is turned back; a head that looks to the left hears the left in front."""
    write_wav(tmp_path / "turned.wav", rotate_yaw(left, -np.pi / 2), RATE)
    source = DeliverySource(tmp_path / "turned.wav", clip, yaw=90.0)
    write_binaural_video(source, tmp_path / "a.mp4")
    assert louder_left(rendered(tmp_path / "a.mp4")) > 3
    write_binaural_video(source, tmp_path / "b.mp4", yaw=90.0)
    assert abs(louder_left(rendered(tmp_path / "b.mp4"))) < 1
    write_binaural_video(source, tmp_path / "c.mp4", yaw=180.0)
    assert louder_left(rendered(tmp_path / "c.mp4")) < -3


def test_it_follows_a_head_track(clip: ClipInfo, left: np.ndarray, tmp_path: Path) -> None:
    write_wav(tmp_path / "left.wav", left, RATE)
    track = tmp_path / "head.csv"
    track.write_text("time,yaw,pitch,roll\n0,0,0,0\n0.9,0,0,0\n1.1,180,0,0\n2,180,0,0\n")
    source = DeliverySource(tmp_path / "left.wav", clip)
    write_binaural_video(source, tmp_path / "a.mp4", track=track)
    ears = rendered(tmp_path / "a.mp4")
    assert louder_left(ears, 0.1, 0.8) > 3
    assert louder_left(ears, 1.2, 1.9) < -3


def test_options_that_make_no_sense(clip: ClipInfo, left: np.ndarray, tmp_path: Path) -> None:
    write_wav(tmp_path / "left.wav", left, RATE)
    source = DeliverySource(tmp_path / "left.wav", clip)
    with pytest.raises(OptionError, match=r"ends with \.mp4"):
        write_binaural_video(source, tmp_path / "a.mov")
    with pytest.raises(OptionError, match="in degrees"):
        write_binaural_video(source, tmp_path / "a.mp4", yaw=float("nan"))
    with pytest.raises(OptionError, match="leave yaw, pitch and roll out"):
        write_binaural_video(source, tmp_path / "a.mp4", yaw=5, track=tmp_path / "head.csv")
    with pytest.raises(MissingFileError):
        write_binaural_video(source, tmp_path / "a.mp4", track=tmp_path / "none.csv")
    assert not (tmp_path / "a.mp4").exists()
