"""Procedural material: sounds, skies and drawn sprites for when no folders are given.

Everything is a pure function of a class name and a number.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SECONDS = 4.0
"""Length of a procedural sound."""


def _rng(name: str, number: int) -> np.random.Generator:
    # crc32 and not hash(): the same in every process.
    return np.random.default_rng([zlib.crc32(name.encode()), number])


# Sounds


def _time(rate: int) -> NDArray[np.float64]:
    return np.arange(round(SECONDS * rate)) / rate


def _low_pass(x: NDArray[np.float64], rate: int, low: float, high: float) -> NDArray[np.float64]:
    """Band-pass by a smooth gain over frequency (zero phase)."""
    spectrum = np.fft.rfft(x)
    f = np.fft.rfftfreq(x.size, 1 / rate)
    gain = 1 / (1 + (f / high) ** 4) * (1 - 1 / (1 + (f / low) ** 4))
    return np.fft.irfft(spectrum * gain, x.size)


def _clicks(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """A clock-like train of short damped clicks."""
    out = np.zeros(round(SECONDS * rate))
    period, pitch = rng.uniform(0.2, 0.6), rng.uniform(1200, 4000)
    t = np.arange(round(0.05 * rate)) / rate
    for k, start in enumerate(np.arange(0.01, SECONDS - 0.06, period)):
        f = pitch * (1.0 if k % 2 else 0.8)
        i = round(start * rate)
        out[i : i + t.size] += np.sin(2 * np.pi * f * t) * np.exp(-t * 130)
    return out


def _chirps(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """Bird-like falling and rising chirps."""
    out = np.zeros(round(SECONDS * rate))
    start = 0.02
    while start < SECONDS - 0.4:
        length = rng.uniform(0.08, 0.25)
        t = np.arange(round(length * rate)) / rate
        f0, f1 = rng.uniform(1500, 5000, 2)
        phase = 2 * np.pi * (f0 * t + (f1 - f0) * t**2 / (2 * length))
        i = round(start * rate)
        out[i : i + t.size] += np.sin(phase) * np.hanning(t.size)
        start += length + rng.uniform(0.05, 0.3)
    return out


def _bursts(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """Bursts of coloured noise."""
    centre = rng.uniform(400, 3000)
    noise = _low_pass(rng.standard_normal(round(SECONDS * rate)), rate, centre / 1.7, centre * 1.7)
    envelope = np.zeros_like(noise)
    start = 0.02
    while start < SECONDS - 0.5:
        length = rng.uniform(0.15, 0.45)
        i, n = round(start * rate), round(length * rate)
        envelope[i : i + n] = np.exp(-np.arange(n) / (0.3 * n)) * np.minimum(
            1, np.arange(n) / (0.005 * rate)
        )
        start += length + rng.uniform(0.05, 0.35)
    return noise * envelope


def _engine(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """An engine's hum: harmonics of a wandering fundamental, beating, with some noise."""
    t = _time(rate)
    f = rng.uniform(45, 110) * (1 + 0.06 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * t))
    phase = 2 * np.pi * np.cumsum(f) / rate
    out = np.zeros_like(t)
    for k in range(1, 16):
        out += np.sin(k * phase + rng.uniform(0, 2 * np.pi)) / k ** rng.uniform(0.6, 1.2)
    beat = 1 + 0.4 * np.sin(2 * np.pi * rng.uniform(6, 14) * t)
    return (out + 0.3 * rng.standard_normal(t.size)) * beat


def _wind(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """Wind-like noise that swells slowly."""
    t = _time(rate)
    noise = _low_pass(rng.standard_normal(t.size), rate, 120, rng.uniform(500, 1500))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(0.25, 0.6) * t + rng.uniform(0, 6.28))
    return noise * swell


