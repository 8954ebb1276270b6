"""What goes wrong leaves a window that can be used, and a line that says what to do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.queue import JobState
from qt_app.widgets.main_window import MainWindow
from tests.qt.window.conftest import WAIT_MS
from tests.qt.window.test_whole import drop, ready
from tests.support.small_clip import make_small_clip

OpenApp = Callable[..., MainWindow]


@pytest.fixture
def clip(small_clip: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    return Path(shutil.copy(small_clip, folder / "walk.mp4"))


def usable(window: MainWindow, qtbot: QtBot, bundle: str) -> None:
    """Whether a clip can still be generated for."""
    session = window.session
    done = session.queue.count(JobState.DONE)
    clip = next(clip for clip in session.library.clips if clip.ready)
    session.library.change([clip.id], bundle=bundle, steps=1, output_folder=None)
    session.generating.generate([clip.id])
    qtbot.waitUntil(lambda: session.queue.count(JobState.DONE) == done + 1, timeout=WAIT_MS)


def test_no_sound_device(
    qtbot: QtBot,
    open_app: OpenApp,
    bundles: str,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = Path("/proc/asound/cards")
    if not sys.platform.startswith("linux") or (cards.exists() and "[" in cards.read_text()):
        pytest.skip("this machine may have a sound card")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    window = open_app()
    drop(window, clip)
    ready(window, qtbot)
    qtbot.waitUntil(lambda: "sound" in window.notices.text.lower(), timeout=WAIT_MS)
    window.session.player.play()
    qtbot.waitUntil(lambda: window.session.player.position > 0.3, timeout=WAIT_MS)
    window.session.player.pause()
    usable(window, qtbot, bundles)


def test_no_gl(qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path) -> None:
    window = open_app(software_view=True)
    drop(window, clip)
    ready(window, qtbot)
    assert window.stage.view.fallback_reason is not None
    qtbot.waitUntil(lambda: window.stage.view.picture is not None, timeout=WAIT_MS)
    usable(window, qtbot, bundles)


def test_a_clip_that_has_moved(
    qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path, tmp_path: Path
) -> None:
    other = make_small_clip(clip.with_name("stays.mp4"))
    window = open_app()
    drop(window, clip, other)
    ready(window, qtbot, 2)
    session = window.session
    moved = next(one for one in session.library.clips if one.path == clip)
    session.library.set_current(moved.id)
    clip.rename(tmp_path / "elsewhere.mp4")
    session.library.check_files()
    qtbot.waitUntil(lambda: moved.missing, timeout=WAIT_MS)
    assert session.generating.generate([moved.id]) == 0
    assert "walk.mp4" in window.notices.text
    assert window.library.trouble.isVisible()
    usable(window, qtbot, bundles)


def test_a_broken_bundle(
    qtbot: QtBot,
    open_app: OpenApp,
    bundles: str,
    clip: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "bundles"
    shutil.copytree(tiny_bundle, folder / "tiny")
    shutil.copytree(tiny_bundle, folder / "broken")
    manifest = json.loads((folder / "broken" / "bundle.json").read_text())
    (folder / "broken" / "bundle.json").write_text(json.dumps({**manifest, "schema": 99}))
    shutil.copytree(tiny_bundle, folder / "altered")
    manifest["name"] = "altered"
    (folder / "altered" / "bundle.json").write_text(json.dumps(manifest))
    with (folder / "altered" / "dit.onnx").open("r+b") as file:
        file.write(b"\0\0\0\0")
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(folder))
    window = open_app()
    drop(window, clip)
    ready(window, qtbot)
    session = window.session
    number = session.library.clips[0].id
    broken = next(b for b in session.catalogue.bundles if b.path == folder / "broken")
    assert broken.problem
    session.library.change([number], bundle=broken.value)
    assert session.generating.generate([number]) == 0  # known to be broken: not even queued
    assert window.notices.count > 0
    # One that only shows when its files are read is the job's failure, in words.
    session.library.change([number], bundle="altered")
    with qtbot.waitSignal(session.queue.job_failed, timeout=WAIT_MS) as failed:
        session.generating.generate([number])
    assert "dit.onnx" in failed.args[1] and "\n" not in failed.args[1]
    usable(window, qtbot, bundles)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for next to nothing."""
    place = tmp_path / "full"
    place.mkdir()
    mounted = (
        shutil.which("mount") is not None
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("no file system can be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk(
    qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path, full_disk: Path
) -> None:
    window = open_app()
    drop(window, clip)
    ready(window, qtbot)
    session = window.session
    number = session.library.clips[0].id
    session.library.change([number], bundle=bundles, steps=1, output_folder=full_disk)
    with qtbot.waitSignal(session.queue.job_failed, timeout=WAIT_MS) as failed:
        session.generating.generate([number])
    assert "space" in failed.args[1].lower() and "\n" not in failed.args[1]
    assert list(full_disk.iterdir()) == []
    assert window.notices.text == "The disk is full"
    usable(window, qtbot, bundles)


APP = """
import sys
from pathlib import Path
from PyQt6.QtCore import QTimer
from omniaudio_studio.jobs.queue import JobState
from qt_app.app import make_application, open_window
from qt_app.models.preferences import Preferences
folder, clips, bundle = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
folder.mkdir(exist_ok=True)
preferences = Preferences(folder)
preferences.worker_low_priority = False
preferences.save()
app = make_application()
window = open_window(folder, software_view=True)
session = window.session
def add():
    window.add_paths([clips])
def go():
    library = session.library
    if len(library.clips) < 8 or not all(c.ready for c in library.clips):
        return
    timer.stop()
    ids = [clip.id for clip in library.clips]
    library.change(ids, bundle=bundle, steps=2)
    session.generating.generate(ids)
    session.library.flush()
    watch.start(20)
def look():
    jobs = session.queue.jobs()
    if len(jobs) == 8:
        print("queued", flush=True)
        if session.queue.count(JobState.DONE) == 8:
            print("done", flush=True)
            app.quit()
timer, watch = QTimer(), QTimer()
timer.timeout.connect(go)
watch.timeout.connect(look)
if sys.argv[4] == "first":
    QTimer.singleShot(0, add)
    timer.start(20)
else:
    watch.start(20)
app.exec()
window.close()
"""


def test_a_killed_app_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, small_clip: Path, tiny_bundle: Path
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(8):
        shutil.copy(small_clip, clips / f"clip{number}.mp4")
    environment = {**os.environ, "OMNIAUDIO_BUNDLES": str(tiny_bundle.parent)}

    def start(which: str) -> subprocess.Popen[str]:
        arguments = [str(tmp_path / "app"), str(clips), "tiny", which]
        return subprocess.Popen(
            [sys.executable, "-c", APP, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def takes() -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in clips.glob("*.wav")}

    process = start("first")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "queued"
    made: dict[str, int] = {}
    for wanted in (1, 3, 5):
        until = time.monotonic() + 60
        while len(takes()) < wanted and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for name, inode in made.items():
            assert takes()[name] == inode, f"{name} was made twice"
        made = takes()
        assert len(made) >= wanted
        process = start("again")
    assert process.stdout is not None
    said = [line.strip() for line in process.stdout]
    assert said[-1] == "done"
    assert process.wait(30) == 0
    assert sorted(takes()) == [f"clip{number}-take1.wav" for number in range(8)]
    assert not [path for path in clips.iterdir() if path.name.startswith(".")]
    left = [
        p
        for p in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(p.info["cmdline"] or ())
    ]
    assert left == []
