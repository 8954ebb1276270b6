"""What a step of training costs, before it is taken: memory, operations, and the time they take.

The step is walked through with tensors that have shapes and no contents. So memory and operations
are those of the code that will run, with gradient checkpointing and mixed precision as set. Counted
are the multiplications and additions of matrix products, convolutions and attention; Fourier
transforms and what is done value by value are not.
"""

from __future__ import annotations

import copy
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from omniaudio_studio.training.devices import UTILISATION, Device
from omniaudio_studio.training.presets import StageSetup
from omniaudio_studio.training.task import Task

_AUTOCAST = {"bf16": torch.bfloat16, "16": torch.float16}


@dataclass(frozen=True)
class StepCost:
    """What one step costs on each device; memory in bytes.

    Attributes
    ----------
    values
        How many numbers are trained.
    weights
        Of all networks, those that are not trained included.
    gradients, moments, average
        Of what is trained; AdamW's two moments; the moving average of the weights.
    kept
        What the forward pass keeps for the gradient.
    working
        The most that is in use at once beyond weights, moments and average: what is kept,
        gradients so far, and what is being computed.
    operations
        Floating-point operations of a step.
    rows
        Samples of a step on each device, ``at_once`` of them at a time.
    precision
        One of `machine.PRECISIONS`.
    """

    values: int
    weights: int
    gradients: int
    moments: int
    average: int
    kept: int
    working: int
    operations: int
    rows: int
    at_once: int
    precision: str

    @property
    def memory(self) -> int:
        """The most that is in use at once, bytes."""
        return self.weights + self.moments + self.average + self.working

    def seconds(self, device: Device) -> float | None:
        """How long a step takes; None where the device has no arithmetic of this precision."""
        speed = device.speeds.get(self.precision)
        return None if speed is None else self.operations / (speed * UTILISATION)

    def lines(self, devices: list[Device], steps: int) -> list[str]:
        """The cost, and how long ``steps`` steps take on each device."""

        def gigabytes(size: int) -> str:
            return f"{size / 1e9:.2f} GB"

        named = {"32": "32 bits", "16": "16 and 32 bits", "bf16": "bfloat16 and 32 bits"}
        lines = [
            f"{self.values / 1e6:.1f} million values are trained, in {named[self.precision]}",
            f"memory: {gigabytes(self.memory)} = weights {gigabytes(self.weights)}, "
            f"AdamW {gigabytes(self.moments)}, average {gigabytes(self.average)}, at work "
            f"{gigabytes(self.working)} (gradients {gigabytes(self.gradients)}, kept for them "
            f"{gigabytes(self.kept)})",
            f"a step: {self.rows} samples, {self.at_once} at a time, "
            f"{self.operations / 1e12:.3g} TFLOP",
        ]
        for device in devices:
            taken = self.seconds(device)
            if taken is None:
                lines.append(f"{device.name}: knows no {self.precision}")
                continue
            fits = "" if self.memory <= device.memory else "; it does not fit there"
            lines.append(
                f"{device.name} ({device.memory / 1e9:.0f} GB): {_span(taken)} a step, "
                f"{_span(taken * steps)} for {steps} steps{fits}"
            )
        lines.append(f"(at {UTILISATION:.0%} of what the devices can do at most)")
        return lines


def step_cost(task: Task, setup: StageSetup, *, accumulate: int = 1, devices: int = 1) -> StepCost:
    """Walk through a step of a stage without doing it.

    Parameters
    ----------
    task
        Left as it is; one sample is drawn for its shapes.
    accumulate, devices
        Parts that a batch is taken in, and devices that share it; see `machine.Machine`.
    """
    at_once = max(1, setup.batch // (accumulate * devices))
    row = task.row(task.plan(np.random.default_rng(0)), np.random.default_rng(1))
    # Contents are never looked at, only shapes and types.
    with FakeTensorMode():
        shapes = _without_contents(task)
        counter = FlopCounterMode(display=False, custom_mapping=_UNCOUNTED)
        live = _Live(_values(shapes))
        kind = _AUTOCAST.get(setup.precision)
        with counter, live:
            batch = {
                name: torch.empty((at_once, *value.shape), dtype=_kind(value))
                for name, value in row.items()
            }
            with torch.autocast("cpu", kind or torch.bfloat16, enabled=kind is not None):
                loss = shapes.losses(batch)["loss"]
            kept = live.now
            loss.backward()
    learned = [
        value
        for value in _once([each.module for each in task.networks.values()])
        if value.requires_grad
    ]
    gradients = _bytes(learned)
    averaged = list(task.module.state_dict().values()) if setup.ema else []
    return StepCost(
        values=sum(value.numel() for value in learned),
        weights=_bytes(_values(task)),
        gradients=gradients,
        moments=2 * gradients,
        average=_bytes(averaged),
        kept=kept,
        # Later parts of a batch find the gradients of the first in place.
        working=live.most + (gradients if accumulate > 1 else 0),
        operations=counter.get_total_flops() * accumulate,
        rows=at_once * accumulate,
        at_once=at_once,
        precision=setup.precision,
    )


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _attention_backward(grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(grad, query, key, value))


#: Attention as CPUs do it, which torch does not count; as GPUs do it, it does.
_UNCOUNTED = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def _kind(array: NDArray[Any]) -> torch.dtype:
    return torch.from_numpy(np.empty(0, array.dtype)).dtype


class _Live(TorchDispatchMode):
    """Bytes of what is made inside it and still in use, and the most there were.

    What shares its memory with ``others`` does not count.
    """

    def __init__(self, others: list[Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet(
            value.untyped_storage() for value in others
        )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, Tensor):
                self._watch(value.untyped_storage())
        return result

    def _watch(self, storage: Any) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, size)

    def _gone(self, size: int) -> None:
        self.now -= size


def _without_contents(task: Task) -> Task:
    """The task with networks that have shapes and nothing in them."""
    shallow = copy.copy(task)
    known: dict[int, Any] = {}  # as `copy.deepcopy` takes it: what stands for what

    def empty(value: Tensor) -> Tensor:
        return torch.empty(value.shape, dtype=value.dtype)

    for name, value in vars(task).items():
        if isinstance(value, nn.Module):
            for each in value.parameters():
                known.setdefault(id(each), nn.Parameter(empty(each), each.requires_grad))
            for buffer in value.buffers():
                known.setdefault(id(buffer), empty(buffer))
            setattr(shallow, name, copy.deepcopy(value, known))
        elif isinstance(value, Tensor):
            setattr(shallow, name, empty(value))
    return shallow


def _values(task: Task) -> list[Tensor]:
    """All that a task's networks are made of."""
    return _once([value for value in vars(task).values() if isinstance(value, nn.Module)])


def _once(modules: list[nn.Module]) -> list[Tensor]:
    """Parameters and buffers, each once."""
    found = {
        id(value): value
        for module in modules
        for value in (*module.parameters(), *module.buffers())
    }
    return list(found.values())


def _bytes(values: list[Tensor]) -> int:
    return sum(value.nbytes for value in values)


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"
