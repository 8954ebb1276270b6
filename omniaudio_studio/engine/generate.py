"""From a clip to first-order ambisonics: frames, features, latents, sound, as a stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.decoding import ChunkedDecoder
from omniaudio_studio.engine.devices import ProviderChoice, choose_provider
from omniaudio_studio.engine.features import FeatureCache, stream_features
from omniaudio_studio.engine.joining import Joiner, Sink
from omniaudio_studio.engine.noise import initial_noise, take_seed
from omniaudio_studio.engine.plan import (
    GenerationSettings,
    Plan,
    Shot,
    plan_generation,
    total_frames,
)
from omniaudio_studio.engine.progress import Meter, Progress
from omniaudio_studio.engine.resample import resampling_matrix
from omniaudio_studio.engine.sampler import SCHEDULES, euler, guided
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.windows import Window, clamp, context_inputs
from omniaudio_studio.errors import BundleError, OptionError

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]
CONTEXT = ("context", "context_mask")


@dataclass(frozen=True)
class GenerationResult:
    """What was done.

    Parameters
    ----------
    samples, sample_rate
        Length of every take, at the bundle's rate.
    provider
        What ran the graphs, and why.
    seconds
        Wall time, all in all.
    stages
        Wall time by stage: frames (decoding video and vision), sampling, decoding (sound).
    windows
        Windows that were sampled, for each take.
    warnings
        One line each (damaged frames).
    """

    samples: int
    sample_rate: int
    provider: ProviderChoice
    seconds: float
    stages: Mapping[str, float]
    windows: int
    warnings: tuple[str, ...] = ()


@dataclass
class _Take:
    """One result in the making."""

    index: int
    joiner: Joiner
    decoder: ChunkedDecoder
    previous: Array | None = None  # the last window's latents (C, T)
    seed: int = 0


class Generator:
    """A bundle, ready to generate again and again.

    Graphs are loaded at the first use (or by :meth:`load`) and stay loaded. Not for use from
    several threads at once.

    Parameters
    ----------
    bundle
        A verified bundle.
    device
        "auto", "cpu", "cuda", "directml" or "coreml".

    Raises
    ------
    DeviceError
        If a device asked for by name cannot be used.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        self.bundle = bundle
        self.provider = choose_provider(device)
        self._sessions: dict[str, Session] = {}
        self._cache = FeatureCache()

    @property
    def sample_rate(self) -> int:
        """Samples per second of what the sinks receive."""
        return self.bundle.manifest.sample_rate

    def plan(self, info: ClipInfo, settings: GenerationSettings) -> Plan:
        """What :meth:`generate` will do: nothing runs, every setting is checked (OptionError)."""
        return plan_generation(info, settings, self.bundle.manifest)

    def samples(self, info: ClipInfo, settings: GenerationSettings) -> int:
        """Samples that each take will have."""
        return self.plan(info, settings).samples

    def load(self, cancel: CancelToken | None = None) -> None:
        """Load the graphs that are not loaded yet.

        Raises
        ------
        BundleError
            If a graph cannot be loaded, or lacks an input or output of the contract.
        """
        manifest = self.bundle.manifest
        names = [view.name for view in manifest.views]
        ports: dict[str, tuple[Sequence[str], Sequence[str]]] = {
            view.graph: (["frames"], ["features"]) for view in manifest.views
        }
        ports["conditioner"] = (names, ["local", "global_"])
        ports["dit"] = (["x", "t", "local", "global_"], ["v"])
        ports["vae_decoder"] = (["z"], ["audio"])
        for key, (inputs, outputs) in ports.items():
            if key not in self._sessions:
                session = Session(self.bundle.graph(key), self.provider, cancel)
                session.require(inputs, outputs)
                self._sessions[key] = session
        dit = self._sessions["dit"]
        for name in manifest.guidance.drop:
            if name not in dit.inputs:
                raise BundleError(
                    f"{self.bundle.path}: guidance.drop: {name!r} is no input of the DiT; "
                    f"it has {', '.join(dit.inputs)}; correct bundle.json"
                )
        width = dit.inputs["x"][1]
        if isinstance(width, int) and width != manifest.latent.channels:
            raise BundleError(
                f"{self.bundle.path}: latent.channels: expected {width} as in the DiT, found "
                f"{manifest.latent.channels}; correct bundle.json"
            )

    def close(self) -> None:
        """Free the graphs and the features kept; the next use loads them again."""
        self._sessions.clear()
        self._cache = FeatureCache()

    def generate(
        self,
        info: ClipInfo,
        settings: GenerationSettings,
        sinks: Sequence[Sink],
        progress: Callable[[Progress], None] | None = None,
        cancel: CancelToken | None = None,
    ) -> GenerationResult:
        """Generate every take, as streams.

        Parameters
        ----------
        info
            The clip, as `media.probe` gives it.
        settings
            What to generate.
        sinks
            One for each take: receives float32 (4, n) blocks, W Y Z X, SN3D, at
            :attr:`sample_rate`, of any size n; together exactly the range's samples.
        progress
            Receives reports, in this thread.
        cancel
            Stops the work, inside a running graph too.

        Raises
        ------
        OptionError, BundleError, DeviceError, MediaError
            One line each.
        Cancelled
            If ``cancel`` said so. The sinks have received a part by then.
        """
        begun = time.monotonic()
        plan = self.plan(info, settings)
        if len(sinks) != plan.takes:
            raise OptionError(f"expected a sink for each of {plan.takes} takes, found {len(sinks)}")
        meter = Meter(
            {
                "frames": total_frames(plan.window_times),
                "sampling": sum(len(shot.windows) for shot in plan.shots) * plan.steps * plan.takes,
                "decoding": sum(shot.latents for shot in plan.shots) * plan.takes,
            },
            plan.samples / self.sample_rate,
            progress,
        )
        meter.start()
        self.load(cancel)
        warnings: list[str] = []
        run = _Run(self._sessions, self.bundle, plan, meter, cancel)
        takes = [_Take(index, Joiner(sink), run.decoder()) for index, sink in enumerate(sinks)]
        features = stream_features(
            info,
            plan.window_times,
            self.bundle.manifest.views,
            run.vision,
            cache=self._cache,
            cancel=cancel,
            advance=lambda count: meter.advance("frames", count),
            on_warning=warnings.append,
        )
        for shot in plan.shots:
            run.shot(shot, takes, features)
        # Let the stream end, so that it can keep what it has seen.
        for _ in features:
            pass
        return GenerationResult(
            samples=plan.samples,
            sample_rate=self.sample_rate,
            provider=self.provider,
            seconds=time.monotonic() - begun,
            stages=dict(meter.seconds),
            windows=sum(len(shot.windows) for shot in plan.shots),
            warnings=tuple(warnings),
        )


