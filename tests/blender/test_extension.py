"""The extension as users get it: installed, at work with its own wheels, taken away again."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import bpy

from omniaudio_studio import __version__

ADDON = Path(__file__).resolve().parents[2] / "blender_addon"
EXTENSION_TOOL = "scripts/addons_core/bl_pkg/cli/blender_ext.py"  # in Blender's own folder


def extension_tool(*arguments: object) -> str:
    """Run Blender's own tool for extensions; returns what it says."""
    tool = Path(bpy.utils.resource_path("LOCAL")) / EXTENSION_TOOL
    command = [sys.executable, tool, *arguments]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_manifest_is_valid_as_it_stands() -> None:
    assert "Success" in extension_tool("validate", ADDON)


def test_the_manifest_has_the_version_of_the_package() -> None:
    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text("utf-8"))
    assert manifest["version"] == __version__
