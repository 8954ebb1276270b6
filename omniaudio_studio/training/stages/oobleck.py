"""Stage `vae` of the paper's presets: the four-channel VAE against discriminators.

Losses are those of the published configuration of Stable Audio's VAE, which the paper builds on:
A-weighted multi-resolution STFT loss (each of W, Y, Z, X weighs 1/4), the divergence of the latents
from a normal distribution, hinge losses and feature matching with discriminators of complex
spectra. In the second phase the encoder stays as it is, the decoder learns to fill in what is
masked in its latents, and the discriminators go on. Which values are masked is drawn for each value
of each latent on its own, as in the published training code that the released model came from.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.training.adversarial import losses_of_both
from omniaudio_studio.training.checkpoint import load_average, load_checkpoint, misfit
from omniaudio_studio.training.importers.stereo import inflated, load_stereo
from omniaudio_studio.training.losses import kl_divergence
from omniaudio_studio.training.networks.discriminators import DiscriminatorConfig, Discriminators
from omniaudio_studio.training.networks.oobleck import Oobleck, OobleckConfig
from omniaudio_studio.training.networks.recomputing import recompute
from omniaudio_studio.training.pictures import shown
from omniaudio_studio.training.sounds import Field, Sounds
from omniaudio_studio.training.stft_loss import WINDOWS, STFTLoss
from omniaudio_studio.training.task import Arrays, Losses, Sample, Task, Trained

#: The discriminators' learning rate by the VAE's: 6e-5 and 3e-5.
DISCRIMINATOR_RATE = 2.0
#: An excerpt whose samples are all below this is drawn again, as often as `_TRIES` says.
_QUIET = 1e-4
_TRIES = 8
#: Seconds of sound in the log.
_SHOWN = 3.0


@dataclass(frozen=True)
class OobleckSetup:
    """Sizes, weights of the losses, and which phase.

    Attributes
    ----------
    windows
        Of the STFT loss, in samples.
    kl
        Of mean^2 + std^2 - 1 - log std^2, summed over a latent's values.
    masked
        Part of the latents' values that are set to 0 in phase 2.
    recomputing
        Less memory for more time; see `networks.recomputing`.
    """

    vae: OobleckConfig = field(default_factory=OobleckConfig)
    discriminators: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    windows: tuple[int, ...] = WINDOWS
    sample_rate: int = 44_100
    phase: int = 1
    spectrum: float = 1.0
    kl: float = 1e-4
    adversarial: float = 0.1
    features: float = 5.0
    masked: float = 0.1
    recomputing: bool = False


class OobleckTask(Task):
    """Trains an Oobleck VAE, with weight norm, on excerpts of ``length`` latents.

    Parameters
    ----------
    setup
    sounds
        At the VAE's rate.
    length
        Latents per excerpt.
    seed
        Of the first weights.

    Raises
    ------
    OptionError
        If the sounds are at another rate, or an excerpt is shorter than the longest window needs.
    """

    def __init__(self, setup: OobleckSetup, sounds: Sounds, length: int, seed: int = 0) -> None:
        self.setup, self._sounds, self._samples = setup, sounds, length * setup.vae.hop
        if setup.phase not in (1, 2):
            raise OptionError(f"phase {setup.phase}: expected 1 (all of it) or 2 (decoder alone)")
        if sounds.rate != setup.sample_rate:
            raise OptionError(
                f"the VAE works at {setup.sample_rate} samples a second, the sounds are at "
                f"{sounds.rate}: read them at the VAE's rate, or set the VAE's to theirs"
            )
        longest = max(*setup.windows, *setup.discriminators.windows)
        if self._samples <= longest // 2:
            raise OptionError(
                f"excerpts of {length} latents have {self._samples} samples: expected more than "
                f"{longest // 2}, half the longest window"
            )
        torch.manual_seed(seed)
        super().__init__(normed(Oobleck(setup.vae)))
        self.discriminators = Discriminators(setup.discriminators)
        self._spectra = STFTLoss(setup.sample_rate, setup.windows)
        if setup.recomputing:
            recompute(self.module)
        if setup.phase == 2:
            self.module.encoder.requires_grad_(False)

    module: Oobleck

    @property
    def networks(self) -> dict[str, Trained]:
        return {
            "model": Trained(self.module),
            "discriminator": Trained(self.discriminators, DISCRIMINATOR_RATE),
        }

    def begin_with(self, vae: Oobleck) -> None:
        """Take over the weights of a VAE of the same sizes: an inflated stereo one, say.

        Raises
        ------
        OptionError
            If its sizes are others.
        """
        if vae.config != self.setup.vae:
            raise OptionError(
                f"the VAE to begin with has the sizes {vae.config}, expected {self.setup.vae}"
            )
        weights = normed(copy.deepcopy(vae)).state_dict()
        self.module.load_state_dict(weights)

    def go_on_from(self, checkpoint: Path) -> None:
        """Take over what an earlier phase came to: the averaged VAE, and its discriminators.

        Raises
        ------
        MissingFileError, MediaError
            If the checkpoint is not there, or is one of other networks.
        """
        load_average(checkpoint, self.module)
        try:
            weights = load_checkpoint(checkpoint)["networks"]["discriminator"]
            self.discriminators.load_state_dict(weights)
        except (RuntimeError, KeyError, TypeError) as error:
            raise MediaError(misfit(checkpoint, error)) from error

    def row(self, plan: Any, rng: np.random.Generator) -> Arrays:
        audio = excerpt(self._sounds, self._samples, rng)
        shape = (self.setup.vae.latent, self._samples // self.setup.vae.hop)
        row: Arrays = {"audio": audio, "noise": rng.standard_normal(shape, dtype=np.float32)}
        if self.setup.phase == 2:
            row["kept"] = (rng.random(shape) >= self.setup.masked).astype(np.float32)
        return row

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        setup, real = self.setup, batch["audio"]
        with torch.set_grad_enabled(setup.phase == 1):
            mean, std = self.module.encoder(real)
        latents = mean + std * batch["noise"]
        if setup.phase == 2:
            latents = latents * batch["kept"]
        made = self.module.decoder(latents)
        spectrum = self._spectra.to(real.device)(made, real)
        judged, adversarial, features = losses_of_both(self.discriminators, real, made)
        # Half the sum over a latent's values is its divergence; ours is their mean.
        kl = kl_divergence(mean, std)
        loss = (
            setup.spectrum * spectrum
            + setup.kl * 2 * setup.vae.latent * kl
            + setup.adversarial * adversarial
            + setup.features * features
            + judged
        )
        return {
            "loss": loss,
            "spectrum": spectrum,
            "kl": kl,
            "adversarial": adversarial,
            "features": features,
            "discriminator": judged,
        }

    @torch.no_grad()
    def samples(self, folder: Path) -> dict[str, Sample]:
        """One excerpt, always the same, and what becomes of it."""
        rate, hop = self.setup.sample_rate, self.setup.vae.hop
        samples = max(1, round(_SHOWN * rate / hop)) * hop
        real = excerpt(self._sounds, samples, np.random.default_rng(0))
        device = next(self.module.parameters()).device
        mean, _ = self.module.encoder(torch.from_numpy(real)[None].to(device))
        made = self.module.decoder(mean)[0].float().cpu().numpy()
        loudest = float(20 * np.log10(np.abs(real[0]).max() + 1e-6))
        return shown("recorded", real, rate, loudest) | shown("decoded", made, rate, loudest)


def excerpt(sounds: Sounds, samples: int, rng: np.random.Generator) -> Field:
    """A random excerpt ``(4, samples)``, turned by a random yaw (exact: X and Y rotate), mirrored
    up and down half of the time, and scaled by -12 to +3 dB."""
    for _ in range(_TRIES):
        index = int(rng.integers(len(sounds)))
        start = int(rng.integers(max(1, sounds.length(index) - samples + 1)))
        found = sounds.read(index, start, samples)
        if np.abs(found).max() > _QUIET:
            break
    turned = rotate_yaw(found, float(rng.uniform(-np.pi, np.pi)))
    if rng.random() < 0.5:
        turned[2] = -turned[2]
    return turned * np.float32(10 ** (rng.uniform(-12, 3) / 20))


def normed(vae: Oobleck) -> Oobleck:
    """Weight norm on every convolution, over all dimensions but the first; in place.

    What is nothing has no direction. It is given one, at length 0: so it gives nothing still, and
    learns.
    """
    generator = torch.Generator().manual_seed(0)
    for layer in vae.modules():
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            nothing = layer.weight.detach().flatten(1).norm(dim=1) == 0
            weight_norm(layer, dim=0)
            if nothing.any():
                direction = layer.get_parameter("parametrizations.weight.original1").detach()
                direction[nothing] = torch.randn(direction[nothing].shape, generator=generator)
    return vae


def plain(vae: Oobleck) -> Oobleck:
    """The same VAE without weight norm; in place."""
    for layer in list(vae.modules()):
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            remove_parametrizations(layer, "weight")
    return vae


def load_oobleck(config: OobleckConfig, checkpoint: Path) -> Oobleck:
    """The averaged weights of a checkpoint, weight norm taken off.

    Raises
    ------
    MissingFileError, MediaError
        If it is not there, or is one of other sizes.
    """
    vae = normed(Oobleck(config))
    load_average(checkpoint, vae)
    return plain(vae).eval().requires_grad_(False)


def stereo_beginning(path: Path) -> Oobleck:
    """The four-channel VAE that a stereo one makes; see `importers.stereo`."""
    return inflated(load_stereo(path))
