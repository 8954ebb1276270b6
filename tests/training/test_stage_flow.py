"""Excerpts, masks and losses of the flow stages, and that encoded scenes are never stale."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.errors import MediaError
from omniaudio_studio.training.networks.conditioner import ConditionerConfig
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.stages.encoded import EncodedClips
from omniaudio_studio.training.stages.flow import (
    FinetuneTask,
    Flow,
    PretrainTask,
    context_mask,
    hidden_spans,
    new_flow,
)
from omniaudio_studio.training.stages.vae import load_vae
from omniaudio_studio.training.task import Task
from omniaudio_studio.training.train import train_stage
from tests.training.conftest import DebugRun
from tests.training.rows import batch_of

LATENT_RATE, FEATURE_RATE = 12.5, 8.0


class Telling:
    """Samples as `data.shards.Shards` gives them: latents and features tell clip and time."""

    def __init__(self, count: int = 3, seconds: float = 8.0, width: int = 2) -> None:
        latents, frames = round(seconds * LATENT_RATE), round(seconds * FEATURE_RATE)
        self.latent_rate, self.feature_rate, self.channels = LATENT_RATE, FEATURE_RATE, 2
        self.fields = {"mean": (2, latents), "std": (2, latents), "summary": (frames, width)}
        self.count, self.width = count, width
        self.times = np.arange(latents) / LATENT_RATE, np.arange(frames) / FEATURE_RATE

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        mean = np.stack([np.full_like(self.times[0], index), self.times[0]])
        summary = np.stack([np.full_like(self.times[1], index), self.times[1]], axis=1)
        if self.width > 2:  # any values will do
            rng = np.random.default_rng(index)
            summary = rng.standard_normal((len(summary), self.width))
        return {"mean": mean, "std": 2 * mean + 1, "summary": summary}


def telling_clips(**options: Any) -> EncodedClips:
    clips = EncodedClips.__new__(EncodedClips)
    clips._shards = Telling(**options)  # type: ignore[assignment]
    clips._features, clips._whole = ("summary",), False
    clips.longest = clips._shards.fields["mean"][1]
    return clips


@pytest.mark.parametrize("length", [2, 16, 25, 64, 100])
def test_features_are_brought_to_the_absolute_time_of_their_latents(length: int) -> None:
    encoded = telling_clips()
    shapes = set()
    for index, start in itertools.product(range(3), (0.0, 0.3, 0.77, 0.999)):
        found = encoded.excerpt(index, start, length)
        assert found.mean.shape == found.std.shape == (2, length)
        assert found.to_latents is not None
        np.testing.assert_allclose(found.std, 2 * found.mean + 1, rtol=1e-6)
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
    matrix = telling_clips().excerpt(0, 0.4, 40).to_latents
    assert matrix is not None
    np.testing.assert_allclose(matrix.sum(-1), 1, atol=1e-6)
    assert matrix.min() >= 0
    for row in matrix:
        used = np.flatnonzero(row)
        assert len(used) <= 2 and used[-1] - used[0] <= 1


def test_an_excerpt_from_the_start_is_what_the_engine_does() -> None:
    """Generating uses `bundles.resample`: the same rule, on the same features."""
    found = telling_clips(count=1, seconds=2.0).excerpt(0, 0.0, 25)  # the whole scene
    frames = len(found.features["summary"])
    expected = resampling_matrix("linear", 25, frames, LATENT_RATE, FEATURE_RATE)
    assert found.to_latents is not None
    np.testing.assert_allclose(found.to_latents, expected, atol=1e-6)


def test_excerpts_start_everywhere() -> None:
    encoded = telling_clips()
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
    task = PretrainTask(preset, preset.pretrain, telling_clips(), flow)
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
    encoded = telling_clips(width=config.summary)
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
    task = PretrainTask(preset, preset.pretrain, telling_clips(), flow)
    batch = stacked(task, 6)
    each = [
        float(task.losses({n: v[k : k + 1] for n, v in batch.items()})["loss"].detach())
        for k in range(6)
    ]
    assert float(task.losses(batch)["loss"].detach()) == pytest.approx(np.mean(each), rel=1e-5)
    assert np.ptp(each) > 0.01


def test_whole_clips_are_tied_to_both_ends() -> None:
    """The paper's rule: first on first, last on last, a straight line stays one."""
    found = telling_clips().whole(1)
    assert found.to_latents is not None
    brought = found.to_latents @ found.features["summary"]
    np.testing.assert_allclose(brought[:, 0], 1, atol=1e-5)
    assert brought[0, 1] == 0 and brought[-1, 1] == pytest.approx(63 / FEATURE_RATE)
    np.testing.assert_allclose(np.diff(brought[:, 1], 2), 0, atol=1e-4)


# The run's own scenes


@pytest.fixture
def copied(debug_run: DebugRun, tmp_path: Path) -> Path:
    """A run folder that may be changed."""
    return Path(shutil.copytree(debug_run.folder, tmp_path / "run"))


def test_encoded_scenes_are_those_of_the_networks(debug_run: DebugRun) -> None:
    """The training path (FFT) and the exported one (matrix products) see the same latents."""
    run = debug_run.folder
    clips = EncodedClips(run / "encoded", 16, ("summary",))
    scenes = open_scene_set(run / "scenes")
    vae = load_vae(load_preset("debug"), scenes, run / "vae.ckpt")
    assert len(clips) == len(scenes) == 3
    for index in range(3):
        with torch.no_grad():
            mean, std = vae.encoder(torch.from_numpy(scenes.foa[index][None].astype(np.float32)))
        found = clips.excerpt(index, 0.0, 25)
        np.testing.assert_allclose(found.mean, mean[0].numpy(), atol=4e-3)
        np.testing.assert_allclose(found.std, std[0].numpy(), atol=4e-3)


@pytest.mark.parametrize("stage", ["vae", "vision"])
def test_encodings_of_other_weights_are_made_again(copied: Path, stage: str) -> None:
    shard = copied / "encoded" / "shard-000000.tar"
    before, written = shard.read_bytes(), shard.stat().st_mtime_ns
    train_stage("encode", "debug", copied)
    assert shard.stat().st_mtime_ns == written, "nothing has changed, and yet it was made again"
    checkpoint = copied / f"{stage}.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    weights = state["average"]["weights"]
    name = next(name for name in weights if name.endswith("weight"))
    weights[name] = weights[name] + 0.1
    torch.save(state, checkpoint)
    train_stage("encode", "debug", copied)
    assert shard.read_bytes() != before


def test_clips_of_other_networks_are_refused(debug_run: DebugRun) -> None:
    folder = debug_run.folder / "encoded"
    with pytest.raises(MediaError, match="holds latents of 16 channels, expected 64: encode it"):
        EncodedClips(folder, 64, ())
    with pytest.raises(MediaError) as caught:
        EncodedClips(folder, 16, ("equirect", "front"))
    assert str(caught.value) == (
        f"{folder} holds no features equirect, front of pictures (found: summary): encode it with "
        "the networks of this preset, from material with pictures"
    )
