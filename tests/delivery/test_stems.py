"""Stems: sound and track together make the source's part of the field again."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from omniaudio_studio.delivery.placed import PlacedVoice
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.stems import COLUMNS, STEP, stem_files, write_stems
from omniaudio_studio.errors import (
    Cancelled,
    MissingFileError,
    OptionError,
    OutputError,
    OutputExistsError,
)
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.jobs.deliver_request import PlacedSource
from omniaudio_studio.media.bext import read_bext
from omniaudio_studio.media.wav import write_wav

RATE = 48000
SECONDS = 2.0
ORIGIN = Provenance("OmniAudio Studio 9", "mixed", "tiny", "1", 7, 3.0, True, "CC0-1.0")


@pytest.fixture
def field(tmp_path: Path) -> DeliverySource:
    write_wav(tmp_path / "field.wav", np.zeros((4, round(SECONDS * RATE)), np.float32), RATE)
    return DeliverySource(tmp_path / "field.wav", provenance=ORIGIN)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    write_wav(tmp_path / "dog.wav", 0.1 * rng.standard_normal((1, 3 * RATE)), RATE)
    return tmp_path / "dog.wav"


def passing(sound: Path, **options: object) -> PlacedSource:
    """From the left to the right in front, up on the way."""
    points = ((0.5, 3.0, 4.0, 0.0, 1.0), (1.5, 3.0, -4.0, 2.0, 0.5))
    return PlacedSource(sound, "dog", 0.25, points, **options)  # type: ignore[arg-type]


def table(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    return np.array(rows[1:], np.float64).T


def of_the_voice(source: PlacedSource, first: int, samples: int) -> np.ndarray:
    """What the source adds to a field, as deliveries mix it."""
    foa = np.zeros((4, samples), np.float32)
    with PlacedVoice(source, RATE) as voice:
        voice.add_to(foa, first)
    return foa


@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("start", [0.0, 0.3])
def test_sound_and_track_make_the_field_again(
    field: DeliverySource, sound: Path, tmp_path: Path, delay: bool, start: float
) -> None:
    source = passing(sound, delay=delay, max_distance=6.0)
    (stem,) = write_stems(field, tmp_path / "stems", sources=[source], start=start)
    mono, rate = soundfile.read(stem.wav, dtype="float32")
    assert (rate, mono.shape) == (RATE, (round(SECONDS * RATE),))
    time, azimuth, elevation, distance, gain = table(stem.track)
    seconds = np.arange(mono.size) / RATE
    # The vectors are interpolated, not the angles, which may jump by a turn.
    vectors = np.array(
        [
            direction_vector(math.radians(a), math.radians(e))
            for a, e in zip(azimuth, elevation, strict=True)
        ]
    )
    x, y, z = (np.interp(seconds, time, vectors[:, axis]) for axis in range(3))
    level = mono * np.interp(seconds, time, gain)
    made = np.stack([level, level * y, level * z, level * x])
    expected = of_the_voice(source, round(start * RATE), mono.size)
    np.testing.assert_allclose(made, expected, atol=3e-5)
    assert np.abs(expected).max() > 0.02
    assert distance.min() >= 4.0 / 3 and gain.max() <= 0.2


def test_a_track_has_a_row_for_every_step_of_a_source_that_moves(
    field: DeliverySource, sound: Path, tmp_path: Path
) -> None:
    (stem,) = write_stems(field, tmp_path / "stems", sources=[passing(sound)])
    time, azimuth, *_ = table(stem.track)
    moving = time[(time >= 0.5) & (time <= 1.5)]
    np.testing.assert_allclose(np.diff(moving), STEP, atol=1e-9)
    assert (time[0], time[-1]) == (0.0, SECONDS)
    assert len(time) < 60  # at rest before and after
    assert azimuth[0] == pytest.approx(math.degrees(math.atan2(4, 3)), abs=1e-4)
    assert azimuth[-1] == pytest.approx(math.degrees(math.atan2(-4, 3)), abs=1e-4)


def test_a_source_at_rest_has_two_rows(field: DeliverySource, sound: Path, tmp_path: Path) -> None:
    source = PlacedSource(sound, "bell", 0.0, ((0.0, 0.0, 0.0, 2.0, 0.8),))
    (stem,) = write_stems(field, tmp_path / "stems", sources=[source])
    rows = table(stem.track).T
    np.testing.assert_allclose(rows, [[0, 0, 90, 2, 0.4], [SECONDS, 0, 90, 2, 0.4]])
    mono = soundfile.read(stem.wav, dtype="float32")[0]
    np.testing.assert_array_equal(mono, soundfile.read(sound, dtype="float32")[0][: mono.size])


def test_names_become_names_of_files(sound: Path, tmp_path: Path) -> None:
    points = ((0.0, 1.0, 0.0, 0.0, 1.0),)
    names = ["dog", "dog", "a/b: c?", "...", "犬", "x" * 300]
    sources = [PlacedSource(sound, name, 0.0, points) for name in names]
    found = [stem.wav.name for stem in stem_files(tmp_path, sources)]
    assert found == [
        "1-dog.wav", "2-dog.wav", "3-a-b-c.wav", "4.wav", "5-犬.wav", f"6-{'x' * 60}.wav"
    ]  # fmt: skip


def test_what_a_stem_says(field: DeliverySource, sound: Path, tmp_path: Path) -> None:
    (stem,) = write_stems(field, tmp_path / "stems", sources=[passing(sound)], subtype="pcm24")
    found = read_bext(stem.wav)
    assert found is not None
    # The model made the field, not the dog.
    assert found.description == (
        "Mono stem of the placed source dog, before gain and direction. "
        "Recorded sound placed on the sphere by OmniAudio Studio 9"
    )


def test_what_fails_leaves_nothing(field: DeliverySource, sound: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write_stems(field, out / "a", sources=[passing(sound)], cancel=SimpleNamespace(check=stop))
    gone = passing(tmp_path / "gone.wav")
    with pytest.raises(MissingFileError, match=r"gone\.wav"):
        write_stems(field, out / "a", sources=[passing(sound), gone])
    with pytest.raises(OptionError, match="no placed sounds"):
        write_stems(field, out / "a", sources=[])
    assert not list(out.iterdir())
    (out / "a").mkdir()
    (out / "a" / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_stems(field, out / "a", sources=[passing(sound)])
    with pytest.raises(MissingFileError):
        write_stems(field, out / "a", sources=[gone], overwrite=True)
    assert [path.name for path in (out / "a").iterdir()] == ["mine.txt"]
    write_stems(field, out / "a", sources=[passing(sound)], overwrite=True)
    assert {path.name for path in (out / "a").iterdir()} == {"1-dog.wav", "1-dog.csv"}
    assert [path.name for path in out.iterdir()] == ["a"]
    (out / "b").write_text("a file")
    with pytest.raises(OutputError, match="it is a file"):
        write_stems(field, out / "b", sources=[passing(sound)])


def test_progress_covers_all_sources(field: DeliverySource, sound: Path, tmp_path: Path) -> None:
    told: list[float] = []
    write_stems(
        field, tmp_path / "a", sources=[passing(sound), passing(sound)], progress=told.append
    )
    assert told == sorted(told) and told[-1] == 1.0 and 0.5 in told
