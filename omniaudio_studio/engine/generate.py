"""From a clip to first-order ambisonics: frames, features, latents, sound, as a stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as Stream
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.devices import ProviderChoice, choose_provider
from omniaudio_studio.engine.encoding import Surroundings, encode
from omniaudio_studio.engine.execution import Execution, Take, shaped
from omniaudio_studio.engine.feature_store import kept_features
from omniaudio_studio.engine.features import stream_features
from omniaudio_studio.engine.given_features import GivenFeatures, check_given
from omniaudio_studio.engine.graphs import Graphs
from omniaudio_studio.engine.joining import Joiner, Sink
from omniaudio_studio.engine.plan import (
    GenerationSettings,
    Plan,
    plan_generation,
    total_frames,
)
from omniaudio_studio.engine.progress import Meter, Progress
from omniaudio_studio.errors import OptionError

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]


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
    low_memory
        Whether one graph at a time was in memory.
    """

    samples: int
    sample_rate: int
    provider: ProviderChoice
    seconds: float
    stages: Mapping[str, float]
    windows: int
    warnings: tuple[str, ...] = ()
    low_memory: bool = False


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
        self.graphs = Graphs(bundle, self.provider)

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

    def load(
        self, cancel: CancelToken | None = None, *, vision: bool = True, sampler: str = "euler"
    ) -> None:
        """Load a sampler's graphs that are not loaded; without ``vision`` all but those that look.

        Raises
        ------
        BundleError
            If a graph cannot be loaded, or lacks an input or output of the contract.
        """
        manifest = self.bundle.manifest
        needed = ("conditioner", manifest.dit_of(sampler), "vae_decoder")
        for key in (*(manifest.vision_graphs if vision else ()), *needed):
            self.graphs.get(key, cancel)

    def encode(self, foa: Array, cancel: CancelToken | None = None) -> Array:
        """Latents (C, T) of a sound (4, T * hop) at :attr:`sample_rate`, W Y Z X.

        Raises
        ------
        BundleError
            If the bundle has no encoder, or it breaks the contract.
        Cancelled
            If ``cancel`` said so.
        """
        manifest = self.bundle.manifest
        session = self.graphs.get("vae_encoder", cancel)
        shape = (1, manifest.latent.channels, foa.shape[1] // manifest.latent.hop)

        def run(audio: Array) -> Array:
            return shaped(session, session.run({"audio": audio}, cancel)["mean"], shape)

        return encode(run, foa, manifest.channel_order)

    def close(self) -> None:
        """Free the graphs; the next use loads them again."""
        self.graphs.close()

    def generate(
        self,
        info: ClipInfo,
        settings: GenerationSettings,
        sinks: Sequence[Sink],
        progress: Callable[[Progress], None] | None = None,
        cancel: CancelToken | None = None,
        around: Surroundings | None = None,
        *,
        clip_sha256: Callable[[], str] | None = None,
        given: GivenFeatures | None = None,
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
        around
            What the range's two ends are held to, so that the sound goes on from what is there.
        clip_sha256
            Gives the clip's SHA-256, waiting for it if need be: features are kept on disk by it
            (`engine.feature_store`), and none are kept where it is None.
        given
            Features of the clip: nothing is looked at.

        Raises
        ------
        OptionError, BundleError, DeviceError, MediaError
            One line each.
        Cancelled
            If ``cancel`` said so. The sinks have received a part by then.
        """
        begun = time.monotonic()
        check_given(self.bundle.manifest, given is not None)
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
        low_memory = settings.low_memory or self.graphs.too_large(plan.sampler)
        self.graphs.one_at_a_time = low_memory
        if not low_memory:
            self.load(cancel, vision=False, sampler=plan.sampler)
        warnings: list[str] = []
        run = Execution(self.graphs, self.bundle, plan, meter, cancel, around)
        takes = [Take(index, Joiner(sink), run.decoder()) for index, sink in enumerate(sinks)]

        def seen(count: int) -> None:
            meter.advance("frames", count)

        features: Stream[Mapping[str, Array], None, None]
        if given is not None:
            given.check_shapes(self.graphs.get("conditioner", cancel).inputs)
            features = given.windows(plan.window_times, seen)
        else:
            kept = None
            if clip_sha256 is not None:
                kept = kept_features(info, self.bundle, self.provider, clip_sha256)
            features = stream_features(
                info,
                plan.window_times,
                self.bundle.manifest.views,
                run.vision,
                kept=kept,
                fronts=plan.window_fronts,
                cancel=cancel,
                advance=seen,
                on_warning=warnings.append,
            )
        with closing(features):
            run.run(takes, features, in_stages=low_memory)
            # Let the stream end, so that it can keep what it has seen and tell of damage.
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
            low_memory=low_memory,
        )
