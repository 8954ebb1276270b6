"""Real clips and recordings, where the machine has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def material(relative: str) -> Path:
    """A file or folder of the outside material; skips the test where it is not at hand."""
    root = os.environ.get("OMNIAUDIO_MATERIAL")
    if not root:
        pytest.skip("OMNIAUDIO_MATERIAL is not set: no outside material on this machine")
    path = Path(root) / relative
    if not path.exists():
        pytest.skip(f"the outside material has no {relative}")
    return path
