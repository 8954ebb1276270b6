"""Threads that read and decode let the window's thread go first."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from pytestqt.qtbot import QtBot

from qt_app.models.background import Background
from qt_app.yielding import NICENESS


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness of a thread is Linux's")
def test_a_background_thread_yields_and_the_window_does_not(qtbot: QtBot) -> None:
    window = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    found: list[int] = []
    background = Background("test")
    background.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), found.append)
    qtbot.waitUntil(lambda: bool(found), timeout=5000)
    background.close()
    assert found == [min(window + NICENESS, 19)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == window
