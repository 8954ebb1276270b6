"""A short 360 clip, written by our own writer: a bright spot that moves, and a tone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from omniaudio_studio.media.video import VideoWriter

RATE = 48_000


def make_small_clip(
    path: Path,
    seconds: float = 2.0,
    fps: float = 10.0,
    width: int = 128,
    height: int = 64,
    sound: bool = True,
) -> Path:
    """Write ``round(seconds * fps)`` frames with spherical metadata; returns ``path``."""
    frames = round(seconds * fps)
    with VideoWriter(
        path, width, height, fps, audio_rate=RATE if sound else None, audio_channels=1
    ) as writer:
        for index in range(frames):
            image = np.full((height, width, 3), 40, np.uint8)
            left = (index * 4) % (width - 16)
            image[height // 3 : height // 2, left : left + 16] = (250, 220, 90)
            writer.write_frame(image)
            if sound:
                begin, end = (round(i / fps * RATE) for i in (index, index + 1))
                tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(begin, end) / RATE)
                writer.write_audio(tone[None].astype(np.float32))
    return path
