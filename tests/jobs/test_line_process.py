"""Processes spoken to in JSON lines: start, talk, death, end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.line_process import LOW_PRIORITY, LineProcess

ECHO = """
import json, sys, time
print(json.dumps({"event": "ready", "arguments": sys.argv[1:]}), flush=True)
print("not json", flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if message.get("say") == "crash":
        print("something broke", file=sys.stderr, flush=True)
        sys.exit(3)
    if message.get("say") == "hang":
        while True:
            time.sleep(1)
    print(json.dumps({"event": "echo", **message}), flush=True)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a module that answers what it is told."""
    (tmp_path / "echoing.py").write_text(ECHO)
    return tmp_path


@pytest.fixture
def echo(package: Path) -> Iterator[LineProcess]:
    """The module, started."""
    process = LineProcess("echoing", arguments=["a", "b c"], package_path=package)
    process.start()
    assert hear(process)["arguments"] == ["a", "b c"]
    yield process
    process.close()


def hear(process: LineProcess) -> dict[str, object]:
    """The next message."""
    for _ in range(100):
        if messages := process.poll(0.1):
            assert len(messages) == 1
            return messages[0]
    pytest.fail("nothing was said in ten seconds")


def test_what_is_sent_arrives_and_what_is_no_json_is_passed_over(echo: LineProcess) -> None:
    for number, text in enumerate(("plain", "zwei ü\n", "\N{GRINNING FACE}")):
        echo.send({"say": text, "number": number})
        assert hear(echo) == {"event": "echo", "say": text, "number": number}


def test_its_death_is_told_once_with_its_last_words(echo: LineProcess) -> None:
    echo.send({"say": "crash"})
    message = hear(echo)
    assert message["event"] == "died" and message["returncode"] == 3
    assert "something broke" in str(message["message"])
    assert not echo.alive and echo.pid is None
    assert echo.poll(0.2) == []
    echo.send({"say": "into the void"})  # says nothing, breaks nothing


def test_another_one_can_be_started_after_a_kill(echo: LineProcess) -> None:
    first = echo.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert "signal 9" in str(hear(echo)["message"])
    echo.start()
    assert hear(echo)["event"] == "ready"
    assert echo.pid != first
    echo.send({"say": "again"})
    assert hear(echo)["say"] == "again"


def test_one_that_does_not_end_is_killed(echo: LineProcess) -> None:
    pid = echo.pid
    assert pid is not None
    echo.send({"say": "hang"})
    time.sleep(0.2)
    assert not echo.close(timeout=0.3)
    assert not psutil.pid_exists(pid)


def test_one_that_ends_by_itself_is_not_killed_and_leaves_no_log(package: Path) -> None:
    process = LineProcess("echoing", package_path=package)
    process.start()
    hear(process)
    assert process.log.exists()
    assert process.close()
    assert not process.log.exists()
    with pytest.raises(WorkerError, match="closed"):
        process.start()


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is POSIX")
def test_low_priority_is_low(package: Path) -> None:
    process = LineProcess("echoing", package_path=package, low_priority=True)
    process.start()
    hear(process)
    assert process.pid is not None
    assert psutil.Process(process.pid).nice() >= LOW_PRIORITY
    process.close()


def test_a_python_that_is_not_there_is_said_in_a_line(tmp_path: Path) -> None:
    process = LineProcess("echoing", python=tmp_path / "python")
    with pytest.raises(WorkerError, match="cannot start echoing"):
        process.start()
    process.close()
