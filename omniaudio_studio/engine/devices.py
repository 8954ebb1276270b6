"""Which execution provider runs the graphs, and why."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import DeviceError, OptionError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
DEVICES = ("auto", *PROVIDERS)

# Equal seeds, equal sound: full float32 products, and one fixed algorithm for convolutions.
# Memory grows by what is asked for, not by doubling.
_OPTIONS: dict[str, dict[str, str]] = {
    "cuda": {
        "use_tf32": "0",
        "cudnn_conv_algo_search": "DEFAULT",
        "arena_extend_strategy": "kSameAsRequested",
    },
}

# One Relu on one number (ONNX IR 8, opset 14): does this provider make a session at all?
_PROBE = bytes.fromhex(
    "080812003a330a0c0a0178120179220452656c751201705a0f0a0178120a0a08080112040a02080162"
    "0f0a0179120a0a08080112040a02080142040a00100e"
)


@dataclass(frozen=True)
class ProviderChoice:
    """The provider that runs, and why it was chosen.

    Parameters
    ----------
    device
        "cpu", "cuda", "directml" or "coreml".
    provider
        ONNX Runtime's name for it.
    reason
        A phrase for `doctor`, logs and sidecars.
    """

    device: str
    provider: str
    reason: str

    @property
    def records(self) -> bool:
        """Whether it can record runs and repeat them: CUDA graphs."""
        return self.device == "cuda"

    def providers(self, *, record: bool = False) -> list[Any]:
        """ONNX Runtime's list: the chosen one with its options, and the CPU for what it lacks.

        ``record`` lets it record CUDA graphs, where it :attr:`records`.
        """
        options = dict(_OPTIONS.get(self.device, {}))
        if record and self.records:
            options["enable_cuda_graph"] = "1"
        chosen: list[Any] = [(self.provider, options)]
        return chosen if self.device == "cpu" else [*chosen, PROVIDERS["cpu"]]


def choose_provider(device: str = "auto") -> ProviderChoice:
    """Pick the execution provider.

    "auto" takes CUDA where it really creates a session, else the CPU. DirectML and CoreML are used
    when asked for by name.

    Raises
    ------
    OptionError
        If ``device`` is no known name.
    DeviceError
        If a named device cannot be used; the line says why.
    """
    if device not in DEVICES:
        raise OptionError(f"device must be one of {', '.join(DEVICES)}; found {device!r}")
    if device == "cpu":
        return ProviderChoice("cpu", PROVIDERS["cpu"], "asked for")
    if device == "auto":
        problem = _problem("cuda")
        if problem is None:
            return ProviderChoice("cuda", PROVIDERS["cuda"], "CUDA works on this machine")
        return ProviderChoice("cpu", PROVIDERS["cpu"], f"CUDA cannot be used: {problem}")
    problem = _problem(device)
    if problem is not None:
        raise DeviceError(f"cannot run on {device}: {problem}; use --device auto or cpu")
    return ProviderChoice(device, PROVIDERS[device], "asked for")


def describe_devices(chosen: str) -> list[dict[str, Any]]:
    """Every device: "device", provider "name", whether "available" and "taken", and "why".

    Parameters
    ----------
    chosen
        The device that is used, as in :attr:`ProviderChoice.device`.
    """
    rows = []
    for device, provider in PROVIDERS.items():
        problem = None if device == "cpu" else _problem(device)
        if problem is not None:
            why = problem
        elif device == chosen:
            why = "in use"
        elif device == "cpu":
            why = "works everywhere; takes what the other one lacks"
        else:
            why = f"works; choose it with the device {device}"
        rows.append(
            {
                "device": device,
                "name": provider,
                "available": problem is None,
                "taken": device == chosen,
                "why": why,
            }
        )
    return rows


def quiet_runtime() -> Any:
    """The onnxruntime module, its own logging silenced: what matters comes as exceptions."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


@cache
def _problem(device: str) -> str | None:
    """Why a device cannot be used, or None. Asked once per process."""
    runtime = quiet_runtime()
    if PROVIDERS[device] not in runtime.get_available_providers():
        return f"this onnxruntime ({runtime.__version__}) was built without it"
    said = ""
    if device == "cuda":
        if not _has_nvidia_driver():
            return "no NVIDIA driver was found"
        said = _preload(runtime)
    options = session_options()
    try:
        choice = ProviderChoice(device, PROVIDERS[device], "")
        # Without enable_fallback=0 a failure is printed on stdout and hidden.
        session = runtime.InferenceSession(
            _PROBE, options, providers=choice.providers(), enable_fallback=0
        )
    except Exception as error:
        return one_line(error)
    if session.get_providers()[0] != PROVIDERS[device]:
        return said or "its libraries could not be loaded (pip install 'omniaudio-studio[cuda]')"
    return None


def _has_nvidia_driver() -> bool:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return int(ctypes.CDLL(name).cuInit(0)) == 0
    except (OSError, AttributeError):
        return False


def _preload(runtime: Any) -> str:
    """Load CUDA's libraries from their wheels; what was missing, in one phrase."""
    printed = io.StringIO()
    try:
        # It reports on stdout, which belongs to the program's own answers.
        with contextlib.redirect_stdout(printed):
            runtime.preload_dlls()
    except (OSError, RuntimeError) as error:
        return one_line(error)
    missing = [line for line in printed.getvalue().splitlines() if line.startswith("Failed")]
    if not missing:
        return ""
    return f"{missing[0][:120]} (pip install 'omniaudio-studio[cuda]')"


ARENA = True
"""Whether memory of a run on the CPU is kept for the next one."""


def session_options() -> Any:
    """Session options that every graph shares.

    Chosen by measurement on two cores, with the released model's sizes and random weights (fp32;
    onnxruntime 1.31): a guided step of the DiT at 215 latents, and decoding 84 latents.
    """
    runtime = quiet_runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = cpu_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Waiting threads sleep: spinning ones halve the speed as soon as anything else (the video
    # decoder, another program) wants a core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # At the peak of decoding 0.58 GB with the arena, from 0.76 GB without, 1.00 GB with planned
    # memory, which is kept for every shape ever seen and is no faster; DirectML refuses it anyway.
    options.enable_cpu_mem_arena = ARENA
    options.enable_mem_pattern = False
    # Weights are packed for the processor as they are loaded, and what was packed leaves memory:
    # loading the DiT's 3.64 GB takes 6 to 9 s and 3.65 GB at the peak, never two copies. Without
    # packing it takes 0.3 s, and every step about a fifth longer.
    #
    # Graphs are optimised anew at every load. Kept on disk, the result would save 0.2 of the 0.4 s
    # that the starter takes to load, and for the DiT those 0.3 s. With the packed weights kept as
    # well its file has 7.3 GB, and loading still takes 6 s.
    return options


@cache
def cpu_threads() -> int:
    """Threads for a graph: physical cores that this process may use; 0 leaves it to the runtime.

    The runtime counts the machine's cores; inside a container only some of them are ours.
    """
    if not hasattr(os, "sched_getaffinity"):
        return 0
    allowed = os.sched_getaffinity(0)
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            cores.add(str(cpu))
    return max(1, min(len(cores), _cgroup_cpus(len(allowed))))


def _cgroup_cpus(default: int) -> int:
    """Whole processors of this container's quota (cgroup v2), at least 1."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):
        return default


def one_line(error: BaseException, limit: int = 200) -> str:
    """An exception's message on one line, shortened."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."
