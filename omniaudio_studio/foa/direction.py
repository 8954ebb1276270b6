"""Where the sound comes from: intensity, direction of arrival, energy on the sphere, anglegram.

Everything but the bands follows from the field's covariance C (see `foa.covariance`). Angles in
radians; azimuth counter-clockwise from the front, elevation upwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.convention import as_foa
from omniaudio_studio.foa.covariance import covariance, frame_covariances
from omniaudio_studio.foa.encoding import direction_vector, vector_direction

Array = NDArray[np.float64]

# Where x, y, z sit among W, Y, Z, X.
_XYZ = [3, 1, 2]


class DirectionTrack(NamedTuple):
    """Directions of consecutive frames, each an array of shape (frames,)."""

    times: Array
    """Centres of the frames, seconds."""
    azimuth: Array
    """Radians, (-pi, pi]; 0 where the frame is silent."""
    elevation: Array
    """Radians, [-pi/2, pi/2]; 0 where the frame is silent."""
    diffuseness: Array
    """0 (one plane wave) to 1 (no net flow of energy, or silence)."""
    energy: Array
    """(<W^2> + <X^2> + <Y^2> + <Z^2>) / 2: the mean square of W for a plane wave."""


class BandDirections(NamedTuple):
    """Directions per frequency band, each an array of shape (bands,)."""

    low: Array
    """Lower edges, Hz (inside the band)."""
    high: Array
    """Upper edges, Hz (outside the band)."""
    azimuth: Array
    elevation: Array
    diffuseness: Array
    energy: Array
    """Mean square in the band, as in `DirectionTrack`."""


def intensity_vector(foa: ArrayLike) -> Array:
    """Mean intensity, I = (<W X>, <W Y>, <W Z>): points to the source, its length the energy of it.

    Up to a constant of the medium this is minus the active acoustic intensity (Merimaa and Pulkki,
    "Spatial impulse response rendering I", JAES 53(12), 2005): against the flow, to the source.

    Parameters
    ----------
    foa : array_like, shape (4, n)

    Returns
    -------
    ndarray, float64, shape (3,)
        x, y, z.
    """
    return covariance(foa)[0, _XYZ]


def direction_of_arrival(foa: ArrayLike) -> tuple[float, float]:
    """Azimuth and elevation of the intensity vector, radians; (0, 0) for silence.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    """
    azimuth, elevation = vector_direction(intensity_vector(foa))
    return float(azimuth), float(elevation)


def directions_from_covariance(covariances: ArrayLike) -> tuple[Array, Array, Array, Array]:
    """Azimuth, elevation, diffuseness and energy of covariances (..., 4, 4), each of shape (...).

    diffuseness = 1 - |I| / E with E = (<W^2> + <X^2> + <Y^2> + <Z^2>) / 2 in SN3D (Pulkki, "Spatial
    sound reproduction with directional audio coding", JAES 55(6), 2007).
    """
    matrices = np.asarray(covariances, dtype=np.float64)
    intensity = np.moveaxis(matrices[..., 0, :][..., _XYZ], -1, 0)
    azimuth, elevation = vector_direction(intensity)
    energy = np.trace(matrices, axis1=-2, axis2=-1) / 2
    heard = energy > 0
    flow = np.sqrt(np.sum(intensity**2, axis=0))
    ratio = np.divide(flow, energy, out=np.zeros_like(energy), where=heard)
    return azimuth, elevation, np.clip(1.0 - ratio, 0.0, 1.0), energy


def direction_per_frame(foa: ArrayLike, rate: float, frame_seconds: float) -> DirectionTrack:
    """Direction of arrival of consecutive frames; the last one may be shorter.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    rate : float
        Samples per second.
    frame_seconds : float
    """
    times, covariances = frame_covariances(foa, rate, frame_seconds)
    return DirectionTrack(times, *directions_from_covariance(covariances))


def direction_per_band(
    foa: ArrayLike, rate: float, edges: ArrayLike, *, window: int = 4096
) -> BandDirections:
    """Direction of arrival in frequency bands, over the whole field.

    The covariance of a band is the real part of the cross-spectra of the channels, summed over the
    band's bins and averaged over Hann windows (Welch's method), scaled to mean squares. The
    windows overlap by three quarters, so that their squares add up to a constant: all samples
    weigh the same and the bands add up to the whole.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    rate : float
        Samples per second.
    edges : array_like, shape (bands + 1,)
        Hz, ascending; band b takes the bins from edges[b] up to, not including, edges[b + 1].
    window : int
        Samples per window, a multiple of 4; a band should be some times rate / window wide.

    Raises
    ------
    ValueError
        If the edges aren't at least two ascending frequencies.
    """
    field = as_foa(foa)
    borders = np.asarray(edges, dtype=np.float64)
    if borders.ndim != 1 or borders.size < 2 or not np.all(np.diff(borders) > 0):
        raise ValueError(f"expected two or more ascending band edges in Hz, found {edges!r}")
    hop = window // 4
    taper = np.hanning(window + 1)[:-1]
    frequencies = np.fft.rfftfreq(window, 1 / rate)
    band = np.searchsorted(borders, frequencies, side="right") - 1
    # One-sided spectra: every bin but the first and the last stands for two.
    weight = np.full(frequencies.size, 2.0)
    weight[[0, -1]] = 1.0
    bands = borders.size - 1
    members = [np.flatnonzero(band == index) for index in range(bands)]
    sums = np.zeros((bands, 4, 4))
    # From where the first sample is the last of a window, so that every sample is in four.
    for start in range(hop - window, field.shape[1], hop):
        part = np.zeros((4, window))
        first, last = max(start, 0), min(start + window, field.shape[1])
        part[:, first - start : last - start] = field[:, first:last]
        spectrum = np.fft.rfft(part * taper)
        for index, bins in enumerate(members):
            chosen = spectrum[:, bins]
            sums[index] += ((chosen * weight[bins]) @ chosen.conj().T).real
    # Parseval: sum |FFT|^2 = window * sum x^2; squared windows add up to sum(taper^2) / hop.
    scale = window * np.sum(taper**2) / hop * max(field.shape[1], 1)
    return BandDirections(borders[:-1], borders[1:], *directions_from_covariance(sums / scale))


def angular_error(az1: ArrayLike, el1: ArrayLike, az2: ArrayLike, el2: ArrayLike) -> Array:
    """The angle between two directions, radians in [0, pi]; arrays broadcast.

    atan2(|a x b|, a . b), which is accurate for small and for large angles alike.
    """
    az1, el1, az2, el2 = np.broadcast_arrays(az1, el1, az2, el2)
    a = direction_vector(az1, el1)
    b = direction_vector(az2, el2)
    cross = np.sqrt(np.sum(np.cross(a, b, axis=0) ** 2, axis=0))
    return np.arctan2(cross, np.sum(a * b, axis=0))


def energy_map(foa: ArrayLike, width: int, height: int) -> Array:
    """E(d) = mean of (W + 3 (X, Y, Z) . d)^2 for the direction of every equirectangular pixel.

    Pixel (u, v) looks at azimuth pi - 2 pi (u + 0.5) / width, elevation pi/2 - pi (v + 0.5) /
    height. Not normalised: divide by its maximum for display.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    width, height : int
        At least 1.

    Returns
    -------
    ndarray, float64, shape (height, width)
    """
    return energy_map_from_covariance(covariance(foa), width, height)


def energy_map_from_covariance(matrix: ArrayLike, width: int, height: int) -> Array:
    """E(d) = g^T C g with g = (1, 3 y, 3 z, 3 x): the energy map of covariances (..., 4, 4).

    Returns
    -------
    ndarray, float64, shape (..., height, width)
    """
    beam = energy_beam(width, height)
    energy = np.einsum(
        "ihw,...ij,jhw->...hw", beam, np.asarray(matrix, np.float64), beam, optimize=True
    )
    # A square's mean can't be negative; rounding can.
    return np.maximum(energy, 0.0)


def energy_beam(width: int, height: int) -> Array:
    """g = (1, 3 y, 3 z, 3 x) for the direction of every equirectangular pixel: E(d) = <(g . f)^2>.

    Returns
    -------
    ndarray, float64, shape (4, height, width)
        Weights of W, Y, Z, X.
    """
    if width < 1 or height < 1:
        raise ValueError(f"expected a map of at least 1 x 1, found {width} x {height}")
    x, y, z = direction_vector(azimuth_bins(width)[None, :], elevation_bins(height)[:, None])
    return np.stack([np.ones_like(x), 3 * y, 3 * z, 3 * x])


def azimuth_bins(bins: int) -> Array:
    """Centres of azimuth bins, radians, as a panorama's columns: from +pi down to -pi."""
    return np.pi - 2 * np.pi * (np.arange(bins) + 0.5) / bins