class _Run:
    """One call of :meth:`Generator.generate`: the graphs, the plan and who is told."""

    def __init__(
        self,
        sessions: Mapping[str, Session],
        bundle: Bundle,
        plan: Plan,
        meter: Meter,
        cancel: CancelToken | None,
    ) -> None:
        self._sessions = sessions
        self._manifest = bundle.manifest
        self._plan = plan
        self._meter = meter
        self._cancel = cancel
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
        self, shot: Shot, takes: Sequence[_Take], features: Iterator[Mapping[str, Array]]
    ) -> None:
        """Generate one shot of every take."""
        for take in takes:
            take.joiner.begin(shot.samples, shot.tail)
            take.previous = None
            take.seed = take_seed(shot.seed, take.index)
        for window in shot.windows:
            with self._meter.timed("frames"):
                seen = next(features)
                conditions = self._conditions(seen, window.length)
            for take in takes:
                with self._meter.timed("sampling"):
                    latents = self._sample(shot, window, take, conditions)
                take.previous = latents
                # The overlap is the previous window's to the bit: everything else is new, and no
                # later window will change it.
                self._hear(take, take.decoder.push(latents[:, window.overlap :]))
        for take in takes:
            self._hear(take, take.decoder.finish())
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
        self, shot: Shot, window: Window, take: _Take, conditions: Mapping[str, Array]
    ) -> Array:
        """Latents (C, T) of one window."""
        channels = self._manifest.latent.channels
        noise = initial_noise(take.seed, shot.first_frame + window.start, window.length, channels)
        known = np.zeros((channels, 0), dtype=np.float32)
        if take.previous is not None and window.overlap:
            known = take.previous[:, -window.overlap :]
        inputs = dict(conditions)
        if self._takes_context:
            inputs.update(context_inputs(known, window.length))
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
        """The values, refused where their shape is not the contract's."""
        if values.shape != shape:
            raise BundleError(
                f"{self._sessions[graph].path}: expected a result of shape {shape}, found "
                f"{values.shape}; export the model again, with the rates of its bundle.json"
            )
        return values

    def _hear(self, take: _Take, blocks: Iterator[Array]) -> None:
        """Hand decoded blocks on."""
        while True:
            with self._meter.timed("decoding"):
                block = next(blocks, None)
            if block is None:
                return
            self._meter.advance("decoding", block.shape[1] // self._manifest.latent.hop)
            if self._cancel is not None:
                self._cancel.check()
            take.joiner.write(block)
