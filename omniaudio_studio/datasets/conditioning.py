"""From a recording to a sound that scenes can use: mono, trimmed, at a common level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError

RATE = 48000
"""Sample rate of every sound of a library, in Hz."""

ACTIVE_RMS = 0.1
"""Level of a sound while it sounds (-20 dB re full scale); a scene's gains are relative to it."""

PEAK = 0.8
"""No sound of a library passes this."""


def decode(path: Path) -> NDArray[np.float32]:
    """An audio file as mono float32 at 48 kHz."""
    import soundfile
    import soxr

    from omniaudio_studio.media.audio import read_audio

    try:
        data, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = data.mean(axis=1)
    except (soundfile.SoundFileError, OSError):
        # What libsndfile does not know (AAC, for one), FFmpeg may.
        try:
            data, rate = read_audio(path)
        except MediaError as error:
            raise MediaError(
                f"{path} cannot be read as audio ({error}); remove or replace it"
            ) from error
        mono = data.mean(axis=0)
    mono = np.nan_to_num(mono)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE, quality="HQ")
    if not mono.size or not np.any(np.abs(mono) > 1e-5):
        raise MediaError(f"{path} is silent; remove it from the folder")
    return np.ascontiguousarray(mono, np.float32)


def tidy(sound: NDArray[np.float32], rate: int = RATE) -> NDArray[np.float32]:
    """Trim silence from a sound's ends and shorten its pauses to a quarter of a second.

    Silent is what lies 45 dB under the loudest 10 ms. Pauses above half a second are shortened;
    short fades keep the joints quiet.

    Raises
    ------
    MediaError
        If the sound is silent throughout.
    """
    block = rate // 100
    count = -(-sound.size // block)
    padded = np.zeros(count * block, np.float32)
    padded[: sound.size] = sound
    power = np.mean(padded.reshape(count, block) ** 2, axis=1)
    loud = np.flatnonzero(power > max(power.max() * 10**-4.5, 1e-10)) if count else np.empty(0, int)
    if not loud.size:
        raise MediaError("the sound is silent; remove it from the folder")
    breaks = np.flatnonzero(np.diff(loud) > 50)
    starts = loud[np.r_[0, breaks + 1]]
    stops = loud[np.r_[breaks, loud.size - 1]] + 1
    pieces: list[NDArray[np.float32]] = []
    for start, stop in zip(starts, stops, strict=True):
        # A decay keeps 50 ms under the threshold; the attack 10 ms.
        piece = padded[max(0, start - 1) * block : min(count, stop + 5) * block].copy()
        fade = min(block, piece.size // 2)
        piece[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        piece[: fade // 4] *= np.linspace(0, 1, fade // 4, dtype=np.float32)
        if pieces:
            pieces.append(np.zeros(rate // 4, np.float32))
        pieces.append(piece)
    return np.concatenate(pieces)


def level(sound: NDArray[np.float32], rate: int = RATE) -> NDArray[np.float32]:
    """Bring a sound to :data:`ACTIVE_RMS` while it sounds, its peak to :data:`PEAK` at most.

    Peaks of clicks are rounded off by 9 dB at most; what would need more stays quieter.
    """
    block = rate // 20
    count = max(1, sound.size // block)
    power = np.mean(sound[: count * block].reshape(count, -1) ** 2, axis=1)
    active = float(np.sqrt(power[power >= power.max() * 1e-3].mean()))
    peak = float(np.abs(sound).max())
    scaled = sound * np.float32(min(ACTIVE_RMS / active, 2.8 * PEAK / peak))
    if float(np.abs(scaled).max()) > PEAK:
        scaled = PEAK * np.tanh(scaled / PEAK)
    return np.ascontiguousarray(scaled, np.float32)
