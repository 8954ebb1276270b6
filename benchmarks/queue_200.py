"""Two hundred short clips through the queue in a real window.

Says how long the event loop was away, and how much the window's process grew. Run it on a screen,
or under Xvfb: ``python benchmarks/queue_200.py [CLIPS]``, from the folder of the project.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.display import start_display

if "DISPLAY" not in os.environ:
    start_display()

from PyQt6.QtCore import QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from qt_app.models.queue import QueueModel
from qt_app.widgets.queue_panel import QueuePanel
from tests.support.queues import wanted
from tests.support.small_clip import make_small_clip
from tests.support.tiny_bundle import make_tiny_bundle

TICK = 5  # milliseconds


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main(clips: int) -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp())
    clip, bundle = make_small_clip(folder / "clip.mp4"), make_tiny_bundle(folder / "tiny")
    requests = wanted(clip, bundle, folder / "out", clips)
    app = QApplication([])
    model = QueueModel(folder / "queue.sqlite", log_folder=folder / "logs")
    panel = QueuePanel(model)
    panel.resize(900, 500)
    panel.show()
    gaps: list[float] = []
    last = time.monotonic()
    sizes: list[float] = []

    def tick() -> None:
        nonlocal last
        now = time.monotonic()
        gaps.append(now - last)
        last = now

    model.job_finished.connect(lambda *_: sizes.append(resident()))
    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(TICK)
    begun = time.monotonic()
    model.add(requests, clip_seconds=2.0)
    while len(sizes) < clips:
        QTest.qWait(50)
    took = time.monotonic() - begun
    model.close()
    gaps.sort()
    middle, most = gaps[len(gaps) // 2], gaps[int(len(gaps) * 0.99)]
    print(f"{clips} clips of 2 s in {took:.1f} s, worker at low priority")
    print(
        f"event loop, a timer of {TICK} ms: median {1e3 * middle:.1f} ms, "
        f"99 % below {1e3 * most:.1f} ms, longest {1e3 * gaps[-1]:.1f} ms"
    )
    if clips > 40:
        print(
            f"memory {sizes[40]:.1f} MiB after 40 clips, {sizes[-1]:.1f} MiB at the end "
            f"({sizes[-1] - sizes[40]:+.1f})"
        )
    del app


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
