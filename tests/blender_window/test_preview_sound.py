"""The streams on Blender's own sound devices: what is heard is what the renderer renders."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.foa.binaural import head_rotation
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.wav import write_wav
from tests.blender_window.heard import WINDOW, clicks, places, recognised
from tests.foa.test_head_streams import rendered
from tests.qt.sound.listening import Listener
from tests.support.analyst import ask
from tests.support.blender_program import DEVICES, start_blender
from tests.support.pulse import RATE, NullSink

pytestmark = pytest.mark.keeps_time  # a window that plays

SCRIPT = Path(__file__).with_name("play_streams.py")
FACED = ((0.0, 1.0), (math.pi / 2, 3.0), (2.0, 5.0))  # as the script does
SINE = 400.0


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A noise and a sine from the left, and what the analyst makes of them."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    noise = np.random.default_rng(5).standard_normal(7 * RATE).astype(np.float32) * 0.1
    sine = 0.3 * np.sin(2 * np.pi * SINE * np.arange(7 * RATE) / RATE).astype(np.float32)
    paths = []
    for name, sound in (("noise", noise), ("sine", sine)):
        field = tmp_path / f"{name}.wav"
        write_wav(field, encode_plane_wave(sound, math.pi / 2, 0.0), RATE)
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(ask("listening", path=str(field))), encoding="utf-8")
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_what_is_heard_is_what_is_rendered(
    device: str, sink: NullSink, answers: list[Path], tmp_path: Path
) -> None:
    with Listener(sink) as listener:
        blender = start_blender(SCRIPT, *answers, sink=sink, device=device)
        said, _ = blender.communicate(timeout=120)
        heard = listener.sound()
    lines = said.splitlines()
    assert "DONE" in lines, said
    # OpenAL takes no negative volume: nine streams have a copy of opposite polarity.
    assert f"HANDLES {19 if device == 'OpenAL' else 10}" in lines
    assert lines.count("STEP True") == len(FACED)
    assert "ALIVE False" in lines

    foa, _ = read_foa(tmp_path / "noise.wav")
    expected = {yaw: rendered(foa, RATE, head_rotation(yaw)) for yaw, _ in FACED}
    pieces = recognised(heard, expected)
    starts = dict(FACED)
    assert all(starts[one.yaw] <= one.place < starts[one.yaw] + 1.5 for one in pieces), pieces
    for yaw, start in FACED:
        found = places(pieces, yaw, start, start + 1.5)
        assert len(found) >= 6, pieces  # a quarter of a second at least
        assert found[0] < start + 0.5

    # Turned thirty times a second, a sine stays one: each step of the volumes is smoothed.
    at = np.flatnonzero(np.abs(heard).max(axis=0) > 1e-6)
    turning = heard[:, at[-1] - RATE : at[-1]]
    assert np.median(clicks(turning, 5 * SINE)) < -70.0
    levels = np.abs(turning[0, : 20 * WINDOW]).reshape(-1, WINDOW).max(axis=1)
    assert levels.max() > 1.5 * levels.min()  # it does turn
