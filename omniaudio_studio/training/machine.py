"""What a stage runs on: devices, hosts and numbers, through Lightning Fabric.

None of it changes what is learned but the precision: a batch is the same samples however many
devices share it and in however many parts each takes it.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from omniaudio_studio.errors import OptionError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: As a user writes them, and as Lightning does.
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
#: Values of gradients that travel between processes at a time.
BUCKET = 1 << 24


@dataclass(frozen=True)
class Machine:
    """Where training runs.

    Attributes
    ----------
    accelerator
        "auto", "cpu" or "cuda".
    devices, nodes
        Processes on this host, one for each device, and hosts. `torchrun` or a cluster's own
        launcher may have started them already; else they are started here.
    precision
        One of `PRECISIONS`; the preset's where None.
    accumulate
        Parts that each device takes its share of a batch in, one after another.
    workers
        Processes per device that draw samples; 0 draws them between steps.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str | None = None
    accumulate: int = 1
    workers: int = 0

    def __post_init__(self) -> None:
        if self.precision is not None and self.precision not in PRECISIONS:
            known = ", ".join(PRECISIONS)
            raise OptionError(f"precision is {self.precision!r}: choose one of {known}")
        if self.accelerator not in ("auto", "cpu", "cuda"):
            raise OptionError(f"accelerator is {self.accelerator!r}: choose auto, cpu or cuda")
        if self.accelerator == "cuda" and not torch.cuda.is_available():
            raise OptionError("accelerator is cuda, but torch finds no CUDA device: choose cpu")
        for name in ("devices", "nodes", "accumulate"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} is {getattr(self, name)}: give 1 or more")
        if self.workers < 0:
            raise OptionError(f"workers is {self.workers}: give 0 or more")

    def fabric(self, precision: str) -> Fabric:
        """Start the other processes where there are to be more (once), and join them.

        ``precision`` is the preset's, one of `PRECISIONS`.
        """
        logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
        from lightning.fabric import Fabric

        many = self.devices * self.nodes > 1
        options: dict[str, Any] = {
            "accelerator": self.accelerator,
            "strategy": "ddp" if many else "auto",
            "devices": self.devices,
            "num_nodes": self.nodes,
            "precision": PRECISIONS[self.precision or precision],
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on clusters that this may run on
            try:
                fabric = Fabric(**options)
                fabric.launch()
            except (ValueError, RuntimeError) as error:
                first = str(error).splitlines()[0]
                raise OptionError(
                    f"{self.devices} devices on {self.nodes} hosts cannot be had: {first}"
                ) from error
        return fabric


def share_gradients(fabric: Fabric, module: nn.Module) -> None:
    """Replace each process's gradients by the mean over all processes.

    Once a step, after all its parts: so a batch in parts costs no more traffic than a whole one.
    """
    if fabric.world_size == 1:
        return
    bucket: list[torch.Tensor] = []
    size = 0
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    for number, gradient in enumerate(gradients):
        bucket.append(gradient)
        size += gradient.numel()
        if size >= BUCKET or number + 1 == len(gradients):
            flat = fabric.all_reduce(torch.cat([g.flatten() for g in bucket]), reduce_op="mean")
            assert isinstance(flat, torch.Tensor)
            for target, mean in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                target.copy_(mean.view_as(target))
            bucket, size = [], 0
