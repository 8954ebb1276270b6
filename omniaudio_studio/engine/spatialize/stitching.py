"""Estimates of overlapping windows, joined to one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.placement import Placement

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Estimate:
    """One window's sources, over F frames of sound.

    Attributes
    ----------
    directions
        float32 (M, F, 3): unit vectors.
    shares
        float32 (M, bands, F).
    confidence
        float32 (M, F).
    """

    directions: Array
    shares: Array
    confidence: Array


class Stitcher:
    """Joins windows one after another.

    Which source of a window is which of the one before is what makes them agree best in the frames
    that both have: directions weighted by shares. There they are faded over.
    """

    def __init__(self) -> None:
        self._done: list[tuple[Estimate, Array]] = []
        self._last: tuple[Estimate, Array] | None = None

    def add(self, window: Estimate, energy: Array, again: int) -> None:
        """Add the next window.

        Parameters
        ----------
        energy
            float32 (F, bands): mean square of its sound.
        again
            How many of its first frames were the last ones of the window before.
        """
        if self._last is not None and again:
            before, heard = self._last
            kept = before.directions.shape[1] - again
            self._done.append((_part(before, slice(kept)), heard[:kept]))
            window = _faded(_part(before, slice(kept, None)), window, again)
        elif self._last is not None:
            self._done.append(self._last)
        self._last = (window, energy)

    def placement(
        self,
        times: NDArray[np.float64],
        edges: NDArray[np.float64],
        most: int,
        least_confidence: float,
    ) -> tuple[Placement, float]:
        """Everything, and its overall confidence.

        The ``most`` sources that sound most are kept, in this order. Where the confidence of all is
        below ``least_confidence``, shares are 0.
        """
        assert self._last is not None
        parts = [*self._done, self._last]
        whole = Estimate(
            np.concatenate([part.directions for part, _ in parts], axis=1),
            np.concatenate([part.shares for part, _ in parts], axis=2),
            np.concatenate([part.confidence for part, _ in parts], axis=1),
        )
        root = np.sqrt(np.concatenate([heard for _, heard in parts])).T  # (bands, frames)
        loud = np.einsum("mbf,bf->mf", whole.shares, root)
        order = np.argsort(-loud.sum(axis=1), kind="stable")[:most]
        total = float(root.sum())
        confidence = float((loud[order] * whole.confidence[order]).sum()) / max(total, 1e-12)
        shares = whole.shares[order]
        if confidence < least_confidence:
            shares = np.zeros_like(shares)
        placement = Placement(
            times, edges, whole.directions[order], shares, whole.confidence[order]
        )
        return placement, min(confidence, 1.0)


def _part(estimate: Estimate, frames: slice) -> Estimate:
    return Estimate(
        estimate.directions[:, frames],
        estimate.shares[:, :, frames],
        estimate.confidence[:, frames],
    )


def _faded(before: Estimate, window: Estimate, again: int) -> Estimate:
    """``window``, its sources in the order of ``before``, its first frames faded over from it."""
    first = _part(window, slice(again))
    weight = before.shares.sum(axis=1)[:, None] + first.shares.sum(axis=1)[None]  # (M, M, F)
    cosine = np.einsum("mfc,nfc->mnf", before.directions, first.directions)
    agreement = (weight * cosine).sum(axis=2)
    # Shares alone tell apart what is heard from one place.
    agreement += np.einsum("mbf,nbf->mn", before.shares, first.shares)
    sources = len(agreement)
    order = max(
        permutations(range(sources)),
        key=lambda order: sum(float(agreement[m, n]) for m, n in enumerate(order)),
    )
    index = list(order)
    fade = ((np.arange(again) + 0.5) / again).astype(np.float32)
    directions, shares = window.directions[index].copy(), window.shares[index].copy()
    confidence = window.confidence[index].copy()
    shares[:, :, :again] = before.shares * (1 - fade) + shares[:, :, :again] * fade
    confidence[:, :again] = before.confidence * (1 - fade) + confidence[:, :again] * fade
    mixed = before.directions * (1 - fade)[:, None] + directions[:, :again] * fade[:, None]
    length = np.linalg.norm(mixed, axis=2, keepdims=True)
    directions[:, :again] = np.where(
        length > 1e-3, mixed / np.maximum(length, 1e-3), directions[:, :again]
    )
    return Estimate(directions, shares, confidence)
