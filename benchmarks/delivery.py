"""Delivering a long 4K clip: python benchmarks/delivery.py [--minutes M] [--folder DIR]

Makes a clip (two seconds encoded once, its packets repeated), then times `cp` of it, the encoding
of the sound alone, and each deliverable with a picture, every one in a process of its own. Needs
about two and a half times the clip's size on the disk; all of it is deleted at the end.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from omniaudio_studio.delivery.binaural_video import write_binaural_video
from omniaudio_studio.delivery.mkv import write_mkv
from omniaudio_studio.delivery.mov import write_mov
from omniaudio_studio.delivery.mp4 import write_mp4
from omniaudio_studio.delivery.soundtrack import (
    AAC_FIELD,
    AAC_STEREO,
    FLAC_FIELD,
    OPUS_FIELD,
    PCM_FIELD,
    RATE,
    SoundFormat,
    SoundTrack,
)
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.webm import write_webm
from omniaudio_studio.foa.binaural import TrackRenderer, default_filters
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import WavWriter

WIDTH, HEIGHT, FPS, LOOP = 3840, 1920, 30, 2.0  # of the clip that is repeated; seconds
FACTOR = 1.5  # times cp, plus the encoding of the sound
MEMORY = 300  # MiB

WRITERS = {
    "mov": (write_mov, ".mov", PCM_FIELD),
    "mp4": (write_mp4, ".mp4", AAC_FIELD),
    "webm": (write_webm, ".mp4", OPUS_FIELD),
    "mkv": (write_mkv, ".mkv", FLAC_FIELD),
    "binaural-video": (write_binaural_video, ".mp4", AAC_STEREO),
}


def make_clip(path: Path, minutes: float, megabits: float) -> None:
    """A 4K clip of noise, its two seconds repeated."""
    rng = np.random.default_rng(0)
    short = io.BytesIO()
    with av.open(short, "w", format="mp4") as container:
        stream = container.add_stream("libx264", FPS, options={"preset": "ultrafast", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = round(megabits * 1e6)
        stream.codec_context.gop_size = FPS
        for number in range(round(LOOP * FPS)):
            coarse = rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
            picture = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    short.seek(0)
    with av.open(short) as source, av.open(str(path), "w") as target:
        copied = target.add_stream_from_template(source.streams.video[0], opaque=True)
        packets = [
            (bytes(p), p.pts, p.dts, p.is_keyframe, p.time_base)
            for p in source.demux(source.streams.video[0])
            if p.size
        ]
        for loop in range(round(minutes * 60 / LOOP)):
            for data, pts, dts, key, clock in packets:
                packet = av.Packet(data)
                later = round(loop * LOOP / clock)
                packet.pts, packet.dts, packet.time_base = pts + later, dts + later, clock
                packet.is_keyframe, packet.stream = key, copied
                target.mux(packet)


def make_field(path: Path, minutes: float) -> None:
    """A field whose source goes round once a minute, in blocks of a second."""
    rng = np.random.default_rng(1)
    with WavWriter(path, RATE, 4) as writer:
        for second in range(round(minutes * 60)):
            noise = np.convolve(rng.standard_normal(RATE), np.ones(8) / 8, "same")
            writer.write(encode_plane_wave(0.1 * noise, second * np.pi / 30, 0).astype(np.float32))


def ears(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """A field for headphones."""
    renderer = TrackRenderer(default_filters(RATE), RATE)
    for block in blocks:
        heard = np.empty((2, block.shape[1]), np.float32)
        renderer.process(block, heard)
        yield heard


def encode_alone(source: DeliverySource, form: SoundFormat, samples: int) -> float:
    """Seconds that reading, rendering and encoding the sound takes, written nowhere."""
    begun = time.perf_counter()
    blocks = source.blocks_in_clip(RATE, samples)
    with av.open(os.devnull, "w", format="null" if form.codec != "aac" else "mp4") as container:
        track = SoundTrack(container, form, RATE)
        for block in blocks if form is not AAC_STEREO else ears(blocks):
            track.encode(block)
        track.finish()
    return time.perf_counter() - begun


def one(name: str, clip: Path, field: Path, output: Path) -> None:
    """Deliver in this process; print seconds and the most memory."""
    write, _, form = WRITERS[name]
    info = probe(clip, projection="equirectangular")
    source = DeliverySource(field, info)
    begun = time.perf_counter()
    write(source, output)
    spent = time.perf_counter() - begun
    cpu, peak = _cpu(resource.RUSAGE_SELF), _peak()
    alone = encode_alone(source, form, info.samples(RATE))
    print(spent, cpu, peak, alone, _cpu(resource.RUSAGE_SELF) - cpu)


def _cpu(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def _peak() -> float:
    """The most memory of this process, MiB; getrusage would tell its parent's too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this benchmark needs Linux")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--megabits", type=float, default=35.0, help="a second, of the clip")
    parser.add_argument("--folder", type=Path, help="where the files go for a while")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one[0], *(Path(path) for path in given.one[1:]))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        folder = Path(made)
        clip, field = folder / "clip.mp4", folder / "field.wav"
        make_clip(clip, given.minutes, given.megabits)
        make_field(field, given.minutes)
        size = clip.stat().st_size
        print(f"clip: {given.minutes:g} min, {WIDTH} x {HEIGHT}, {size / 1e9:.2f} GB")
        copies = []
        before = _cpu(resource.RUSAGE_CHILDREN)
        for _ in range(2):
            begun = time.perf_counter()
            subprocess.run(["cp", str(clip), str(folder / "copy.mp4")], check=True)
            copies.append(time.perf_counter() - begun)
            (folder / "copy.mp4").unlink()
        copy = min(copies)
        cpu = (_cpu(resource.RUSAGE_CHILDREN) - before) / 2
        print(f"cp: {copy:.1f} s ({size / copy / 1e6:.0f} MB/s), CPU {cpu:.1f} s")
        for name, (_, suffix, _) in WRITERS.items():
            output = folder / f"out{suffix}"
            command = [sys.executable, __file__, "--one", name, clip, field, output]
            ran = subprocess.run(
                [str(word) for word in command], check=True, capture_output=True, text=True
            )
            spent, cpu, peak, alone, alone_cpu = (float(word) for word in ran.stdout.split())
            output.unlink()
            allowed = FACTOR * copy + alone
            verdict = "ok" if spent <= allowed else "SLOW"
            print(
                f"{name}: {spent:.1f} s (sound alone {alone:.1f} s, allowed {allowed:.1f} s: "
                f"{verdict}), CPU {cpu:.1f} s (sound alone {alone_cpu:.1f} s), {peak:.0f} MiB"
                + ("" if peak < MEMORY else " TOO MUCH")
            )
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
