"""Channel conventions. Inside the project there is one: AmbiX (ACN order, SN3D weights).

========  ==============  =========================================
name      channel order   weights relative to SN3D
========  ==============  =========================================
ambix     W Y Z X         1, 1, 1, 1
n3d       W Y Z X         1, sqrt 3, sqrt 3, sqrt 3
fuma      W X Y Z         1/sqrt 2, 1, 1, 1
wxyz      W X Y Z         1, 1, 1, 1
========  ==============  =========================================

ACN, SN3D and N3D: Nachbar, Zotter, Deleflie, Sontacchi, "AmbiX - a suggested ambisonics format",
Ambisonics Symposium 2011. FuMa: Malham, "Higher order ambisonic systems", 2003.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.errors import OptionError

Foa: TypeAlias = NDArray[np.float32]
"""float32, shape (4, samples): W, Y, Z, X with SN3D weights."""

Convention: TypeAlias = Literal["ambix", "fuma", "n3d", "wxyz"]

CHANNELS = ("W", "Y", "Z", "X")
CONVENTIONS: tuple[Convention, ...] = ("ambix", "fuma", "n3d", "wxyz")

# For each convention: where W, Y, Z, X sit in it, and its weights in that same order (W, Y, Z, X).
_LAYOUT: dict[str, tuple[tuple[int, int, int, int], tuple[float, float, float, float]]] = {
    "ambix": ((0, 1, 2, 3), (1.0, 1.0, 1.0, 1.0)),
    "n3d": ((0, 1, 2, 3), (1.0, math.sqrt(3), math.sqrt(3), math.sqrt(3))),
    "fuma": ((0, 2, 3, 1), (math.sqrt(0.5), 1.0, 1.0, 1.0)),
    "wxyz": ((0, 2, 3, 1), (1.0, 1.0, 1.0, 1.0)),
}


def as_foa(field: ArrayLike) -> Foa:
    """The field as float32, without a copy where it already is.

    Parameters
    ----------
    field : array_like, shape (4, samples)

    Raises
    ------
    ValueError
        If it doesn't have four channels first.
    """
    array = np.asarray(field, dtype=np.float32)
    if array.ndim != 2 or array.shape[0] != len(CHANNELS):
        raise ValueError(
            f"expected a first-order field of shape (4, samples), found {array.shape}; "
            "put the channels first"
        )
    return array


def to_ambix(field: ArrayLike, convention: str) -> Foa:
    """Convert a field from a named convention to AmbiX.

    Parameters
    ----------
    field : array_like, shape (4, samples)
        Channels in the order of ``convention``.
    convention : {"ambix", "fuma", "n3d", "wxyz"}

    Returns
    -------
    ndarray, float32, shape (4, samples)
        W, Y, Z, X with SN3D weights; always a new array.

    Raises
    ------
    OptionError
        If the convention is unknown.
    ValueError
        If the field doesn't have four channels.
    """
    order, weights = _layout(convention)
    source = as_foa(field)
    converted = np.empty(source.shape, dtype=np.float32)
    for channel, (place, weight) in enumerate(zip(order, weights, strict=True)):
        np.multiply(source[place], np.float32(1.0 / weight), out=converted[channel])
    return converted


def from_ambix(field: ArrayLike, convention: str) -> Foa:
    """Convert an AmbiX field to a named convention: the inverse of `to_ambix`.

    Parameters, returned shape and errors as there.
    """
    order, weights = _layout(convention)
    source = as_foa(field)
    converted = np.empty(source.shape, dtype=np.float32)
    for channel, (place, weight) in enumerate(zip(order, weights, strict=True)):
        np.multiply(source[channel], np.float32(weight), out=converted[place])
    return converted


def _layout(convention: Any) -> tuple[tuple[int, ...], tuple[float, ...]]:
    try:
        return _LAYOUT[convention]
    except (KeyError, TypeError):
        raise OptionError(
            f"unknown ambisonic convention {convention!r}; expected one of {', '.join(CONVENTIONS)}"
        ) from None