def _bell(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    """Struck bells with inharmonic partials."""
    out = np.zeros(round(SECONDS * rate))
    pitch, period = rng.uniform(300, 900), rng.uniform(0.5, 1.0)
    for start in np.arange(0.01, SECONDS - 0.3, period):
        i = round(start * rate)
        t = np.arange(out.size - i) / rate
        for ratio, decay in ((1.0, 3), (2.0, 4), (2.76, 6), (5.4, 9)):
            out[i:] += np.sin(2 * np.pi * pitch * ratio * t) * np.exp(-decay * t) / ratio
    return out


_SOUNDS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float64]]] = {
    "bell": _bell,
    "bursts": _bursts,
    "chirps": _chirps,
    "clicks": _clicks,
    "engine": _engine,
    "wind": _wind,
}

SOUND_CLASSES: tuple[str, ...] = tuple(_SOUNDS)
"""The classes of a library without folders."""


def sound(name: str, number: int, rate: int = 48000) -> NDArray[np.float32]:
    """A procedural sound of any class name; float32 mono of about four seconds.

    Names other than :data:`SOUND_CLASSES` get one of these kinds, always the same.
    """
    kind = name if name in _SOUNDS else SOUND_CLASSES[zlib.crc32(name.encode()) % len(_SOUNDS)]
    raw = _SOUNDS[kind](_rng(name, number), rate)
    return np.asarray(0.5 * raw / np.abs(raw).max(), np.float32)


# Skies


