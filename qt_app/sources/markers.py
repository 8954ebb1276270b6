"""What the 360 view shows of a clip's sources and hints at a time."""

from __future__ import annotations

import math

from qt_app import theme
from qt_app.picture import camera
from qt_app.picture.markers import Marker
from qt_app.sources.model import HINT, SOURCE, Picked, SourcesModel
from qt_app.sources.source import at

HINT_COLOUR = "front"


def markers_at(model: SourcesModel, time: float) -> tuple[Marker, ...]:
    """A mark for each source, and for each hint that holds then or is chosen.

    Parameters
    ----------
    time
        Seconds of the clip.
    """
    picked = None if model.picked is None else (model.picked.kind, model.picked.index)
    made = []
    for index, source in enumerate(model.sources):
        _, azimuth, elevation, gain = at(source.points, time)
        made.append(
            Marker(
                Picked(SOURCE, index),
                _vector(azimuth, elevation),
                source.name,
                f"{source.name}, {direction_text(azimuth, elevation)}, gain {gain:.2f}",
                theme.series(source.colour).name(),
                chosen=picked == (SOURCE, index),
                strength=gain,
            )
        )
    for index, hint in enumerate(model.hints):
        chosen, holds = picked == (HINT, index), hint.start <= time <= hint.end
        if not (chosen or holds):
            continue
        words = f"Hint {index + 1}, {direction_text(hint.azimuth, hint.elevation)}"
        made.append(
            Marker(
                Picked(HINT, index),
                _vector(hint.azimuth, hint.elevation),
                f"Hint {index + 1}",
                f"{words}, strength {hint.strength:.2f}",
                theme.colour(HINT_COLOUR).name(),
                ring=True,
                chosen=chosen,
                strength=hint.strength if holds else 0.0,
            )
        )
    return tuple(made)


def direction_text(azimuth: float, elevation: float) -> str:
    """ "30° left, 10° up"; degrees."""
    across, along = round(azimuth), round(elevation)
    side = "ahead" if across == 0 else f"{abs(across)}° {'left' if across > 0 else 'right'}"
    if abs(across) == 180:
        side = "behind"
    if along == 0:
        return side
    return f"{side}, {abs(along)}° {'up' if along > 0 else 'down'}"


def _vector(azimuth: float, elevation: float) -> camera.Vector:
    return camera.vector(math.radians(azimuth), math.radians(elevation))
