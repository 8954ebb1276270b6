"""Recordings along a clip's time line: their own samples, silence where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.recording import Recording, RecordingPart, open_recording
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip

RATE = 48_000
TIMES = [k / 10 for k in range(20)]


def noise(channels: int, seconds: float = 2.0) -> np.ndarray:
    """In sixteen bits, exactly."""
    rng = np.random.default_rng(0)
    return (rng.integers(-9000, 9000, (channels, round(seconds * RATE))) / 32768).astype(np.float32)


def clip(path: Path, sound: np.ndarray | None, start: float = 0.0) -> ClipInfo:
    make_clip(path, TIMES, rate=10, sound=sound, sound_codec="pcm_s16le", sound_start=start)
    return probe(path)


@pytest.fixture(scope="module")
def mute(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    """Two seconds without sound."""
    return clip(tmp_path_factory.mktemp("mute") / "mute.mkv", None)


def read(
    recording: Recording, rate: int = RATE, first: int = 0, samples: int = 2 * RATE
) -> tuple[np.ndarray, np.ndarray | None, RecordingPart]:
    part = RecordingPart(recording, rate, first, samples)
    blocks = list(part.blocks(5000))
    assert max(middle.size for middle, _ in blocks) <= 65536
    sides = [side for _, side in blocks if side is not None]
    assert len(sides) in (0, len(blocks))
    middle = np.concatenate([middle for middle, _ in blocks])
    assert middle.dtype == np.float32
    return middle, np.concatenate(sides) if sides else None, part


def test_a_clip_s_own_sound_bit_for_bit(tmp_path: Path) -> None:
    sound = noise(1)
    recording = open_recording(clip(tmp_path / "a.mkv", sound))
    assert not recording.is_stereo
    middle, side, part = read(recording)
    assert middle.tobytes() == sound[0].tobytes()
    assert side is None
    assert (part.missing, part.surplus, part.compared(True)) == (0, 0, [])


def test_stereo_is_middle_and_side(tmp_path: Path) -> None:
    left, right = noise(2)
    recording = open_recording(clip(tmp_path / "a.mkv", np.stack([left, right])))
    assert recording.is_stereo
    middle, side, _ = read(recording)
    np.testing.assert_array_equal(middle, (left + right) / 2)
    np.testing.assert_array_equal(side, (left - right) / 2)


def test_more_channels_are_averaged(tmp_path: Path, mute: ClipInfo) -> None:
    sound = noise(3)
    write_wav(tmp_path / "a.wav", sound, RATE)
    recording = open_recording(mute, tmp_path / "a.wav")
    middle, side, _ = read(recording)
    np.testing.assert_allclose(middle, sound.mean(axis=0), atol=1e-7)
    assert side is None


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_part_is_that_of_the_whole(tmp_path: Path, rate: int) -> None:
    """Whichever sample it begins at, resampled or not (Matroska rounds times to milliseconds)."""
    recording = open_recording(clip(tmp_path / "a.mov", noise(1)))
    whole, _, _ = read(recording, rate, 0, 2 * rate)
    for first in (1, round(0.7 * rate) + 1, round(1.3 * rate)):
        part, _, _ = read(recording, rate, first, rate // 2)
        np.testing.assert_allclose(part, whole[first : first + rate // 2], atol=1e-6)


def test_a_track_that_begins_late_is_where_it_was(tmp_path: Path) -> None:
    sound = noise(1, 1.0)
    recording = open_recording(clip(tmp_path / "a.mkv", sound, start=0.25))
    middle, _, part = read(recording)
    assert not middle[: RATE // 4].any()
    assert middle[RATE // 4 : RATE // 4 + RATE].tobytes() == sound[0].tobytes()
    assert part.missing == 2 * RATE - RATE // 4 - RATE


@pytest.mark.parametrize(
    ("seconds", "first", "whole", "said"),
    [
        (1.5, 0, True, "ends 0.50 s before the clip; silence follows it"),
        (1.5, RATE, False, "ends 0.50 s before the range"),
        (3.25, 0, True, "is 1.25 s longer than the clip; its end is left out"),
        (3.25, 0, False, None),
        (1.95, 0, True, None),
        (2.05, 0, True, None),
    ],
)
def test_what_is_too_short_or_too_long_is_told(
    tmp_path: Path, mute: ClipInfo, seconds: float, first: int, whole: bool, said: str | None
) -> None:
    """By how much; a packet's padding is not worth a word."""
    sound = noise(1, seconds)
    write_wav(tmp_path / "a.wav", sound, RATE)
    recording = open_recording(mute, tmp_path / "a.wav")
    middle, _, part = read(recording, first=first, samples=2 * RATE - first)
    have = min(sound.shape[1] - first, middle.size)
    assert middle.size == 2 * RATE - first
    assert middle[:have].tobytes() == sound[0, first : first + have].tobytes()
    assert not middle[have:].any()
    told = part.compared(whole)
    assert len(told) == (said is not None)
    if said is not None:
        assert said in told[0]
        assert str(tmp_path / "a.wav") in told[0]


