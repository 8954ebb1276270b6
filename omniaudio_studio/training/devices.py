"""What devices can do at most, to tell how long training would take on them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from omniaudio_studio.errors import OptionError

#: Part of a device's highest rate that training is assumed to reach.
UTILISATION = 0.35

_GB, _TERA = 10**9, 1e12
#: Side of the matrices, and seconds, that this machine is measured with.
_SIDE, _MEASURED = 512, 0.3


@dataclass(frozen=True)
class Device:
    """``memory`` in bytes; operations per second by precision (see `machine.PRECISIONS`)."""

    name: str
    memory: int
    speeds: dict[str, float]


def _device(name: str, memory: int, full: float, half: float, bf16: bool = True) -> Device:
    speeds = {"32": full * _TERA, "16": half * _TERA}
    return Device(name, memory * _GB, speeds | ({"bf16": half * _TERA} if bf16 else {}))


#: From the makers' data sheets: dense rates (sheets that give sparse ones: half of it), sums in
#: 32 bits. 32 bits are without TF32, which torch leaves off.
DEVICES = {
    # NVIDIA T4 data sheet, 2019.
    "t4": _device("NVIDIA T4", 16, 8.1, 65, bf16=False),
    # NVIDIA V100 data sheet, 2020 (SXM2).
    "v100": _device("NVIDIA V100", 32, 15.7, 125, bf16=False),
    # NVIDIA Ampere GA102 architecture white paper, 2021.
    "rtx3090": _device("NVIDIA RTX 3090", 24, 35.6, 71),
    # NVIDIA Ada architecture white paper, 2022.
    "rtx4090": _device("NVIDIA RTX 4090", 24, 82.6, 165.2),
    # NVIDIA L4 data sheet, 2023.
    "l4": _device("NVIDIA L4", 24, 30.3, 121),
    # NVIDIA A100 data sheet, 2021 (80 GB).
    "a100": _device("NVIDIA A100", 80, 19.5, 312),
    # NVIDIA H100 data sheet, 2023 (SXM).
    "h100": _device("NVIDIA H100", 80, 67, 989),
}


def device(name: str) -> Device:
    """A device of the table, or "this" machine, measured.

    Raises
    ------
    OptionError
        If it is not known.
    """
    if name == "this":
        return this_machine()
    if name not in DEVICES:
        known = ", ".join(["this", *DEVICES])
        raise OptionError(f"unknown device {name!r}: choose one of {known}")
    return DEVICES[name]


def this_machine() -> Device:
    """The CUDA device of this machine, or its CPU: rates of large matrix products, measured."""
    cuda = torch.cuda.is_available()
    kinds = {"32": torch.float32, "bf16": torch.bfloat16}
    if cuda:
        kinds["16"] = torch.float16
        found = torch.cuda.get_device_properties(0)
        name, memory = found.name, found.total_memory
    else:
        name, memory = f"this CPU, {torch.get_num_threads()} threads", _system_memory()
    place = "cuda" if cuda else "cpu"
    return Device(name, memory, {kind: _rate(type_, place) for kind, type_ in kinds.items()})


def _rate(kind: torch.dtype, place: str) -> float:
    """Operations per second of matrix products: the best of those that fit into the time."""
    side = _SIDE if place == "cpu" else 16 * _SIDE
    a = torch.randn(side, side, device=place).to(kind)

    def product() -> float:
        began = time.perf_counter()
        a @ a
        if place == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    product()  # libraries choose their ways at first
    ends = time.perf_counter() + _MEASURED
    fastest = product()
    while time.perf_counter() < ends:
        fastest = min(fastest, product())
    return 2 * side**3 / fastest


def _system_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)
