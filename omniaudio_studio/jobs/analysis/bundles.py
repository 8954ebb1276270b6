"""Which model bundles are there?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.bundles.discovery import Found, scan_bundles
from omniaudio_studio.jobs.analysis.tasks import Context

MAX_CARD = 100_000  # characters


def answer(context: Context) -> list[dict[str, Any]]:
    """What the user chooses from; a bundle that cannot be read has a ``problem`` in one line."""
    return [_row(item) for item in scan_bundles()]


def _row(item: Found) -> dict[str, Any]:
    path = str(item.path)
    if item.bundle is None:
        return {
            "name": item.path.stem,
            "title": item.path.stem,
            "version": None,
            "path": path,
            "demonstration": False,
            "licence": None,
            "sampler": None,
            "reflow": None,
            "sample_rate": None,
            "card": None,
            "spatializer": False,
            "problem": item.problem,
        }
    manifest = item.bundle.manifest
    return {
        "name": manifest.name,
        "title": manifest.title,
        "version": manifest.version,
        "path": path,
        "demonstration": manifest.demonstration,
        "licence": asdict(manifest.licence),
        "sampler": {"cfg": manifest.sampler.cfg, "steps": manifest.sampler.steps},
        "reflow": None if manifest.reflow is None else asdict(manifest.reflow),
        "sample_rate": manifest.sample_rate,
        "card": _card(item.bundle),
        "spatializer": "spatializer" in manifest.graphs,
        "problem": None,
    }


def _card(bundle: Bundle) -> str | None:
    try:
        return (bundle.folder / "README.md").read_text(encoding="utf-8")[:MAX_CARD]
    except (OSError, ValueError):
        return None
