"""What an import of the released model takes, at its full size with random weights.

    python benchmarks/released_import.py FOLDER [--precision fp32|fp16] [--size large]

A checkpoint of the released layout (4.9 GB) and a vision tower (2.5 GB) of random numbers are
written into FOLDER, unless they are there from a run before, and imported by the command in a
process of its own: seconds, peak resident memory, size of the bundle. Neither speed nor memory
depends on what the weights are. The bundle stays in FOLDER/bundle-PRECISION; FOLDER needs 25 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from omniaudio_studio.training.importers.hub import CHECKPOINT, TOWER
from omniaudio_studio.training.networks.clip import TowerConfig
from omniaudio_studio.training.networks.oobleck import DILATIONS, OobleckConfig
from omniaudio_studio.training.networks.released_dit import LARGE, MEDIUM, SMALL, ReleasedConfig

SIZES = {"large": LARGE, "medium": MEDIUM, "small": SMALL}
_generator = torch.Generator().manual_seed(0)


def matrix(*shape: int) -> Tensor:
    """Random weights that keep the size of what they are multiplied with."""
    inputs = 1
    for size in shape[1:]:
        inputs *= size
    return torch.randn(*shape, generator=_generator) * max(inputs, 1) ** -0.5


def transformer(config: ReleasedConfig) -> dict[str, Tensor]:
    """The transformer and the conditioners, dead weights included."""
    d, c, f = config.width, config.channels, config.features
    model = "diffusion.model.model."
    state = {
        f"{model}timestep_features.weight": matrix(128, 1),
        f"{model}to_timestep_embed.0.weight": matrix(d, 256),
        f"{model}to_timestep_embed.0.bias": torch.zeros(d),
        f"{model}to_timestep_embed.2.weight": matrix(d, d),
        f"{model}to_timestep_embed.2.bias": torch.zeros(d),
        f"{model}transformer.project_in.weight": matrix(d, c),
        f"{model}transformer.project_out.weight": matrix(c, d),
        f"{model}transformer.rotary_pos_emb.inv_freq": 10000.0 ** -(torch.arange(16) / 16),
        f"{model}preprocess_conv.weight": matrix(c, c, 1),
        f"{model}postprocess_conv.weight": matrix(c, c, 1),
    }
    for part in ("to_cond_embed", "to_global_embed"):
        state |= {f"{model}{part}.{index}.weight": matrix(d, d) for index in (0, 2)}
    for index in range(config.depth):
        layer = f"{model}transformer.layers.{index}."
        for norm in ("pre_norm", "cross_attend_norm", "ff_norm"):
            state[f"{layer}{norm}.gamma"] = torch.ones(d)
            state[f"{layer}{norm}.beta"] = torch.zeros(d)
        state |= {
            f"{layer}self_attn.to_qkv.weight": matrix(3 * d, d),
            f"{layer}self_attn.to_out.weight": matrix(d, d),
            f"{layer}cross_attn.to_q.weight": matrix(d, d),
            f"{layer}cross_attn.to_kv.weight": matrix(2 * d, d),
            f"{layer}cross_attn.to_out.weight": matrix(d, d),
            f"{layer}ff.ff.0.proj.weight": matrix(8 * d, d),
            f"{layer}ff.ff.0.proj.bias": torch.zeros(8 * d),
            f"{layer}ff.ff.2.weight": matrix(d, 4 * d),
            f"{layer}ff.ff.2.bias": torch.zeros(d),
        }
    for view in ("video_fov", "video_360"):
        own = f"diffusion.conditioner.conditioners.{view}."
        for part in ("proj_out", "embedder.0"):
            state[f"{own}{part}.weight"], state[f"{own}{part}.bias"] = matrix(d, f), torch.zeros(d)
    own = "diffusion.conditioner.conditioners.video_360.global_proj.0."
    return state | {f"{own}weight": matrix(1536, d), f"{own}bias": torch.zeros(1536)}


def autoencoder(config: OobleckConfig) -> dict[str, Tensor]:
    """Encoder and decoder with weight norm in the old form."""
    state: dict[str, Tensor] = {}

    def conv(name: str, shape: tuple[int, ...], outputs: int | None) -> None:
        state[f"{name}.weight_v"] = weight = matrix(*shape)
        state[f"{name}.weight_g"] = weight.flatten(1).norm(dim=1)[:, None, None]
        if outputs is not None:
            state[f"{name}.bias"] = torch.zeros(outputs)

    def snake(name: str, width: int) -> None:
        state[f"{name}.alpha"], state[f"{name}.beta"] = torch.zeros(width), torch.zeros(width)

    def unit(name: str, width: int) -> None:
        for index, kernel in ((0, 7), (2, 1)):
            snake(f"{name}.layers.{index}", width)
            conv(f"{name}.layers.{index + 1}", (width, width, kernel), width)

    widths = config.widths
    encoder, decoder = (f"diffusion.pretransform.model.{part}.layers" for part in
                        ("encoder", "decoder"))  # fmt: skip
    conv(f"{encoder}.0", (widths[0], config.audio, 7), widths[0])
    conv(f"{decoder}.0", (widths[-1], config.latent, 7), widths[-1])
    for index, stride in enumerate(config.strides):
        outer, inner = widths[index], widths[index + 1]
        down, up = (
            f"{encoder}.{index + 1}.layers",
            f"{decoder}.{len(config.strides) - index}.layers",
        )
        for number in range(len(DILATIONS)):
            unit(f"{down}.{number}", outer)
            unit(f"{up}.{number + 2}", outer)
        snake(f"{down}.3", outer)
        conv(f"{down}.4", (inner, outer, 2 * stride), inner)
        snake(f"{up}.0", inner)
        conv(f"{up}.1", (inner, outer, 2 * stride), outer)
    last = len(config.strides) + 1
    snake(f"{encoder}.{last}", widths[-1])
    conv(f"{encoder}.{last + 1}", (2 * config.latent, widths[-1], 3), 2 * config.latent)
    snake(f"{decoder}.{last}", widths[0])
    conv(f"{decoder}.{last + 1}", (config.audio, widths[0], 7), None)
    return state


def tower(config: TowerConfig) -> dict[str, Tensor]:
    """The image tower as the hub stores it."""
    d = config.width
    model = "vision_model."
    state = {
        f"{model}embeddings.class_embedding": matrix(d),
        f"{model}embeddings.patch_embedding.weight": matrix(d, 3, config.patch, config.patch),
        f"{model}embeddings.position_embedding.weight": 0.02 * matrix(config.tokens, d),
        "visual_projection.weight": matrix(config.embedding, d),
    }
    norms = [f"{model}pre_layrnorm", f"{model}post_layernorm"]
    for index in range(config.depth):
        layer = f"{model}encoder.layers.{index}."
        norms += [f"{layer}layer_norm1", f"{layer}layer_norm2"]
        sizes = {f"self_attn.{part}_proj": (d, d) for part in ("q", "k", "v", "out")}
        sizes |= {"mlp.fc1": (config.hidden, d), "mlp.fc2": (d, config.hidden)}
        for part, shape in sizes.items():
            state[f"{layer}{part}.weight"] = matrix(*shape)
            state[f"{layer}{part}.bias"] = torch.zeros(shape[0])
    for norm in norms:
        state[f"{norm}.weight"], state[f"{norm}.bias"] = torch.ones(d), torch.zeros(d)
    return state


def write_weights(folder: Path, size: str, vision: bool) -> None:
    """Random weights in the hub's layout, and a config where the size is not the released one."""
    place = folder / CHECKPOINT.name
    if not (place / "model.ckpt").is_file():
        place.mkdir(parents=True, exist_ok=True)
        state = transformer(SIZES[size]) | autoencoder(OobleckConfig())
        torch.save({"state_dict": state}, place / "model.ckpt")
        if size != "large":
            (place / "config.json").write_text(json.dumps(description(SIZES[size])))
    place = folder / TOWER.name
    if vision and not (place / "model.safetensors").is_file():
        from safetensors.torch import save_file

        place.mkdir(parents=True, exist_ok=True)
        config = TowerConfig()
        vision_config = {
            "image_size": config.image,
            "patch_size": config.patch,
            "hidden_size": config.width,
            "num_hidden_layers": config.depth,
            "num_attention_heads": config.heads,
            "intermediate_size": config.hidden,
        }
        data = {"projection_dim": config.embedding, "vision_config": vision_config}
        (place / "config.json").write_text(json.dumps(data))
        save_file(tower(config), place / "model.safetensors")


