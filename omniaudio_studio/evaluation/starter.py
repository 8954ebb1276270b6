"""How well a bundle puts sounds where they are seen, on scenes that it has not been trained on.

Every scene has one source. It is rendered to a 360 video file, the engine generates from that file
as from any clip, and the direction of arrival of what it made is compared with the scene's track.
Beside it stand the true field (what the measure itself costs, reflections included), the VAE's
reconstruction of the true field (the best that any latent could do), a random direction and "always
in front".
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from omniaudio_studio.evaluation.metrics import (
    CHANCE,
    Statistics,
    frame_errors,
    statistics,
)
from omniaudio_studio.evaluation.scenes import (
    FRAME_SECONDS,
    active,
    check_options,
    frame_power,
    middles,
    open_bundle,
    write_clip,
)
from omniaudio_studio.files import mark_temporary
from omniaudio_studio.foa.direction import angular_error, direction_of_arrival

if TYPE_CHECKING:
    from rich.console import Group

    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.engine.generate import GenerationSettings, Generator

METHODS = {
    "truth": "True sound field",
    "reconstruction": "VAE reconstruction",
    "generated": "Generated",
    "random": "Random direction",
    "front": "Always in front",
}
GROUPS = {
    "all": "All frames",
    "still": "Still sources",
    "moving": "Moving sources",
    "inside": "In front view",
    "outside": "Outside front view",
    "clip": "Still, whole clip",
}


@dataclass(frozen=True)
class Report:
    """The result: statistics by method and group, and what they were measured on.

    Attributes
    ----------
    rows
        By method (see :data:`METHODS`) and group (:data:`GROUPS`); groups without scenes are
        missing. Errors are means of each scene's frames, in radians; "clip" compares one direction
        for the whole clip.
    settings
        Everything that decides the numbers.
    speed
        Seconds of scenes generated per second of work, vision and sampling and decoding together.
    provider
        What ran the graphs.
    """

    rows: dict[str, dict[str, Statistics]]
    settings: dict[str, Any]
    speed: float
    provider: str
    scenes: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; angles in radians."""
        return {
            "settings": self.settings,
            "chance": CHANCE,
            "speed": self.speed,
            "provider": self.provider,
            "errors": {
                method: {group: value.as_dict() for group, value in groups.items()}
                for method, groups in self.rows.items()
            },
            "scenes": self.scenes,
        }

    def table(self) -> Group:
        """What a terminal shows: the errors of all frames, and means by kind of scene."""
        from rich.console import Group
        from rich.table import Table

        whole = Table(title="Angular error, radians (chance: 1.571)", caption=self._caption())
        for heading in ("", "mean", "95 % interval", "median", "scenes"):
            whole.add_column(heading, justify="right" if heading else "left")
        parts = Table(title="Mean angular error by kind, radians")
        parts.add_column("")
        shown = [g for g in GROUPS if g != "all" and any(g in row for row in self.rows.values())]
        for group in shown:
            parts.add_column(GROUPS[group], justify="right", max_width=10)
        for method, groups in self.rows.items():
            value = groups["all"]
            interval = f"{value.low:.3f} to {value.high:.3f}"
            whole.add_row(
                METHODS[method],
                f"{value.mean:.3f}",
                interval,
                f"{value.median:.3f}",
                str(value.count),
            )
            cells = [f"{groups[g].mean:.3f}" if g in groups else "-" for g in shown]
            parts.add_row(METHODS[method], *cells)
        return Group(whole, "", parts)

    def _caption(self) -> str:
        return (
            f"{self.settings['count']} single-source scenes of {self.settings['seconds']:g} s; "
            f"CFG {self.settings['cfg']:g}, {self.settings['steps']} steps; "
            f"{self.speed:.1f} times real time on {self.provider}"
        )


