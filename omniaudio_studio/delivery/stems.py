"""Placed sounds as files of their own: a mono WAV of each, and where it was as a table (CSV)."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.mono_sound import MonoSound
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.source import BLOCK, DeliverySource
from omniaudio_studio.delivery.wav import RATE, wav_bext
from omniaudio_studio.errors import OptionError
from omniaudio_studio.files import folder_written_whole
from omniaudio_studio.foa.placed import PlacedPath
from omniaudio_studio.jobs.deliver_request import PlacedSource

if TYPE_CHECKING:
    from omniaudio_studio.media.wav import Subtype

COLUMNS = ("time_s", "azimuth_deg", "elevation_deg", "distance_m", "gain")
STEP = 0.02
"""Seconds between two rows of a track."""

_LONGEST_NAME = 60  # characters, of a file


@dataclass(frozen=True)
class Stem:
    """One source's files."""

    source: PlacedSource
    wav: Path
    track: Path


def stem_files(folder: Path, sources: Sequence[PlacedSource]) -> list[Stem]:
    """What lies in the folder: "1-dog.wav" and "1-dog.csv" for the first source, "dog"."""
    stems = []
    for number, source in enumerate(sources, 1):
        name = re.sub(r"[^\w-]+", "-", source.name).strip("-")[:_LONGEST_NAME]
        base = f"{number}-{name}" if name else str(number)
        stems.append(Stem(source, folder / f"{base}.wav", folder / f"{base}.csv"))
    return stems


def write_stems(
    source: DeliverySource,
    output: Path,
    *,
    sources: Sequence[PlacedSource],
    start: float = 0.0,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
    rate: int = RATE,
    subtype: Subtype = "float32",
) -> list[Stem]:
    """Write a folder with one mono WAV and one CSV for each placed source.

    A stem is the source's sound as it arrives, delayed where the source is, as long as the field;
    multiplied by the track's gain and encoded in the track's direction, it is the source's part of
    the field (but within `foa.placed.NEAR` of the listener, where directions fade). The track's
    axes are the field's: azimuth counter-clockwise from its front, elevation up.

    Parameters
    ----------
    output : Path
        The folder; it appears whole or not at all.
    sources : sequence of PlacedSource
        At least one.
    start : float
        Seconds on the sources' time line at which the field begins.
    progress, cancel, rate, subtype
        As for `delivery.wav.write_wav`.

    Returns
    -------
    list of Stem

    Raises
    ------
    OptionError
        If there are no sources.
    MissingFileError, MediaError
        If the field or a source's file cannot be read.
    OutputError
        If the folder cannot be written, or is there already.
    Cancelled
        If ``cancel`` said so.
    """
    if not sources:
        raise OptionError("there are no placed sounds; stems are made of those alone")
    samples = source.length(rate, cancel)
    with folder_written_whole(output, overwrite=overwrite) as folder:
        for number, stem in enumerate(stem_files(folder, sources)):
            one = _Writer(source, stem, start, samples, rate, cancel)

            def told(share: float, done: int = number) -> None:
                if progress is not None:
                    progress((done + share) / len(sources))

            one.write_sound(subtype, told)
            with stem.track.open("w", encoding="utf-8", newline="") as file:
                one.write_track(file)
    return stem_files(output, sources)


class _Writer:
    """One source."""

    def __init__(
        self,
        field: DeliverySource,
        stem: Stem,
        start: float,
        samples: int,
        rate: int,
        cancel: Cancel | None,
    ) -> None:
        placed = stem.source
        self._field, self._stem, self._samples, self._rate = field, stem, samples, rate
        self._first = round(start * rate)
        self._cancel = cancel
        self._path = PlacedPath(
            placed.points,
            rate,
            reference=placed.reference,
            rolloff=placed.rolloff,
            max_distance=placed.max_distance,
            delay=placed.delay,
        )

    def write_sound(self, subtype: Subtype, progress: Callable[[float], None]) -> None:
        from omniaudio_studio.media.wav import WavWriter

        placed, path = self._stem.source, self._path
        begins = f"Mono stem of the placed source {placed.name}, before gain and direction."
        field, origin = self._field, self._field.provenance
        if (
            origin is not None
        ):  # of the field: the stem alone is a recording, whatever made the rest
            field = replace(field, provenance=Provenance(origin.software, "placed"))
        bext = wav_bext(field, self._rate, subtype, begins=begins)
        begin = round(placed.start * self._rate)
        with (
            MonoSound(placed.file, self._rate, loop=placed.loop, cancel=self._cancel) as sound,
            WavWriter(self._stem.wav, self._rate, 1, subtype, bext=bext) as wav,
        ):
            for done in range(0, self._samples, BLOCK):
                count = min(BLOCK, self._samples - done)
                place = self._first + done
                piece = sound.piece(place - begin - path.before, path.before + count + path.after)
                wav.write(path.heard(piece, place)[None])
                progress((done + count) / self._samples)

    def write_track(self, file: TextIO) -> None:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in _without_repeats(self._rows()):
            table.writerow(row)

    def _rows(self) -> Iterator[tuple[str, ...]]:
        """One every `STEP` seconds, the last at the end."""
        length = self._samples / self._rate
        count = math.ceil(length / STEP - 1e-6)
        for begin in range(0, count + 1, BLOCK):
            steps = np.arange(begin, min(begin + BLOCK, count + 1))
            times = np.minimum(steps * STEP, length)
            yield from self._at(times)

    def _at(self, times: NDArray[np.float64]) -> Iterator[tuple[str, ...]]:
        units, distances, gains = self._path.track(times + self._first / self._rate)
        x, y, z = units.T
        azimuth = np.degrees(np.arctan2(y, x))
        elevation = np.degrees(np.arcsin(np.clip(z, -1.0, 1.0)))
        for time, *values in zip(times, azimuth, elevation, distances, gains, strict=True):
            # Adding 0 makes -0 a 0.
            yield (f"{time:.3f}", *(f"{round(value, 6) + 0.0:.6f}" for value in values))


def _without_repeats(rows: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Rows between two that say the same are left out: a source at rest has two rows."""
    before: tuple[str, ...] | None = None
    held: tuple[str, ...] | None = None
    for row in rows:
        if held is not None and (before is None or not before[1:] == held[1:] == row[1:]):
            yield held
            before = held
        held = row
    if held is not None and (before is None or held[0] != before[0]):
        yield held
