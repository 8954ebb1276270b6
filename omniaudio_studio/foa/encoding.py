"""Sounds into the field: plane waves, moving sources, stereo, ambience; and back to stereo.

Axes: x front, y left, z up. Azimuth counter-clockwise from the front (left = +pi/2), elevation
upwards, both in radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.convention import Foa, as_foa

BLOCK = 1 << 16
"""Samples worked on at a time where a temporary would be several times the signal."""


def direction_vector(azimuth: ArrayLike, elevation: ArrayLike) -> NDArray[np.float64]:
    """Unit vectors (x, y, z) = (cos az cos el, sin az cos el, sin el).

    Parameters
    ----------
    azimuth, elevation : array_like, radians
        Of shapes that broadcast together.

    Returns
    -------
    ndarray, float64, shape (3, ...)
    """
    azimuth, elevation = np.broadcast_arrays(
        np.asarray(azimuth, dtype=np.float64), np.asarray(elevation, dtype=np.float64)
    )
    across = np.cos(elevation)
    return np.stack([np.cos(azimuth) * across, np.sin(azimuth) * across, np.sin(elevation)])


def vector_direction(vector: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Azimuth in (-pi, pi] and elevation in [-pi/2, pi/2] of vectors of any length.

    The inverse of `direction_vector`. A zero vector gives (0, 0).

    Parameters
    ----------
    vector : array_like, shape (3, ...)
        x, y, z.
    """
    x, y, z = np.asarray(vector, dtype=np.float64)
    return np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))


def encode_plane_wave(signal: ArrayLike, azimuth: ArrayLike, elevation: ArrayLike) -> Foa:
    """A plane wave: W = s, Y = s sin(az) cos(el), Z = s sin(el), X = s cos(az) cos(el).

    Parameters
    ----------
    signal : array_like, shape (n,)
    azimuth, elevation : array_like, radians
        Scalars, or one value per sample, shape (n,).

    Returns
    -------
    ndarray, float32, shape (4, n)
    """
    sound = _mono(signal)
    azimuth = np.asarray(azimuth, dtype=np.float64)
    elevation = np.asarray(elevation, dtype=np.float64)
    for name, angle in (("azimuth", azimuth), ("elevation", elevation)):
        if angle.ndim and angle.shape != sound.shape:
            raise ValueError(
                f"expected one {name} or {sound.size}, one per sample; found shape {angle.shape}"
            )
    foa = np.empty((4, sound.size), dtype=np.float32)
    foa[0] = sound
    for start in range(0, sound.size, BLOCK):
        part = slice(start, start + BLOCK)
        x, y, z = direction_vector(
            azimuth[part] if azimuth.ndim else azimuth,
            elevation[part] if elevation.ndim else elevation,
        )
        foa[1, part] = sound[part] * y
        foa[2, part] = sound[part] * z
        foa[3, part] = sound[part] * x
    return foa


def encode_moving(
    signal: ArrayLike, times: ArrayLike, azimuth: ArrayLike, elevation: ArrayLike, rate: float
) -> Foa:
    """A source that moves along a track, its direction interpolated for every sample.

    Between two points of the track it follows the great circle at constant angular speed, the
    short way round; before the first and after the last it stands still. There are no steps at
    block edges, hence no zipper noise.

    Parameters
    ----------
    signal : array_like, shape (n,)
    times : array_like, shape (k,)
        Seconds, ascending; sample 0 is at 0 s.
    azimuth, elevation : array_like, shape (k,), radians
    rate : float
        Samples per second.

    Returns
    -------
    ndarray, float32, shape (4, n)
    """
    sound = _mono(signal)
    track = GreatCircleTrack(times, direction_vector(azimuth, elevation).T)
    foa = np.empty((4, sound.size), dtype=np.float32)
    foa[0] = sound
    for start in range(0, sound.size, BLOCK):
        stop = min(start + BLOCK, sound.size)
        x, y, z = track.at(np.arange(start, stop) / rate).T
        foa[1, start:stop] = sound[start:stop] * y
        foa[2, start:stop] = sound[start:stop] * z
        foa[3, start:stop] = sound[start:stop] * x
    return foa


