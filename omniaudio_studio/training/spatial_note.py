"""What a trained spatializer is fed, kept beside its checkpoint, so that it can be exported."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.networks.spatializer import SpatializerConfig
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.spatial_set import (
    WINDOW,
    SpatialSet,
    band_edges,
    spatializer_config,
)
from omniaudio_studio.training.spatial_vision import PanoramaVision


@dataclass(frozen=True)
class SpatializerNote:
    """Attributes
    ----------
    network
        Sizes of the network.
    view, rate
        The panorama that is looked at, and how often per second.
    edges, window
        Borders of the bands, hertz; seconds that a sound frame looks at.
    frames
        Picture frames of an excerpt.
    bundle, sha256
        Whose vision made the features (empty: the run's own), and its hash.
    """

    network: SpatializerConfig
    view: str
    rate: float
    edges: tuple[float, ...]
    window: float
    frames: int
    bundle: str
    sha256: str

    def section(self) -> dict[str, Any]:
        """The manifest's section `spatializer`."""
        return {
            "view": self.view,
            "ratio": self.network.ratio,
            "edges": list(self.edges),
            "window": self.window,
            "sources": self.network.sources,
            "length": self.frames,
        }


def note_of(preset: Preset, clips: SpatialSet, vision: PanoramaVision) -> SpatializerNote:
    """What a network trained on ``clips`` is fed."""
    return SpatializerNote(
        network=spatializer_config(preset, clips),
        view=vision.view.name,
        rate=vision.rate,
        edges=tuple(float(edge) for edge in band_edges()),
        window=WINDOW,
        frames=clips.features.shape[1],
        bundle=vision.bundle,
        sha256=vision.sha256,
    )


def write_note(checkpoint: Path, note: SpatializerNote) -> None:
    """Keep the note beside the checkpoint that training is going to write.

    Raises
    ------
    MediaError
        If a checkpoint is there that was trained on the features of another vision.
    """
    if checkpoint.exists() and read_note(checkpoint).sha256 != note.sha256:
        raise MediaError(
            f"{checkpoint} was trained on what another vision sees: delete it, or name another "
            "folder for the run"
        )
    with written_whole(_beside(checkpoint), overwrite=True) as temporary:
        temporary.write_text(json.dumps(asdict(note), indent=1))


def read_note(checkpoint: Path) -> SpatializerNote:
    """The note beside a checkpoint.

    Raises
    ------
    MissingFileError, MediaError
        If it is missing or cannot be read.
    """
    path = _beside(checkpoint)
    if not path.is_file():
        raise MissingFileError(f"no {path}, which belongs to {checkpoint.name}: train it again")
    try:
        data = json.loads(path.read_text())
        network = SpatializerConfig(**data.pop("network"))
        return SpatializerNote(**{**data, "network": network, "edges": tuple(data["edges"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MediaError(
            f"{path} cannot be read ({error}); delete it and {checkpoint.name}, and train again"
        ) from error


def _beside(checkpoint: Path) -> Path:
    return checkpoint.with_suffix(".json")
