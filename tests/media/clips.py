"""Small clips made on the spot, whose pictures tell their number by brightness."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from hypothesis import HealthCheck, settings

LEVELS = 24
"""Frame numbers are told apart modulo this."""

# Every example writes over the last one's file, so one folder serves them all.
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_CLOCK = 90_000


def level(number: int) -> int:
    """Brightness of frame ``number``: far enough from its neighbours for any lossy codec."""
    return 10 + 10 * (number % LEVELS)


def number_of(image: np.ndarray) -> int:
    """Frame number, modulo `LEVELS`, that a picture shows."""
    return round((float(image.mean()) - 10) / 10)


def make_clip(
    path: Path,
    times: Sequence[float | Fraction],
    *,
    size: tuple[int, int] = (64, 32),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 30,
    gop: int = 12,
    bframes: int = 2,
    format: str | None = None,
    options: dict[str, str] | None = None,
    sound: np.ndarray | None = None,
    sound_rate: int = 48_000,
    sound_codec: str = "aac",
    sound_start: float = 0.0,
    aspect: Fraction | None = None,
    rotation: float | None = None,
    image: np.ndarray | None = None,
    tracks: int = 1,
    last: float | None = None,
    metadata: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
) -> Path:
    """Write a clip whose picture k appears at ``times[k]`` (seconds) and has brightness `level`.

    ``sound`` is float (channels, n). ``last`` is how long the last picture stays, seconds.
    ``encoder`` has options for the codec, ``options`` for the container.
    """
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        videos: list[Any] = []
        for _ in range(tracks):
            settings = {}
            if codec == "libx264":
                settings = {"preset": "ultrafast", "qp": "10", "bf": str(bframes)}
            settings |= encoder or {}
            stream = container.add_stream(codec, rate, options=settings)
            stream.width, stream.height = size
            stream.metadata.update(metadata or {})
            stream.pix_fmt = pix_fmt
            # AVI and MPEG-2 count pictures instead of keeping times.
            counted = path.suffix == ".avi" or codec == "mpeg2video"
            clock = 1 / Fraction(rate) if counted else Fraction(1, _CLOCK)
            stream.codec_context.time_base = clock
            stream.codec_context.gop_size = gop
            if aspect is not None:
                stream.sample_aspect_ratio = aspect
            if rotation is not None:
                stream.set_display_rotation(rotation)
            videos.append(stream)
        heard: Any = None
        if sound is not None:
            heard = container.add_stream(sound_codec, sound_rate)
            heard.layout = {1: "mono", 2: "stereo", 4: "4.0"}[sound.shape[0]]
        width, height = size
        for number, time in enumerate(times):
            grey = np.full((height, width), level(number), np.uint8) if image is None else image
            frame = av.VideoFrame.from_ndarray(
                grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2), format="rgb24"
            ).reformat(format=pix_fmt)
            frame.pts = round(Fraction(time) / clock)
            frame.time_base = clock
            for stream in videos:
                container.mux(stream.encode(frame))
        for stream in videos:
            for packet in stream.encode(None):
                if last is not None and packet.pts * packet.time_base >= times[-1]:
                    packet.duration = round(last / packet.time_base)
                container.mux(packet)
        if heard is not None and sound is not None:
            _write_sound(container, heard, sound, sound_rate, sound_start)
    return path


def _write_sound(container: Any, stream: Any, sound: np.ndarray, rate: int, start: float) -> None:
    planar = stream.codec_context.format.is_planar
    floats = "flt" in stream.codec_context.format.name
    data = sound.astype(np.float32) if floats else np.round(sound * 32767).astype(np.int16)
    if not planar:
        data = data.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(data),
        format=("flt" if floats else "s16") + ("p" if planar else ""),
        layout=stream.layout.name,
    )
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = round(start * rate)
    resampler = av.AudioResampler(frame_size=stream.codec_context.frame_size or 1024)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))
