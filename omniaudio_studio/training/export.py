"""From trained networks to a bundle: ONNX graphs, each checked against torch, and a manifest."""

from __future__ import annotations

import copy
import datetime
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omniaudio_studio import __version__
from omniaudio_studio.bundles.manifest import Manifest, write_manifest
from omniaudio_studio.errors import BundleError
from omniaudio_studio.training.networks.conditioner import Conditioner
from omniaudio_studio.training.networks.spatializer import Spatializer
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.pairs import SCALES
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.spatial_note import SpatializerNote
from omniaudio_studio.training.stages.flow import Flow
from omniaudio_studio.training.stages.reflow import FEW, section
from omniaudio_studio.training.stages.vision import Sight
from omniaudio_studio.training.views import EQUIRECT, FRONT

OPSET = 20

#: Latent frames that the decoder sees to either side: 6 by the two blocks at the latent rate, and
#: 9 + 1 + 2 * 8 + 1 spectrum frames (blocks, interpolation, phase iterations, overlap) of 8 each.
DECODER_CONTEXT = 12
DECODER_CHUNK = 64

#: Weights of fewer values than this stay in 32 bits.
_SMALL = 256

#: Bytes of weights that are stored inside a graph's own file at most.
_ONE_FILE = 1 << 30


@dataclass(frozen=True)
class GraphCheck:
    """How far a graph is from the module it was made of: largest difference, and the output's
    standard deviation to judge it by."""

    graph: str
    output: str
    difference: float
    spread: float


@dataclass(frozen=True)
class Spatializing:
    """A trained spatializer, and what it is fed."""

    network: Spatializer
    note: SpatializerNote


@dataclass(frozen=True)
class GraphPart:
    """One graph to be: example inputs, output names, names of the axes that vary, and how far it
    may be from torch, relative to the output's standard deviation."""

    name: str
    module: nn.Module
    example: dict[str, Tensor]
    outputs: list[str]
    axes: dict[str, dict[int, str]]
    tolerance: float


def export_graph(
    module: nn.Module,
    example: dict[str, Tensor],
    outputs: Sequence[str],
    axes: dict[str, dict[int, str]],
    path: Path,
) -> None:
    """Write one ONNX graph with named inputs and outputs.

    ``axes`` names the axes of each input that vary; "3*n" is three times as long as "n". Weights
    that 16 bits can hold exactly are stored so and widened when the graph is loaded; all arithmetic
    stays in the types of the module. More than `_ONE_FILE` bytes of weights go as they are into a
    file of their own, `<name>.onnx.data`: one file of ONNX holds 2 GB at most.
    """
    beside = sum(value.nbytes for value in module.parameters()) > _ONE_FILE
    labels = {label for varying in axes.values() for label in varying.values()}
    names = {label.rpartition("*")[2] for label in labels}
    dimensions = {name: torch.export.Dim(name) for name in sorted(names)}

    def dimension(label: str) -> Any:
        times, _, name = label.rpartition("*")
        return int(times) * dimensions[name] if times else dimensions[name]

    shapes = {
        name: {axis: dimension(label) for axis, label in axes.get(name, {}).items()}
        for name in example
    }
    # The exporter remarks on its own internals; `check_graph` judges what it made.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            kwargs=example,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            external_data=False,
        )
    if program is None:
        raise BundleError(f"{path.name}: torch wrote no graph")
    program.save(str(path), external_data=beside)
    if beside:
        import onnx

        model = onnx.load(str(path), load_external_data=False)
        _forget_origin(model)
        path.write_bytes(model.SerializeToString())
    else:
        store_half(path)


def store_half(path: Path) -> None:
    """Store what float16 can hold exactly as float16, with a cast back to float32 before its use.

    Lossless: `round_weights` makes weights such; Fourier matrices stay as they are.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    casts = []
    for tensor in list(model.graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if values.size < _SMALL or not np.array_equal(narrow.astype(np.float32), values):
            continue
        stored = numpy_helper.from_array(narrow, tensor.name + ".half")
        casts.append(
            onnx.helper.make_node("Cast", [stored.name], [tensor.name], to=onnx.TensorProto.FLOAT)
        )
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(stored)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    _forget_origin(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _forget_origin(model: Any) -> None:
    """Drop the notes of torch's exporter: stack traces, with paths of the machine it ran on."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    graph = model.graph
    for kind in (graph.node, graph.value_info, graph.initializer, graph.input, graph.output):
        for item in kind:
            item.ClearField("doc_string")
            del item.metadata_props[:]


