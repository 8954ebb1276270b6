"""Drawn clips in which discs move with their sounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.panorama.sphere import angles_to_vector

RATE, FPS = 48_000, 24
WIDTH, HEIGHT = 288, 144

_AZIMUTH = np.pi - 2 * np.pi * (np.arange(WIDTH) + 0.5) / WIDTH
_ELEVATION = np.pi / 2 - np.pi * (np.arange(HEIGHT) + 0.5) / HEIGHT
PIXELS = angles_to_vector(_AZIMUTH[None, :], _ELEVATION[:, None])


@dataclass(frozen=True)
class Disc:
    """A bright disc: where its middle is (radians) and how wide it is (radians) at a time."""

    azimuth: Callable[[float], float]
    size: Callable[[float], float]
    elevation: float = 0.1

    def vectors(self, times: np.ndarray) -> np.ndarray:
        """Unit vectors (n, 3)."""
        return angles_to_vector([self.azimuth(t) for t in times], self.elevation).T


def scenery(seed: int = 0) -> np.ndarray:
    """A soft, random panorama without a seam, uint8."""
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 140, (HEIGHT, WIDTH, 3)).astype(np.float32)
    wide = np.concatenate([coarse] * 3, axis=1)
    soft = cv2.GaussianBlur(wide, (0, 0), 4.0)[:, WIDTH : 2 * WIDTH]
    return np.clip((soft - soft.mean()) * 6 + 90, 0, 255).astype(np.uint8)


def write_clip(
    path: Path,
    seconds: float,
    discs: Callable[[float], Sequence[Disc]],
    sound: np.ndarray,
    turn: Callable[[float], int] = lambda _: 0,
    background: Callable[[float], np.ndarray] | None = None,
) -> Path:
    """Write a clip; ``turn`` rolls what is seen by whole pixels to the right, as a camera that
    turns to the left does. ``sound`` is float32 (samples,) or (channels, samples)."""
    still = scenery()
    channels = np.atleast_2d(sound)
    with VideoWriter(
        path, WIDTH, HEIGHT, FPS, audio_rate=RATE, audio_channels=len(channels), crf=18
    ) as writer:
        for number in range(round(seconds * FPS)):
            t = number / FPS
            image = (still if background is None else background(t)).copy()
            for disc in discs(t):
                middle = angles_to_vector(disc.azimuth(t), disc.elevation)
                inside = np.tensordot(middle, PIXELS, axes=1) > np.cos(disc.size(t) / 2)
                image[inside] = (250, 230, 90)
            writer.write_frame(np.roll(image, turn(t), axis=1))
            writer.write_audio(channels[:, number * RATE // FPS : (number + 1) * RATE // FPS])
    return path


def bursts(seconds: float, seed: int, every: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Noise that comes and goes, float32 (samples,), and its envelope, 0 to 1, at 100 Hz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * 100)) / 100
    envelope = np.zeros(t.size)
    start = 0.2
    while start < seconds:
        envelope += np.exp(-0.5 * ((t - start) / 0.09) ** 2)
        start += every * rng.uniform(0.6, 1.4)
    envelope = np.clip(envelope, 0, 1)
    samples = round(seconds * RATE)
    gain = np.interp(np.arange(samples) / RATE, t, envelope)
    return (0.2 * rng.standard_normal(samples) * (gain + 0.002)).astype(np.float32), envelope
