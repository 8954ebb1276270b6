"""Where a shot's sound is likely to come from, by its pictures alone: where most of them changes.

No training and no sound: things that bark, drip or drive by change the picture where they are. The
model's front view, which sees finer than its panorama does, is turned there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.engine.plan import GenerationSettings, plan_generation
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.panorama.sphere import row_solid_angles
from omniaudio_studio.panorama.views import View

if TYPE_CHECKING:
    from omniaudio_studio.bundles.manifest import Manifest
    from omniaudio_studio.media.probe import ClipInfo

_VIEW = View("small", "equirect", 144, 72)
_STEP = 0.125  # seconds between the two pictures that are compared
_MOST_PAIRS = 240  # of a shot; longer ones are looked at now and then
_HISS = 3.0  # grey levels by which a codec changes what stands still
_WHOLE = 0.2  # share of the sphere that no single thing covers
_SPREAD = math.radians(20)  # what lies side by side counts together
_STANDS_OUT = 1.8  # times the mean over all azimuths

Array = NDArray[np.float32]


def with_front(
    settings: GenerationSettings,
    front: float | str | None,
    info: ClipInfo,
    manifest: Manifest,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancel: Cancel | None = None,
) -> GenerationSettings:
    """The settings with the front that a request asks for.

    Parameters
    ----------
    front
        An azimuth in degrees, "auto" for each shot's own :func:`likely_front`, or None for straight
        ahead.
    progress
        Called after each shot that was looked at, with the stage "picture".

    Raises
    ------
    OptionError, MediaError
        As for a generation's plan, and if the clip cannot be decoded.
    Cancelled
        If ``cancel`` said so.
    """
    if front is None:
        return replace(settings, fronts=())
    if not isinstance(front, str):
        return replace(settings, fronts=((0.0, math.radians(front)),))
    plan = plan_generation(info, settings, manifest)
    fronts = []
    for shot in plan.shots:
        end = shot.start + shot.samples / manifest.sample_rate
        fronts.append((shot.start, likely_front(info, shot.start, end, cancel=cancel)))
        if progress is not None:
            whole = plan.samples / manifest.sample_rate
            progress(Progress("picture", end - plan.start, whole, None))
    return replace(settings, fronts=tuple(fronts))


def likely_front(
    info: ClipInfo, start: float, end: float, *, cancel: Cancel | None = None
) -> float:
    """The azimuth around which most changes between ``start`` and ``end``, in seconds of the clip.

    Pictures an eighth of a second apart are compared, cell by cell. Where the camera stands, all
    change counts. Where it moves, so that much of the sphere changes all the time, each cell counts
    only by how far it exceeds its own median over time: what passes by, not what is passed. Cells
    weigh by their solid angle; the sum over each azimuth is smoothed by 20 degrees.

    Returns
    -------
    float
        Radians, a whole number of degrees; 0 where nothing stands out.

    Raises
    ------
    MediaError
        If the clip cannot be decoded.
    Cancelled
        If ``cancel`` said so.
    """
    changes = _changes(info, start, end, cancel)
    if not len(changes):
        return 0.0
    weight = row_solid_angles(_VIEW.height)
    weight = weight / weight.sum()
    steady = np.median(changes, axis=0)
    if float(weight @ np.mean(steady > 0, axis=1)) > _WHOLE:
        changes = np.maximum(changes - steady, 0)
    profile = _smooth(weight @ changes.mean(axis=0, dtype=np.float64))
    best = int(profile.argmax())
    if profile[best] <= _STANDS_OUT * profile.mean():
        return 0.0
    return math.radians(round(180 - 360 * (best + 0.5) / profile.size))


def _changes(info: ClipInfo, start: float, end: float, cancel: Cancel | None) -> Array:
    """By how many grey levels cells change beyond hiss, float32 (pairs, rows, columns)."""
    # Half a picture before the end: the next shot must not show.
    room = end - start - _STEP - 0.5 / max(info.fps, 1.0)
    if room < 0:
        return np.zeros((0, _VIEW.height, _VIEW.width), np.float32)
    count = min(math.floor(room / _STEP) + 1, _MOST_PAIRS)
    apart = max(_STEP, room / max(count - 1, 1))
    firsts = start + apart * np.arange(count)
    times = np.maximum.accumulate(np.stack([firsts, firsts + _STEP], axis=1).ravel())
    changes = np.zeros((count, _VIEW.height, _VIEW.width), np.float32)
    first = np.zeros((_VIEW.height, _VIEW.width, 3), np.float32)
    for index, picture in enumerate(iter_views(info, times, [_VIEW], cancel=cancel)):
        now = picture[_VIEW.name].astype(np.float32)
        if index % 2:
            changes[index // 2] = np.abs(now - first).mean(axis=2) - _HISS
        first = now
    return np.maximum(changes, 0)


def _smooth(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """The profile round the circle, by a Gaussian."""
    angles = 2 * np.pi * np.arange(profile.size) / profile.size
    angles = np.minimum(angles, 2 * np.pi - angles)
    kernel = np.exp(-0.5 * (angles / _SPREAD) ** 2)
    kernel /= kernel.sum()
    spectrum = np.fft.rfft(profile) * np.fft.rfft(kernel)
    smooth: NDArray[np.float64] = np.fft.irfft(spectrum, profile.size)
    return smooth
