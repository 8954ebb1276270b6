"""``python -m qt_app.sound.process STATE``: playback, told what to do in JSON lines on stdin.

STATE is the file of `shared.SharedState`. Commands are named after `SoundClient`'s methods; events
go to stdout. The process ends when its stdin does or its parent is gone.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SWITCH_SECONDS = 0.0005  # how long another thread may keep the interpreter from the callback
PARENT_SECONDS = 0.5
TICK_SECONDS = 0.05
NICE = -11
REAL_TIME = 4  # below the 5 that sound servers take


def main() -> None:
    """Serve until stdin ends."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # ALSA and PortAudio print what they like
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    sys.setswitchinterval(SWITCH_SECONDS)
    _raise_priority()
    _watch_parent()

    lock = threading.Lock()

    def say(event: dict[str, Any]) -> None:
        with lock, contextlib.suppress(OSError, ValueError):
            events.write(json.dumps(event).encode() + b"\n")

    # Before NumPy: its threads would only fight for the cores that drawing needs.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    # What readers import when they first read would stop the callback for many milliseconds.
    import soundfile  # noqa: F401
    import soxr  # noqa: F401

    from qt_app.sound.engine import Engine
    from qt_app.sound.shared import SharedState

    engine = Engine(SharedState(Path(sys.argv[1])), say)
    # From here on nothing may pause the callback: what lives now lives on, and the little that is
    # made later is freed by counting references.
    gc.collect()
    gc.freeze()
    gc.disable()
    say({"event": "ready", "pid": os.getpid()})
    _serve(engine, say)
    os._exit(0)


def _serve(engine: Any, say: Callable[[dict[str, Any]], None]) -> None:
    from qt_app.sound.source import SoundSource

    commands: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    while True:
        try:
            message = commands.get(timeout=TICK_SECONDS)
        except queue.Empty:
            engine.tick()
            continue
        if message is None or message.get("command") == "close":
            engine.close()
            return
        name = message.pop("command")
        try:
            if name == "load":
                message["sources"] = [SoundSource.from_dict(item) for item in message["sources"]]
            getattr(engine, _COMMANDS[name])(**message)
        except Exception as error:  # a command that fails must not end the sound
            say({"event": "problem", "message": f"playback could not {name}: {error}"})
        engine.tick()


_COMMANDS = {
    name: name
    for name in (
        "load",
        "select",
        "play",
        "pause",
        "seek",
        "loop",
        "hrtf",
        "device",
        "devices",
        "volume",
    )
}


def _listen(commands: queue.Queue[dict[str, Any] | None]) -> None:
    for line in sys.stdin.buffer:
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, dict) and message.get("command"):
                commands.put(message)
    commands.put(None)


def _raise_priority() -> None:
    """Ahead of drawing and of generating, where the system lets us.

    Before any thread starts: they inherit it. All of them, since one that holds the interpreter
    while it waits for its turn would keep the callback waiting too.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    # Niceness counts only among the processes of a session; real time counts among all.
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME))
    if sys.platform == "win32":
        import ctypes

        above_normal = 0x00008000
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), above_normal)


def _watch_parent() -> None:
    """Leave when the parent is gone (POSIX; elsewhere stdin ends)."""
    if os.name == "nt":
        return
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=look, name="omniaudio-parent", daemon=True).start()


if __name__ == "__main__":
    main()