def description(config: ReleasedConfig) -> dict:
    """A `config.json` of the official schema."""
    vae = OobleckConfig()
    sound = {
        "channels": vae.width,
        "c_mults": list(vae.multiples),
        "strides": list(vae.strides),
    }
    view = {"dim": config.features, "output_dim": config.width}
    return {
        "sample_size": 441_000,
        "sample_rate": 44_100,
        "model": {
            "pretransform": {
                "config": {
                    "encoder": {"config": {"in_channels": 4, "latent_dim": 128, **sound}},
                    "decoder": {"config": {"out_channels": 4, "latent_dim": 64, **sound}},
                }
            },
            "conditioning": {
                "configs": [{"id": name, "config": view} for name in ("video_fov", "video_360")]
            },
            "diffusion": {
                "diffusion_objective": "rectified_flow",
                "config": {
                    "io_channels": config.channels,
                    "embed_dim": config.width,
                    "depth": config.depth,
                    "num_heads": config.heads,
                    "transformer_type": "continuous_transformer",
                },
            },
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "fp16"))
    parser.add_argument("--size", default="large", choices=tuple(SIZES))
    parser.add_argument("--without-vision", action="store_true")
    options = parser.parse_args()
    write_weights(options.folder, options.size, not options.without_vision)
    out = options.folder / f"bundle-{options.precision}"
    command = [
        *(sys.executable, "-m", "omniaudio_studio", "models", "import", "omniaudio"),
        *("--from", str(options.folder), "--precision", options.precision),
        *("--out", str(out), "--overwrite"),
        *(["--without-vision"] if options.without_vision else []),
    ]
    begun = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    size = sum(path.stat().st_size for path in out.iterdir())
    print(
        f"{options.size}, {options.precision}: {seconds:.0f} s, peak {peak / 1e9:.1f} GB, "
        f"bundle {size / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
