"""Excerpts, masks and losses of the flow stages, and that encoded scenes are never stale."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.training.networks.conditioner import ConditionerConfig
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.stages.encoded import EncodedScenes, encode_scenes
from omniaudio_studio.training.stages.flow import (
    FinetuneTask,
    Flow,
    PretrainTask,
    context_mask,
    hidden_spans,
    new_flow,
)
from omniaudio_studio.training.stages.vae import load_vae
from omniaudio_studio.training.stages.vision import load_sight
from omniaudio_studio.training.task import Task
from tests.training.conftest import DebugRun
from tests.training.rows import batch_of

LATENT_RATE, FEATURE_RATE = 12.5, 8.0


def telling_scenes(count: int = 3, seconds: float = 8.0) -> EncodedScenes:
    """Latents and features that tell their scene and their time."""
    latents, features = round(seconds * LATENT_RATE), round(seconds * FEATURE_RATE)
    mean = np.empty((count, 2, latents), np.float32)
    mean[:, 0] = np.arange(count)[:, None]
    mean[:, 1] = np.arange(latents) / LATENT_RATE
    summary = np.empty((count, features, 2), np.float32)
    summary[..., 0] = np.arange(count)[:, None]
    summary[..., 1] = np.arange(features) / FEATURE_RATE
    return EncodedScenes(mean, 2 * mean + 1, summary, FEATURE_RATE, LATENT_RATE)


@pytest.mark.parametrize("length", [2, 16, 25, 64, 100])
def test_features_are_brought_to_the_absolute_time_of_their_latents(length: int) -> None:
    encoded = telling_scenes()
    shapes = set()
    for index, start in itertools.product(range(3), (0.0, 0.3, 0.77, 0.999)):
        found = encoded.excerpt(index, start, length)
        assert found.mean.shape == found.std.shape == (2, length)
        assert np.array_equal(found.std, 2 * found.mean + 1)
        summary = found.features["summary"]
        shapes.add(summary.shape)
        brought = found.to_latents @ summary
        # Scene for scene ...
        np.testing.assert_allclose(brought[:, 0], found.mean[0], atol=1e-5)
        # ... and, since both count seconds, time for time: exact for a linear interpolation. Where
        # the last latent lies beyond the last feature of the excerpt, that is held, as generating.
        last, times = summary[-1, 1], found.mean[1]
        np.testing.assert_allclose(brought[:, 1], np.minimum(times, last), atol=1e-5)
        assert (times > last + 1e-6).sum() <= 1 and (times - last).max() <= 1 / FEATURE_RATE
    assert len(shapes) == 1, "excerpts of a length have to stack"


def test_matrices_interpolate_between_two_neighbours() -> None:
    matrix = telling_scenes().excerpt(0, 0.4, 40).to_latents
    np.testing.assert_allclose(matrix.sum(-1), 1, atol=1e-6)
    assert matrix.min() >= 0
    for row in matrix:
        used = np.flatnonzero(row)
        assert len(used) <= 2 and used[-1] - used[0] <= 1


def test_an_excerpt_from_the_start_is_what_the_engine_does() -> None:
    """Generating uses `bundles.resample`: the same rule, on the same features."""
    found = telling_scenes(count=1, seconds=2.0).excerpt(0, 0.0, 25)  # the whole scene
    frames = len(found.features["summary"])
    expected = resampling_matrix("linear", 25, frames, LATENT_RATE, FEATURE_RATE)
    np.testing.assert_allclose(found.to_latents, expected, atol=1e-6)


def test_excerpts_start_everywhere() -> None:
    encoded = telling_scenes()
    starts = [encoded.excerpt(0, start, 64).mean[1, 0] for start in np.linspace(0, 0.9999, 200)]
    assert {round(float(s) * LATENT_RATE) for s in starts} == set(range(37))


@pytest.mark.parametrize("length", [2, 3, 16, 64])
def test_masks_hold_the_first_frames_and_never_all(length: int) -> None:
    rng = np.random.default_rng(0)
    mask = np.stack([context_mask(rng, length, 0.3) for _ in range(2000)])
    assert mask.shape == (2000, 1, length)
    known = mask[:, 0].sum(axis=1)
    assert np.array_equal(mask[:, 0], np.arange(length) < known[:, None])
    assert known.max() == length - 1
    given = known > 0
    assert given.mean() == pytest.approx(0.3, abs=0.04)
    # Half of them are short, as the overlap of windows is.
    assert (known[given] <= max(1, length // 4)).mean() > 0.45


def test_masks_can_be_left_out_or_always_given() -> None:
    rng = np.random.default_rng(0)
    assert not any(context_mask(rng, 16, 0.0).any() for _ in range(50))
    assert all(context_mask(rng, 16, 1.0)[0, 0] == 1 for _ in range(50))


def test_hidden_stretches_are_long_and_cover_most() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        hidden = hidden_spans(rng, 64, 10)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], hidden, [0]])))
        assert (edges[1::2] - edges[::2]).min() >= 10
        shares.append(hidden.mean())
    assert min(shares) >= 0.7 and max(shares) == 1.0 and np.std(shares) > 0.05
    assert np.array_equal(hidden_spans(rng, 4, 10), np.ones(4))


def small_flow() -> tuple[Flow, ConditionerConfig]:
    config = ConditionerConfig(features=2, classes=1, width=32, hidden=8)
    preset = load_preset("debug", ["networks.content=1", "networks.spatial=1"])
    return new_flow(preset, config, 0), config


def stacked(task: Task, count: int, seed: int = 0) -> dict[str, torch.Tensor]:
    plan = task.plan(np.random.default_rng(seed))
    return batch_of(lambda rng: task.row(plan, rng), count, seed)


def test_pretraining_asks_for_hidden_latents_only() -> None:
    """Whatever the network says of latents that it is given costs nothing."""
    preset = load_preset("debug", ["masking_probability=1.0"])
    flow, _ = small_flow()
    task = PretrainTask(preset, preset.pretrain, telling_scenes(), flow)
    batch = stacked(task, 6)
    assert torch.equal(batch["asked"], 1 - batch["mask"]) and "to_latents" not in batch
    assert float(batch["mask"].sum()) > 0

    def loss(spoil: torch.Tensor) -> float:
        made = flow.velocity
        flow.velocity = lambda *a: made(*a) + 100 * spoil  # type: ignore[method-assign]
        try:
            return float(task.losses(batch)["loss"].detach())
        finally:
            flow.velocity = made  # type: ignore[method-assign]

    usual = loss(torch.zeros(1))
    assert loss(batch["mask"]) == pytest.approx(usual, rel=1e-5)
    assert loss(batch["asked"]) > 100 * usual


def test_finetuning_hides_conditions_and_gives_context() -> None:
    preset = load_preset("debug", ["guidance_dropout=0.5", "context_probability=0.5"])
    flow, config = small_flow()
    encoded = telling_scenes()
    summary = np.random.default_rng(0).standard_normal((3, 64, config.summary))
    encoded = dataclasses.replace(encoded, summary=summary.astype(np.float32))
    batch = stacked(FinetuneTask(preset, encoded, flow), 40)
    assert 8 < float(batch["keep"].sum()) < 32
    assert 8 < int((batch["mask"][:, 0, 0] == 1).sum()) < 32
    assert batch["asked"].min() == 1
    # Where the condition is hidden, what is seen makes no difference; else it does.
    with torch.no_grad():
        flow.dit.out.weight.normal_(0, 0.1)
    task = FinetuneTask(preset, encoded, flow)
    hidden = {name: value[batch["keep"] == 0] for name, value in batch.items()}
    shown = {name: value[batch["keep"] == 1] for name, value in batch.items()}
    for part, same in ((hidden, True), (shown, False)):
        other = part | {"summary": part["summary"].flip(1)}
        equal = torch.equal(task.losses(part)["loss"], task.losses(other)["loss"])
        assert equal == same


def test_one_batch_is_the_mean_of_its_samples() -> None:
    """So that devices may share it, and take it in parts."""
    preset = load_preset("debug", ["masking_probability=0.7"])
    flow, _ = small_flow()
    with torch.no_grad():
        flow.dit.out.weight.normal_(0, 0.1)
    task = PretrainTask(preset, preset.pretrain, telling_scenes(), flow)
    batch = stacked(task, 6)
    each = [
        float(task.losses({n: v[k : k + 1] for n, v in batch.items()})["loss"].detach())
        for k in range(6)
    ]
    assert float(task.losses(batch)["loss"].detach()) == pytest.approx(np.mean(each), rel=1e-5)
    assert np.ptp(each) > 0.01


# Encoded scenes


@pytest.fixture
def copied(debug_run: DebugRun, tmp_path: Path) -> Path:
    """A run folder that may be changed."""
    return Path(shutil.copytree(debug_run.folder, tmp_path / "run"))


def encoded_of(run: Path) -> EncodedScenes:
    preset = load_preset("debug")
    scenes = open_scene_set(run / "scenes")
    vae = load_vae(preset, scenes, run / "vae.ckpt")
    sight = load_sight(preset, len(scenes.classes), run / "vision.ckpt")
    return encode_scenes(scenes, vae, sight, run / "encoded.npz")


def test_encoded_scenes_are_those_of_the_networks(copied: Path) -> None:
    stored = encoded_of(copied)
    (copied / "encoded.npz").unlink()
    again = encoded_of(copied)
    assert (copied / "encoded.npz").exists()
    scenes = open_scene_set(copied / "scenes")
    assert again.mean.shape == (3, 16, 25) and again.summary.shape[:2] == (3, 16)
    assert again.latent_rate == 12.5 and again.feature_rate == 8.0
    for name in ("mean", "std", "summary"):
        np.testing.assert_allclose(getattr(stored, name), getattr(again, name), atol=1e-6)
    # The training path (FFT) and the exported one (matrix products) see the same latents.
    vae = load_vae(load_preset("debug"), scenes, copied / "vae.ckpt")
    with torch.no_grad():
        mean, std = vae.encoder(torch.from_numpy(scenes.foa[1:2].astype(np.float32)))
    np.testing.assert_allclose(again.mean[1], mean[0].numpy(), atol=1e-3)
    np.testing.assert_allclose(again.std[1], std[0].numpy(), atol=1e-3)


def marked(run: Path) -> np.ndarray:
    """Replace the stored latents by marks; returns them."""
    path = run / "encoded.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["mean"] = np.full_like(arrays["mean"], 7.0)
    np.savez(path, **arrays)
    return arrays["mean"]


def test_kept_encodings_are_used(copied: Path) -> None:
    marks = marked(copied)
    assert np.array_equal(encoded_of(copied).mean, marks)


@pytest.mark.parametrize("stage", ["vae", "vision"])
def test_encodings_of_other_weights_are_made_again(copied: Path, stage: str) -> None:
    marks = marked(copied)
    checkpoint = copied / f"{stage}.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    weights = state["average"]["weights"]
    name = next(name for name in weights if name.endswith("weight"))
    weights[name] = weights[name] + 0.01
    torch.save(state, checkpoint)
    found = encoded_of(copied).mean
    assert not np.array_equal(found, marks) and np.isfinite(found).all()
    # And are kept again.
    assert np.array_equal(encoded_of(copied).mean, found)
