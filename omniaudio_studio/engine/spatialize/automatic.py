"""Sources found without training: what moves with the sound.

Motion on the sphere, beside the camera's own turning, is correlated with the sound's envelopes in
bands; paths through what fits are the sources' directions. The picture proposes and the sound
decides, as in Fisher and Darrell's "Speaker association with signal-level audiovisual fusion" (IEEE
Trans. Multimedia 2004), with correlation in place of mutual information.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.engine.spatialize.ahead import ahead
from omniaudio_studio.engine.spatialize.evidence import BANDS, EDGES, Judge
from omniaudio_studio.engine.spatialize.found import MIN_CONFIDENCE, Found
from omniaudio_studio.engine.spatialize.joining import SourceJoiner
from omniaudio_studio.engine.spatialize.meter import Meter
from omniaudio_studio.engine.spatialize.motion import COLUMNS, CUT, ROWS, MotionMeter
from omniaudio_studio.engine.spatialize.recording import FrameReader, sound_frames
from omniaudio_studio.panorama.views import View

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]

RATE = 12.0
"""Pictures a second that are compared, and frames of sound."""

SECTION = 30.0
"""Most seconds that are judged as one: correlation needs some, memory grows with them."""

WINDOW = 0.08
"""Seconds that a frame of sound looks at."""

_VIEW = View("motion", "equirect", COLUMNS, ROWS)


def find_automatic(
    info: ClipInfo,
    recording: Path,
    *,
    start: float,
    duration: float,
    max_sources: int,
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
) -> Found:
    """Find up to ``max_sources`` directions of a recording in a clip's picture.

    Parameters
    ----------
    info
        The clip.
    recording
        The file whose sound it is, sample 0 at the clip's first frame.
    start, duration
        The range, seconds of the clip.
    max_sources
        1 to 3.
    progress, cancel
        Told of seconds of the clip ("picture"); asked for every picture.

    Returns
    -------
    Found
        Where nothing fits, shares of 0, a low confidence and a warning that says so.
    """
    from omniaudio_studio.media.frames import iter_views

    frames = max(1, math.ceil(duration * RATE - 1e-6))
    warnings: list[str] = []
    # One picture more than there are intervals; the clip's last one repeats.
    moments = start + np.arange(frames + 1) / RATE
    views = iter_views(info, moments, [_VIEW], cancel=cancel, on_warning=warnings.append)
    certain, weights = 0.0, 1e-12
    with _opencv_alone(), ahead(views) as pictures:
        judge = Judge(max_sources)
        joiner = SourceJoiner(max_sources, BANDS)
        sound = FrameReader(
            sound_frames(
                info,
                recording,
                start=start,
                frames=frames,
                frame_rate=RATE,
                edges=EDGES,
                window=WINDOW,
                cancel=cancel,
            )
        )
        for cells, begins_shot in _sections(pictures, Meter(progress, duration)):
            energy, pan = sound.take(len(cells))
            judged = judge.judge(cells, energy, pan, None if begins_shot else joiner.ends)
            joiner.add(judged, begins_shot=begins_shot)
            certain += judged.overall * judged.weight
            weights += judged.weight
    times = start + (np.arange(frames, dtype=np.float64) + 0.5) / RATE
    placement = joiner.placement(times, EDGES)
    confidence = certain / weights
    if placement.shares.max() <= 0:
        warnings.append(
            f"nothing in the picture goes with the sound (confidence {confidence:.2f}); it is left "
            "in W with a gentle width: give directions, or try --sources learned"
        )
    elif confidence < 2 * MIN_CONFIDENCE:
        placed = float((placement.shares.max(axis=(0, 1)) > 0).mean())
        warnings.append(
            f"what moves goes with the sound only in part (confidence {confidence:.2f}, placed "
            f"{100 * placed:.0f} % of the time); look at it with --overlay, or give directions"
        )
    names = tuple(f"source {number + 1}" for number in range(len(placement.directions)))
    return Found(placement, names, float(confidence), tuple(warnings))


@contextmanager
def _opencv_alone() -> Iterator[None]:
    """OpenCV without its threads: for such small pictures they only wait, at the decoder's cost."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _sections(
    pictures: Iterator[dict[str, NDArray[np.uint8]]], meter: Meter
) -> Iterator[tuple[Array, bool]]:
    """Motion (T, cells) of stretches of shots, each with whether it begins a shot."""
    motion = MotionMeter()
    cells: list[Array] = []
    begins_shot, usual = True, 0.0
    for number, views in enumerate(pictures):
        meter.at(number / RATE)
        change = motion(views[_VIEW.name])
        if change is None:
            continue
        cut = change.overall > max(CUT, 4 * usual) and len(cells) > 0
        usual = 0.8 * usual + 0.2 * change.overall
        if cut or len(cells) >= SECTION * RATE:
            yield np.stack(cells), begins_shot
            cells, begins_shot = [], cut
        moved = change.cells.ravel()
        cells.append(np.zeros_like(moved) if cut else moved)
    if cells:
        yield np.stack(cells), begins_shot
