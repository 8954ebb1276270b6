"""An earlier take, brought back to what the model made, at its own level: unmixed, turned back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from omniaudio_studio.errors import MediaError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.mixing import Block, Recording
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.treatment import Treatment, treatment_of

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo


class EarlierTake:
    """A take of a request's range, to read from at any place.

    Parameters
    ----------
    request
        With its ``base_take``.
    info
        The clip.
    samples
        Length that the take has to have, at the request's rate.
    treatment
        What was done to it; read from its sidecar if None.

    Raises
    ------
    MediaError
        If it cannot be read, or is another length, rate or kind.
    """

    def __init__(
        self,
        request: GenerateRequest,
        info: ClipInfo,
        samples: int,
        treatment: Treatment | None = None,
    ) -> None:
        import soundfile

        assert request.base_take is not None
        self.path, self.rate, self.samples = request.base_take, request.rate, samples
        self.treatment = treatment or treatment_of(self.path, request)
        self._start, self._info = request.start, info
        try:
            found = soundfile.info(str(self.path))
        except (soundfile.SoundFileError, OSError) as error:
            raise MediaError(f"{self.path} cannot be read as an earlier take: {error}") from error
        if (found.channels, found.samplerate, found.frames) != (4, self.rate, samples):
            raise MediaError(
                f"{self.path} is not a take of this range: expected 4 channels and {samples} "
                f"samples at {self.rate} Hz, found {found.channels} and {found.frames} at "
                f"{found.samplerate}"
            )

    @property
    def obstacle(self) -> str | None:
        """Why what was done to it cannot be undone; None where it can."""
        field = self.treatment.field
        if self.treatment.mix and field is None and self._info.audio is None:
            return "the camera's sound that was mixed into it is not in the clip"
        if self.treatment.mix and field is not None:
            if not field.path.is_file():
                return f"{field.path}, which was mixed into it, is gone"
            if field.sha256 is not None and file_sha256(field.path) != field.sha256:
                return f"{field.path}, which was mixed into it, has changed since"
        if not self.treatment.gain > 0:
            return "it was made silent"
        return None

    def as_made(self, origin: int, first: int, count: int, rate: int) -> Block:
        """A piece of it as the model made it, in the model's frame and at its level.

        Parameters
        ----------
        origin
            Sample of the take from which ``first`` counts.
        first, count
            The piece, in samples at ``rate``; beyond the take's ends is silence.
        rate
            The model's sample rate, hertz.

        Returns
        -------
        ndarray
            float32 (4, count).
        """
        if rate == self.rate:
            block = self._unmixed(origin + first, count)
        else:
            import soxr

            # Whole seconds are whole samples at both rates; one more for the resampler.
            begin, end = first // rate - 1, -(-(first + count) // rate) + 1
            wide = self._unmixed(origin + begin * self.rate, (end - begin) * self.rate)
            skip = first - begin * rate
            block = soxr.resample(wide.T, self.rate, rate).T[:, skip : skip + count]
        # The same as in the take's making, in the opposite order.
        return rotate_yaw(block, math.radians(self.treatment.yaw))

    def _unmixed(self, first: int, count: int) -> Block:
        """Samples ``first`` to ``first + count`` without gain, bed and ducking; silence outside."""
        import soundfile

        sound = np.zeros((4, count), np.float32)
        begin, end = max(0, first), min(self.samples, first + count)
        if begin >= end:
            return sound
        with soundfile.SoundFile(self.path) as file:
            file.seek(begin)
            part = file.read(end - begin, dtype="float32", always_2d=True).T
        part = part / np.float32(self.treatment.gain)
        mixed = Recording(self._info, self.rate, self._start, self.samples, self.treatment)
        bed, gains = mixed.bed(begin, end - begin), mixed.gains(begin)
        if bed is not None:
            camera = bed.read(end - begin)
            part[: len(camera)] -= camera
        if gains is not None:
            part /= gains.read(end - begin)
        sound[:, begin - first : end - first] = part
        return sound
