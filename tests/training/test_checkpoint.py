"""Checkpoints: whole or absent, never code; and the average of weights."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.training.checkpoint import (
    WeightAverage,
    load_average,
    load_checkpoint,
    save_checkpoint,
)

ROOT = Path(__file__).parents[2]


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    state = {"step": 3, "weights": {"w": torch.randn(4, 5)}, "rates": [0.5, 1], "done": False}
    save_checkpoint(tmp_path / "a.ckpt", state)
    found = load_checkpoint(tmp_path / "a.ckpt")
    assert torch.equal(found.pop("weights")["w"], state.pop("weights")["w"])  # type: ignore[index]
    assert found == state
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def saved(path: Path) -> bytes:
    save_checkpoint(path, {"step": 1, "w": torch.randn(500)})
    return path.read_bytes()


class Runs:
    """Pickles into a command that makes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.proof}",)


def as_torch(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "tensor", "pickle", "code", "beginning"])
def test_what_is_no_checkpoint_gets_one_line(tmp_path: Path, kind: str) -> None:
    whole = saved(tmp_path / "whole.ckpt")
    proof = tmp_path / "proof"
    path = tmp_path / "run.ckpt"
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "beginning": whole[200:],
            "empty": b"",
            "text": b"step 3, loss 0.5\n" * 40,
            "tensor": as_torch(torch.ones(3)),
            "pickle": pickle.dumps({"step": Runs(proof)}, protocol=2),
            "code": as_torch({"step": 1, "model": Runs(proof)}),
        }[kind]
    )
    with pytest.raises(MediaError) as caught:
        load_checkpoint(path)
    assert str(caught.value) == (
        f"{path} is not a checkpoint that can be read (damaged, or not written here); "
        "delete it to train that stage from its start"
    )
    assert not proof.exists(), "the file's code ran"


def test_the_code_would_have_run(tmp_path: Path) -> None:
    """The test above can fail: an unguarded load does run the command."""
    proof = tmp_path / "proof"
    torch.load(io.BytesIO(as_torch(Runs(proof))), weights_only=False)
    assert proof.exists()


def test_no_file_is_another_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        load_checkpoint(tmp_path / "vae.ckpt")
    assert str(caught.value) == f"no checkpoint at {tmp_path}/vae.ckpt: train that stage first"


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from omniaudio_studio.errors import OutputError
from omniaudio_studio.training.checkpoint import save_checkpoint

path = Path(sys.argv[1])
save_checkpoint(path, {"step": 1, "w": torch.zeros(100)})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    save_checkpoint(path, {"step": 2, "w": torch.randn(100_000)})
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_takes_no_more_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert load_checkpoint(path)["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["run.ckpt"]


def test_the_average_follows_with_a_decay_that_ramps_up() -> None:
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.0)
        average = WeightAverage(module, decay=0.5)
        expected = 0.0
        for update in range(1, 30):
            module.weight.fill_(float(update))
            average.update(module)
            decay = min(0.5, (1 + update) / (10 + update))
            expected = decay * expected + (1 - decay) * update
            assert average.module.state_dict()["weight"].item() == pytest.approx(expected, rel=1e-5)
    assert decay == 0.5
    assert module.weight.item() == 29.0, "the average is a copy"
    assert not average.module.training
    assert not any(weight.requires_grad for weight in average.module.parameters())


def test_counters_are_copied_not_averaged() -> None:
    module = nn.BatchNorm1d(2)
    average = WeightAverage(module, 0.999)
    module(torch.randn(4, 2))
    average.update(module)
    assert average.module.state_dict()["num_batches_tracked"].item() == 1


def test_an_average_resumes() -> None:
    module = nn.Linear(2, 2)
    first = WeightAverage(module, 0.9)
    first.update(nn.Linear(2, 2))
    second = WeightAverage(nn.Linear(2, 2), 0.9)
    second.load_state_dict(first.state_dict())
    following = nn.Linear(2, 2)
    for average in (first, second):
        average.update(following)
    assert first.updates == second.updates == 2
    weights = [average.module.state_dict()["weight"] for average in (first, second)]
    assert torch.equal(*weights)


def test_averaged_weights_are_loaded(tmp_path: Path) -> None:
    module = nn.Linear(2, 3)
    save_checkpoint(tmp_path / "a.ckpt", {"average": WeightAverage(module, 0.9).state_dict()})
    other = nn.Linear(2, 3)
    load_average(tmp_path / "a.ckpt", other)
    assert torch.equal(other.weight, module.weight)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"average": {"updates": 1, "weights": nn.Linear(2, 4).state_dict()}}, "size mismatch for"),
        ({"average": {"updates": 1, "weights": {}}}, "Missing key(s) in state_dict"),
        ({"step": 1}, "it has no 'average'"),
        ({"average": 3}, "'int' object"),
    ],
)
def test_weights_of_other_networks_get_one_line(
    tmp_path: Path, state: dict[str, object], said: str
) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, state)
    with pytest.raises(MediaError) as caught:
        load_average(path, nn.Linear(2, 3))
    message = str(caught.value)
    assert message.startswith(f"{path} does not fit this preset ({said}")
    assert message.endswith("); use the preset it was trained with") and "\n" not in message


LIMITED = """
import resource, signal, sys
from pathlib import Path
import torch
from omniaudio_studio.errors import OutputError
from omniaudio_studio.training.checkpoint import save_checkpoint

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
save_checkpoint(Path(sys.argv[1]), {"step": 1, "weight": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint(Path(sys.argv[1]), {"step": 2, "weight": torch.zeros(1_000_000)})
except OutputError as error:
    print("refused:", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for the size of a file there")
def test_what_the_system_refuses_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    """The limit refuses in the middle of the file, as a full disk does."""
    path = tmp_path / "run.ckpt"
    program = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ") and len(done.stdout.splitlines()) == 1
    assert load_checkpoint(path)["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["run.ckpt"]


def test_a_large_checkpoint_is_mapped_and_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = torch.randn(1000)
    save_checkpoint(tmp_path / "run.ckpt", {"weight": weight})
    monkeypatch.setattr("omniaudio_studio.training.checkpoint._MAPPED", 100)
    found = load_checkpoint(tmp_path / "run.ckpt")["weight"]
    assert torch.equal(found, weight)
    found += 1  # a private copy: the file stays
    assert torch.equal(load_checkpoint(tmp_path / "run.ckpt")["weight"], weight)


def test_no_average_is_the_module_itself(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    average = WeightAverage(module, 0.0)
    with torch.no_grad():
        module.weight.add_(1.0)
    average.update(module)
    assert torch.equal(average.state_dict()["weights"]["weight"], module.weight)
    assert module.weight.requires_grad and module.training
