"""What is this file?"""

from __future__ import annotations

from typing import Any

from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.probe import probe


def answer(
    context: Context, path: str, projection: str = "auto", stereo: str = "auto"
) -> dict[str, Any]:
    """``ClipInfo.as_dict()`` of a video."""
    return probe(path, projection=projection, stereo=stereo).as_dict()
