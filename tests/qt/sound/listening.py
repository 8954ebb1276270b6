"""Hear what a process plays on the test's sink, and when."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from qt_app.sound.client import SoundClient
from qt_app.sound.source import SoundSource
from tests.support.pulse import RATE, NullSink


def in_real_time() -> bool:
    """Let the test's PulseAudio run as on a desktop, where rtkit sees to it; False: not allowed."""
    servers = [child for child in psutil.Process().children() if child.name() == "pulseaudio"]
    try:
        for server in servers:
            for thread in server.threads():
                os.sched_setscheduler(thread.id, os.SCHED_RR, os.sched_param(5))
    except (OSError, psutil.Error):
        return False
    return bool(servers)


class Listener:
    """Records in a thread; knows when each sample arrived. A context manager."""

    def __init__(self, sink: NullSink) -> None:
        self._process = sink.recorder()
        self._heard: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Listener:
        in_real_time()
        self._thread.start()
        until = time.monotonic() + 10
        while not self._heard and time.monotonic() < until:
            time.sleep(0.01)
        assert self._heard, "the sink's monitor says nothing"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while data := stream.read1(1 << 16):  # type: ignore[attr-defined]
            self._heard.append((time.monotonic(), data))

    def sound(self, start: float | None = None, stop: float | None = None) -> np.ndarray:
        """What arrived between two moments (time.monotonic()); float32 (2, n)."""
        parts = [
            data
            for moment, data in list(self._heard)
            if (start is None or moment >= start) and (stop is None or moment <= stop)
        ]
        whole = b"".join(parts)
        return np.frombuffer(whole[: len(whole) // 8 * 8], "<f4").reshape(-1, 2).T.copy()

    def times(self) -> np.ndarray:
        """The moment at which each sample of `sound` was heard."""
        heard = list(self._heard)
        ends = np.cumsum([len(data) // 8 for _, data in heard])
        moments = np.array([moment for moment, _ in heard])
        # A packet arrives once its last sample is there. The quickest ones tell the clock.
        offset = np.min(moments - ends / RATE)
        return offset + np.arange(ends[-1]) / RATE


def wait_for(client: SoundClient, done: Callable[[], bool], seconds: float = 10.0) -> list[Any]:
    """Poll until something is so; returns the events on the way."""
    events: list[Any] = []
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s in vain; heard {events}")
        events += client.poll()
        time.sleep(0.005)
    return events + client.poll()


def wait_event(client: SoundClient, kind: str, seconds: float = 10.0) -> dict[str, Any]:
    """The next event of this kind."""
    until = time.monotonic() + seconds
    seen = []
    while time.monotonic() < until:
        for event in client.poll():
            if event["event"] == kind:
                return event
            seen.append(event)
        time.sleep(0.005)
    pytest.fail(f"no event {kind} within {seconds} s; heard {seen}")


def source(path: Path, kind: str, key: str | None = None, gain_db: float = 0.0) -> SoundSource:
    """A source named after its file."""
    return SoundSource(key or path.stem, kind, path, path.stem, gain_db)


def level_db(sound: np.ndarray) -> np.ndarray:
    """Root mean square of each row in dB."""
    return 20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2, axis=-1)) + 1e-12)


def lead_of_left(sound: np.ndarray) -> float:
    """By how many milliseconds the left ear is earlier, below 1 kHz."""
    spectra = np.fft.rfft(sound.astype(np.float64), 2 * sound.shape[1])
    frequencies = np.fft.rfftfreq(2 * sound.shape[1], 1 / RATE)
    spectra[:, (frequencies > 1000) | (frequencies < 100)] = 0
    both = np.fft.irfft(spectra[1] * np.conj(spectra[0]))
    lags = np.arange(-60, 61)
    return float(lags[np.argmax(both[lags])]) / RATE * 1000


def undisturbed(client: SoundClient, play: Callable[[], np.ndarray]) -> np.ndarray:
    """What ``play`` records, once it does so without the machine being too busy for sound.

    Then the device runs dry, or the server has nothing to pass on and writes exact zeros.
    """
    for _ in range(5):
        before = client.underflows()
        heard = play()
        silent = np.convolve(np.abs(heard) == 0.0, np.ones(48), "valid").max() == 48
        if client.underflows() == before and not (silent and heard.any()):
            return heard
    pytest.skip("this machine is too busy to play without running dry")
