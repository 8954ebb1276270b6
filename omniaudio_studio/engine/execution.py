"""A plan carried out: shot by shot and window by window, for every take at once.

As a rule each window passes through all graphs before the next one begins, so that memory stays
flat and sound comes early. In stages, each graph has done all windows before the next one is
loaded: it takes less memory for graphs, and some for what lies between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.decoding import ChunkedDecoder, decode
from omniaudio_studio.engine.encoding import Surroundings
from omniaudio_studio.engine.graphs import Graphs
from omniaudio_studio.engine.joining import Joiner
from omniaudio_studio.engine.noise import initial_noise, take_seed
from omniaudio_studio.engine.plan import Plan, Shot
from omniaudio_studio.engine.progress import Meter
from omniaudio_studio.engine.sampler import SCHEDULES, Model, branches, euler, guided
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.windows import Stretch, Window, clamp, context_inputs, known_in
from omniaudio_studio.errors import BundleError
from omniaudio_studio.foa.rotation import rotate_yaw

Array = NDArray[np.float32]
CONTEXT = ("context", "context_mask")


@dataclass
class Take:
    """One result in the making."""

    index: int
    joiner: Joiner
    decoder: ChunkedDecoder
    previous: Array | None = None  # the last window's latents (C, T)
    seed: int = 0


@dataclass(frozen=True)
class Conditions:
    """A window's, at the feature rate: `local` (1, S, d) and `global_` (1, ...)."""

    local: Array
    global_: Array


