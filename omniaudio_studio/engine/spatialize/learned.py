"""Sources found by a bundle's spatializer: what is seen and heard goes through its graphs.

The clip is looked at and listened to in windows of the length that the graph was made for; windows
overlap, and what one calls its first source is matched with what the one before called so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.feature_store import kept_features
from omniaudio_studio.engine.features import stream_features
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.spatialize.found import MIN_CONFIDENCE, Found
from omniaudio_studio.engine.spatialize.meter import Meter
from omniaudio_studio.engine.spatialize.recording import FrameReader, sound_frames
from omniaudio_studio.engine.spatialize.stitching import Estimate, Stitcher
from omniaudio_studio.errors import BundleError

if TYPE_CHECKING:
    from omniaudio_studio.bundles.parts import BundleView, SpatializerPart
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]

SHARPNESS = 3.0
"""Power that shares are raised to: at one moment a band belongs mostly to one source (Yilmaz and
Rickard, "Blind separation of speech mixtures via time-frequency masking", IEEE Trans. Signal
Processing 2004), and in between two sources there is none."""

_PAN = 1.5  # how much the louder side of a stereo recording decides
_CHUNK = 16  # pictures that are looked at between two reports
_CUT = 3.5  # times the usual change of the picture's features


def find_learned(
    info: ClipInfo,
    recording: Path,
    bundle: Bundle,
    device: str,
    *,
    start: float,
    duration: float,
    max_sources: int,
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
    clip_sha256: Callable[[], str] | None = None,
) -> Found:
    """Find up to ``max_sources`` directions of a recording by a bundle's spatializer.

    Parameters
    ----------
    info
        The clip.
    recording
        The file whose sound it is, sample 0 at the clip's first frame.
    bundle, device
        The model, and "auto", "cpu", "cuda", "directml" or "coreml".
    start, duration
        The range, seconds of the clip.
    max_sources
        1 to 3.
    progress, cancel
        Told of seconds of the clip ("picture"); asked all the time.
    clip_sha256
        Gives the clip's SHA-256: features of its pictures are kept on disk by it, none if None.

    Raises
    ------
    BundleError
        If the bundle has no spatializer, or it breaks the contract.
    """
    part, view = spatializer_of(bundle)
    provider = choose_provider(device)
    assert view.graph is not None  # the manifest's checks
    vision = Session(bundle.graph(view.graph), provider, cancel)
    vision.require(["frames"], ["features"])
    graph = Session(bundle.graph("spatializer"), provider, cancel)
    graph.require([view.name, "sound"], ["shares", "directions", "confidence"])
    rate = bundle.manifest.features.rate
    pictures = max(1, math.ceil(duration * rate - 1e-6))
    meter = Meter(progress, duration)
    warnings: list[str] = []
    heard = FrameReader(
        sound_frames(
            info,
            recording,
            start=start,
            frames=pictures * part.ratio,
            frame_rate=rate * part.ratio,
            edges=np.array(part.edges),
            window=part.window,
            cancel=cancel,
        )
    )

    def look(_: str, frames: Array) -> Array:
        return vision.run({"frames": frames}, cancel)["features"]

    times = [
        start + np.arange(first, min(first + _CHUNK, pictures)) / rate
        for first in range(0, pictures, _CHUNK)
    ]
    kept = None
    if clip_sha256 is not None:
        kept = kept_features(info, bundle, provider, clip_sha256)
    chunks = stream_features(
        info, times, [view], look, kept=kept, cancel=cancel, on_warning=warnings.append
    )

    def seen() -> Iterator[Array]:
        done = 0
        for chunk in chunks:
            yield from chunk[view.name]
            done += len(chunk[view.name])
            meter.at(done / rate)

    stitcher = Stitcher()
    for cells, again in _windows(seen(), part.length):
        energy, pan = heard.take((len(cells) - again) * part.ratio, again * part.ratio)
        sound = np.log10(energy + 1e-12)
        made = graph.run({view.name: cells[None], "sound": sound[None]}, cancel)
        estimate = _estimate(made, len(cells), part, pan)
        stitcher.add(estimate, energy, again * part.ratio)
    frame_times = start + (np.arange(pictures * part.ratio) + 0.5) / (rate * part.ratio)
    placement, confidence = stitcher.placement(
        np.asarray(frame_times, np.float64), np.array(part.edges), max_sources, MIN_CONFIDENCE
    )
    if placement.shares.max() <= 0:
        warnings.append(
            f"the model sees nothing that could make the sound (confidence {confidence:.2f}); it "
            "is left in W with a gentle width: give directions instead"
        )
    names = tuple(f"source {number + 1}" for number in range(len(placement.directions)))
    return Found(placement, names, confidence, tuple(warnings))


def spatializer_of(bundle: Bundle) -> tuple[SpatializerPart, BundleView]:
    """The manifest's section on the spatializer, and the view that it looks at.

    Raises
    ------
    BundleError
        If the bundle has none.
    """
    part = bundle.manifest.spatializer
    if part is None:
        raise BundleError(
            f"{bundle.path}: this bundle has no spatializer; use the starter (--bundle starter), "
            "or --sources auto"
        )
    for view in bundle.manifest.views:
        if view.name == part.view:
            return part, view
    raise BundleError(
        f"{bundle.path}: spatializer.view: expected the name of a view, found {part.view!r}; "
        "correct bundle.json"
    )


def _windows(cells: Iterator[Array], length: int) -> Iterator[tuple[Array, int]]:
    """Windows of at most ``length`` pictures within shots: features (S, K, D), and how many of
    them were in the window before too (none after a cut)."""
    overlap = length // 4
    held: list[Array] = []
    fresh, usual = 0, 0.0
    for picture in cells:
        if held:
            change = float(np.abs(picture - held[-1]).mean())
            if usual > 0 and change > _CUT * usual and len(held) > 2:
                if fresh:
                    yield np.stack(held), len(held) - fresh
                held, fresh, usual = [], 0, 0.0
            else:
                # Rises at once, so that a sudden movement is not one cut after another.
                usual = max(change, 0.9 * usual + 0.1 * change)
        held.append(picture)
        fresh += 1
        if len(held) == length:
            yield np.stack(held), length - fresh
            held, fresh = held[length - overlap :], 0
    if fresh:
        yield np.stack(held), len(held) - fresh


def _estimate(
    made: dict[str, NDArray[np.float32]], pictures: int, part: SpatializerPart, pan: Array
) -> Estimate:
    """What the graph says, frame by frame of sound.

    Raises
    ------
    BundleError
        If shapes are not those of the contract.
    """
    bands, frames = len(part.edges) - 1, pictures * part.ratio
    for name, shape in (
        ("shares", (1, part.sources, bands, frames)),
        ("directions", (1, part.sources, pictures, 3)),
        ("confidence", (1, part.sources, pictures)),
    ):
        if made[name].shape != shape:
            raise BundleError(
                f"the spatializer's {name} have the shape {made[name].shape}, expected {shape}; "
                "export the model again"
            )
    shares, vectors, sure = made["shares"][0], made["directions"][0], made["confidence"][0]
    # What a picture shows is in the middle of its frames of sound.
    middle = (np.arange(frames) + 0.5) / part.ratio - 0.5
    directions = np.stack([_between(source, middle) for source in vectors])
    length = np.linalg.norm(directions, axis=2, keepdims=True)
    directions /= np.maximum(length, 1e-6)
    confidence = np.stack([_between(source[:, None], middle)[:, 0] for source in sure])
    total = shares.sum(axis=0)
    sharp = shares**SHARPNESS * np.exp(_PAN * pan.T[None] * directions[:, None, :, 1])
    sharp *= total / np.maximum(sharp.sum(axis=0), 1e-9)
    return Estimate(directions, sharp.astype(np.float32), confidence)


def _between(values: Array, places: NDArray[np.float64]) -> Array:
    """Rows of values (n, c) at places between them, linear, the ends held."""
    places = np.clip(places, 0, len(values) - 1)
    earlier = np.floor(places).astype(int)
    later = np.minimum(earlier + 1, len(values) - 1)
    part = (places - earlier).astype(np.float32)[:, None]
    return np.asarray(values[earlier] * (1 - part) + values[later] * part, np.float32)
