"""From a clip's frames to the features of every window, in one pass and flat memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import BundleView
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.media.frames import iter_views, sample_times
from omniaudio_studio.panorama.views import normalise

if TYPE_CHECKING:
    from omniaudio_studio.engine.feature_store import ClipFeatures
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]
Vision = Callable[[str, Array], Array]  # (graph key, frames (N, 3, H, W)) -> features (N, ...)

BATCH = 8
_TICKS = 1_000_000  # frame times are told apart to the microsecond


def window_times(
    start: float, length: float, rate: float, limit: float | None = None
) -> NDArray[np.float64]:
    """Times of the frames of a window.

    Frame k is the one shown at ``start + k / rate``.

    Parameters
    ----------
    start, length
        The window, seconds from the clip's first frame.
    rate
        Feature rate, hertz.
    limit
        No frame later than this is shown: a shot's last frame repeats as a clip's does.
    """
    times = sample_times(start, length, rate)
    return times if limit is None else np.minimum(times, max(start, limit))


def stream_features(
    info: ClipInfo,
    windows: Sequence[NDArray[np.float64]],
    views: Sequence[BundleView],
    vision: Vision,
    *,
    kept: ClipFeatures | None = None,
    fronts: Sequence[float] | None = None,
    cancel: CancelToken | None = None,
    advance: Callable[[int], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Generator[dict[str, Array], None, None]:
    """Features of each window, in order.

    The frame times of all windows are merged into one ascending list and decoded in one pass.
    Features are kept from the first window that needs them to the last.

    Parameters
    ----------
    info
        The clip.
    windows
        Frame times of each window; neither first nor last times ever go back.
    views
        What the bundle looks at.
    vision
        Runs a vision graph on a batch of always the same size.
    kept
        Features of earlier runs: what is known is not looked at again, what is new is added. None
        keeps nothing.
    fronts
        Azimuth in radians that is each window's front; windows whose times overlap have one. All
        look straight ahead where None.
    cancel
        Checked for every frame.
    advance
        Told how many more frames are done.
    on_warning
        Told in one line of damaged frames.

    Yields
    ------
    dict
        By view name, float32 (S, ...) with S the number of the window's times.
    """
    ticks = [np.round(times * _TICKS).astype(np.int64) for times in windows]
    merged = np.unique(np.concatenate(ticks))
    # The front of a time is that of the last window that has begun by then.
    begun = np.searchsorted([own[0] for own in ticks], merged, side="right") - 1
    front = np.zeros(len(ticks)) if fronts is None else np.asarray(fronts, dtype=np.float64)
    front = front[begun]
    moments = list(zip(merged.tolist(), front.tolist(), strict=True))
    known = kept.known(views, moments) if kept is not None else None
    keeper = kept.keeper(views) if kept is not None else None
    new = np.array([known is None or moment not in known for moment in moments])

    def warn(line: str) -> None:
        # Whoever looks again is to be told again.
        if keeper is not None:
            keeper.discard()
        if on_warning is not None:
            on_warning(line)

    source = _look(info, merged[new] / _TICKS, front[new], views, vision, cancel, warn)
    held: dict[int, dict[str, Array]] = {}
    position = 0
    try:
        for index, own in enumerate(ticks):
            last = int(own[-1])
            while position < len(merged) and merged[position] <= last:
                moment = moments[position]
                if known is not None and not new[position]:
                    features = known[moment]
                else:
                    features = next(source)
                    if keeper is not None:
                        keeper.add(moment, features)
                held[moment[0]] = features
                position += 1
                if advance is not None:
                    advance(1)
            if keeper is not None:
                keeper.pause()
            yield {
                view.name: np.stack([held[int(tick)][view.name] for tick in own]) for view in views
            }
            if index + 1 < len(ticks):
                keep = int(ticks[index + 1][0])
                held = {tick: value for tick, value in held.items() if tick >= keep}
        # Let the look end, so that it can tell of damage.
        for _ in source:
            pass
        if keeper is not None:
            keeper.finish()
    finally:
        if known is not None:
            known.close()


def _look(
    info: ClipInfo,
    times: NDArray[np.float64],
    front: NDArray[np.float64],
    views: Sequence[BundleView],
    vision: Vision,
    cancel: CancelToken | None,
    on_warning: Callable[[str], None] | None,
) -> Iterator[dict[str, Array]]:
    """Features at each time; a frame shown again, with its front, is not looked at again."""
    pictures: list[Mapping[str, NDArray[np.uint8]]] = []  # all different
    order: list[int] = []  # which of them each waiting time shows
    wanted = [view.view for view in views]
    for picture in iter_views(
        info, times, wanted, front=front, cancel=cancel, on_warning=on_warning
    ):
        if not pictures or picture is not pictures[-1]:
            if len(pictures) == BATCH:
                results = _run_batch(pictures, views, vision)
                yield from (results[place] for place in order)
                pictures, order = [], []
            pictures.append(picture)
        order.append(len(pictures) - 1)
    if pictures:
        results = _run_batch(pictures, views, vision)
        yield from (results[place] for place in order)


def _run_batch(
    pictures: Sequence[Mapping[str, NDArray[np.uint8]]],
    views: Sequence[BundleView],
    vision: Vision,
) -> list[dict[str, Array]]:
    """Features of each picture.

    The batch is filled up to one size by repeating the last picture, so that a picture's features
    do not depend on how many happened to be left.
    """
    results: list[dict[str, Array]] = [{} for _ in pictures]
    for view in views:
        batch = np.stack([picture[view.name] for picture in pictures])
        if len(batch) < BATCH:
            batch = np.concatenate([batch, np.repeat(batch[-1:], BATCH - len(batch), axis=0)])
        assert view.graph is not None
        features = vision(view.graph, normalise(batch, view.view))
        for result, row in zip(results, features, strict=False):
            result[view.name] = row.copy()
    return results
