"""Pictures by timestamp: one decode pass that serves every view."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MediaError
from omniaudio_studio.media.container import Damage, decode_video
from omniaudio_studio.media.probe import ClipInfo, opened_video
from omniaudio_studio.media.sparing import Needed

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from omniaudio_studio.panorama.views import View, ViewRenderer

# Below this many seconds decoding from the start costs less than a seek that may miss.
_SEEK_FROM = 2.0
# How far before the wanted time to aim, one try after another (seconds); the last is the start.
_SEEK_MARGINS = (0.0, 5.0, 30.0, math.inf)


def sample_times(start: float, duration: float, rate: float) -> np.ndarray:
    """Times of the frames that a range needs.

    Frame k is the one shown at ``start + k / rate``, for k = 0 .. ceil(duration * rate) - 1, and
    there is always at least one.

    Parameters
    ----------
    start, duration : float
        Seconds from the first picture.
    rate : float
        Frames a second.

    Returns
    -------
    float64 array, (frames,)
        Seconds, ascending.
    """
    # The tolerance keeps 40 s * 8 /s from becoming 321 frames by a rounding error.
    count = max(1, math.ceil(duration * rate - 1e-6))
    return start + np.arange(count, dtype=np.float64) / rate


class _Converter:
    """Decoded frame -> uint8 RGB of one eye, shrunk while its colours are converted."""

    def __init__(self, info: ClipInfo, widest: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        self._info = info
        self._reformatter = VideoReformatter()
        eye_width, eye_height = info.eye_size
        factor = max(1, eye_width // widest) if widest else 1
        factor = min(factor, eye_height)
        self.size = (max(1, eye_width // factor), max(1, eye_height // factor))
        whole = list(self.size)
        if info.stereo == "left-right":
            whole[0] *= 2
        if info.stereo == "top-bottom":
            whole[1] *= 2
        self._whole = tuple(whole)

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        width, height = self._whole
        turn = (frame.rotation // 90) % 4
        if turn % 2:
            width, height = height, width
        # Where the file does not say, pictures of high definition are BT.709 by custom.
        space = frame.colorspace
        if space == 2 and min(frame.width, frame.height) >= 720:
            space = 1
        image = self._reformatter.reformat(
            frame, width, height, format="rgb24", interpolation="AREA", src_colorspace=space
        ).to_ndarray()
        if turn:
            image = np.rot90(image, turn)
        return np.ascontiguousarray(self._eye(image), dtype=np.uint8)

    def _eye(self, image: np.ndarray) -> np.ndarray:
        width, height = self.size
        first = self._info.left_eye_first
        if self._info.stereo == "top-bottom":
            return image[:height] if first else image[-height:]
        if self._info.stereo == "left-right":
            return image[:, :width] if first else image[:, -width:]
        return image


def _widest_needed(info: ClipInfo, views: Sequence[View]) -> int | None:
    """Picture width that serves every view; None where the full picture is needed."""
    # The faces of a cube would have to stay whole pixels; others shrink by any factor.
    if info.projection not in ("equirectangular", "dual-fisheye", "flat"):
        return None
    needed = 0.0
    for view in views:
        if view.rule != "pixel-centre":
            return None  # a released map is tied to the pixels it was measured on
        if view.kind == "perspective":
            fov = math.radians(view.fov or 90.0)
            # Pixels per radian at the picture's edge, where a perspective is densest.
            focal = view.width / (2 * math.tan(fov / 2))
            needed = max(needed, 2 * math.pi * focal / math.cos(fov / 2) ** 2)
        else:
            # Twice the size leaves the renderer's own filter the last word.
            needed = max(needed, 2.0 * view.width)
    if info.hfov is not None:
        # As many pixels per radian as that panorama, in the flat picture's coarse middle.
        needed *= math.tan(math.radians(info.hfov) / 2) / math.pi
    return math.ceil(needed)


def iter_views(
    info: ClipInfo,
    times: Sequence[float] | np.ndarray,
    views: Sequence[View],
    *,
    front: float | Sequence[float] | np.ndarray = 0.0,
    cancel: Cancel | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Generator[dict[str, np.ndarray], None, None]:
    """Views of a clip at given times, in one decode pass and flat memory.

    Parameters
    ----------
    info : ClipInfo
    times : (frames,)
        Seconds from the first picture, ascending. Each gives the picture shown then: the last one
        whose presentation time is not after it. The last picture of the file repeats.
    views : sequence of View
    front : float or (frames,)
        Azimuth in radians that the views take for the front, for all times or for each.
    cancel : object with ``check()``, optional
        Called for every decoded picture.
    on_warning : callable, optional
        Called with one line at the end if damaged pictures had to be skipped.

    Yields
    ------
    dict of str to uint8 array (height, width, 3)
        RGB by the view's name. Times that fall on one picture, with one front, share their arrays:
        do not write into them.

    Raises
    ------
    MediaError
        If nothing can be decoded.
    """
    wanted = np.asarray(times, dtype=np.float64)
    fronts = np.broadcast_to(np.asarray(front, dtype=np.float64), wanted.shape)
    yield from _at_times(info, wanted, fronts, _Renderer(info, views), cancel, on_warning)


class _Renderer:
    """Decoded frame -> views, for any front."""

    def __init__(self, info: ClipInfo, views: Sequence[View]) -> None:
        self._info = info
        self._views = views
        self._converter = _Converter(info, _widest_needed(info, views))
        self._front: float | None = None
        self._renderers: dict[str, ViewRenderer] = {}

    def __call__(self, frame: VideoFrame, front: float) -> dict[str, np.ndarray]:
        from omniaudio_studio.panorama.equirect import turned

        image = self._converter(frame)
        if self._info.projection == "equirectangular":
            # Moving its columns is exact, and the views are made as ever.
            if front:
                image = turned(image, front)
            front = 0.0
        if front != self._front:
            self._renderers = {view.name: self._renderer(view, front) for view in self._views}
            self._front = front
        return {name: renderer(image) for name, renderer in self._renderers.items()}

    def _renderer(self, view: View, front: float) -> ViewRenderer:
        from omniaudio_studio.panorama.views import ViewRenderer

        info = self._info
        return ViewRenderer(
            replace(view, yaw=view.yaw + math.degrees(front)) if front else view,
            info.projection,
            self._converter.size,
            hfov=info.hfov,
            camera=info.camera,
            aspect=info.aspect,
        )


def _at_times(
    info: ClipInfo,
    wanted: np.ndarray,
    fronts: np.ndarray,
    render: Callable[[VideoFrame, float], Any],
    cancel: Cancel | None,
    on_warning: Callable[[str], None] | None,
) -> Iterator[Any]:
    if wanted.size == 0:
        return
    damage = Damage()
    with opened_video(info.path) as (container, stream):
        position = 0
        slack = _tolerance(stream)
        held: VideoFrame | None = None
        needed = _needed(info, stream, wanted + slack)
        for frame in _from(info, container, stream, float(wanted[0]), damage, needed):
            if cancel is not None:
                cancel.check()
            result = None
            while (
                held is not None
                and position < wanted.size
                and _time(frame, stream, info) > wanted[position] + slack
            ):
                if result is None or fronts[position] != fronts[position - 1]:
                    result = render(held, float(fronts[position]))
                yield result
                position += 1
            held = frame
            if position == wanted.size:
                break
        if position < wanted.size and held is None:
            raise MediaError(f"{info.path}: no picture can be decoded; copy it again")
        result = None
        while held is not None and position < wanted.size:
            if result is None or fronts[position] != fronts[position - 1]:
                result = render(held, float(fronts[position]))
            yield result
            position += 1
    if damage and on_warning is not None:
        on_warning(f"{info.path}: {damage}")


def _tolerance(stream: VideoStream) -> float:
    """How far after its time a picture may be stored and still be the one meant, in seconds.

    Timestamps are rounded to the container's clock, that of the first picture too: in Matroska,
    which counts milliseconds, a picture due at 0.0417 s may be stored as 0.042.
    """
    assert stream.time_base is not None
    return min(1.1 * float(stream.time_base), 0.0011)


def _time(frame: VideoFrame, stream: VideoStream, info: ClipInfo) -> float:
    assert frame.pts is not None and stream.time_base is not None
    return float(frame.pts * stream.time_base) - info.start_time


def _needed(info: ClipInfo, stream: VideoStream, wanted: np.ndarray) -> Needed:
    assert stream.time_base is not None
    base = float(stream.time_base)

    def needed(begin: int, end: int | None) -> bool:
        first = int(np.searchsorted(wanted, begin * base - info.start_time))
        until = math.inf if end is None else end * base - info.start_time
        return first < wanted.size and bool(wanted[first] < until)

    return needed


def _from(
    info: ClipInfo,
    container: InputContainer,
    stream: VideoStream,
    time: float,
    damage: Damage,
    needed: Needed,
) -> Iterator[VideoFrame]:
    """Decoded frames from the one shown at ``time`` or a little before."""
    import av.error

    if time < _SEEK_FROM:
        yield from decode_video(container, stream, damage, needed)
        return
    assert stream.time_base is not None
    for margin in _SEEK_MARGINS:
        target = max(0.0, time - margin) + info.start_time
        try:
            container.seek(math.floor(target / stream.time_base), stream=stream)
        except av.error.FFmpegError:
            continue
        frames = decode_video(container, stream, damage, needed)
        first = next(frames, None)
        if first is not None and _time(first, stream, info) <= time + _tolerance(stream):
            yield first
            yield from frames
            return
    with opened_video(info.path) as (again, other):
        yield from decode_video(again, other, damage, needed)


def read_frame(info: ClipInfo, time: float) -> np.ndarray:
    """The picture shown ``time`` seconds after the first one, full size, one eye.

    Returns
    -------
    uint8 array (height, width, 3)
        RGB.
    """
    converter = _Converter(info, None)

    def render(frame: VideoFrame, front: float) -> np.ndarray:
        return converter(frame)

    return next(_at_times(info, np.array([time]), np.zeros(1), render, None, None))
