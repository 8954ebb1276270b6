"""The paper's networks as a bundle: one graph at a time, each checked against torch."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from omniaudio_studio.bundles.manifest import Manifest, write_manifest
from omniaudio_studio.training.export import (
    GraphCheck,
    GraphPart,
    check_graph,
    dated,
    export_graph,
    few_part,
    latent_fields,
    outputs_of,
)
from omniaudio_studio.training.importers.checkpoint import Released
from omniaudio_studio.training.importers.hub import CHECKPOINT, TOWER
from omniaudio_studio.training.importers.trimming import CONTEXT, trim
from omniaudio_studio.training.networks.clip import ImageTower
from omniaudio_studio.training.networks.released_dit import half
from omniaudio_studio.training.quantising import quantise
from omniaudio_studio.training.stages.reflow import FEW, section

Axes = dict[str, dict[int, str]]

PRECISIONS = ("fp32", "fp16", "int8")
FEATURE_RATE = 8.0
CFG, STEPS = 5.0, 24  # as in the paper; the released script has a guidance scale of 3
DECODER_CHUNK = 32
OVERLAP = 32  # latents that consecutive windows share: 1.5 s

#: Largest difference to torch in 32 bits, by the output's standard deviation.
_TOLERANCE = {"fp32": 1e-3, "fp16": 0.1, "int8": 0.5}

_NAMED = {
    "fp32": "fp32",
    "fp16": "fp16, fp32 in norms, time embedding and Snake",
    "int8": "int8 in the transformer's matrix products, fp32 elsewhere",
}

# CLIP's own mean and deviation of RGB (its published preprocessing).
_NORMALISED = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}

OUTPUTS = {
    "vision": ["features"],
    "conditioner": ["local", "global_"],
    "dit": ["v"],
    "vae_decoder": ["audio"],
    "vae_encoder": ["mean", "scale"],
}

#: Axes that vary, by graph and input; the encoder's depends on the hop.
AXES: dict[str, Axes] = {
    "vision": {"frames": {0: "N"}},
    "conditioner": {view: {0: "B", 1: "frames"} for view in ("equirect", "front")},
    "dit": {
        "x": {0: "B", 2: "T"},
        "t": {0: "B"},
        "local": {0: "B", 1: "T"},
        "global_": {0: "B"},
    },
    "vae_decoder": {"z": {2: "T"}},
}


def graph_bytes(module: nn.Module, precision: str) -> int:
    """About how large a module's graph will be, while it is made: 8 bits are made of 32."""
    return sum(value.numel() for value in module.parameters()) * (2 if precision == "fp16" else 4)


def in_precision(graph: str, module: nn.Module, precision: str) -> nn.Module:
    """The module, its weights turned to 16 bits in place where the precision and the graph want it.

    The conditioner runs once a window: nothing is to be had there.
    """
    return half(module) if precision == "fp16" and graph != "conditioner" else module


def parts_of(released: Released, tower: ImageTower | None) -> Iterator[GraphPart]:
    """The graphs of the bundle, each with random inputs to export and check it on.

    Checks are on fewer latents than a window has: the same code at a third of the time.
    """
    config, vae = released.setup.dit, released.setup.vae
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    axes = {**AXES, "vae_encoder": {"audio": {2: f"{vae.hop}*latents"}}}

    def part(name: str, module: nn.Module, example: dict[str, Tensor]) -> GraphPart:
        return GraphPart(name, module, example, OUTPUTS[name], axes[name], 0.0)

    if tower is not None:
        size = tower.config.image
        yield part("vision", tower, {"frames": random(2, 3, size, size)})
    features = {name: random(2, 9, config.features) for name in AXES["conditioner"]}
    yield part("conditioner", released.conditioner, features)
    length = 64
    steps = {
        "x": random(2, config.channels, length),
        "t": torch.rand(2, generator=generator),
        "local": random(2, length, config.width),
        "global_": random(2, config.width),
    }
    dit = part("dit", released.dit, steps)
    yield dit
    if released.few is not None:
        yield few_part(dit, released.few)
    yield part("vae_decoder", released.vae.decoder, {"z": random(1, vae.latent, 12)})
    sound = {"audio": 0.1 * random(1, vae.audio, 8 * vae.hop)}
    yield part("vae_encoder", released.vae.encoder, sound)


