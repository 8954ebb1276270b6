"""The durable queue: order, states, several at once, files that are none."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.jobs.queue import JobQueue, JobState, Speed
from omniaudio_studio.jobs.queue_file import APPLICATION
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    with JobQueue(tmp_path / "queue.sqlite") as one:
        yield one


def requests(folder: Path, count: int, **values: object) -> list[GenerateRequest]:
    return [
        GenerateRequest(folder / f"{n}.mp4", folder / f"{n}.wav", **values)  # type: ignore[arg-type]
        for n in range(count)
    ]


def order(queue: JobQueue) -> list[int]:
    return [job.id for job in queue.jobs()]


def states(queue: JobQueue) -> list[str]:
    return [job.state.value for job in queue.jobs()]


def test_what_is_added_is_there_after_a_restart_in_order_and_whole(tmp_path: Path) -> None:
    wanted = replace(
        requests(tmp_path, 1)[0],
        seed=2**64 - 1,
        segments=(Segment(0.0, cfg=3.0), Segment(2.5, seed=4)),
        takes=3,
        deliverables=("wav", "overlay"),
        device="cpu",
    )
    with JobQueue(tmp_path / "q") as queue:
        ids = queue.add([wanted, *requests(tmp_path / "b", 2)], clip_seconds=[7.0, None, 2.0])
        queue.paused = True
    with JobQueue(tmp_path / "q") as queue:
        jobs = queue.jobs()
        assert [job.id for job in jobs] == ids
        assert jobs[0].request == wanted
        assert jobs[0].state is JobState.QUEUED
        assert [job.clip_seconds for job in jobs] == [7.0, None, 2.0]
        assert queue.paused


def test_a_recording_to_be_placed_waits_in_the_same_list(tmp_path: Path) -> None:
    source = DirectedSource("dog", ((0.0, 90.0, 0.0, 1.0), (2.0, 45.0, 10.0, 0.5)))
    placed = SpatializeRequest(
        tmp_path / "a.mp4", tmp_path / "a.wav", method="given", sources=(source,), width=0.0
    )
    generated = requests(tmp_path / "b", 1)[0]
    with JobQueue(tmp_path / "q") as queue:
        queue.add([placed, generated], clip_seconds=4.0)
    with JobQueue(tmp_path / "q") as queue:
        assert [job.request for job in queue.jobs()] == [placed, generated]
        assert queue.jobs()[0].label == "a.mp4"
        with pytest.raises(OptionError, match="already in the queue"):
            queue.add([replace(generated, output=tmp_path / "a.wav")])


def test_a_queue_of_before_recordings_could_be_placed_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "q"
    wanted = requests(tmp_path, 2)
    with JobQueue(path) as queue:
        queue.add(wanted)
    # As the file was made then: without the column.
    database = sqlite3.connect(path)
    database.execute("ALTER TABLE jobs DROP COLUMN kind")
    database.commit()
    assert database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
    database.close()
    with JobQueue(path) as queue:
        assert [job.request for job in queue.jobs()] == wanted
        queue.add([SpatializeRequest(tmp_path / "c.mp4", tmp_path / "c.wav")])
    with JobQueue(path) as queue:
        assert [job.request.KIND for job in queue.jobs()] == ["generate", "generate", "spatialize"]


def test_a_job_of_a_kind_that_nobody_knows_is_kept_and_passed_over(tmp_path: Path) -> None:
    with JobQueue(tmp_path / "q") as queue:
        first, second = queue.add(requests(tmp_path, 2))
    database = sqlite3.connect(tmp_path / "q")
    database.execute("UPDATE jobs SET kind = 'dance' WHERE id = ?", (first,))
    database.commit()
    database.close()
    with JobQueue(tmp_path / "q") as queue:
        assert order(queue) == [second]
        assert "'dance' is not known" in queue.unreadable[first]
        assert [job.id for job in queue.next_queued()] == [second]


def test_paths_of_a_placing_are_meant_from_where_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queue: JobQueue
) -> None:
    monkeypatch.chdir(tmp_path)
    source = DirectedSource("dog", ((0.0, 90.0, 0.0, 1.0),), file=Path("stem.wav"))
    queue.add(
        [
            SpatializeRequest(
                Path("a.mp4"), Path("a.wav"), Path("b.wav"), method="given", sources=(source,)
            ),
            GenerateRequest(Path("a.mp4"), Path("c.wav"), mix=1.0, mix_field=Path("placed.wav")),
        ]
    )
    placed, mixed = (job.request for job in queue.jobs())
    assert isinstance(placed, SpatializeRequest) and isinstance(mixed, GenerateRequest)
    assert placed.audio == tmp_path / "b.wav"
    assert placed.sources[0].file == tmp_path / "stem.wav"
    assert mixed.mix_field == tmp_path / "placed.wav"


def test_paths_are_meant_from_where_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path, queue: JobQueue
) -> None:
    monkeypatch.chdir(tiny_bundle.parent)
    queue.add([GenerateRequest(Path("a.mp4"), Path("a.wav"), bundle=tiny_bundle.name)])
    queue.add([GenerateRequest(Path("a.mp4"), Path("b.wav"), bundle="starter")])
    first, second = queue.jobs()
    assert first.request.clip == tiny_bundle.parent / "a.mp4"
    assert first.request.bundle == str(tiny_bundle)
    assert second.request.bundle == "starter"


def test_a_batch_with_a_bad_request_is_not_added_at_all(queue: JobQueue, tmp_path: Path) -> None:
    wanted = requests(tmp_path, 3)
    with pytest.raises(OptionError, match="cfg"):
        queue.add([*wanted, replace(wanted[0], output=tmp_path / "x.wav", cfg=-1.0)])
    with pytest.raises(OptionError, match=r"1\.wav is already in the queue"):
        queue.add([*wanted, wanted[1]])
    assert queue.jobs() == []


def test_one_file_has_one_job(queue: JobQueue, tmp_path: Path) -> None:
    first, other = requests(tmp_path, 2)
    (job,) = queue.add([replace(first, takes=2)])
    for clash in ("0-take2.wav", "0-TAKE2.wav", "0.wav"):
        with pytest.raises(OptionError, match="already in the queue"):
            queue.add([replace(other, output=tmp_path / clash)])
    queue.cancel([job])
    (again,) = queue.add([replace(other, output=tmp_path / "0.wav")])
    with pytest.raises(OptionError, match="already in the queue"):
        queue.retry([job])
    assert queue.get(job).state is JobState.CANCELLED  # type: ignore[union-attr]
    queue.remove([again])
    queue.retry([job])
    assert states(queue) == ["queued"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    moves=st.lists(
        st.tuples(st.sets(st.integers(1, 8), max_size=5), st.none() | st.integers(1, 9)),
        max_size=12,
    )
)
def test_moves_do_what_they_do_to_a_list(
    moves: list[tuple[set[int], int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    with JobQueue(folder / "q") as queue:
        model = queue.add(requests(folder, 8))
        for chosen, before in moves:
            queue.move(chosen, before)
            moved = [job for job in model if job in chosen]
            if before in model:
                behind = [job for job in model[model.index(before) :] if job not in chosen]
            else:
                behind = []
            ahead = [job for job in model if job not in chosen and job not in behind]
            model = ahead + moved + behind
            assert order(queue) == model


def test_moving_into_one_gap_again_and_again_never_runs_out_of_room(
    queue: JobQueue, tmp_path: Path
) -> None:
    a, b, c = queue.add(requests(tmp_path, 3))
    for _ in range(100):
        queue.move([c], b)
        assert order(queue) == [a, c, b]
        queue.move([b], c)
        assert order(queue) == [a, b, c]
    assert len({job.order for job in queue.jobs()}) == 3


def test_moving_everything_before_one_that_moves_too_changes_nothing(
    queue: JobQueue, tmp_path: Path
) -> None:
    ids = queue.add(requests(tmp_path, 4))
    queue.move(ids, ids[2])
    assert order(queue) == ids
    queue.move([], None)
    queue.move([99], ids[0])
    assert order(queue) == ids


def test_states_change_only_as_they_can(queue: JobQueue, tmp_path: Path) -> None:
    a, b, c, d = queue.add(requests(tmp_path, 4))
    queue.hold([a, b])
    queue.release([b])
    assert states(queue) == ["held", "queued", "queued", "queued"]
    assert queue.begin(b, "worker")
    assert not queue.begin(b, "worker")
    assert not queue.begin(a, "worker")
    queue.hold([b])
    queue.retry([b, c])
    assert states(queue) == ["held", "running", "queued", "queued"]
    queue.cancel([a, b, c])
    assert states(queue) == ["cancelled", "running", "cancelled", "queued"]
    running = queue.get(b)
    assert running is not None
    assert running.stopping
    assert running.attempts == 1
    queue.end(b, JobState.DONE, result={"takes": []})
    # What is over cannot end again.
    queue.end(b, JobState.FAILED, error="no")
    done = queue.get(b)
    assert done is not None
    assert (done.state, done.result, done.error) == (JobState.DONE, {"takes": []}, None)
    queue.retry([b])
    assert states(queue) == ["cancelled", "done", "cancelled", "queued"]
    queue.clear_finished()
    assert order(queue) == [d]


def test_a_running_job_that_is_removed_goes_when_it_ends(queue: JobQueue, tmp_path: Path) -> None:
    a, b = queue.add(requests(tmp_path, 2))
    queue.begin(a, None)
    queue.remove([a])
    assert order(queue) == [a, b]
    queue.end(a, JobState.CANCELLED)
    assert order(queue) == [b]


def test_an_interrupted_job_waits_in_its_old_place(queue: JobQueue, tmp_path: Path) -> None:
    a, b = queue.add(requests(tmp_path, 2))
    queue.begin(a, "1:2:3")
    queue.note(a, temporary=tmp_path / ".0-abc.part", clip_seconds=4.0)
    running = queue.get(a)
    assert running is not None
    assert running.temporary == tmp_path / ".0-abc.part"
    assert running.worker == "1:2:3"
    queue.put_back(a, died=False)
    queue.begin(a, None)
    queue.put_back(a, died=True)
    job = queue.get(a)
    assert job is not None
    assert (job.attempts, job.deaths, job.temporary, job.clip_seconds) == (2, 1, None, 4.0)
    assert order(queue) == [a, b]
    queue.cancel([a])
    queue.retry([a])
    assert queue.get(a).deaths == 0  # type: ignore[union-attr]


def test_rounds_begin_when_nothing_is_left(queue: JobQueue, tmp_path: Path) -> None:
    a, _ = queue.add(requests(tmp_path, 2))
    (c,) = queue.add(requests(tmp_path / "c", 1))
    assert len({job.round for job in queue.jobs()}) == 1
    queue.cancel(order(queue))
    queue.retry([c])
    rounds = {job.id: job.round for job in queue.jobs()}
    assert rounds[c] == rounds[a] + 1 == queue.round


def test_the_revision_tells_of_every_change_by_whomever(queue: JobQueue, tmp_path: Path) -> None:
    with JobQueue(queue.path) as other:
        seen = queue.revision
        assert queue.revision == seen
        (job,) = other.add(requests(tmp_path, 1))
        for change in (
            lambda: other.hold([job]),
            lambda: other.release([job]),
            lambda: other.move([job], None),
            lambda: setattr(other, "paused", True),
            lambda: other.remove([job]),
        ):
            change()
            assert queue.revision > seen
            seen = queue.revision


def test_a_job_that_did_not_change_is_the_same_object(queue: JobQueue, tmp_path: Path) -> None:
    queue.add(requests(tmp_path, 2))
    first, second = queue.jobs()
    queue.hold([second.id])
    assert queue.jobs()[0] is first
    assert queue.jobs()[1].state is JobState.HELD
    assert queue.jobs()[1].request is second.request


def test_speeds_are_kept(queue: JobQueue) -> None:
    queue.keep_speed(Speed("a", "starter", 1.0, 0.5, None, 0.1, 1))
    queue.keep_speed(Speed("a", "starter", 1.0, 0.4, 0.2, 0.1, 2))
    with JobQueue(queue.path) as other:
        assert other.speeds() == [Speed("a", "starter", 1.0, 0.4, 0.2, 0.1, 2)]


ADDER = """
    import sys
    from pathlib import Path
    from omniaudio_studio.jobs.queue import JobQueue
    from omniaudio_studio.jobs.request import GenerateRequest

    name, folder = sys.argv[1], Path(sys.argv[2])
    queue = JobQueue(folder / "queue.sqlite")
    for number in range(25):
        clip, output = folder / "clip.mp4", folder / f"{name}-{number}.wav"
        (job,) = queue.add([GenerateRequest(clip, output)])
        queue.move([job], None if number % 2 else queue.jobs()[0].id)
