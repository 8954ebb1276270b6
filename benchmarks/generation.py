"""How fast and how large a whole generation is, and whether its seams can be heard.

    python benchmarks/generation.py CLIP [--bundle starter] [--minutes 10] [--runs 3]

Three measurements, each through `omniaudio generate` in a process of its own:

1. CLIP at the default steps: seconds, times real time (video, vision, sampling, decoding and
   writing together), peak memory.
2. CLIP looped to ``--minutes``: the same, and its peak memory against the first.
3. A synthetic clip of one steady source, with five seeds: how far the level of W in the half second
   around a window seam is from the second before and after it, and the same at every other place,
   since a model's sound is itself never quite steady.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np


def run(arguments: list[str]) -> tuple[dict, float]:
    """Run `omniaudio ... --json`: its answer, and its peak resident memory in MB."""
    import psutil

    process = subprocess.Popen(
        [sys.executable, "-m", "omniaudio_studio", *arguments, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    peak = 0

    def watch() -> None:
        nonlocal peak
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss)
            except psutil.Error:
                return
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    answer, _ = process.communicate()
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"omniaudio {' '.join(arguments)} failed")
    return json.loads(answer), peak / 1e6


def loop(clip: Path, target: Path, seconds: float) -> None:
    """Repeat a clip's video without decoding it until it is ``seconds`` long."""
    import av

    with av.open(str(target), "w") as out:
        offset, stream = 0, None
        while True:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                last = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 0))
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    out.mux(packet)
                offset += last
                if offset * video.time_base >= seconds:
                    return


def steady_clip(folder: Path, seconds: float, options: argparse.Namespace) -> Path:
    """A 360 clip in which one steady thing (rain, where there is material) stays where it is."""
    from omniaudio_studio.datasets.library import MaterialLibrary
    from omniaudio_studio.datasets.make import write_video
    from omniaudio_studio.datasets.scene import sample_scene, scene_rng

    library = MaterialLibrary(options.sounds, options.panoramas, options.sprites)
    drawn = (
        sample_scene(scene_rng(3, number), library, seconds, (1, 1), "still", whole=1.0)
        for number in range(1000)
    )
    wanted = "rain" if "rain" in library.classes else library.classes[0]
    scene = next(scene for scene in drawn if scene.sources[0].name == wanted)
    path = folder / "steady.mp4"
    write_video(scene, library, path, 640, 320, 24.0)
    return path


def level_steps(bundle: str, wav: Path, seconds: float) -> tuple[list[float], list[float]]:
    """Level in dB of half a second against its neighbourhood: at window seams, and elsewhere."""
    import soundfile

    from omniaudio_studio.bundles.discovery import find_bundle
    from omniaudio_studio.engine.windows import plan_windows

    manifest = find_bundle(bundle).manifest
    sound, rate = soundfile.read(wav, dtype="float64")
    power = sound[:, 0] ** 2 + 1e-12

    def step(time: float) -> float:
        at, short, long = round(time * rate), rate // 4, 5 * rate // 4
        near = power[at - short : at + short].mean()
        around = np.r_[power[max(0, at - long) : at - short], power[at + short : at + long]].mean()
        return 10 * math.log10(near / around)

    frames = math.ceil(seconds * manifest.latent.rate)
    windows = plan_windows(frames, manifest.window.length, manifest.window.overlap)[1:]
    seams = [(window.start + window.overlap) / manifest.latent.rate for window in windows]
    others = [
        time for time in np.arange(2, seconds - 2, 0.25) if min(abs(time - s) for s in seams) > 0.75
    ]
    return [step(time) for time in seams], [step(time) for time in others]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    for material in ("--sounds", "--panoramas", "--sprites"):
        parser.add_argument(material, type=Path, help="for the steady source; else procedural")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def generate(clip: Path, wav: Path, *more: str) -> tuple[dict, float]:
            where = ["-o", str(wav), "--overwrite", "--bundle", options.bundle]
            return run(["generate", str(clip), *where, *more])

        runs = [generate(options.clip, folder / "short.wav") for _ in range(options.runs)]
        best = max(runs, key=lambda each: each[0]["realtime"])
        print(
            f"{options.clip.name}: {best[0]['duration']:.1f} s of clip in "
            f"{best[0]['sound_seconds']:.1f} s, {best[0]['realtime']:.2f} times real time "
            f"(best of {options.runs}), peak {best[1]:.0f} MB"
        )
        looped = folder / "long.mp4"
        loop(options.clip, looped, 60 * options.minutes)
        long, peak = generate(looped, folder / "long.wav")
        print(
            f"looped: {long['duration']:.1f} s of clip in {long['sound_seconds']:.1f} s, "
            f"{long['realtime']:.2f} times real time, peak {peak:.0f} MB "
            f"({peak / best[1]:.2f} times the short one's)"
        )
        steady = steady_clip(folder, 40.0, options)
        at_seams, elsewhere = [], []
        for seed in range(5):
            generate(steady, folder / "steady.wav", "--seed", str(seed))
            seams, others = level_steps(options.bundle, folder / "steady.wav", 40.0)
            at_seams += seams
            elsewhere += others
        for place, steps in (("window seams", at_seams), ("elsewhere", elsewhere)):
            print(
                f"steady source, {place}: level {np.mean(steps):+.2f} dB on average against the "
                f"second before and after, {np.median(np.abs(steps)):.2f} dB off in the median "
                f"({len(steps)} places)"
            )


if __name__ == "__main__":
    main()
