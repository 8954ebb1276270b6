"""Takes of the clip's own sound, placed: what can lie under what is generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError

from . import clips, takes
from .clips import Source


def fields(scene: Any) -> list[Any]:
    """The strips of their fields, in the order of the takes."""
    strips = [takes.field_strip(scene, take.key) for take in takes.all_of(scene)]
    return [strip for strip in strips if strip.omniaudio.placed]


def search(settings: Any, context: Any, text: str) -> list[str]:
    """What the field for the placed sound offers: names."""
    names = [takes.generated(strip).stem for strip in fields(settings.id_data)]
    return [name for name in names if text.lower() in name.lower()]


def name_of(scene: Any, field: Path | None) -> str:
    """What the settings call a field: its name where it is a take of the scene, else its path."""
    if field is None:
        return ""
    known = [takes.generated(strip) for strip in fields(scene)]
    return field.stem if field in known else str(field)


def find(scene: Any, source: Source) -> Path:
    """The field that the settings of a scene want under what is generated.

    Raises
    ------
    OptionError
        If no sound of this clip was placed.
    MissingFileError
        If its file is gone.
    """
    wanted = scene.omniaudio.mix_field
    mine = [strip for strip in fields(scene) if strip.omniaudio.clip == str(source.clip)]
    if wanted:
        named = [strip for strip in mine if takes.generated(strip).stem == wanted]
        # Without the scene's objects: those are added to what is generated.
        path = str(takes.generated(named[-1])) if named else wanted
    elif mine:
        path = str(takes.generated(mine[-1]))
    else:
        raise OptionError(
            f"no sound of {source.name} was placed yet that could lie under what is generated; "
            "place the clip's own sound first, or have it as recorded"
        )
    return clips.existing(path, "the placed sound")
