"""``omniaudio batch``, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from omniaudio_studio.jobs.batch import QUEUE_NAME
from omniaudio_studio.jobs.queue import JobQueue, JobState
from tests.support.command_line import COMMAND, Ran, environment, names, omniaudio
from tests.support.queues import PATIENCE

OWN = {QUEUE_NAME, f"{QUEUE_NAME}-lock", f"{QUEUE_NAME}-wal", f"{QUEUE_NAME}-shm"}
posix = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


@pytest.fixture
def clips(small_clip: Path, tmp_path: Path) -> Path:
    """A folder as people have it: two clips of one name, and things that are none."""
    folder = tmp_path / "clips"
    (folder / "day 2").mkdir(parents=True)
    for name in ("a.mp4", "b.MP4", "day 2/a.mp4", ".hidden.mp4", "a.overlay.mp4"):
        shutil.copy(small_clip, folder / name)
    (folder / "notes.txt").write_text("no clip")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def batch(*arguments: str | Path, bundle: Path | None = None) -> Ran:
    chosen = [] if bundle is None else ["--bundle", bundle]
    return omniaudio("batch", *arguments, *chosen)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs go into the user's folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)


def results(folder: Path) -> set[str]:
    return names(folder) - OWN


def test_a_folder_becomes_a_folder_of_results(clips: Path, out: Path, tiny_bundle: Path) -> None:
    ran = batch(clips, clips / "a.mp4", "--out", out, "--seed", "5", "--plot", bundle=tiny_bundle)
    assert ran.code == 0, ran.err
    stems = ("a", "b", "day 2-a")
    assert results(out) == {f"{stem}{end}" for stem in stems for end in (".wav", ".json", ".png")}
    assert json.loads((out / "b.json").read_text())["request"]["seed"] == 5
    lines = ran.out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith(f"a.mp4: {out / 'a.wav'}  2.0 s in ")
    assert lines[3] == f"3 of 3 clips done in {out}"
    assert "demonstration" in lines[4]
    assert ran.error_lines == []
    # Everything is there: nothing is done twice, nothing is replaced.
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    again = batch(clips, "--out", out, bundle=tiny_bundle)
    assert again.code == 2
    assert "already exists" in again.error_lines[0]
    resumed = batch(clips, "--out", out, "--seed", "5", "--plot", "--resume", bundle=tiny_bundle)
    assert resumed.code == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.wav")} == before
    other = batch(clips, "--out", out, "--seed", "6", "--plot", "--resume", bundle=tiny_bundle)
    assert other.code == 2
    assert "with 5 for seed, not 6" in other.error_lines[0]


def test_what_fails_is_tried_again_and_new_clips_are_added(
    clips: Path, out: Path, tiny_bundle: Path, small_clip: Path
) -> None:
    (clips / "a.mp4").write_text("no video at all")
    ran = batch(clips, "--out", out, "--json", bundle=tiny_bundle)
    assert ran.code == 1
    told = json.loads(ran.out)
    assert (told["done"], told["failed"], told["left"]) == (2, 1, 0)
    failed = told["clips"][0]
    assert failed["state"] == "failed"
    assert "not video" in failed["error"]
    assert told["clips"][1]["result"]["takes"][0]["wav"] == str(out / "b.wav")
    assert "a.mp4: " in ran.err
    assert "--resume" in ran.err
    made = (out / "b.wav").stat().st_mtime_ns
    shutil.copy(small_clip, clips / "a.mp4")
    shutil.copy(small_clip, clips / "c.mov")
    again = batch(clips, "--out", out, "--resume", bundle=tiny_bundle)
    assert again.code == 0, again.err
    assert f"4 of 4 clips done in {out}" in again.out
    assert (out / "c.wav").is_file()
    assert (out / "b.wav").stat().st_mtime_ns == made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clips"], "--out"),
        (["--out", "out"], "expected clips or folders"),
        (["--out", "out", "--resume"], "has no batch to go on with"),
        (["--out", "out", "--resume", "--cfg", "3"], "--cfg is for new clips"),
        (["nowhere", "--out", "out"], "no such file or folder: nowhere"),
        (["empty", "--out", "out"], "holds no video"),
        (["clips", "--out", "out", "--cfg", "-1"], "cfg must be"),
        (["clips", "--out", "out", "--shots", "FILE"], "--shots of a batch must be auto"),
        (["clips", "--out", "clips/a.mp4"], "cannot make the folder"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_before_any_work(
    clips: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    before = names(tmp_path)
    ran = omniaudio("batch", *arguments, cwd=tmp_path)
    assert ran.code == 2
    assert len(ran.error_lines) == 1
    assert said in ran.error_lines[0]
    assert names(tmp_path) == before


def test_shots_are_found_in_each_clip(clips: Path, out: Path, tiny_bundle: Path) -> None:
    ran = batch(clips / "b.MP4", "--out", out, "--shots", "auto", bundle=tiny_bundle)
    assert ran.code == 0, ran.err
    assert "b.MP4: looking for cuts" in ran.err
    assert json.loads((out / "b.json").read_text())["request"]["segments"] == [
        {"start": 0.0, "cfg": None, "seed": None}
    ]


def test_a_foreign_queue_file_is_left_alone(clips: Path, out: Path, tiny_bundle: Path) -> None:
    out.mkdir()
    (out / QUEUE_NAME).write_text("mine " * 1000)
    ran = batch(clips, "--out", out, bundle=tiny_bundle)
    assert ran.code == 2
    assert "it is no database" in ran.error_lines[0]
    assert (out / QUEUE_NAME).read_text() == "mine " * 1000


class Running:
    """A batch in a process of its own."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "batch", *map(str, arguments)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def until(self, out: Path, state: JobState, count: int) -> None:
        """Wait until that many jobs are in a state."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if (out / QUEUE_NAME).exists():
                with JobQueue(out / QUEUE_NAME) as queue:
                    if len(queue.in_state(state)) >= count:
                        return
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)
        raise AssertionError("never so")


@pytest.mark.keeps_time
@posix
def test_ctrl_c_stops_within_a_second_and_leaves_a_queue_to_go_on_with(
    clips: Path, out: Path, slow_bundle: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(slow_bundle, tmp_path / "bundle")
    run = Running(clips, "--out", out, "--bundle", bundle)
    run.until(out, JobState.RUNNING, 1)
    time.sleep(1.5)
    second = batch(clips, "--out", out, bundle=bundle)
    assert second.code == 1
    assert f"process {run.process.pid}" in second.error_lines[0]
    begun = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    text, errors = run.process.communicate(timeout=30)
    took = time.monotonic() - begun
    assert run.process.returncode == 130, errors
    assert took < 1.5  # a second, and leaving Python on a loaded machine
    assert f"0 of 3 clips done in {out}" in text
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert results(out) == set()
    refused = batch(clips, "--out", out, bundle=bundle)
    assert refused.code == 2
    assert "unfinished batch (3 clips left)" in refused.error_lines[0]
    # The same bundle's place holds a quick one now: the queue goes on.
    shutil.copytree(tiny_bundle, bundle, dirs_exist_ok=True)
    resumed = batch("--out", out, "--resume")
    assert resumed.code == 0, resumed.err
    assert len(results(out)) == 6


@posix
def test_a_killed_batch_goes_on_where_it_was(
    small_clip: Path, out: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(30):
        shutil.copy(small_clip, folder / f"{number:02}.mp4")
    command = (folder, "--out", out, "--bundle", tiny_bundle, "--steps", "60")
    run = Running(*command)
    run.until(out, JobState.DONE, 3)
    run.process.kill()
    run.process.communicate()
    made = {path: path.stat().st_mtime_ns for path in out.glob("*.wav")}
    assert 3 <= len(made) < 30
    ran = batch("--out", out, "--resume", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["done"] == 30
    assert results(out) == {f"{n:02}{end}" for n in range(30) for end in (".wav", ".json")}
    assert {path: path.stat().st_mtime_ns for path in made} == made


@posix
def test_bars_on_a_terminal(clips: Path, out: Path, tiny_bundle: Path) -> None:
    import pty

    outer, inner = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "batch", str(clips), "--out", str(out), "--bundle", str(tiny_bundle)],
        env={**environment(), "TERM": "xterm"},
        stdout=inner,
        stderr=inner,
    )
    os.close(inner)
    text = b""
    while True:
        try:
            piece = os.read(outer, 4096)
        except OSError:  # Linux's word for the end of a terminal
            break
        if not piece:
            break
        text += piece
    os.close(outer)
    assert process.wait(PATIENCE) == 0
    shown = text.decode()
    assert "all clips" in shown
    assert "3 of 3 clips done" in shown
