"""The loop: resuming is exact, stopping saves, and what is wrong is said."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omniaudio_studio.errors import Cancelled, MediaError, OptionError, OutputError
from omniaudio_studio.training.checkpoint import load_checkpoint
from omniaudio_studio.training.loop import learning_rate, run_training
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.pictures import energy, shown, spectrogram
from omniaudio_studio.training.task import Arrays, Losses, Sample, Task, Trained
from tests.training.small_training import SETUP, Fault, SmallTask, small_module, train

ROOT = Path(__file__).parents[2]


class Given(Task):
    """A task of a few lines: samples of zeros, losses by a function."""

    def __init__(self, module: nn.Module, function: Callable[..., Losses]) -> None:
        super().__init__(module)
        self.function = function

    def row(self, plan: object, rng: np.random.Generator) -> Arrays:
        return {"nothing": np.zeros(1, np.float32)}

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        return self.function(batch)


def task_of(module: nn.Module, losses: Callable[..., Losses]) -> Task:
    return Given(module, losses)


def equal(first: Any, second: Any) -> bool:
    """Bit for bit, through nested dicts and lists."""
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(equal, first, second))
    return bool(first == second)


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    network, average = train(tmp_path / "whole.ckpt")
    for fail_at in (5, 3):  # from 0 to 5, from 5 to 8, from 8 on
        with pytest.raises(Fault):
            train(tmp_path / "parts.ckpt", fail_at=fail_at, save_every=0.0)
    assert load_checkpoint(tmp_path / "parts.ckpt")["step"] == 8
    resumed, resumed_average = train(tmp_path / "parts.ckpt")
    assert equal(resumed.state_dict(), network.state_dict())
    assert equal(resumed_average.state_dict(), average.state_dict())
    states = [load_checkpoint(tmp_path / name) for name in ("whole.ckpt", "parts.ckpt")]
    assert states[0]["step"] == SETUP.steps and equal(*states)
    # Nothing was compared with itself: training moved the weights, and the average lags behind.
    assert not equal(network.state_dict(), small_module().state_dict())
    assert not equal(average.module.state_dict(), network.state_dict())


def test_a_resumed_run_needs_no_equal_first_weights(tmp_path: Path) -> None:
    network, _ = train(tmp_path / "whole.ckpt")
    with pytest.raises(Fault):
        train(tmp_path / "parts.ckpt", fail_at=5, save_every=0.0)
    strange = small_module()
    with torch.no_grad():
        for weight in strange.parameters():
            weight.add_(1.0)
    resumed, _ = train(tmp_path / "parts.ckpt", module=strange)
    assert equal(resumed.state_dict(), network.state_dict())


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    first, _ = train(tmp_path / "one.ckpt")
    second, _ = train(tmp_path / "two.ckpt", replace(SETUP, seed=6))
    assert not equal(first.state_dict(), second.state_dict())


def test_a_finished_run_is_only_read(tmp_path: Path) -> None:
    network, average = train(tmp_path / "run.ckpt")
    before = (tmp_path / "run.ckpt").read_bytes()
    again, again_average = train(tmp_path / "run.ckpt", fail_at=0)
    assert equal(again.state_dict(), network.state_dict())
    assert equal(again_average.state_dict(), average.state_dict())
    assert (tmp_path / "run.ckpt").read_bytes() == before


def test_the_log_holds_the_mean_losses(tmp_path: Path) -> None:
    reports: list[tuple[int, int, dict[str, float], float]] = []
    values = iter(range(1, 46))

    def losses(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        loss = network.weight.sum() * 0 + float(next(values))
        return {"loss": loss, "half": loss / 2}

    network = nn.Linear(2, 1)
    run_training(
        task_of(network, losses), replace(SETUP, steps=45), tmp_path / "run.ckpt",
        report=lambda *report: reports.append(report),
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    means = [10.5, 30.5, 43.0]  # of 1 to 20, 21 to 40, 41 to 45
    assert lines == [
        {"step": done, "loss": mean, "half": mean / 2}
        for done, mean in zip((20, 40, 45), means, strict=True)
    ]
    assert [report[:3] for report in reports] == [
        (done, 45, {"loss": mean, "half": mean / 2})
        for done, mean in zip((20, 40, 45), means, strict=True)
    ]
    assert reports[0][3] > 0 and reports[-1][3] == 0


def test_the_learning_rate_warms_up_and_falls_to_a_fiftieth() -> None:
    setup = replace(SETUP, steps=110, warmup=10, rate=0.5)
    rates = [learning_rate(step, setup) for step in range(111)]
    assert rates[0] == pytest.approx(0.05) and rates[9] == 0.5 and rates[10] == 0.5
    assert rates[60] == pytest.approx(0.5 * (0.02 + 0.98 / 2))
    assert rates[110] == pytest.approx(0.01)
    assert all(np.diff(rates[:10]) > 0) and all(np.diff(rates[10:]) < 0)
    assert learning_rate(500, setup) == pytest.approx(0.01)
    assert learning_rate(0, replace(setup, warmup=0)) == 0.5


def test_every_step_has_the_learning_rate_of_its_number(tmp_path: Path) -> None:
    train(tmp_path / "run.ckpt")
    groups = load_checkpoint(tmp_path / "run.ckpt")["optimizers"]["model"]["param_groups"]
    assert [group["lr"] for group in groups] == [learning_rate(SETUP.steps - 1, SETUP)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_command_goes_on(tmp_path: Path, sign: signal.Signals) -> None:
    checkpoint = tmp_path / "run.ckpt"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.small_training", str(checkpoint), "150", "0.02"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        while process.stdout.readline().strip() != "step 6":
            assert process.poll() is None
        assert not checkpoint.exists(), "saved before anybody asked: nothing is tested"
        process.send_signal(sign)
        said = process.communicate(timeout=60)[0].splitlines()
    finally:
        process.kill()
    assert process.returncode == Cancelled.exit_code
    step = load_checkpoint(checkpoint)["step"]
    assert 6 <= step < 100
    # It finished its step and stopped at once.
    assert said[-1] == f"stopped: stopped after step {step}; run the same command again to go on"
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    setup = replace(SETUP, steps=150)
    resumed, average = train(checkpoint, setup)
    whole, whole_average = train(tmp_path / "whole.ckpt", setup)
    assert equal(resumed.state_dict(), whole.state_dict())
    assert equal(average.state_dict(), whole_average.state_dict())


def test_the_handlers_of_before_are_back_afterwards(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    train(tmp_path / "run.ckpt")
    with pytest.raises(Fault):
        train(tmp_path / "other.ckpt", fail_at=1)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_training_runs_in_a_thread_too(tmp_path: Path) -> None:
    thread = threading.Thread(target=train, args=(tmp_path / "run.ckpt",))
    thread.start()
    thread.join()
    assert load_checkpoint(tmp_path / "run.ckpt")["step"] == SETUP.steps


def spoiled(network: nn.Linear, at: int, how: str) -> Task:
    """A task whose steps go wrong from one number on."""
    count = 0

    def losses(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        nonlocal count
        count += 1
        loss = (network(torch.ones(1, 2)) ** 2).mean()
        if count > at:
            if how == "loss":
                loss = loss * math.nan
            else:  # finite, with an infinite slope
                loss = loss + torch.sqrt(network.weight - network.weight.detach()).sum()
        return {"loss": loss}

    return task_of(network, losses)


@pytest.mark.parametrize(("how", "said"), [("loss", "the loss"), ("slope", "the gradient")])
def test_what_is_no_number_ends_the_run_and_spoils_nothing(
    tmp_path: Path, how: str, said: str
) -> None:
    checkpoint = tmp_path / "run.ckpt"
    network = nn.Linear(2, 1)
    with pytest.raises(MediaError) as caught:
        run_training(spoiled(network, 4, how), SETUP, checkpoint, save_every=0.0)
    assert str(caught.value) == (
        f"step 4: {said} is not a number; the last good state is in {checkpoint}"
    )
    state = load_checkpoint(checkpoint)
    assert state["step"] == 4
    for weights in (state["networks"]["model"], state["average"]["weights"], network.state_dict()):
        assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_no_checkpoint_is_promised_where_there_is_none(tmp_path: Path) -> None:
    network = nn.Linear(2, 1)
    with pytest.raises(MediaError) as caught:
        run_training(spoiled(network, 0, "loss"), SETUP, tmp_path / "run.ckpt")
    assert str(caught.value) == "step 0: the loss is not a number; try a smaller rate"
    assert list(tmp_path.glob("*.ckpt")) == []


@pytest.mark.parametrize("change", [{"batch": 5}, {"length": 4}, {"seed": 6}, {"ema": 0.99}])
def test_other_settings_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    checkpoint = tmp_path / "run.ckpt"
    train(checkpoint, replace(SETUP, steps=2))
    before = checkpoint.read_bytes()
    with pytest.raises(MediaError) as caught:
        train(checkpoint, replace(SETUP, **change))
    ((name, value),) = change.items()
    message = str(caught.value)
    assert message.startswith(f"{checkpoint} was trained with ") and "\n" not in message
    assert f"'{name}': {getattr(SETUP, name)}" in message and f"'{name}': {value}" in message
    assert checkpoint.read_bytes() == before


def test_more_steps_and_another_rate_are_no_other_settings(tmp_path: Path) -> None:
    train(tmp_path / "run.ckpt", replace(SETUP, steps=2))
    train(tmp_path / "run.ckpt", replace(SETUP, rate=1e-4, warmup=1))
    assert load_checkpoint(tmp_path / "run.ckpt")["step"] == SETUP.steps


def test_other_sizes_are_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.ckpt"
    train(checkpoint)
    with pytest.raises(MediaError) as caught:
        train(checkpoint, module=small_module(width=9))
    message = str(caught.value)
    assert message.startswith(f"{checkpoint} does not fit this preset (size mismatch for layers.0")
    assert message.endswith("use the preset it was trained with") and "\n" not in message


# Devices, parts, precision


class Plain(Given):
    """Dropout and batch statistics depend on how a batch is shared; these weights do not."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(3, 16), nn.GELU(), nn.Linear(16, 1))
        super().__init__(network, lambda batch: {
            "loss": ((network(batch["x"]) - batch["x"].sum(1, keepdim=True)) ** 2).mean()
        })  # fmt: skip

    def plan(self, rng: np.random.Generator) -> float:
        return float(rng.uniform(0.5, 2))

    def row(self, plan: float, rng: np.random.Generator) -> Arrays:
        return {"x": plan * rng.standard_normal(3).astype(np.float32)}


