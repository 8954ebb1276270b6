"""What "Place my own sound" asks of the queue, and when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from qt_app.models.session import Session
from qt_app.sources.source import ClipSource
from qt_app.widgets.generate_bar import GenerateBar
from tests.qt.window.test_session import add_clips, queued, session  # noqa: F401 (a fixture)

DOG = ClipSource("dog", ((0.0, 90.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.5)), colour=1)


def test_each_clip_as_it_is_set(
    qtbot: QtBot,
    session: Session,  # noqa: F811
    small_clip: Path,
    tmp_path: Path,
) -> None:
    ids = add_clips(session, small_clip, tmp_path / "c", ["a.mp4", "b.mp4"])
    session.library.change(ids[:1], sources=(DOG,), width=0.5, yaw=20.0, beside=("overlay",))
    session.library.change(ids[1:], max_sources=1, start=0.5, subtype="pcm24")
    assert session.generating.place(ids) == 2
    assert session.generating.place(ids[:1]) == 1
    first, second, third = queued(qtbot, session, 3)
    assert isinstance(first, SpatializeRequest) and isinstance(second, SpatializeRequest)
    assert (first.method, first.sources) == ("given", (DOG.directed(),))
    assert (first.width, first.yaw, first.deliverables) == (0.5, 20.0, ("wav", "overlay"))
    assert (second.method, second.max_sources, second.start) == ("automatic", 1, 0.5)
    assert second.subtype == "pcm24"
    names = [request.output.name for request in (first, second, third)]
    assert names == ["a-placed-take1.wav", "b-placed-take1.wav", "a-placed-take2.wav"]


def test_reasons_against_it(
    session: Session,  # noqa: F811
    small_clip: Path,
    tmp_path: Path,
) -> None:
    (number,) = add_clips(session, small_clip, tmp_path / "c", ["a.mp4"])
    clip, reason = session.library.clip(number), session.generating.reason_against_placing
    told: list[str] = []
    session.generating.problem.connect(told.append)
    assert reason(clip) is None
    assert clip.info is not None
    clip.info["audio"] = None
    assert "no sound of its own" in str(reason(clip))
    assert session.generating.place([number]) == 0 and "no sound of its own" in told[0]
    session.library.change([number], recording=tmp_path / "other.wav")
    assert reason(clip) is None
    session.library.change([number], directions="given")
    assert "no sources yet" in str(reason(clip))
    session.library.change([number], directions=None, recording=None)
    clip.info["audio"] = {"ambisonic": True}
    assert "a field already" in str(reason(clip))


def test_the_button_says_why_not(qtbot: QtBot) -> None:
    bar = GenerateBar()
    qtbot.addWidget(bar)
    bar.show_placing(0, "It has no sound of its own.")
    assert not bar.own.isEnabled() and bar.own.toolTip() == "It has no sound of its own."
    bar.show_placing(3, "Another clip has none.")
    assert bar.own.isEnabled() and "3 clips" in bar.own.text()
    with qtbot.waitSignal(bar.place):
        bar.own.click()


@pytest.mark.parametrize("declared", [True, False])
def test_a_flat_clip_needs_to_be_declared(
    session: Session,  # noqa: F811
    small_clip: Path,
    tmp_path: Path,
    declared: bool,
) -> None:
    (number,) = add_clips(session, small_clip, tmp_path / "c", ["a.mp4"])
    clip = session.library.clip(number)
    assert clip.info is not None
    source = "declared" if declared else "shape"
    clip.accept({**clip.info, "projection": "flat", "projection_source": source})
    assert clip.ready == declared
