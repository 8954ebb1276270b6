"""Does the window ever block? python benchmarks/event_loop.py [--seconds 60] [--clips 6]

Opens the app on a screen of its own (Xvfb) with an empty user folder, adds copies of the sample
clip, starts a batch with the shipped model in the low-priority worker, and uses the window
meanwhile: plays, drags the picture, scrubs, chooses other clips, changes settings. A timer of 2 ms
in the event loop notes every gap, and how much of it the window's thread worked (the rest it waited
for a processor). Prints the longest gaps, what was going on then, how many were
above 50 ms, and the memory of the window's process at the beginning and at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

LIMIT = 0.05  # seconds
TICK_MS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--clip", type=Path, default=None, help="instead of the sample clip")
    parser.add_argument("--software-view", action="store_true")
    options = parser.parse_args()

    from tests.support.display import start_display

    if sys.platform.startswith("linux") and (reason := start_display()) is not None:
        raise SystemExit(f"no screen: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("DATA", "CACHE", "CONFIG", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(folder) / name.lower())
        clip = options.clip or ROOT / "omniaudio_studio" / "assets" / "demo.mp4"
        clips = Path(folder) / "clips"
        clips.mkdir()
        for number in range(options.clips):
            shutil.copy(clip, clips / f"clip{number + 1}{clip.suffix}")
        watch(Path(folder), clips, options.seconds, options.software_view)


def watch(folder: Path, clips: Path, seconds: float, software: bool) -> None:
    import psutil
    from PyQt6.QtCore import QPoint, Qt, QTimer
    from PyQt6.QtTest import QTest

    from omniaudio_studio.jobs.queue import JobState
    from qt_app.app import make_application, open_window

    app = make_application()
    window = open_window(folder / "app", software_view=software)
    session = window.session
    process = psutil.Process()
    session.library.add([clips])
    gaps: list[tuple[float, float, float, str]] = []
    doing = "opening"
    last = started = time.perf_counter()
    last_work = time.thread_time()

    def tick() -> None:
        nonlocal last, last_work
        now, work = time.perf_counter(), time.thread_time()
        gaps.append((now - last, work - last_work, now - started, doing))
        last, last_work = now, work

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start(TICK_MS)

    def settle(wait: float, until: Callable[[], bool] = lambda: False) -> None:
        end = time.perf_counter() + wait
        while time.perf_counter() < end and not until():
            app.processEvents()
            time.sleep(0.0005)

    def busy() -> Iterator[tuple[str, Callable[[], None]]]:
        """What a user does, over and over."""
        view = window.stage.view
        number = 0
        while True:
            number += 1
            yield "playing", session.player.play
            yield "zooming the timeline", lambda: session.timeline.zoom(1.5)
            for step in range(12):
                place = QPoint(100 + 25 * step, 120 + 5 * step)
                yield "dragging the picture", lambda p=place: QTest.mouseMove(view, p)
            yield "scrubbing", lambda n=number: session.timeline.scrub(2.0 + n % 5)
            ids = [clip.id for clip in session.library.clips]
            if ids:
                other = ids[number % len(ids)]
                yield "choosing a clip", lambda o=other: session.library.set_current(o)
                yield (
                    "changing settings",
                    lambda o=other, n=number: session.library.change([o], cfg=3.0 + n % 4),
                )
            yield "switching the sound", session.player.next_source
            yield "going through the panels", lambda n=number: window.tabs.setCurrentIndex(n % 2)

    settle(30, lambda: all(clip.ready for clip in session.library.clips) and session.library.clips)
    settle(2)
    before = process.memory_info().rss
    doing = "generating is asked for"
    session.generating.generate(clip.id for clip in session.library.clips)
    QTest.mousePress(window.stage.view, Qt.MouseButton.LeftButton, pos=QPoint(100, 120))
    middle = None
    actions = busy()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        doing, act = next(actions)
        act()
        settle(0.12)
        if middle is None and time.perf_counter() > end - seconds / 2:
            middle = process.memory_info().rss
    after = process.memory_info().rss
    done = session.queue.count(JobState.DONE)
    jobs = len(session.queue.jobs())
    failed = session.queue.count(JobState.FAILED)
    window.close()
    opened = next(at for _, _, at, what in gaps if what != "opening")
    gaps = [gap for gap in gaps if gap[2] > opened]
    longest = sorted(gaps, reverse=True)[:8]
    above = [gap for gap in gaps if gap[0] > LIMIT]
    print(f"{len(gaps)} looks in {seconds:.0f} s; {done} of {jobs} jobs done, {failed} failed")
    for gap, work, at, what in longest:
        print(f"  {1000 * gap:6.1f} ms ({1000 * work:.1f} of work) at {at:5.1f} s, {what}")
    busiest = sorted(gaps, key=lambda gap: gap[1], reverse=True)[:5]
    for gap, work, at, what in busiest:
        print(f"  busiest: {1000 * work:.1f} of {1000 * gap:.1f} ms at {at:5.1f} s, {what}")
    print(f"gaps above {1000 * LIMIT:.0f} ms: {len(above)}")
    megabytes = [f"{value / 2**20:.0f}" for value in (before, middle or after, after)]
    print(f"memory of the window: {' -> '.join(megabytes)} MB (before, half-way, at the end)")


if __name__ == "__main__":
    main()
