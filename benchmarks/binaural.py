"""Cost of the binaural renderer: python benchmarks/binaural.py [--minutes M] [--sofa FILE]

Live: the share of one core at each block size, with the head at rest and turning, measured as the
CPU time of the calling thread, so that other programs on the machine don't count. Offline: how many
times faster than real time, files not counted. BLAS gets one thread, as in the sound process.
"""

from __future__ import annotations

import argparse
import os
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

from omniaudio_studio.foa.binaural import (  # noqa: E402
    BinauralFilters,
    BinauralRenderer,
    TrackRenderer,
    default_filters,
    head_rotation,
)

BLOCKS = (64, 128, 256, 512, 1024, 4096)
SECONDS = 20.0  # of sound per live measurement
LIMIT = 1.0  # per cent of one core at 48 kHz and 256 samples
SPEED = 200.0  # times real time


def live(filters: BinauralFilters, size: int, turning: bool) -> tuple[float, float]:
    """Microseconds per block, median and 99th percentile."""
    rate = filters.rate
    rng = np.random.default_rng(0)
    field = 0.1 * rng.standard_normal((4, size)).astype(np.float32)
    out = np.empty((2, size), np.float32)
    renderer = BinauralRenderer(filters, max_block=size)
    # Two turns a second, nodding.
    heads = [
        head_rotation(
            4 * np.pi * turning * k * size / rate, 0.3 * turning * np.sin(k * size / rate)
        )
        for k in range(int(SECONDS * rate / size))
    ]
    spent = np.empty(len(heads))
    for k, head in enumerate(heads):
        begun = time.thread_time_ns()
        renderer.process(field, out, head)
        spent[k] = time.thread_time_ns() - begun
    spent = spent[len(spent) // 10 :] / 1000
    return float(np.median(spent)), float(np.percentile(spent, 99))


def offline(filters: BinauralFilters, minutes: float, points: float) -> float:
    """Times real time, with a head track of so many points a second (0: none)."""
    rate = filters.rate
    rng = np.random.default_rng(0)
    piece = 0.1 * rng.standard_normal((4, rate * 10)).astype(np.float32)
    out = np.empty((2, piece.shape[1]), np.float32)
    times = np.arange(0.0, 60.0 * minutes, 1.0 / points) if points else np.zeros(1)
    track = (times, np.sin(times), 0.3 * np.sin(1.7 * times), 0.1 * np.sin(0.3 * times))
    begun = time.process_time()
    renderer = TrackRenderer(filters, rate, track)
    pieces = max(1, round(6 * minutes))
    for _ in range(pieces):
        renderer.process(piece, out)
    return 10.0 * pieces / (time.process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of sound, offline")
    parser.add_argument("--rate", type=int, default=48000)
    parser.add_argument("--sofa", help="filters of one's own")
    given = parser.parse_args()
    filters = default_filters(given.rate)
    if given.sofa:
        from omniaudio_studio.media.hrtf import load_hrtf

        filters = load_hrtf(given.sofa).at_rate(given.rate)
    print(
        f"{filters.name}: {filters.taps.shape[2]} taps at {filters.rate} Hz, NumPy {np.__version__}"
    )
    print("block    rest: us  (99 %)  core    turning: us  (99 %)  core")
    met = True
    for size in BLOCKS:
        cells = []
        for turning in (False, True):
            median, late = live(filters, size, turning)
            share = median * 1e-4 * filters.rate / size
            cells.append(f"{median:10.1f} {late:7.1f} {share:5.2f} %")
            if size == 256 and filters.rate == 48000 and not given.sofa:
                met = met and share <= LIMIT
        print(f"{size:5d} " + "   ".join(cells))
    for points in (0, 10, 100, 1000):
        speed = offline(filters, given.minutes, points)
        what = f"track of {points} points/s" if points else "head at rest"
        print(f"offline, {given.minutes:g} min, {what}: {speed:.0f} times real time")
        met = met and speed >= SPEED
    print("targets met" if met else "TARGETS MISSED")
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    main()
