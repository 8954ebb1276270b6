"""From a field to numbers: everything that is asked about one scene.

Each function gives values by method and measure, as `report.Tally` takes them. A measure that a
scene says nothing about (its source never leaves the front view, say) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.sound import source_signal
from omniaudio_studio.evaluation.metrics import CHANCE, frame_errors
from omniaudio_studio.evaluation.onsets import (
    matched,
    matched_by_chance,
    visible_onsets,
)
from omniaudio_studio.evaluation.scenes import (
    FRAME_SECONDS,
    TOLERANCE,
    active,
    frame_power,
    middles,
    source_directions,
)
from omniaudio_studio.evaluation.spatial.directions import (
    all_found,
    direction_histogram,
    highest_peaks,
)
from omniaudio_studio.evaluation.spatial.mel import mel_distance
from omniaudio_studio.evaluation.tagging import Tagger
from omniaudio_studio.foa.direction import angular_error, direction_of_arrival
from omniaudio_studio.foa.onsets import sound_onsets

Array = NDArray[np.float64]
Scores = dict[str, dict[str, float]]
Inside = Callable[[Array], NDArray[np.bool_]]

QUIETEST = -100.0  # dB, for silence


@dataclass(frozen=True)
class Field:
    """A sound field, float32 (4, n), W Y Z X, and its rate."""

    foa: NDArray[np.float32]
    rate: int


Fields = Mapping[str, Field]


def at_rate(foa: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """A field at another sample rate."""
    if rate == wanted:
        return foa
    import soxr

    return np.ascontiguousarray(soxr.resample(foa.T, rate, wanted, quality="HQ").T, np.float32)


def angles(
    scene: Scene,
    library: MaterialLibrary,
    fields: Fields,
    inside: Inside,
    rng: np.random.Generator,
) -> Scores:
    """Mean angular errors, radians, over the half seconds in which the one source sounds.

    "all"; "still" or "moving"; "inside" and "outside" of the front view; "clip", of a still source:
    one direction for the whole clip. Beside the fields: "random", a new direction for each frame,
    "front", and "mono", W alone, which has no direction and counts as chance.
    """
    source = scene.sources[0]
    vectors = source.vectors(middles(scene.seconds))
    frames = vectors.shape[1]
    sounds = active(frame_power(source_signal(source, library, scene.samples), frames))
    seen = inside(vectors)
    errors = {
        method: frame_errors(field.foa, field.rate, vectors, FRAME_SECONDS)
        for method, field in fields.items()
    }
    guesses = rng.standard_normal((3, frames))
    guesses /= np.linalg.norm(guesses, axis=0)
    errors["random"] = np.arccos(np.clip((guesses * vectors).sum(axis=0), -1, 1))
    errors["front"] = np.arccos(np.clip(vectors[0], -1, 1))
    errors["mono"] = np.full(frames, CHANCE)
    parts = {
        "all": sounds,
        "moving" if source.moving else "still": sounds,
        "inside": sounds & seen,
        "outside": sounds & ~seen,
    }
    scores: Scores = {}
    for method, values in errors.items():
        scores[method] = {
            part: float(values[chosen].mean()) for part, chosen in parts.items() if chosen.any()
        }
        if not source.moving:
            whole = float(values[0])  # one guess for all of it
            if method in fields:
                heard = direction_of_arrival(fields[method].foa)
                whole = float(angular_error(*heard, *source.direction(0)))
            scores[method]["clip"] = whole
    return scores


def pairs(scene: Scene, fields: Fields, rng: np.random.Generator) -> Scores:
    """ "two": 1 where the two highest peaks of a field's histogram are the two sources, else 0.

    "random" is two guessed peaks. W alone, and all from the front, have one peak or none: 0.
    """
    directions = source_directions(scene)
    guesses = rng.standard_normal((3, 2))
    peaks = {"random": guesses / np.linalg.norm(guesses, axis=0)}
    for method, field in fields.items():
        peaks[method] = highest_peaks(direction_histogram(field.foa, field.rate), 2)
    scores = {
        method: {"two": float(all_found(found, directions, TOLERANCE))}
        for method, found in peaks.items()
    }
    return scores | {"front": {"two": 0.0}, "mono": {"two": 0.0}}


def onsets(scene: Scene, fields: Fields) -> Scores:
    """ "onset": the share of visible events with an onset within 150 ms; "onset_chance": the same
    for onsets moved round the clip; "onsets": how many there are per visible event."""
    events = visible_onsets(scene.sources[0].envelope)
    scores: Scores = {}
    for method, field in fields.items():
        heard = sound_onsets(field.foa[0], field.rate)
        scores[method] = {
            "onset": matched(events, heard) / events.size,
            "onset_chance": matched_by_chance(events, heard, scene.seconds) / events.size,
            "onsets": heard.size / events.size,
        }
    return scores


def classes(scene: Scene, fields: Fields, tagger: Tagger) -> Scores:
    """ "class": 1 where the tagger names the source's class, else 0; "agreement": 1 where it names
    the same as in the field "generated"."""
    named = {method: tagger.name(field.foa[0], field.rate) for method, field in fields.items()}
    scores: Scores = {
        method: {"class": float(name == scene.sources[0].name)} for method, name in named.items()
    }
    for method, name in named.items():
        if "generated" in named:
            scores[method]["agreement"] = float(name == named["generated"])
    return scores


def levels(fields: Fields) -> Scores:
    """ "level": level of W in dB relative to that of the field "truth"."""
    power = {
        method: float(np.mean(np.square(field.foa[0], dtype=np.float64)))
        for method, field in fields.items()
    }
    true = max(power["truth"], 1e-20)
    return {
        method: {"level": max(QUIETEST, 10 * float(np.log10(max(value, 1e-20) / true)))}
        for method, value in power.items()
    }


def mel(fields: Fields) -> Scores:
    """ "mel": mean distance in dB of mel bands of all four channels from those of "truth"."""
    true = fields["truth"].foa
    scores: Scores = {}
    for method, field in fields.items():
        made = np.zeros_like(true)
        sound = at_rate(field.foa, field.rate, RATE)[:, : true.shape[1]]
        made[:, : sound.shape[1]] = sound
        scores[method] = {"mel": mel_distance(made, true, RATE)}
    return scores
