"""Pictures of sound for the log: spectrograms, and where the energy comes from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.foa.direction import energy_map
from omniaudio_studio.training.task import Sample

Picture = NDArray[np.uint8]

_WINDOW = 1024
_RANGE = 80.0  # dB from black to white


def shown(
    name: str, field: NDArray[np.float32], rate: int, loudest: float = 0.0
) -> dict[str, Sample]:
    """W of a field ``(4, N)`` to listen to, its spectrogram, and the field's energy map."""
    return {
        f"sound/{name}": Sample("sound", field[0].clip(-1, 1), rate),
        f"spectrogram/{name}": Sample("image", spectrogram(field[0], loudest)),
        f"energy/{name}": Sample("image", energy(field)),
    }


def spectrogram(signal: NDArray[np.float32], loudest: float = 0.0, height: int = 256) -> Picture:
    """``(height, frames, 3)`` of a signal of 1024 samples or more, low frequencies below.

    Levels are in dB below a sine of full scale: ``loudest`` (dB) is brightest, 80 dB less black.
    """
    hop = _WINDOW // 4
    frames = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::hop]
    window = np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames * window)) ** 2 / (window.sum() / 2) ** 2
    bands = power[:, 1:].reshape(len(power), height, -1).mean(axis=2).T[::-1]
    level = 10 * np.log10(bands + 1e-12)
    return coloured((level - loudest) / _RANGE + 1)


def energy(field: NDArray[np.float32], width: int = 144) -> Picture:
    """``(width / 2, width, 3)``: the energy map of a field ``(4, N)``, its highest value bright."""
    found = energy_map(field, width, width // 2)
    return coloured(found / max(float(found.max()), 1e-20))


def coloured(values: NDArray[np.floating]) -> Picture:
    """Values 0..1 as colours from black over red to white."""
    from matplotlib import colormaps

    picture: Picture = colormaps["magma"](np.clip(values, 0, 1), bytes=True)[..., :3]
    return np.ascontiguousarray(picture)
