"""One function for each deliverable: what it is made of, and what writes it.

A new deliverable is a row in `jobs.deliverables`, and a function here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import PlacedSource

if TYPE_CHECKING:
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.delivery.video_file import VideoResult
    from omniaudio_studio.foa.binaural_track import HeadTrack
    from omniaudio_studio.media.probe import ClipInfo

Report = Callable[[Any], None]


@dataclass(frozen=True)
class Made:
    """What is to be told of a deliverable.

    ``warnings`` are for people; ``checks`` is how it stands to each rule of where it goes, for the
    sidecar.
    """

    warnings: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """What a deliverable is made of.

    Parameters
    ----------
    source
        The field, its clip and how they lie in each other.
    seconds
        Length of the field.
    head
        Where the head looks, as `foa.binaural.TrackRenderer` takes it; to the front where None.
    head_locked
        Stereo that does not turn with the head, for "youtube".
    sources, start
        Placed sounds that are in the field, and when on their time line it begins, seconds.
    report
        Called with reports whose ``stage`` is the deliverable's name.
    """

    source: DeliverySource
    seconds: float
    head: HeadTrack | None = None
    head_locked: Path | None = None
    sources: tuple[PlacedSource, ...] = ()
    start: float = 0.0
    report: Report | None = None
    cancel: CancelToken | None = None

    @property
    def clip(self) -> ClipInfo:
        """The clip, which was asked for where it is needed."""
        if self.source.clip is None:
            raise OptionError("there is no clip to show; give one")
        return self.source.clip

    @property
    def origin(self) -> str | None:
        """Where the sound comes from, in a sentence; None where that is not to be told."""
        provenance = self.source.provenance
        return None if provenance is None else provenance.sentence()

    def fraction(self, stage: str) -> Callable[[float], None] | None:
        """Takes shares from 0 to 1 and reports them as seconds of sound; None for nobody."""
        report = self.report
        if report is None:
            return None
        begun = time.monotonic()

        def heard(share: float) -> None:
            spent = time.monotonic() - begun
            left = spent * (1 - share) / share if share > 0 else None
            report(Progress(stage, share * self.seconds, self.seconds, left))

        return heard


def place_of(name: str, places: Sequence[Path], order: Order) -> Path:
    """Which of several places the clip's codec decides for."""
    from omniaudio_studio.delivery.webm import webm_ending
    from omniaudio_studio.delivery.youtube import youtube_ending

    ending = {"webm": webm_ending, "youtube": youtube_ending}[name](order.clip)
    return next(place for place in places if place.suffix == ending)


# -- one function for each deliverable -------------------------------------------------------------


def _fuma(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.fuma import write_fuma

    result = write_fuma(order.source, path, progress=order.fraction("fuma"), cancel=order.cancel)
    return Made(tuple(result.warnings()))


def _adm(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.adm import write_adm

    result = write_adm(order.source, path, progress=order.fraction("adm"), cancel=order.cancel)
    return Made(tuple(result.warnings()))


def _copied(write: Callable[..., VideoResult], name: str, order: Order, path: Path) -> Made:
    """A video file, the clip's pictures copied."""
    result = write(order.source, path, progress=order.fraction(name), cancel=order.cancel)
    return Made(result.notes)


def _mov(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.mov import write_mov

    return _copied(write_mov, "mov", order, path)


def _mp4(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.mp4 import write_mp4

    return _copied(write_mp4, "mp4", order, path)


def _webm(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.webm import write_webm

    return _copied(write_webm, "webm", order, path)


def _mkv(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.mkv import write_mkv

    return _copied(write_mkv, "mkv", order, path)


def _youtube(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.youtube import write_youtube

    result = write_youtube(
        order.source,
        path,
        head_locked=order.head_locked,
        progress=order.fraction("youtube"),
        cancel=order.cancel,
    )
    missed = tuple(str(finding) for finding in result.findings if not finding.met)
    return Made(result.video.notes + missed, tuple(map(str, result.findings)))


def _binaural(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.binaural import render_reader
    from omniaudio_studio.foa.binaural import default_filters
    from omniaudio_studio.media.audio import FoaReader

    source = order.source
    with FoaReader(source.field, source.convention) as reader:
        filters = default_filters(reader.rate)
        render_reader(
            reader,
            path,
            filters,
            order.head,
            origin=order.origin,
            progress=order.report,
            cancel=order.cancel,
        )
    return Made()


def _binaural_video(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.binaural_video import write_binaural_video

    result = write_binaural_video(
        order.source,
        path,
        track=_track_in_clip(order),
        progress=order.fraction("binaural-video"),
        cancel=order.cancel,
    )
    return Made(result.notes)


def _track_in_clip(order: Order) -> HeadTrack | None:
    """The head track on the clip's time line and in the axes of its picture."""
    if order.head is None:
        return None
    import numpy as np

    times, yaw, pitch, roll = order.head
    source = order.source
    return (
        np.asarray(times, float) + source.clip_start,
        np.asarray(yaw, float) + math.radians(source.yaw),
        pitch,
        roll,
    )


def _reaper(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.reaper import write_reaper

    write_reaper(
        order.source,
        path,
        home=final,
        progress=order.fraction("reaper"),
        cancel=order.cancel,
    )
    return Made()


def _stems(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.stems import write_stems

    write_stems(
        order.source,
        path,
        sources=order.sources,
        start=order.start,
        progress=order.fraction("stems"),
        cancel=order.cancel,
    )
    return Made()


def _overlay(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.overlay import write_overlay

    source = order.source
    # The picture keeps its own front, and the sound is turned back.
    write_overlay(
        order.clip,
        source.field,
        path,
        start=source.clip_start,
        yaw=math.radians(source.yaw),
        convention=source.convention,
        tags=None if source.provenance is None else source.provenance.tags(),
        progress=order.report,
        cancel=order.cancel,
    )
    return Made()


def _plot(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.measure import measure
    from omniaudio_studio.delivery.plots import plot_measurement

    source = order.source
    measured = measure(source.field, source.convention, cancel=order.cancel)
    plot_measurement(measured, path, origin=order.origin)
    return Made()


WRITERS: Mapping[str, Callable[[Order, Path, Path], Made]] = {
    "fuma": _fuma,
    "mov": _mov,
    "mp4": _mp4,
    "webm": _webm,
    "mkv": _mkv,
    "youtube": _youtube,
    "binaural": _binaural,
    "binaural-video": _binaural_video,
    "adm": _adm,
    "reaper": _reaper,
    "overlay": _overlay,
    "plot": _plot,
    "stems": _stems,
}
"""By deliverable: takes what it is made of, where to write, and where that will lie in the end."""
