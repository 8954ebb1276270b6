"""CLIP's image tower from a folder of the hub, its names put into ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch

from omniaudio_studio.bundles.fields import read_fields
from omniaudio_studio.errors import BundleError, MissingFileError
from omniaudio_studio.training.importers.weights import Names, Weights, fill, read_weights
from omniaudio_studio.training.networks.clip import ACTIVATIONS, ImageTower, TowerConfig

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

_LAYER = r"vision_model\.encoder\.layers\.(\d+)\."
_NAMES = Names(
    (
        (r"vision_model\.embeddings\.class_embedding", "first"),
        (r"vision_model\.embeddings\.patch_embedding\.", "patches."),
        (r"vision_model\.embeddings\.position_embedding\.weight", "positions"),
        # (Written so in the published files.)
        (r"vision_model\.pre_layrnorm\.", "before."),
        (r"vision_model\.post_layernorm\.", "after."),
        (r"visual_projection\.", "project."),
        (rf"{_LAYER}layer_norm([12])\.", r"blocks.\1.norm\2."),
        (rf"{_LAYER}self_attn\.([qkv])_proj\.", r"blocks.\1.\2."),
        (rf"{_LAYER}self_attn\.out_proj\.", r"blocks.\1.out."),
        (rf"{_LAYER}mlp\.fc1\.", r"blocks.\1.up."),
        (rf"{_LAYER}mlp\.fc2\.", r"blocks.\1.down."),
    )
)


def read_tower_config(path: Path) -> TowerConfig:
    """Sizes from the hub's `config.json`, whose absent values are those of its own software.

    Raises
    ------
    BundleError
        If it is no JSON, or describes no image tower that we have.
    """
    whole = read_fields(path)
    vision = whole.section("vision_config")

    def size(name: str, default: int) -> int:
        return vision.integer(name, default, minimum=1, maximum=1 << 16)

    config = TowerConfig(
        image=size("image_size", 224),
        patch=size("patch_size", 32),
        width=size("hidden_size", 768),
        depth=size("num_hidden_layers", 12),
        heads=size("num_attention_heads", 12),
        hidden=size("intermediate_size", 3072),
        embedding=whole.integer("projection_dim", 512, minimum=1, maximum=1 << 16),
        activation=vision.choice("hidden_act", ACTIVATIONS, "quick_gelu"),
        epsilon=vision.number("layer_norm_eps", 1e-5, above=0.0, maximum=1.0),
    )
    if config.width % config.heads:
        vision.fail("num_attention_heads", f"a divisor of {config.width}", config.heads)
    if config.image % config.patch:
        vision.fail("patch_size", f"a divisor of {config.image}", config.patch)
    return config


def load_tower(folder: Path) -> ImageTower:
    """The image tower in a folder with `config.json` and `model.safetensors` (or its parts).

    What belongs to the text tower is left out.

    Raises
    ------
    MissingFileError, BundleError
        If a file is not there, cannot be read, or does not hold the tower that its config says.
    """
    config = read_tower_config(folder / "config.json")
    weights = _joined(_renamed(_read(folder), str(folder)))
    with torch.device("meta"):
        tower = ImageTower(config)
    fill(tower, weights, f"{folder}, image tower")
    return tower.eval().requires_grad_(False)


def _read(folder: Path) -> Weights:
    if not (folder / INDEX).is_file():
        return read_weights(folder / SINGLE)
    try:
        parts = set(json.loads((folder / INDEX).read_bytes())["weight_map"].values())
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BundleError(f"{folder / INDEX} is no index of weights; get it again") from error
    weights: Weights = {}
    for part in sorted(map(str, parts)):
        if Path(part).name != part:
            raise BundleError(f"{folder / INDEX} names {part!r}, which is not in its folder")
        weights |= read_weights(folder / part)
    return weights


def _renamed(weights: Weights, source: str) -> Weights:
    result: Weights = {}
    for name, value in weights.items():
        # Position numbers are in some files, the text tower in most.
        if name.endswith("position_ids") or not name.startswith(("vision_model.", "visual_")):
            continue
        renamed = _NAMES(name)
        if renamed is None:
            raise BundleError(f"{source}: the tensor {name} is unknown; is this a CLIP model?")
        result[renamed] = value
    if not result:
        raise MissingFileError(f"{source} holds no image tower of CLIP (vision_model.*)")
    return result


def _joined(weights: Weights) -> Weights:
    """Queries, keys and values of a layer as one matrix, where all three are there."""
    for name in [name for name in weights if re.fullmatch(r"blocks\.\d+\.q\.\w+", name)]:
        stem, _, kind = name.rpartition("q.")
        parts = [f"{stem}{letter}.{kind}" for letter in "qkv"]
        if all(part in weights for part in parts):
            weights[f"{stem}qkv.{kind}"] = torch.cat([weights.pop(part) for part in parts])
    return weights
