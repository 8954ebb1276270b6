"""The narrow random-weight checkpoint of the released layout, and folders as the hub lays them out.

`released/` holds numbers that the released code gave (narrow random weights, 32 bits, CPU): its
checkpoint's live tensors, one call of the transformer, a generation, sound encoded and decoded, and
the largest differences that an independent implementation may show.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

REFERENCE = Path(__file__).parent / "released"
CHECKPOINT = Path("OmniAudio") / "OmniAudio360V2SA"
TOWER = Path("facebook") / "metaclip-h14-fullcc2.5b"

# Shapes of what is in every published checkpoint and never executed.
_DEAD = {
    "model.model.to_cond_embed.0.weight": (64, 64),
    "model.model.to_cond_embed.2.weight": (64, 64),
    "model.model.transformer.layers.0.cross_attend_norm.gamma": (64,),
    "model.model.transformer.layers.0.cross_attn.to_q.weight": (64, 64),
    "conditioner.conditioners.video_fov.proj_out.weight": (64, 1024),
    "conditioner.conditioners.video_360.global_proj.0.bias": (1536,),
}
DEAD_VALUES = sum(int(np.prod(shape)) for shape in _DEAD.values())


def released_state() -> dict[str, Tensor]:
    """Tensors by the names of an exported file, dead ones included."""
    with np.load(REFERENCE / "weights.npz") as file:
        state = {name: torch.from_numpy(file[name]) for name in file.files}
    return state | {name: torch.zeros(shape) for name, shape in _DEAD.items()}


def write_checkpoint(folder: Path, state: dict[str, Any] | None = None) -> Path:
    """Write `model.ckpt` (in the layout of training files) and its `config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    if state is None:
        state = {f"diffusion.{name}": value for name, value in released_state().items()}
    torch.save({"state_dict": state}, folder / "model.ckpt")
    config = (REFERENCE / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config, encoding="utf-8")
    return folder / "model.ckpt"


TOWER_CONFIG = {
    "projection_dim": 1024,
    "vision_config": {
        "image_size": 224,
        "patch_size": 56,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    },
}


def tower_state() -> dict[str, Tensor]:
    """A narrow tower's tensors by the names of the hub, some of the text tower's beside them."""
    generator = torch.Generator().manual_seed(5)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * shape[-1] ** -0.5

    state = {
        "logit_scale": torch.tensor(4.6),
        "text_model.final_layer_norm.weight": random(32),
        "vision_model.embeddings.class_embedding": random(32),
        "vision_model.embeddings.patch_embedding.weight": 0.1 * random(32, 3, 56, 56),
        "vision_model.embeddings.position_embedding.weight": random(17, 32),
        "visual_projection.weight": random(1024, 32),
    }
    norms = ["vision_model.pre_layrnorm", "vision_model.post_layernorm"]
    for index in range(2):
        layer = f"vision_model.encoder.layers.{index}."
        norms += [f"{layer}layer_norm1", f"{layer}layer_norm2"]
        shapes = {f"self_attn.{part}_proj": (32, 32) for part in ("k", "v", "q", "out")}
        shapes |= {"mlp.fc1": (64, 32), "mlp.fc2": (32, 64)}
        for part, shape in shapes.items():
            state[f"{layer}{part}.weight"] = random(*shape)
            state[f"{layer}{part}.bias"] = random(shape[0])
    for norm in norms:
        state[f"{norm}.weight"], state[f"{norm}.bias"] = 1 + 0.1 * random(32), random(32)
    return state


def write_tower(folder: Path) -> Path:
    """Write a narrow tower as the hub lays it out."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(TOWER_CONFIG), encoding="utf-8")
    save_file(tower_state(), folder / "model.safetensors")
    return folder


def write_hub(folder: Path) -> Path:
    """Both, each under its repository's name."""
    write_checkpoint(folder / CHECKPOINT)
    write_tower(folder / TOWER)
    return folder
