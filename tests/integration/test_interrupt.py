"""Ctrl-C: within a second, wherever the work is, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command_line import COMMAND, environment, names
from tests.support.small_clip import make_small_clip

SECONDS = 1.0

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals"),
    pytest.mark.keeps_time,
]


def interrupt(
    arguments: list[str | Path], out: Path, after: str, pause: float, number: int = signal.SIGINT
) -> tuple[float, int, str]:
    """Start, wait for ``after`` on stderr and ``pause`` seconds, send the signal.

    Returns the seconds until the process was gone, its exit code and the rest of its stderr. On a
    machine that others load it may take a second run to see how quick it is.
    """
    kept = {path: path.read_text() for path in out.iterdir() if path.is_file()}
    result = _interrupt_once(arguments, after, pause, number)
    if result[0] >= SECONDS:
        assert {path: path.read_text() for path in out.iterdir()} == kept
        result = _interrupt_once(arguments, after, pause, number)
    return result


def _interrupt_once(
    arguments: list[str | Path], after: str, pause: float, number: int
) -> tuple[float, int, str]:
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job would ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        while line := process.stderr.readline():
            if after in line:
                break
        assert line, "it ended before it could be interrupted"
        time.sleep(pause)
        assert process.poll() is None
        begun = time.monotonic()
        process.send_signal(number)
        out_text, rest = process.communicate(timeout=30)
        took = time.monotonic() - begun
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert out_text == ""
    return took, process.returncode, rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_inside_a_running_graph(
    small_clip: Path, slow_bundle: Path, tmp_path: Path, number: int
) -> None:
    target = tmp_path / "out.wav"
    target.write_text("precious")
    took, code, rest = interrupt(
        ["generate", small_clip, "-o", target, "--bundle", slow_bundle, "--overwrite"],
        tmp_path,
        after="sound 0 %",
        pause=2.0,
        number=number,
    )
    assert code == 130
    assert took < SECONDS
    assert "Traceback" not in rest
    assert rest.strip().startswith("omniaudio: ")
    assert names(tmp_path) == {"out.wav"}
    assert target.read_text() == "precious"


def test_while_frames_are_read_and_sound_is_written(tiny_bundle: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    clip = make_small_clip(clips / "long.mp4", seconds=60.0, fps=4.0, width=64, height=32)
    out = tmp_path / "out"
    out.mkdir()
    took, code, rest = interrupt(
        ["generate", clip, "-o", out / "out.wav", "--bundle", tiny_bundle, "--steps", "500"],
        out,
        after="sound 0 %",
        pause=1.5,
    )
    assert code == 130
    assert took < SECONDS
    assert "Traceback" not in rest
    assert names(out) == set()


def test_while_the_overlay_is_drawn(tiny_bundle: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    clip = make_small_clip(clips / "wide.mp4", seconds=4.0, fps=15.0, width=1280, height=640)
    out = tmp_path / "out"
    out.mkdir()
    took, code, rest = interrupt(
        ["generate", clip, "-o", out / "out.wav", "--bundle", tiny_bundle, "--overlay"],
        out,
        after="overlay",
        pause=0.3,
    )
    assert code == 130
    assert took < SECONDS
    assert "Traceback" not in rest
    assert names(out) == set()
