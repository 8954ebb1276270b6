"""What do models run on here, and why?"""

from __future__ import annotations

from importlib import metadata
from typing import Any

from omniaudio_studio import __version__
from omniaudio_studio.engine.devices import choose_provider, describe_devices
from omniaudio_studio.jobs.analysis.tasks import Context

# Of what matters in a report, as pip names it.
DISTRIBUTIONS = (
    "onnxruntime-gpu",
    "onnxruntime",
    "onnxruntime-directml",
    "numpy",
    "av",
    "soundfile",
    "PyQt6",
    "sounddevice",
)


def answer(context: Context, device: str = "auto") -> dict[str, Any]:
    """``chosen`` and ``reason``, every provider with why it was taken or not, versions."""
    import platform

    choice = choose_provider(device)
    versions = {"OmniAudio Studio": __version__, "Python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    versions["system"] = platform.platform()
    return {
        "chosen": choice.provider,
        "reason": choice.reason,
        "providers": describe_devices(choice.device),
        "versions": versions,
    }
