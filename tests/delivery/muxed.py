"""Clips and fields for what is muxed, and a look at what came out."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip, number_of

RATE = 48_000
MADE = Provenance("OmniAudio Studio 1.2", "generated", "starter", "3", seed=7, cfg=4.0)
DIRECTIONS = {
    "left": (np.pi / 2, 0.0),
    "right": (-np.pi / 2, 0.0),
    "up": (0.0, np.pi / 2),
    "front": (0.0, 0.0),
    "back": (np.pi, 0.0),
}


def pink(count: int, seed: int = 0, rms: float = 0.1) -> np.ndarray:
    """Noise whose octaves are equally loud, 20 Hz to 16 kHz: sound of no pitch, hard to encode."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    hertz[0] = 1
    spectrum *= (hertz >= 20) & (hertz <= 16_000)
    sound = np.fft.irfft(spectrum / np.sqrt(hertz), count)
    return rms * sound / sound.std()


def from_all_sides(seconds: float = 2.5) -> Foa:
    """The same sound from each of `DIRECTIONS` in turn, each for a fifth of the time."""
    part = round(seconds * RATE / len(DIRECTIONS))
    parts = [
        encode_plane_wave(pink(part, seed), *where)
        for seed, where in enumerate(DIRECTIONS.values())
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def clip_of(
    path: Path, seconds: float = 2.5, fps: int = 30, *, codec: str = "libx264", **options: Any
) -> Path:
    """A clip whose pictures tell their number; H.264 with B-frames by default."""
    times = [Fraction(k, fps) for k in range(round(seconds * fps))]
    return make_clip(path, times, codec=codec, rate=fps, **options)


def source_of(clip: Path, field: Foa, folder: Path, **options: Any) -> DeliverySource:
    """What is delivered: a field on disk, with a clip."""
    wav = folder / "field.wav"
    write_wav(wav, field, RATE)
    options.setdefault("provenance", MADE)
    return DeliverySource(wav, probe(clip, projection="equirectangular"), **options)


def pictures(path: Path) -> list[tuple[float, int]]:
    """When each picture is shown, seconds, and its number modulo `clips.LEVELS`."""
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), number_of(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(container.streams.video[0])
        ]


def packets_of(path: Path) -> list[bytes]:
    """The payloads of the main picture's packets, in their order."""
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.video[0]) if p.size]


def with_edits(clip: Path, target: Path, edits: list[tuple[int, int]]) -> Path:
    """Copy an MP4 whose first track gets the edit list (duration in ms, media time) ..."""
    data = bytearray(clip.read_bytes())
    at = data.find(b"elst") - 4
    (old,) = struct.unpack_from(">I", data, at)
    rows = b"".join(struct.pack(">IiI", length, time, 0x10000) for length, time in edits)
    new = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
    data[at : at + old] = new
    for parent in (b"edts", b"trak", b"moov"):
        place = data.find(parent) - 4
        (size,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", data, place, size + len(new) - old)
    target.write_bytes(data)
    return target
