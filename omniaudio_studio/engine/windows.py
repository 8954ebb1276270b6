"""Long sounds as windows of the trained length that agree where they overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STRETCH = 1.05  # lengths up to this many trained ones are one window


@dataclass(frozen=True)
class Window:
    """Latent frames ``start`` to ``start + length``; the first ``overlap`` are known before."""

    start: int
    length: int
    overlap: int

    @property
    def end(self) -> int:
        """One past the last latent frame."""
        return self.start + self.length


def plan_windows(frames: int, length: int, overlap: int) -> list[Window]:
    """Windows that cover ``frames`` latent frames.

    Up to 1.05 trained lengths are one window. Longer ranges are consecutive windows of the trained
    length; the last is shifted back to end where the range does, so its overlap is larger.

    Parameters
    ----------
    frames
        Latent frames to cover, at least 1.
    length
        Trained length.
    overlap
        Latent frames that consecutive windows share, from 0 to ``length - 1``.
    """
    if frames <= int(length * STRETCH):
        return [Window(0, frames, 0)]
    windows = [Window(0, length, 0)]
    while (end := windows[-1].end) < frames:
        start = min(end - overlap, frames - length)
        windows.append(Window(start, length, end - start))
    return windows


@dataclass(frozen=True)
class Known:
    """What a window's latents are known to be before it is sampled.

    Parameters
    ----------
    latents
        float32 (C, T); zeros where nothing is known.
    mask
        bool (T,), True where they are known.
    """

    latents: Array
    mask: NDArray[np.bool_]


Stretch = tuple[int, Array]  # its first latent frame in the shot, and its latents (C, n)


def known_in(window: Window, channels: int, stretches: Iterable[Stretch]) -> Known:
    """What ``stretches`` say of a window; the last one rules where several do."""
    latents = np.zeros((channels, window.length), dtype=np.float32)
    mask = np.zeros(window.length, dtype=np.bool_)
    for start, values in stretches:
        first, end = max(start, window.start), min(start + values.shape[1], window.end)
        if first < end:
            place = slice(first - window.start, end - window.start)
            latents[:, place] = values[:, first - start : end - start]
            mask[place] = True
    return Known(latents, mask)


def clamp(known: Known, noise: Array) -> Callable[[Array, float], Array]:
    """A sampler's ``before_step`` that holds a window to what is known of it.

    x = (1 - t) z + t eps there, so that it walks along the straight path from this window's own
    noise to what is already there, and is exactly that at t = 0.

    Parameters
    ----------
    known
        z, mostly the previous window's latents in the overlap.
    noise
        eps, this window's initial noise, (C, T).
    """
    z, eps = known.latents[:, known.mask], noise[:, known.mask]

    def before_step(x: Array, t: float) -> Array:
        if z.shape[1] == 0:
            return x
        x = x.copy()
        x[..., known.mask] = z if t == 0.0 else np.float32(1.0 - t) * z + np.float32(t) * eps
        return x

    return before_step


def context_inputs(known: Known) -> dict[str, Array]:
    """The DiT's `context` (1, C, T) and `context_mask` (1, 1, T): 1 over a known beginning.

    Models learn context at a window's beginning alone. Latents that are known at its end are
    clamped and no more: told of them, the starter model joins on to them less well.
    """
    mask = np.logical_and.accumulate(known.mask).astype(np.float32)
    return {"context": known.latents[None] * mask, "context_mask": mask[None, None]}
