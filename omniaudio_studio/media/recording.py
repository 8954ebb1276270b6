"""One recording, mono or stereo, along a clip's time line: its middle, and its sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.audio import iter_audio
from omniaudio_studio.media.blocks import silence, without
from omniaudio_studio.media.probe import AudioInfo, ClipInfo, probe_sound

Mono = NDArray[np.float32]

BLOCK = 1 << 16  # samples
SILENCE = 1e-5
"""A recording that never passes -100 dB relative to full scale is silent."""

# Seconds by which a recording may be shorter or longer than its clip before it is told: codecs pad
# their last packet.
_TOLD = 0.1
# Channels of full ambisonic fields, first to third order.
_FIELDS = (4, 9, 16)


@dataclass(frozen=True)
class Recording:
    """A recording that can be placed.

    Attributes
    ----------
    source : ClipInfo or Path
        The clip, for its own sound, or another file, whose sample 0 is at the clip's first frame.
    sound : AudioInfo
    """

    source: ClipInfo | Path
    sound: AudioInfo

    @property
    def path(self) -> Path:
        """The file that is read."""
        return self.source.path if isinstance(self.source, ClipInfo) else self.source

    @property
    def is_stereo(self) -> bool:
        """Whether its sides can be told apart."""
        return self.sound.channels == 2


def open_recording(info: ClipInfo, audio: Path | None = None) -> Recording:
    """The clip's own sound, or that of another file.

    Raises
    ------
    MissingFileError, MediaError
        If there is none, it cannot be read, or it is a sound field already.
    """
    if audio is not None:
        recording = Recording(audio, probe_sound(audio))
    elif info.audio is not None:
        recording = Recording(info, info.audio)
    else:
        raise MediaError(
            f"{info.path} has no sound of its own to place; use omniaudio generate, or give --audio"
        )
    sound = recording.sound
    # WAV files do not say that they are ambisonics, only that no loudspeakers are meant.
    unnamed = sound.channels in _FIELDS and sound.layout == f"{sound.channels} channels"
    if sound.ambisonic or unnamed:
        may = "is" if sound.ambisonic else "looks like"
        raise MediaError(
            f"the sound of {recording.path} {may} a sound field already ({sound.channels} channels "
            "of ambisonics); give a mono or stereo recording"
        )
    return recording


class RecordingPart:
    """Samples ``first`` to ``first + samples`` of a recording, counted from the clip's first frame.

    At the recording's own rate they are its decoded samples, unchanged.

    Parameters
    ----------
    recording : Recording
    rate : int
        Samples per second wanted; other rates than the recording's are resampled.
    first, samples : int
    cancel : object with ``check()``, optional
        Called for every block.

    Attributes
    ----------
    missing, surplus : int
        Samples that the recording was too short, and that are left of it after the part; known
        once all blocks were given.
    """

    def __init__(
        self,
        recording: Recording,
        rate: int,
        first: int,
        samples: int,
        cancel: Cancel | None = None,
    ) -> None:
        self.recording, self.rate, self.first, self.samples = recording, rate, first, samples
        self.missing = self.surplus = 0
        self._cancel = cancel

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[Mono, Mono | None]]:
        """Mean of the channels, and half the difference of left and right (None unless stereo).

        Both float32 (n,), n at most ``size``.

        Raises
        ------
        MediaError
            If the recording holds values that are no numbers.
        """
        given = 0
        for block in self._read(size):
            kept = block[:, : self.samples - given]
            self.surplus += block.shape[1] - kept.shape[1]
            if kept.shape[1]:
                self._check(kept, given)
                given += kept.shape[1]
                yield middle_and_side(kept)
        self.missing = self.samples - given
        for block in silence(self.recording.sound.channels, self.missing):
            yield middle_and_side(block)

    def check_heard(self) -> None:
        """Read up to the first sound.

        Raises
        ------
        MediaError
            If all of the part is silent.
        """
        read = 0
        for block in self._read(BLOCK):
            if np.abs(block[:, : self.samples - read]).max(initial=0.0) > SILENCE:
                return
            read += block.shape[1]
            if read >= self.samples:
                break
        begin, end = self.first / self.rate, (self.first + self.samples) / self.rate
        raise MediaError(
            f"the recording {self.recording.path} is silent from {begin:g} s to {end:g} s: there "
            "is nothing to place"
        )

    def compared(self, whole: bool) -> list[str]:
        """What is to be told of a recording that is longer or shorter than the part.

        Parameters
        ----------
        whole : bool
            Whether the part reaches to the clip's end: else it may well go on.
        """
        path = self.recording.path
        if self.missing > _TOLD * self.rate:
            end = "clip" if whole else "range"
            return [
                f"the recording {path} ends {self.missing / self.rate:.2f} s before the {end}; "
                "silence follows it"
            ]
        if whole and self.surplus > _TOLD * self.rate:
            return [
                f"the recording {path} is {self.surplus / self.rate:.2f} s longer than the clip; "
                "its end is left out"
            ]
        return []

    def _read(self, size: int) -> Iterator[NDArray[np.float32]]:
        # From a whole second on, so that resampling gives what it gives from the beginning.
        second, rest = divmod(self.first, self.rate)
        source = iter_audio(self.recording.source, self.rate, float(second), block=size)
        for block in without(source, rest):
            if self._cancel is not None:
                self._cancel.check()
            yield block

    def _check(self, block: NDArray[np.float32], given: int) -> None:
        if not np.isfinite(block).all():
            raise MediaError(
                f"the recording {self.recording.path} holds NaN or infinite values after "
                f"{(self.first + given) / self.rate:.3f} s; export it again"
            )


def middle_and_side(block: NDArray[np.float32]) -> tuple[Mono, Mono | None]:
    """Mean of the channels (channels, n), and (L - R) / 2 where there are two; float32 (n,)."""
    if block.shape[0] == 1:
        return block[0], None
    if block.shape[0] == 2:
        left, right = block
        return (left + right) * np.float32(0.5), (left - right) * np.float32(0.5)
    return block.mean(axis=0), None
