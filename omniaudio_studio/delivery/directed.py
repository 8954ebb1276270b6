"""A recording put where a request's sources say: exactly, stem by stem, the rest spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.mono_sound import MonoSound
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.foa.directed import DirectedEncoder, DirectedTrack
from omniaudio_studio.foa.placement import Placement
from omniaudio_studio.jobs.spatialize_request import DirectedSource

if TYPE_CHECKING:
    from omniaudio_studio.foa.band_encoding import BandEncoder

Mono = NDArray[np.float32]


class DirectedField:
    """A recording on its way to a field; a context manager.

    Its interface is that of `foa.band_encoding.BandEncoder`: as many samples come out, by
    :meth:`push` and :meth:`finish` together, as were pushed, and W is what was pushed, bit for bit.

    Parameters
    ----------
    sources : sequence of DirectedSource
        Those with a file are stems: parts of the recording.
    rate : int
        Samples per second.
    width : float
        How much of what no source takes is spread around the listener, 0 to 1.
    seed : int
        Of the spreading.
    first : int
        Sample at which the recording begins; sample 0 is at the clip's first frame.
    cancel : object with ``check()``, optional
        Called while stems are read.
    """

    def __init__(
        self,
        sources: Sequence[DirectedSource],
        rate: int,
        *,
        width: float,
        seed: int,
        first: int = 0,
        cancel: Cancel | None = None,
    ) -> None:
        self._place = first
        self._opened = ExitStack()
        tracks: list[DirectedTrack] = []
        self._stems: list[tuple[MonoSound, int]] = []  # with the sample at which each begins
        stem_tracks: list[DirectedTrack] = []
        for source in sources:
            track = _track(source)
            if source.file is None:
                tracks.append(track)
                continue
            sound = self._opened.enter_context(MonoSound(source.file, rate, cancel=cancel))
            self._stems.append((sound, round(source.start * rate)))
            stem_tracks.append(track)
        self._encoder = DirectedEncoder(tracks, stem_tracks, rate)
        self._ambience: BandEncoder | None = None
        if width > 0.0 and not self._encoder.places_all:
            from omniaudio_studio.foa.band_encoding import BandEncoder

            self._ambience = BandEncoder(_nowhere(rate), rate, width=width, seed=seed, first=first)
        self._waiting: list[Foa] = []  # what the ambience, which comes later, is to be added to

    def push(self, recording: Mono, side: Mono | None = None) -> Foa:
        """The next samples, float32 (n,); ``side`` is (L - R) / 2 of a stereo recording.

        Returns
        -------
        ndarray, float32, shape (4, m)
            W, Y, Z, X of those that are done; m may differ from n.
        """
        first = self._place
        self._place += recording.size
        stems = [sound.piece(first - start, recording.size) for sound, start in self._stems]
        field, left = self._encoder.encode(recording, stems, first)
        if self._ambience is None:
            return field
        rest = self._encoder.rest(recording, stems, first, left)
        self._waiting.append(field)
        if side is not None:
            side = (side * left).astype(np.float32)
        return self._spread(self._ambience.push(rest, side))

    def finish(self) -> Foa:
        """The samples that are still to come, float32 (4, m)."""
        if self._ambience is None:
            return np.zeros((4, 0), np.float32)
        return self._spread(self._ambience.finish())

    def _spread(self, ambience: Foa) -> Foa:
        """As many samples of the field as there are of the ambience, with it."""
        count = ambience.shape[1]
        waiting = np.concatenate([np.zeros((4, 0), np.float32), *self._waiting], axis=1)
        self._waiting = [waiting[:, count:]]
        field = waiting[:, :count]
        field[1:] += ambience[1:]
        return field

    def __enter__(self) -> DirectedField:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()


def _track(source: DirectedSource) -> DirectedTrack:
    return DirectedTrack(
        [
            (time, math.radians(azimuth), math.radians(elevation), gain)
            for time, azimuth, elevation, gain in source.points
        ]
    )


def _nowhere(rate: int) -> Placement:
    """Nothing has a direction."""
    return Placement(
        times=np.zeros(1),
        edges=np.array([0.0, rate / 2]),
        directions=np.array([[[1.0, 0.0, 0.0]]], np.float32),
        shares=np.zeros((1, 1, 1), np.float32),
        confidence=np.zeros((1, 1), np.float32),
    )
