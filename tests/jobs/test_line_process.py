"""A module in a process of its own: said and heard, died, killed, closed, out of the way."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from omniaudio_studio.errors import WorkerError
from omniaudio_studio.jobs.client import WorkerClient
from omniaudio_studio.jobs.line_process import LOW_PRIORITY, LOWEST_PRIORITY, LineProcess

PATIENCE = 30.0  # seconds, for a loaded machine
posix = pytest.mark.skipif(os.name == "nt", reason="kills by signal")

PARROT = """
import json, os, sys
print("no line of JSON")
for line in sys.stdin:
    message = json.loads(line)
    if message.get("do") == "stop":
        print("because of this", file=sys.stderr, flush=True)
        os._exit(3)
    if message.get("do") == "sleep":
        import time
        time.sleep(600)
    print(json.dumps({**message, "arguments": sys.argv[1:], "pid": os.getpid(),
                      "colour": os.environ.get("COLOUR")}), flush=True)
"""


@pytest.fixture
def parrot(tmp_path: Path) -> Iterator[Callable[..., LineProcess]]:
    (tmp_path / "parrot.py").write_text(textwrap.dedent(PARROT), encoding="utf-8")
    made: list[LineProcess] = []

    def make(**settings: Any) -> LineProcess:
        made.append(LineProcess("parrot", package_path=tmp_path, **settings))
        return made[-1]

    yield make
    for process in made:
        process.close(0.0)


def heard(process: LineProcess, count: int = 1) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    end = time.monotonic() + PATIENCE
    while len(messages) < count and time.monotonic() < end:
        messages += process.poll(0.1)
    assert len(messages) == count, messages
    return messages


def test_what_is_said_comes_back_in_order(parrot: Callable[..., LineProcess]) -> None:
    process = parrot(arguments=["a", "b c"], environment={"COLOUR": "grün"})
    assert not process.alive
    assert process.pid is None
    process.start()
    odd = "a \udcff name \u2028 of no encoding"
    for number in range(50):
        process.send({"number": number, "text": odd})
    messages = heard(process, 50)
    assert [message["number"] for message in messages] == list(range(50))
    assert messages[0]["text"] == odd
    assert messages[0]["arguments"] == ["a", "b c"]
    assert messages[0]["colour"] == "grün"
    assert messages[0]["pid"] == process.pid
    assert process.alive
    process.start()  # while it runs: nothing
    process.send({"number": 50})
    assert heard(process)[0]["pid"] == messages[0]["pid"]


@pytest.mark.keeps_time
def test_poll_returns_at_once_when_nothing_was_said(parrot: Callable[..., LineProcess]) -> None:
    process = parrot()
    process.start()
    process.send({"number": 0})
    heard(process)
    begin = time.monotonic()
    assert process.poll() == []
    assert time.monotonic() - begin < 0.05
    assert process.poll(0.2) == []
    assert 0.15 < time.monotonic() - begin < PATIENCE


def test_a_death_is_told_once_with_its_last_words(parrot: Callable[..., LineProcess]) -> None:
    process = parrot()
    process.start()
    first = process.pid
    process.send({"number": 1})
    process.send({"do": "stop"})
    said, end = heard(process, 2)
    assert said["number"] == 1
    assert end["event"] == "died"
    assert end["returncode"] == 3
    assert "parrot stopped (exit code 3): because of this" in end["message"]
    assert "\n" not in end["message"]
    assert process.last_words() == "because of this"
    assert process.poll(0.2) == []
    assert process.pid is None
    process.send({"number": 2})  # to nobody
    process.start()
    process.send({"number": 3})
    assert heard(process)[0]["number"] == 3
    assert process.pid != first


@posix
def test_a_killed_process_is_told_of(parrot: Callable[..., LineProcess]) -> None:
    process = parrot()
    process.start()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    assert heard(process)[0]["message"].startswith("parrot stopped (signal 9)")
    process.start()
    process.kill()
    assert heard(process)[0]["returncode"] == -signal.SIGKILL


def test_close_is_gentle_and_final(parrot: Callable[..., LineProcess]) -> None:
    process = parrot()
    process.start()
    process.send({"number": 1})
    heard(process)
    pid, log = process.pid, process.log
    assert log.exists()
    assert process.close(PATIENCE)  # its stdin ended, and so did it
    assert process.closed
    assert pid is not None and not psutil.pid_exists(pid)
    assert not log.exists()
    assert process.poll() == []  # an end that was asked for
    with pytest.raises(WorkerError, match="closed"):
        process.start()


@pytest.mark.keeps_time
def test_close_kills_what_does_not_listen(parrot: Callable[..., LineProcess]) -> None:
    process = parrot()
    process.start()
    process.send({"number": 1})
    process.send({"do": "sleep"})
    heard(process)
    pid = process.pid
    begin = time.monotonic()
    assert not process.close(0.3)
    assert time.monotonic() - begin < 5.0
    assert pid is not None and not psutil.pid_exists(pid)


def test_a_log_that_was_named_is_kept(parrot: Callable[..., LineProcess], tmp_path: Path) -> None:
    log = tmp_path / "parrot.log"
    log.write_text("from before\n", encoding="utf-8")
    process = parrot(log=log)
    process.start()
    process.send({"do": "stop"})
    heard(process)
    process.close()
    assert log.read_text(encoding="utf-8") == "from before\nbecause of this\n"


def test_a_python_that_is_not_there_is_one_line(parrot: Callable[..., LineProcess]) -> None:
    with pytest.raises(WorkerError, match="cannot start parrot with /no/such/python"):
        parrot(python="/no/such/python").start()


def test_a_module_that_is_not_there_says_so(tmp_path: Path) -> None:
    process = LineProcess("no_such_module_here", package_path=tmp_path)
    process.start()
    end = heard(process)[0]
    process.close()
    assert end["event"] == "died"
    assert "No module named no_such_module_here" in end["message"]


def test_what_lies_in_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "surprise.py").write_text("print('{}', flush=True)\nimport time; time.sleep(9)\n")
    monkeypatch.chdir(tmp_path)
    process = LineProcess("surprise")
    process.start()
    end = heard(process)[0]
    process.close()
    assert end.get("event") == "died"


@posix
@pytest.mark.parametrize("niceness", [0, LOW_PRIORITY, LOWEST_PRIORITY])
def test_it_yields_as_far_as_is_wanted(parrot: Callable[..., LineProcess], niceness: int) -> None:
    process = parrot(niceness=niceness)
    process.start()
    process.send({"number": 1})
    heard(process)
    assert process.pid is not None
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == max(own, niceness)


@posix
def test_a_worker_can_be_out_of_the_way_with_all_its_threads() -> None:
    with WorkerClient(low_priority=True) as client:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if any(event.kind == "ready" for event in client.poll(0.1)):
                break
        assert client.pid is not None
        # Its threads inherit what it was given before it made them.
        for thread in psutil.Process(client.pid).threads():
            assert os.getpriority(os.PRIO_PROCESS, thread.id) >= LOW_PRIORITY
