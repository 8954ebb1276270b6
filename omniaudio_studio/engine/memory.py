"""How much memory a graphics device has free, asked of NVIDIA's driver and of nothing else."""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def free_bytes(device: str) -> int | None:
    """Free memory of the device that CUDA calls its first; None where no one says."""
    if device != "cuda":
        return None
    try:
        return _free(_library("nvcuda.dll", "libcuda.so.1"), _library("nvml.dll", NVML))
    except (OSError, AttributeError):
        return None


NVML = "libnvidia-ml.so.1"


def _library(windows: str, other: str) -> Any:
    return ctypes.CDLL(windows if sys.platform == "win32" else other)


class _Memory(ctypes.Structure):
    """NVML's answer (nvmlMemory_t), bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def _free(cuda: Any, nvml: Any) -> int | None:
    """The two count devices differently, so the device is named by its place on the bus.

    Neither call makes a context, which would itself take memory.
    """
    place = ctypes.create_string_buffer(32)
    if cuda.cuInit(0) or cuda.cuDeviceGetPCIBusId(place, len(place), 0):
        return None
    if nvml.nvmlInit_v2():
        return None
    try:
        handle, memory = ctypes.c_void_p(), _Memory()
        if nvml.nvmlDeviceGetHandleByPciBusId_v2(place, ctypes.byref(handle)):
            return None
        if nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
            return None
        return int(memory.free)
    finally:
        nvml.nvmlShutdown()
