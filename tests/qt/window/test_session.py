"""What the view-models do together: names, seeds, takes, choices; mostly without a window."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import call, patch

import pytest
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import QAbstractButton, QLabel, QWidget
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.queue import JobState
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.media.probe import probe
from qt_app.models import generating
from qt_app.models.clip_files import FoundFile
from qt_app.models.session import Session
from qt_app.widgets.main_window import MainWindow

PATIENCE_MS = 10_000


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path) -> Iterator[Session]:
    """On an empty user folder; its queue begins nothing."""
    made = Session(tmp_path / "app")
    made.queue.pause()
    qtbot.waitUntil(lambda: made.library.is_loaded and made.queue.paused, timeout=PATIENCE_MS)
    yield made
    made.close()


def add_clips(session: Session, template: Path, folder: Path, names: list[str]) -> list[int]:
    """Clips that are known already: nobody looks at the files, which are not there."""
    folder.mkdir(exist_ok=True)
    facts = probe(template).as_dict()
    session.library._questions.closed = True
    paths = [folder / name for name in names]
    clips = session.library.take_in([FoundFile(p, str(p), (1, 1, 1)) for p in paths], None)
    for clip in clips:
        clip.accept({**facts, "path": str(clip.path)})
    return [clip.id for clip in clips]


def queued(qtbot: QtBot, session: Session, count: int) -> list[GenerateRequest]:
    """What the queue holds, once it is so much."""
    qtbot.waitUntil(lambda: len(session.queue.jobs()) == count, timeout=PATIENCE_MS)
    return [job.request for job in session.queue.jobs()]


def test_the_work_for_each_clip_does_not_grow_with_their_number(
    qtbot: QtBot,
    session: Session,
    small_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"clip{number}.mp4" for number in range(60)]
    numbers = add_clips(session, small_clip, tmp_path / "clips", names)
    session.library.change(numbers, takes=2)
    real, calls = generating.all_outputs, 0

    def counted(request: GenerateRequest) -> list[Path]:
        nonlocal calls
        calls += 1
        return real(request)

    told: list[list[int]] = []
    session.library.settings_changed.connect(told.append)
    monkeypatch.setattr(generating, "all_outputs", counted)
    assert session.generating.generate(numbers) == 120
    assert calls == 120
    assert told == [numbers]  # the rolled seeds, all at once
    requests = queued(qtbot, session, 120)
    assert len({request.output for request in requests}) == 120
    assert [request.seed for request in requests[::2]] == [
        clip.settings.seed for clip in session.library.clips
    ]


def test_names_that_differ_in_case_alone_are_two_jobs(
    qtbot: QtBot, session: Session, small_clip: Path, tmp_path: Path
) -> None:
    refused: list[str] = []
    session.queue.refused.connect(refused.append)
    numbers = add_clips(session, small_clip, tmp_path / "clips", ["Walk.mp4", "walk.mov"])
    assert session.generating.generate(numbers) == 2
    names = [request.output.name for request in queued(qtbot, session, 2)]
    assert names == ["Walk-take1.wav", "walk-take2.wav"] and refused == []


def test_a_take_of_another_clip_does_not_take_over(
    qtbot: QtBot, session: Session, small_clip: Path, tmp_path: Path
) -> None:
    numbers = add_clips(session, small_clip, tmp_path / "clips", ["clip1.mp4", "clip10.mp4"])
    session.generating.generate(numbers)
    queued(qtbot, session, 2)
    jobs = {job.request.clip.name: job for job in session.queue.jobs()}
    assert all(job.state is JobState.QUEUED for job in jobs.values())
    session.library.set_current(numbers[0])
    heard = tmp_path / "clips" / "clip1-take0.wav"
    session.takes.set_current(heard)

    def finished(name: str) -> None:
        job = jobs[name]
        session.queue.job_finished.emit(job.id, {"takes": [{"wav": str(job.request.output)}]})

    finished("clip10.mp4")
    assert session.takes.chosen == heard
    finished("clip1.mp4")
    assert session.takes.chosen == tmp_path / "clips" / "clip1-take1.wav"


def test_a_new_take_does_not_interrupt_listening(
    qtbot: QtBot,
    session: Session,
    small_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = add_clips(session, small_clip, tmp_path / "clips", ["clip1.mp4"])
    session.generating.generate(numbers)
    queued(qtbot, session, 1)
    (job,) = session.queue.jobs()
    heard = tmp_path / "clips" / "clip1-take0.wav"
    session.takes.set_current(heard)
    result = {"takes": [{"wav": str(job.request.output)}]}
    with monkeypatch.context() as listening:
        listening.setattr(type(session.player), "playing", property(lambda _: True))
        session.queue.job_finished.emit(job.id, result)
        assert session.takes.chosen == heard
    session.queue.job_finished.emit(job.id, result)
    assert session.takes.chosen == job.request.output


def test_many_changed_clips_are_counted_once(
    qtbot: QtBot, session: Session, small_clip: Path, tmp_path: Path
) -> None:
    window = MainWindow(session, software_view=True)
    qtbot.addWidget(window)
    numbers = add_clips(
        session, small_clip, tmp_path / "clips", [f"clip{number}.mp4" for number in range(30)]
    )
    session.library.set_selected(numbers)
    qtbot.wait(50)
    with patch.object(
        window.generate_bar, "show_choice", wraps=window.generate_bar.show_choice
    ) as shown:
        session.library.change(numbers, cfg=4.0)
        qtbot.wait(50)
        assert shown.call_args_list == [call(30, 30)]


def test_the_last_choice_of_ears_counts_whatever_is_answered_last(
    qtbot: QtBot, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[int, Callable[[Any], None]] = {}

    def ask(task: str, done: Callable[[Any], None], *_: Any, **__: Any) -> int:
        assert task == "hrtf"
        asked[len(asked) + 1] = done
        return len(asked)

    monkeypatch.setattr(session.analysis, "ask", ask)
    monkeypatch.setattr(session.analysis, "cancel", lambda ticket: asked.pop(ticket, None))
    told: list[Path | None] = []
    session.hrtf_changed.connect(told.append)
    session.use_hrtf(tmp_path / "mine.sofa")
    session.use_hrtf(None)
    for done in list(asked.values()):
        done({"npz": str(tmp_path / "mine.npz")})
    assert told == [None] and session.preferences.hrtf is None


def test_head_tracking_is_about_the_front_of_the_clip(
    qtbot: QtBot,
    session: Session,
    small_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = add_clips(session, small_clip, tmp_path / "clips", ["walk.mp4"])
    sent: list[float] = []
    monkeypatch.setattr(session.tracker, "send", lambda yaw, pitch, roll: sent.append(yaw))
    session.library.change(numbers, yaw=90.0)
    session.tracker.orientation.emit(0.0, 0.0, 0.0)
    # Straight ahead is what the take's front is; a rotator of the take has nothing to turn.
    assert math.degrees(session.look.yaw) == pytest.approx(90.0)
    assert sent[-1] == pytest.approx(0.0)
    session.tracker.orientation.emit(math.radians(20.0), 0.0, 0.0)
    assert math.degrees(session.look.yaw) == pytest.approx(110.0)
    assert math.degrees(sent[-1]) == pytest.approx(20.0)
    session.library.change(numbers, yaw=-120.0)
    assert math.degrees(sent[-1]) == pytest.approx(-130.0)  # another front, the same look


def test_no_field_takes_a_menus_letter(qtbot: QtBot, session: Session) -> None:
    window = MainWindow(session, software_view=True)
    qtbot.addWidget(window)
    bar = window.menuBar()
    assert bar is not None
    menus = {QKeySequence.mnemonic(action.text()).toString() for action in bar.actions()}
    assert len(menus) == len(bar.actions()) and "" not in menus
    panels = (window.settings, window.takes, window.queue, window.library)
    widgets = [widget for panel in panels for widget in panel.findChildren(QWidget)]
    texts = [widget.text() for widget in widgets if isinstance(widget, QLabel | QAbstractButton)]
    taken = [text for text in texts if QKeySequence.mnemonic(text).toString() in menus]
    assert taken == []