def pseudo_foa(stereo: ArrayLike) -> Foa:
    """Stereo as a field: left and right as plane waves from +90 and -90 degrees.

    W = L + R, Y = L - R, Z = X = 0. `stereo_fold_down` gives the stereo signal back exactly. What
    is equal in both channels is heard from nowhere in particular, since stereo doesn't tell front
    from back.

    Parameters
    ----------
    stereo : array_like, shape (2, n)

    Returns
    -------
    ndarray, float32, shape (4, n)
    """
    sound = np.asarray(stereo, dtype=np.float32)
    if sound.ndim != 2 or sound.shape[0] != 2:
        raise ValueError(f"expected stereo of shape (2, samples), found {sound.shape}")
    foa = np.zeros((4, sound.shape[1]), dtype=np.float32)
    np.add(sound[0], sound[1], out=foa[0])
    np.subtract(sound[0], sound[1], out=foa[1])
    return foa


def diffuse_field(
    signal: ArrayLike, rng: np.random.Generator, *, seconds: float = 0.1, rate: float = 48000
) -> Foa:
    """Ambience that comes from everywhere: the sound through four independent decaying noises.

    The four channels are uncorrelated and have the covariance of an isotropic field, E[W^2] = P,
    E[Y^2] = E[Z^2] = E[X^2] = P / 3, where P is the signal's power: in expectation over the noises,
    and closely for one draw of them when the signal is broadband.

    Parameters
    ----------
    signal : array_like, shape (n,)
    rng : numpy.random.Generator
    seconds : float
        Time in which the noises decay by 60 dB; longer sounds like a larger room.
    rate : float
        Samples per second.

    Returns
    -------
    ndarray, float32, shape (4, n)
        As long as the signal: the tail that would follow it is cut.
    """
    sound = _mono(signal)
    taps = max(64, round(seconds * rate))
    noises = rng.standard_normal((4, taps)) * 10.0 ** (-3.0 * np.arange(taps) / taps)
    noises /= np.linalg.norm(noises, axis=1, keepdims=True)
    noises[1:] /= np.sqrt(3.0)
    return _convolve(sound, noises)


def head_locked(stereo: ArrayLike) -> NDArray[np.float32]:
    """A stereo bed that doesn't turn with the head: float32, (2, n), beside the field, not in it.

    Players of 360 video take it as a second, "headlocked" stereo track; music and narration go
    there.
    """
    sound = np.asarray(stereo, dtype=np.float32)
    if sound.ndim == 1:
        sound = np.stack([sound, sound])
    if sound.ndim != 2 or sound.shape[0] != 2:
        raise ValueError(f"expected mono or stereo, (n,) or (2, n); found {sound.shape}")
    return sound


def stereo_fold_down(foa: ArrayLike) -> NDArray[np.float32]:
    """Two virtual cardioids at +90 and -90 degrees: L = (W + Y) / 2, R = (W - Y) / 2.

    Parameters
    ----------
    foa : array_like, shape (4, n)

    Returns
    -------
    ndarray, float32, shape (2, n)
    """
    field = as_foa(foa)
    stereo = np.empty((2, field.shape[1]), dtype=np.float32)
    np.add(field[0], field[1], out=stereo[0])
    np.subtract(field[0], field[1], out=stereo[1])
    stereo *= np.float32(0.5)
    return stereo


def _mono(signal: ArrayLike) -> NDArray[np.float32]:
    sound = np.asarray(signal, dtype=np.float32)
    if sound.ndim != 1:
        raise ValueError(f"expected a mono signal of shape (samples,), found {sound.shape}")
    return sound


def _convolve(signal: NDArray[np.float32], filters: NDArray[np.float64]) -> NDArray[np.float32]:
    """Overlap-add convolution of one signal with several filters, cut to the signal's length."""
    taps = filters.shape[1]
    size = 1 << int(np.ceil(np.log2(max(4 * taps, 4096))))
    hop = size - taps + 1
    spectra = np.fft.rfft(filters, size)
    result = np.zeros((filters.shape[0], signal.size), dtype=np.float32)
    for start in range(0, signal.size, hop):
        block = np.fft.irfft(np.fft.rfft(signal[start : start + hop], size) * spectra, size)
        stop = min(start + size, signal.size)
        result[:, start:stop] += block[:, : stop - start].astype(np.float32)
    return result
