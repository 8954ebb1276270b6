"""Progress and JSON, as they appear."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from omniaudio_studio.cli.output import ProgressReport, print_json, seconds_text


def test_json_has_a_word_for_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {
            "path": Path("a") / "é.wav",
            "nan": math.nan,
            "array": np.array([1.5, np.inf]),
            "number": np.float32(0.5),
            "tuple": (1, None, True),
            3: "three",
        }
    )
    assert json.loads(capsys.readouterr().out) == {
        "path": str(Path("a") / "é.wav"),
        "nan": None,
        "array": [1.5, None],
        "number": 0.5,
        "tuple": [1, None, True],
        "3": "three",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (60.0, "1:00 min"),
        (754.0, "12:34 min"),
        (3661, "1:01:01 h"),
    ],
)
def test_times_read_well(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def report(stage: str, done: float, eta: float | None = None) -> SimpleNamespace:
    return SimpleNamespace(stage=stage, done=done, total=10.0, eta=eta)


def test_without_a_terminal_progress_is_sparse(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport() as progress:
        progress(report("loading", 0.0))
        for step in range(100):
            progress(report(("frames", "sampling", "decoding")[step % 3], step / 10, 3.0))
        progress(report("overlay", 5.0, 61.0))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["sound 0 %", "overlay 50 %, 1:01 min left"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar_with_stage_and_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with ProgressReport() as progress:
        progress(report("frames", 2.0, 8.0))
        progress(report("sampling", 5.0, 5.0))
    text = terminal.getvalue()
    assert "sampling" in text
    assert "5.0 s left" in text
    assert "50%" in text
