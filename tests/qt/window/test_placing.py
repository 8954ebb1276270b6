"""The clip's own sound, placed where markers say: from the button to a take that can be heard."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.queue import JobState
from omniaudio_studio.media.audio import read_foa
from qt_app.sources.model import SOURCE, Picked
from qt_app.widgets.main_window import MainWindow
from tests.qt.window.conftest import WAIT_MS, job_done, press

OpenApp = Callable[..., MainWindow]


@pytest.fixture
def clip(small_clip: Path, tmp_path: Path) -> Path:
    """A clip in a folder of its own: takes go beside it."""
    folder = tmp_path / "clips"
    folder.mkdir()
    return Path(shutil.copy(small_clip, folder / "walk.mp4"))


def ready(window: MainWindow, qtbot: QtBot) -> None:
    library = window.session.library
    qtbot.waitUntil(
        lambda: bool(library.clips) and all(clip.ready for clip in library.clips), timeout=WAIT_MS
    )
    qtbot.waitUntil(lambda: window.session.timeline.duration > 0, timeout=WAIT_MS)


def test_a_marked_sound_becomes_a_take_with_its_direction(
    qtbot: QtBot, open_app: OpenApp, clip: Path
) -> None:
    window = open_app()
    session = window.session
    window.add_paths([clip])
    ready(window, qtbot)
    session.sources.add_source(90.0, 0.0)
    session.sources.add_hint(-90.0, 0.0)
    library_clip = session.library.clips[0]
    qtbot.waitUntil(window.generate_bar.own.isEnabled, timeout=WAIT_MS)
    with job_done(window, qtbot, 2 * WAIT_MS):
        press(window.generate_bar.own)
    wav = clip.with_name("walk-placed-take1.wav")
    (w, y, z, x), _ = read_foa(wav)
    power = float(np.sum(w * w))
    assert power > 0
    assert [float(np.sum(w * c)) / power for c in (y, z, x)] == pytest.approx([1, 0, 0], abs=1e-3)

    qtbot.waitUntil(lambda: session.takes.current is not None, timeout=WAIT_MS)
    take = session.takes.current
    assert take is not None and take.wav == wav and take.placed
    assert [source.label for source in session.player.sources][:1] == ["Placed 1"]
    row = session.queue.index(0, 1).data()
    assert row == "Done"
    # What it was placed by is there to be edited, mixed under others and used again.
    assert session.sources.take_over(take.sources) == 1
    assert len(session.sources.sources) == 2
    bed = window.settings.form.bed
    assert [bed.combo.itemData(at) for at in range(bed.combo.count())] == [None, wav]
    session.library.change([library_clip.id], mix=0.5, mix_field=wav, duck=6.0)
    request = library_clip.settings.request(clip, wav)
    assert (request.mix_field, request.duck, len(request.hints)) == (wav, 6.0, 1)


def test_sources_are_there_again_after_closing_and_undone_in_the_window(
    qtbot: QtBot, open_app: OpenApp, clip: Path
) -> None:
    window = open_app()
    window.add_paths([clip])
    ready(window, qtbot)
    sources = window.session.sources
    sources.add_source(30.0, 10.0)
    sources.add_hint(-20.0, 0.0)
    window.session.timeline.scrub(1.0)
    sources.place(Picked(SOURCE, 0), 60.0, 0.0)
    window.actions_.undo_group.undo()
    assert len(sources.sources[0].points) == 1
    window.actions_.undo_group.redo()
    kept = sources.sources, sources.hints
    window.close()
    again = open_app()
    ready(again, qtbot)
    assert (again.session.sources.sources, again.session.sources.hints) == kept


def test_a_placing_waits_again_after_a_crash_and_can_be_cancelled(
    qtbot: QtBot, open_app: OpenApp, clip: Path
) -> None:
    window = open_app()
    window.add_paths([clip])
    ready(window, qtbot)
    window.session.queue.pause()
    window.session.sources.add_source(0.0, 0.0)
    window.place()
    queue = window.session.queue
    qtbot.waitUntil(lambda: queue.count(JobState.QUEUED) == 1, timeout=WAIT_MS)
    window.close()
    again = open_app()
    ready(again, qtbot)
    queue = again.session.queue
    qtbot.waitUntil(lambda: queue.count(JobState.QUEUED) == 1, timeout=WAIT_MS)
    job = queue.jobs()[0]
    assert job.request.KIND == "spatialize"
    assert "its own sound, placed, my markers" in queue.index(0, 0).data(
        Qt.ItemDataRole.ToolTipRole
    )
    queue.cancel([job.id])
    qtbot.waitUntil(lambda: queue.count(JobState.CANCELLED) == 1, timeout=WAIT_MS)
    queue.retry([job.id])
    queue.pause(False)
    qtbot.waitUntil(lambda: queue.count(JobState.DONE) == 1, timeout=2 * WAIT_MS)
    assert clip.with_name("walk-placed-take1.wav").is_file()
