"""The analyst as a real process: what it says, cancelling, its end and its parent's."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.analyst import Asker, gone_within, start_orphan_maker
from tests.support.small_clip import make_small_clip

posix = pytest.mark.skipif(os.name == "nt", reason="kills by signal")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "user"))
    return tmp_path / "user"


@pytest.fixture
def asker(user: Path) -> Iterator[Asker]:
    one = Asker()
    yield one
    one.process.close()


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes some seconds to be searched for cuts."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return make_small_clip(path, seconds=400.0, sound=False)


@pytest.fixture(scope="session")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen minutes of a silent field: some seconds to look through, hardly anything to store."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    with soundfile.SoundFile(path, "w", 48_000, 4, subtype="PCM_16") as writer:
        for _ in range(15):
            writer.write(np.zeros((60 * 48_000, 4), np.int16))
    return path


def leftovers(user: Path) -> list[str]:
    folder = user / "omniaudio-studio" / "analysis"
    return [path.name for path in folder.glob("*")] if folder.exists() else []


def test_questions_are_answered_in_order(asker: Asker, small_clip: Path) -> None:
    asker.ask(1, "probe", path=str(small_clip))
    asker.ask(2, "thumbnail", path=str(small_clip))
    asker.ask(3, "shots", path=str(small_clip))
    assert asker.until(event="ready")["pid"] == asker.process.pid
    assert asker.until(ask=1)["answer"]["duration"] == pytest.approx(2.0)
    assert Path(asker.until(ask=2)["answer"]["image"]).read_bytes()[:2] == b"\xff\xd8"
    assert asker.until(ask=3, event="answer")["answer"] == {"starts": [0.0]}


def test_a_question_that_fails_is_one_line_and_the_next_is_answered(
    asker: Asker, small_clip: Path, tmp_path: Path
) -> None:
    asker.ask(1, "probe", path=str(tmp_path / "gone.mp4"))
    asker.ask(2, "horoscope")
    asker.process.send({"ask": 3, "task": "probe", "parameters": ["no", "object"]})
    asker.process.send({"ask": 4})
    asker.process.send({"ask": [5], "task": "probe"})  # no question: noted in the log only
    asker.process.send({"something": "else"})
    asker.ask(6, "probe", path=5)
    asker.ask(7, "probe", path=str(small_clip))
    for number, kind in (
        (1, "MissingFileError"),
        (2, "OptionError"),
        (3, "OptionError"),
        (4, "OptionError"),
    ):
        failed = asker.until(ask=number)
        assert (failed["event"], failed["kind"]) == ("failed", kind)
        assert "\n" not in failed["message"]
    assert asker.until(ask=6)["event"] == "failed"
    assert asker.until(ask=7)["event"] == "answer"
    log = asker.process.log.read_text(encoding="utf-8")
    assert log.count("not a question:") == 2


def test_progress_is_told(asker: Asker, long_sound: Path) -> None:
    asker.ask(1, "field", path=str(long_sound))
    parts = []
    while (message := asker.until(ask=1))["event"] == "progress":
        parts.append(message["part"])
    assert message["event"] == "answer"
    assert parts == sorted(parts)
    assert len(parts) >= 3
    assert 0 < parts[0] < parts[-1] <= 1


@pytest.mark.keeps_time
@pytest.mark.parametrize("task", ["shots", "field"])
def test_cancelled_within_a_second(
    asker: Asker, user: Path, long_clip: Path, long_sound: Path, task: str
) -> None:
    path = long_clip if task == "shots" else long_sound
    asker.ask(1, task, path=str(path))
    asker.until(ask=1, event="progress")
    begin = time.monotonic()
    asker.process.send({"cancel": 1})
    failed = asker.until(ask=1, event="failed")
    assert time.monotonic() - begin < 1.0
    assert failed["kind"] == "Cancelled"
    assert leftovers(user) == []


def test_a_question_can_be_cancelled_before_its_turn_or_after_its_answer(
    asker: Asker, small_clip: Path, long_sound: Path
) -> None:
    asker.ask(1, "field", path=str(long_sound))
    asker.ask(2, "thumbnail", path=str(small_clip))
    asker.process.send({"cancel": 2})
    asker.process.send({"cancel": 99})
    assert asker.until(ask=1, event="answer")
    assert asker.until(ask=2)["kind"] == "Cancelled"
    asker.process.send({"cancel": 2})
    asker.ask(2, "thumbnail", path=str(small_clip))  # the same number again: it is not cancelled
    assert asker.until(ask=2)["event"] == "answer"


def test_answers_stay_between_two_analysts(small_clip: Path, user: Path) -> None:
    answers = []
    for _ in range(2):
        asker = Asker()
        asker.ask(1, "shots", path=str(small_clip))
        told = []
        while (message := asker.until(ask=1))["event"] == "progress":
            told.append(message)
        answers.append((message["answer"], len(told)))
        asker.process.close()
    assert answers[0][0] == answers[1][0]
    assert answers[1][1] == 0


def test_what_libraries_print_is_no_answer(user: Path, tmp_path: Path, small_clip: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(
        "import atexit, os, threading\n"
        "threading.Timer(0.3, lambda: (print('noise'), os.write(1, b'noise from C\\n'))).start()\n",
        encoding="utf-8",
    )
    asker = Asker({"PYTHONPATH": str(modules)})
    asker.until(event="ready")
    time.sleep(0.6)
    asker.ask(1, "probe", path=str(small_clip))
    assert asker.until(ask=1)["event"] == "answer"
    assert asker.process.log.read_text(encoding="utf-8").count("noise") == 2
    asker.process.close()


@pytest.mark.keeps_time
def test_it_ends_when_its_stdin_does(asker: Asker, user: Path, long_sound: Path) -> None:
    asker.ask(1, "field", path=str(long_sound))
    asker.until(ask=1, event="progress")
    begin = time.monotonic()
    assert asker.process.close(5.0)
    assert time.monotonic() - begin < 2.0
    assert leftovers(user) == []


PARENT = """
import json, sys, time
sys.path.insert(0, {root!r})
from tests.support.analyst import Asker
asker = Asker()
asker.ask(1, "field", path={path!r})
asker.until(ask=1, event="progress")
print(json.dumps(asker.process.pid), flush=True)
time.sleep(600)
"""


@posix
def test_it_does_not_outlive_its_parent(user: Path, long_sound: Path) -> None:
    root = str(Path(__file__).parents[2])
    parent = start_orphan_maker(PARENT.format(root=root, path=str(long_sound)))
    assert parent.stdout is not None
    pid = json.loads(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone_within(pid, 5.0)
    assert leftovers(user) == []


@posix
def test_a_signal_ends_it_and_ctrl_c_does_not(asker: Asker, small_clip: Path) -> None:
    pid = asker.until(event="ready")["pid"]
    os.kill(pid, signal.SIGINT)
    asker.ask(1, "probe", path=str(small_clip))
    assert asker.until(ask=1)["event"] == "answer"
    os.kill(pid, signal.SIGTERM)
    assert asker.until(event="died")


@pytest.mark.keeps_time
def test_its_first_answer_comes_soon(user: Path, small_clip: Path) -> None:
    begin = time.monotonic()
    asker = Asker()
    asker.ask(1, "thumbnail", path=str(small_clip))
    asker.until(ask=1, event="answer")
    took = time.monotonic() - begin
    asker.process.close()
    assert took < 10.0  # 0.4 s on an idle machine
