"""What is heard and drawn of a take lies where the take lies: in time, and in the picture."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.analysis.tasks import Context, answer
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from qt_app.models.clip import Clip
from qt_app.models.listening import MONO_KEY, Listening, source_label
from qt_app.models.placed_field import load_placed
from qt_app.models.player import Player
from qt_app.models.takes import TakesModel
from qt_app.timeline.model import TimelineModel
from tests.qt.takes.conftest import Made

RATE = 48_000


class Answers:
    """Answers sound fields' questions when told to, as the analyst does."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[Any], None], str, dict[str, Any]]] = []

    def ask(
        self,
        task: str,
        done: Callable[[Any], None],
        failed: Callable[[str], None] | None = None,
        *,
        priority: int = 0,
        **parameters: Any,
    ) -> int:
        if priority > 0:
            self.waiting.append((done, task, parameters))
        return len(self.waiting)

    def cancel(self, ticket: int) -> None:
        pass

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done, task, parameters in waiting:
            done(answer(task, Context(CancelToken(), lambda _: None), parameters))


@pytest.fixture
def take(made: Made) -> Path:
    """The clip's second half, sound from the front; that front lies on the left of the picture."""
    wav = made.takes[0]
    tone = np.sin(np.arange(RATE) * 0.2).astype(np.float32)
    write_wav(wav, encode_plane_wave(tone, 0.0, 0.0), RATE)
    sidecar = wav.with_suffix(".json")
    data = json.loads(sidecar.read_text())
    data["request"] |= {"start": 1.0, "duration": 1.0, "yaw": 90.0}
    data["resolved"]["duration"] = 1.0
    sidecar.write_text(json.dumps(data))
    for other in made.takes[1:]:
        other.with_suffix(".json").unlink()
    return wav


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[tuple[Listening, TakesModel, Player, Answers]]:
    answers = Answers()
    takes, player, timeline = TakesModel(tmp_path / "data"), Player(), TimelineModel()
    listening = Listening(answers, takes, player, timeline)
    yield listening, takes, player, answers
    player.close()
    listening.close()
    takes.close()


def azimuth(covariance: np.ndarray) -> float:
    """Degrees, from the products of W with Y and X."""
    return math.degrees(math.atan2(covariance[0, 1], covariance[0, 3]))


def test_a_take_and_its_mono_are_drawn_where_the_take_lies(
    qtbot: QtBot,
    made: Made,
    take: Path,
    parts: tuple[Listening, TakesModel, Player, Answers],
) -> None:
    listening, takes, player, answers = parts
    clip = Clip(1, made.clip)
    clip.accept(probe(made.clip).as_dict())
    listening.show(clip, [take.parent])
    qtbot.waitUntil(lambda: takes.current is not None, timeout=5000)
    answers.answer()
    qtbot.waitUntil(lambda: listening.summary is not None, timeout=5000)
    for key in (player.selected, MONO_KEY):
        player.select(key)
        answers.answer()
        qtbot.waitUntil(lambda: listening.summary is not None, timeout=5000)
        qtbot.wait(100)
        assert not listening.covariance_at(0.5).any()
        assert azimuth(listening.covariance_at(1.5)) == pytest.approx(90.0, abs=0.1)
    assert player.selected == MONO_KEY


def test_takes_of_a_long_name_are_told_apart() -> None:
    assert source_label("walk (1)-take12", "walk (1)") == "Take 12"
    assert source_label("walk (1)-take12-again", "walk (1)") == "walk (1)-take12-again"
    assert source_label("walkway-take2", "walk") == "walkway-take2"
    assert source_label("mine", "walk") == "mine"


@pytest.mark.parametrize("content", [None, b"PK no archive", b"PK\x03\x04 cut short"])
def test_a_summary_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "field.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match=r"summary .*field\.npz"):
        load_placed(path)
