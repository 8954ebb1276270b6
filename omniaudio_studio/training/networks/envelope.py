"""The outline of a sound's spectrum, straight into latents and back.

A latent frame's log powers in mel bands are, to 99 % of their variance, a mixture of a few dozen
patterns, the principal components of the training sounds. `Envelope` starts as just that: one
matrix in, which stays, and one out, which is trained. What a network adds on either side is then
detail from the first step on, and sounds that were never seen keep their outline.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from omniaudio_studio.training.networks.spectrum import mel_interpolation, mel_matrix

#: Mel bands of the outline.
BANDS = 64
#: Least power of a band: -90 dB of a sine at full scale.
FLOOR = 1e-9
#: Spread of the latents' noise in the least of the patterns when training starts, and the least of
#: all: the strong patterns take less of it, as all errors count alike in the sound.
_SPREAD, _LEAST = 0.25, 0.02


class Envelope(nn.Module):
    """Log powers in bands ``[B, F, BANDS]`` of F = ``frames`` * T frames <-> latents ``[B, C, T]``.

    Parameters
    ----------
    latents
        C, at most ``frames * BANDS``.
    frames
        Spectrum frames per latent frame.
    bins, sample_rate
        Of the spectra.
    """

    mel: Tensor
    to_bins: Tensor

    def __init__(self, latents: int, frames: int, bins: int, sample_rate: int) -> None:
        super().__init__()
        self.frames = frames
        mel = mel_matrix(BANDS, bins, sample_rate)
        self.register_buffer("mel", mel, persistent=False)  # [K, BANDS]
        to_bins = mel_interpolation(BANDS, bins, sample_rate)  # [BANDS, K]
        self.register_buffer("to_bins", to_bins, persistent=False)
        # Not trained further: its many inputs move together, so that steps that suit the networks
        # would throw the latents about.
        self.into = nn.Linear(frames * BANDS, latents).requires_grad_(False)
        self.out = nn.Linear(latents, frames * BANDS)
        nn.init.constant_(self.out.bias, -16.0)

    def levels(self, power: Tensor) -> Tensor:
        """Spectral powers ``[B, F, K]`` -> natural log of the power in each band."""
        return torch.log((power @ self.mel).clamp(min=FLOOR))

    def encode(self, levels: Tensor) -> Tensor:
        """``[B, F, BANDS]`` -> ``[B, C, T]``."""
        return self.into(self._patches(levels)).transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """``[B, C, T]`` -> natural log of magnitudes ``[B, F, K]``, smooth over the bins."""
        levels = self.out(latents.transpose(1, 2)).unflatten(-1, (self.frames, BANDS))
        return 0.5 * (levels.flatten(1, 2) @ self.to_bins)

    @torch.no_grad()
    def fit(self, levels: Tensor) -> Tensor:
        """Take the principal components of ``[B, F, BANDS]``, each scaled to unit variance.

        Returns
        -------
        Tensor
            ``[C]``, the noise that each latent should start with: one size in the sound.
        """
        patches = self._patches(levels).flatten(0, 1).double()
        middle = patches.mean(dim=0)
        centred = patches - middle
        variance, patterns = torch.linalg.eigh(centred.T @ centred / len(patches))
        count = self.into.out_features
        size = variance[-count:].flip(0).clamp(min=1e-6).sqrt()
        patterns = patterns[:, -count:].flip(1)
        self.into.weight.copy_((patterns / size).T)
        self.into.bias.copy_(-(middle @ (patterns / size)))
        self.out.weight.copy_(patterns * size)
        self.out.bias.copy_(middle)
        return (_SPREAD * size[-1] / size).clamp(_LEAST, _SPREAD).float()

    def _patches(self, levels: Tensor) -> Tensor:
        return levels.unflatten(1, (-1, self.frames)).flatten(2)
