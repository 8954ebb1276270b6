"""The streams of a take on Blender's own sound device: in step, and turned by their volumes.

Needs `aud` alone, Blender's sound library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import aud

# A volume of exactly 0 is set at once, with a click; any other is reached within one buffer.
_SILENT = 1e-9


class Refused(Exception):
    """The device does not play the streams; one line says why and what to do."""


class Streams:
    """Ten streams, opened and paused.

    Where a device takes no negative volumes, each stream that needs them has a copy of opposite
    polarity, which sounds in its place.

    Parameters
    ----------
    streams : sequence of mappings
        ``file``, ``gain``, ``head`` and ``field`` of each, as the question "listening" answers.

    Attributes
    ----------
    channels : list of (str, str)
        Channel of the head and of the field of each stream: the order of `turn`'s volumes.
    playing : bool
        Whether they were told to play, and not to pause since.

    Raises
    ------
    Refused
        If there is no device, or it cannot open a file.
    """

    def __init__(self, streams: Sequence[Mapping[str, Any]]) -> None:
        self.channels = [(str(stream["head"]), str(stream["field"])) for stream in streams]
        self._files = [(str(stream["file"]), float(stream["gain"])) for stream in streams]
        self._volumes = [0.0] * len(streams)
        self._handles: list[aud.Handle] = []
        self._opposite: list[aud.Handle | None] = []
        self.playing = False
        self.open()

    def open(self) -> None:
        """Open the streams anew: Blender closes its device when it rests, and then they are gone.

        Raises
        ------
        Refused
            As the class.
        """
        self.stop()
        with _locked() as device:
            try:
                copies = None
                for (file, gain), (head, _) in zip(self._files, self.channels, strict=True):
                    handle = self._start(device, file, gain)
                    self._handles.append(handle)
                    if copies is None:
                        copies = not _takes_negative(handle)
                    wanted = copies and head != "W"
                    self._opposite.append(self._start(device, file, -gain) if wanted else None)
            except Refused:
                self.stop()
                raise
        self._set()

    def _start(self, device: aud.Device, file: str, gain: float) -> aud.Handle:
        try:
            # Kept when it ends: it can be started again from anywhere.
            handle = device.play(aud.Sound.file(file).volume(gain), keep=True)
        except aud.error as error:
            raise Refused(
                f"Blender cannot play {file} ({error}); start the preview again to make it anew"
            ) from error
        if not handle.status:
            raise Refused(
                "Blender has no sound device here; choose one in Preferences > System > Sound"
            )
        handle.pause()
        handle.volume = _SILENT
        return handle

    @property
    def alive(self) -> bool:
        """Whether the device still has the streams; else `open` them again."""
        return bool(self._handles) and all(bool(handle.status) for handle in self._all())

    @property
    def position(self) -> float:
        """Seconds from the field's sample 0 to what the device reads next."""
        return float(self._handles[0].position) if self._handles else 0.0

    @property
    def in_step(self) -> bool:
        """Whether all of them are at the same sample.

        OpenAL starts them one by one, and its mixer may run in between.
        """
        # Nor are they looked at in one moment; they are never off twice for that reason alone.
        return any(
            len({round(handle.position, 3) for handle in self._all()}) <= 1 for _ in range(2)
        )

    def play(self, position: float) -> None:
        """Play from ``position`` (seconds, from 0 on), all from the same sample on.

        Raises
        ------
        Refused
            If the streams are not `alive`.
        """
        with _locked():
            try:
                for handle in self._all():
                    handle.position = max(position, 0.0)
            except aud.error as error:
                raise Refused(
                    f"Blender's sound device is gone ({error}); start the preview again"
                ) from error
            for handle in self._all():
                handle.resume()
        self.playing = True

    def pause(self) -> None:
        """Fall silent."""
        with _locked():
            for handle in self._all():
                handle.pause()
        self.playing = False

    def turn(self, volumes: Sequence[float]) -> None:
        """Set the volume of each stream, negative for opposite polarity.

        While they sound, the device goes from the old volumes to the new ones within one of its
        buffers, so that nothing clicks.
        """
        self._volumes = [float(volume) for volume in volumes]
        # Not locked: that would wait for the device while it mixes, and all that it could spare
        # is a buffer in which some streams are a step behind.
        if self.alive:
            self._set()

    def stop(self) -> None:
        """Take the streams off the device. Safe to call twice."""
        for handle in self._all():
            if handle.status:
                handle.stop()
        self._handles, self._opposite = [], []
        self.playing = False

    def _all(self) -> list[aud.Handle]:
        return self._handles + [handle for handle in self._opposite if handle is not None]

    def _set(self) -> None:
        for handle, opposite, volume in zip(
            self._handles, self._opposite, self._volumes, strict=True
        ):
            if opposite is None:
                handle.volume = volume or _SILENT
            else:
                handle.volume = max(volume, _SILENT)
                opposite.volume = max(-volume, _SILENT)


def _takes_negative(handle: aud.Handle) -> bool:
    """OpenAL ignores a negative volume, the other devices take it."""
    handle.volume = -0.5
    taken = bool(handle.volume == -0.5)
    handle.volume = _SILENT
    return taken


@contextmanager
def _locked() -> Iterator[aud.Device]:
    """Blender's device, which reads no sample meanwhile.

    It is asked for each time: one that was kept would stay open when Blender has closed it.
    """
    try:
        device = aud.Device()
    except aud.error as error:
        raise Refused(
            f"Blender's sound device does not open ({error}); choose one in Preferences > System > "
            "Sound"
        ) from error
    device.lock()
    try:
        yield device
    finally:
        device.unlock()
