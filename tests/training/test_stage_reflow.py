"""Straightening a flow: its own samples in pairs, and a student that needs few steps."""

from __future__ import annotations

import dataclasses
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.sampler import euler, guided, linear_schedule
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.windows import Known, clamp, context_inputs
from omniaudio_studio.errors import BundleError, MediaError
from omniaudio_studio.training.export import round_weights
from omniaudio_studio.training.loop import run_training
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.networks.conditioner import ConditionerConfig
from omniaudio_studio.training.pairs import SCALES, Pairs, guided_steps
from omniaudio_studio.training.paper import PaperFlow
from omniaudio_studio.training.presets import StageSetup, load_preset
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.stages.encoded import EncodedClips, Excerpt
from omniaudio_studio.training.stages.flow import Flow, load_flow, new_flow
from omniaudio_studio.training.stages.reflow import ReflowTask, begin_with, load_student
from omniaudio_studio.training.stages.vision import load_sight
from omniaudio_studio.training.train import straightened, train_stage
from tests.training.conftest import DebugBundle, DebugRun
from tests.training.rows import batch_of

CPU = Machine("cpu")


class Clips(EncodedClips):
    """Any latents and features; what they are is nothing to a flow that does not look."""

    def __init__(self, channels: int, width: int, longest: int) -> None:
        self.channels, self.width, self.longest, self._whole = channels, width, longest, False

    def __len__(self) -> int:
        return 3

    def excerpt(self, index: int, start: float, length: int) -> Excerpt:
        rng = np.random.default_rng([index, int(100 * start)])
        mean = rng.standard_normal((self.channels, length)).astype(np.float32)
        summary = rng.standard_normal((9, self.width)).astype(np.float32)
        matrix = rng.random((length, 9)).astype(np.float32) / 9
        return Excerpt(mean, 0.1 * np.ones_like(mean), {"summary": summary}, matrix)


def clips_of(channels: int, width: int = 1, longest: int = 40) -> EncodedClips:
    return Clips(channels, width, longest)


SETTINGS = ("networks.content=2", "networks.spatial=1", "context_probability=0.5")


def small_flows() -> tuple[Flow, Flow, ConditionerConfig]:
    """A flow that says something, and its student."""
    config = ConditionerConfig(features=2, classes=1, width=32, hidden=8)
    preset = load_preset("debug", list(SETTINGS))
    teacher = new_flow(preset, config, 0)
    with torch.no_grad():
        teacher.dit.out.weight.normal_(0, 0.2)
    student = new_flow(preset, config, 1, guided=True)
    begin_with(student, teacher)
    return teacher, student, config


# The student's beginning


def test_a_student_begins_as_the_conditional_branch() -> None:
    teacher, student, config = small_flows()
    paper = load_preset("debug-paper").paper
    assert paper is not None
    other, pupil = PaperFlow(paper), PaperFlow(paper, guided=True)
    begin_with(pupil, other)
    assert set(pupil.state_dict()) - set(other.state_dict()) == {
        f"dit.guidance.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")
    }
    for one, two, channels, width in (
        (teacher, student, 3, config.width), (other, pupil, 8, paper.dit.width),
    ):  # fmt: skip
        x, known = torch.randn(2, 4, channels, 10)
        mask = (torch.arange(10) < 3).float().expand(4, 1, 10)
        conditions = torch.randn(4, 10, width), torch.randn(4, width)
        t, keep = torch.rand(4), torch.ones(4)
        scales = torch.tensor([1.0, 3.0, 6.0, 9.0])
        expected = one.velocity(x, t, conditions, keep, known, mask)
        found = two.velocity(x, t, conditions, keep, known, mask, scales)
        assert torch.equal(found, expected) and float(expected.detach().std()) > 0.1
        # Its transformer is what learns: conditions are shared with the teacher's graph.
        assert {name for name, p in two.named_parameters() if p.requires_grad} == {
            f"dit.{name}" for name, _ in two.dit.named_parameters()
        }
        found.square().mean().backward()
        last = [p for name, p in two.dit.named_parameters() if name.endswith("2.bias")]
        assert any(p.grad is not None and float(p.grad.abs().max()) > 0 for p in last)


