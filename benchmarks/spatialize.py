"""How fast recordings are put on the sphere: python benchmarks/spatialize.py [--clip CLIP]

Without a clip, 1080p clips (1920 x 960, 30 pictures a second, H.264) are drawn of each length asked
for: soft scenery seen by a camera that turns, and a disc that moves. Each method runs
`omniaudio spatialize` in a process of its own: seconds of clip per second of work (decoding,
finding and writing), and the process's largest memory. Lengths side by side show whether memory
grows with them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RATE, FPS, WIDTH, HEIGHT = 48_000, 30, 1920, 960


def draw(path: Path, seconds: float) -> None:
    """A clip as the module says."""
    import cv2

    from omniaudio_studio.media.video import VideoWriter

    rng = np.random.default_rng(0)
    coarse = rng.integers(20, 220, (HEIGHT // 40, WIDTH // 40, 3), np.uint8)
    scenery = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    with VideoWriter(path, WIDTH, HEIGHT, FPS, audio_rate=RATE, audio_channels=1) as writer:
        for number in range(round(seconds * FPS)):
            t = number / FPS
            picture = np.roll(scenery, round(200 * np.sin(0.7 * t)), axis=1)
            place = (round(WIDTH * (0.5 + 0.45 * np.sin(0.4 * t))), HEIGHT // 2)
            cv2.circle(picture, place, 70, (250, 240, 80), -1)
            writer.write_frame(picture)
            gain = 0.2 * (0.5 + 0.5 * np.sin(5 * t))
            noise = gain * rng.standard_normal((1, RATE // FPS))
            writer.write_audio(noise.astype(np.float32))


def duration_of(clip: Path) -> float:
    from omniaudio_studio.media.probe import probe

    return probe(clip).duration


def run(clip: Path, method: str, out: Path) -> tuple[float, float]:
    """Seconds, and the largest memory in megabytes, of one command in a process of its own."""
    command = [sys.executable, "-m", "omniaudio_studio", "spatialize", str(clip), "-o", str(out)]
    command += ["--sources", method, "--overwrite"]
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed: run it to see why")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clip", type=Path, help="a 360 clip with sound; else drawn ones")
    parser.add_argument("--seconds", type=float, nargs="+", default=[30.0, 120.0])
    parser.add_argument("--methods", nargs="+", default=["auto", "learned"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = [options.clip] if options.clip else []
        for seconds in [] if options.clip else options.seconds:
            clips.append(Path(folder) / f"drawn-{seconds:g}s.mp4")
            draw(clips[-1], seconds)
        print(f"{'clip':<22}{'method':<10}{'times real time':>16}{'seconds':>10}{'MB':>8}")
        for clip in clips:
            length = duration_of(clip)
            for method in options.methods:
                spent, memory = run(clip, method, Path(folder) / "out.wav")
                row = f"{clip.name:<22}{method:<10}{length / spent:>16.1f}{spent:>10.1f}"
                print(f"{row}{memory:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
