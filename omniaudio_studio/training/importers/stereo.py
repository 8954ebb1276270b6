"""A stereo VAE ("Oobleck", as Stability publishes it) made the beginning of a four-channel one.

Left and right are the sum and the difference of W and Y, as in pseudo-ambisonics: W = (L + R) /
sqrt 2 and Y = (L - R) / sqrt 2. So the first and the last convolution are turned, and nothing is
lost: W and Y go through as L and R did. Z and X begin with zeros; their weights learn all the same,
since what they are multiplied with, and what they are compared with, is none.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import torch
from torch import Tensor

from omniaudio_studio.errors import BundleError, OutputError
from omniaudio_studio.files import check_output, reason, written_whole
from omniaudio_studio.training.importers.weights import Weights, fill, folded, read_weights
from omniaudio_studio.training.networks.oobleck import Oobleck, OobleckConfig

#: How names begin in whole models, in training files of the autoencoder, and in exported ones.
_PREFIXES = ("diffusion.pretransform.model.", "pretransform.model.", "autoencoder.", "")
_FIRST = "encoder.layers.0.weight"


def load_stereo(path: Path) -> Oobleck:
    """Read a stereo VAE; its sizes are those of its tensors.

    Raises
    ------
    MissingFileError, BundleError
        If it is not there, cannot be read, or is no stereo VAE of this kind.
    """
    weights = folded(_own(read_weights(path)))
    config = _config(weights, path)
    if config.audio != 2:
        raise BundleError(
            f"{path}: expected a VAE of 2 channels, found {config.audio}; one of 4 needs no change"
        )
    with torch.device("meta"):
        vae = Oobleck(config)
    fill(vae, weights, str(path))
    return vae.eval().requires_grad_(False)


def inflated(stereo: Oobleck) -> Oobleck:
    """The four-channel VAE (W, Y, Z, X) that does with W and Y what the stereo one does with
    left and right; Z and X are not seen, and silent."""
    config = OobleckConfig(**{**vars(stereo.config), "audio": 4})
    weights = dict(stereo.state_dict())
    last = f"decoder.layers.{len(config.strides) + 2}.weight"
    weights[_FIRST] = _turned(weights[_FIRST].transpose(0, 1)).transpose(0, 1).contiguous()
    weights[last] = _turned(weights[last])
    with torch.device("meta"):
        vae = Oobleck(config)
    fill(vae, weights, "the inflated VAE")
    return vae.eval().requires_grad_(False)


def write_inflated(source: Path, out: Path, *, overwrite: bool = False) -> float:
    """Inflate the VAE in a file into another, `.safetensors`.

    Returns
    -------
    float
        Largest difference between the two: latents and sound of half a second of noise, by their
        standard deviation. (Rounding, 1e-5 and less.)

    Raises
    ------
    OmniAudioError
        One line; nothing is at ``out`` then that was not there before.
    """
    from safetensors.torch import save_file

    if out.parent.is_dir():  # else it is made once there is something to be written
        check_output(out, overwrite=overwrite)
    stereo = load_stereo(source)
    four = inflated(stereo)
    gap = difference(stereo, four)
    if not gap < 1e-3:
        raise BundleError(f"{source}: inflated, it differs by {gap:.2g}: are its weights finite?")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {out.parent}: {reason(error)}") from error
    with written_whole(out, overwrite=overwrite) as beside:
        save_file(
            {name: value.contiguous() for name, value in four.state_dict().items()},
            beside,
            {"channels": "W, Y, Z, X", "made_of": source.name},
        )
    return gap


@torch.no_grad()
def difference(stereo: Oobleck, four: Oobleck) -> float:
    """How far the two are apart on the same sound."""
    generator = torch.Generator().manual_seed(0)
    sound = 0.1 * torch.randn(1, 2, 12 * stereo.config.hop, generator=generator)
    field = _turned(sound[0])[None]
    latents, _ = stereo.encoder(sound)
    found, _ = four.encoder(field)
    expected = _turned(stereo.decoder(latents)[0])
    made = four.decoder(latents)[0]
    gaps = [
        (found - latents).abs().max() / latents.std(),
        (made - expected).abs().max() / expected.std(),
    ]
    return float(max(gaps))


def _turned(pair: Tensor) -> Tensor:
    """Left and right (2, ...) as W, Y, Z, X (4, ...)."""
    left, right = pair
    nothing = torch.zeros_like(left)
    half = math.sqrt(0.5)
    return torch.stack([half * (left + right), half * (left - right), nothing, nothing])


def _own(weights: Weights) -> Weights:
    """The VAE's tensors, by names that begin with "encoder." and "decoder."."""
    for prefix in _PREFIXES:
        found = {
            name.removeprefix(prefix): value
            for name, value in weights.items()
            if re.match(rf"{re.escape(prefix)}(en|de)coder\.layers\.", name)
        }
        if found:
            return found
    return weights


def _config(weights: Weights, path: Path) -> OobleckConfig:
    """Sizes from the shapes of the encoder's convolutions."""
    try:
        width, audio, _ = weights[_FIRST].shape
        widths: list[int] = []
        strides: list[int] = []
        while (name := f"encoder.layers.{len(strides) + 1}.layers.4.weight") in weights:
            outputs, _, kernel = weights[name].shape
            widths.append(outputs)
            strides.append(kernel // 2)
        latent = weights[f"encoder.layers.{len(strides) + 2}.weight"].shape[0] // 2
    except (KeyError, ValueError) as error:
        raise BundleError(
            f"{path} is no VAE of Stability's kind (expected encoder.layers.* and "
            "decoder.layers.*); get the published weights"
        ) from error
    multiples = tuple(outputs // width for outputs in widths)
    return OobleckConfig(audio, width, multiples, tuple(strides), latent)
