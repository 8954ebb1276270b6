"""More files of a finished take: from the button to files beside it, through the real queue."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.deliverables import DELIVERABLES, OFFERED
from omniaudio_studio.jobs.spatialize import run_spatialize
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest
from omniaudio_studio.media.probe import probe
from qt_app.models.presets import Preset
from qt_app.models.settings import ClipSettings
from qt_app.widgets import queue_panel
from qt_app.widgets.deliver_dialog import DeliverDialog
from qt_app.widgets.main_window import MainWindow
from tests.qt.window.conftest import WAIT_MS, job_done

OpenApp = Callable[..., MainWindow]


@pytest.fixture
def take(small_clip: Path, tmp_path: Path) -> Path:
    """A take of a part of a clip, in a folder of their own."""
    from omniaudio_studio.media.wav import write_wav

    folder = tmp_path / "clips"
    folder.mkdir()
    clip = Path(shutil.copy(small_clip, folder / "walk.mp4"))
    sound = tmp_path / "sound.wav"
    write_wav(sound, np.ones((1, 96_000), np.float32) * 0.1, 48_000)
    request = SpatializeRequest(
        clip,
        folder / "walk-take1.wav",
        audio=sound,
        start=0.5,
        yaw=20.0,
        method="given",
        sources=(DirectedSource("hum", ((0.0, 90.0, 0.0, 1.0),)),),
    )
    return run_spatialize(request).wav


def answer(wanted: tuple[str, ...], replaced: list[bool], *, origin: bool = True) -> None:
    """Tick and go, once the question is there."""

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, DeliverDialog):
            QTimer.singleShot(50, look)
            return
        assert not dialog.go.isEnabled()
        for name in wanted:
            dialog.boxes[name].click()
        assert dialog.chosen() == wanted
        assert dialog.origin.isChecked()
        if not origin:
            dialog.origin.click()
        replaced.append(dialog.replaces())
        dialog.go.click()

    QTimer.singleShot(50, look)


def test_a_take_is_delivered_from_its_button(qtbot: QtBot, open_app: OpenApp, take: Path) -> None:
    window = open_app()
    session, folder = window.session, take.parent
    window.add_paths([folder])
    qtbot.waitUntil(lambda: session.takes.takes() != [], timeout=WAIT_MS)
    # The take's WAV is no clip, and neither is what is made of it.
    assert [clip.path.name for clip in session.library.clips] == ["walk.mp4"]
    session.takes.set_current(take)
    qtbot.waitUntil(window.takes.deliver_action.isEnabled, timeout=WAIT_MS)
    replaced: list[bool] = []
    before = take.read_bytes()
    with job_done(window, qtbot, 2 * WAIT_MS):
        answer(("mov", "adm"), replaced)
        window.takes.deliver_action.trigger()
    master = folder / "walk-take1.360.mov"
    assert probe(master).duration == pytest.approx(2.0, abs=0.1)
    assert {path.name for path in folder.iterdir()} == {
        "walk.mp4", "walk-take1.wav", "walk-take1.json", "walk-take1.360.mov", "walk-take1.adm.wav",
    }  # fmt: skip
    told = json.loads(take.with_suffix(".json").read_text(encoding="utf-8"))
    assert [entry["deliverable"] for entry in told["files"]] == ["mov", "adm"]
    assert take.read_bytes() == before
    # The queue says what was made, and shows where.
    model = session.queue
    assert model.index(0, 0).data() == "walk-take1 as mov, adm"
    assert model.index(0, 1).data() == "Done"
    window.queue.choose([model.jobs()[0].id])
    with patch.object(queue_panel, "reveal") as revealed:
        window.queue.reveal_action.trigger()
    assert revealed.call_args.args[0] == master
    # What is there is marked, and made anew where it is ticked.
    stamp = master.stat().st_mtime_ns
    with job_done(window, qtbot, 2 * WAIT_MS):
        answer(("mov",), replaced, origin=False)
        window.takes.deliver_action.trigger()
    assert [job.request.provenance for job in model.jobs()] == [True, False]
    assert replaced == [False, True] and master.stat().st_mtime_ns > stamp
    # Videos of takes are no clips, also where the folder is looked through again.
    window.add_paths([folder])
    qtbot.wait(300)
    assert [clip.path.name for clip in session.library.clips] == ["walk.mp4"]


def test_a_clip_that_is_gone_is_told_of(qtbot: QtBot, open_app: OpenApp, take: Path) -> None:
    window = open_app()
    session = window.session
    window.add_paths([take.parent])
    qtbot.waitUntil(lambda: session.takes.takes() != [], timeout=WAIT_MS)
    found = session.takes.takes()[0]
    take.with_name("walk.mp4").unlink()
    assert not session.generating.deliver(found, ("mov", "adm"))
    assert "walk.mp4 is gone, and mov shows it" in window.notices.text
    assert session.generating.deliver(found, ("adm",))


def test_every_box_says_what_it_makes(qtbot: QtBot, open_app: OpenApp, take: Path) -> None:
    window = open_app()
    window.add_paths([take.parent])
    qtbot.waitUntil(lambda: window.session.takes.takes() != [], timeout=WAIT_MS)
    dialog = DeliverDialog(window.session.takes.takes()[0], window)
    qtbot.addWidget(dialog)
    dialog.show()
    assert tuple(dialog.boxes) == OFFERED
    assert "stems" not in dialog.boxes  # a take holds no placed sounds
    for name, box in dialog.boxes.items():
        row = DELIVERABLES[name]
        assert box.accessibleDescription() == row.description
        assert box.toolTip().startswith("walk-take1")
    qtbot.mouseClick(dialog.boxes["adm"], Qt.MouseButton.LeftButton)
    dialog.boxes["plot"].click()
    assert dialog.go.text() == "Make 2 deliverables"


def test_settings_of_an_earlier_version_are_read() -> None:
    old = {"steps": 9, "overlay": True, "plot": False}
    assert ClipSettings.from_dict(old) == ClipSettings(steps=9, beside=("overlay",))
    preset = Preset.from_dict({"name": "Mine", "values": {"overlay": False, "plot": True}})
    assert dict(preset.values) == {"beside": ("plot",)}
