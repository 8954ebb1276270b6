"""Video files out: H.264 in MP4, AAC sound, spherical metadata."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from omniaudio_studio.errors import OptionError, OutputError
from omniaudio_studio.files import reason
from omniaudio_studio.media.marking import mark_in_place
from omniaudio_studio.media.spherical import spherical_boxes

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# The video's clock ticks a whole number of times per picture, and at least this often a second, so
# that pictures with times of their own are well placed too.
_CLOCK = 10_000
# The layouts whose AAC channel order survives (a "quad" plays left and right alike).
_LAYOUTS = {1: "mono", 2: "stereo", 4: "4.0"}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


def exact_rate(fps: float | Fraction) -> Fraction:
    """A frame rate as a fraction: 23.976, 29.97, 59.94 and their like become N * 1000 / 1001.

    Raises
    ------
    OptionError
        If it is not a positive number.
    """
    if not 0 < fps < 1e6:
        raise OptionError(f"frame rate {fps}: expected a positive number")
    if isinstance(fps, Fraction):
        return fps
    broadcast = Fraction(round(fps * 1.001)) / Fraction(1001, 1000)
    if abs(float(broadcast) - fps) < 2e-3 and abs(round(fps) - fps) > 1e-3:
        return broadcast
    return Fraction(fps).limit_denominator(1001)


class VideoWriter:
    """Write pictures and, if wanted, sound as an MP4.

    Parameters
    ----------
    path : str or Path
        Written to directly; wrap it in `files.written_whole` to have it appear whole.
    width, height : int
        Pixels; both even, as H.264 with 4:2:0 colour needs.
    fps : float or Fraction
        Pictures a second.
    spherical : bool
        Mark the file as equirectangular mono 360 video.
    audio_rate : int, optional
        Samples a second of the sound; None writes no sound.
    audio_channels : {1, 2, 4}
        Four channels are written as ambisonics (AmbiX, with ``SA3D``).
    crf : int
        Quality, 0 (lossless) to 51; 18 looks like the original.
    preset : str
        x264's trade of time for size.
    tags : dict, optional
        For the container, as its comment.

    Notes
    -----
    Hand in sound and pictures side by side: the file interleaves them, and what runs ahead waits
    in memory.

    Raises
    ------
    OptionError
        If a size, rate or number of channels cannot be written.
    OutputError
        If the system refuses to write.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: float | Fraction,
        *,
        spherical: bool = True,
        audio_rate: int | None = None,
        audio_channels: int = 2,
        crf: int = 23,
        preset: str = "veryfast",
        tags: dict[str, str] | None = None,
    ) -> None:
        import av
        import av.error

        if width < 2 or height < 2 or width % 2 or height % 2:
            raise OptionError(
                f"video size {width} x {height}: H.264 needs even numbers of 2 or more"
            )
        if audio_rate is not None and audio_rate not in _AAC_RATES:
            raise OptionError(f"{audio_rate} Hz: AAC takes {', '.join(map(str, _AAC_RATES))}")
        if audio_rate is not None and audio_channels not in _LAYOUTS:
            raise OptionError(f"{audio_channels} channels: expected 1, 2 or 4")
        self.path = Path(path)
        self.width, self.height = width, height
        self.rate = exact_rate(fps)
        self._clock = self.rate.numerator * math.ceil(_CLOCK / self.rate.numerator)
        self.frames = 0
        self.samples = 0
        self._spherical = spherical
        self._channels = audio_channels
        self._container: OutputContainer | None = None
        self._sound: AudioStream | None = None
        try:
            self._container = av.open(f"file:{self.path}", "w", format="mp4")
            self._container.metadata.update(tags or {})
            self._picture = self._add_picture(crf, preset)
            if audio_rate is not None:
                self._sound = self._add_sound(audio_rate)
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            raise self._refused(error) from error

    def _add_picture(self, crf: int, preset: str) -> VideoStream:
        assert self._container is not None
        stream = self._container.add_stream(
            "libx264", self.rate, options={"crf": str(crf), "preset": preset}
        )
        stream.width, stream.height = self.width, self.height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, self._clock)
        # Players take small pictures for BT.601 when the file does not say.
        stream.codec_context.colorspace = 1
        stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = 1
        stream.codec_context.color_range = 1
        return stream

    def _add_sound(self, rate: int) -> AudioStream:
        assert self._container is not None
        options = {"aac_coder": "fast"} if self._channels == 4 else {}
        stream = self._container.add_stream("aac", rate, options=options)
        stream.layout = _LAYOUTS[self._channels]
        stream.bit_rate = 512_000 if self._channels == 4 else 96_000 * self._channels
        if self._channels == 4:
            stream.metadata["SA3D"] = "ambisonic 1"
        return stream

    def write_frame(self, image: np.ndarray, time: float | None = None) -> None:
        """Append one picture.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.
        time : float, optional
            When it appears, seconds, later than the one before; by default frame number / fps.
        """
        import av
        from av.video.reformatter import Colorspace

        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 ({self.height}, {self.width}, 3), got {image.dtype} {image.shape}"
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.time_base = Fraction(1, self._clock)
        due = Fraction(self.frames) / self.rate if time is None else Fraction(time)
        frame.pts = round(due * self._clock)
        self.frames += 1
        self._encode(self._picture, frame)

    def write_audio(self, block: np.ndarray) -> None:
        """Append sound, float (channels, n), full scale at 1; what is beyond is limited there."""
        import av

        if self._sound is None:
            raise ValueError("this video was opened without sound")
        block = np.asarray(block, dtype=np.float32)
        if block.ndim != 2 or block.shape[0] != self._channels:
            raise ValueError(f"expected ({self._channels}, n) samples, got shape {block.shape}")
        if block.shape[1] == 0:
            return
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.clip(block, -1, 1)),
            format="fltp",
            layout=_LAYOUTS[self._channels],
        )
        frame.sample_rate = self._sound.rate
        frame.time_base = Fraction(1, self._sound.rate)
        frame.pts = self.samples
        self.samples += block.shape[1]
        self._encode(self._sound, frame)

    def _encode(self, stream: VideoStream | AudioStream, frame: object) -> None:
        import av.error

        if self._container is None:
            raise OutputError(f"{self.path} is closed already")
        try:
            made: list[Packet] = stream.encode(frame)  # type: ignore[arg-type]
            self._container.mux(made)
        except (av.error.FFmpegError, OSError) as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Finish the file. Safe to call twice."""
        import av.error

        if self._container is None:
            return
        try:
            self._encode(self._picture, None)
            if self._sound is not None:
                self._encode(self._sound, None)
            self._container.close()
            self._container = None
            if self._spherical:
                mark_in_place(self.path, spherical_boxes())
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            if isinstance(error, OutputError):
                raise
            raise self._refused(error) from error

    def _abandon(self) -> None:
        """Close without another complaint: the first error is the one to report."""
        import av.error

        if self._container is not None:
            # A full disk refuses the index again.
            with suppress(av.error.FFmpegError, OSError):
                self._container.close()
            self._container = None

    def _refused(self, error: Exception) -> OutputError:
        said = reason(error) if isinstance(error, OSError) else str(error)
        return OutputError(f"cannot write {self.path}: {said}")

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()
