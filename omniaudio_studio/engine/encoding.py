"""Sound that is already there, as latents: what a part that is generated anew is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.decoding import CHANNELS
from omniaudio_studio.engine.plan import Shot
from omniaudio_studio.engine.windows import Stretch

Array = NDArray[np.float32]
Encode = Callable[[Array], Array]


def encode(run: Encode, foa: Array, channel_order: str = CHANNELS) -> Array:
    """Latents of a sound: the encoder's mean, which is on the DiT's and the decoder's scale.

    The posterior's spread (`scale`) is left out: the likeliest latents are the nearest to the
    sound.

    Parameters
    ----------
    run
        audio (1, 4, N) -> mean (1, C, T).
    foa
        float32 (4, N), W Y Z X at the bundle's rate, N a whole number of latents.
    channel_order
        The letters W, Y, Z, X in the order of the encoder's channels.

    Returns
    -------
    ndarray
        float32 (C, T).
    """
    order = [CHANNELS.index(channel) for channel in channel_order]
    return run(foa[None, order])[0]


@dataclass(frozen=True)
class Surroundings:
    """Latents of the sound that goes on before and after what is to be generated.

    The range that is generated begins with the frames of ``before`` and ends with those of
    ``after``: both are clamped as the overlap of consecutive windows is, and come out to the bit.
    Both lie on the latent grid of their shot, the first and the last of the range.

    Parameters
    ----------
    before, after
        float32 (C, n), n from 0.
    """

    before: Array
    after: Array

    def stretches(self, shot: Shot, hop: int, *, first: bool, last: bool) -> list[Stretch]:
        """What they say of one shot; ``first`` and ``last`` tell which it is of the range."""
        known: list[Stretch] = []
        if first:
            known.append((0, self.before))
        if last:
            known.append((shot.samples // hop - self.after.shape[1], self.after))
        return known
