"""Where does the picture cut?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omniaudio_studio.engine.shots import find_shots
from omniaudio_studio.jobs.analysis.cache import cached
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.probe import probe


def answer(
    context: Context, path: str, projection: str = "auto", stereo: str = "auto"
) -> dict[str, Any]:
    """``starts``: seconds at which shots begin, the first 0."""

    def make(file: Path) -> dict[str, Any]:
        info = probe(path, projection=projection, stereo=stereo)
        found = find_shots(
            info,
            cancel=context.cancel,
            progress=lambda seconds: context.progress(seconds / max(info.duration, 1e-3)),
        )
        starts = [shot.start for shot in found]
        file.write_text(json.dumps(starts), encoding="utf-8")
        return {"starts": starts}

    _, facts = cached("shots", Path(path), ".shots", make, stereo=stereo)
    return {"starts": facts["starts"]}
