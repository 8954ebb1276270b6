"""The button, clicked in a real window: the bar moves, and the strips appear."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile

from tests.support.children import dies_with_us

pytestmark = pytest.mark.keeps_time  # a window that plays

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "omniaudio_studio" / "assets" / "demo.mp4"
SCREEN = (1280, 800)
TOOLS = ("blender", "Xvfb", "openbox", "xdotool", "import")


class Window:
    """Blender on a screen of its own, with somebody who clicks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        read, write = os.pipe()
        self.children = [
            subprocess.Popen(
                ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24"],
                pass_fds=(write,),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=dies_with_us(),
            )
        ]
        os.close(write)
        with os.fdopen(read) as stream:
            display = f":{stream.readline().strip()}"
        self.environment = {
            **os.environ,
            "DISPLAY": display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "SDL_AUDIODRIVER": "dummy",
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        self.environment.pop("WAYLAND_DISPLAY", None)
        shutil.copy(DEMO, folder)
        self.start(["openbox"])
        self.blender = self.start(
            [
                "blender", "-p", "0", "0", *map(str, SCREEN), "--factory-startup",
                "--python", str(ROOT / "tests/blender_window/click_story.py"),
                "--", str(ROOT), sys.executable, str(folder / DEMO.name), str(folder),
            ]
        )  # fmt: skip

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=dies_with_us(),
        )
        self.children.append(child)
        return child

    def hear(self, *words: str) -> tuple[str, dict[str, Any]]:
        """The next of these words that Blender says, with its facts."""
        said = []
        assert self.blender.stdout is not None
        for line in self.blender.stdout:
            said.append(line)
            word, _, facts = line.partition(" ")
            if word in words:
                return word, json.loads(facts)
        raise AssertionError("".join(said[-40:]))

    def click(self, x: int, y: int) -> None:
        """Click into Blender's window, pixels from its top left, without the frame around it."""
        self.run("xdotool", "mousemove", "--window", self.name(), str(x), str(y))
        time.sleep(0.4)  # Blender looks where the mouse is at its next event
        self.run("xdotool", "mousemove_relative", "1", "0")
        time.sleep(0.4)
        self.run("xdotool", "click", "1")

    def picture(self, name: str) -> Path:
        """What the window shows; kept where OMNIAUDIO_PICTURES names a folder."""
        folder = Path(os.environ.get("OMNIAUDIO_PICTURES", self.folder))
        self.run("import", "-window", self.name(), str(folder / name))
        return folder / name

    def name(self) -> str:
        """The number that the screen has for Blender's window."""
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--class", "Blender"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return found.stdout.split()[-1]

    def run(self, *command: str) -> None:
        subprocess.run(command, env=self.environment, check=True, timeout=30)

    def close(self) -> None:
        for child in reversed(self.children):
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (Debian: blender openbox xdotool ...)")
    window = Window(tmp_path)
    yield window
    window.close()


def click_generate(window: Window) -> None:
    """Wait for the panel and press its button: the first thing below its title."""
    word, place = window.hear("READY", "FAILED")
    assert word == "READY"
    window.picture("blender-before.png")
    window.click(place["left"] + place["width"] // 2 - 10, place["top"] + 48)
    word, _ = window.hear("STARTED", "FAILED")
    assert word == "STARTED"


def test_a_click_generates_and_the_strips_appear(window: Window, tmp_path: Path) -> None:
    click_generate(window)
    word, half = window.hear("HALF", "OVER", "FAILED")
    assert word == "HALF"
    assert "%" in half["text"] and "left" in half["times"]
    window.picture("blender-generating.png")
    word, over = window.hear("OVER", "FAILED")
    assert over["state"] == "DONE", over
    assert over["strips"] == {
        "demo": ["MOVIE", False, 1, 145],
        "demo-take1": ["SOUND", True, 1, 145],
        "demo-take1.binaural": ["SOUND", False, 1, 145],
    }
    # Asked is twice a second; on a starved machine a redraw may be late, but not all of them.
    assert over["draws"] >= 2 * over["seconds"] * 0.8
    time.sleep(1.0)
    window.picture("blender-take.png")
    assert soundfile.info(tmp_path / "demo-take1.wav").frames == 6 * 48_000
    window.blender.kill()
    window.blender.wait()
    psutil.wait_procs(
        [psutil.Process(over["worker"])] if psutil.pid_exists(over["worker"]) else [], 5
    )
    assert not psutil.pid_exists(over["worker"])
