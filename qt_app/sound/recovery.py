"""Getting an output back that has fallen silent, while a silent clock drives the time line.

Often nothing is broken: the machine is too busy, or the sound server takes a while. Closing and
opening a device can then take as long as the server pleases, so that both happen on a thread.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import DeviceError
from qt_app.sound.devices import Output, Play, look_again, open_output

RETRY_SECONDS = 3.0  # between two attempts
PATIENCE_SECONDS = 8.0  # of an attempt that does not come to an end, until people are told
# An output has to ask for this much more than what fills its buffers to count as running ...
_PROOF_SECONDS = 0.1
_PROOF_WITHIN = 5.0  # ... in this time: a sound server may begin late.
_LOOK_SECONDS = 0.01


class Gate:
    """Between a device's callback and what it plays; silence while it is closed.

    A device that was given up may ask again at any moment, when another one plays already.
    """

    def __init__(self, play: Play, *, is_open: bool = True) -> None:
        self.frames = 0  # asked for so far
        self._play = play
        self._open = is_open
        self._lock = threading.Lock()

    def __call__(self, block: NDArray[np.float32], heard: float) -> None:
        """The callback; it waits for nobody."""
        self.frames += block.shape[1]
        if self._lock.acquire(blocking=False):
            try:
                if self._open:
                    self._play(block, heard)
                    return
            finally:
                self._lock.release()
        block.fill(0.0)

    def open(self) -> None:
        """Let the callback through."""
        with self._lock:
            self._open = True

    def close(self) -> None:
        """Let nothing through any more; waits for a block that is being made."""
        with self._lock:
            self._open = False


class Recovery:
    """Closes an output that fell silent and tries again and again to open it anew.

    The first attempt begins at once; before the later ones PortAudio looks for devices anew. No
    other output of PortAudio may be open, and nobody else may call it until `cancel` returned or
    `output` was taken.

    Parameters
    ----------
    lost : Output
        Belongs to this object from now on; its callback must not matter any more.
    play : callable
        What the new output plays once its ``gate`` is opened.

    Attributes
    ----------
    name : str or None
        Of the output.
    told : bool
        For the owner: whether people know that it is gone.
    gate : Gate
        Closed; of the output that was opened last.
    """

    def __init__(self, lost: Output, play: Play) -> None:
        self.name = lost.name
        self.told = False
        self.gate = Gate(play, is_open=False)
        self._lost: Output | None = lost
        self._block = lost.block
        self._play = play
        self._began = time.monotonic()
        self._failed: float | None = None  # when the last attempt did
        self._attempts = 0
        self._output: Output | None = None
        self._cancelled = False
        self._thread: threading.Thread | None = None
        self._begin()

    @property
    def hopeless(self) -> bool:
        """Whether an attempt has failed, or the first one has taken too long by now."""
        return self._failed is not None or time.monotonic() - self._began > PATIENCE_SECONDS

    def poll(self) -> Output | None:
        """The output, once it runs again; starts the next attempt when it is time for that."""
        if self._thread is not None:
            if self._thread.is_alive():
                return None
            self._thread = None
        if self._output is not None:
            output, self._output = self._output, None
            return output
        if self._failed is not None and time.monotonic() - self._failed > RETRY_SECONDS:
            self._begin()
        return None

    def cancel(self, timeout: float | None = None) -> None:
        """Try no more; waits for the attempt that is being made, ``timeout`` seconds at most."""
        self._cancelled = True
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return
        output, self._output = self._output, None
        if output is not None:
            output.close()

    def _begin(self) -> None:
        self._attempts += 1
        if sys.platform == "win32":
            # There what PortAudio opens belongs to the thread that does it, and ends with it.
            self._attempt()
            return
        self._thread = threading.Thread(target=self._attempt, name="omniaudio-retry", daemon=True)
        self._thread.start()

    def _attempt(self) -> None:
        try:
            lost, self._lost = self._lost, None
            if lost is not None:
                with contextlib.suppress(Exception):  # it is gone: there may be nothing to close
                    lost.close()
            if self._attempts > 1:
                look_again()
            self.gate = Gate(self._play, is_open=False)
            output = open_output(self.name, self.gate, self._block)
            try:
                output.start()
                self._await_proof(output)
            except Exception:
                output.close()
                raise
        except Exception:
            self._failed = time.monotonic()
        else:
            self._output = output

    def _await_proof(self, output: Output) -> None:
        until = time.monotonic() + _PROOF_WITHIN
        enough = (output.latency + _PROOF_SECONDS) * output.rate
        while self.gate.frames < enough:
            if self._cancelled or time.monotonic() > until:
                raise DeviceError(f"the output {output.name} plays nothing; choose another one")
            time.sleep(_LOOK_SECONDS)
