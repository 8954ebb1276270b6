"""How well a recording is put on the sphere, on scenes whose sound field is known.

Every scene is rendered to a silent 360 video; W of its true field is the recording that is handed
over with it, as 32-bit WAV, so that no codec comes between. What `jobs.spatialize` makes of the two
is compared with the true field. Three kinds of scenes: one moving source; one still source, whose
sprite pulses with the sound; two still sources of different classes, at least 60 degrees apart.

Beside each method stand the true field (what the measures themselves cost, reflections included), W
alone, all of W from straight ahead, from a random direction, and with the mean gains of scenes
drawn by the same sampler (what can be known without looking).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import Motion, sample_scene, scene_rng
from omniaudio_studio.datasets.sound import render_foa, source_signal
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import OptionError
from omniaudio_studio.evaluation.metrics import frame_errors
from omniaudio_studio.evaluation.scenes import (
    FRAME_SECONDS,
    TOLERANCE,
    active,
    check_options,
    draw_pair,
    frame_power,
    middles,
    open_bundle,
    source_directions,
    write_clip,
)
from omniaudio_studio.evaluation.spatial.directions import (
    all_found,
    direction_histogram,
    highest_peaks,
)
from omniaudio_studio.evaluation.spatial.maps import map_scores
from omniaudio_studio.evaluation.spatial.spectra import (
    envelope_distance,
    log_spectral_distance,
    stft_distance,
)
from omniaudio_studio.evaluation.spatialize_report import WINDOWS, Report, Tally
from omniaudio_studio.files import mark_temporary

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.result import SpatializeResult

Foa = NDArray[np.float32]
Array = NDArray[np.float64]

METHODS = ("automatic", "learned")

KINDS = ("moving", "still", "pair")
PRIOR_SCENES = 200
"""Scenes whose directions make the spatial prior."""

# Indices of scenes: each kind has its own, and the prior too, so that no scene is drawn twice.
_FIRST = {"moving": 0, "still": 100_000, "pair": 200_000, "prior": 300_000}


@dataclass
class _Engine:
    """The methods under test: how they are run, and for how long they worked."""

    methods: tuple[str, ...]
    bundle: str
    device: str
    cancel: CancelToken | None
    seconds: dict[str, float]

    def fields(self, clip: Path, recording: Path, scene: Scene) -> tuple[dict[str, Foa], dict]:
        """What each method makes of a clip and its recording, and how sure it was."""
        made: dict[str, Foa] = {}
        notes: dict[str, Any] = {}
        for method in self.methods:
            output = recording.with_name(f"{method}.wav")
            started = time.monotonic()
            result = _spatialize(self, method, clip, recording, output)
            self.seconds[method] += time.monotonic() - started
            made[method] = _read(output, scene.samples)
            notes[method] = {"confidence": result.confidence, "sources": len(result.sources)}
            for path in (result.wav, result.sidecar):
                path.unlink()
        return made, notes


def evaluate_spatialize(
    *,
    sounds: Path | None = None,
    panoramas: Path | None = None,
    panorama_names: Sequence[str] | None = None,
    sprites: Path | None = None,
    folds: Sequence[int] | None = (4,),
    count: int = 40,
    seed: int = 1000,
    seconds: float = 8.0,
    methods: Sequence[str] | None = None,
    bundle: str = "starter",
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
) -> Report:
    """Measure how near spatialized recordings come to the true fields of scenes.

    Parameters
    ----------
    sounds, panoramas, panorama_names, sprites, folds
        Material, as for `datasets.library.MaterialLibrary`; none that a bundle was trained on.
        Without a sounds folder, procedural sounds serve and ``folds`` is not used.
    count, seed, seconds
        How many scenes of each kind, from which seed, how long.
    methods
        Of :data:`METHODS`. None for "automatic", and "learned" where the bundle has a graph
        "spatializer"; an empty list for the comparisons alone.
    bundle, device
        As for `jobs.spatialize_request.SpatializeRequest`.
    progress, cancel
        Told after each scene (in scenes), asked all the time.

    Returns
    -------
    Report

    Raises
    ------
    OmniAudioError
        One line each: bundle, material, option or a missing extra.
    """
    check_options(count, seed, seconds)
    chosen, sha256 = _methods(methods, bundle)
    library = MaterialLibrary(
        sounds, panoramas, sprites, folds if sounds is not None else None, panorama_names
    )
    if len(library.classes) < 2:
        raise OptionError(
            "scenes with two sources need sounds of two classes or more; found "
            f"{', '.join(library.classes)}"
        )
    engine = _Engine(chosen, bundle, device, cancel, dict.fromkeys(chosen, 0.0))
    prior = mean_gains(library, seconds, seed, cancel)
    tally = Tally()
    rng = np.random.default_rng([seed, 1])
    begun, total = time.monotonic(), len(KINDS) * count
    with tempfile.TemporaryDirectory(prefix="omniaudio-evaluate-") as folder:
        mark_temporary(Path(folder))
        for done, (kind, scene) in enumerate(_scenes(library, count, seconds, seed), 1):
            if cancel is not None:
                cancel.check()
            truth = render_foa(scene, library)
            fields, notes = _made(engine, scene, library, truth, Path(folder))
            guesses = _unit(rng.standard_normal((3, 2)))
            fields = {
                "truth": truth,
                **fields,
                "mono": first_order(truth[0], np.zeros(3)),
                "front": first_order(truth[0], np.array([1.0, 0.0, 0.0])),
                "prior": first_order(truth[0], prior),
                "random": first_order(truth[0], guesses[:, 0]),
            }
            if kind == "pair":
                scores = _two_sources(scene, fields, guesses)
            else:
                scores = _one_source(scene, library, fields)
            tally.add(kind, scene, scores, notes)
            if progress is not None:
                left = (time.monotonic() - begun) / done * (total - done)
                progress(Progress("scenes", float(done), float(total), left))
    settings = {
        "count": count,
        "seed": seed,
        "seconds": seconds,
        "methods": list(chosen),
        "bundle": bundle if "learned" in chosen else None,
        "bundle_sha256": sha256,
        "frame_seconds": FRAME_SECONDS,
        "prior": [float(gain) for gain in prior],
        "folds": None if sounds is None or folds is None else list(folds),
        "panoramas": None if panorama_names is None else list(panorama_names),
        "classes": list(library.classes),
    }
    speed = {method: total * seconds / spent for method, spent in engine.seconds.items()}
    return Report(tally.rows(), settings, speed, tally.scenes)


def first_order(w: Foa, gains: Array) -> Foa:
    """A field whose X, Y and Z are W times ``gains`` (x, y, z)."""
    x, y, z = np.asarray(gains, np.float32)
    return np.stack([w, y * w, z * w, x * w])


def mean_gains(
    library: MaterialLibrary, seconds: float, seed: int, cancel: CancelToken | None = None
) -> Array:
    """The spatial prior: gains (x, y, z) on W that fit scenes of this sampler best on average.

    The mean of the unit vectors of all sources over all frames of `PRIOR_SCENES` scenes of one to
    three sources, none of them evaluated. Of all fixed gains, means are nearest in least squares.
    Sources lie all around, so they come out small: nearly W alone.
    """
    total, count = np.zeros(3), 0
    for index in range(PRIOR_SCENES):
        if cancel is not None:
            cancel.check()
        scene = sample_scene(scene_rng(seed, _FIRST["prior"] + index), library, seconds)
        for source in scene.sources:
            vectors = source.vectors(middles(seconds))
            total += vectors.sum(axis=1)
            count += vectors.shape[1]
    return total / count


def _methods(asked: Sequence[str] | None, bundle: str) -> tuple[tuple[str, ...], str | None]:
    """The methods to be run, and the hash of the bundle where one is used."""
    for method in asked or ():
        if method not in METHODS:
            raise OptionError(f"methods are {', '.join(METHODS)}; found {method!r}")
    if asked is not None and "learned" not in asked:
        return tuple(dict.fromkeys(asked)), None
    opened = open_bundle(bundle)
    if "spatializer" in opened.manifest.graphs:
        return METHODS if asked is None else tuple(dict.fromkeys(asked)), opened.sha256
    if asked is None:
        return METHODS[:1], None
    raise OptionError(
        f"the bundle {opened.name!r} has no graph 'spatializer', which the method learned needs; "
        "choose another bundle, or leave it out"
    )


def _scenes(
    library: MaterialLibrary, count: int, seconds: float, seed: int
) -> Iterator[tuple[str, Scene]]:
    """Scenes of all kinds, by turns, so that a stopped run's progress tells the time of all."""
    for index in range(count):
        for kind in KINDS:
            number = _FIRST[kind] + index
            rng = scene_rng(seed, number)
            key = (seed, number)
            if kind == "pair":
                yield kind, draw_pair(rng, library, seconds, key)
            else:
                yield kind, _draw_one(rng, library, seconds, kind, key)


