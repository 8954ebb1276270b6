"""``omniaudio doctor``: does everything load, what will the graphs run on, and why."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from omniaudio_studio import __version__
from omniaudio_studio.cli.output import print_json, print_pairs

# Import name -> the distributions that may bring it.
CORE = {
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime"),
    "av": ("av",),
    "soundfile": ("soundfile",),
    "soxr": ("soxr",),
    "cv2": ("opencv-python-headless",),
    "scenedetect": ("scenedetect-headless",),
    "matplotlib": ("matplotlib",),
    "PIL": ("pillow",),
}
OPTIONAL = {"torch": ("torch",), "onnx": ("onnx",), "spaudiopy": ("spaudiopy",)}


def doctor(
    device: Annotated[str, typer.Option(help="Ask for this device.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Check the installation; exit code 1 if a part of the core does not load."""
    data = examine(device)
    if as_json:
        print_json(data)
    else:
        show(data)
    if data["problems"]:
        raise typer.Exit(1)


def examine(device: str = "auto") -> dict[str, Any]:
    """Everything that doctor finds, as plain data."""
    import platformdirs

    from omniaudio_studio.jobs.analysis.device import device_report, version_of

    problems: list[str] = []
    parts: dict[str, str | None] = {}
    for module, names in CORE.items():
        try:
            importlib.import_module(module)
            parts[module] = version_of(names)
        except Exception as error:
            parts[module] = None
            problems.append(f"{module} does not load: {' '.join(str(error).split())}")
    # Said without loading them: torch takes seconds.
    optional = {module: version_of(names) for module, names in OPTIONAL.items()}
    provider = None
    available: list[str] = []
    devices: list[dict[str, Any]] = []
    engine: list[dict[str, Any]] = []
    if parts["onnxruntime"]:
        report = device_report(device)
        available = report["built_with"]
        devices = report["providers"]
        engine = report["engine"]
        provider = {
            "device": report["device"],
            "name": report["chosen"],
            "reason": report["reason"],
        }
    from omniaudio_studio.bundles.discovery import scan_bundles, search_folders

    bundles = [
        {
            "path": str(item.path),
            "name": None if item.bundle is None else item.bundle.name,
            "problem": item.problem,
        }
        for item in scan_bundles()
    ]
    if not any(bundle["name"] for bundle in bundles):
        problems.append("no model bundle was found; name its folder in OMNIAUDIO_BUNDLES")
    return {
        "omniaudio": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "parts": parts,
        "optional": optional,
        "provider": provider,
        "available_providers": available,
        "devices": devices,
        "engine": engine,
        "bundles": bundles,
        "bundle_folders": [str(folder) for folder in search_folders()],
        "log_folder": str(Path(platformdirs.user_log_dir("omniaudio-studio", appauthor=False))),
        "problems": problems,
    }


def show(data: dict[str, Any]) -> None:
    """The same for people."""
    provider = data["provider"]
    pairs = [
        ("omniaudio", data["omniaudio"]),
        ("python", f"{data['python']} ({data['executable']})"),
        ("system", f"{data['system']}, {data['processors']} processors"),
    ]
    pairs += [(module, version or "MISSING") for module, version in data["parts"].items()]
    pairs += [(module, version or "not installed") for module, version in data["optional"].items()]
    if provider is not None:
        pairs.append(("runs on", f"{provider['name']}: {provider['reason']}"))
        pairs += [
            (row["device"], row["why"])
            for row in data["devices"]
            if row["name"] in data["available_providers"] and row["why"] not in provider["reason"]
            if not row["taken"]
        ]
        pairs.append(("built with", ", ".join(data["available_providers"])))
        pairs += [
            (row["part"], f"{'on' if row['on'] else 'off'}: {row['why']}")
            for row in data["engine"]
            if row["part"] != "provider"  # said above
        ]
    for bundle in data["bundles"]:
        pairs.append(("bundle", bundle["problem"] or f"{bundle['name']} in {bundle['path']}"))
    pairs.append(("log", data["log_folder"]))
    print_pairs(pairs)
    for problem in data["problems"]:
        print(f"PROBLEM: {problem}")
    if not data["problems"]:
        print("everything that is needed is here")