def evaluate_starter(
    bundle: Bundle | str | Path,
    *,
    sounds: Path | None = None,
    panoramas: Path | None = None,
    panorama_names: Sequence[str] | None = None,
    sprites: Path | None = None,
    folds: Sequence[int] | None = (4,),
    count: int = 50,
    seed: int = 1000,
    seconds: float = 8.0,
    motion: Motion = "mixed",
    cfg: float | None = None,
    steps: int | None = None,
    device: str = "auto",
    front: float | str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
) -> Report:
    """Measure the direction of what a bundle generates.

    Parameters
    ----------
    bundle
        A bundle, its name or its path.
    sounds, panoramas, panorama_names, sprites, folds
        Material, as for `datasets.library.MaterialLibrary`; none that the bundle was trained on.
        Without a sounds folder, procedural sounds serve and ``folds`` is not used.
    count, seed, seconds, motion
        How many scenes, from which seed, how long, still or moving or mixed.
    cfg, steps
        The bundle's own where None.
    device
        As for `engine.generate.Generator`.
    front
        Where the model's front view looks, as in a request: an azimuth in degrees, "auto", or
        straight ahead where None. "In front view" stays what is seen straight ahead.
    progress, cancel
        Told after each step of a scene (in scenes), asked all the time.

    Returns
    -------
    Report

    Raises
    ------
    OmniAudioError
        One line each: bundle, material or option.
    """
    check_options(count, seed, seconds)
    opened = open_bundle(bundle)
    library = MaterialLibrary(
        sounds, panoramas, sprites, folds if sounds is not None else None, panorama_names
    )
    from omniaudio_studio.engine.generate import GenerationSettings, Generator

    generator = Generator(opened, device)
    generator.load(cancel)
    reconstruct = _Reconstruction(opened, generator, cancel)
    tally = _Tally(_front_view(opened))
    rng = np.random.default_rng([seed, 1])
    begun, working = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory(prefix="omniaudio-evaluate-") as folder:
        mark_temporary(Path(folder))
        for index in range(count):
            scene = sample_scene(
                scene_rng(seed, index),
                library,
                seconds,
                (1, 1),
                motion,
                # Where there are real panoramas, only those are asked about.
                procedural_background=0.0,
                seed=(seed, index),
            )
            truth = render_foa(scene, library)
            clip = Path(folder) / "scene.mp4"
            write_clip(scene, library, clip, cancel)
            started = time.monotonic()
            wanted = GenerationSettings(cfg=cfg, steps=steps, seed=index)
            made, rate = _generate(generator, clip, wanted, front, cancel)
            working += time.monotonic() - started
            clip.unlink()
            fields = {"truth": (truth, RATE), "generated": (made, rate)}
            if reconstruct.possible:
                fields["reconstruction"] = reconstruct(_at_rate(truth, rate)), rate
            tally.add(scene, library, fields, rng)
            if progress is not None:
                spent = time.monotonic() - begun
                left = spent / (index + 1) * (count - index - 1)
                progress(Progress("scenes", index + 1.0, float(count), left))
    manifest = opened.manifest
    settings = {
        "bundle": opened.name,
        "bundle_sha256": opened.sha256,
        "count": count,
        "seed": seed,
        "seconds": seconds,
        "motion": motion,
        "cfg": manifest.sampler.cfg if cfg is None else cfg,
        "steps": manifest.sampler.steps if steps is None else steps,
        "front": front,
        "frame_seconds": FRAME_SECONDS,
        "folds": None if sounds is None or folds is None else list(folds),
        "panoramas": None if panorama_names is None else list(panorama_names),
        "classes": list(library.classes),
    }
    return Report(
        rows=tally.rows(),
        settings=settings,
        speed=count * seconds / working,
        provider=generator.provider.provider,
        scenes=tally.scenes,
    )


def _generate(
    generator: Generator,
    clip: Path,
    settings: GenerationSettings,
    front: float | str | None,
    cancel: CancelToken | None,
) -> tuple[NDArray[np.float32], int]:
    """What the engine makes of a clip, float32 (4, samples), and its rate."""
    from omniaudio_studio.engine.front import with_front
    from omniaudio_studio.media.probe import probe

    info = probe(clip)
    settings = with_front(settings, front, info, generator.bundle.manifest, cancel=cancel)
    blocks: list[NDArray[np.float32]] = []
    generator.generate(info, settings, [blocks.append], cancel=cancel)
    return np.concatenate(blocks, axis=1), generator.sample_rate