class Execution:
    """The graphs, the plan and who is told.

    Parameters
    ----------
    graphs
        The bundle's.
    around
        What the range's two ends are held to; None where nothing is.
    """

    def __init__(
        self,
        graphs: Graphs,
        bundle: Bundle,
        plan: Plan,
        meter: Meter,
        cancel: CancelToken | None,
        around: Surroundings | None,
    ) -> None:
        self._graphs = graphs
        self._manifest = bundle.manifest
        self._plan = plan
        self._meter = meter
        self._cancel = cancel
        self._around = around
        self._schedule = SCHEDULES[self._manifest.sampler.schedule](plan.steps)

    def decoder(self) -> ChunkedDecoder:
        """A decoder for one take."""
        return ChunkedDecoder(
            self._decode,
            self._manifest.decoder.context,
            self._manifest.decoder.chunk,
            self._manifest.channel_order,
            self._graphs.decoders,
        )

    def vision(self, graph: str, frames: Array) -> Array:
        """Features of a batch of frames."""
        # Not loaded before there is something to be looked at.
        session = self._graphs.get(graph, self._cancel)
        return session.run({"frames": frames}, self._cancel)["features"]

    def _decode(self, latents: Array, before: int, after: int) -> Array:
        decoder = self._graphs.get("vae_decoder", self._cancel)
        hop = self._manifest.latent.hop
        audio = decode(decoder, latents, before, after, hop, self._cancel)
        return shaped(decoder, audio, (1, 4, (latents.shape[2] - before - after) * hop))

    def run(
        self,
        takes: Sequence[Take],
        features: Iterator[Mapping[str, Array]],
        *,
        in_stages: bool = False,
    ) -> None:
        """Generate every shot of every take.

        Parameters
        ----------
        takes
            Their sound goes to their joiners.
        features
            Of each window of each shot, in order.
        in_stages
            Vision, conditioner, DiT and decoder one after another. Kept between them are features
            and conditions of all windows (360 kB for a second of the clip with the starter, 115 kB
            with the released model), then the latents of all takes (3 to 6 kB for each).
        """
        if in_stages:
            self._in_stages(takes, features)
            return
        for shot in self._plan.shots:
            self._begin(shot, takes)
            around = self._stretches(shot)
            for window in shot.windows:
                with self._meter.timed("frames"):
                    conditions = self._conditions(next(features))
                for take in takes:
                    latents = self._sampled(shot, window, take, conditions, around)
                    self._hear(take, take.decoder.push(latents), shot.front)
            self._finish(shot, takes)

    def _in_stages(self, takes: Sequence[Take], features: Iterator[Mapping[str, Array]]) -> None:
        """The same numbers in another order: only what is in memory at a time differs."""
        with self._meter.timed("frames"):
            seen = list(features)
            conditions = [self._conditions(seen.pop(0)) for _ in range(len(seen))]
        made: list[list[Array]] = []  # by window, a part for each take
        for shot in self._plan.shots:
            self._begin(shot, takes)
            around = self._stretches(shot)
            for window in shot.windows:
                own = conditions.pop(0)
                made.append([self._sampled(shot, window, take, own, around) for take in takes])
        for shot in self._plan.shots:
            self._begin(shot, takes)
            for _ in shot.windows:
                for take, latents in zip(takes, made.pop(0), strict=True):
                    self._hear(take, take.decoder.push(latents), shot.front)
            self._finish(shot, takes)

    def _begin(self, shot: Shot, takes: Sequence[Take]) -> None:
        for take in takes:
            take.joiner.begin(shot.samples, shot.tail)
            take.previous = None
            take.seed = take_seed(shot.seed, take.index)

    def _finish(self, shot: Shot, takes: Sequence[Take]) -> None:
        for take in takes:
            self._hear(take, take.decoder.finish(), shot.front)
            take.joiner.finish()

    def _stretches(self, shot: Shot) -> list[Stretch]:
        """What the range's surroundings say of a shot."""
        if self._around is None:
            return []
        first, last = (shot is self._plan.shots[index] for index in (0, -1))
        return self._around.stretches(shot, self._manifest.latent.hop, first=first, last=last)

    def _sampled(
        self,
        shot: Shot,
        window: Window,
        take: Take,
        conditions: Conditions,
        around: Sequence[Stretch],
    ) -> Array:
        """What a window adds to a take's latents (C, n).

        The overlap is the previous window's to the bit: everything else is new, and no later window
        will change it.
        """
        with self._meter.timed("sampling"):
            latents = self._sample(shot, window, take, conditions, around)
        take.previous = latents
        return latents[:, window.overlap :]

    def _conditions(self, features: Mapping[str, Array]) -> Conditions:
        """What a window's features make of it."""
        conditioner = self._graphs.get("conditioner", self._cancel)
        outputs = conditioner.run(
            {name: value[None] for name, value in features.items()}, self._cancel
        )
        local = outputs["local"]
        count = len(next(iter(features.values())))
        shaped(conditioner, local, (1, count, local.shape[-1]))
        return Conditions(local, outputs["global_"])

    def _at_latents(self, conditions: Conditions, latents: int) -> dict[str, Array]:
        """`local` at the latent rate (1, T, d) and `global_` for a window."""
        matrix = resampling_matrix(
            self._manifest.features.resampling,
            latents,
            conditions.local.shape[1],
            self._manifest.sample_rate / self._manifest.latent.hop,
            self._plan.feature_rate,
        )
        return {"local": (matrix @ conditions.local[0])[None], "global_": conditions.global_}

    def _sample(
        self,
        shot: Shot,
        window: Window,
        take: Take,
        conditions: Conditions,
        around: Sequence[Stretch],
    ) -> Array:
        """Latents (C, T) of one window."""
        key = self._manifest.dit_of(self._plan.sampler)
        dit = self._graphs.get(key, self._cancel)
        channels = self._manifest.latent.channels
        noise = initial_noise(take.seed, shot.first_frame + window.start, window.length, channels)
        stretches = list(around)
        if take.previous is not None:
            # The window before ends where this one's overlap does.
            end = window.start + window.overlap
            stretches.append((end - take.previous.shape[1], take.previous))
        known = known_in(window, channels, stretches)
        inputs = self._at_latents(conditions, window.length)
        if all(name in dit.inputs for name in CONTEXT):
            inputs.update(context_inputs(known))
        drop, rescale = self._manifest.guidance.drop, self._manifest.guidance.rescale
        cfg = shot.cfg
        if self._plan.sampler == "reflow":
            # The model is told the scale: there is one branch, which is guided already.
            inputs["guidance"] = np.array([cfg], np.float32)
            drop, cfg, rescale = (), 1.0, 0.0
        stepper = self._graphs.stepper(key, self._cancel)
        # Where a guidance scale is beyond all use, that is told once, at the end.
        with np.errstate(over="ignore", invalid="ignore"):
            if stepper is not None:
                x = stepper.sample(
                    branches(inputs, drop, cfg, rescale),
                    noise,
                    known,
                    self._schedule,
                    cfg,
                    rescale,
                    cancel=self._cancel,
                    callback=lambda step: self._meter.advance("sampling"),
                )
            else:
                x = euler(
                    guided(self._velocity(dit), inputs, drop, cfg, rescale),
                    noise[None],
                    self._schedule,
                    before_step=clamp(known, noise),
                    callback=lambda step, x: self._meter.advance("sampling"),
                )
        if not np.isfinite(x).all():
            raise BundleError(
                f"the model {self._manifest.name!r} gave values that are not a number "
                f"(cfg {shot.cfg:g}, {self._plan.steps} steps); use a smaller cfg"
            )
        return x[0]

    def _velocity(self, dit: Session) -> Model:
        def model(x: Array, t: Array, inputs: Mapping[str, Array]) -> Array:
            v = dit.run({"x": x, "t": t, **inputs}, self._cancel)["v"]
            return shaped(dit, v, x.shape)

        return model

    def _hear(self, take: Take, blocks: Iterator[Array], front: float) -> None:
        """Hand decoded blocks on, turned from the shot's front back to the clip's axes."""
        while True:
            with self._meter.timed("decoding"):
                block = next(blocks, None)
            if block is None:
                return
            self._meter.advance("decoding", block.shape[1] // self._manifest.latent.hop)
            if self._cancel is not None:
                self._cancel.check()
            # Each shot by its own angle, before it meets the next.
            take.joiner.write(rotate_yaw(block, front) if front else block)


def shaped(session: Session, values: Array, shape: tuple[int, ...]) -> Array:
    """A graph's result, refused where its shape is not the contract's."""
    if values.shape != shape:
        raise BundleError(
            f"{session.path}: expected a result of shape {shape}, found {values.shape}; "
            "export the model again, with the rates of its bundle.json"
        )
    return values