def curve(checkpoint: Path) -> list[float]:
    lines = checkpoint.with_suffix(".jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


LONG = replace(SETUP, steps=60, batch=8)


def test_parts_and_workers_give_the_same_curve(tmp_path: Path) -> None:
    for name, machine in {
        "whole": Machine("cpu"),
        "parts": Machine("cpu", accumulate=4),
        "workers": Machine("cpu", accumulate=2, workers=2),
    }.items():
        run_training(Plain(), LONG, tmp_path / f"{name}.ckpt", machine)
    whole = curve(tmp_path / "whole.ckpt")
    assert len(whole) == 3 and whole[2] < 0.7 * whole[0]
    assert curve(tmp_path / "parts.ckpt") == pytest.approx(whole, rel=1e-4)
    assert curve(tmp_path / "workers.ckpt") == pytest.approx(whole, rel=1e-4)


TWO = """
import sys
from pathlib import Path
import torch
from omniaudio_studio.training.loop import run_training
from omniaudio_studio.training.machine import Machine
from tests.training.test_loop import LONG, Plain

torch.set_num_threads(1)
run_training(Plain(), LONG, Path(sys.argv[1]), Machine("cpu", devices=2))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gloo is started another way")
@pytest.mark.parametrize("launcher", ["lightning", "torchrun"])
def test_two_processes_give_the_curve_of_one(tmp_path: Path, launcher: str) -> None:
    """The samples of a batch are shared between them, their gradients averaged by gloo."""
    run_training(Plain(), LONG, tmp_path / "one.ckpt", Machine("cpu"))
    program = tmp_path / "two.py"
    program.write_text(TWO)
    command = [sys.executable]
    if launcher == "torchrun":
        command += ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29517"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR"):
        environment.pop(name, None)
    done = subprocess.run(
        [*command, str(program), str(tmp_path / "two.ckpt")],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = curve(tmp_path / "one.ckpt"), curve(tmp_path / "two.ckpt")
    assert two == pytest.approx(one, rel=1e-4)
    states = [load_checkpoint(tmp_path / name) for name in ("one.ckpt", "two.ckpt")]
    for name, weight in states[0]["networks"]["model"].items():
        torch.testing.assert_close(weight, states[1]["networks"]["model"][name], atol=1e-5, rtol=0)


def test_a_batch_that_does_not_divide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        run_training(Plain(), LONG, tmp_path / "run.ckpt", Machine("cpu", accumulate=3))
    assert str(caught.value) == (
        "a batch of 8 does not divide into 1 devices x 3 parts; choose a multiple of that"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"precision": "8"}, "precision is '8': choose one of 32, bf16, 16"),
        ({"accelerator": "tpu"}, "accelerator is 'tpu': choose auto, cpu or cuda"),
        ({"devices": 0}, "devices is 0: give 1 or more"),
        ({"workers": -1}, "workers is -1: give 0 or more"),
    ],
)
def test_a_machine_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        Machine(**options)
    assert str(caught.value) == said


def test_sixteen_bits_follow_thirty_two(tmp_path: Path) -> None:
    run_training(Plain(), LONG, tmp_path / "32.ckpt", Machine("cpu"))
    run_training(Plain(), LONG, tmp_path / "bf16.ckpt", Machine("cpu", precision="bf16"))
    wide, narrow = curve(tmp_path / "32.ckpt"), curve(tmp_path / "bf16.ckpt")
    assert narrow == pytest.approx(wide, rel=0.05) and narrow != wide


# Two networks against each other


def test_a_second_network_has_a_rate_and_a_place_in_the_checkpoint(tmp_path: Path) -> None:
    class Two(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Linear(3, 1)

        @property
        def networks(self) -> dict[str, Trained]:
            return {"model": Trained(self.module), "rival": Trained(self.other, 2.0)}

        def losses(self, batch: dict[str, Tensor]) -> Losses:
            found = super().losses(batch)
            rival = self.other(batch["x"]).square().mean()
            return {**found, "loss": found["loss"] + rival, "rival": rival}

    task = Two()
    before = task.other.weight.clone()
    run_training(task, LONG, tmp_path / "run.ckpt", Machine("cpu"))
    state = load_checkpoint(tmp_path / "run.ckpt")
    assert set(state["networks"]) == set(state["optimizers"]) == {"model", "rival"}
    rate = learning_rate(LONG.steps - 1, LONG)
    rates = {n: o["param_groups"][0]["lr"] for n, o in state["optimizers"].items()}
    assert rates == {"model": rate, "rival": 2 * rate}
    assert not torch.equal(task.other.weight, before)
    assert torch.equal(state["networks"]["rival"]["weight"], task.other.weight)
    # The average is of the model alone: that is what a bundle gets.
    assert set(state["average"]["weights"]) == set(task.module.state_dict())


# A full disk


def test_a_full_disk_is_told_of_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether there is room is all that is played here; writing refuses as the system does."""
    from omniaudio_studio.training import loop

    real, refused = loop.save_checkpoint, 0

    def full_for_a_while(path: Path, state: dict[str, Any]) -> None:
        nonlocal refused
        if 4 <= state["step"] <= 7 or (state["step"] == SETUP.steps and refused < 6):
            refused += 1
            raise OutputError(f"{path} cannot be written: No space left on device")
        real(path, state)

    monkeypatch.setattr(loop, "save_checkpoint", full_for_a_while)
    monkeypatch.setattr(loop, "RETRY", 0.05)
    said: list[str] = []
    task = SmallTask(small_module())
    average = run_training(task, SETUP, tmp_path / "run.ckpt", say=said.append, save_every=0.0)
    _, whole_average = train(tmp_path / "whole.ckpt")
    assert equal(average.state_dict(), whole_average.state_dict())
    assert load_checkpoint(tmp_path / "run.ckpt")["step"] == SETUP.steps
    assert len(said) == refused == 6
    assert said[0] == (
        f"step 4 is not saved ({tmp_path}/run.ckpt cannot be written: No space left on device); "
        "training goes on and tries again"
    )
    assert said[-1].endswith("make room: trying again")


# The log


def test_tensorboard_has_losses_sounds_and_pictures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Showing(Plain):
        def samples(self, folder: Path) -> dict[str, Sample]:
            field = 0.1 * np.random.default_rng(0).standard_normal((4, 4800)).astype(np.float32)
            return shown("field", field, 48000)

    run_training(Showing(), LONG, tmp_path / "run.ckpt", Machine("cpu"))
    board = EventAccumulator(str(tmp_path / "tensorboard" / "run"))
    board.Reload()
    tags = board.Tags()
    assert set(tags["scalars"]) == {"loss", "learning rate"}
    assert set(tags["images"]) == {"spectrogram/field", "energy/field"}
    assert tags["audio"] == ["sound/field"]
    values = [event.value for event in board.Scalars("loss")]
    assert values == pytest.approx(curve(tmp_path / "run.ckpt"))
    assert [event.step for event in board.Scalars("loss")] == [20, 40, 60]


def test_a_spectrogram_shows_a_tone_where_it_is() -> None:
    tone = np.sin(2 * np.pi * 6000 * np.arange(48000) / 48000).astype(np.float32)
    picture = spectrogram(tone)
    row = int(picture[:, 20].sum(axis=1).argmax())
    assert picture.shape[0] == 256 and abs(256 - row - 6000 / 24000 * 256) <= 1


def test_an_energy_picture_shows_a_plane_wave_where_it_comes_from() -> None:
    from omniaudio_studio.foa.encoding import encode_plane_wave

    noise = np.random.default_rng(0).standard_normal(4000)
    field = encode_plane_wave(noise, np.radians(90), np.radians(30)).astype(np.float32)
    picture = energy(field, 180).sum(axis=2)
    row, column = np.unravel_index(int(picture.argmax()), picture.shape)
    assert abs(column - 45) <= 3 and abs(row - 30) <= 3  # left of the middle, above the horizon