def _at_rate(foa: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if rate == RATE:
        return foa
    import soxr

    return np.ascontiguousarray(soxr.resample(foa.T, RATE, rate, quality="HQ").T, np.float32)


class _Reconstruction:
    """A bundle's VAE there and back: the mean latents of a field, decoded as the engine does."""

    def __init__(self, bundle: Bundle, generator: Generator, cancel: CancelToken | None) -> None:
        from omniaudio_studio.engine.decoding import CHANNELS
        from omniaudio_studio.engine.sessions import Session

        self.possible = "vae_encoder" in bundle.manifest.graphs
        self._manifest = bundle.manifest
        self._cancel = cancel
        self._order = [CHANNELS.index(channel) for channel in bundle.manifest.channel_order]
        if self.possible:
            self._encoder = Session(bundle.graph("vae_encoder"), generator.provider, cancel)
            self._encoder.require(["audio"], ["mean"])
            self._decoder = Session(bundle.graph("vae_decoder"), generator.provider, cancel)

    def __call__(self, foa: NDArray[np.float32]) -> NDArray[np.float32]:
        from omniaudio_studio.engine.decoding import decode_all

        manifest = self._manifest
        hop = manifest.latent.hop
        samples = foa.shape[1]
        padded = np.zeros((1, 4, -(-samples // hop) * hop), np.float32)
        padded[0, :, :samples] = foa[self._order]
        latents = self._encoder.run({"audio": padded}, self._cancel)["mean"][0]
        sound = decode_all(
            self._decoder,
            latents,
            hop,
            manifest.decoder.context,
            manifest.decoder.chunk,
            manifest.channel_order,
            cancel=self._cancel,
        )
        return sound[:, :samples]


def _front_view(bundle: Bundle) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
    """Says which unit vectors (3, n) lie within the bundle's frontal view (120 degrees without)."""
    half_width, half_height = np.tan(np.radians(60)), np.tan(np.radians(60))
    for item in bundle.manifest.views:
        view = item.view
        straight = view.yaw == view.pitch == view.roll == 0
        if view.kind == "perspective" and view.fov is not None and straight:
            half_width = np.tan(np.radians(view.fov) / 2)
            half_height = half_width * view.height / view.width
            break

    def inside(vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
        x, y, z = vectors
        return (x > 0) & (np.abs(y) <= half_width * x) & (np.abs(z) <= half_height * x)

    return inside


class _Tally:
    """Collects errors by method and group, one value per scene."""

    def __init__(self, inside: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> None:
        self._inside = inside
        self._values: dict[tuple[str, str], list[float]] = {}
        self.scenes: list[dict[str, Any]] = []

    def add(
        self,
        scene: Scene,
        library: MaterialLibrary,
        fields: dict[str, tuple[NDArray[np.float32], int]],
        rng: np.random.Generator,
    ) -> None:
        """Take the fields of one scene, by method, each with its rate."""
        source = scene.sources[0]
        vectors = source.vectors(middles(scene.seconds))
        frames = vectors.shape[1]
        sounds = active(frame_power(source_signal(source, library, scene.samples), frames))
        inside = self._inside(vectors)
        errors = {
            method: frame_errors(foa, rate, vectors, FRAME_SECONDS)
            for method, (foa, rate) in fields.items()
        }
        guesses = rng.standard_normal((3, frames))  # a new one for each frame
        guesses /= np.linalg.norm(guesses, axis=0)
        errors["random"] = np.arccos(np.clip((guesses * vectors).sum(axis=0), -1, 1))
        errors["front"] = np.arccos(np.clip(vectors[0], -1, 1))
        motion = "moving" if source.moving else "still"
        for method, values in errors.items():
            self._note(method, "all", values[sounds])
            self._note(method, motion, values[sounds])
            self._note(method, "inside", values[sounds & inside])
            self._note(method, "outside", values[sounds & ~inside])
            if not source.moving:
                self._note(method, "clip", self._whole(method, fields, values, source.direction(0)))
        self.scenes.append(
            {
                "seed": list(scene.seed),
                "class": source.name,
                "motion": motion,
                "azimuth": float(source.azimuth[0]),
                "elevation": float(source.elevation[0]),
                "frames": int(sounds.sum()),
                "errors": {method: float(v[sounds].mean()) for method, v in errors.items()},
            }
        )

    @staticmethod
    def _whole(
        method: str,
        fields: dict[str, tuple[NDArray[np.float32], int]],
        values: NDArray[np.float64],
        direction: tuple[float, float],
    ) -> NDArray[np.float64]:
        """Error of one direction for the whole clip."""
        if method not in fields:
            return values[:1]  # one guess for all of it
        return np.atleast_1d(angular_error(*direction_of_arrival(fields[method][0]), *direction))

    def _note(self, method: str, group: str, values: NDArray[np.float64]) -> None:
        if values.size:
            self._values.setdefault((method, group), []).append(float(values.mean()))

    def rows(self) -> dict[str, dict[str, Statistics]]:
        """Statistics by method and group, in the order of their tables."""
        found: dict[str, dict[str, Statistics]] = {}
        for method in METHODS:
            for group in GROUPS:
                value = statistics(self._values.get((method, group), []))
                if value is not None:
                    found.setdefault(method, {})[group] = value
        return found
