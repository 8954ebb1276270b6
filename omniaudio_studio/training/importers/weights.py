"""Files of weights: read without running anything in them, and taken out key by key."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from omniaudio_studio.errors import BundleError, MissingFileError

Weights = dict[str, Tensor]

SAFE = ".safetensors"


def read_weights(path: Path) -> Weights:
    """Tensors by their names, mapped from the file: they take memory only as they are used.

    Parameters
    ----------
    path
        A `.safetensors` file, or one that ``torch.save`` wrote: tensors by name, or such under
        ``state_dict``.

    Raises
    ------
    MissingFileError, BundleError
        If it is not there, is cut off, or holds anything but tensors and plain data.
    """
    if not path.is_file():
        raise MissingFileError(f"no file of weights at {path}")
    if path.suffix == SAFE:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise BundleError(damaged(path, error)) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "weights_only" in str(error):
            raise BundleError(
                f"{path} holds more than tensors; what is pickled in it could run code, so it is "
                "not loaded: get the weights from their publisher, or as .safetensors"
            ) from error
        raise BundleError(damaged(path, error)) from error
    except Exception as error:  # torch raises many kinds for a file that is cut off
        raise BundleError(damaged(path, error)) from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping):
        raise BundleError(f"{path}: expected tensors by name, found {type(state).__name__}")
    found = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not found:
        raise BundleError(f"{path} holds no tensors; is it the file of weights?")
    return found


def damaged(path: Path, error: Exception) -> str:
    """What to say of a file that cannot be read."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{path} cannot be read ({lines[0][:120].rstrip('.')}); it may be cut off: get it again"


class Names:
    """Names of tensors, put into others by the first pattern that fits their beginning.

    Parameters
    ----------
    pairs
        A regular expression, and what stands in its place (as for `re.sub`).
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = [(re.compile(pattern), ours) for pattern, ours in pairs]

    def __call__(self, name: str) -> str | None:
        """The new name, or None where no pattern fits."""
        for pattern, ours in self._pairs:
            if pattern.match(name):
                return pattern.sub(ours, name, count=1)
        return None


def folded(weights: Weights) -> Weights:
    """Weight norm undone: ``weight`` = ``weight_g`` * ``weight_v`` / its norm.

    The norm is over all dimensions but the first (T. Salimans and D. Kingma, "Weight
    normalization", arXiv 1602.07868). Other tensors are passed on as they are.
    """
    result: Weights = {}
    for name, value in weights.items():
        stem, _, last = name.rpartition("weight_")
        if last == "g" and f"{stem}weight_v" in weights:
            direction = weights[f"{stem}weight_v"].float()
            norm = direction.flatten(1).norm(dim=1).reshape(-1, *[1] * (direction.dim() - 1))
            result[f"{stem}weight"] = direction * (value.float() / norm)
        elif not (last == "v" and f"{stem}weight_g" in weights):
            result[name] = value
    return result


def fill(module: torch.nn.Module, weights: Weights, source: str) -> None:
    """Give a module its weights, without a copy where the type is right.

    Raises
    ------
    BundleError
        Naming the first tensor that is missing, left over or of another shape.
    """
    expected = module.state_dict()
    for name, value in expected.items():
        if name not in weights:
            raise BundleError(f"{source}: the tensor for {name} is missing; get the weights again")
        if weights[name].shape != value.shape:
            raise BundleError(
                f"{source}: {name}: expected shape {tuple(value.shape)}, found "
                f"{tuple(weights[name].shape)}; is the config.json beside it the right one?"
            )
    for name in weights:
        if name not in expected:
            raise BundleError(f"{source}: the tensor {name} belongs nowhere; get the weights again")
    module.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
