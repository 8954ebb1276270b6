"""What is made of a sound field that was just written, beside it: one walk over what is wanted.

What each deliverable is called lies in `jobs.deliverables`; here is the function that writes it.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
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
    entries: tuple[dict[str, str], ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


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
    report
        Called with reports whose ``stage`` is the deliverable's name.
    """

    source: DeliverySource
    seconds: float
    head: HeadTrack | None = None
    report: Report | None = None
    cancel: CancelToken | None = None

    @property
    def clip(self) -> ClipInfo:
        """The clip, which was asked for where it is needed."""
        if self.source.clip is None:
            raise OptionError("there is no clip to show; give one")
        return self.source.clip

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
    warnings: list[str] = []
    for name, places in files.beside.items():
        finals = dict(zip((place.suffix for place in places), places, strict=True))
        write = WRITERS[name]
        try:
            final = places[0] if len(places) == 1 else finals[_suffix(name, order)]
            _check(order.cancel)
            warnings += write(order, staging.path(final), final)
            made[name] = final
        except Cancelled:
            raise
        except (OmniAudioError, OSError) as error:
            known = isinstance(error, OmniAudioError)
            told = staging.told(error) if known else reason(error)  # type: ignore[arg-type]
            problems.append(f"{name} was not written: {told}")
            for place in places:
                _remove(staging.path(place))
    entries = [
        {"deliverable": name, "name": part.relative_to(staging.folder).as_posix(), "sha256": found}
        for name, final in made.items()
        for part, found in _hashes(staging.path(final), order.cancel)
    ]
    return Companions(made, tuple(entries), tuple(problems), tuple(warnings))


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


def _suffix(name: str, order: Order) -> str:
    raise NotImplementedError(name)


# -- one function for each deliverable: makes the file, returns what is to be told ----------------


def _binaural(order: Order, path: Path, final: Path) -> tuple[str, ...]:
    from omniaudio_studio.delivery.binaural import render_reader
    from omniaudio_studio.foa.binaural import default_filters
    from omniaudio_studio.media.audio import FoaReader

    source = order.source
    with FoaReader(source.field, source.convention) as reader:
        filters = default_filters(reader.rate)
        render_reader(reader, path, filters, order.head, progress=order.report, cancel=order.cancel)
    return ()


def _overlay(order: Order, path: Path, final: Path) -> tuple[str, ...]:
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
        progress=order.report,
        cancel=order.cancel,
    )
    return ()


def _plot(order: Order, path: Path, final: Path) -> tuple[str, ...]:
    from omniaudio_studio.delivery.measure import measure
    from omniaudio_studio.delivery.plots import plot_measurement

    source = order.source
    plot_measurement(measure(source.field, source.convention, cancel=order.cancel), path)
    return ()


WRITERS: Mapping[str, Callable[[Order, Path, Path], tuple[str, ...]]] = {
    "binaural": _binaural,
    "overlay": _overlay,
    "plot": _plot,
}
"""By deliverable: takes what it is made of, where to write, and where that will lie in the end."""
