"""Excerpts of sound and pictures, as an encoder wants them, each turned as often as asked for."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.panorama.views import View

# The two limits are those of the spatializer's excerpts; taking them from there would bring torch
# into every worker process, which takes longer to start than all else.
#: Mean square of W, below which an excerpt teaches nothing (-80 dB relative to full scale).
QUIET = 1e-8
#: Power of Y, Z and X over W's, below which four channels hold no directions.
PLAIN = 1e-4
#: Directions to choose from where no picture has to be moved by whole columns.
FINE_TURNS = 3600


@dataclass(frozen=True)
class Form:
    """What an encoder wants of every excerpt, and how it is turned.

    Attributes
    ----------
    rate, hop
        Samples per second, and per latent frame.
    seconds
        Length of an excerpt.
    feature_rate
        Pictures per second.
    views
        Pictures that are wanted.
    yaws
        How many times an excerpt is given, the first time as it is, then turned at random.
    seed
        Of the turning.
    """

    rate: int
    hop: int
    seconds: float
    feature_rate: float
    views: tuple[View, ...]
    yaws: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.samples > 0):
            least = self.hop / self.rate
            raise OptionError(
                f"excerpts of {self.seconds:g} s: expected at least one latent frame, {least:.3g} s"
            )
        if self.yaws < 1:
            raise OptionError(f"yaws {self.yaws}: expected 1 (as it is) or more")

    @property
    def span(self) -> int:
        """Samples from the start of an excerpt to that of the next."""
        return round(self.seconds * self.rate)

    @property
    def samples(self) -> int:
        """Samples that are encoded: whole latents."""
        return self.span // self.hop * self.hop

    @property
    def frames(self) -> int:
        """Pictures of an excerpt."""
        return max(1, math.ceil(self.seconds * self.feature_rate - 1e-6))

    def times(self, start: float) -> NDArray[np.float64]:
        """Seconds at which an excerpt that begins at ``start`` is looked at."""
        return start + np.arange(self.frames) / self.feature_rate

    def turns(self, name: str, number: int, columns: int = FINE_TURNS) -> list[float]:
        """Azimuths in radians, [0, 2 pi), that become the front; the first is 0.

        They depend on the seed, the excerpt's name and its number alone.

        Parameters
        ----------
        columns
            Columns of the panorama: every turn moves it by a whole number of them.
        """
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode()), number])
        moved = rng.integers(1, columns, self.yaws - 1) if columns > 1 else np.zeros(self.yaws - 1)
        return [0.0, *(2 * math.pi * moved / columns).tolist()]


@dataclass(frozen=True)
class Excerpt:
    """One excerpt, ready for an encoder.

    Attributes
    ----------
    number
        Which excerpt of its file, from 0.
    turn
        Which of its turns, from 0.
    start
        Seconds from the file's begin.
    yaw
        Radians: what was at this azimuth is the front.
    kind
        "foa", or "pseudo" where a mono or stereo sound was made a field.
    foa
        float32 ``(4, samples)``, W Y Z X.
    views
        uint8 ``(S, height, width, 3)`` by the view's name; empty where there are no pictures.
    classes
        Names of what sounds, where they are known.
    """

    number: int
    turn: int
    start: float
    yaw: float
    kind: str
    foa: Foa
    views: dict[str, NDArray[np.uint8]]
    classes: tuple[str, ...] = ()


class Source(Protocol):
    """Where excerpts come from: pieces (files, scenes), each cut into excerpts.

    Sources are small when pickled: worker processes open the files themselves.
    """

    @property
    def names(self) -> Sequence[str]:
        """Names of the pieces."""
        ...

    @property
    def sees(self) -> bool:
        """Whether there are pictures."""
        ...

    def listing(self) -> dict[str, Any]:
        """What there is, as plain data: another listing is another source."""
        ...

    def left_out(self) -> list[tuple[str, str]]:
        """Names of what was asked for and is not there, and why."""
        ...

    def check(self, form: Form) -> None:
        """Refuse a form that no piece can be given in; raises OmniAudioError."""
        ...

    def excerpts(self, piece: int, form: Form) -> Iterator[Excerpt | str]:
        """Excerpts of one piece, every turn of each; a reason in place of one that is left out.

        Raises
        ------
        MissingFileError, MediaError
            If the (rest of the) piece cannot be used.
        """
        ...


def turned_sound(foa: Foa, yaw: float) -> Foa:
    """The field around a listener who faces azimuth ``yaw`` (radians)."""
    return rotate_yaw(foa, -yaw) if yaw else foa


def sound_problem(foa: Foa) -> str | None:
    """Why a sound teaches nothing; None for a good one."""
    if not np.isfinite(foa).all():
        return "holds samples that are no numbers"
    if np.mean(np.square(foa[0], dtype=np.float64)) < QUIET:
        return "is silent"
    return None