"""


def test_two_processes_and_threads_on_one_file(tmp_path: Path) -> None:
    others = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(ADDER), name, str(tmp_path)])
        for name in ("a", "b")
    ]
    with JobQueue(tmp_path / "queue.sqlite") as queue:

        def add(name: str) -> None:
            for number in range(10):
                output = tmp_path / f"{name}-{number}.wav"
                queue.add([GenerateRequest(tmp_path / "clip.mp4", output)])

        threads = [threading.Thread(target=add, args=(f"thread{n}",)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [other.wait(60) for other in others] == [0, 0]
        jobs = queue.jobs()
        assert len(jobs) == 70
        assert len({job.id for job in jobs}) == 70
        assert len({job.request.output for job in jobs}) == 70


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"this is no database, just a text that somebody keeps " * 40, "it is no database"),
        (b"SQLite format 3\0" + b"\x10\0\1\1\0\x40\x20\x20" + b"\xff" * 4000, "queue"),
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "mine.sqlite"
    path.write_bytes(content)
    with pytest.raises(OutputError, match=said) as caught:
        JobQueue(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    assert {one.name for one in tmp_path.iterdir()} == {"mine.sqlite"}


def test_another_program_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (name TEXT)")
        database.execute("INSERT INTO songs VALUES ('one')")
    database.close()
    before = path.read_bytes()
    with pytest.raises(OutputError, match="no queue of OmniAudio Studio"):
        JobQueue(path)
    assert path.read_bytes() == before


def test_a_newer_version_is_refused(queue: JobQueue) -> None:
    queue.close()
    database = sqlite3.connect(queue.path)
    database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(OutputError, match="has version 7, this program reads 1"):
        JobQueue(queue.path)


def test_a_damaged_queue_is_refused_and_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "q"
    with JobQueue(path) as queue:
        queue.add(requests(tmp_path, 200))
    whole = path.read_bytes()
    broken = whole[:8192] + os.urandom(len(whole) // 2) + whole[8192 + len(whole) // 2 :]
    path.write_bytes(broken)
    with pytest.raises(OutputError, match="damaged"):
        JobQueue(path)
    assert path.read_bytes() == broken
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OutputError, match="damaged"):
        JobQueue(path)


def test_an_empty_file_is_a_queue_that_was_killed_while_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "q").touch()
    with JobQueue(tmp_path / "q") as queue:
        assert queue.add(requests(tmp_path, 1)) == [1]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be opened"):
        JobQueue(tmp_path / "no" / "q")


def test_a_job_of_another_version_is_kept_and_passed_over(queue: JobQueue, tmp_path: Path) -> None:
    a, b = queue.add(requests(tmp_path, 2))
    database = sqlite3.connect(queue.path)
    text = json.dumps({"schema_version": 9, "soul": True})
    database.execute("UPDATE jobs SET request = ? WHERE id = ?", (text, a))
    database.commit()
    database.close()
    with JobQueue(queue.path) as again:
        assert order(again) == [b]
        assert [job.id for job in again.next_queued()] == [b]
        assert "schema version 9" in again.unreadable[a]
        again.clear_finished()
    database = sqlite3.connect(queue.path)
    assert database.execute("SELECT request FROM jobs WHERE id = ?", (a,)).fetchone()[0] == text
    database.close()


FULL = """
    import resource, sys
    from pathlib import Path
    from omniaudio_studio.errors import OutputError
    from omniaudio_studio.jobs.queue import JobQueue
    from omniaudio_studio.jobs.request import GenerateRequest

    folder = Path(sys.argv[1])
    queue = JobQueue(folder / "q")
    kept = queue.add([GenerateRequest(folder / "a.mp4", folder / "a.wav")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, -1))
    number = 0
    try:
        while number < 1000:
            number += 1
            clip = folder / ("x" * 200 + f"{number}.mp4")
            kept += queue.add([GenerateRequest(clip, folder / f"{number}.wav")])
    except OutputError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    # There is room again: it goes on where it was, with all that was reported as kept.
    assert [job.id for job in queue.jobs()] == kept
    kept += queue.add([GenerateRequest(folder / "b.mp4", folder / "b.wav")])
    assert [job.id for job in queue.jobs()] == kept
    print(len(kept))
"""


@pytest.mark.skipif(os.name == "nt", reason="limits a file's size as POSIX does")
def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    said, count = ran.stdout.splitlines()
    assert "disk is full" in said
    with JobQueue(tmp_path / "q") as queue:
        assert len(queue.jobs()) == int(count)
