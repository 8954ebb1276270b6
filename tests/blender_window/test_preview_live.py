"""The preview in a Blender with a window: heard as the view turns, in step, and gone in time."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.foa.binaural import head_rotation
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.wav import write_wav
from tests.blender_window.heard import WINDOW, places, recognised
from tests.foa.test_head_streams import rendered
from tests.qt.sound.listening import Listener
from tests.support.blender_program import start_blender
from tests.support.display import start_display
from tests.support.pulse import RATE, NullSink

pytestmark = pytest.mark.keeps_time  # a window that plays

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("follow_view.py")
FRONT, LEFT, RIGHT = 0.0, math.pi / 2, -math.pi / 2
TONE = 1_000.0  # Hz, of what stands for the take for headphones


@pytest.fixture
def take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A field with a noise on its left, and a tone for headphones, which is told from it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    noise = np.random.default_rng(5).standard_normal(10 * RATE).astype(np.float32) * 0.1
    field, headphones = tmp_path / "take.wav", tmp_path / "take.binaural.wav"
    write_wav(field, encode_plane_wave(noise, math.pi / 2, 0.0), RATE)
    tone = 0.2 * np.sin(2 * np.pi * TONE * np.arange(10 * RATE) / RATE)
    write_wav(headphones, np.stack([tone, tone]), RATE)
    return field, headphones


def tones(heard: np.ndarray) -> int:
    """In how many windows the tone alone sounds."""
    count = 0
    for start in range(0, heard.shape[1] - WINDOW, WINDOW):
        power = np.abs(np.fft.rfft(heard[0, start : start + WINDOW] * np.hanning(WINDOW))) ** 2
        near = np.abs(np.fft.rfftfreq(WINDOW, 1 / RATE) - TONE) < 50
        count += bool(power.sum() > 1e-6 and power[near].sum() > 0.99 * power.sum())
    return count


@pytest.mark.slow
def test_a_take_is_heard_from_where_the_view_looks(sink: NullSink, take: tuple[Path, Path]) -> None:
    why = start_display()
    if why is not None:
        pytest.skip(why)
    with Listener(sink) as listener:
        blender = start_blender(
            SCRIPT, ROOT, sys.executable, *take, sink=sink, device="SDL", window=True
        )
        output, _ = blender.communicate(timeout=200)
        heard = listener.sound()
    said: dict[str, dict[str, Any]] = {}
    for line in output.splitlines():
        word, _, facts = line.partition(" {")
        if word.isupper() and facts:
            said[word] = json.loads("{" + facts)
    assert "DONE" in said, output

    # What is for headphones is silent only while the preview sounds, and never in a saved file.
    assert said["STARTED"] == {"running": True, "muted": False}
    assert said["LIVE"] == {"muted": True}
    assert said["SAVED"] == {"muted": True, "saved": False}
    assert said["UNDONE"] == {"live": True, "end": 240}
    assert said["STOPPED"] == {"muted": False}
    assert said["REMOVED"] == {
        "running": False,
        "message": "the preview ended: its take is gone",
        "muted": False,
    }

    off = np.array(said["PLAYED"]["off"])
    assert len(off) > 5
    assert abs(off.mean()) < 0.05, off  # seconds

    foa, _ = read_foa(take[0])
    expected = {yaw: rendered(foa, RATE, head_rotation(yaw)) for yaw in (FRONT, LEFT, RIGHT)}
    pieces = recognised(heard, expected)
    assert len(places(pieces, FRONT, 0.0, 1.6)) >= 6, pieces  # played, facing the front
    assert len(places(pieces, LEFT, 0.8, 3.8)) >= 6, pieces  # the viewport was turned left
    assert places(pieces, LEFT, 4.0, 4.2), pieces  # a frame was gone to
    assert len(places(pieces, RIGHT, 2.0, 4.0)) >= 6, pieces  # the camera, which looks right
    assert len(places(pieces, RIGHT, 6.0, 7.5)) >= 3, pieces  # a click into the time line
    assert tones(heard) >= 2  # the take for headphones, once the preview was stopped
