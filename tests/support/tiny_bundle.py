"""A bundle of a few hundred kilobytes with real ONNX graphs, made in milliseconds, without torch.

The graphs follow every rule of a bundle's contract; their weights are random but fixed, and small
enough that the sampler stays bounded. The vision graph keeps a coarse picture, so that features
change when the picture does. The DiT mixes neighbouring latents, so that windows have something to
agree on. The decoder is convolutional with a receptive field of two latents to either side.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.bundles.manifest import write_manifest

GRID = 4  # the vision graph's coarse picture, cells to a side
FEATURES = 12
LOCAL = 8
GLOBAL = 6


def make_tiny_bundle(folder: str | Path, **overrides: Any) -> Path:
    """Write a tiny bundle into ``folder`` (made if missing) and return it.

    Parameters
    ----------
    folder
        Where it goes.
    **overrides
        ``rng_seed`` (weights, default 0), ``context`` (whether the DiT takes context, default
        True), ``hops`` (the decoder's two strides, default (64, 60)), ``channels`` (latent width,
        default 8), ``stationary`` (the velocity leads to a stationary random field: for levels at
        seams), ``faithful`` (the encoder gives back the decoder's latents: what is encoded and
        decoded again is the same sound), ``few`` (a graph for the sampler reflow, which gives the
        velocity that guidance makes of the DiT's two); every other name replaces the manifest's
        field of that name, e.g. ``name="other"``, ``window={"length": 24, "overlap": 4}``,
        ``sample_rate=44100``. The latent rate follows.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(overrides.pop("rng_seed", 0))
    context = overrides.pop("context", True)
    hops = overrides.pop("hops", (64, 60))
    channels = overrides.pop("channels", 8)
    stationary = overrides.pop("stationary", False)
    faithful = overrides.pop("faithful", False)
    few = overrides.pop("few", False)
    hop = int(hops[0] * hops[1])
    sample_rate = overrides.get("sample_rate", 48000)

    _save(folder / "vision.onnx", _vision(rng))
    if few:
        same = np.random.default_rng()
        same.bit_generator.state = rng.bit_generator.state
        _save(folder / "dit_few.onnx", _dit(same, channels, context, stationary, told=True))
    _save(folder / "dit.onnx", _dit(rng, channels, context, stationary))
    decoder, encoder = _decoder(rng, channels, hops), _encoder(rng, channels, hops)
    if faithful:
        decoder, encoder = _faithful_vae(channels, hop)
    _save(folder / "vae_decoder.onnx", decoder)
    _save(folder / "vae_encoder.onnx", encoder)
    views = [
        {
            "name": "equirect", "kind": "equirect", "width": 32, "height": 16, "fit": "stretch",
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "graph": "vision",
        },
        {
            "name": "front", "kind": "perspective", "fov": 120, "width": 16, "height": 16,
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "graph": "vision",
        },
    ]  # fmt: skip
    manifest: dict[str, Any] = {
        "name": "tiny",
        "title": "Tiny",
        "version": "1",
        "licence": {"id": "CC0-1.0", "name": "CC0 1.0", "commercial": True, "notice": ""},
        "demonstration": True,
        "provenance": {
            "data": ["random numbers"],
            "command": "make_tiny_bundle",
            "created": "2026-01-01",
            "software": "tests",
        },
        "sample_rate": sample_rate,
        "latent": {"rate": sample_rate / hop, "hop": hop, "channels": channels},
        "window": {"length": 24, "overlap": 4},
        "views": views,
        "features": {"rate": 8, "resampling": "linear"},
        "sampler": {"cfg": 2.0, "steps": 4, "schedule": "linear"},
        "guidance": {"drop": ["local"], "rescale": 0.0},
        "channel_order": "WYZX",
        "decoder": {"context": 3, "chunk": 16},
        "precision": "fp32",
        "graphs": {
            name: f"{name}.onnx"
            for name in ("vision", "conditioner", "dit", "vae_decoder", "vae_encoder")
        },
    }
    if few:
        manifest["graphs"]["dit_few"] = "dit_few.onnx"
        manifest["reflow"] = {"graph": "dit_few", "steps": 3, "cfg": [1, 9]}
    manifest.update(overrides)
    names = [view["name"] for view in manifest["views"]]
    _save(folder / "conditioner.onnx", _conditioner(rng, names))
    write_manifest(folder, manifest)
    return folder


def without_vision(bundle: Bundle, folder: Path) -> Bundle:
    """A copy of a tiny bundle whose views have no graph."""
    shutil.copytree(bundle.folder, folder)
    (folder / "vision.onnx").unlink()
    data = bundle.manifest.to_dict()
    data["graphs"] = {key: file for key, file in data["graphs"].items() if key != "vision"}
    data["views"] = [{**view, "graph": None} for view in data["views"]]
    write_manifest(folder, data)
    return load_bundle(folder)


class Graph:
    """A few lines of ONNX at a time: nodes by their operator, weights by their arrays."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, values: Any, dtype: Any = np.float32) -> str:
        """A constant's name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """A node's output name."""
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def model(self, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> onnx.ModelProto:
        """The checked model; shapes may hold names for sizes that vary."""
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model)
        return model


def _save(path: Path, model: onnx.ModelProto) -> None:
    path.write_bytes(model.SerializeToString())


def _normal(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return rng.standard_normal(shape) / np.sqrt(fan_in)


def _vision(rng: np.random.Generator) -> onnx.ModelProto:
    """Frames [N, 3, H, W] -> features [N, D]: a coarse picture, one matrix."""
    g = Graph()
    # Resize to a small grid: any picture size will do.
    size = g.weight([GRID, GRID], np.int64)
    batch = g.add("Shape", "frames", start=0, end=2)
    sizes = g.add("Concat", batch, size, axis=0)
    coarse = g.add("Resize", "frames", "", "", sizes, mode="linear", antialias=1)
    flat = g.add("Flatten", coarse, axis=1)
    cells = 3 * GRID * GRID
    mixed = g.add("MatMul", flat, g.weight(_normal(rng, (cells, FEATURES), cells) * 2))
    g.add("Tanh", mixed, out="features")
    return g.model({"frames": ["N", 3, "H", "W"]}, {"features": ["N", FEATURES]})


def _conditioner(rng: np.random.Generator, views: list[str]) -> onnx.ModelProto:
    """Features of each view [B, S, D] -> local [B, S, d], global_ [B, g] (max over time)."""
    g = Graph()
    width = FEATURES * len(views)
    joined = g.add("Concat", *views, axis=2)
    g.add("MatMul", joined, g.weight(_normal(rng, (width, LOCAL), width)), out="local")
    spread = g.add("MatMul", joined, g.weight(_normal(rng, (width, GLOBAL), width)))
    g.add("ReduceMax", spread, g.weight([1], np.int64), keepdims=0, out="global_")
    return g.model(
        {name: ["B", "S", FEATURES] for name in views},
        {"local": ["B", "S", LOCAL], "global_": ["B", GLOBAL]},
    )


def _dit(
    rng: np.random.Generator,
    channels: int,
    context: bool,
    stationary: bool,
    told: bool = False,
) -> onnx.ModelProto:
    """x [B, C, T], t [B], local [B, T, d], global_ [B, g] (context) -> v [B, C, T].

    ``stationary``: v = x / 2 - small terms, so that the field keeps the noise's own statistics.
    ``told``: an input `guidance` [B] multiplies what `local` adds, as guidance that drops it does.
    """
    g = Graph()
    kernel = np.zeros((channels, channels, 3))
    kernel[:, :, 1] = np.eye(channels) * 0.5
    mix = 0.02 if stationary else 0.3
    kernel += _normal(rng, kernel.shape, channels * 3) * mix
    mixed = g.add("Conv", "x", g.weight(kernel), kernel_shape=[3], pads=[1, 1])
    strength = 0.05 if stationary else 0.8
    local = g.add("MatMul", "local", g.weight(_normal(rng, (LOCAL, channels), LOCAL) * strength))
    local = g.add("Transpose", local, perm=[0, 2, 1])
    if told:
        scale = g.add("Unsqueeze", "guidance", g.weight([1, 2], np.int64))
        local = g.add("Mul", local, scale)
    spread = g.add(
        "MatMul", "global_", g.weight(_normal(rng, (GLOBAL, channels), GLOBAL) * strength / 2)
    )
    spread = g.add("Unsqueeze", spread, g.weight([2], np.int64))
    time = g.add("Unsqueeze", "t", g.weight([1, 2], np.int64))
    time = g.add("Mul", time, g.weight(rng.standard_normal((1, channels, 1)) * 0.1))
    total = g.add("Add", g.add("Add", mixed, local), g.add("Add", spread, time))
    inputs: dict[str, list[Any]] = {
        "x": ["B", channels, "T"],
        "t": ["B"],
        "local": ["B", "T", LOCAL],
        "global_": ["B", GLOBAL],
    }
    if told:
        inputs["guidance"] = ["B"]
    if context:
        inputs["context"] = ["B", channels, "T"]
        inputs["context_mask"] = ["B", 1, "T"]
        known = g.add("Mul", "context", "context_mask")
        pull = g.add(
            "Conv",
            known,
            g.weight(_normal(rng, (channels, channels, 5), channels * 5) * 0.1),
            kernel_shape=[5],
            pads=[2, 2],
        )
        total = g.add("Sub", total, pull)
    g.add("Identity", total, out="v")
    return g.model(inputs, {"v": ["B", channels, "T"]})


def _decoder(rng: np.random.Generator, channels: int, hops: tuple[int, int]) -> onnx.ModelProto:
    """z [1, C, T] -> audio [1, 4, T * hop]: two transposed convolutions after one plain one."""
    g = Graph()
    first, second = hops
    x = g.add(
        "Conv",
        "z",
        g.weight(_normal(rng, (channels, channels, 3), channels * 3)),
        kernel_shape=[3],
        pads=[1, 1],
    )
    x = g.add("Tanh", x)
    x = g.add(
        "ConvTranspose",
        x,
        g.weight(_normal(rng, (channels, 4, 2 * first), channels * 2)),
        kernel_shape=[2 * first],
        strides=[first],
        pads=[first // 2, first - first // 2],
    )
    x = g.add("Tanh", x)
    g.add(
        "ConvTranspose",
        x,
        g.weight(_normal(rng, (4, 4, 2 * second), 8) * 0.2),
        kernel_shape=[2 * second],
        strides=[second],
        pads=[second // 2, second - second // 2],
        out="audio",
    )
    return g.model({"z": [1, channels, "T"]}, {"audio": [1, 4, "N"]})


def _encoder(rng: np.random.Generator, channels: int, hops: tuple[int, int]) -> onnx.ModelProto:
    """audio [1, 4, T * hop] -> mean, scale [1, C, T]."""
    g = Graph()
    first, second = hops
    x = g.add(
        "Conv",
        "audio",
        g.weight(_normal(rng, (channels, 4, second), 4 * second)),
        kernel_shape=[second],
        strides=[second],
    )
    x = g.add("Tanh", x)
    for name in ("mean", "scale"):
        g.add(
            "Conv",
            x,
            g.weight(_normal(rng, (channels, channels, first), channels * first)),
            kernel_shape=[first],
            strides=[first],
            out=name,
        )
    return g.model(
        {"audio": [1, 4, "N"]}, {"mean": [1, channels, "T"], "scale": [1, channels, "T"]}
    )


def _faithful_vae(channels: int, hop: int) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A decoder of waves that are orthogonal over a latent, and the encoder that measures them."""
    phase = 2 * np.pi * np.arange(hop) / hop
    waves = np.zeros((channels, 4, hop))
    for index in range(channels):
        waves[index, index % 4] = 0.1 * np.cos((20 + 7 * (index // 4)) * phase + index)
    decoder = Graph()
    decoder.add(
        "ConvTranspose", "z", decoder.weight(waves), kernel_shape=[hop], strides=[hop], out="audio"
    )
    encoder = Graph()
    inverse = waves / (waves**2).sum(axis=(1, 2), keepdims=True)
    for name, kernel in (("mean", inverse), ("scale", 0 * inverse)):
        encoder.add(
            "Conv", "audio", encoder.weight(kernel), kernel_shape=[hop], strides=[hop], out=name
        )
    latents = [1, channels, "T"]
    return (
        decoder.model({"z": latents}, {"audio": [1, 4, "N"]}),
        encoder.model({"audio": [1, 4, "N"]}, {"mean": latents, "scale": latents}),
    )
