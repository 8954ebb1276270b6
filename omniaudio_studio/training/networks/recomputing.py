"""Gradient checkpointing, memory for time (T. Chen et al., "Training deep nets with sublinear
memory cost", arXiv 1604.06174).

Modules that can do it have an attribute ``recomputing``, False at first. It changes neither what
they give nor what they are saved as.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(module: nn.Module, *inputs: Tensor) -> Tensor:
    """The module's output; what is between it and the inputs is not kept but computed again when
    the gradient asks for it."""
    output: Tensor = checkpoint(module, *inputs, use_reentrant=False)
    return output


def recompute(module: nn.Module, on: bool = True) -> int:
    """Switch it on or off in all parts of a module; says in how many."""
    parts: list[Any] = [part for part in module.modules() if hasattr(part, "recomputing")]
    for part in parts:
        part.recomputing = on
    return len(parts)
