"""What is made of a sound field that was just written, beside it: one walk over what is wanted.

What each deliverable is called lies in `jobs.deliverables`; here is the function that writes it.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import (
    Cancelled,
    MissingDependencyError,
    OmniAudioError,
    OptionError,
)
from omniaudio_studio.files import file_sha256, reason
from omniaudio_studio.jobs.deliver_request import PlacedSource
from omniaudio_studio.jobs.outputs import TakeFiles
from omniaudio_studio.jobs.staging import Staging

if TYPE_CHECKING:
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.foa.binaural_track import HeadTrack
    from omniaudio_studio.media.probe import ClipInfo

Report = Callable[[Any], None]


def check_companions(deliverables: Collection[str]) -> None:
    """Refuse, before any work is done, what this Python has no library for.

    Raises
    ------
    MissingDependencyError
        If a plot is wanted and there is no Matplotlib: the Blender extension comes without it.
    """
    if "plot" in deliverables and find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "plots need Matplotlib, which this Python does not have; leave the plot out, or use an "
            "environment that has all of OmniAudio Studio"
        )


@dataclass(frozen=True)
class Companions:
    """What was made beside a WAV.

    Parameters
    ----------
    files
        Where each deliverable lies in the end.
    entries
        The same for the sidecar: deliverable, name and SHA-256 of each file.
    problems
        A line for each deliverable that could not be made.
    warnings
        What is to be told of those that were.
    """

    files: Mapping[str, Path]
    entries: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


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


def write_companions(files: TakeFiles, staging: Staging, order: Order) -> Companions:
    """Make everything that is wanted beside a WAV, in a staging folder.

    What cannot be made is told of, and the rest is made: a WAV that took long to generate is not
    lost to a full disk or a picture that fits no container.

    Raises
    ------
    Cancelled
        At once.
    """
    made: dict[str, Path] = {}
    problems: list[str] = []
    told: dict[str, Made] = {}
    for name, places in files.beside.items():
        try:
            _check(order.cancel)
            final = places[0] if len(places) == 1 else _place(name, places, order)
            told[name] = WRITERS[name](order, staging.path(final), final)
            made[name] = final
        except Cancelled:
            raise
        except (OmniAudioError, OSError) as error:
            said = staging.told(error) if isinstance(error, OmniAudioError) else reason(error)
            problems.append(f"{name} was not written: {said}")
            for place in places:
                _remove(staging.path(place))
    return Companions(
        files=made,
        entries=tuple(
            {
                "deliverable": name,
                "name": part.relative_to(staging.folder).as_posix(),
                "sha256": found,
                **({"checks": list(told[name].checks)} if told[name].checks else {}),
            }
            for name, final in made.items()
            for part, found in _hashes(staging.path(final), order.cancel)
        ),
        problems=tuple(problems),
        warnings=tuple(f"{name}: {line}" for name in made for line in told[name].warnings),
    )


def _check(cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _hashes(path: Path, cancel: CancelToken | None) -> Iterator[tuple[Path, str]]:
    """Each file of a deliverable, which may be a folder, and its SHA-256."""
    parts = sorted(path.rglob("*")) if path.is_dir() else [path]
    for part in parts:
        if part.is_file():
            yield part, file_sha256(part, cancel)


def _place(name: str, places: Sequence[Path], order: Order) -> Path:
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


def _mov(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.mov import write_mov

    result = write_mov(order.source, path, progress=order.fraction("mov"), cancel=order.cancel)
    return Made(result.notes)


def _mp4(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.mp4 import write_mp4

    result = write_mp4(order.source, path, progress=order.fraction("mp4"), cancel=order.cancel)
    return Made(result.notes)


def _webm(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.webm import write_webm

    result = write_webm(order.source, path, progress=order.fraction("webm"), cancel=order.cancel)
    return Made(result.notes)


def _mkv(order: Order, path: Path, final: Path) -> Made:
    from omniaudio_studio.delivery.mkv import write_mkv

    result = write_mkv(order.source, path, progress=order.fraction("mkv"), cancel=order.cancel)
    return Made(result.notes)


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

    with TemporaryDirectory() as folder:
        result = write_binaural_video(
            order.source,
            path,
            track=_track_in_clip(order, Path(folder)),
            progress=order.fraction("binaural-video"),
            cancel=order.cancel,
        )
    return Made(result.notes)


def _track_in_clip(order: Order, folder: Path) -> Path | None:
    """The head track as a file, on the clip's time line and in the axes of its picture."""
    if order.head is None:
        return None
    import numpy as np

    times, yaw, pitch, roll = (np.asarray(column, float) for column in order.head)
    source = order.source
    rows = np.stack(
        [
            times + source.clip_start,
            np.degrees(yaw) + source.yaw,
            np.degrees(pitch),
            np.degrees(roll),
        ],
        axis=1,
    )
    file = folder / "head.csv"
    np.savetxt(file, rows, fmt="%.6f", delimiter=",")
    return file


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
