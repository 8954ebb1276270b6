"""A sound field's energy painted over an equirectangular picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.direction import elevation_bins, energy_beam

Picture = NDArray[np.uint8]

# The energy is computed on this grid at most, then enlarged: a first-order field has nothing finer.
_GRID = (192, 96)
# Energy (of the maximum) below which nothing is painted, and from which the colour is strongest.
_FROM, _FULL = 0.28, 0.92
# How much of the picture the strongest colour hides.
_OPACITY = 0.72
# (E_max - E_mean) / E_max of a plane wave: its mean is 4, its maximum 16.
_PLANE_WAVE_CONTRAST = 0.75
# Rows of the symmetric 4 x 4 covariance's ten different entries.
_PAIRS = [(i, j) for i in range(4) for j in range(i, 4)]


class EnergyPainter:
    """Paints E(d) = mean (W + 3 (X, Y, Z) . d)^2, normalised to its maximum, over pictures.

    Colours follow Matplotlib's "inferno" (even steps of energy look even); where the energy is low
    the picture is left as it is.

    Parameters
    ----------
    width, height : int
        Pixels of the pictures.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        columns, rows = min(width, _GRID[0]), min(height, _GRID[1])
        beam = energy_beam(columns, rows).reshape(4, -1)
        # E(d) = g^T C g is linear in C: one small product per picture.
        self._basis = np.stack(
            [(1 if i == j else 2) * beam[i] * beam[j] for i, j in _PAIRS], axis=1
        ).astype(np.float32)
        self._shape = (rows, columns)
        weight = np.repeat(np.cos(elevation_bins(rows)), columns)
        self._weight = (weight / weight.sum()).astype(np.float32)
        self._colours, self._alpha = _ramp()

    def energy(self, covariance: NDArray[np.float64]) -> tuple[NDArray[np.float32], float]:
        """E(d) over its maximum on a coarse grid (rows, columns), and its contrast.

        The contrast is 1 for a plane wave and 0 for a field that is alike in all directions, or
        silent.
        """
        entries = np.array([covariance[i, j] for i, j in _PAIRS])
        scale = float(np.trace(covariance))
        if scale <= 0:
            return np.zeros(self._shape, np.float32), 0.0
        energy = np.maximum(self._basis @ (entries / scale).astype(np.float32), 0)
        peak = float(energy.max())
        if peak <= 0:
            return np.zeros(self._shape, np.float32), 0.0
        energy /= peak
        contrast = (1 - float(energy @ self._weight)) / _PLANE_WAVE_CONTRAST
        return energy.reshape(self._shape), min(max(contrast, 0.0), 1.0)

    def paint(
        self, picture: Picture, covariance: NDArray[np.float64], strength: float = 1.0
    ) -> Picture:
        """A new picture with the energy over it.

        Parameters
        ----------
        picture : uint8 array (height, width, 3)
            RGB.
        covariance : ndarray, shape (4, 4)
            Of the field at that moment (see `foa.covariance`).
        strength : float
            0 (nothing is painted) to 1.
        """
        import cv2

        energy, contrast = self.energy(covariance)
        # A field from everywhere would veil the whole picture and say nothing.
        strength *= np.sqrt(contrast)
        if strength < 1 / 255:
            return picture.copy()
        coarse = np.round(energy * 255).astype(np.uint8)
        levels = cv2.resize(coarse, self._size, interpolation=cv2.INTER_LINEAR)
        alpha = self._alpha * strength
        over = np.round(self._colours * alpha[:, None]).astype(np.uint8)
        under = np.repeat(np.round(255 * (1 - alpha)).astype(np.uint8)[:, None], 3, axis=1)
        index = cv2.merge([levels, levels, levels])
        kept = cv2.multiply(picture, cv2.LUT(index, under[None]), scale=1 / 255)
        return np.asarray(cv2.add(kept, cv2.LUT(index, over[None])), dtype=np.uint8)


def _ramp() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each of 256 levels of energy: its colour (256, 3), 0..255 RGB, and opacity (256,)."""
    import cv2

    level = np.arange(256) / 255
    # The darkest third of the colours would look like shadows in the picture.
    index = np.round(255 * (0.33 + 0.67 * np.clip((level - _FROM) / (1 - _FROM), 0, 1)))
    colours = cv2.applyColorMap(index.astype(np.uint8)[None], cv2.COLORMAP_INFERNO)[0, :, ::-1]
    part = np.clip((level - _FROM) / (_FULL - _FROM), 0, 1)
    return colours.astype(np.float64), _OPACITY * part * part * (3 - 2 * part)
