"""Any folder of sound as a source: mono and stereo are made fields, fields stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.library import SOUND_SUFFIXES
from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.encoding import pseudo_foa
from omniaudio_studio.media.audio import FoaReader, iter_audio
from omniaudio_studio.media.probe import probe_sound
from omniaudio_studio.training.data.excerpt import Excerpt, Form, sound_problem, turned_sound
from omniaudio_studio.training.data.folder import (
    check_convention,
    chosen,
    files_digest,
    files_in,
    read_split,
)
from omniaudio_studio.training.data.listening import Parts


class SoundSource:
    """Sound files of a folder and its subfolders.

    Files of one or two channels become pseudo-FOA: W is the mean of the channels, Y half of left
    minus right. Files of four (nine, sixteen) channels are ambisonics. A subfolder's name is taken
    for the class of the sounds in it, as everywhere else.

    Parameters
    ----------
    folder
    split
        A list of the files to take; see `folder.chosen`. All by default.
    convention
        Of files of four channels; see `media.audio.FoaReader`.

    Raises
    ------
    MissingFileError, MediaError
        If there are none, or the list cannot be read.
    """

    sees = False

    def __init__(self, folder: Path, split: Path | None = None, convention: str = "auto") -> None:
        check_convention(convention)
        self.folder, self.convention = folder, convention
        self.names = files_in(folder, SOUND_SUFFIXES)
        self._missing: tuple[str, ...] = ()
        if split is not None:
            self.names, self._missing = chosen(self.names, read_split(split))

    def listing(self) -> dict[str, Any]:
        return {
            "kind": "sounds",
            "pieces": len(self.names),
            "files": files_digest(self.folder, self.names),
            "convention": self.convention,
        }

    def left_out(self) -> list[tuple[str, str]]:
        return [(name, "is in the list, but not in the folder") for name in self._missing]

    def check(self, form: Form) -> None:
        return

    def excerpts(self, piece: int, form: Form) -> Iterator[Excerpt | str]:
        name = self.names[piece]
        kind, parts = self._parts(self.folder / name, form)
        classes = tuple(Path(name).parent.parts[:1])
        length = 0
        for number, (field, problem) in enumerate(parts):
            length += field.shape[1]
            if field.shape[1] < form.samples:
                break  # the rest of a file
            field, start = field[:, : form.samples], number * form.seconds
            if problem := problem or sound_problem(field):
                yield f"{start:g} s: {problem}"
                continue
            for turn, yaw in enumerate(form.turns(name, number)):
                sound = turned_sound(field, yaw)
                yield Excerpt(number, turn, start, yaw, kind, sound, {}, classes)
        if length < form.samples:
            raise MediaError(
                f"lasts {length / form.rate:.2f} s, an excerpt {form.seconds:g} s: too short"
            )

    def _parts(self, path: Path, form: Form) -> tuple[str, Iterator[tuple[Foa, str | None]]]:
        channels, own = _channels(path)
        if channels > 2:
            return "foa", foa_parts(path, self.convention, form)
        parts = Parts(iter_audio(path), own, form.rate, channels, form.span)
        return "pseudo", ((made_field(part), problem) for part, problem in parts)


def made_field(sound: NDArray[np.float32]) -> Foa:
    """Mono ``(1, n)`` or stereo ``(2, n)`` as pseudo-FOA ``(4, n)`` of the same level.

    `foa.encoding.pseudo_foa` of half of it: a mono file and a stereo file with the same sound on
    both sides give the same field, W being that sound.
    """
    both = np.concatenate([sound, sound]) if len(sound) == 1 else sound
    return pseudo_foa(both * np.float32(0.5))


def foa_parts(path: Path, convention: str, form: Form) -> Iterator[tuple[Foa, str | None]]:
    """The field of a file in parts of one excerpt, and what is wrong with each."""
    with FoaReader(path, convention) as reader:
        yield from Parts(reader.blocks(), reader.rate, form.rate, 4, form.span)


def _channels(path: Path) -> tuple[int, int]:
    """How many channels a file has, and its rate.

    Raises
    ------
    MediaError
        If they are those of no field.
    """
    found = probe_sound(path)
    if found.channels not in (1, 2, 4, 9, 16) and not found.ambisonic:
        raise MediaError(
            f"has {found.channels} channels; expected mono, stereo, or first-order ambisonics of "
            "four (W, Y, Z, X)"
        )
    return found.channels, found.rate
