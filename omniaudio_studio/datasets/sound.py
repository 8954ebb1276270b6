"""The sound field of a scene, exactly as the scene says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Ambience, Room, Scene, Source
from omniaudio_studio.datasets.envelope import arrange
from omniaudio_studio.datasets.library import MaterialLibrary

SPEED_OF_SOUND = 343.0
"""In metres per second, at 20 degrees Celsius."""


def render_foa(scene: Scene, library: MaterialLibrary, rate: int = RATE) -> NDArray[np.float32]:
    """Render a scene's sound field.

    A source is a plane wave along its track. In a room, each wall adds a mirrored, delayed, dulled
    and weaker plane wave (image sources of first order). Ambience is diffuse noise.

    Parameters
    ----------
    scene, library
        The scene and the material that it names.
    rate
        Sample rate of the result; rendered at 48 kHz and resampled where it differs.

    Returns
    -------
    ndarray, float32, shape (4, round(seconds * rate))
        W Y Z X, SN3D.
    """
    out = np.zeros((4, scene.samples), np.float32)
    for source in scene.sources:
        dry = source_signal(source, library, scene.samples)
        _add_plane_wave(out, dry, source.vectors(_coarse(source)), 0)
        if scene.room is not None:
            _add_reflections(out, dry, source, scene.room)
    if scene.ambience is not None:
        out += diffuse_noise(scene.ambience, scene.samples)
    if rate != RATE:
        import soxr

        resampled = soxr.resample(out.T, RATE, rate, quality="HQ").T
        exact = np.zeros((4, round(scene.seconds * rate)), np.float32)
        used = min(exact.shape[1], resampled.shape[1])
        exact[:, :used] = resampled[:, :used]
        return exact
    return out


def source_signal(source: Source, library: MaterialLibrary, samples: int) -> NDArray[np.float32]:
    """The dry sound of a source with its gain, float32 (samples,) at 48 kHz."""
    dry = arrange(library.load_sound(source.sound), source.events, samples)
    dry *= np.float32(10 ** (source.gain_db / 20))
    return dry


def _coarse(source: Source) -> NDArray[np.float64]:
    """Moments at which a track's direction is computed; linear in between."""
    if not source.moving:
        return np.zeros(1)
    # A hundredth of a second: 0.6 degrees at the fastest.
    return np.arange(round(source.times[-1] * 100) + 1) / 100


def _add_plane_wave(
    out: NDArray[np.float32],
    signal: NDArray[np.float32],
    vectors: NDArray[np.float64],
    delay: int,
) -> None:
    """Add a plane wave from ``vectors`` (3, points), points 10 ms apart or one for all time."""
    samples = out.shape[1] - delay
    if samples <= 0:
        return
    out[0, delay:] += signal[:samples]
    step = RATE // 100
    # Padded to whole steps, so that the gains are ramps of a common length.
    blocks = np.zeros((-(-samples // step), step), np.float32)
    blocks.reshape(-1)[: min(samples, signal.size)] = signal[:samples]
    ramp = np.arange(step, dtype=np.float32) / np.float32(step)
    for channel, axis in ((1, 1), (2, 2), (3, 0)):
        points = vectors[axis].astype(np.float32)
        if points.size == 1:
            out[channel, delay:] += points[0] * signal[:samples]
            continue
        points = np.append(points, np.full(max(0, len(blocks) + 1 - points.size), points[-1]))
        left = points[: len(blocks), None]
        gain = left + ramp * (points[1 : len(blocks) + 1, None] - left)
        gain *= blocks
        out[channel, delay:] += gain.reshape(-1)[:samples]


def _add_reflections(
    out: NDArray[np.float32], dry: NDArray[np.float32], source: Source, room: Room
) -> None:
    """Add the six first-order images of a source in a box (Allen and Berkley, 1979).

    Delays are those of the middle of the track; directions follow it.
    """
    window = np.hanning(room.smoothing + 2)[1:-1]
    dull = np.convolve(dry, (window / window.sum()).astype(np.float32), mode="same")
    position = source.distance * source.vectors(_coarse(source))
    for wall, (distance, strength) in enumerate(zip(room.walls, room.reflection, strict=True)):
        if strength == 0:
            continue
        axis, sign = wall // 2, 1 - 2 * (wall % 2)
        image = position.copy()
        image[axis] = 2 * sign * distance - position[axis]
        length = np.linalg.norm(image, axis=0)
        middle = float(length[length.size // 2])
        delay = round(max(0.0, middle - source.distance) / SPEED_OF_SOUND * RATE)
        gain = np.float32(strength * source.distance / middle)
        _add_plane_wave(out, gain * dull, image / length, delay)


def diffuse_noise(ambience: Ambience, samples: int) -> NDArray[np.float32]:
    """Isotropic diffuse noise, float32 (4, samples).

    In a diffuse field the four components are uncorrelated and, in SN3D, Y, Z and X each have a
    third of W's power. Both channels of a complex spectrum's inverse transform are used, so that
    two transforms make four signals. The noise repeats after 2^17 samples at 48 kHz.
    """
    length = 2**17
    rng = np.random.default_rng(ambience.seed)
    f = np.abs(np.fft.fftfreq(length, 1 / RATE))
    shape = (np.maximum(f, 40) / 1000) ** (ambience.slope / 6.02)
    shape[f < 20] = 0
    parts = rng.standard_normal((2, length, 2), dtype=np.float32).view(np.complex64)[..., 0]
    waves = np.fft.ifft(parts * shape.astype(np.float32), axis=1)
    signals = np.stack([waves[0].real, waves[0].imag, waves[1].real, waves[1].imag])
    target = 10 ** (ambience.level_db / 20) * np.array([1, 3**-0.5, 3**-0.5, 3**-0.5])
    signals *= (target / np.sqrt(np.mean(signals**2, axis=1)))[:, None]
    copies = -(-samples // length)
    return np.tile(signals, (1, copies))[:, :samples].astype(np.float32)