def convert(
    released: Released,
    tower: ImageTower | None,
    out: Path,
    *,
    description: dict[str, Any],
    precision: str,
    say: Callable[[str], None],
    advance: Callable[[str, int, int], None],
) -> tuple[Manifest, list[GraphCheck]]:
    """Write a bundle into the empty folder ``out``.

    Parameters
    ----------
    released
        What is written is thrown away graph by graph: afterwards the networks are empty.
    tower
        None for a bundle that takes given features.
    description
        Manifest fields that no network knows: name, title, licence, provenance, ...; what it says
        of the sampler stands above the paper's.
    precision
        "fp32". Or "fp16": weights and arithmetic in 16 bits, but for the conditioner, norms, the
        time embedding and Snake; inputs and outputs stay in 32. The networks are changed by it. Or
        "int8": the transformer's large matrix products in 8 bits, for CPUs. Vision stays in 32
        bits: features are kept by picture, and in 8 bits they would depend on which others a
        picture is looked at with.
    advance
        Told the graph that comes next, how many are done, and of how many.

    Raises
    ------
    BundleError
        If a graph does not agree with torch in 32 bits.
    """
    checks: list[GraphCheck] = []
    names: list[str] = []
    total = 4 + (tower is not None) + (released.few is not None)
    for part in parts_of(released, tower):
        advance(part.name, len(names), total)
        path = out / f"{part.name}.onnx"
        expected = outputs_of(part.module, part.example)
        module = in_precision(part.name, part.module, precision)
        export_graph(module, part.example, part.outputs, part.axes, path)
        gc.collect()  # the exporter's program holds weights in cycles
        if precision == "int8" and part.name in ("dit", FEW):
            turned = quantise(path, released.setup.dit.width)
            say(f"{path.name}: {turned} matrix products in 8 bits")
        example = dict(part.example)
        if part.name == "vae_decoder":
            trim(path, released.setup.vae)
            example[CONTEXT] = torch.zeros(2, dtype=torch.int64)
        found = check_graph(expected, example, part.outputs, path, _TOLERANCE[precision])
        for check in found:
            say(
                f"{check.graph}.{check.output}: largest difference to torch "
                f"{check.difference:.2g} (standard deviation {check.spread:.2g})"
            )
        checks += found
        names.append(part.name)
        # What is written is not needed any more.
        part.module.to("meta")
    advance("done", total, total)
    manifest = write_manifest(out, _fields(released, tower, description, precision, names))
    return manifest, checks


def published(tower: ImageTower | None, name: str, command: str) -> dict[str, Any]:
    """What a manifest says of the published weights: see `convert`."""
    licences = [CHECKPOINT] if tower is None else [CHECKPOINT, TOWER]
    return {
        "name": name,
        "title": "OmniAudio" if tower is not None else "OmniAudio without vision",
        "version": "1",
        "licence": {
            "id": " AND ".join(item.licence for item in licences),
            "name": " and ".join(f"{item.licence} ({item.name})" for item in licences),
            "commercial": all(item.commercial for item in licences),
            "notice": "Weights of OmniAudio (arXiv 2504.14906), "
            f"{CHECKPOINT.licence} by the card of {CHECKPOINT.name}"
            + (f"; vision tower {TOWER.name}, {TOWER.licence}" if tower is not None else ""),
        },
        "demonstration": False,
        "provenance": {
            "data": ["Sphere360 and the other sounds that arXiv 2504.14906 names"],
            "command": command,
        },
    }


def _fields(
    released: Released,
    tower: ImageTower | None,
    description: dict[str, Any],
    precision: str,
    graphs: list[str],
) -> dict[str, Any]:
    setup, vae = released.setup, released.setup.vae
    size = 224 if tower is None else tower.config.image
    view = {"width": size, "height": size, **_NORMALISED}
    view["graph"] = None if tower is None else "vision"
    return {
        "sampler": {"cfg": CFG, "steps": STEPS, "schedule": "linear"},
        **description,
        "provenance": dated(description["provenance"]),
        **latent_fields(setup.sample_rate, vae.hop, vae.latent),
        "window": {"length": setup.window, "overlap": min(OVERLAP, setup.window // 4)},
        "views": [
            {"name": "equirect", "kind": "equirect", "fit": "pad-square", **view},
            {
                "name": "front",
                "kind": "perspective",
                "fov": 120.0,
                "rule": "released-120",
                **view,
            },
        ],
        "features": {"rate": FEATURE_RATE, "resampling": "spline-aligned"},
        "guidance": {"drop": ["local"], "rescale": 0.0},
        "channel_order": "WYZX",
        "decoder": {"context": vae.decoder_context, "chunk": DECODER_CHUNK},
        "precision": _NAMED[precision],
        "graphs": {graph: f"{graph}.onnx" for graph in graphs},
        "reflow": section() if released.few is not None else None,
    }
