"""Excerpts of sound files are the files' own samples, as fields at one rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.sounds import FolderSounds, SceneSounds
from tests.support.material import material

RATE = 44100


def noise(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (0.1 * generator.standard_normal((channels, samples))).astype(np.float32)


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, sound.T, rate, subtype="FLOAT")


def test_fields_stereo_and_mono_become_fields(tmp_path: Path) -> None:
    field, stereo, mono = noise(4, 9000), noise(2, 8000), noise(1, 7000)
    for name, sound in (("a", field), ("b", stereo), ("c", mono)):
        write(tmp_path / "below" / f"{name}.wav", sound)
    sounds = FolderSounds(tmp_path, RATE, say=pytest.fail)
    assert [sounds.length(index) for index in range(3)] == [9000, 8000, 7000]
    np.testing.assert_array_equal(sounds.read(0, 1234, 500), field[:, 1234:1734])
    found = sounds.read(1, 100, 500)
    left, right = stereo[:, 100:600]
    np.testing.assert_allclose(found[0], (left + right) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(found[1], (left - right) / np.sqrt(2), atol=1e-6)
    assert not found[2:].any()
    found = sounds.read(2, 6900, 500)  # past the end: zeros
    np.testing.assert_array_equal(found[0, :100], mono[0, 6900:])
    assert found.shape == (4, 500) and not found[1:].any() and not found[0, 100:].any()


def test_an_excerpt_at_another_rate_is_that_of_the_whole(tmp_path: Path) -> None:
    import soxr

    field = noise(4, 48000)
    write(tmp_path / "a.wav", field, 48000)
    sounds = FolderSounds(tmp_path, RATE, say=pytest.fail)
    assert sounds.length(0) == RATE
    whole = soxr.resample(field.T, 48000, RATE).T
    for start in (0, 1, 147, 20011, 41000):
        found = sounds.read(0, start, 3000)
        np.testing.assert_allclose(found, whole[:, start : start + 3000], atol=2e-5)


def test_what_cannot_be_used_is_left_out_and_told(tmp_path: Path) -> None:
    write(tmp_path / "good.wav", noise(2, 4000))
    write(tmp_path / "silent.wav", np.zeros((1, 4000), np.float32))
    write(tmp_path / "clipped.wav", np.clip(30 * noise(1, 4000), -1, 1))
    broken = noise(4, 4000)
    broken[2, 3000] = np.nan
    write(tmp_path / "broken.wav", broken)
    write(tmp_path / "three.wav", noise(3, 4000))
    (tmp_path / "text.wav").write_text("no sound")
    said: list[str] = []
    sounds = FolderSounds(tmp_path, RATE, said.append)
    assert [file.path.name for file in sounds.files] == ["good.wav"]
    for name, reason in (
        ("broken.wav", "no numbers"),
        ("clipped.wav", "is clipped"),
        ("silent.wav", "is silent"),
        ("text.wav", ""),
        ("three.wav", "3 channels"),
    ):
        (line,) = [line for line in said if name in line]
        assert reason in line and "\n" not in line
    (tmp_path / "good.wav").unlink()
    with pytest.raises(MediaError, match="none of the 5 sound files"):
        FolderSounds(tmp_path, RATE, said.append)
    with pytest.raises(MissingFileError, match="no folder of sounds"):
        FolderSounds(tmp_path / "nowhere", RATE, said.append)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingFileError, match="holds no sound files"):
        FolderSounds(tmp_path / "empty", RATE, said.append)


def test_scenes_are_read_as_they_are() -> None:
    field = noise(4, 600).astype(np.float16)[None]
    nothing = np.zeros((1, 1, 2, 2, 3), np.uint8)
    scenes = SceneSet(field, nothing, nothing, np.zeros((1, 1, 3, 7), np.float32), ("one",), 8.0)
    sounds = SceneSounds(scenes)
    assert (len(sounds), sounds.length(0), sounds.rate) == (1, 600, 48000)
    found = sounds.read(0, 500, 200)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :100], field[0, :, 500:])
    assert not found[:, 100:].any()


def test_recorded_sounds_can_be_used() -> None:
    said: list[str] = []
    sounds = FolderSounds(material("audio/esc10/dog_bark"), RATE, said.append)
    assert len(sounds) + len(said) == len(list(material("audio/esc10/dog_bark").iterdir()))
    assert len(sounds) > len(said)
    assert np.abs(sounds.read(0, 0, sounds.length(0))[0]).max() > 0.01
