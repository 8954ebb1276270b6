"""Who turns excerpts into what the generator is trained on: a run's networks, or a bundle's graphs.

Encoders are small when pickled; networks and sessions are made where they are first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import CHANNELS, load_manifest
from omniaudio_studio.bundles.paths import inside, sha256_of
from omniaudio_studio.errors import BundleError, MissingFileError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.panorama.views import View, normalise

if TYPE_CHECKING:
    from omniaudio_studio.training.networks.vae import SpectralVAE
    from omniaudio_studio.training.presets import Preset
    from omniaudio_studio.training.stages.vision import Sight

Array = NDArray[np.float32]
#: Pictures that a vision graph is given at once.
BATCH = 16
_STAGES = ("vae", "vision")  # of a run, that it takes to encode


class Encoder(Protocol):
    """Sound to latents, pictures to features.

    Attributes
    ----------
    rate, hop
        Samples per second, and per latent frame.
    channels
        Of the latents.
    feature_rate
        Pictures per second.
    views
        Pictures that are looked at.
    threads
        CPU threads that it may use, 0 for the libraries' own choice.
    """

    threads: int

    @property
    def rate(self) -> int: ...
    @property
    def hop(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def feature_rate(self) -> float: ...
    @property
    def views(self) -> tuple[View, ...]: ...

    def listing(self) -> dict[str, Any]:
        """Names and SHA-256 of the networks, as plain data."""
        ...

    def sound(self, foa: Foa) -> tuple[Array, Array]:
        """Field ``(4, T * hop)``, W Y Z X -> mean and standard deviation ``(C, T)``."""
        ...

    def pictures(self, views: Mapping[str, NDArray[np.uint8]]) -> dict[str, Array]:
        """Views, uint8 ``(S, height, width, 3)`` -> features ``(S, ...)`` by name."""
        ...


class RunEncoder:
    """The networks that a run trained: latents of its VAE, `summary` of what its vision sees.

    Parameters
    ----------
    run
        Folder of the run; the stages vae and vision have been trained.
    preset
        By default the one that the run's run.json names.

    Raises
    ------
    MissingFileError, MediaError
        If a stage has not run, or a file cannot be read.
    """

    def __init__(self, run: Path, preset: Preset | None = None, threads: int = 0) -> None:
        from omniaudio_studio.training.presets import preset_of_run
        from omniaudio_studio.training.stages.vae import vae_config
        from omniaudio_studio.training.views import EQUIRECT, FRONT

        self.run, self.threads = run, threads
        self.preset = preset if preset is not None else preset_of_run(run)
        for stage in _STAGES:
            if not (run / f"{stage}.ckpt").is_file():
                raise MissingFileError(f"no checkpoint at {run / stage}.ckpt: train {stage} first")
        config = vae_config(self.preset)
        self.rate, self.hop, self.channels = config.sample_rate, config.latent_hop, config.channels
        self.feature_rate = self.preset.feature_rate
        self.views = (EQUIRECT, FRONT)

    def __reduce__(self) -> tuple[Any, ...]:
        return RunEncoder, (self.run, self.preset, self.threads)

    def listing(self) -> dict[str, Any]:
        # The scenes, since latents are scaled by what they are over them.
        files = (*(f"{stage}.ckpt" for stage in _STAGES), "scenes/scenes.json")
        return {name: sha256_of(self.run / name) for name in files}

    def sound(self, foa: Foa) -> tuple[Array, Array]:
        import torch

        vae, _ = self._networks
        with torch.no_grad():
            spectrum = vae.encoder.spectrum.fast(torch.from_numpy(foa)[None])
            mean, std = vae.encoder.encode_spectrum(spectrum.real, spectrum.imag)
        return mean[0].numpy(), std[0].numpy()

    def pictures(self, views: Mapping[str, NDArray[np.uint8]]) -> dict[str, Array]:
        import torch

        _, sight = self._networks
        with torch.no_grad():
            around, ahead = (
                sight.features(torch.from_numpy(normalise(views[view.name], view))[None])
                for view in self.views
            )
            summary = sight.localiser.summarise(around, ahead)
        return {"summary": summary[0].numpy()}

    @cached_property
    def _networks(self) -> tuple[SpectralVAE, Sight]:
        import torch

        from omniaudio_studio.training.memory import keep_freed_memory
        from omniaudio_studio.training.scenes import open_scene_set
        from omniaudio_studio.training.stages.vae import load_vae
        from omniaudio_studio.training.stages.vision import load_sight

        keep_freed_memory()
        if self.threads:
            torch.set_num_threads(self.threads)
        scenes = open_scene_set(self.run / "scenes")
        vae = load_vae(self.preset, scenes, self.run / "vae.ckpt")
        return vae, load_sight(self.preset, len(scenes.classes), self.run / "vision.ckpt")


class BundleEncoder:
    """The graphs of a model bundle: latents of `vae_encoder`, features of each view's graph.

    A feature has the name of its view, as the bundle's conditioner takes it.

    Parameters
    ----------
    folder
        Of the bundle, unpacked.

    Raises
    ------
    MissingFileError, BundleError
        If it is no bundle, or has no graphs to encode with.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.folder, self.threads = folder, threads
        self.manifest = load_manifest(folder)
        if "vae_encoder" not in self.manifest.graphs:
            raise BundleError(
                f"the bundle {self.manifest.name!r} has no graph vae_encoder to encode sound with; "
                "get one that has, or encode with a run"
            )
        if not self.manifest.sees:
            blind = ", ".join(view.name for view in self.manifest.views if view.graph is None)
            raise BundleError(
                f"the bundle {self.manifest.name!r} has no graph for its views {blind}; import it "
                "with its image tower"
            )
        self.rate, self.hop = self.manifest.sample_rate, self.manifest.latent.hop
        self.channels = self.manifest.latent.channels
        self.feature_rate = self.manifest.features.rate
        self.views = tuple(item.view for item in self.manifest.views)

    def __reduce__(self) -> tuple[Any, ...]:
        return BundleEncoder, (self.folder, self.threads)

    def listing(self) -> dict[str, Any]:
        graphs = ("vae_encoder", *self.manifest.vision_graphs)
        files = self.manifest.files_of(*graphs)
        return {
            "bundle": self.manifest.name,
            **{name: files[name].sha256 for name in sorted(files)},
        }

    def sound(self, foa: Foa) -> tuple[Array, Array]:
        order = [CHANNELS.index(channel) for channel in self.manifest.channel_order]
        mean, std = self._session("vae_encoder").run(
            ["mean", "scale"], {"audio": np.ascontiguousarray(foa[None, order])}
        )
        return mean[0], std[0]

    def pictures(self, views: Mapping[str, NDArray[np.uint8]]) -> dict[str, Array]:
        features = {}
        for item in self.manifest.views:
            assert item.graph is not None
            session, frames = self._session(item.graph), views[item.name]
            (taken,) = session.get_inputs()
            features[item.name] = np.concatenate(
                [
                    session.run(
                        None, {taken.name: normalise(frames[first : first + BATCH], item.view)}
                    )[0]
                    for first in range(0, len(frames), BATCH)
                ]
            )
        return features

    @cached_property
    def _sessions(self) -> dict[str, Any]:
        return {}

    def _session(self, graph: str) -> Any:
        """The session of a graph, opened once."""
        import onnxruntime

        if graph not in self._sessions:
            name = self.manifest.graphs[graph]
            path = inside(self.folder, name, str(self.folder), f"graphs.{graph}")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self.threads
            try:
                self._sessions[graph] = onnxruntime.InferenceSession(
                    str(path), options, ["CPUExecutionProvider"]
                )
            except Exception as error:  # onnxruntime's own classes differ between versions
                line = (str(error).splitlines() or ["no reason given"])[0]
                raise BundleError(f"{path} cannot be read ({line}); get it again") from error
        return self._sessions[graph]
