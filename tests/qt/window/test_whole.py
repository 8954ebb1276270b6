"""The path that matters: drop a clip, set CFG and seed, generate, watch it, listen, look around."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.queue import JobState
from omniaudio_studio.media.wav import write_wav
from qt_app.widgets.main_window import MainWindow
from tests.qt.window.conftest import WAIT_MS, job_done, press
from tests.support.pulse import RATE, NullSink

OpenApp = Callable[..., MainWindow]


def drop(window: MainWindow, *paths: Path) -> None:
    """What a file manager does."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where = (
        QPoint(300, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(*where)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    event = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(window, event)
    assert event.isAccepted()


def ready(window: MainWindow, qtbot: QtBot, count: int = 1) -> None:
    """Until so many clips were looked at, and the bundles."""
    library = window.session.library
    qtbot.waitUntil(
        lambda: (
            len(library.clips) == count
            and all(clip.ready for clip in library.clips)
            and window.session.catalogue.is_known
        ),
        timeout=WAIT_MS,
    )


@pytest.fixture
def clip(small_clip: Path, tmp_path: Path) -> Path:
    """A clip in a folder of its own: takes go beside it."""
    folder = tmp_path / "clips"
    folder.mkdir()
    return Path(shutil.copy(small_clip, folder / "walk.mp4"))


def test_from_a_dropped_clip_to_a_take_that_can_be_heard(
    qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path
) -> None:
    window = open_app()
    session = window.session
    fractions: list[float] = []
    session.queue.totals_changed.connect(lambda fraction, _: fractions.append(fraction))
    drop(window, clip)
    ready(window, qtbot)
    number = session.library.clips[0].id
    session.library.change([number], bundle=bundles, steps=4)

    seed = window.settings.form.seed
    editor = seed.edit.lineEdit()
    editor.selectAll()
    QTest.keyClicks(editor, "1234")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    seed.lock.click()
    session.library.change([number], cfg=2.5)
    qtbot.waitUntil(lambda: session.library.clips[0].settings.seed == 1234)
    assert session.library.clips[0].settings.seed_locked

    # It is told once for many changes, a moment later.
    qtbot.waitUntil(window.generate_bar.button.isEnabled, timeout=WAIT_MS)
    with job_done(window, qtbot):
        press(window.generate_bar.button)
    wav = clip.with_name("walk-take1.wav")
    request = json.loads(wav.with_suffix(".json").read_text())["request"]
    assert (request["cfg"], request["seed"], request["bundle"]) == (2.5, 1234, bundles)
    assert fractions and max(fractions) > 0.0

    qtbot.waitUntil(
        lambda: session.takes.current is not None and session.takes.current.wav == wav,
        timeout=WAIT_MS,
    )
    qtbot.waitUntil(lambda: session.listening.covariance_at(1.0) is not None, timeout=WAIT_MS)
    keys = [source.key for source in session.player.sources]
    assert keys == [f"take:{wav}", "mono", "camera"]
    assert session.player.selected == keys[0]
    assert session.timeline.field is session.listening.summary
    covariance = session.listening.covariance_at(1.0)
    assert covariance.shape == (4, 4) and covariance[0, 0] > 0


def test_dragging_the_picture_turns_the_sound(
    qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path, null_sink: NullSink
) -> None:
    window = open_app()
    session = window.session
    drop(window, clip)
    ready(window, qtbot)
    session.library.change([session.library.clips[0].id], bundle=bundles, steps=2)
    with job_done(window, qtbot):
        window.generate()
    wav = clip.with_name("walk-take1.wav")
    qtbot.waitUntil(lambda: session.takes.current is not None, timeout=WAIT_MS)
    # A sound whose place is known: noise on the left, as long as the clip.
    noise = np.random.default_rng(3).standard_normal(2 * RATE).astype(np.float32) * 0.1
    write_wav(wav, encode_plane_wave(noise, np.pi / 2, 0.0), RATE)
    session.takes.refresh()
    session.timeline.set_loop(True)
    session.player.play()
    qtbot.waitUntil(lambda: session.player.position > 0.2, timeout=WAIT_MS)
    qtbot.wait(300)

    # The take's new sound may take a moment to be read.
    assert _heard_within(qtbot, null_sink, lambda left, right: left > 1.5 * right)
    # The picture is taken by its left half and pulled right until the left is in front and beyond.
    view = window.stage.view
    middle = view.height() // 2
    for _ in range(4):
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(10, middle))
        for step in range(1, 6):
            QTest.mouseMove(view, QPoint(10 + step * (view.width() - 20) // 5, middle))
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(view.width() - 10, middle))
        if session.look.yaw > np.radians(150) or session.look.yaw < 0:
            break
    turned = session.look.yaw
    assert abs(turned) > np.radians(120)
    qtbot.wait(200)
    assert _heard_within(qtbot, null_sink, lambda left, right: right > 1.3 * left)


def _heard_within(
    qtbot: QtBot, sink: NullSink, wanted: Callable[[float, float], bool], tries: int = 10
) -> bool:
    """Whether the levels of left and right become so, listening for half a second at a time."""
    for _ in range(tries):
        if wanted(*np.sqrt(np.mean(sink.record(0.5) ** 2, axis=1))):
            return True
        qtbot.wait(100)
    return False


def test_twenty_clips_one_button(qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path) -> None:
    for number in range(19):
        shutil.copy(clip, clip.with_name(f"clip{number:02}.mp4"))
    window = open_app()
    session = window.session
    drop(window, clip.parent)
    ready(window, qtbot, 20)
    ids = [one.id for one in session.library.clips]
    session.library.change(ids, bundle=bundles, steps=1, seed_locked=True)
    for place, number in enumerate(ids):
        session.library.change([number], seed=100 + place, cfg=1.0 + place / 10)
    session.library.set_selected(ids)
    press(window.generate_bar.button)
    qtbot.waitUntil(lambda: session.queue.count(JobState.DONE) == 20, timeout=4 * WAIT_MS)
    made = sorted(clip.parent.glob("*.json"))
    assert len(made) == 20
    seeds = {json.loads(path.read_text())["request"]["seed"] for path in made}
    assert seeds == set(range(100, 120))
    assert not list(clip.parent.glob(".*"))


def test_a_part_is_generated_again_and_the_rest_kept(
    qtbot: QtBot, open_app: OpenApp, bundles: str, tmp_path: Path
) -> None:
    from omniaudio_studio.media.audio import read_foa
    from tests.support.small_clip import make_small_clip

    folder = tmp_path / "clips"
    folder.mkdir()
    clip = make_small_clip(folder / "long.mp4", seconds=12.0)
    window = open_app()
    session = window.session
    drop(window, clip)
    ready(window, qtbot)
    session.library.change([session.library.clips[0].id], bundle=bundles, steps=2)
    with job_done(window, qtbot):
        window.generate()
    qtbot.waitUntil(lambda: session.takes.current is not None, timeout=WAIT_MS)
    first = session.takes.current
    assert first is not None
    with job_done(window, qtbot):
        window.stage.timeline.reroll_requested.emit(5.0, 8.0)
    qtbot.waitUntil(
        lambda: session.takes.current is not None and session.takes.current.wav != first.wav,
        timeout=WAIT_MS,
    )
    second = session.takes.current
    assert second is not None
    (before, _), (after, _) = read_foa(first.wav), read_foa(second.wav)
    rate = RATE
    assert np.array_equal(before[:, : 4 * rate], after[:, : 4 * rate])
    assert np.array_equal(before[:, 9 * rate :], after[:, 9 * rate :])
    assert not np.allclose(before[:, 6 * rate : 7 * rate], after[:, 6 * rate : 7 * rate])


def test_everything_is_there_again_after_closing(
    qtbot: QtBot, open_app: OpenApp, bundles: str, clip: Path
) -> None:
    window = open_app()
    drop(window, clip)
    ready(window, qtbot)
    number = window.session.library.clips[0].id
    window.session.library.change([number], cfg=6.5, seed=77)
    window.session.queue.pause()
    window.session.library.change([number], bundle=bundles, seed_locked=True)
    window.generate()
    qtbot.waitUntil(lambda: len(window.session.queue.jobs()) == 1, timeout=WAIT_MS)
    window.resize(1234, 777)
    qtbot.wait(50)
    size = window.size()
    window.close()

    again = open_app()
    ready(again, qtbot)
    settings = again.session.library.clips[0].settings
    assert (settings.cfg, settings.seed) == (6.5, 77)
    qtbot.waitUntil(lambda: again.session.queue.count(JobState.QUEUED) == 1, timeout=WAIT_MS)
    assert again.session.queue.paused
    assert again.size() == size
