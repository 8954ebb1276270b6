"""Make the README's pictures of the app: python tools/screenshots.py [--out docs/pictures]

Opens the real window on a screen of its own (Xvfb) with an empty user folder, the sample clip and
a few synthetic ones, generates with the shipped model, and takes a picture of each main state.
Needs the extra `dev` and, on Linux, Xvfb and PulseAudio.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NAMES = ("beach.mp4", "market square.mp4", "harbour.mp4")
SIZE = (1500, 940)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()

    from tests.support.display import start_display
    from tests.support.pulse import NullSink, missing_pulse

    if (reason := start_display()) is not None:
        raise SystemExit(f"no screen: {reason}")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("DATA", "CACHE", "CONFIG", "STATE"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(folder) / name.lower())
        sink = None
        if missing_pulse() is None:
            (Path(folder) / "pulse").mkdir()
            sink = NullSink(Path(folder) / "pulse")
            sink.start()
            os.environ.update(sink.environment)
        try:
            take_pictures(Path(folder), options.out)
        finally:
            if sink is not None:
                sink.stop()


def make_clips(folder: Path) -> None:
    """The sample clip and some scenes of procedural sky, sprites and sound."""
    from omniaudio_studio.datasets.library import MaterialLibrary
    from omniaudio_studio.datasets.make import write_video
    from omniaudio_studio.datasets.scene import sample_scene
    from omniaudio_studio.datasets.sound import render_foa

    folder.mkdir()
    shutil.copy(ROOT / "omniaudio_studio" / "assets" / "demo.mp4", folder / "meadow.mp4")
    library = MaterialLibrary()
    for number, name in enumerate(NAMES):
        scene = sample_scene(np.random.default_rng(20 + number), library, 8.0)
        mono = render_foa(scene, library)[0]
        write_video(scene, library, folder / name, 640, 320, 24.0, mono, crf=24)


def take_pictures(folder: Path, out: Path) -> None:
    from omniaudio_studio.jobs.queue import JobState
    from omniaudio_studio.jobs.request import Segment
    from qt_app.app import make_application, open_window

    make_clips(folder / "clips")
    app = make_application()
    window = open_window(folder / "app")
    window.resize(*SIZE)
    session = window.session
    library = session.library

    def settle(seconds: float, until: Callable[[], bool] | None = None) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until is not None and until()):
            app.processEvents()
            time.sleep(0.003)

    def picture(name: str) -> None:
        window.notices.clear()
        settle(0.4)
        screen = window.screen()
        assert screen is not None
        screen.grabWindow(window.winId()).save(str(out / f"{name}.png"))
        print(out / f"{name}.png")

    session.preferences.theme = "light"
    settle(1.0)
    picture("app-empty")
    window.add_paths([folder / "clips"])
    settle(60, lambda: len(library.clips) == 4 and all(c.thumbnail for c in library.clips))
    meadow = next(clip for clip in library.clips if clip.name == "meadow.mp4")
    library.set_current(meadow.id)
    library.set_selected([meadow.id])
    library.change([meadow.id], seed=7, seed_locked=True)
    settle(2)
    session.generating.generate_grid(
        meadow, [meadow.settings.changed(seed=seed, cfg=cfg) for seed, cfg in ((7, 4.0), (8, 6.0))]
    )
    settle(240, lambda: session.queue.count(JobState.DONE) == 2)
    settle(10, lambda: session.listening.summary is not None and len(session.player.sources) == 4)
    session.generating.generate(c.id for c in library.clips if c.id != meadow.id)
    # The helicopter, which flies from the right of behind to the front, with its sound.
    session.takes.set_current(session.takes.takes()[0].wav)
    session.player.play()
    session.look.set_orientation(np.radians(-40), np.radians(14))
    settle(20, lambda: session.queue.count(JobState.RUNNING) == 1 and session.player.position > 4)
    session.player.pause()
    session.player.seek(4.2)
    settle(4, lambda: session.queue.totals[0] > 0.35)
    picture("app-generating")
    settle(240, lambda: session.queue.count(JobState.DONE) == 5)
    library.put_settings(
        {meadow.id: {"shots": (Segment(0.0), Segment(3.4, 6.0, 21)), "use_shots": True}}
    )
    session.timeline.set_range(1.2, 3.4)
    window.tabs.setCurrentWidget(window.takes)
    takes = session.takes.takes()
    session.takes.star(takes[0])
    session.takes.keep(takes[-1])
    settle(3)
    picture("app-takes")
    session.preferences.theme = "dark"
    settle(1)
    picture("app-dark")
    window.actions_.show_device()
    dialog = window.actions_._about_device
    assert dialog is not None
    settle(4)
    dialog.grab().save(str(out / "app-device.png"))
    dialog.close()
    window.close()


if __name__ == "__main__":
    main()
