"""Small SOFA files for tests, written with h5py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.foa.encoding import direction_vector


def grid() -> np.ndarray:
    """Azimuth and elevation in degrees, (2, 84): every 30 degrees, from -60 to 90."""
    return np.array([(az, el) for el in range(-60, 91, 25) for az in range(0, 360, 30)], float).T


def write_sofa(
    path: Path,
    *,
    directions: np.ndarray | None = None,
    rate: float = 48000.0,
    cartesian: bool = False,
    separate_delays: bool = False,
    view: tuple[float, float, float] | None = None,
    ears_swapped: bool = False,
    attributes: dict[str, Any] | None = None,
    without: tuple[str, ...] = (),
    damage: dict[str, np.ndarray] | None = None,
) -> Path:
    """A head of two cardioids 9 cm from its middle, left first; ``view`` turns where it looks."""
    h5py = pytest.importorskip("h5py")
    angles = grid() if directions is None else directions
    towards = direction_vector(*np.radians(angles))  # as seen from the head
    size = 256
    frequency = np.fft.rfftfreq(size)
    delays, gains = [], []
    for side in (1.0, -1.0):
        delays.append((0.0008 - 0.09 * side * towards[1] / 343.0) * rate)
        gains.append(0.6 + 0.4 * side * towards[1])
    delay, gain = np.stack(delays, axis=1), np.stack(gains, axis=1)
    if separate_delays:
        responses = np.zeros((*gain.shape, size))
        responses[..., 0] = gain
    else:
        turn = np.exp(-2j * np.pi * frequency * delay[..., None])
        responses = np.fft.irfft(gain[..., None] * turn, size)
    receivers = np.array([[0.0, 0.09, 0.0], [0.0, -0.09, 0.0]])
    if ears_swapped:
        responses, receivers, delay = responses[:, ::-1], receivers[::-1], delay[:, ::-1]
    places = 1.4 * towards
    if view is not None:  # where things are in the room, for a head that looks elsewhere
        front = np.array(view) / np.linalg.norm(view)
        left = np.cross([0.0, 0.0, 1.0], front)
        places = np.stack([front, left, np.cross(front, left)], axis=1) @ places
    if cartesian:
        source, kind, units = places.T, "cartesian", "metre"
    else:
        x, y, z = places
        source = np.stack(
            [
                np.degrees(np.arctan2(y, x)) % 360,
                np.degrees(np.arctan2(z, np.hypot(x, y))),
                0 * x + 1.4,
            ]
        ).T
        kind, units = "spherical", "degree, degree, metre"
    variables: dict[str, tuple[np.ndarray, str, str]] = {
        "Data.IR": (responses, "", ""),
        "Data.SamplingRate": (np.array([rate]), "", "hertz"),
        "Data.Delay": (delay if separate_delays else np.zeros((1, 2)), "", ""),
        "SourcePosition": (source, kind, units),
        "ListenerPosition": (np.zeros((1, 3)), "cartesian", "metre"),
        "ListenerView": (np.array([view or (1.0, 0.0, 0.0)]), "cartesian", "metre"),
        "ListenerUp": (np.array([[0.0, 0.0, 1.0]]), "", ""),
        "ReceiverPosition": (receivers[..., None], "cartesian", "metre"),
    }
    said = {
        "Conventions": "SOFA",
        "SOFAConventions": "SimpleFreeFieldHRIR",
        "ListenerShortName": "two cardioids",
        "License": "CC0",
        "References": "a test",
        **(attributes or {}),
    }
    with h5py.File(path, "w") as file:
        for name, value in said.items():
            file.attrs[name] = np.bytes_(value)
        for name, (values, kind, units) in variables.items():
            if name in without:
                continue
            stored = file.create_dataset(name, data=(damage or {}).get(name, values))
            if kind:
                stored.attrs["Type"] = np.bytes_(kind)
            if units:
                stored.attrs["Units"] = np.bytes_(units)
    return path