def elevation_bins(bins: int) -> Array:
    """Centres of elevation bins, radians, as a panorama's rows: from +pi/2 down to -pi/2."""
    return np.pi / 2 - np.pi * (np.arange(bins) + 0.5) / bins


def anglegram(foa: ArrayLike, rate: float, bins: int = 72, frame_seconds: float = 0.1) -> Array:
    """Energy per azimuth over time: E(d) averaged over each meridian, frame by frame.

    With h = X cos(az) + Y sin(az), the mean of E(d) over elevation, weighted by the sphere's
    surface (cos el / 2), is

        A(az) = <W^2> + (3 pi / 2) <W h> + 6 <h^2> + 3 <Z^2>,

    since cos el, cos^2 el and sin^2 el average to pi/4, 2/3 and 1/3 and odd powers of sin el
    vanish. So sounds from above and below count too, and A averaged over azimuth is E averaged
    over the sphere.

    Parameters
    ----------
    foa : array_like, shape (4, n)
    rate : float
        Samples per second.
    bins : int
        Azimuth bins, in the order of a panorama's columns (see `azimuth_bins`): row 0 is just left
        of straight behind, the middle is the front.
    frame_seconds : float

    Returns
    -------
    ndarray, float64, shape (bins, frames)
    """
    _, covariances = frame_covariances(foa, rate, frame_seconds)
    return anglegram_from_covariances(covariances, bins)


def anglegram_from_covariances(covariances: ArrayLike, bins: int = 72) -> Array:
    """`anglegram` of frames whose covariances (frames, 4, 4) are known; shape (bins, frames)."""
    matrices = np.asarray(covariances, dtype=np.float64).reshape(-1, 4, 4)
    azimuth = azimuth_bins(bins)[:, None]
    cos, sin = np.cos(azimuth), np.sin(azimuth)
    mean_wh = matrices[:, 0, 3] * cos + matrices[:, 0, 1] * sin
    mean_hh = (
        matrices[:, 3, 3] * cos**2 + matrices[:, 1, 1] * sin**2 + 2 * matrices[:, 1, 3] * cos * sin
    )
    energy = matrices[:, 0, 0] + 1.5 * np.pi * mean_wh + 6 * mean_hh + 3 * matrices[:, 2, 2]
    return np.maximum(energy, 0.0)
