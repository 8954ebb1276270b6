"""A plan carried out: shot by shot and window by window, for every take at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.decoding import ChunkedDecoder
from omniaudio_studio.engine.encoding import Surroundings
from omniaudio_studio.engine.joining import Joiner
from omniaudio_studio.engine.noise import initial_noise, take_seed
from omniaudio_studio.engine.plan import Plan, Shot
from omniaudio_studio.engine.progress import Meter
from omniaudio_studio.engine.resample import resampling_matrix
from omniaudio_studio.engine.sampler import SCHEDULES, euler, guided
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


class Execution:
    """The graphs, the plan and who is told.

    Parameters
    ----------
    sessions
        Every graph that the plan needs, by its key.
    around
        What the range's two ends are held to; None where nothing is.
    """

    def __init__(
        self,
        sessions: Mapping[str, Session],
        bundle: Bundle,
        plan: Plan,
        meter: Meter,
        cancel: CancelToken | None,
        around: Surroundings | None,
    ) -> None:
        self._sessions = sessions
        self._manifest = bundle.manifest
        self._plan = plan
        self._meter = meter
        self._cancel = cancel
        self._around = around
        self._takes_context = all(name in sessions["dit"].inputs for name in CONTEXT)
        self._schedule = SCHEDULES[self._manifest.sampler.schedule](plan.steps)

    def decoder(self) -> ChunkedDecoder:
        """A decoder for one take."""
        return ChunkedDecoder(
            self._decode,
            self._manifest.latent.hop,
            self._manifest.decoder.context,
            self._manifest.decoder.chunk,
            self._manifest.channel_order,
        )

    def vision(self, graph: str, frames: Array) -> Array:
        """Features of a batch of frames."""
        return self._sessions[graph].run({"frames": frames}, self._cancel)["features"]

    def _decode(self, latents: Array) -> Array:
        audio = self._sessions["vae_decoder"].run({"z": latents}, self._cancel)["audio"]
        return self._shaped(
            "vae_decoder", audio, (1, 4, latents.shape[2] * self._manifest.latent.hop)
        )

    def shot(
        self, shot: Shot, takes: Sequence[Take], features: Iterator[Mapping[str, Array]]
    ) -> None:
        """Generate one shot of every take."""
        for take in takes:
            take.joiner.begin(shot.samples, shot.tail)
            take.previous = None
            take.seed = take_seed(shot.seed, take.index)
        around: list[Stretch] = []
        if self._around is not None:
            first, last = (shot is self._plan.shots[index] for index in (0, -1))
            hop = self._manifest.latent.hop
            around = self._around.stretches(shot, hop, first=first, last=last)
        for window in shot.windows:
            with self._meter.timed("frames"):
                seen = next(features)
                conditions = self._conditions(seen, window.length)
            for take in takes:
                with self._meter.timed("sampling"):
                    latents = self._sample(shot, window, take, conditions, around)
                take.previous = latents
                # The overlap is the previous window's to the bit: everything else is new, and no
                # later window will change it.
                self._hear(take, take.decoder.push(latents[:, window.overlap :]), shot.front)
        for take in takes:
            self._hear(take, take.decoder.finish(), shot.front)
            take.joiner.finish()

    def _conditions(self, features: Mapping[str, Array], latents: int) -> dict[str, Array]:
        """`local` at the latent rate (1, T, d) and `global_` for a window."""
        outputs = self._sessions["conditioner"].run(
            {name: value[None] for name, value in features.items()}, self._cancel
        )
        local = outputs["local"]
        count = len(next(iter(features.values())))
        self._shaped("conditioner", local, (1, count, local.shape[-1]))
        matrix = resampling_matrix(
            self._manifest.features.resampling,
            latents,
            count,
            self._manifest.sample_rate / self._manifest.latent.hop,
            self._plan.feature_rate,
        )
        return {"local": (matrix @ local[0])[None], "global_": outputs["global_"]}

    def _sample(
        self,
        shot: Shot,
        window: Window,
        take: Take,
        conditions: Mapping[str, Array],
        around: Sequence[Stretch],
    ) -> Array:
        """Latents (C, T) of one window."""
        channels = self._manifest.latent.channels
        noise = initial_noise(take.seed, shot.first_frame + window.start, window.length, channels)
        stretches = list(around)
        if take.previous is not None:
            # The window before ends where this one's overlap does.
            end = window.start + window.overlap
            stretches.append((end - take.previous.shape[1], take.previous))
        known = known_in(window, channels, stretches)
        inputs = dict(conditions)
        if self._takes_context:
            inputs.update(context_inputs(known))
        velocity = guided(
            self._model, inputs, self._manifest.guidance.drop, shot.cfg,
            self._manifest.guidance.rescale,
        )  # fmt: skip
        # Where a guidance scale is beyond all use, that is told once, at the end.
        with np.errstate(over="ignore", invalid="ignore"):
            x = euler(
                velocity,
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

    def _model(self, x: Array, t: Array, inputs: Mapping[str, Array]) -> Array:
        v = self._sessions["dit"].run({"x": x, "t": t, **inputs}, self._cancel)["v"]
        return self._shaped("dit", v, x.shape)

    def _shaped(self, graph: str, values: Array, shape: tuple[int, ...]) -> Array:
        return shaped(self._sessions[graph], values, shape)

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
