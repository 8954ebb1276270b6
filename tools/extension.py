"""Build the Blender extension: python tools/extension.py [--platform linux-x64]... [--output dist]

One zip per platform: the add-on with the wheels that its worker needs (blender_addon/wheels.txt and
this project's own), for every Python that a supported Blender has. Packed and validated by
Blender's own tool, which comes with Blender as a Python module (tools/setup.sh blender). Wheels are
downloaded once, into .wheels. The paths of the zips go to stdout.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDON = ROOT / "blender_addon"
PINS = ADDON / "wheels.txt"
CACHE = ROOT / ".wheels"
MANIFEST = "blender_manifest.toml"
CLI = "*/lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"

PYTHONS = ("3.11", "3.13")  # of Blender 4.5 and 5.0; of 5.1 and later

# Blender's name -> pip's, the preferred first. Not here: macos-x64, for which ONNX Runtime has no
# wheels any more, and windows-arm64, for which OpenCV has none.
PLATFORMS = {
    "linux-x64": ("manylinux2014_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64",),
}
# Where tools/setup.sh can make what this needs.
HERE = {
    ("Linux", "x86_64"): "linux-x64",
    ("Darwin", "arm64"): "macos-arm64",
}.get((platform.system(), platform.machine()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--platform",
        action="append",
        choices=[*PLATFORMS, "here"],
        help="may be given several times; all by default",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the zips")
    options = parser.parse_args()
    platforms = list(dict.fromkeys(options.platform or PLATFORMS))
    if "here" in platforms:
        if HERE is None:
            fail(f"there is no extension for {platform.system()} {platform.machine()}")
        platforms = list(dict.fromkeys(HERE if name == "here" else name for name in platforms))
    for zip_file in build(platforms, options.output.resolve()):
        print(zip_file)


def build(platforms: list[str], output: Path) -> list[Path]:
    """The zips for these platforms, valid, in ``output``; or one line and exit code 1."""
    tool = blender_tool()
    manifest = checked_manifest()
    with tempfile.TemporaryDirectory(prefix="omniaudio-extension-") as folder:
        source, packed = Path(folder, "source"), Path(folder, "packed")
        ignored = shutil.ignore_patterns("__pycache__", PINS.name, MANIFEST)
        shutil.copytree(ADDON, source, ignore=ignored)
        shutil.copy(ROOT / "LICENSE", source)
        wheels = source / "wheels"
        wheels.mkdir()
        build_own_wheel(wheels)
        for name in platforms:
            for python in PYTHONS:
                for wheel in downloaded_wheels(name, python).glob("*.whl"):
                    if not (wheels / wheel.name).exists():
                        shutil.copy(wheel, wheels)
        (source / MANIFEST).write_text(filled(manifest, platforms, wheels), "utf-8")
        packed.mkdir()
        run(
            "pack the extension",
            [*tool, "build", "--split-platforms", "--source-dir", source, "--output-dir", packed],
        )
        zips = sorted(packed.glob("*.zip"))
        for zip_file in zips:
            run(f"validate {zip_file.name}", [*tool, "validate", zip_file])
        output.mkdir(parents=True, exist_ok=True)
        return [placed(zip_file, output) for zip_file in zips]


def blender_tool() -> list[Path]:
    """Command line of Blender's own tool for extensions, of the newest Blender at hand."""
    tools = sorted((ROOT / ".blender").glob(CLI))
    if not tools:
        fail("expected Blender for Python in .blender, found none; run tools/setup.sh blender")
    environment = ROOT / ".blender" / tools[-1].relative_to(ROOT / ".blender").parts[0]
    return [environment / "bin" / "python", tools[-1]]


def checked_manifest() -> str:
    """The manifest's text, once it is known to name the version of the package."""
    text = (ADDON / MANIFEST).read_text("utf-8")
    found = tomllib.loads(text)["version"]
    package = (ROOT / "omniaudio_studio" / "__init__.py").read_text("utf-8")
    expected = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE).group(1)
    if found != expected:
        fail(f"expected version {expected} in blender_addon/{MANIFEST}, found {found}; set it")
    return text


def filled(manifest: str, platforms: list[str], wheels: Path) -> str:
    """The manifest with what the build knows; top-level keys have to stand before its tables."""
    names = sorted(wheel.name for wheel in wheels.glob("*.whl"))
    lines = "platforms = [{}]\nwheels = [\n{}]\n".format(
        ", ".join(f'"{name}"' for name in platforms),
        "".join(f'    "./wheels/{name}",\n' for name in names),
    )
    head, table, tail = manifest.partition("\n[")
    return f"{head}\n{lines}{table}{tail}"


def build_own_wheel(folder: Path) -> None:
    """This project's own wheel, from the tree as it is."""
    say("building this project's wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-build-isolation")  # nothing to download
    run("build this project's wheel", [*command, ROOT])


def downloaded_wheels(name: str, python: str) -> Path:
    """Folder with the pinned wheels for one platform and one Python, downloaded where missing."""
    pins = hashlib.sha256(PINS.read_bytes() + repr(PLATFORMS[name]).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{python}-{pins}"
    if folder.is_dir():
        return folder
    say(f"downloading wheels for {name}, Python {python}")
    for older in CACHE.glob(f"{name}-{python}-*"):
        shutil.rmtree(older)
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=CACHE) as part:
        target = Path(part, "wheels")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
        for tag in PLATFORMS[name]:
            command += ["--platform", tag]
        step = f"download the wheels for {name} (without a network it cannot)"
        run(step, [*command, "-r", PINS, "-d", target])
        target.rename(folder)
    return folder


def placed(file: Path, folder: Path) -> Path:
    """Copy a file into a folder so that it appears there whole."""
    target = folder / file.name
    part = folder / f".{file.name}.part"
    shutil.copy(file, part)
    part.replace(target)
    return target


def run(step: str, command: list[object]) -> None:
    """Run a command; where it fails, one line says what for and what it said last."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines() or ["it said nothing"]
        errors = [line for line in said if "error" in line.lower()] or said
        fail(f"could not {step}: {errors[-1].strip()}")


def say(text: str) -> None:
    print(f"extension: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> None:
    say(text)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
