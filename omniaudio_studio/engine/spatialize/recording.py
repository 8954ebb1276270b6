"""The recording as finders hear it: energies in bands, and which side of a pair is louder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.foa.bands import BandAnalysis, BandFrames

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]


@dataclass(frozen=True)
class SoundFrames:
    """Frames of a recording.

    Attributes
    ----------
    energy
        float32 (frames, bands): mean square of W.
    pan
        float32 (frames, bands): (L^2 - R^2) / (L^2 + R^2), -1 (right) to 1 (left); 0 of a mono
        recording.
    """

    energy: Array
    pan: Array


def sound_frames(
    info: ClipInfo,
    recording: Path,
    *,
    start: float,
    frames: int,
    frame_rate: float,
    edges: NDArray[np.float64],
    window: float,
    rate: int = 48_000,
    cancel: Cancel | None = None,
) -> Iterator[SoundFrames]:
    """Frames of a range of a recording, as a stream of pieces that are ``frames`` long in all.

    Frame f has its middle at start + (f + 1/2) / frame_rate seconds of the clip. Silence where the
    recording has ended.

    Parameters
    ----------
    recording
        The file whose sound is heard; the clip itself or another one.
    rate
        Samples a second that are analysed; the sound is resampled to it.

    Raises
    ------
    MediaError
        If its sound cannot be read.
    """
    from omniaudio_studio.media.audio import iter_audio
    from omniaudio_studio.media.recording import middle_and_side

    own = recording == Path(info.path)
    source = info if own else recording
    analysis: BandAnalysis | None = None
    given = 0
    stereo = False
    for block in iter_audio(source, rate, start, frames / frame_rate):
        if cancel is not None:
            cancel.check()
        middle, side = middle_and_side(block)
        stereo = side is not None
        if analysis is None:
            analysis = BandAnalysis(rate, edges, frame_rate, window, 2 if stereo else 1)
        piece = analysis.push(middle if side is None else np.stack([middle, side]))
        given += len(piece)
        if len(piece):
            yield _heard(piece, stereo)
    if analysis is None:
        analysis = BandAnalysis(rate, edges, frame_rate, window)
    rest = analysis.finish(frames)
    if len(rest):
        yield _heard(rest, stereo)


class FrameReader:
    """Frames of sound, taken as many at a time as are wanted."""

    def __init__(self, source: Iterator[SoundFrames]) -> None:
        self._source = source
        self._held: list[SoundFrames] = []
        self._taken: tuple[Array, Array] | None = None

    def take(self, fresh: int, again: int = 0) -> tuple[Array, Array]:
        """The next ``fresh`` frames, after the last ``again`` ones of those taken before: energy
        and pan, float32 (again + fresh, bands)."""
        have = sum(len(piece.energy) for piece in self._held)
        while have < fresh:
            piece = next(self._source)
            self._held.append(piece)
            have += len(piece.energy)
        energy = np.concatenate([piece.energy for piece in self._held])
        pan = np.concatenate([piece.pan for piece in self._held])
        self._held = [SoundFrames(energy[fresh:], pan[fresh:])]
        energy, pan = energy[:fresh], pan[:fresh]
        if again:
            assert self._taken is not None
            energy = np.concatenate([self._taken[0][-again:], energy])
            pan = np.concatenate([self._taken[1][-again:], pan])
        self._taken = energy, pan
        return energy, pan


def _heard(piece: BandFrames, stereo: bool) -> SoundFrames:
    if not stereo:
        return SoundFrames(piece.energy, np.zeros_like(piece.energy))
    # L = m + s, R = m - s: L^2 - R^2 = 4 m s, L^2 + R^2 = 2 (m^2 + s^2).
    total = piece.energy + piece.power[..., 0]
    pan = 2 * piece.across[..., 0] / np.maximum(total, 1e-12)
    return SoundFrames(piece.energy, np.clip(pan, -1, 1).astype(np.float32))
