"""Folders of 360 clips with first-order sound as a source, as Sphere360 lays them out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, OmniAudioError, OptionError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.media.audio import FoaReader
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.media.geometry import PROJECTIONS
from omniaudio_studio.media.probe import ClipInfo, probe, require_360
from omniaudio_studio.training.data.excerpt import PLAIN, Excerpt, Form, sound_problem, turned_sound
from omniaudio_studio.training.data.folder import (
    VIDEO_SUFFIXES,
    check_convention,
    chosen,
    files_digest,
    files_in,
    read_split,
)
from omniaudio_studio.training.data.sound_source import foa_parts


class ClipSource:
    """360 clips whose sound field is in the video, or in a file beside it.

    Beside a video NAME.mp4 these are looked for, in this order: NAME.foa.wav, NAME.wav, NAME.flac,
    and foa.wav in its folder (as `omniaudio scenes make` writes). Subfolders are searched, too.

    Parameters
    ----------
    folder
    split
        A list of the clips to take; see `folder.chosen`. All by default.
    convention
        Of the sound; by default what the file says, else AmbiX.
    projection
        Of the pictures; by default what the file says, else what its shape says.

    Raises
    ------
    MissingFileError, MediaError
        If there are none, or the list cannot be read.
    """

    sees = True

    def __init__(
        self,
        folder: Path,
        split: Path | None = None,
        convention: str = "auto",
        projection: str = "auto",
    ) -> None:
        check_convention(convention)
        if projection not in ("auto", *PROJECTIONS):
            raise OptionError(f"--projection {projection}: expected auto, {', '.join(PROJECTIONS)}")
        self.folder, self.convention, self.projection = folder, convention, projection
        self.names = files_in(folder, VIDEO_SUFFIXES)
        self._missing: tuple[str, ...] = ()
        if split is not None:
            self.names, self._missing = chosen(self.names, read_split(split))

    def listing(self) -> dict[str, Any]:
        beside = [
            path.relative_to(self.folder).as_posix()
            for name in self.names
            for path in _beside(self.folder / name)
        ]
        return {
            "kind": "sphere360",
            "pieces": len(self.names),
            "files": files_digest(self.folder, [*self.names, *beside]),
            "convention": self.convention,
            "projection": self.projection,
        }

    def left_out(self) -> list[tuple[str, str]]:
        return [(name, "is in the list, but not in the folder") for name in self._missing]

    def check(self, form: Form) -> None:
        return

    def excerpts(self, piece: int, form: Form) -> Iterator[Excerpt | str]:
        name = self.names[piece]
        info = require_360(probe(self.folder / name, self.projection))
        sound = self._sound_of(info.path)
        # The last picture lasts on, and beyond the sound there is silence: half a picture less is
        # no hindrance.
        slack = 0.5 / form.feature_rate
        most = math.floor((info.duration + slack) / form.seconds)
        heard = 0
        for number, (field, problem) in enumerate(
            itertools.islice(foa_parts(sound, self.convention, form), most)
        ):
            if field.shape[1] < form.span - slack * form.rate:
                break
            heard += 1
            start = number * form.seconds
            field = _filled(field, form.samples)
            if problem := problem or sound_problem(field) or _no_directions(field):
                yield f"{start:g} s: {problem}"
                continue
            yield from self._turned(info, name, number, start, field, form)
        if not heard:
            raise MediaError(
                f"pictures last {info.duration:.2f} s and sound less than an excerpt of "
                f"{form.seconds:g} s" if most else
                f"lasts {info.duration:.2f} s, an excerpt {form.seconds:g} s: too short"
            )  # fmt: skip

    def _turned(
        self, info: ClipInfo, name: str, number: int, start: float, field: Foa, form: Form
    ) -> Iterator[Excerpt]:
        # Columns of the stored picture. Where decoding shrinks it for small views, a part of a
        # column may be left, which is interpolated: the angle stays the sound's.
        yaws = form.turns(name, number, info.eye_size[0])
        times = form.times(start)
        # One decode pass serves all turns: every picture is asked for once per front.
        pictures = iter_views(
            info, np.repeat(times, len(yaws)), form.views, front=np.tile(yaws, len(times))
        )
        shown: list[dict[str, NDArray[np.uint8]]] = list(pictures)
        for turn, yaw in enumerate(yaws):
            views = {
                view.name: np.stack([picture[view.name] for picture in shown[turn :: len(yaws)]])
                for view in form.views
            }
            yield Excerpt(number, turn, start, yaw, "foa", turned_sound(field, yaw), views)

    def _sound_of(self, path: Path) -> Path:
        """The first file that holds a sound field: beside the video, else the video itself."""
        problem: OmniAudioError | None = None
        for sound in (*_beside(path), path):
            try:
                FoaReader(sound, self.convention).close()
                return sound
            except MediaError as error:
                problem = problem or error
        assert problem is not None
        raise problem


def _beside(path: Path) -> list[Path]:
    """Sound files that may hold a video's field."""
    places = [path.with_suffix(suffix) for suffix in (".foa.wav", ".wav", ".flac")]
    return [place for place in (*places, path.parent / "foa.wav") if place.is_file()]


def _filled(field: Foa, samples: int) -> Foa:
    """The field at its full length: silence follows where it is a little short."""
    missing = max(0, samples - field.shape[1])
    return np.pad(field, ((0, 0), (0, missing))) if missing else field[:, :samples]


def _no_directions(field: Foa) -> str | None:
    power = np.mean(np.square(field, dtype=np.float64), axis=1)
    return None if power[1:].sum() >= PLAIN * power[0] else "holds W alone: it has no directions"
