"""A bundle under test: it looks at a clip once, and generates from what it saw again and again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.engine.given_features import GivenFeatures
from omniaudio_studio.evaluation.scenes import open_bundle

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.engine.plan import GenerationSettings
    from omniaudio_studio.media.probe import ClipInfo

Foa = NDArray[np.float32]


@dataclass(frozen=True)
class Latents:
    """What an encoder says of a sound: ``mean`` and, where it tells, ``spread``, float32 (C, T)."""

    mean: Foa
    spread: Foa | None


@dataclass(frozen=True)
class Seen(GivenFeatures):
    """The features of every window of one plan, as the engine made them."""

    parts: tuple[dict[str, Foa], ...] = ()

    def windows(
        self,
        times: Sequence[NDArray[np.float64]],
        advance: Callable[[int], None] | None = None,
    ) -> Generator[dict[str, Foa], None, None]:
        """The windows' features; the plan is the one that was looked at."""
        for _, part in zip(times, self.parts, strict=True):
            yield part


class Subject:
    """A bundle, loaded.

    Parameters
    ----------
    bundle
        A bundle, its name or its path.
    device, cancel
        As for `engine.generate.Generator`.
    """

    def __init__(
        self, bundle: Bundle | str | Path, device: str, cancel: CancelToken | None
    ) -> None:
        from omniaudio_studio.engine.generate import Generator

        self.bundle = open_bundle(bundle)
        self.generator = Generator(self.bundle, device)
        self.generator.load(cancel)
        self._cancel = cancel

    @property
    def rate(self) -> int:
        """Samples per second of what it makes."""
        return self.generator.sample_rate

    @property
    def encodes(self) -> bool:
        """Whether the bundle has an encoder, so that sounds go through its VAE and back."""
        return "vae_encoder" in self.bundle.manifest.graphs

    def look(self, info: ClipInfo, settings: GenerationSettings) -> Seen:
        """All that the bundle sees of a clip; ``settings`` say where its front is."""
        from omniaudio_studio.engine.features import stream_features

        manifest = self.bundle.manifest
        plan = self.generator.plan(info, settings)

        def vision(graph: str, frames: Foa) -> Foa:
            session = self.generator.graphs.get(graph, self._cancel)
            return session.run({"frames": frames}, self._cancel)["features"]

        parts = tuple(
            stream_features(
                info,
                plan.window_times,
                manifest.views,
                vision,
                fronts=plan.window_fronts,
                cancel=self._cancel,
            )
        )
        return Seen(info.path, plan.feature_rate, parts[0], parts)

    def make(self, info: ClipInfo, seen: Seen, settings: GenerationSettings) -> Foa:
        """What the engine makes of a clip that was looked at: float32 (4, samples)."""
        blocks: list[Foa] = []
        self.generator.generate(info, settings, [blocks.append], cancel=self._cancel, given=seen)
        return np.concatenate(blocks, axis=1)

    def encode(self, foa: Foa) -> Latents:
        """Latents of a field (4, n) at :attr:`rate`, silence after its end."""
        from omniaudio_studio.engine.decoding import CHANNELS

        manifest = self.bundle.manifest
        hop = manifest.latent.hop
        padded = np.zeros((1, 4, -(-foa.shape[1] // hop) * hop), np.float32)
        order = [CHANNELS.index(channel) for channel in manifest.channel_order]
        padded[0, :, : foa.shape[1]] = foa[order]
        session = self.generator.graphs.get("vae_encoder", self._cancel)
        found: Mapping[str, Foa] = session.run({"audio": padded}, self._cancel)
        return Latents(found["mean"][0], found["scale"][0] if "scale" in found else None)

    def decode(self, latents: Foa, samples: int) -> Foa:
        """The sound (4, samples) of latents (C, T), decoded as the engine does."""
        from omniaudio_studio.engine.decoding import decode_all

        manifest = self.bundle.manifest
        sound = decode_all(
            self.generator.graphs.get("vae_decoder", self._cancel),
            latents,
            manifest.latent.hop,
            manifest.decoder.context,
            manifest.decoder.chunk,
            manifest.channel_order,
            cancel=self._cancel,
        )
        return sound[:, :samples]