def test_a_student_hears_the_scale_once_it_has_learned() -> None:
    _, student, _ = small_flows()
    with torch.no_grad():
        student.dit.guidance_in[2].weight.normal_()
    x = torch.randn(1, 3, 10).expand(3, -1, -1)
    conditions = torch.randn(1, 10, 32).expand(3, -1, -1), torch.randn(1, 32).expand(3, -1)
    found = student.velocity(
        x, torch.full((3,), 0.5), conditions, torch.ones(3), 0 * x, 0 * x[:, :1],
        torch.tensor([1.0, 1.0, 9.0]),
    )  # fmt: skip
    assert torch.equal(found[0], found[1]) and not torch.allclose(found[0], found[2], atol=0.01)


# Pairs


def pairs_of(
    folder: Path, *more: str, origin: str = "a", width: int = 3, channels: int = 3
) -> Pairs:
    preset = load_preset("debug", [*SETTINGS, *more])
    return Pairs(preset, clips_of(channels, width), folder, {"flow": origin})


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.glob("piece-*")}


def test_pairs_are_drawn_the_same_every_time(tmp_path: Path) -> None:
    one, two = pairs_of(tmp_path, "reflow_pairs=700"), pairs_of(tmp_path, "reflow_pairs=900")
    lengths = [one.length(piece) for piece in one.pieces]
    assert [two.length(piece) for piece in one.pieces] == lengths
    assert lengths.count(16) > 12 and min(lengths) >= 4 and len(set(lengths)) > 1
    assert sum(len(one.numbers(piece)) for piece in one.pieces) == 700
    scales, given = [], []
    for number in range(0, 700, 3):
        here, there = one.beginning(number), two.beginning(number)
        assert all(np.array_equal(here[name], there[name]) for name in here)
        assert here["noise"].shape[1] == lengths[number // 32]
        assert np.array_equal(here["known"] != 0, np.repeat(here["mask"], 3, axis=0) == 1)
        scales.append(float(here["guidance"]))
        given.append(bool(here["mask"].any()))
    assert SCALES[0] <= min(scales) < 1.5 and 8.5 < max(scales) <= SCALES[1]
    assert np.mean(scales) == pytest.approx(5, abs=0.5)
    assert np.mean(given) == pytest.approx(0.5, abs=0.12)


def test_pairs_go_on_where_they_stopped(tmp_path: Path) -> None:
    teacher, _, config = small_flows()
    whole = pairs_of(tmp_path / "whole", "reflow_pairs=70", width=config.summary)
    told: list[tuple[int, int]] = []
    whole.make(teacher, CPU, lambda done, of: told.append((done, of)))
    assert told == [(0, 70), (32, 70), (64, 70), (70, 70)]
    kept = files(tmp_path / "whole")
    assert len(kept) == 3 and np.load(tmp_path / "whole" / "piece-000002.npy").shape[0] == 6
    assert np.isfinite(whole.end(69)).all() and whole.end(69).std() > 0.1

    (tmp_path / "whole" / "piece-000001.npy").unlink()
    pairs_of(tmp_path / "whole", "reflow_pairs=70", width=config.summary).make(teacher, CPU)
    again = files(tmp_path / "whole")
    assert {n: data for n, (data, _) in again.items()} == {n: data for n, (data, _) in kept.items()}
    assert [name for name in kept if kept[name][1] != again[name][1]] == ["piece-000001.npy"]
    # Of another flow, and with other steps, they are others.
    for more, origin in ((["reflow_pairs=70"], "b"), (["reflow_pairs=70", "sample_steps=3"], "b")):
        before = files(tmp_path / "whole")
        others = pairs_of(tmp_path / "whole", *more, origin=origin, width=config.summary)
        others.make(teacher, CPU)
        after = files(tmp_path / "whole")
        assert all(before[name][1] != after[name][1] for name in before)


def test_values_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    teacher, _, config = small_flows()
    with torch.no_grad():
        teacher.dit.out.bias.fill_(torch.nan)
    with pytest.raises(MediaError, match="the flow comes to values that are no numbers at a guid"):
        pairs_of(tmp_path, width=config.summary).make(teacher, CPU)
    assert not files(tmp_path)


def condition_of(run: Path) -> ConditionerConfig:
    """Sizes of a debug run's conditions."""
    classes = len(open_scene_set(run / "scenes").classes)
    return load_sight(load_preset("debug"), classes, run / "vision.ckpt").localiser.config


def test_pairs_are_what_the_engine_makes_of_the_same_noise(
    debug_run: DebugRun, debug_bundle: DebugBundle, tmp_path: Path
) -> None:
    """24 guided steps of the exported transformer, held to the same beginning."""
    preset = load_preset("debug", ["context_probability=0.7", "sample_steps=24", "reflow_pairs=6"])
    run = debug_run.folder
    flow = load_flow(preset, condition_of(run), run / "finetune.ckpt")
    flow = cast(Flow, round_weights(flow))  # as the bundle has them
    pairs = Pairs(preset, EncodedClips(run / "encoded", 16, ("summary",)), tmp_path, {})
    pairs.make(flow, CPU)
    bundle = load_bundle(debug_bundle.folder)
    dit = Session(bundle.graph("dit"), choose_provider("cpu"))
    given = 0
    for number in range(6):
        begun = pairs.beginning(number)
        with torch.no_grad():
            local, global_ = flow.conditions({"summary": torch.from_numpy(begun["summary"][None])})
        known = Known(begun["known"], begun["mask"][0] == 1)
        given += int(known.mask.any())
        inputs = {
            "local": (begun["to_latents"] @ local[0].numpy())[None],
            "global_": global_.numpy(),
            **context_inputs(known),
        }
        velocity = guided(
            lambda x, t, fed: dit.run({"x": x, "t": t, **fed})["v"],
            inputs, bundle.manifest.guidance.drop, float(begun["guidance"]),
        )  # fmt: skip
        expected = euler(
            velocity, begun["noise"][None], linear_schedule(24), clamp(known, begun["noise"])
        )
        spread = float(expected.std())
        np.testing.assert_allclose(pairs.end(number), expected[0], atol=2e-3 * spread)
    assert 0 < given < 6


# A toy whose way is a spiral, the wider the larger the scale


class Spiral(nn.Module):
    """Two channels that turn about each other: by 0.22 rad for each unit of guidance."""

    def conditions(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        return batch["summary"], batch["summary"][:, 0]

    def velocity(self, x: Tensor, t: Tensor, conditions: Any, keep: Tensor, *_: Any) -> Tensor:
        return 0.22 * keep[:, None, None] * turned(x)


class Pupil(Spiral):
    """a x + b turned(x); both depend on time and scale."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.out = nn.Linear(64, 2)

    def velocity(self, x: Tensor, t: Tensor, conditions: Any, keep: Tensor, *more: Any) -> Tensor:
        facts = torch.stack([t, more[-1] / 9], dim=1)
        along, across = self.out(self.layers(facts)).T[:, :, None, None]
        return along * x + across * turned(x)


def turned(x: Tensor) -> Tensor:
    return torch.stack([-x[:, 1], x[:, 0]], dim=1)


@torch.no_grad()
def few_steps(pupil: Pupil, batch: dict[str, Tensor], steps: int) -> Tensor:
    x = batch["noise"]
    for t, t_next in pairwise(linear_schedule(steps).tolist()):
        time = torch.full((len(x),), t)
        x = x + (t_next - t) * pupil.velocity(x, time, None, time, batch["guidance"])
    return x


def test_four_steps_of_the_student_are_nearer_than_four_of_the_teacher(tmp_path: Path) -> None:
    setup = StageSetup(steps=300, batch=16, length=64, rate=1e-2, warmup=20, ema=0.97)
    preset = dataclasses.replace(
        load_preset("debug", ["context_probability=0.0", "sample_steps=24", "reflow_pairs=128"]),
        reflow=setup,
    )
    spiral = cast(Flow, Spiral())
    pairs = Pairs(preset, clips_of(2, longest=64), tmp_path / "pairs", {})
    pairs.make(spiral, CPU)
    torch.manual_seed(0)
    task = ReflowTask(pairs, cast(Flow, Pupil()))
    pupil = cast(Pupil, run_training(task, setup, tmp_path / "reflow.ckpt", CPU).module)
    # Noise that it has not seen.
    unseen = dataclasses.replace(preset, reflow=dataclasses.replace(setup, seed=1))
    other = Pairs(unseen, clips_of(2, longest=64), tmp_path / "other", {})
    numbers = iter(other.numbers(0))
    batch = batch_of(lambda rng: other.beginning(next(numbers)), len(other.numbers(0)))
    many = guided_steps(spiral, batch, 24)

    def off(found: Tensor) -> float:
        return float((found - many).abs().mean())

    assert off(few_steps(pupil, batch, 4)) < 0.3 * off(guided_steps(spiral, batch, 4))
    # The scale is what makes the difference: one for all is far off.
    same = {**batch, "guidance": torch.ones_like(batch["guidance"])}
    assert off(few_steps(pupil, same, 4)) > 2 * off(few_steps(pupil, batch, 4))


def test_times_are_those_that_few_steps_look_at(tmp_path: Path) -> None:
    teacher, student, config = small_flows()
    pairs = pairs_of(tmp_path, "reflow_pairs=40", width=config.summary)
    pairs.make(teacher, CPU)
    task = ReflowTask(pairs, student)
    rng = np.random.default_rng(0)
    rows = [task.row(task.plan(rng), rng) for _ in range(500)]
    times = np.array([row["t"] for row in rows])
    looked_at = {k / n for n in range(4, 9) for k in range(1, n + 1)}
    near = np.array([min(abs(t - other) for other in looked_at) < 1e-6 for t in times])
    assert near.mean() == pytest.approx(0.75, abs=0.06)
    assert (times[~near] < 0.125).sum() > 5 and times.min() > 0
    assert (times == 1).mean() == pytest.approx(
        0.75 * np.mean([1 / n for n in range(4, 9)]), abs=0.04
    )


def test_what_is_given_is_not_asked_for(tmp_path: Path) -> None:
    teacher, student, config = small_flows()
    pairs = pairs_of(tmp_path, "reflow_pairs=32", "context_probability=1.0", width=config.summary)
    pairs.make(teacher, CPU)
    task = ReflowTask(pairs, student)
    plan = task.plan(np.random.default_rng(0))
    batch = batch_of(lambda rng: task.row(plan, rng), 4)
    usual = float(task.losses(batch)["loss"].detach())
    given, asked = 100 * batch["mask"], 100 * (1 - batch["mask"])
    made = student.velocity
    for spoil, same in ((given, True), (asked, False)):
        student.velocity = lambda *a, s=spoil: made(*a) + s  # type: ignore[method-assign]
        assert (abs(float(task.losses(batch)["loss"].detach()) - usual) < 1e-5 * usual) == same


# The stage


@pytest.fixture
def copied(debug_run: DebugRun, tmp_path: Path) -> Path:
    """A run folder that may be changed."""
    return Path(shutil.copytree(debug_run.folder, tmp_path / "run"))


def test_the_stage_keeps_pairs_and_knows_its_teacher(copied: Path) -> None:
    kept = files(copied / "pairs")
    assert set(kept) == {"piece-000000.npy"} and (copied / "reflow.ckpt").is_file()
    trained = (copied / "reflow.ckpt").read_bytes()
    train_stage("reflow", "debug", copied)
    assert files(copied / "pairs") == kept and (copied / "reflow.ckpt").read_bytes() == trained
    # The averaged student fits, and its conditions are the teacher's.
    preset = load_preset("debug")
    config = condition_of(copied)
    student = load_student(preset, config, copied / "reflow.ckpt")
    teacher = load_flow(preset, config, copied / "finetune.ckpt")
    weights = student.state_dict()
    for name, value in teacher.state_dict().items():
        assert torch.equal(weights[name], value) == name.startswith("projection."), name
    # Another flow has other pairs: the student of this one is not trained on with them.
    rewrite(copied / "finetune.ckpt")
    with pytest.raises(MediaError) as caught:
        train_stage("reflow", "debug", copied)
    assert str(caught.value) == (
        f"{copied}/reflow.ckpt straightens another flow than finetune.ckpt: delete it to train it "
        "from its start, or name another folder for the run"
    )
    with pytest.raises(BundleError, match=r"reflow.ckpt was trained before finetune.ckpt was: del"):
        straightened(copied)
    (copied / "reflow.ckpt").unlink()
    assert not straightened(copied)
    train_stage("reflow", "debug", copied)
    assert straightened(copied)
    assert files(copied / "pairs")["piece-000000.npy"] != kept["piece-000000.npy"]


def test_no_steps_leave_it_out(copied: Path) -> None:
    for path in (copied / "reflow.ckpt", copied / "pairs" / "pairs.json"):
        path.unlink()
    train_stage("reflow", "debug", copied, overrides=["reflow.steps=0"])
    assert not (copied / "reflow.ckpt").exists() and not (copied / "pairs" / "pairs.json").exists()


def rewrite(checkpoint: Path) -> None:
    """Other weights."""
    state = torch.load(checkpoint, weights_only=True)
    weights = state["average"]["weights"]
    weights["dit.out.bias"] = weights["dit.out.bias"] + 0.1
    torch.save(state, checkpoint)
