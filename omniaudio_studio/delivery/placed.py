"""A placed source from its file: added to a field block by block."""

from __future__ import annotations

from types import TracebackType

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.mono_sound import MonoSound
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.placed import PlacedPath
from omniaudio_studio.jobs.deliver_request import PlacedSource


class PlacedVoice:
    """One source at work; a context manager.

    Parameters
    ----------
    source : PlacedSource
    rate : int
        Of the field, samples per second.
    cancel : object with ``check()``, optional
        Called while the file is read.
    """

    def __init__(self, source: PlacedSource, rate: int, cancel: Cancel | None = None) -> None:
        self._start = round(source.start * rate)
        self._path = PlacedPath(
            source.points,
            rate,
            reference=source.reference,
            rolloff=source.rolloff,
            max_distance=source.max_distance,
            delay=source.delay,
        )
        self._sound = MonoSound(source.file, rate, loop=source.loop, cancel=cancel)

    def add_to(self, foa: Foa, first: int) -> None:
        """Add the source to a block of the field, (4, n), that begins at sample ``first``.

        Blocks come in order; sample 0 is at 0 s of the field's time line.
        """
        path = self._path
        around = path.before + foa.shape[1] + path.after
        sound = self._sound.piece(first - self._start - path.before, around)
        if sound.any():
            foa += path.encode(sound, first)

    def __enter__(self) -> PlacedVoice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sound.__exit__(kind, error, trace)