def _draw_one(
    rng: np.random.Generator,
    library: MaterialLibrary,
    seconds: float,
    kind: str,
    seed: tuple[int, int],
) -> Scene:
    # Where there are real panoramas, only those are asked about.
    motion: Motion = "moving" if kind == "moving" else "still"
    return sample_scene(rng, library, seconds, (1, 1), motion, procedural_background=0.0, seed=seed)


def _made(
    engine: _Engine, scene: Scene, library: MaterialLibrary, truth: Foa, folder: Path
) -> tuple[dict[str, Foa], dict[str, Any]]:
    """What the methods make of a scene; its files are gone afterwards."""
    if not engine.methods:
        return {}, {}
    from omniaudio_studio.media.wav import write_wav

    clip, recording = folder / "scene.mp4", folder / "recording.wav"
    write_clip(scene, library, clip, engine.cancel)
    write_wav(recording, truth[:1], RATE)
    made = engine.fields(clip, recording, scene)
    clip.unlink()
    recording.unlink()
    return made


def _spatialize(
    engine: _Engine, method: str, clip: Path, recording: Path, output: Path
) -> SpatializeResult:
    """Run one method as any front end would."""
    from omniaudio_studio.jobs.spatialize import run_spatialize
    from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

    request = SpatializeRequest(
        clip=clip,
        output=output,
        audio=recording,
        method=method,
        bundle=engine.bundle,
        device=engine.device,
    )
    return run_spatialize(request, cancel=engine.cancel)