def sky(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A procedural panorama: sky and ground gradients, smooth noise, a horizon of shapes.

    Returns
    -------
    ndarray, uint8, shape (height, width, 3)
        Equirectangular RGB; its left and right edges meet.
    """
    import cv2

    rng = _rng("sky", number)
    elevation = np.pi / 2 - np.pi * (np.arange(height) + 0.5) / height
    azimuth = np.pi - 2 * np.pi * (np.arange(width) + 0.5) / width
    sky_low, sky_high, ground_near, ground_far = _palette(rng)
    up = np.clip(elevation / (np.pi / 2), 0, 1)[:, None] ** 0.6
    down = np.clip(-elevation / (np.pi / 2), 0, 1)[:, None] ** 0.5
    column = np.where(
        (elevation > 0)[:, None],
        sky_low + (sky_high - sky_low) * up,
        ground_far + (ground_near - ground_far) * down,
    )
    image = np.repeat(column[:, None, :], width, axis=1)
    # A skyline as a sum of few harmonics or of blocks: houses, hills, trees.
    heights = np.zeros(width)
    for k in range(1, 9):
        heights += rng.normal() / k * np.cos(k * azimuth + rng.uniform(0, 2 * np.pi))
    skyline = np.radians(rng.uniform(0, 8)) * (heights - heights.min()) / 2
    if rng.random() < 0.5:
        # In turns, not pixels: the same skyline at every size.
        edges = np.sort(rng.random(int(rng.integers(6, 40)))) * width
        steps = np.radians(rng.uniform(0, 25, edges.size + 1))
        steps[-1] = steps[0]
        skyline = skyline + steps[np.searchsorted(edges, np.arange(width))]
    colour = ground_far * rng.uniform(0.4, 1.0) + rng.uniform(-25, 25, 3)
    below = (elevation[:, None] > 0) & (elevation[:, None] < skyline[None, :])
    image[below] = colour
    # Smooth noise in three octaves, wrapped around the seam.
    for octave in range(3):
        cells = 4 * 2**octave
        grid = rng.normal(0, 1, (cells, 2 * cells)).astype(np.float32)
        grid = np.concatenate([grid[:, -1:], grid, grid[:, :1]], axis=1)
        step = max(1, width // (2 * cells))
        big = cv2.resize(grid, (step * (2 * cells + 2), height), interpolation=cv2.INTER_CUBIC)
        inner = np.ascontiguousarray(big[:, step : step + 2 * cells * step])
        noise = np.asarray(cv2.resize(inner, (width, height)))
        image += (rng.uniform(4, 16) / (1 + octave)) * noise[..., None]
    # Fine grain on the ground, from a generator of its own as its amount depends on the size.
    grain = rng.uniform(0, 10) * _rng("grain", number).standard_normal((height, width, 1))
    image += np.where((elevation < 0)[:, None, None], grain, grain * 0.15)
    # A few soft-edged still shapes (stones, clouds, boxes).
    for _ in range(int(rng.integers(0, 10))):
        _blob(image, rng, azimuth, elevation)
    return np.clip(image, 0, 255).astype(np.uint8)


def _palette(rng: np.random.Generator) -> tuple[NDArray[np.float64], ...]:
    """Colours of the sky at the horizon and overhead, the ground near and far."""
    night = rng.random() < 0.25
    light = rng.uniform(0.15, 0.4) if night else rng.uniform(0.7, 1.1)
    sky_low = np.array([200, 205, 215]) + rng.uniform(-50, 40, 3)
    sky_high = np.array([90, 130, 200]) + rng.uniform(-70, 60, 3)
    ground_near = np.array([110, 105, 90]) + rng.uniform(-60, 60, 3)
    ground_far = np.array([120, 125, 110]) + rng.uniform(-60, 60, 3)
    return tuple(light * np.asarray(c) for c in (sky_low, sky_high, ground_near, ground_far))


def _blob(
    image: NDArray[np.float64],
    rng: np.random.Generator,
    azimuth: NDArray[np.float64],
    elevation: NDArray[np.float64],
) -> None:
    """Blend an ellipse or a box into the image, wrapped around the seam."""
    centre_az, centre_el = rng.uniform(-np.pi, np.pi), rng.normal(0, 0.4)
    half_w, half_h = rng.uniform(0.04, 0.35, 2)
    d_az = (azimuth - centre_az + np.pi) % (2 * np.pi) - np.pi
    d_az = d_az * np.cos(np.clip(centre_el, -1.2, 1.2)) / half_w
    d_el = (elevation - centre_el) / half_h
    if rng.random() < 0.5:
        r = np.hypot(d_az[None, :], d_el[:, None])
    else:
        r = np.maximum(np.abs(d_az)[None, :], np.abs(d_el)[:, None])
    alpha = np.clip((1 - r) * rng.uniform(2, 12), 0, 1)[..., None] * rng.uniform(0.3, 0.9)
    image += alpha * (rng.uniform(0, 255, 3) - image)


# Sprites


def sprite(name: str, number: int, size: int = 256) -> NDArray[np.uint8]:
    """A drawn sprite: a two-coloured shape with a rim and an inner sign, told apart by class.

    Returns
    -------
    ndarray, uint8, shape (size, size, 4)
        RGBA, not premultiplied.
    """
    rng = _rng(name, number)
    kind = zlib.crc32(name.encode())
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    # The outline's number of lobes and the inner sign belong to the class; colours vary.
    lobes = 3 + kind % 5
    depth = (0.0, 0.12, 0.3)[kind // 5 % 3]
    outline = 0.94 * (1 - depth * (0.5 + 0.5 * np.cos(lobes * angle + np.pi / 2)))
    inner = (
        radius < 0.4,
        np.abs(x) + np.abs(y) < 0.5,
        (np.abs(x) < 0.14) | (np.abs(y) < 0.14),
        np.abs(np.sin(3 * np.pi * y)) > 0.6,
        np.cos(5 * angle) * 0.25 + 0.35 > radius,
    )[kind // 15 % 5]
    hue = (kind / 2**32 + rng.normal(0, 0.04)) % 1
    fill, sign = (
        _hsv(hue, rng.uniform(0.6, 0.95), 0.95),
        _hsv(hue + 0.5, rng.uniform(0.4, 0.9), 0.9),
    )
    rgb = np.where((inner & (radius < outline * 0.8))[..., None], sign, fill)
    rgb = np.where((radius > outline - 0.08)[..., None], fill * 0.25, rgb)
    alpha = np.clip((outline - radius) * size / 2 + 0.5, 0, 1)
    return np.concatenate([rgb * 255, alpha[..., None] * 255], axis=2).round().astype(np.uint8)


def _hsv(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    """RGB in 0..1 of a colour in hue (turns), saturation and value."""
    import colorsys

    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))