def round_weights(module: nn.Module) -> nn.Module:
    """A copy whose large weights went through float16, so that they can be stored in 16 bits."""
    rounded = copy.deepcopy(module)
    with torch.no_grad():
        for tensor in rounded.parameters():
            if tensor.numel() >= _SMALL:
                tensor.copy_(tensor.half().float())
    return rounded


@torch.no_grad()
def outputs_of(module: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """What a module gives, as a tuple."""
    found = module.eval()(**inputs)
    return found if isinstance(found, tuple) else (found,)


def check_graph(
    expected: Sequence[Tensor],
    inputs: dict[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    tolerance: float,
) -> list[GraphCheck]:
    """Run a graph on the inputs that a module gave ``expected`` on.

    Raises
    ------
    BundleError
        If an output is further off than ``tolerance`` times its standard deviation.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(outputs), {name: value.numpy() for name, value in inputs.items()})
    checks = []
    for name, want, got in zip(outputs, expected, found, strict=True):
        gap: NDArray[Any] = np.abs(want.numpy() - got)
        spread = float(want.std())
        checks.append(GraphCheck(path.stem, name, float(gap.max()), spread))
        if not float(gap.max()) <= tolerance * spread:
            raise BundleError(
                f"{path.name}: output {name!r} differs from torch by {gap.max():.3g} "
                f"(its standard deviation is {spread:.3g}); the export is wrong"
            )
    return checks


def _parts(preset: Preset, vae: SpectralVAE, sight: Sight, flow: Flow) -> list[GraphPart]:
    """The graphs of every bundle of ours, with random inputs to export and to check them on."""
    config, latent = sight.localiser.config, vae.config
    frames, length = 9, preset.window
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return [
        GraphPart(
            "vision",
            sight.encoder,
            {"frames": random(2, 3, EQUIRECT.height, EQUIRECT.width)},
            ["features"],
            {"frames": {0: "N", 2: "H", 3: "W"}},
            1e-3,
        ),
        GraphPart(
            "conditioner",
            Conditioner(sight.localiser, flow.projection),
            {
                "equirect": random(2, frames, config.rows * config.columns, config.features),
                "front": random(2, frames, config.front_cells, config.features),
            },
            ["local", "global_"],
            {"equirect": {0: "B", 1: "S"}, "front": {0: "B", 1: "S"}},
            1e-3,
        ),
        GraphPart(
            "dit",
            flow.dit,
            {
                "x": random(2, latent.channels, length),
                "t": torch.rand(2, generator=generator),
                "local": random(2, length, config.width),
                "global_": random(2, config.width),
                "context": random(2, latent.channels, length),
                "context_mask": (random(2, 1, length) > 0).float(),
            },
            ["v"],
            {
                "x": {0: "B", 2: "T"},
                "t": {0: "B"},
                "local": {0: "B", 1: "T"},
                "global_": {0: "B"},
                "context": {0: "B", 2: "T"},
                "context_mask": {0: "B", 2: "T"},
            },
            1e-3,
        ),
        GraphPart(
            "vae_decoder",
            vae.decoder,
            {"z": random(1, latent.channels, 24)},
            ["audio"],
            {"z": {2: "T"}},
            # phase iterations amplify rounding in bins that hold next to nothing
            1e-2,
        ),
        GraphPart(
            "vae_encoder",
            vae.encoder,
            {"audio": 0.1 * random(1, 4, 24 * latent.latent_hop)},
            ["mean", "scale"],
            {"audio": {2: "N"}},
            1e-3,
        ),
    ]


def few_part(dit: GraphPart, module: nn.Module) -> GraphPart:
    """The graph for few steps: the inputs of ``dit`` and `guidance`, a scale for each row."""
    rows = len(dit.example["t"])
    return replace(
        dit,
        name=FEW,
        module=module,
        example={**dit.example, "guidance": torch.linspace(*SCALES, rows)},
        axes={**dit.axes, "guidance": {0: "B"}},
    )


def spatializer_part(network: Spatializer) -> GraphPart:
    """The graph that places recordings, with random inputs; S picture frames, ratio S of sound."""
    config, frames = network.config, 9
    generator = torch.Generator().manual_seed(1)
    shape = (2, frames, config.rows * config.columns, config.features)
    sound = torch.randn(2, config.ratio * frames, config.bands, generator=generator)
    return GraphPart(
        "spatializer",
        network,
        # log10 energies, about as loud as recordings are
        {"equirect": torch.randn(*shape, generator=generator), "sound": sound - 4},
        ["shares", "directions", "confidence"],
        # ("S" would be taken for sympy's registry of singletons.)
        {"equirect": {0: "B", 1: "frames"}, "sound": {0: "B", 1: f"{config.ratio}*frames"}},
        1e-3,
    )


def write_graph(
    part: GraphPart, path: Path, *, half: bool, say: Callable[[str], None]
) -> list[GraphCheck]:
    """Write one graph and check it; ``half`` stores weights in 16 bits.

    Raises
    ------
    BundleError
        If it does not agree with torch.
    """
    module = round_weights(part.module) if half else part.module
    export_graph(module, part.example, part.outputs, part.axes, path)
    expected = outputs_of(module, part.example)
    checks = check_graph(expected, part.example, part.outputs, path, part.tolerance)
    for check in checks:
        say(
            f"{check.graph}.{check.output}: largest difference to torch "
            f"{check.difference:.2g} (standard deviation {check.spread:.2g}), "
            f"{path.stat().st_size / 1e6:.1f} MB"
        )
    return checks


def dated(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest's provenance with today's date and this software, where it does not say."""
    return {
        "created": datetime.date.today().isoformat(),
        "software": f"omniaudio-studio {__version__}",
        **provenance,
    }


def latent_fields(sample_rate: int, hop: int, channels: int) -> dict[str, Any]:
    """What a manifest says of the sound's rate and the latents'."""
    return {
        "sample_rate": sample_rate,
        "latent": {"rate": sample_rate / hop, "hop": hop, "channels": channels},
    }


def export_bundle(
    preset: Preset,
    vae: SpectralVAE,
    sight: Sight,
    flow: Flow,
    out: Path,
    description: dict[str, Any],
    spatializing: Spatializing | None = None,
    few: Flow | None = None,
    *,
    half: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, list[GraphCheck]]:
    """Write a bundle into the folder ``out``.

    Parameters
    ----------
    description
        Manifest fields that no network knows: name, title, licence, provenance, ...
    spatializing
        Adds the graph `spatializer` and the manifest's section about it.
    few
        What the stage `reflow` made of the flow: adds its graph and the section about it.
    half
        Store weights in 16 bits.

    Raises
    ------
    BundleError
        If a graph does not agree with torch.
    """
    out.mkdir(parents=True, exist_ok=True)
    parts = _parts(preset, vae, sight, flow)
    if spatializing is not None:
        parts.append(spatializer_part(spatializing.network))
        description = {**description, "spatializer": spatializing.note.section()}
    if few is not None:
        dit = next(part for part in parts if part.name == "dit")
        parts.append(few_part(dit, few.dit))
        description = {**description, "reflow": section()}
    checks = []
    for part in parts:
        checks += write_graph(part, out / f"{part.name}.onnx", half=half, say=say)
    latent = vae.config
    manifest = write_manifest(
        out,
        {
            **description,
            "provenance": dated(description.get("provenance", {})),
            **latent_fields(latent.sample_rate, latent.latent_hop, latent.channels),
            "window": {"length": preset.window, "overlap": preset.overlap},
            "views": [
                {
                    "name": view.name,
                    "kind": view.kind,
                    "width": view.width,
                    "height": view.height,
                    **({"fov": view.fov} if view.fov else {}),
                    "mean": list(view.mean),
                    "std": list(view.std),
                    "graph": "vision",
                }
                for view in (EQUIRECT, FRONT)
            ],
            "features": {"rate": preset.feature_rate, "resampling": "linear"},
            "sampler": {"cfg": preset.cfg, "steps": preset.sample_steps, "schedule": "linear"},
            "guidance": {"drop": ["local", "global_"], "rescale": 0.0},
            "channel_order": "WYZX",
            "decoder": {"context": DECODER_CONTEXT, "chunk": DECODER_CHUNK},
            "precision": "fp16 weights, fp32 arithmetic" if half else "fp32",
            "graphs": {part.name: f"{part.name}.onnx" for part in parts},
        },
    )
    return manifest, checks
