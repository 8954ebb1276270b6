"""Excerpts and masks of the flow stage, and that encoded scenes are never stale."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from omniaudio_studio.engine.resample import resampling_matrix
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.stages.flow import (
    EncodedScenes,
    context_mask,
    encode_scenes,
    excerpt,
)
from omniaudio_studio.training.stages.vae import load_vae
from omniaudio_studio.training.stages.vision import load_sight
from tests.training.conftest import DebugRun

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


@pytest.mark.parametrize("length", [2, 16, 25, 64, 100, 300])
def test_features_are_brought_to_the_absolute_time_of_their_latents(length: int) -> None:
    encoded = telling_scenes()
    length_there = min(length, 100)
    for seed in range(5):
        batch = excerpt(encoded, np.random.default_rng(seed), 16, length)
        assert batch.mean.shape == batch.std.shape == (16, 2, length_there)
        assert torch.equal(batch.std, 2 * batch.mean + 1)
        brought = batch.to_latents @ batch.summary
        # Scene for scene ...
        torch.testing.assert_close(brought[..., 0], batch.mean[:, 0], atol=1e-5, rtol=0)
        # ... and, since both count seconds, time for time: exact for a linear interpolation. Where
        # the last latent lies beyond the last feature of the excerpt, that is held, as generating.
        last = batch.summary[:, -1:, 1]
        times = batch.mean[:, 1]
        torch.testing.assert_close(brought[..., 1], torch.minimum(times, last), atol=1e-5, rtol=0)
        assert int((times > last + 1e-6).sum(dim=1).max()) <= 1
        assert float((times - last).max()) <= 1 / FEATURE_RATE


def test_matrices_interpolate_between_two_neighbours() -> None:
    batch = excerpt(telling_scenes(), np.random.default_rng(0), 16, 40)
    matrix = batch.to_latents
    torch.testing.assert_close(matrix.sum(-1), torch.ones(16, 40))
    assert matrix.min() >= 0
    for row in matrix.flatten(0, 1):
        used = torch.nonzero(row).flatten()
        assert len(used) <= 2 and int(used[-1] - used[0]) <= 1


def test_an_excerpt_from_the_start_is_what_the_engine_does() -> None:
    """Generating uses `engine.resample`: the same rule, on the same features."""
    encoded = telling_scenes(count=1, seconds=2.0)
    batch = excerpt(encoded, np.random.default_rng(0), 1, 25)  # the whole scene
    frames = batch.summary.shape[1]
    expected = resampling_matrix("linear", 25, frames, LATENT_RATE, FEATURE_RATE)
    np.testing.assert_allclose(batch.to_latents[0].numpy(), expected, atol=1e-6)


def test_excerpts_start_everywhere() -> None:
    encoded = telling_scenes()
    starts = excerpt(encoded, np.random.default_rng(0), 400, 64).mean[:, :, 0]
    assert set(starts[:, 0].tolist()) == {0.0, 1.0, 2.0}
    firsts = set(torch.round(starts[:, 1] * LATENT_RATE).int().tolist())
    assert firsts == set(range(37))


@pytest.mark.parametrize("length", [2, 3, 16, 64])
def test_masks_hold_the_first_frames_and_never_all(length: int) -> None:
    mask = context_mask(np.random.default_rng(0), 2000, length, 0.3)
    assert mask.shape == (2000, 1, length)
    known = mask[:, 0].sum(dim=1).long()
    assert torch.equal(mask[:, 0], (torch.arange(length) < known[:, None]).float())
    assert known.max() == length - 1
    given = known > 0
    assert float(given.float().mean()) == pytest.approx(0.3, abs=0.04)
    # Half of them are short, as the overlap of windows is.
    short = (known[given] <= max(1, length // 4)).float().mean()
    assert short > 0.45


def test_masks_can_be_left_out_or_always_given() -> None:
    assert not context_mask(np.random.default_rng(0), 50, 16, 0.0).any()
    assert (context_mask(np.random.default_rng(0), 50, 16, 1.0)[:, 0, 0] == 1).all()


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
