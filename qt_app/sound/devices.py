"""Sound outputs: finding and opening them, and the clock that stands in for them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import DeviceError

RATE = 48_000
BLOCK = 256
_SILENT_BLOCK = 512
# Windows shows every device once per driver model; this one is quick and shared.
_WINDOWS_API = "Windows WASAPI"

Play = Callable[[NDArray[np.float32], float], None]
"""Fills (2, n) float32 that will be heard from that moment (time.monotonic()) on."""


class Output(Protocol):
    """Something that asks for sound at its own pace."""

    name: str | None
    rate: int
    block: int
    latency: float
    underflows: int
    error: BaseException | None

    def start(self) -> None:
        """Begin to ask."""

    def close(self) -> None:
        """Ask no more."""


def find_devices() -> tuple[list[str], str | None]:
    """Names of the outputs, and of the system's own choice.

    Raises
    ------
    DeviceError
        If there is no PortAudio.
    """
    sounddevice = _sounddevice()
    names: dict[str, None] = {}
    apis = sounddevice.query_hostapis()
    for device in sounddevice.query_devices():
        api = apis[device["hostapi"]]["name"]
        if device["max_output_channels"] < 1 or (sys.platform == "win32" and api != _WINDOWS_API):
            continue
        names[device["name"]] = None
    index = _default_index(sounddevice)
    default = None if index is None else sounddevice.query_devices(index)["name"]
    return list(names), default


def look_again() -> None:
    """Let PortAudio see what was plugged in since; no output may be open."""
    try:
        sounddevice = _sounddevice()
        sounddevice._terminate()
        sounddevice._initialize()
    except Exception:  # none found: opening says so
        return


def open_output(name: str | None, play: Play, block: int = BLOCK) -> Output:
    """Open an output; `start` lets it run.

    Parameters
    ----------
    name : str or None
        As in `find_devices`; None: the system's own.
    play : callable
        Asked for every block, in the device's thread.
    block : int
        Samples in a block.

    Raises
    ------
    DeviceError
        If there is none, or it cannot be opened.
    """
    sounddevice = _sounddevice()
    index = _default_index(sounddevice) if name is None else _index(sounddevice, name)
    if index is None:
        raise DeviceError(
            "no sound device was found; the picture plays without sound. Plug one in and choose it"
            if name is None
            else f"the output {name} is not there; plug it in or choose another one"
        )
    try:
        return _Stream(sounddevice, index, play, block)
    except (sounddevice.PortAudioError, ValueError) as error:
        title = sounddevice.query_devices(index)["name"]
        reason = str(error.args[0]) if error.args else str(error)
        raise DeviceError(
            f"the output {title} cannot be opened ({reason}); choose another one"
        ) from error


class SilentOutput:
    """No device: the time line runs on by the computer's clock."""

    def __init__(self, play: Play, rate: int = RATE) -> None:
        self.name: str | None = None
        self.rate = rate
        self.block = _SILENT_BLOCK
        self.latency = 0.0
        self.underflows = 0
        self.error: BaseException | None = None
        self._play = play
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="omniaudio-silence", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        block = np.zeros((2, self.block), dtype=np.float32)
        due = time.monotonic()
        while not self._closed.is_set():
            self._play(block, due)
            due += self.block / self.rate
            late = time.monotonic() - due
            if late < 0:
                self._closed.wait(-late)
            elif late > 0.5:
                due += late  # the computer slept


class _Stream:
    """A PortAudio stream with callbacks."""

    def __init__(self, sounddevice: Any, index: int, play: Play, block: int) -> None:
        device = sounddevice.query_devices(index)
        channels = min(2, device["max_output_channels"])
        self.name: str | None = device["name"]
        self.block = block
        self.underflows = 0
        self.error: BaseException | None = None
        self._play = play
        self._mono = channels == 1
        self._buffer = np.zeros((2, block), dtype=np.float32)
        try:
            sounddevice.check_output_settings(
                index, channels=channels, dtype="float32", samplerate=RATE
            )
            self.rate = RATE
        except (sounddevice.PortAudioError, ValueError):
            self.rate = int(device["default_samplerate"])
        self._stream = sounddevice.OutputStream(
            samplerate=self.rate,
            blocksize=block,
            device=index,
            channels=channels,
            dtype="float32",
            latency="low",
            callback=self._callback,
        )
        self.latency = float(self._stream.latency)

    def start(self) -> None:
        self._stream.start()

    def close(self) -> None:
        try:
            self._stream.abort(ignore_errors=True)
        finally:
            self._stream.close(ignore_errors=True)

    def _callback(self, out: NDArray[np.float32], frames: int, moments: Any, status: Any) -> None:
        now = time.monotonic()
        if status and status.output_underflow:
            self.underflows += 1
        delay = moments.outputBufferDacTime - moments.currentTime
        if not 0.0 < delay < 1.0:  # some drivers do not say
            delay = self.latency
        buffer = self._buffer[:, :frames]
        try:
            self._play(buffer, now + delay)
        except Exception as error:  # silence, and whoever looks is told
            self.error = error
            buffer.fill(0.0)
        if self._mono:
            np.add(buffer[0], buffer[1], out=out[:, 0])
            np.multiply(out, np.float32(0.5), out=out)
        else:
            np.copyto(out, buffer.T)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise DeviceError(
            "sound needs the package sounddevice: pip install 'omniaudio-studio[gui]'"
        ) from error
    except OSError as error:  # PortAudio's library is not there
        raise DeviceError(
            "sound needs PortAudio, which is not installed (Debian: apt-get install "
            "libportaudio2 libasound2-plugins); the picture plays without sound"
        ) from error
    return sounddevice


def _default_index(sounddevice: Any) -> int | None:
    if sys.platform == "win32":
        for api in sounddevice.query_hostapis():
            if api["name"] == _WINDOWS_API and api["default_output_device"] >= 0:
                return int(api["default_output_device"])
    index = int(sounddevice.default.device[1])
    if index < 0:
        index = (
            int(sounddevice.query_hostapis(0)["default_output_device"])
            if (sounddevice.query_hostapis())
            else -1
        )
    return index if index >= 0 else None


def _index(sounddevice: Any, name: str) -> int | None:
    apis = sounddevice.query_hostapis()
    for index, device in enumerate(sounddevice.query_devices()):
        api = apis[device["hostapi"]]["name"]
        if device["max_output_channels"] < 1 or (sys.platform == "win32" and api != _WINDOWS_API):
            continue
        if device["name"] == name:
            return index
    return None
