"""A personal HRTF as filters that can be loaded without any library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omniaudio_studio.jobs.analysis.tasks import Context


def answer(context: Context, path: str) -> dict[str, Any]:
    """The .npz of `media.hrtf.cached_hrtf`."""
    from omniaudio_studio.media.hrtf import cached_hrtf

    return {"npz": str(cached_hrtf(Path(path)))}
