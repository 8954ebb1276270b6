"""A clip's frames in order, from any moment on. Blocks: for the decoder's thread only."""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from omniaudio_studio.media.container import Damage, decode_video, nominal_rate
from omniaudio_studio.media.probe import opened_video
from qt_app.picture.clip import ShownClip

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# How far before the wanted moment to aim, one try after another, seconds: indices count by the
# order of decoding, which runs ahead of the order of showing. The last is the start of the file.
_SEEK_MARGINS = (0.0, 0.5, 5.0, 30.0, math.inf)
# Where nothing is known of key frames, so far ahead a seek is worth a try (seconds).
_BLIND_JUMP = 2.0
# From a key frame this much nearer to the wanted moment (seconds) decoding wins over going on.
_WORTH_IT = 0.5
# So near to the wanted moment all frames are decoded: seconds, and at least so many frames.
_NEAR = 0.4
_ALL_FROM = 6
# Frames after which none is missing any more; more than any decoder holds.
_RECENT = 32
_MOST_THREADS = 4
# From a file just opened, moments before this one are reached by decoding (seconds).
_START = 1.0


class VideoReader:
    """An open clip.

    Parameters
    ----------
    clip : ShownClip

    Raises
    ------
    MissingFileError, MediaError
        If it cannot be opened.
    """

    def __init__(self, clip: ShownClip) -> None:
        self.clip = clip
        self._stack = ExitStack()
        self._container, self._stream = self._stack.enter_context(opened_video(clip.path))
        try:
            base = self._stream.time_base
            assert base is not None  # every opened stream has one
            self._base = float(base)
            # As stored times are rounded to the container's clock, that of the first picture too.
            self.slack = min(1.1 * self._base, 0.0011)
            self._step = 1 / float(nominal_rate(self._stream))
            self._use_threads()
            self._keys = self._key_times()
        except BaseException:
            self._stack.close()
            raise
        self.damage = Damage()
        self._pending: VideoFrame | None = None
        self._since_hurry = _RECENT
        self._frames: Iterator[VideoFrame] = self._decoder()
        self.at_start = True  # nothing has been read since the start of the file

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def time(self, frame: VideoFrame) -> float:
        """Seconds from the first picture to this frame."""
        assert frame.pts is not None  # `decode_video` gives one to every frame
        return frame.pts * self._base - self.clip.start_time

    def next(self) -> VideoFrame | None:
        """The next frame; None after the last."""
        self.at_start = False
        self._since_hurry += 1
        if self._pending is not None:
            frame, self._pending = self._pending, None
            return frame
        return next(self._frames, None)

    def seek(self, t: float) -> None:
        """Go to a frame that is shown at ``t`` or before, as near as the file allows."""
        import av.error

        self.hurry(0.0)
        self._since_hurry = _RECENT
        if self.at_start and t < _START:
            return
        for margin in _SEEK_MARGINS:
            target = max(0.0, t - margin) + self.clip.start_time
            try:
                self._container.seek(math.floor(target / self._base), stream=self._stream)
            except av.error.FFmpegError:
                continue
            self._frames = self._decoder()
            self._pending = next(self._frames, None)
            if self._pending is not None and self.time(self._pending) <= t + self.slack:
                self.at_start = False
                return
        self._reopen()

    def worth_seeking(self, now: float, t: float) -> bool:
        """Whether to get from the frame at ``now`` to ``t``, later, a seek beats decoding on."""
        if t - now < _WORTH_IT:
            return False
        if not self._keys:
            return t - now > _BLIND_JUMP
        nearest = bisect_right(self._keys, t) - 1
        return nearest >= 0 and self._keys[nearest] > now + _WORTH_IT

    def hurry(self, distance: float) -> None:
        """Leave out frames that no other needs while the wanted one is this many seconds away."""
        codec = self._stream.codec_context
        if distance > max(_NEAR, _ALL_FROM * self._step):
            self._since_hurry = 0
            if codec.skip_frame != "NONREF":
                codec.skip_frame = "NONREF"
        elif codec.skip_frame != "DEFAULT":
            codec.skip_frame = "DEFAULT"

    @property
    def longest(self) -> float:
        """How long the last frame but one may be shown, seconds.

        Where frames may have been left out the next one says nothing about it; the decoder's
        threads are some frames behind in that.
        """
        return 1.2 * self._step if self._since_hurry < _RECENT else math.inf

    def _decoder(self) -> Iterator[VideoFrame]:
        return decode_video(self._container, self._stream, self.damage)

    def _reopen(self) -> None:
        """To the first frame: opened anew, since some files cannot be sought at all."""
        self._pending = None
        self._stack.close()
        self._container, self._stream = self._stack.enter_context(opened_video(self.clip.path))
        self._use_threads()
        self._frames = self._decoder()
        self.at_start = True

    def _use_threads(self) -> None:
        """A frame comes out only after one for each thread went in, which a seek waits for."""
        self._stream.codec_context.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)

    def _key_times(self) -> list[float]:
        """About where key frames are, ascending; empty where the file has no index."""
        return sorted(
            entry.timestamp * self._base - self.clip.start_time
            for entry in self._stream.index_entries
            if entry.is_keyframe
        )
