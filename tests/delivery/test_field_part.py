"""A part of a field is the field's own samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.delivery.field_part import FieldPart
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.media.audio import FoaReader
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.media.wav import write_wav

RATE = 48000


def noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal((4, round(seconds * RATE)))).astype(np.float32)


@pytest.fixture
def field(tmp_path: Path) -> Path:
    path = tmp_path / "field.wav"
    write_wav(path, noise(4.2), RATE)
    return path


def part(path: Path, rate: int = RATE, *where: float) -> np.ndarray:
    with FoaReader(path) as reader:
        found = FieldPart(reader, rate, *where)
        blocks = list(found.blocks(10_000))
    joined = np.concatenate(blocks, axis=1)
    assert joined.shape == (4, found.samples)
    assert all(block.shape[1] == 10_000 for block in blocks[:-1])
    return joined


@pytest.mark.parametrize("where", [(), (0.0, 1.0), (1.2345678,), (1.0, 1.23456), (4.19995,)])
def test_samples_are_the_field_s_own(field: Path, where: tuple[float, ...]) -> None:
    first = round(where[0] * RATE) if where else 0
    count = round(where[1] * RATE) if len(where) > 1 else None
    wanted = noise(4.2)[:, first:][:, :count]
    np.testing.assert_array_equal(part(field, RATE, *where), wanted)


@pytest.mark.parametrize("start", [0.0, 0.3, 1.0, 2.71])
def test_another_rate_keeps_every_time(tmp_path: Path, start: float) -> None:
    times = np.arange(4 * 44100) / 44100
    path = tmp_path / "field.wav"
    write_wav(path, np.stack([np.sin(2 * np.pi * 500 * times)] * 4), 44100)
    found = part(path, RATE, start, 1.0)
    wanted = np.sin(2 * np.pi * 500 * (round(start * RATE) + np.arange(RATE)) / RATE)
    np.testing.assert_allclose(found[2, 200:], wanted[200:], atol=1e-4)


def test_a_track_of_a_video_may_be_cut_too(tmp_path: Path) -> None:
    """Such a file doesn't tell how long its sound is: it is found out."""
    path = tmp_path / "clip.mkv"
    sound = (0.2 * noise(3.0)).astype(np.float32)
    with VideoWriter(path, 64, 32, 10, audio_rate=RATE, audio_channels=4) as writer:
        for index in range(30):
            writer.write_frame(np.zeros((32, 64, 3), np.uint8))
            writer.write_audio(sound[:, index * 4800 : (index + 1) * 4800])
    with FoaReader(path) as reader:
        assert reader.frames is None
        found = FieldPart(reader, RATE, 0.5)
        assert found.samples == pytest.approx(2.5 * RATE, abs=2048)
        joined = np.concatenate(list(found.blocks()), axis=1)
        whole = np.concatenate(list(FieldPart(reader, RATE).blocks()), axis=1)
    np.testing.assert_allclose(joined, whole[:, RATE // 2 :], atol=1e-3)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ((4.2,), "starts at 4.2 s"),
        ((1.0, 3.5), "at most 3.200 s"),
        ((0.0, 1e-6), "shorter than a sample"),
    ],
)
def test_a_part_outside_of_the_field_is_refused(
    field: Path, where: tuple[float, ...], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        part(field, RATE, *where)
    assert part(field, RATE, 1.0, 3.2004).shape[1] == round(3.2004 * RATE)  # read off a display


def test_an_empty_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    write_wav(path, np.zeros((4, 0)), RATE)
    with pytest.raises(MediaError, match="no samples"):
        part(path)


def test_a_field_that_ends_early_is_not_filled_with_silence(field: Path) -> None:
    with FoaReader(field) as reader:
        found = FieldPart(reader, RATE)
        write_wav(field, noise(2.0), RATE)  # cut while it is open
        with pytest.raises(MediaError, match=r"ends 2\.200 s early"):
            list(found.blocks())