def _read(path: Path, samples: int) -> Foa:
    """A field of the scene's length; the last picture may last longer than the scene."""
    from omniaudio_studio.media.audio import read_foa

    foa, rate = read_foa(path, "ambix")
    if rate != RATE or foa.shape[1] < samples:
        raise ValueError(f"expected {samples} samples at {RATE} Hz, found {foa.shape[1]} at {rate}")
    return foa[:, :samples]


def _one_source(
    scene: Scene, library: MaterialLibrary, fields: dict[str, Foa]
) -> dict[str, dict[str, float]]:
    """All measures of fields with one source, by method and name."""
    truth, source = fields["truth"], scene.sources[0]
    vectors = source.vectors(middles(scene.seconds))
    power = frame_power(source_signal(source, library, scene.samples), vectors.shape[1])
    sounds = active(power)
    # One gain for a scene brings W to a mean square of 1: loud scenes count like quiet ones.
    level = 1 / np.sqrt(np.mean(np.square(truth[0], dtype=np.float64)))
    true = level * truth[1:]
    scores = {}
    for method, foa in fields.items():
        errors = frame_errors(foa, RATE, vectors, FRAME_SECONDS)
        made = level * foa[1:]
        values = {
            "angle": float(np.average(errors[sounds], weights=power[sounds])),
            "stft": stft_distance(made, true, RATE),
            "env": envelope_distance(made, true),
            "lsd": log_spectral_distance(made, true, RATE),
        }
        for name, length in WINDOWS.items():
            maps = map_scores(foa, truth, RATE, length)
            values[f"emd_{name}"] = maps.emd
            values[f"cc_{name}"] = maps.correlation
            values[f"auc_{name}"] = maps.auc
        scores[method] = values
    return scores


def _two_sources(
    scene: Scene, fields: dict[str, Foa], guesses: Array
) -> dict[str, dict[str, float]]:
    """Whether the two highest peaks of each field's histogram are the two sources: 1 or 0.

    A random field has one direction and so one peak; for chance two guessed peaks stand in.
    """
    directions = source_directions(scene)
    scores = {}
    for method, foa in fields.items():
        peaks = guesses
        if method != "random":
            peaks = highest_peaks(direction_histogram(foa, RATE), 2)
        scores[method] = {"found": float(all_found(peaks, directions, TOLERANCE))}
    return scores


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=0)
