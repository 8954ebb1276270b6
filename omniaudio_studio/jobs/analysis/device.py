"""What do models run on here, and why?

Found out in a process of its own, ``python -m omniaudio_studio.jobs.analysis.device``: looking
means to load drivers, which would keep a part of the graphics memory for as long as the analyst
lives, and which answer the same until they are loaded anew.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib import metadata
from typing import Any

from omniaudio_studio import __version__
from omniaudio_studio.errors import DeviceError, MissingDependencyError, OmniAudioError
from omniaudio_studio.jobs.analysis.tasks import Context

# Name -> the distributions that may bring it, as pip names them.
PARTS = {
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime"),
    "numpy": ("numpy",),
    "av": ("av",),
    "soundfile": ("soundfile",),
    "PyQt6": ("PyQt6",),
    "sounddevice": ("sounddevice",),
}
PATIENCE = 60.0  # seconds; a driver that hangs is no answer
_LOOK_SECONDS = 0.1


def answer(context: Context, device: str = "auto") -> dict[str, Any]:
    """`device_report`, made in a process of its own.

    Raises
    ------
    OptionError, DeviceError, MissingDependencyError
        As `device_report`; DeviceError also where the drivers end that process or make it hang.
    """
    command = [sys.executable, "-P", "-m", "omniaudio_studio.jobs.analysis.device", device]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as child:
        try:
            said = _heard(child, context)
        except BaseException:
            child.kill()
            raise
    try:
        report = json.loads(said)
    except ValueError:
        raise DeviceError(
            f"looking at the devices ended with exit code {child.returncode}; run "
            "omniaudio doctor to see more"
        ) from None
    if "problem" in report:
        raise DeviceError(str(report["problem"]))
    return dict(report)


def _heard(child: subprocess.Popen[bytes], context: Context) -> bytes:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return child.communicate(timeout=_LOOK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            context.cancel.check()
        if time.monotonic() > end:
            raise DeviceError(
                f"the graphics drivers did not answer within {PATIENCE:g} s; restart the computer, "
                "or install them again"
            )


def device_report(device: str = "auto") -> dict[str, Any]:
    """What runs the models, every provider with why it was taken or not, and versions.

    Returns
    -------
    dict
        ``device``, ``chosen`` (the provider) and ``reason``; ``providers``, see
        `engine.devices.describe_devices`; ``engine``: what is on of it, see
        `engine.describe.describe_engine`; ``built_with``: what this onnxruntime knows;
        ``versions`` by name.

    Raises
    ------
    OptionError
        If there is no such device.
    DeviceError
        If the device cannot be used.
    MissingDependencyError
        If onnxruntime does not load.
    """
    from omniaudio_studio.bundles.discovery import list_bundles
    from omniaudio_studio.engine.describe import describe_engine
    from omniaudio_studio.engine.devices import choose_provider, describe_devices, quiet_runtime

    try:
        runtime = quiet_runtime()
    except ImportError as error:
        raise MissingDependencyError(
            f"onnxruntime does not load: {' '.join(str(error).split())}; install OmniAudio Studio "
            "again"
        ) from error
    choice = choose_provider(device)
    versions = {"OmniAudio Studio": __version__, "Python": platform.python_version()}
    for names in PARTS.values():
        for name in names:
            if (version := version_of((name,))) is not None:
                versions[name] = version
    versions["System"] = platform.platform()
    return {
        "device": choice.device,
        "chosen": choice.provider,
        "reason": choice.reason,
        "providers": describe_devices(choice.device),
        "engine": describe_engine(choice, list_bundles()),
        "built_with": list(runtime.get_available_providers()),
        "versions": versions,
    }


def version_of(names: tuple[str, ...]) -> str | None:
    """Version of the first of these distributions that is installed."""
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def main() -> None:
    """Print the report as JSON; what libraries print goes to stderr."""
    if hasattr(signal, "alarm"):
        signal.alarm(round(PATIENCE) + 1)  # ends a driver's hang also when nobody waits any more
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        report = device_report(sys.argv[1])
    except OmniAudioError as error:
        report = {"problem": str(error)}
    json.dump(report, out)
    out.flush()
    os._exit(0)  # drivers may take their time to be torn down


if __name__ == "__main__":
    main()
