"""The summary of a sound field that the timeline draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError
from qt_app.timeline.pyramid import MaxPyramid, PeakPyramid

PEAK_RATE = 100.0
"""Peaks per second."""


@dataclass(frozen=True)
class FieldSummary:
    """What a sound is over time, ready to be drawn at any zoom.

    Parameters
    ----------
    seconds
        Length of the sound.
    peaks
        Of W.
    anglegram
        uint8 (72, frames): energy per azimuth from +180 to -180 degrees; None for plain sounds.
    covariance
        float32 (frames, 4, 4); None for plain sounds.
    frame_rate
        Columns of the anglegram and covariances per second.
    loudness
        Integrated, LUFS; None for silence.
    """

    seconds: float
    peaks: PeakPyramid
    anglegram: MaxPyramid | None = None
    covariance: NDArray[np.float32] | None = None
    frame_rate: float = 10.0
    loudness: float | None = None

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Any],
        *,
        seconds: float | None = None,
        loudness: float | None = None,
    ) -> FieldSummary:
        """Of the arrays of the analysis (`peaks`, `anglegram`, `covariance`, `frame_rate`).

        Raises
        ------
        MediaError
            If they are of other shapes.
        """
        peaks: NDArray[np.generic] = np.asarray(arrays.get("peaks", ()))
        if peaks.ndim != 2 or peaks.shape[0] != 2:
            raise MediaError(
                f"the sound's summary has peaks of shape {peaks.shape}, expected (2, n); "
                "analyse the sound again"
            )
        frame_rate = float(arrays["frame_rate"]) if "frame_rate" in arrays else 10.0
        anglegram = covariance = None
        if "anglegram" in arrays and np.size(arrays["anglegram"]):
            bins = np.asarray(arrays["anglegram"])
            if bins.ndim != 2 or bins.dtype != np.uint8:
                raise MediaError(
                    f"the sound's anglegram is {bins.dtype} of shape {bins.shape}, expected uint8 "
                    "(azimuths, frames); analyse the sound again"
                )
            anglegram = MaxPyramid(bins)
        if "covariance" in arrays and np.size(arrays["covariance"]):
            covariance = np.asarray(arrays["covariance"], dtype=np.float32).reshape(-1, 4, 4)
        return cls(
            seconds=peaks.shape[1] / PEAK_RATE if seconds is None else seconds,
            peaks=PeakPyramid(peaks, PEAK_RATE),
            anglegram=anglegram,
            covariance=covariance,
            frame_rate=frame_rate,
            loudness=loudness,
        )

    def covariance_at(self, time: float) -> NDArray[np.float32] | None:
        """The (4, 4) covariance of the frame at ``time`` seconds; None outside or unknown."""
        if self.covariance is None or not 0 <= time < max(self.seconds, 0.0):
            return None
        index = min(int(time * self.frame_rate), len(self.covariance) - 1)
        return self.covariance[index] if index >= 0 else None

    def level_at(self, time: float) -> float:
        """Peak of W around ``time`` in dB of full scale, at least -120."""
        low, high = self.peaks.columns(time - 0.05, 0.1, 1)
        return 20 * math.log10(max(float(-low[0]), float(high[0]), 1e-6))

    def azimuth_at(self, time: float) -> float | None:
        """Degrees (left positive) of the loudest azimuth at ``time``; None for silence.

        The anglegram's steps are coarse: of several rows that are as loud the middle one counts.
        """
        if self.anglegram is None or self.anglegram.length == 0:
            return None
        index = min(max(int(time * self.frame_rate), 0), self.anglegram.length - 1)
        column = self.anglegram.base[:, index].astype(np.int64)
        if not column.any():
            return None
        turns = (np.flatnonzero(column == column.max()) + 0.5) * (2 * np.pi / len(column))
        # Rows just left and just right of straight behind are neighbours: a mean on the circle.
        middle = np.arctan2(np.sin(turns).mean(), np.cos(turns).mean()) % (2 * np.pi)
        return float(180.0 - np.degrees(middle))
