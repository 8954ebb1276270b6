"""From the mouse to the ear: python benchmarks/mouse_to_sound.py [--clip FILE] [--batch]

A real window with the 360 view plays a clip and a field; real mouse events (XTest) drag the picture
so that a tone goes from one ear to the other; a null sink is recorded. Each latency runs from just
before the event is sent until the packet has arrived here in which the tone has gone half-way.

Says median and 95th percentile, underflows as the sound process counts them, gaps as they are
heard, and how often the view was drawn a second. ``--batch`` has the worker generate clip after
clip at low priority meanwhile. Needs pulseaudio, xdotool's libXtst, and Xvfb where there is no
screen. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

RATE = 48_000
TONE = 3000.0  # Hz; whole periods in a millisecond
LOOP = 20.0  # seconds of clip and field, repeated
WIDTH, HEIGHT = 960, 540  # of the view
MEDIAN_MS, TAIL_MS, FPS = 25.0, 40.0, 30.0  # what it must reach
SETTLE_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, help="a 360 video; made if not given")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batch", action="store_true", help="generate at low priority meanwhile")
    parser.add_argument("--window", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.window is not None:
        show_window(options.window)
        return
    folder = Path(tempfile.mkdtemp(prefix="mouse-to-sound-"))
    try:
        missed = measure(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit(1 if missed else 0)


def measure(options: argparse.Namespace, folder: Path) -> bool:
    from tests.qt.sound.listening import in_real_time
    from tests.support.display import start_display
    from tests.support.pulse import NullSink

    if not os.environ.get("DISPLAY") and (reason := start_display()) is not None:
        raise SystemExit(f"no screen: {reason}")
    field = make_field(folder / "field.wav")
    clip = options.clip or make_clip(folder / "clip.mp4")
    (folder / "job.json").write_text(json.dumps({"clip": str(clip), "field": str(field)}))
    # The window's own files do not mix with the user's.
    for name in ("DATA", "CACHE", "CONFIG", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    with contextlib.ExitStack() as stack:
        sink = NullSink(folder)
        sink.start()
        stack.callback(sink.stop)
        first = in_real_time()
        recorder = Recorder(sink)  # before what plays: it changes the sink's latency
        stack.callback(recorder.close)
        manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
        stack.callback(manager.kill)
        window = Window(folder, {**os.environ, **sink.environment})
        stack.callback(window.close)
        if options.batch:
            stack.callback(start_batch(folder))
        time.sleep(SETTLE_SECONDS)
        window.ask("count")
        started = time.monotonic()
        sent = drag(window.place, options.seconds)
        seconds = time.monotonic() - started
        window.ask("stop")
        facts = window.answer
        time.sleep(0.2)
        heard = recorder.sound()
    print(f"sound server    {'in real time, as on a desktop' if first else 'like any process'}")
    return report(options, facts, *latencies(heard, sent), gaps(heard, started), seconds)


def report(
    options: argparse.Namespace,
    facts: dict[str, Any],
    found: np.ndarray,
    lost: int,
    silences: int,
    seconds: float,
) -> bool:
    median, tail = np.percentile(found, [50, 95])
    frames = facts["frames"] / seconds
    print(f"view            {facts['view']}, {facts['width']} x {facts['height']}")
    print(f"output          block {facts['block']}, {facts['latency'] * 1000:.1f} ms by the device")
    print(f"batch           {'at low priority' if options.batch else 'none'}")
    print(f"load average    {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"drags           {len(found)} heard, {lost} not")
    print(f"mouse to sound  median {median:.1f} ms, 95th percentile {tail:.1f} ms, ", end="")
    print(f"most {found.max():.1f} ms")
    dry = facts["underflows"]
    print(f"underflows      {dry} counted, {silences} gaps heard in {seconds:.0f} s")
    print(f"late files      {facts['starved']} blocks")
    print(f"view            {frames:.1f} pictures a second")
    print(f"longest block   {facts['longest'] * 1000:.1f} ms to compute")
    missed = median > MEDIAN_MS or tail > TAIL_MS or dry > 0 or silences > 0
    return bool(missed or frames < 0.95 * FPS or lost > len(found) // 50)


def make_field(path: Path) -> Path:
    """A tone in front: half to the right of one who looks left, and the other way round."""
    import soundfile

    from omniaudio_studio.foa.encoding import encode_plane_wave

    moments = np.arange(round(LOOP * RATE)) / RATE
    tone = (0.25 * np.sin(2 * np.pi * TONE * moments)).astype(np.float32)
    soundfile.write(path, encode_plane_wave(tone, 0.0, 0.0).T, RATE, subtype="FLOAT")
    return path


def make_clip(path: Path) -> Path:
    """1920 x 1080 H.264 at 30 pictures a second, all of it moving."""
    import av

    generator = np.random.default_rng(0)
    blocks = generator.integers(40, 215, (34, 60, 3), dtype=np.uint8)
    picture = np.kron(blocks, np.ones((32, 32, 1), np.uint8))[:1080]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.bit_rate = 12_000_000
        for number in range(round(LOOP * 30)):
            moved = np.ascontiguousarray(np.roll(picture, 7 * number, axis=1))
            frame = av.VideoFrame.from_ndarray(moved, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def start_batch(folder: Path) -> Any:
    """Generate one short clip after the other in a worker that yields; returns what ends it."""
    from omniaudio_studio.jobs.client import WorkerClient
    from omniaudio_studio.jobs.demo import SAMPLE_CLIP
    from omniaudio_studio.jobs.request import GenerateRequest

    client = WorkerClient(low_priority=True)
    client.start()
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            output = folder / f"take{number}.wav"
            job = client.submit(GenerateRequest(SAMPLE_CLIP, output, device="cpu"))
            over = False
            while not over and not stop.is_set():
                for event in client.poll(0.1):
                    if event.kind == "error":
                        print(f"the batch failed: {event.data['message']}", file=sys.stderr)
                        stop.set()
                    over = over or (event.final and event.job == job)

    thread = threading.Thread(target=work)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()
        client.close()

    return end


class Recorder:
    """What the sink plays, with the moment at which each packet arrived."""

    def __init__(self, sink: Any) -> None:
        self._process = sink.recorder(latency_ms=1)
        self._packets: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := self._process.stdout.read1(1 << 16):
            self._packets.append((time.monotonic(), data))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def sound(self) -> tuple[np.ndarray, np.ndarray]:
        """(2, n) float32, and the moment at which each sample's packet had arrived (n,)."""
        packets = list(self._packets)
        whole = np.frombuffer(b"".join(data for _, data in packets), "<f4")
        whole = whole[: len(whole) // 2 * 2].reshape(-1, 2).T
        ends = np.cumsum([len(data) for _, data in packets]) // 8
        place = np.searchsorted(ends, np.arange(whole.shape[1]), side="right")
        moments = np.array([moment for moment, _ in packets])
        return whole, moments[np.minimum(place, len(packets) - 1)]


def drag(place: tuple[int, int, int, int], seconds: float) -> list[float]:
    """Press in the view and move from side to side; returns when each move was sent."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    test = ctypes.CDLL(ctypes.util.find_library("Xtst") or "libXtst.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    left, top, width, height = place
    ends = (left + width // 10, left + width - width // 10)
    middle = top + height // 2

    def move(x: int) -> None:
        test.XTestFakeMotionEvent(display, -1, x, middle, 0)
        x11.XFlush(display)

    def press(down: bool) -> None:
        test.XTestFakeButtonEvent(display, 1, int(down), 0)
        x11.XFlush(display)

    # Looking ahead at first, the view is taken at its middle: then both ends are alike.
    move(left + width // 2)
    time.sleep(0.3)
    press(True)
    time.sleep(0.3)
    chance = random.Random(0)
    sent = []
    until = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < until:
        turn += 1
        sent.append(time.monotonic())
        move(ends[turn % 2])
        time.sleep(0.25 + chance.uniform(0.0, 0.1))
    press(False)
    x11.XCloseDisplay(display)
    return sent


def latencies(heard: tuple[np.ndarray, np.ndarray], sent: list[float]) -> tuple[np.ndarray, int]:
    """Milliseconds from each move but the first to its sound, and how many were not heard."""
    sound, moments = heard
    # The difference between the ears, over one millisecond.
    window = np.ones(48) / 48
    power = [np.convolve(ear.astype(np.float64) ** 2, window, "same") for ear in sound]
    difference = 10 * np.log10((power[0] + 1e-9) / (power[1] + 1e-9))
    found, lost = [], 0
    for moment, following in pairwise(sent[1:]):
        start, stop = np.searchsorted(moments, [moment, following])
        part = difference[start:stop]
        before, after = part[:48].mean(), part[-2400:].mean()
        crossed = np.flatnonzero((part - (before + after) / 2) * np.sign(after - before) > 0)
        if abs(after - before) < 3 or not len(crossed):
            lost += 1
        else:
            found.append(1000 * (moments[start + crossed[0]] - moment))
    return np.array(found), lost


def gaps(heard: tuple[np.ndarray, np.ndarray], started: float) -> int:
    """Places where the tone stops in both ears, for a quarter of a millisecond or longer."""
    sound, moments = heard
    # A tone of this pitch is never near zero for 12 samples.
    quiet = np.abs(sound[:, np.searchsorted(moments, started) :]).max(axis=0) < 1e-4
    long = np.convolve(quiet, np.ones(12), "valid") == 12
    return int(np.count_nonzero(np.diff(long.astype(int)) == 1))


class Window:
    """The window's process: starts, says where its view is, counts when asked."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.answer: dict[str, Any] = {}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--window", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._listen()
        x, y, width, height = self.answer["place"]
        self.place = (x, y, width, height)

    def ask(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()
        self._listen()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the window's process ended; see above")
        self.answer = json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()


def show_window(folder: Path) -> None:
    """In the window's process: play and draw until stdin ends."""
    from PyQt6.QtCore import QEvent, QObject, QPoint, QSocketNotifier, QTimer
    from PyQt6.QtOpenGLWidgets import QOpenGLWidget
    from PyQt6.QtWidgets import QApplication, QMainWindow, QWidget

    from omniaudio_studio.media.probe import probe
    from qt_app.models.player import Player
    from qt_app.picture.decoder import FrameSource
    from qt_app.picture.look import LookModel
    from qt_app.picture.view import make_sphere_view
    from qt_app.sound.source import FIELD, SoundSource

    job = json.loads((folder / "job.json").read_text())
    app = QApplication(sys.argv[:1])
    look, frames = LookModel(), FrameSource()
    player = Player(look)
    window = QMainWindow()
    view = make_sphere_view(look, frames, lambda: player.position, window)
    window.setCentralWidget(view)
    window.resize(WIDTH, HEIGHT)
    window.move(40, 40)
    window.show()
    frames.open(probe(job["clip"], projection="equirectangular").as_dict())
    player.problem.connect(lambda line: print(line, file=sys.stderr))
    player.load([SoundSource("field", FIELD, Path(job["field"]), "Tone")], LOOP)
    player.set_loop((0.0, LOOP))
    player.play()
    view.set_playing(True)
    count = {"frames": 0, "before": 0}

    def drawn() -> None:
        count["frames"] += 1

    class Painted(QObject):
        def eventFilter(self, _: QObject | None, event: QEvent | None) -> bool:
            if event is not None and event.type() == QEvent.Type.Paint:
                drawn()
            return False

    canvas: QWidget = view
    if not isinstance(view, QOpenGLWidget):
        canvas = view.findChild(QOpenGLWidget) or view
    painted = Painted()
    if isinstance(canvas, QOpenGLWidget):
        canvas.frameSwapped.connect(drawn)
    else:
        canvas.installEventFilter(painted)

    def say(**values: Any) -> None:
        print(json.dumps(values), flush=True)

    def facts() -> dict[str, Any]:
        counts = player.counts()
        return {
            "frames": count["frames"] - count["before"],
            "underflows": counts.underflows,
            "starved": counts.starved,
            "longest": counts.longest,
            "view": type(canvas).__name__,
            "width": canvas.width(),
            "height": canvas.height(),
            **player.output,
        }

    def ready() -> None:
        if player.position < 0.5 or count["frames"] < 5:
            return
        timer.stop()
        corner = canvas.mapToGlobal(QPoint(0, 0))
        say(place=[corner.x(), corner.y(), canvas.width(), canvas.height()])

    def told() -> None:
        word = sys.stdin.readline().strip()
        if word == "count":
            count["before"] = count["frames"]
            say()
        elif word == "stop":
            say(**facts())
        else:
            app.quit()

    timer = QTimer()
    timer.timeout.connect(ready)
    timer.start(50)
    notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)  # type: ignore[arg-type]
    notifier.activated.connect(told)
    app.exec()
    player.close()
    frames.close()


if __name__ == "__main__":
    main()
