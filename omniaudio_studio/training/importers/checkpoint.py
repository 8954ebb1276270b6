"""A checkpoint of the released OmniAudio, its names put into ours.

Three layouts are known:
names that begin with ``diffusion.`` (training files, which may hold an averaged copy under
``diffusion_ema.`` too), and the same without it (exported files).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from omniaudio_studio.errors import BundleError
from omniaudio_studio.training.importers.config import ReleasedSetup
from omniaudio_studio.training.importers.weights import Names, Weights, fill, folded, read_weights
from omniaudio_studio.training.networks.oobleck import Oobleck
from omniaudio_studio.training.networks.released_dit import ReleasedConditioner, ReleasedDiT

DIT, CONDITIONS, VAE = "model.model.", "conditioner.conditioners.", "pretransform.model."

# Never executed by the released code: no output depends on them.
_DEAD = re.compile(
    r"model\.model\.(transformer\.layers\.\d+\.cross_att(n|end_norm)\.|to_cond_embed\.)"
    r"|conditioner\.conditioners\.(video_360\.global_proj\.|\w+\.proj_out\.)"
)

_LAYER = r"transformer\.layers\.(\d+)\."
_NAMES = Names(
    (
        (r"model\.model\.timestep_features\.weight", "dit.frequencies"),
        (r"model\.model\.to_timestep_embed\.(\d)\.", r"dit.time.\1."),
        (r"model\.model\.to_global_embed\.(\d)\.", r"conditioner.mlp.\1."),
        (r"model\.model\.preprocess_conv\.", "dit.before."),
        (r"model\.model\.postprocess_conv\.", "dit.after."),
        (r"model\.model\.transformer\.project_(in|out)\.", r"dit.project_\1."),
        (r"model\.model\.transformer\.rotary_pos_emb\.inv_freq", "dit.inverse"),
        (rf"model\.model\.{_LAYER}pre_norm\.gamma", r"dit.blocks.\1.norm1.weight"),
        (rf"model\.model\.{_LAYER}pre_norm\.beta", r"dit.blocks.\1.norm1.bias"),
        (rf"model\.model\.{_LAYER}ff_norm\.gamma", r"dit.blocks.\1.norm2.weight"),
        (rf"model\.model\.{_LAYER}ff_norm\.beta", r"dit.blocks.\1.norm2.bias"),
        (rf"model\.model\.{_LAYER}self_attn\.to_qkv\.", r"dit.blocks.\1.attention.qkv."),
        (rf"model\.model\.{_LAYER}self_attn\.to_out\.", r"dit.blocks.\1.attention.out."),
        (rf"model\.model\.{_LAYER}ff\.ff\.0\.proj\.", r"dit.blocks.\1.up."),
        (rf"model\.model\.{_LAYER}ff\.ff\.2\.", r"dit.blocks.\1.down."),
        (r"conditioner\.conditioners\.video_fov\.embedder\.0\.", "conditioner.front."),
        (r"conditioner\.conditioners\.video_360\.embedder\.0\.", "conditioner.equirect."),
        (r"pretransform\.model\.", "vae."),
    )
)


@dataclass(frozen=True)
class Released:
    """The networks of a checkpoint, and how many of its values are never executed; ``few`` is a
    second transformer, for few steps, which no released checkpoint has."""

    setup: ReleasedSetup
    dit: ReleasedDiT
    conditioner: ReleasedConditioner
    vae: Oobleck
    unused: int
    few: ReleasedDiT | None = None


def load_released(path: Path, setup: ReleasedSetup) -> Released:
    """Read a checkpoint into networks of the sizes in ``setup``.

    Raises
    ------
    MissingFileError, BundleError
        If it is not there or cannot be read, or a tensor is missing, unknown or of another shape:
        its name is told.
    """
    weights, unused = translated(known_layout(read_weights(path), str(path)), str(path))
    with torch.device("meta"):
        parts: dict[str, nn.Module] = {
            "dit": ReleasedDiT(setup.dit),
            "conditioner": ReleasedConditioner(setup.dit),
            "vae": Oobleck(setup.vae),
        }
    for name, module in parts.items():
        own = {key.partition(".")[2]: weights[key] for key in weights if key.startswith(f"{name}.")}
        fill(module, folded(own), f"{path}, {name}")
        module.eval().requires_grad_(False)
    dit, conditioner, vae = parts["dit"], parts["conditioner"], parts["vae"]
    assert isinstance(dit, ReleasedDiT)
    assert isinstance(conditioner, ReleasedConditioner)
    assert isinstance(vae, Oobleck)
    return Released(setup, dit, conditioner, vae, unused)


def known_layout(weights: Weights, source: str) -> Weights:
    """Names without the prefix of training files; averaged copies are left out.

    Raises
    ------
    BundleError
        If it is none of the three layouts.
    """
    prefixed = any(name.startswith("diffusion.") for name in weights)
    result: Weights = {}
    for name, value in weights.items():
        if name.startswith("diffusion_ema."):
            continue
        result[name.removeprefix("diffusion.") if prefixed else name] = value
    if not any(name.startswith(DIT) for name in result):
        first = next(iter(weights))
        raise BundleError(
            f"{source} is no checkpoint of OmniAudio: expected tensors under [diffusion.]{DIT}*, "
            f"found {first!r} and {len(weights) - 1} more"
        )
    return result


def translated(weights: Weights, source: str) -> tuple[Weights, int]:
    """Tensors by our names, and how many values are left out because nothing uses them."""
    result: Weights = {}
    unused = 0
    for name, value in weights.items():
        if _DEAD.match(name):
            unused += value.numel()
            continue
        renamed = _NAMES(name)
        if renamed is None:
            raise BundleError(
                f"{source}: the tensor {name} is unknown; update OmniAudio Studio, or get the "
                "published weights"
            )
        result[renamed] = value
    return result, unused
