"""The clip with its sound field drawn over the picture, and the field folded down as its sound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.measure import checked_blocks
from omniaudio_studio.delivery.painting import EnergyPainter
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.files import written_whole
from omniaudio_studio.foa.covariance import FrameCovariances
from omniaudio_studio.foa.encoding import stereo_fold_down
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.blocks import resampled

if TYPE_CHECKING:
    from omniaudio_studio.foa.convention import Foa
    from omniaudio_studio.media.probe import ClipInfo

# Each picture shows the energy of the 1/10 s around it.
_WINDOW = 0.1
# Level, dB below the loud parts of the field, at which painting begins and is strongest.
_GATE, _OPEN = -36.0, -9.0
# The same in dBFS: hiss alone is not worth a picture.
_FLOOR, _AUDIBLE = -80.0, -60.0
_AAC_RATES = (32000, 44100, 48000)
# Most of the time goes into H.264: a third less of it than "veryfast", for files half as large
# again.
_PRESET = "superfast"


@dataclass(frozen=True)
class OverlayProgress:
    """How far an overlay is; the same fields as a generation's reports."""

    stage: str
    done: float
    """Seconds of picture written."""
    total: float
    """Seconds in all."""
    eta: float | None
    """Seconds of work left, None while unknown."""


def write_overlay(
    info: ClipInfo,
    foa_path: str | Path,
    output: str | Path,
    *,
    start: float = 0.0,
    duration: float | None = None,
    yaw: float = 0.0,
    convention: str = "auto",
    max_width: int = 1920,
    crf: int = 23,
    tags: dict[str, str] | None = None,
    overwrite: bool = False,
    progress: Callable[[Any], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Write the clip as an equirectangular 360 MP4 with the field's energy over it.

    The sound is the field folded down to stereo (`foa.encoding.stereo_fold_down`). The picture
    keeps its frame rate, size (up to ``max_width``) and pose; memory stays flat. A flat clip lies
    on the sphere where its camera looked, black around: what sounds beside the picture shows too.

    Parameters
    ----------
    info : ClipInfo
        The clip, as probed; any projection that can be looked at.
    foa_path : str or Path
        The field; its first sample is at ``start`` of the clip.
    output : str or Path
        An MP4; it appears whole or not at all.
    start : float
        Seconds into the clip.
    duration : float, optional
        Seconds; by default as long as both clip and field last.
    yaw : float
        Radians. What was at this azimuth of the clip is the front of ``foa_path`` (a sound-only
        delivery's yaw): the field is turned back, since the picture is not turned.
    convention : str
        Of ``foa_path``, as for `media.audio.FoaReader`.
    max_width : int
        Wider pictures are shrunk to this, in pixels.
    crf : int
        x264's quality, 0 to 51, less is better.
    tags : dict, optional
        For the container.
    overwrite : bool
    progress : callable, optional
        Called with an `OverlayProgress` some times a second and at the end.
    cancel : object with ``check()``, optional
        Called for every picture.

    Raises
    ------
    MediaError
        If the clip isn't a 360 clip or one of the files can't be read.
    OptionError
        If the range is not within the clip.
    OutputError, OutputExistsError
        If the output can't be written.
    """
    from omniaudio_studio.media.audio import FoaReader
    from omniaudio_studio.media.frames import iter_views, sample_times
    from omniaudio_studio.media.marking import mark_in_place
    from omniaudio_studio.media.probe import require_360
    from omniaudio_studio.media.spherical import spherical_boxes
    from omniaudio_studio.media.video import VideoWriter, exact_rate
    from omniaudio_studio.panorama.views import View

    require_360(info)
    width, height = _picture_size(info, max_width)
    fps = exact_rate(info.fps)
    with written_whole(Path(output), overwrite=overwrite) as temporary:
        with FoaReader(foa_path, convention) as reader:
            field = _turned(checked_blocks(reader, cancel), yaw)
            covariances, seconds = _covariances(field, reader.rate, float(fps))
        length = _length(info, start, duration, seconds)
        view = View("picture", "equirect", width, height)
        times = sample_times(start, length, float(fps))
        views = iter_views(info, times, [view], cancel=cancel)
        painter = EnergyPainter(width, height)
        moments = _Moments(covariances, float(fps))
        report = _Report(progress, length)
        with FoaReader(foa_path, convention) as reader:
            sound = _Sound(_turned(checked_blocks(reader, cancel), yaw), reader.rate)
            samples = round(length * sound.rate)
            with VideoWriter(
                temporary,
                width,
                height,
                fps,
                spherical=False,  # marked below, with the clip's pose
                audio_rate=sound.rate,
                crf=crf,
                preset=_PRESET,
                tags=tags,
            ) as writer:
                for index, found in enumerate(views):
                    if cancel is not None:
                        cancel.check()
                    writer.write_frame(painter.paint(found[view.name], *moments.at(index)))
                    until = min(round((index + 1) / fps * sound.rate), samples)
                    writer.write_audio(sound.take(until - writer.samples))
                    report.advance(min((index + 1) / float(fps), length))
        mark_in_place(temporary, spherical_boxes(yaw=info.yaw, pitch=info.pitch, roll=info.roll))


class _Report:
    """Tells how far the work is: at once, then at most ten times a second, and at the end."""

    def __init__(self, receiver: Callable[[Any], None] | None, total: float) -> None:
        self._receiver = receiver
        self._total = total
        self._begun = time.monotonic()
        self._last = -math.inf

    def advance(self, done: float) -> None:
        now = time.monotonic()
        if self._receiver is None or (now - self._last < 0.1 and done < self._total):
            return
        self._last = now
        left = (now - self._begun) * (self._total - done) / done if done > 0 else None
        self._receiver(OverlayProgress("overlay", done, self._total, left))


def _turned(blocks: Iterator[Foa], yaw: float) -> Iterator[Foa]:
    return (rotate_yaw(block, yaw) for block in blocks) if yaw else blocks


def _covariances(blocks: Iterator[Foa], rate: int, fps: float) -> tuple[NDArray[np.float64], float]:
    """The field's covariance for every picture (pictures, 4, 4), and its length in seconds."""
    frames = FrameCovariances(rate, 1 / fps)
    parts = [frames.push(block) for block in blocks]
    parts.append(frames.finish())
    return np.concatenate(parts), frames.samples / rate


def _length(info: ClipInfo, start: float, duration: float | None, field: float) -> float:
    if not (math.isfinite(start) and 0 <= start < info.duration):
        raise OptionError(
            f"start {start:g} s is not within {info.path}, which lasts {info.duration:.3f} s"
        )
    rest = info.duration - start
    if duration is None:
        if field <= 0:
            raise MediaError("the sound field holds no samples; generate it again")
        return min(rest, field)
    if not (math.isfinite(duration) and 0 < duration <= rest + 1e-3):
        raise OptionError(
            f"a range of {duration:g} s from {start:g} s ends after {info.path}, which lasts "
            f"{info.duration:.3f} s"
        )
    return min(duration, rest)


def _picture_size(info: ClipInfo, max_width: int) -> tuple[int, int]:
    """Width and height of the overlay: even, as H.264 needs."""
    width, height = info.eye_size
    if info.hfov is not None:
        # The panorama around it, with as many pixels per radian as in the picture's middle.
        width = round(width * math.pi / math.tan(math.radians(info.hfov) / 2))
    if info.projection != "equirectangular":
        height = width // 2
    shrink = min(1.0, max_width / width)
    return _even(width * shrink), _even(height * shrink)


def _even(pixels: float) -> int:
    return max(2, 2 * round(pixels / 2))


class _Moments:
    """Covariance around every picture, and how strongly to paint it.

    Painting fades with the level, so that silence shows nothing and echoes don't flicker: between
    9 and 36 dB below the field's loud parts (the 95th percentile of the pictures), and below
    -60 dBFS in any case.
    """

    def __init__(self, covariances: NDArray[np.float64], fps: float) -> None:
        self._covariances = covariances
        self._reach = round(_WINDOW * fps / 2 - 0.5 + 1e-9)
        levels = _level(covariances)
        self._loud = float(np.percentile(levels, 95)) if len(levels) else 0.0

    def at(self, index: int) -> tuple[NDArray[np.float64], float]:
        """The covariance around picture ``index`` and the strength of its paint, 0 to 1."""
        first = max(0, index - self._reach)
        around = self._covariances[first : index + self._reach + 1]
        if not len(around):
            return np.zeros((4, 4)), 0.0
        mean = around.mean(axis=0)
        level = float(_level(mean))
        relative = _smooth((level - self._loud - _GATE) / (_OPEN - _GATE))
        return mean, relative * _smooth((level - _FLOOR) / (_AUDIBLE - _FLOOR))


def _level(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    """dBFS of the energy (the mean square of W for a plane wave)."""
    energy = np.trace(covariances, axis1=-2, axis2=-1) / 2
    return 10 * np.log10(np.maximum(energy, 1e-20))


def _smooth(part: float) -> float:
    part = min(max(part, 0.0), 1.0)
    return part * part * (3 - 2 * part)


class _Sound:
    """The field as stereo, taken in pieces of any size; silence after its end."""

    def __init__(self, blocks: Iterator[Foa], rate: int) -> None:
        stereo = (stereo_fold_down(block) for block in blocks)
        # AAC players know these rates; other fields are resampled to the project's own.
        self.rate = rate if rate in _AAC_RATES else 48000
        self._blocks = stereo if self.rate == rate else resampled(stereo, rate, self.rate, 2)
        self._waiting = np.zeros((2, 0), np.float32)

    def take(self, count: int) -> NDArray[np.float32]:
        """The next ``count`` samples, float32 (2, count)."""
        parts = [self._waiting]
        held = self._waiting.shape[1]
        while held < count:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros((2, count - held), np.float32)
            parts.append(block)
            held += block.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._waiting = joined[:, count:]
        return joined[:, :count]
