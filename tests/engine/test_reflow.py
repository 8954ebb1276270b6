"""The sampler reflow: a graph that is told the guidance, run once a step, in every way there is.

The tiny bundle's graph for it gives exactly the velocity that guidance makes of the DiT's two
branches, so that both samplers come to the same sound at the same steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.bundles.manifest import write_manifest
from omniaudio_studio.engine import graphs
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.graphs import Graphs
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.sampler import euler, guided, linear_schedule
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.stepping import Stepper
from omniaudio_studio.engine.windows import Known, clamp, context_inputs
from omniaudio_studio.errors import BundleError, OptionError
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.media.probe import ClipInfo
from tests.support.tiny_bundle import make_tiny_bundle

Array = np.ndarray


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("few") / "tiny", few=True))


def generated(bundle: Bundle, info: ClipInfo, **settings: Any) -> Array:
    """All takes (takes, 4, N)."""
    blocks: list[list[Array]] = [[] for _ in range(settings.get("takes", 1))]
    Generator(bundle, "cpu").generate(
        info, GenerationSettings(**settings), [block.append for block in blocks]
    )
    return np.stack([np.concatenate(block, axis=1) for block in blocks])


@pytest.mark.parametrize("low_memory", [False, True])
def test_shots_with_their_own_guidance_windows_and_takes(
    few: Bundle, clip: ClipInfo, low_memory: bool
) -> None:
    common: dict[str, Any] = {
        "seed": 3, "cfg": 4.0, "steps": 4, "takes": 2, "low_memory": low_memory,
        "segments": (Segment(3.0, cfg=7.5, seed=1),),
    }  # fmt: skip
    told = generated(few, clip, sampler="reflow", **common)
    guided = generated(few, clip, **common)
    np.testing.assert_allclose(told, guided, atol=1e-5)
    # The scale matters, or this would tell nothing.
    other = generated(few, clip, sampler="reflow", **{**common, "cfg": 1.5})
    assert np.abs(other - told).max() > 1e-3


def test_one_evaluation_a_step_and_the_bundles_own_steps(
    few: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    loads: list[str] = []

    class Counted(Session):
        def __init__(self, path: Path, *args: Any, **options: Any) -> None:
            loads.append(path.stem)
            super().__init__(path, *args, **options)

        def run(self, inputs: Any, *args: Any) -> Any:
            if "x" in inputs:
                rows.append(len(inputs["x"]))
            return super().run(inputs, *args)

    monkeypatch.setattr(graphs, "Session", Counted)
    generator = Generator(few, "cpu")
    settings = GenerationSettings(sampler="reflow")
    plan = generator.plan(clip, settings)
    assert plan.steps == 3 and generator.plan(clip, GenerationSettings()).steps == 4
    assert generator.plan(clip, GenerationSettings(sampler="reflow", steps=8)).steps == 8
    generator.generate(clip, settings, [lambda block: None])
    assert rows == [1] * 3 * len(plan.window_times)
    # The other transformer takes no memory.
    assert sorted(loads) == ["conditioner", "dit_few", "vae_decoder", "vision"]


def test_memory_is_reckoned_by_the_graphs_that_run(few: Bundle) -> None:
    found, files = Graphs(few, choose_provider("cpu")), few.manifest.files
    difference = files["dit_few.onnx"].bytes - files["dit.onnx"].bytes
    assert difference != 0
    assert found.needed_bytes("reflow") == found.needed_bytes() + difference


def test_sampling_that_is_bound_to_a_device_is_told_too(few: Bundle) -> None:
    """As graphics cards do it: buffers are used again, with another scale in them."""
    choice = choose_provider("cpu")
    told, dit = (Session(few.graph(key), choice) for key in ("dit_few", "dit"))
    stepper, rng = Stepper(told, choice), np.random.default_rng(0)
    for scale in (2.0, 7.0):
        noise, latents = rng.standard_normal((2, 8, 24), dtype=np.float32)
        known = Known(latents * (np.arange(24) < 5), np.arange(24) < 5)
        inputs = {
            "local": rng.standard_normal((1, 24, 8), dtype=np.float32),
            "global_": rng.standard_normal((1, 6), dtype=np.float32),
            **context_inputs(known),
        }
        velocity = guided(
            lambda x, t, fed: dit.run({"x": x, "t": t, **fed})["v"], inputs, ["local"], scale
        )
        expected = euler(velocity, noise[None], linear_schedule(6), clamp(known, noise))
        fed = {**inputs, "guidance": np.array([scale], np.float32)}
        found = stepper.sample(fed, noise, known, linear_schedule(6), 1.0)
        np.testing.assert_allclose(found, expected, atol=1e-4 * float(expected.std()))


def test_what_a_bundle_was_not_trained_for_is_refused(
    bundle: Bundle, few: Bundle, clip: ClipInfo
) -> None:
    plain, trained = Generator(bundle, "cpu"), Generator(few, "cpu")
    for generator, settings, said in (
        (
            plain, {},
            "the bundle 'tiny' has no sampler reflow: choose euler, or a bundle that was trained "
            "for few steps",
        ),
        (
            trained, {"cfg": 9.5},
            "the sampler reflow of 'tiny' knows a cfg from 1 to 9, found 9.5: choose one of "
            "those, or the sampler euler",
        ),
        (
            trained, {"segments": (Segment(2.0, cfg=0.5),)},
            "the sampler reflow of 'tiny' knows a cfg from 1 to 9, found 0.5: choose one of "
            "those, or the sampler euler",
        ),
    ):  # fmt: skip
        with pytest.raises(OptionError) as caught:
            generator.plan(clip, GenerationSettings(sampler="reflow", **settings))
        assert str(caught.value) == said
    with pytest.raises(OptionError, match="sampler must be one of euler, reflow, found 'heun'"):
        plain.plan(clip, GenerationSettings(sampler="heun"))


def test_a_graph_that_cannot_be_told_is_refused(tmp_path: Path, clip: ClipInfo) -> None:
    folder = make_tiny_bundle(tmp_path / "tiny", few=True)
    (folder / "dit_few.onnx").write_bytes((folder / "dit.onnx").read_bytes())
    write_manifest(folder, load_bundle(folder, verify=False).manifest)
    with pytest.raises(BundleError, match="guidance"):
        generated(load_bundle(folder), clip, sampler="reflow")


def test_the_request_carries_it() -> None:
    request = GenerateRequest(Path("clip.mp4"), Path("out.wav"), sampler="reflow", cfg=3.0)
    again = GenerateRequest.from_dict(request.validate().as_dict())
    assert again == request
    assert GenerationSettings.from_request(again).sampler == "reflow"
