"""Makes every field of one scene, by all methods under test, and measures them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.evaluation.scenes import write_clip
from omniaudio_studio.evaluation.starter import measures
from omniaudio_studio.evaluation.starter.coding import (
    latent_bits,
    opus_round_trip,
    without_phase,
)
from omniaudio_studio.evaluation.starter.kinds import IMPULSE, PAIR, SINGLE
from omniaudio_studio.evaluation.starter.measures import Field, at_rate
from omniaudio_studio.evaluation.starter.report import FEW
from omniaudio_studio.evaluation.starter.subject import Seen, Subject
from omniaudio_studio.evaluation.tagging import Tagger

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.engine.plan import GenerationSettings

KINDS = {
    SINGLE: {"directions", "class", "vae", "few", "guidance"},
    PAIR: {"two"},
    IMPULSE: {"onset"},
}
"""The parts that ask for each kind of scenes."""

_COMPARED = {"directions", "two", "class", "onset"}  # what bundles are compared by
_CODED = ("truth", "reconstruction", "phase", "opus")


@dataclass(frozen=True)
class Maker:
    """A method that generates: whose it is, with which settings, of which kinds of scenes."""

    name: str
    subject: Subject
    settings: GenerationSettings
    kinds: frozenset[str]


def makers_of(
    main: Subject,
    others: Mapping[str, Subject],
    chosen: set[str],
    first: GenerationSettings,
    second: GenerationSettings,
    guidance: Sequence[float],
) -> list[Maker]:
    """All that generate, the bundle itself first."""
    compared = frozenset(kind for kind, asking in KINDS.items() if asking & chosen & _COMPARED)
    single = frozenset({SINGLE})
    against = single if chosen & {"few", "guidance"} else frozenset()
    makers = [Maker("generated", main, first, compared | against)]
    if "few" in chosen:
        cfg = first.cfg if second.cfg is None else second.cfg
        makers.append(Maker(FEW, main, replace(second, cfg=cfg), single))
    if "guidance" in chosen:
        makers += [
            Maker(f"cfg {scale:g}", main, replace(first, cfg=float(scale)), single)
            for scale in guidance
        ]
    makers += [Maker(f"ablation {name}", each, first, compared) for name, each in others.items()]
    return makers


class Job:
    """Makes and measures the fields of one scene after another."""

    def __init__(
        self,
        library: MaterialLibrary,
        main: Subject,
        makers: Sequence[Maker],
        chosen: set[str],
        tagger: Tagger | None,
        front: float | str | None,
        cancel: CancelToken | None,
    ) -> None:
        self._library = library
        self._main = main
        self._makers = makers
        self._chosen = chosen
        self._tagger = tagger
        self._front = front
        self._inside = front_view(main.bundle)
        self._cancel = cancel
        self.working = self.made_seconds = 0.0
        self.bits: dict[str, list[float]] = {}

    def fields(self, kind: str, index: int, scene: Scene, clip: Path) -> dict[str, Field]:
        """The true field of a scene and what is made of it, by method; its clip is gone after."""
        truth = render_foa(scene, self._library)
        fields = {"truth": Field(truth, RATE)}
        if self._main.encodes:
            fields["reconstruction"] = self._reconstruction(kind, scene, truth)
        if kind == SINGLE and "vae" in self._chosen:
            fields["phase"] = Field(without_phase(truth), RATE)
            # At the rate of this scene's own latents; as low as it goes where they tell none.
            coded, bits = opus_round_trip(truth, self.bits.get("latents", [0.0])[-1])
            fields["opus"] = Field(coded, RATE)
            self.bits.setdefault("opus", []).append(bits)
        makers = [maker for maker in self._makers if kind in maker.kinds]
        if makers:
            write_clip(scene, self._library, clip, self._cancel)
            fields |= self._generated(makers, index, clip)
            clip.unlink()
        return fields

    def _generated(self, makers: Sequence[Maker], index: int, clip: Path) -> dict[str, Field]:
        """What each method makes of a clip; every bundle looks at it once."""
        from omniaudio_studio.engine.front import with_front
        from omniaudio_studio.media.probe import probe

        info = probe(clip)
        seen: dict[int, tuple[Seen, tuple[tuple[float, float], ...]]] = {}
        fields = {}
        for maker in makers:
            subject, started = maker.subject, time.monotonic()
            settings = replace(maker.settings, seed=index)
            if id(subject) not in seen:
                manifest = subject.bundle.manifest
                placed = with_front(settings, self._front, info, manifest, cancel=self._cancel)
                seen[id(subject)] = subject.look(info, placed), placed.fronts
            looked, fronts = seen[id(subject)]
            foa = subject.make(info, looked, replace(settings, fronts=fronts))
            fields[maker.name] = Field(foa, subject.rate)
            if maker.name == "generated":
                self.working += time.monotonic() - started
                self.made_seconds += foa.shape[1] / subject.rate
        return fields

    def _reconstruction(self, kind: str, scene: Scene, truth: NDArray[np.float32]) -> Field:
        """A field through the VAE and back: its mean latents, decoded as the engine does."""
        own = at_rate(truth, RATE, self._main.rate)
        latents = self._main.encode(own)
        if kind == SINGLE and "vae" in self._chosen:
            bits = latent_bits(latents, scene.seconds)
            if bits is not None:
                self.bits.setdefault("latents", []).append(bits)
        return Field(self._main.decode(latents.mean, own.shape[1]), self._main.rate)

    def scores(
        self, kind: str, scene: Scene, fields: Mapping[str, Field], rng: np.random.Generator
    ) -> list[measures.Scores]:
        """All that is asked about a scene of this kind."""
        if kind == PAIR:
            return [measures.pairs(scene, fields, rng)]
        if kind == IMPULSE:
            return [measures.onsets(scene, fields)]
        found = [
            measures.angles(scene, self._library, fields, self._inside, rng),
            measures.levels(fields),
        ]
        if self._tagger is not None:
            found.append(measures.classes(scene, fields, self._tagger))
        if "vae" in self._chosen:
            coded = {m: f for m, f in fields.items() if m in _CODED}
            found.append(measures.mel(coded))
        return found


def front_view(bundle: Bundle) -> measures.Inside:
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
