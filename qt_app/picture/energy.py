"""The energy overlay's colours and measures, the same as in delivered overlay videos.

A first-order field's energy in direction d is E(d) = g^T C g with g = (1, 3 y, 3 z, 3 x) and the
field's covariance C (W, Y, Z, X), which is quadratic in d: its maximum and its mean over the sphere
need no grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Energy (of the maximum) below which nothing is painted, and from which the colour is strongest.
_FROM, _FULL = 0.28, 0.92
# How much of the picture the strongest colour hides.
_OPACITY = 0.72
# (E_max - E_mean) / E_max of a plane wave: its mean is 4, its maximum 16.
_PLANE_WAVE_CONTRAST = 0.75
# Directions from which the way up to the maximum is begun, and steps on the way.
_STARTS, _STEPS = 64, 24
_XYZ = [3, 1, 2]  # x, y, z among W, Y, Z, X

# Matplotlib's "inferno" (CC0): even steps of energy look even. 256 colours, RGB.
_INFERNO = bytes.fromhex(
    "00000401000501010601010802010a02020c02020e03021004031204031405041706041907051b08051d"
    "09061f0a07220b07240c08260d08290e092b10092d110a30120a32140b34150b37160b39180c3c190c3e"
    "1b0c411c0c431e0c451f0c48210c4a230c4c240c4f260c51280b53290b552b0b572d0b592f0a5b310a5c"
    "320a5e340a5f3609613809623909633b09643d09653e0966400a67420a68440a68450a69470b6a490b6a"
    "4a0c6b4c0c6b4d0d6c4f0d6c510e6c520e6d540f6d550f6d57106e59106e5a116e5c126e5d126e5f136e"
    "61136e62146e64156e65156e67166e69166e6a176e6c186e6d186e6f196e71196e721a6e741a6e751b6e"
    "771c6d781c6d7a1d6d7c1d6d7d1e6d7f1e6c801f6c82206c84206b85216b87216b88226a8a226a8c2369"
    "8d23698f24699025689225689326679526679727669827669a28659b29649d29649f2a63a02a63a22b62"
    "a32c61a52c60a62d60a82e5fa92e5eab2f5ead305dae305cb0315bb1325ab3325ab43359b63458b73557"
    "b93556ba3655bc3754bd3853bf3952c03a51c13a50c33b4fc43c4ec63d4dc73e4cc83f4bca404acb4149"
    "cc4248ce4347cf4446d04545d24644d34743d44842d54a41d74b3fd84c3ed94d3dda4e3cdb503bdd513a"
    "de5238df5337e05536e15635e25734e35933e45a31e55c30e65d2fe75e2ee8602de9612bea632aeb6429"
    "eb6628ec6726ed6925ee6a24ef6c23ef6e21f06f20f1711ff1731df2741cf3761bf37819f47918f57b17"
    "f57d15f67e14f68013f78212f78410f8850ff8870ef8890cf98b0bf98c0af98e09fa9008fa9207fa9407"
    "fb9606fb9706fb9906fb9b06fb9d07fc9f07fca108fca309fca50afca60cfca80dfcaa0ffcac11fcae12"
    "fcb014fcb216fcb418fbb61afbb81dfbba1ffbbc21fbbe23fac026fac228fac42afac62df9c72ff9c932"
    "f9cb35f8cd37f8cf3af7d13df7d340f6d543f6d746f5d949f5db4cf4dd4ff4df53f4e156f3e35af3e55d"
    "f2e661f2e865f2ea69f1ec6df1ed71f1ef75f1f179f2f27df2f482f3f586f3f68af4f88ef5f992f6fa96"
    "f8fb9af9fc9dfafda1fcffa4"
)


@dataclass(frozen=True, eq=False)
class Energy:
    """A field's energy at a moment, ready to be drawn.

    Attributes
    ----------
    matrix : float32 array (4, 4)
        C over the maximum of E: g^T C g is then 1 at most.
    strength : float
        0 (nothing is drawn) to 1.
    """

    matrix: NDArray[np.float32]
    strength: float

    @classmethod
    def of(cls, covariance: ArrayLike, opacity: float) -> Energy | None:
        """Of a covariance (4, 4); None where there is nothing to draw (silence, no direction)."""
        given = np.asarray(covariance, dtype=np.float64)
        scale = float(np.trace(given))
        if not np.isfinite(given).all() or scale <= 0 or opacity <= 0:
            return None
        scaled = (given + given.T) / (2 * scale)
        peak, mean = peak_and_mean(scaled)
        if peak <= 0:
            return None
        contrast = (1 - mean / peak) / _PLANE_WAVE_CONTRAST
        # A field from everywhere would veil the whole picture and say nothing.
        strength = min(opacity, 1.0) * float(np.sqrt(min(max(contrast, 0.0), 1.0)))
        if strength < 1 / 255:
            return None
        return cls((scaled / peak).astype(np.float32), strength)

    def levels(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """E(d), 0 to 1, for unit vectors of shape (3, ...); shape (...)."""
        x, y, z = directions
        beam = np.stack([np.ones_like(x), 3 * y, 3 * z, 3 * x])
        energy = np.einsum("i...,i...->...", beam, np.tensordot(self.matrix, beam, axes=1))
        return np.clip(energy, 0.0, 1.0)


def peak_and_mean(covariance: NDArray[np.float64]) -> tuple[float, float]:
    """Maximum and mean of E over the sphere, of a symmetric covariance (4, 4).

    With b = C[W, xyz] and M = C[xyz, xyz]: E(d) = C[W, W] + 6 b . d + 9 d^T M d, whose mean is
    C[W, W] + 3 trace M. E is convex in d, so that d <- the gradient's direction never goes down
    (the generalised power method: Journee et al., JMLR 11, 2010); begun at many places it ends on
    the highest top.
    """
    b = covariance[0, _XYZ]
    m = covariance[np.ix_(_XYZ, _XYZ)]
    d = _spread(_STARTS)
    for _ in range(_STEPS):
        gradient = 6 * b[:, None] + 18 * (m @ d)
        size = np.sqrt(np.sum(gradient * gradient, axis=0))
        # Where the gradient vanishes nothing is higher nearby.
        d = np.where(size > 1e-300, gradient / np.maximum(size, 1e-300), d)
    energy = covariance[0, 0] + 6 * (b @ d) + 9 * np.sum(d * (m @ d), axis=0)
    mean = float(covariance[0, 0] + 3 * np.trace(m))
    return float(energy.max()), mean


def _spread(count: int) -> NDArray[np.float64]:
    """Directions (3, count) spread evenly: a spiral by the golden angle."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    around = np.pi * (1 + 5**0.5) * index
    flat = np.sqrt(1 - z * z)
    return np.stack([flat * np.cos(around), flat * np.sin(around), z])


def ramp() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """For each of 256 levels of energy: its colour (256, 3), RGB, and opacity (256,), 0 to 1."""
    level = np.arange(256) / 255
    # The darkest third of the colours would look like shadows in the picture.
    index = np.round(255 * (0.33 + 0.67 * np.clip((level - _FROM) / (1 - _FROM), 0, 1)))
    colours = np.frombuffer(_INFERNO, np.uint8).reshape(256, 3)[index.astype(np.intp)]
    part = np.clip((level - _FROM) / (_FULL - _FROM), 0, 1)
    return colours, (_OPACITY * part * part * (3 - 2 * part)).astype(np.float32)
