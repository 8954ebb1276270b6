"""What goes beside a WAV that was just written, made from it: for headphones, and as a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MissingDependencyError

if TYPE_CHECKING:
    from omniaudio_studio.foa.binaural_track import HeadTrack
    from omniaudio_studio.media.probe import ClipInfo


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


def write_binaural(
    wav: Path,
    binaural: Path,
    track: HeadTrack | None = None,
    *,
    progress: Callable[[Any], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Render an AmbiX WAV for headphones, through the filters that ship.

    Parameters
    ----------
    track
        As for `foa.binaural.TrackRenderer`; without one the head faces the front of the file.
    """
    from omniaudio_studio.delivery.binaural import render_reader
    from omniaudio_studio.foa.binaural import default_filters
    from omniaudio_studio.media.audio import FoaReader

    with FoaReader(wav, "ambix") as reader:
        filters = default_filters(reader.rate)
        render_reader(reader, binaural, filters, track, progress=progress, cancel=cancel)


def write_overlay(
    info: ClipInfo,
    wav: Path,
    overlay: Path,
    *,
    start: float,
    yaw: float,
    progress: Callable[[Any], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Draw the energy of an AmbiX WAV over its clip.

    Parameters
    ----------
    start
        Seconds of the clip at the WAV's first sample.
    yaw
        Degrees: what of the clip is the WAV's front. The picture keeps its own front, and the sound
        is turned back.
    """
    from omniaudio_studio.delivery import overlay as drawing

    drawing.write_overlay(
        info,
        wav,
        overlay,
        start=start,
        yaw=math.radians(yaw),
        convention="ambix",
        progress=progress,
        cancel=cancel,
    )


def write_plot(wav: Path, plot: Path, cancel: Cancel | None = None) -> None:
    """Draw direction and level of an AmbiX WAV over time, as PNG."""
    from omniaudio_studio.delivery.measure import measure
    from omniaudio_studio.delivery.plots import plot_measurement

    plot_measurement(measure(wav, "ambix", cancel=cancel), plot)
