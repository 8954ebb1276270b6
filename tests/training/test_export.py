"""The debug run as a bundle: graphs that agree with torch, and sound from a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.bundles.parts import ReflowPart
from omniaudio_studio.engine.generate import GenerationResult, Generator
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.errors import BundleError
from omniaudio_studio.media.probe import probe
from omniaudio_studio.training.data.shards import open_shards
from omniaudio_studio.training.export import (
    DECODER_CHUNK,
    DECODER_CONTEXT,
    check_graph,
    outputs_of,
    round_weights,
    store_half,
)
from omniaudio_studio.training.networks.conditioner import Conditioner
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.stages.reflow import load_student
from omniaudio_studio.training.train import load_networks, load_spatializing
from tests.training.conftest import LICENCE, DebugBundle, DebugRun

GRAPHS = ("vision", "conditioner", "dit", "vae_decoder", "vae_encoder", "dit_few", "spatializer")

pytestmark = pytest.mark.slow  # exporting takes tens of seconds, once


@pytest.fixture(scope="module")
def bundle(debug_bundle: DebugBundle) -> Bundle:
    return load_bundle(debug_bundle.folder, verify=True)


@pytest.fixture(scope="module")
def modules(debug_run: DebugRun) -> dict[str, nn.Module]:
    """What each graph was made of, with weights as they are stored."""
    vae, sight, flow = load_networks(load_preset("debug"), debug_run.folder)
    return {
        name: round_weights(module).eval()
        for name, module in {
            "vision": sight.encoder,
            "conditioner": Conditioner(sight.localiser, flow.projection),
            "dit": flow.dit,
            "dit_few": load_student(
                load_preset("debug"), sight.localiser.config, debug_run.folder / "reflow.ckpt"
            ).dit,
            "vae_decoder": vae.decoder,
            "vae_encoder": vae.encoder,
            "spatializer": load_spatializing(debug_run.folder).network,
        }.items()
    }


def ran(bundle: Bundle, graph: str, **inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        str(bundle.graph(graph)), providers=["CPUExecutionProvider"]
    )
    return [np.asarray(output) for output in session.run(None, inputs)]


def test_the_bundle_says_what_was_trained(debug_bundle: DebugBundle, bundle: Bundle) -> None:
    preset = load_preset("debug")
    manifest = bundle.manifest
    assert manifest == debug_bundle.manifest
    assert (manifest.name, manifest.title, manifest.demonstration) == ("debug", "Debug", True)
    assert manifest.licence.id == LICENCE["id"]
    assert manifest.sample_rate == 48000
    assert (manifest.latent.hop, manifest.latent.rate, manifest.latent.channels) == (3840, 12.5, 16)
    assert (manifest.window.length, manifest.window.overlap) == (preset.window, preset.overlap)
    assert (manifest.decoder.context, manifest.decoder.chunk) == (DECODER_CONTEXT, DECODER_CHUNK)
    assert manifest.features.rate == preset.feature_rate
    assert (manifest.sampler.cfg, manifest.sampler.steps) == (preset.cfg, preset.sample_steps)
    assert manifest.reflow == ReflowPart("dit_few", 6, (1.0, 9.0))
    assert [view.name for view in manifest.views] == ["equirect", "front"]
    assert set(manifest.graphs) == set(GRAPHS)
    assert set(manifest.files) == {f"{name}.onnx" for name in GRAPHS}


def test_the_bundle_says_what_its_spatializer_is_fed(bundle: Bundle) -> None:
    part = bundle.manifest.spatializer
    assert part is not None
    assert (part.view, part.ratio, part.sources, part.length) == ("equirect", 3, 3, 16)
    assert part.window == 0.08 and len(part.edges) == 41
    assert part.edges[0] == pytest.approx(50) and part.edges[-1] == pytest.approx(18000)


def test_the_graphs_agree_with_torch(debug_bundle: DebugBundle) -> None:
    checks = {(check.graph, check.output): check for check in debug_bundle.checks}
    assert set(checks) == {
        ("vision", "features"),
        ("conditioner", "local"),
        ("conditioner", "global_"),
        ("dit", "v"),
        ("dit_few", "v"),
        ("vae_decoder", "audio"),
        ("vae_encoder", "mean"),
        ("vae_encoder", "scale"),
        ("spatializer", "shares"),
        ("spatializer", "directions"),
        ("spatializer", "confidence"),
    }
    for (graph, _), check in checks.items():
        assert check.spread > 1e-4, "nothing to compare with"
        tolerance = 1e-2 if graph == "vae_decoder" else 1e-4
        assert check.difference <= tolerance * check.spread
    assert len(debug_bundle.said) == len(checks)
    assert debug_bundle.said[0].startswith("vision.features: largest difference to torch ")


def other_shapes() -> dict[str, dict[str, Tensor]]:
    """Inputs unlike those that the graphs were exported with."""
    condition = load_preset("debug").networks.dit_width
    dit = {
        "x": torch.randn(1, 16, 7),
        "t": torch.rand(1),
        "local": torch.randn(1, 7, condition),
        "global_": torch.randn(1, condition),
        "context": torch.randn(1, 16, 7),
        "context_mask": torch.ones(1, 1, 7),
    }
    return {
        "vision": {"frames": torch.randn(5, 3, 96, 96)},
        "conditioner": {
            "equirect": torch.randn(1, 3, 200, 32),
            "front": torch.randn(1, 3, 144, 32),
        },
        "dit": dit,
        "dit_few": {**dit, "guidance": torch.tensor([7.5])},
        "vae_decoder": {"z": torch.randn(1, 16, 5)},
        "vae_encoder": {"audio": 0.1 * torch.randn(1, 4, 3 * 3840)},
        "spatializer": {
            "equirect": torch.randn(1, 5, 200, 32),
            "sound": torch.randn(1, 15, 40) - 4,
        },
    }


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_graphs_agree_at_other_lengths(
    graph: str, bundle: Bundle, modules: dict[str, nn.Module]
) -> None:
    session = onnxruntime.InferenceSession(
        str(bundle.graph(graph)), providers=["CPUExecutionProvider"]
    )
    outputs = [output.name for output in session.get_outputs()]
    inputs = other_shapes()[graph]
    expected = outputs_of(modules[graph], inputs)
    checks = check_graph(expected, inputs, outputs, bundle.graph(graph), tolerance=1e-2)
    assert all(check.difference < 1e-2 * check.spread for check in checks)


def test_one_frame_and_one_latent_are_enough(bundle: Bundle) -> None:
    zeros = np.zeros((1, 1, 200, 32), np.float32), np.zeros((1, 1, 144, 32), np.float32)
    local, global_ = ran(bundle, "conditioner", equirect=zeros[0], front=zeros[1])
    assert local.shape == (1, 1, 32) and global_.shape == (1, 32)
    (audio,) = ran(bundle, "vae_decoder", z=np.zeros((1, 16, 1), np.float32))
    assert audio.shape == (1, 4, 3840) and np.isfinite(audio).all()


def test_a_graph_that_differs_is_refused(bundle: Bundle, modules: dict[str, nn.Module]) -> None:
    changed = round_weights(modules["dit"]).eval()
    with torch.no_grad():
        next(changed.parameters()).mul_(1.1)
    inputs = other_shapes()["dit"]
    with pytest.raises(BundleError) as caught:
        check_graph(outputs_of(changed, inputs), inputs, ["v"], bundle.graph("dit"), tolerance=1e-3)
    message = str(caught.value)
    assert message.startswith("dit.onnx: output 'v' differs from torch by ") and "\n" not in message


def test_nothing_in_a_graph_names_the_machine_it_was_made_on(bundle: Bundle) -> None:
    here = str(Path(__file__).resolve().parents[2]).encode()
    for name in GRAPHS:
        assert here not in bundle.graph(name).read_bytes()


def test_large_weights_are_stored_in_16_bits(bundle: Bundle) -> None:
    model = onnx.load(str(bundle.graph("dit")))
    kinds: dict[int, int] = {}
    for tensor in model.graph.initializer:
        values = int(np.prod(tensor.dims))
        kinds[tensor.data_type] = kinds.get(tensor.data_type, 0) + values
    assert kinds[onnx.TensorProto.FLOAT16] > 5 * kinds[onnx.TensorProto.FLOAT]


def test_storing_in_16_bits_loses_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights: dict[str, Any] = {
        "exact": rng.standard_normal((20, 20)).astype(np.float16).astype(np.float32),
        "inexact": rng.standard_normal((20, 20)).astype(np.float32),
        "large": np.full((20, 20), 1e6, np.float32),
        "small": np.ones(20, np.float32),
    }
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [
                onnx.helper.make_node("MatMul", ["x", "exact"], ["a"]),
                onnx.helper.make_node("MatMul", ["a", "inexact"], ["b"]),
                onnx.helper.make_node("MatMul", ["b", "large"], ["c"]),
                onnx.helper.make_node("Add", ["c", "small"], ["y"]),
            ],
            "test",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 20])],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 20])],
            [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20)],
        ir_version=10,
    )
    path = tmp_path / "a.onnx"
    onnx.save(model, str(path))

    def output() -> np.ndarray:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {"x": np.ones((1, 20), np.float32)})[0])

    before = output()
    store_half(path)
    stored = {tensor.name: tensor.data_type for tensor in onnx.load(str(path)).graph.initializer}
    single, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    assert stored == {"exact.half": half, "inexact": single, "large": single, "small": single}
    assert np.array_equal(output(), before)


def test_rounding_leaves_the_original_and_small_weights_alone() -> None:
    module = nn.Linear(30, 30)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    rounded = round_weights(module).state_dict()
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in before)
    assert torch.equal(rounded["bias"], before["bias"])
    assert torch.equal(rounded["weight"], before["weight"].half().float())
    assert not torch.equal(rounded["weight"], before["weight"])


def test_the_graphs_see_what_the_flow_was_trained_on(bundle: Bundle, debug_run: DebugRun) -> None:
    """The conditions and latents of a stored scene, once by the trainer, once by the bundle."""
    from omniaudio_studio.panorama.views import normalise

    scenes = open_scene_set(debug_run.folder / "scenes")
    flow = load_networks(load_preset("debug"), debug_run.folder)[2]
    encoded = open_shards(debug_run.folder / "encoded")[1]
    with torch.no_grad():
        summary = torch.from_numpy(encoded["summary"].astype(np.float32))[None]
        expected_local, expected_global = (x.numpy() for x in flow.projection(summary))
    pictures = {"equirect": scenes.equirect[1], "front": scenes.front[1]}
    features = {
        view.name: ran(
            bundle, view.graph, frames=normalise(np.asarray(pictures[view.name]), view.view)
        )[0][None]
        for view in bundle.manifest.views
    }
    local, global_ = ran(bundle, "conditioner", **features)
    # 16-bit weights are what differs.
    np.testing.assert_allclose(local, expected_local, atol=0.02 * expected_local.std())
    np.testing.assert_allclose(global_, expected_global, atol=0.02 * expected_global.std())
    mean, _ = ran(bundle, "vae_encoder", audio=scenes.foa[1:2].astype(np.float32))
    np.testing.assert_allclose(mean[0], encoded["mean"], atol=0.05)


def generated(bundle: Bundle, clip: Path, **settings: Any) -> tuple[np.ndarray, GenerationResult]:
    blocks: list[np.ndarray] = []
    result = Generator(bundle, "cpu").generate(
        probe(clip), GenerationSettings(**settings), [blocks.append]
    )
    return np.concatenate(blocks, axis=1), result


def test_the_bundle_makes_sound_of_a_clip(bundle: Bundle, small_clip: Path) -> None:
    sound, result = generated(bundle, small_clip)
    assert sound.shape == (4, 96000) and result.samples == 96000
    assert sound.dtype == np.float32 and np.isfinite(sound).all() and sound.std() > 0
    # Two seconds are 25 latents: more than one window of 16.
    assert result.windows > 1 and not result.warnings
    again, _ = generated(bundle, small_clip)
    assert np.array_equal(again, sound)
    few, _ = generated(bundle, small_clip, sampler="reflow", cfg=3.0)
    assert few.shape == sound.shape and np.isfinite(few).all() and few.std() > 0
    other, _ = generated(bundle, small_clip, seed=1)
    assert not np.allclose(other, sound, atol=0.1 * sound.std())
