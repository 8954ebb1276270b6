"""A file as one channel: the same samples wherever reading begins, in whatever pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.delivery.mono_sound import MonoSound
from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.media.wav import write_wav

RATE = 48000


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """A chirp, so that every place is another."""
    times = np.arange(round(seconds * rate)) / rate
    chirp = 0.5 * np.sin(2 * np.pi * (200 + 400 * times) * times)
    return np.stack([chirp * (1 + channel) for channel in range(channels)]).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "chirp.wav"
    write_wav(path, tone(3.3, RATE), RATE)
    return path


def everything(path: Path, first: int, count: int, **options: bool) -> np.ndarray:
    with MonoSound(path, RATE, **options) as sound:
        return sound.piece(first, count)


def test_silence_lies_before_and_after(file: Path) -> None:
    whole = tone(3.3, RATE)[0]
    found = everything(file, -1000, whole.size + 3000)
    np.testing.assert_array_equal(found[1000:-2000], whole)
    assert not found[:1000].any()
    assert not found[-2000:].any()
    assert not everything(file, -500, 300).any()
    assert not everything(file, whole.size + 5 * RATE, 300).any()


@pytest.mark.parametrize("first", [0, 1, 47_999, 48_000, 100_001])
def test_reading_may_begin_anywhere(file: Path, first: int) -> None:
    np.testing.assert_array_equal(everything(file, first, 5000), tone(3.3, RATE)[0, first:][:5000])


def test_pieces_may_overlap_and_have_any_length(file: Path) -> None:
    whole = np.pad(tone(3.3, RATE)[0], (7000, 20000))
    with MonoSound(file, RATE) as sound:
        for first, count in [
            (-7000, 3000),
            (-5000, 6000),
            (-500, 70_000),
            (60_000, 9),
            (99_000, 1),
        ]:
            piece = sound.piece(first, count)
            np.testing.assert_array_equal(piece, whole[first + 7000 :][:count])
        with pytest.raises(ValueError, match="given up"):
            sound.piece(0, 10)


@pytest.mark.parametrize("first", [0, 30_000, 48_000, 120_000])
def test_another_rate_sounds_the_same_wherever_it_begins(tmp_path: Path, first: int) -> None:
    path = tmp_path / "chirp.wav"
    write_wav(path, tone(3.3, 44100), 44100)
    wanted = tone(3.3, RATE)[0, first : first + 30_000]
    found = everything(path, first, 30_000)
    np.testing.assert_allclose(found[100:], wanted[100:], atol=1e-4)
    np.testing.assert_allclose(found, everything(path, 0, first + 30_000)[first:], atol=1e-5)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3", ".aiff"])
def test_other_kinds_of_file_sound_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"chirp{suffix}"
    soundfile.write(path, tone(3.0, 44100, channels=2).T * 0.5, 44100)
    wanted = 0.75 * tone(3.0, RATE)[0]
    for first in (4800, 100_000):
        found = everything(path, first, 30_000)
        error = found - wanted[first : first + 30_000]
        assert np.sqrt(np.mean(error**2)) < 0.02  # in time: half a period late would be 0.5


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    write_wav(path, tone(1.0, RATE, channels=2), RATE)
    np.testing.assert_allclose(everything(path, 0, RATE), 1.5 * tone(1.0, RATE)[0], atol=1e-6)


@pytest.mark.parametrize("first", [-100, 0, 5000, 1_000_000])
def test_a_loop_begins_anew_whenever_it_ends(file: Path, first: int) -> None:
    turn = tone(3.3, RATE)[0]
    found = everything(file, first, 3 * turn.size, loop=True)
    before = max(-first, 0)
    wanted = turn[(np.arange(3 * turn.size - before) + max(first, 0)) % turn.size]
    assert not found[:before].any()
    np.testing.assert_array_equal(found[before:], wanted)


@pytest.mark.parametrize("first", [0, 10])
def test_nothing_cannot_be_repeated(tmp_path: Path, first: int) -> None:
    path = tmp_path / "empty.wav"
    write_wav(path, np.zeros((1, 0)), RATE)
    with pytest.raises(MediaError, match=r"empty\.wav"):
        everything(path, first, 10, loop=True)


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no sound")
    with pytest.raises(MediaError):
        everything(tmp_path / "a.txt", 0, 10)
    with pytest.raises(MissingFileError):
        everything(tmp_path / "no.wav", 0, 10)
