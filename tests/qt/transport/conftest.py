"""A player on a real (null) sound device, with three sounds of ten seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from omniaudio_studio.media.wav import WavWriter
from qt_app.models.player import Player
from qt_app.sound.source import SoundSource
from tests.support.pulse import NullSink

RATE = 48_000
SECONDS = 10


@pytest.fixture
def player(null_sink: NullSink, qtbot: QtBot) -> Iterator[Player]:
    if os.name == "nt":
        pytest.skip("PulseAudio is not for Windows")
    player = Player()
    yield player
    player.close()


@pytest.fixture
def sources(tmp_path: Path) -> list[SoundSource]:
    """Two takes and the camera's own sound."""
    time = np.arange(SECONDS * RATE) / RATE
    tone = (0.25 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    found = []
    for key, kind, channels, label in (
        ("one", "field", 4, "Take 1"),
        ("two", "field", 4, "Take 2"),
        ("camera", "plain", 2, "Camera"),
    ):
        path = tmp_path / f"{key}.wav"
        with WavWriter(path, RATE, channels) as writer:
            writer.write(np.ascontiguousarray(np.broadcast_to(tone, (channels, tone.size))))
        found.append(SoundSource(key, kind, path, label))
    return found
