"""Putting sound that was made for a clip into its scene.

What the user may go on changing meanwhile (where the strip lies, the scene's name) is looked up
again when the sound is there.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OmniAudioError, OutputError

from . import clips, compat, strips, takes
from .clips import Source


@dataclass(frozen=True)
class Home:
    """The scene and the clip that sound is made for.

    Attributes
    ----------
    folder
        Where the sound goes.
    movie_key
        On the movie strip, to find it again; empty for the world's movie.
    """

    scene_uid: int
    scene_name: str
    source: Source
    folder: Path
    movie_key: str

    @property
    def scene(self) -> Any:
        """The scene; raises OutputError where it is gone."""
        scene = compat.scene_of(self.scene_uid, self.scene_name)
        if scene is None:
            raise OutputError(f"the scene {self.scene_name} is gone; its sound is in {self.folder}")
        return scene


def home(scene: Any, source: Source, folder: Path) -> Home:
    """The home of what is going to be made; gives the movie strip a key."""
    movie = _named(scene, source)
    if movie is not None and not movie.omniaudio.movie:
        movie.omniaudio.role, movie.omniaudio.movie = "CLIP", uuid.uuid4().hex
    return Home(
        scene_uid=compat.session_uid(scene),
        scene_name=scene.name,
        source=source,
        folder=folder,
        movie_key=movie.omniaudio.movie if movie is not None else "",
    )


def attach_field(wanted: Home, wav: Path, start: float, duration: float, yaw: float) -> Any:
    """Put a field into the scene as a new take; returns its strip.

    Parameters
    ----------
    start, duration
        The part of the clip that it is for, seconds.
    yaw
        Degrees: what of the clip is its front.
    """
    scene = wanted.scene
    movie = _movie(scene, wanted)
    source = wanted.source if movie is None else clips.as_it_lies(wanted.source, movie)
    place = strips.placement(source, start, duration)
    strip = strips.add_sound(scene, movie, wav, wav.stem, place, mute=True)
    mine = strip.omniaudio
    mine.role, mine.take = "FOA", uuid.uuid4().hex
    mine.movie, mine.clip = wanted.movie_key, str(wanted.source.clip)
    mine.yaw, mine.world = math.radians(yaw), wanted.source.kind == "WORLD"
    return strip


def for_headphones(result: dict[str, Any]) -> Path:
    """The file for headphones of a take's result; raises OmniAudioError where it was not made."""
    made = result["files"].get("binaural")
    if made is None:
        raise OmniAudioError("; ".join(result["problems"]))
    return Path(made)


def attach_binaural(scene: Any, key: str, wav: Path) -> None:
    """Put the sound for headphones above the field of a take, and have it heard."""
    field = takes.field_strip(scene, key)
    if field is None:
        return  # taken away again in the moment between
    strip = strips.add_sound(scene, field, wav, wav.stem, strips.place_of(field), mute=False)
    for name in ("take", "movie", "clip"):
        setattr(strip.omniaudio, name, getattr(field.omniaudio, name))
    strip.omniaudio.role = "BINAURAL"
    takes.choose(scene, key)


def device(provider: str) -> str:
    """A provider's name for people: CPU, CUDA, ..."""
    return provider.removesuffix("ExecutionProvider")


def _named(scene: Any, source: Source) -> Any | None:
    """The movie strip of a source."""
    return compat.strip_named(scene, source.name) if source.kind == "STRIP" else None


def _movie(scene: Any, wanted: Home) -> Any | None:
    """The clip's strip, wherever it is by now; None where it is gone.

    Copies of a strip have the same key, and an undo takes the key away.
    """
    if wanted.source.kind != "STRIP":
        return None
    named = _named(scene, wanted.source)
    if named is not None and named.omniaudio.movie in ("", wanted.movie_key):
        named.omniaudio.role, named.omniaudio.movie = "CLIP", wanted.movie_key
        return named
    for strip in compat.all_strips(scene):
        if strip.type == "MOVIE" and strip.omniaudio.movie == wanted.movie_key:
            return strip
    return None
