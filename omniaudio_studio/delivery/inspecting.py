"""What a file claims and what its sound shows, with advice where the two do not fit.

Of a file longer than two minutes, twelve stretches of ten seconds are listened to, spread evenly
from its beginning to its end; memory is flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.guess import FieldSigns, Guess

if TYPE_CHECKING:
    from omniaudio_studio.media.claims import Claims, SoundClaim

STRETCHES, STRETCH_SECONDS = 12, 10.0
_BLOCK = 1 << 16
_FULL_SCALE = 1 - 2.0**-15  # from there on a 16-bit sample is at its end
_LARGEST = 1e6  # 120 dB over full scale: beyond are broken bytes, not sound
_SILENT = 1e-5  # -100 dBFS
# A channel of low-frequency effects: less than this share of its power is above 200 Hz.
_LOW_EDGE, _LOW_SHARE = 200.0, 1e-4
_FRAME = 4096


@dataclass(frozen=True)
class SoundFindings:
    """What a track of sound shows.

    Attributes
    ----------
    track : int
        Its number in the file.
    seconds : float
        How much was listened to.
    whole : bool
        Whether that was all of it.
    peaks, levels : tuple of float
        Per channel: peak and root mean square, dB relative to full scale, -120 at least.
    clipped : int
        Samples at full scale or beyond.
    not_numbers : int
        Samples that are NaN or beyond any sense; they count as silence.
    low_only : tuple of int
        Channels, from 1 on, with nothing above 200 Hz while others have.
    guess : Guess or None
        What the first four channels (or those that ``SA3D`` names) look like.
    bed : bool or None
        Of six channels of which two are head-locked stereo: whether those are heard.
    """

    track: int
    seconds: float
    whole: bool
    peaks: tuple[float, ...]
    levels: tuple[float, ...]
    clipped: int
    not_numbers: int
    low_only: tuple[int, ...]
    guess: Guess | None
    bed: bool | None


@dataclass(frozen=True)
class Inspection:
    """Claims, findings (None without sound), and advice, one line each."""

    claims: Claims
    sound: SoundFindings | None
    advice: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, as for JSON."""
        sound = None if self.sound is None else asdict(self.sound)
        return {"claims": self.claims.as_dict(), "sound": sound, "advice": list(self.advice)}


def inspect_file(path: str | Path, cancel: Cancel | None = None) -> Inspection:
    """Find out what a file claims, listen to it, and compare.

    Raises
    ------
    MissingFileError, MediaError
        If the file cannot be read.
    """
    from omniaudio_studio.delivery.advising import advice
    from omniaudio_studio.media.claims import read_claims

    claims = read_claims(path)
    track = chosen_track(claims)
    sound = None if track is None else _listened(claims, track, cancel)
    return Inspection(claims, sound, tuple(advice(claims, track, sound)))


def chosen_track(claims: Claims) -> SoundClaim | None:
    """The track that is read as a field: one that says so, else one of four channels or more."""
    said = [sound for sound in claims.sounds if sound.ambisonic is not None]
    wide = [sound for sound in claims.sounds if sound.channels >= 4]
    return next(iter(said or wide or claims.sounds), None)


def _listened(claims: Claims, track: SoundClaim, cancel: Cancel | None) -> SoundFindings:
    levels = _Levels(track.channels, track.rate)
    signs = FieldSigns(track.rate) if track.channels >= 4 else None
    order = list(track.positions or range(4))
    stretches = _stretches(track.duration or claims.duration)
    for start, length in stretches:
        for block in _blocks(claims.path, track, start, length, cancel):
            sane = np.abs(block) <= _LARGEST
            levels.not_numbers += int(block.size - np.count_nonzero(sane))
            block = np.where(sane, block, np.float32(0))
            levels.push(block)
            if signs is not None and max(order) < track.channels:
                signs.push(block[order])
    bed = None
    if track.head_locked and track.channels >= 6:
        beds = [channel for channel in range(track.channels) if channel not in order][:2]
        bed = bool(max(levels.peak[channel] for channel in beds) > _SILENT)
    return SoundFindings(
        track=track.number,
        seconds=levels.count / track.rate,
        whole=len(stretches) == 1 and levels.count < _most_blocks(track.rate) * _BLOCK,
        peaks=_decibels(levels.peak),
        levels=_decibels(np.sqrt(levels.power / max(levels.count, 1))),
        clipped=levels.clipped,
        not_numbers=levels.not_numbers,
        low_only=levels.low_only(),
        guess=None if signs is None else signs.guess(),
        bed=bed,
    )


def _stretches(duration: float | None) -> list[tuple[float, float | None]]:
    """Starts and lengths in seconds; all of it where that is short, or of unknown length."""
    if duration is None or duration <= STRETCHES * STRETCH_SECONDS:
        return [(0.0, None)]
    last = duration - STRETCH_SECONDS
    return [(last * k / (STRETCHES - 1), STRETCH_SECONDS) for k in range(STRETCHES)]


def _blocks(
    path: Path, track: SoundClaim, start: float, length: float | None, cancel: Cancel | None
) -> Iterator[NDArray[np.float32]]:
    """Blocks (channels, n) as stored; what cannot be decoded at the end is left out."""
    from omniaudio_studio.media.audio import iter_audio

    source = iter_audio(
        path, None, start, length, _BLOCK, channels=track.channels, number=track.number
    )
    # A file that does not tell its length, or a wrong one, is heard no longer than others are.
    for _, block in zip(range(_most_blocks(track.rate)), source, strict=False):
        if cancel is not None:
            cancel.check()
        if block.shape[0] != track.channels:
            raise MediaError(f"{path}: its sound has {block.shape[0]} channels, not as stated")
        yield block


def _most_blocks(rate: int) -> int:
    return int(STRETCHES * STRETCH_SECONDS * 1.1 * rate) // _BLOCK + 1


class _Levels:
    """Peaks, powers and what is above 200 Hz, block by block."""

    def __init__(self, channels: int, rate: int) -> None:
        self.peak = np.zeros(channels)
        self.power = np.zeros(channels)
        self.count = self.clipped = self.not_numbers = 0
        self._low, self._all = np.zeros(channels), np.zeros(channels)
        self._edge = int(np.ceil(_LOW_EDGE * _FRAME / rate)) + 1
        self._window = np.hanning(_FRAME).astype(np.float32)

    def push(self, block: NDArray[np.float32]) -> None:
        magnitude = np.abs(block)
        self.peak = np.maximum(self.peak, magnitude.max(axis=1, initial=0.0))
        self.power += np.square(block, dtype=np.float64).sum(axis=1)
        self.count += block.shape[1]
        self.clipped += int(np.count_nonzero(magnitude >= _FULL_SCALE))
        whole = block.shape[1] // _FRAME * _FRAME
        frames = block[:, :whole].reshape(len(block), -1, _FRAME) * self._window
        spectrum = np.abs(np.fft.rfft(frames, axis=2)) ** 2
        self._all += spectrum.sum(axis=(1, 2))
        self._low += spectrum[:, :, : self._edge].sum(axis=(1, 2))

    def low_only(self) -> tuple[int, ...]:
        with np.errstate(invalid="ignore"):
            above = np.where(self._all > 0, 1 - self._low / self._all, np.nan)
        low = above < _LOW_SHARE
        if not np.any(above > 100 * _LOW_SHARE):
            return ()
        return tuple(int(channel) + 1 for channel in np.flatnonzero(low))


def _decibels(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(20 * np.log10(max(value, 1e-6))), 2) for value in values)
