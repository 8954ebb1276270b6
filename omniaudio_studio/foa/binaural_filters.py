"""Filters that turn the four channels of a sound field into the two signals at the ears.

Gains are such that a diffuse field reaches each ear with the power of its W: a sound keeps about
the level that W alone would have in both ears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.errors import MediaError, MissingFileError

DEFAULT_FILE = Path(__file__).with_name("data") / "kemar_magls.npz"
"""The filters that ship; ``kemar_magls.txt`` beside it says where they come from."""

# Half the width of the interpolation kernel in samples of the lower rate, and the Kaiser window's
# shape: stop band at -90 dB.
_KERNEL = 32
_KAISER = 9.0


@dataclass(frozen=True, eq=False)
class BinauralFilters:
    """Impulse responses from each channel of an AmbiX field to each ear.

    Parameters
    ----------
    taps : ndarray, float32, shape (2, 4, n)
        Ear (left, right), channel (W, Y, Z, X; SN3D), time.
    rate : int
        Samples a second.
    name : str
        What they are, for people.
    licence, citation : str
        What whoever passes them on has to say; empty where the source says nothing.

    Raises
    ------
    ValueError
        If the shape is another, there is no tap, or a value is not finite.
    """

    taps: NDArray[np.float32]
    rate: int
    name: str
    licence: str
    citation: str

    def __post_init__(self) -> None:
        taps = np.array(self.taps, dtype=np.float32)
        if taps.ndim != 3 or taps.shape[:2] != (2, 4) or taps.shape[2] == 0:
            raise ValueError(f"expected taps of shape (2, 4, n), found {taps.shape}")
        if not np.isfinite(taps).all():
            raise ValueError("expected taps that are finite")
        if int(self.rate) < 1:
            raise ValueError(f"expected a sample rate of at least 1, found {self.rate}")
        taps.setflags(write=False)
        object.__setattr__(self, "taps", taps)
        object.__setattr__(self, "rate", int(self.rate))

    def at_rate(self, rate: int) -> BinauralFilters:
        """The same filters for another sample rate; themselves where it is theirs."""
        if int(rate) == self.rate:
            return self
        return replace(self, taps=resample_filter(self.taps, self.rate, int(rate)), rate=int(rate))

    def save(self, path: str | Path) -> None:
        """Write them as a NumPy archive (``.npz``); wrap in `files.written_whole` to be safe."""
        with Path(path).open("wb") as file:
            np.savez(
                file,
                taps=self.taps,
                rate=np.int64(self.rate),
                name=np.str_(self.name),
                licence=np.str_(self.licence),
                citation=np.str_(self.citation),
            )

    @classmethod
    def load(cls, path: str | Path) -> BinauralFilters:
        """Read what `save` wrote.

        Raises
        ------
        MissingFileError
            If there is no such file.
        MediaError
            If it holds no filters.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                return cls(
                    taps=archive["taps"],
                    rate=int(archive["rate"]),
                    name=str(archive["name"]),
                    licence=str(archive["licence"]),
                    citation=str(archive["citation"]),
                )
        except FileNotFoundError as error:
            raise MissingFileError(f"no such file: {path}; check the path") from error
        except IsADirectoryError as error:
            raise MediaError(f"{path} is a folder; expected binaural filters (.npz)") from error
        except Exception as error:  # a damaged archive fails in many ways
            raise MediaError(
                f"{path} holds no binaural filters ({error}); make them again from a SOFA file"
            ) from error


@lru_cache(maxsize=8)
def default_filters(rate: int = 48000) -> BinauralFilters:
    """The filters that ship with the program: MIT's KEMAR dummy head, at any sample rate."""
    return BinauralFilters.load(DEFAULT_FILE).at_rate(rate)


def resample_filter(taps: ArrayLike, own: int, rate: int) -> NDArray[np.float32]:
    """Impulse responses at another sample rate, with the same gain at each frequency.

    Windowed-sinc interpolation (Smith and Gossett, "A flexible sampling-rate conversion method",
    ICASSP 1984). What lies above half of the lower rate is lost.

    Parameters
    ----------
    taps : array_like, shape (..., n)
    own, rate : int
        Samples a second, before and after.

    Returns
    -------
    ndarray, float32, shape (..., ceil(n * rate / own))
    """
    given = np.asarray(taps, dtype=np.float64)
    count = given.shape[-1]
    places = np.arange(-(-count * rate // own)) * (own / rate)
    # In samples of the lower of the two rates, the kernel's own.
    share = min(1.0, rate / own)
    distance = (places[:, None] - np.arange(count)) * share
    inside = np.clip(1.0 - (distance / _KERNEL) ** 2, 0.0, None)
    window = np.where(np.abs(distance) < _KERNEL, np.i0(_KAISER * np.sqrt(inside)), 0.0)
    kernel = np.sinc(distance) * window / np.i0(_KAISER)
    # Convolution adds rate / own times as many taps: own / rate keeps the gain.
    return (given @ kernel.T * (share * own / rate)).astype(np.float32)