def test_sound_out_of_a_compressed_file(tmp_path: Path, mute: ClipInfo) -> None:
    """Decoded samples as the library gives them; a cover picture is no clock."""
    sound = noise(1)
    info = mute
    soundfile.write(tmp_path / "a.flac", sound.T, RATE, subtype="PCM_16")
    middle, _, _ = read(open_recording(info, tmp_path / "a.flac"))
    assert middle.tobytes() == sound[0].tobytes()


def test_silence_is_refused(tmp_path: Path, mute: ClipInfo) -> None:
    sound = noise(1)
    sound[:, : RATE + 1] = 0
    recording = open_recording(clip(tmp_path / "a.mkv", sound))
    RecordingPart(recording, RATE, 0, RATE + 2).check_heard()
    with pytest.raises(MediaError, match=r"is silent from 0 s to 1 s: there is nothing to place"):
        RecordingPart(recording, RATE, 0, RATE).check_heard()
    # Past its end there is nothing either.
    write_wav(tmp_path / "short.wav", noise(1, 0.5), RATE)
    short = open_recording(mute, tmp_path / "short.wav")
    with pytest.raises(MediaError, match="is silent from 1 s"):
        RecordingPart(short, RATE, RATE, RATE).check_heard()


def test_what_is_no_number_is_refused(tmp_path: Path, mute: ClipInfo) -> None:
    sound = noise(1)
    sound[0, 24_000] = np.nan
    soundfile.write(tmp_path / "a.wav", sound.T, RATE, subtype="FLOAT")
    recording = open_recording(mute, tmp_path / "a.wav")
    with pytest.raises(MediaError, match="NaN or infinite values after 0"):
        read(recording)


def test_what_cannot_be_placed_is_refused(tmp_path: Path, mute: ClipInfo) -> None:
    with pytest.raises(MediaError, match="no sound of its own to place; use omniaudio generate"):
        open_recording(mute)
    write_wav(tmp_path / "field.wav", noise(4), RATE)
    with pytest.raises(MediaError, match="looks like a sound field already"):
        open_recording(mute, tmp_path / "field.wav")
    with VideoWriter(
        tmp_path / "field.mp4", 64, 32, 10, audio_rate=RATE, audio_channels=4
    ) as writer:
        writer.write_frame(np.zeros((32, 64, 3), np.uint8))
        writer.write_audio(noise(4, 0.1))
    with pytest.raises(MediaError, match="is a sound field already"):
        open_recording(probe(tmp_path / "field.mp4"))
    with pytest.raises(MediaError, match="has no sound that can be read"):
        open_recording(mute, mute.path)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(MediaError, match=r"text\.wav"):
        open_recording(mute, tmp_path / "text.wav")
    with pytest.raises(MissingFileError):
        open_recording(mute, tmp_path / "no.wav")
