"""The loop: resuming is exact, stopping saves, and what is wrong is said."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omniaudio_studio.errors import Cancelled, MediaError
from omniaudio_studio.training.checkpoint import load_checkpoint
from omniaudio_studio.training.loop import learning_rate, run_training
from tests.training.small_training import SETUP, Fault, small_module, train

ROOT = Path(__file__).parents[2]


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

    def step(rng: np.random.Generator) -> dict[str, Tensor]:
        loss = network.weight.sum() * 0 + float(next(values))
        return {"loss": loss, "half": loss / 2}

    network = nn.Linear(2, 1)
    run_training(
        network, step, replace(SETUP, steps=45), tmp_path / "run.ckpt",
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
    groups = load_checkpoint(tmp_path / "run.ckpt")["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == [learning_rate(SETUP.steps - 1, SETUP)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_command_goes_on(tmp_path: Path, sign: signal.Signals) -> None:
    checkpoint = tmp_path / "run.ckpt"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.small_training", str(checkpoint), "400", "0.02"],
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
    setup = replace(SETUP, steps=400)
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


def spoiled(network: nn.Linear, at: int, how: str) -> Any:
    """A step that goes wrong at one number."""
    count = 0

    def step(rng: np.random.Generator) -> dict[str, Tensor]:
        nonlocal count
        count += 1
        loss = (network(torch.ones(1, 2)) ** 2).mean()
        if count > at:
            if how == "loss":
                loss = loss * math.nan
            else:  # finite, with an infinite slope
                loss = loss + torch.sqrt(network.weight - network.weight.detach()).sum()
        return {"loss": loss}

    return step


@pytest.mark.parametrize(("how", "said"), [("loss", "the loss"), ("slope", "the gradient")])
def test_what_is_no_number_ends_the_run_and_spoils_nothing(
    tmp_path: Path, how: str, said: str
) -> None:
    checkpoint = tmp_path / "run.ckpt"
    network = nn.Linear(2, 1)
    with pytest.raises(MediaError) as caught:
        run_training(network, spoiled(network, 4, how), SETUP, checkpoint, save_every=0.0)
    assert str(caught.value) == (
        f"step 4: {said} is not a number; the last good state is in {checkpoint}"
    )
    state = load_checkpoint(checkpoint)
    assert state["step"] == 4
    for weights in (state["model"], state["average"]["weights"], network.state_dict()):
        assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_no_checkpoint_is_promised_where_there_is_none(tmp_path: Path) -> None:
    network = nn.Linear(2, 1)
    with pytest.raises(MediaError) as caught:
        run_training(network, spoiled(network, 0, "loss"), SETUP, tmp_path / "run.ckpt")
    assert str(caught.value) == "step 0: the loss is not a number; try a smaller rate"
    assert list(tmp_path.iterdir()) == []


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
