"""The 360 clip that a scene has, and where its pictures lie on the scene's time line."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from omniaudio_studio.errors import MissingFileError, OmniAudioError, OptionError

from . import compat, world

# A movie whose length on the time line is off its own by no more than this keeps in step: Blender
# rounds to whole frames, and 30 fps in place of 29.97 is found in a clip of more than a minute.
TIMING_FRAMES = 2.0


class TimingError(OmniAudioError):
    """Blender plays the clip at another speed than its own.

    ``fps`` is the frame rate of the scene that would mend it; None where none would.
    """

    exit_code = 2

    def __init__(self, message: str, fps: Fraction | None = None) -> None:
        super().__init__(message)
        self.fps = fps


@dataclass(frozen=True)
class Source:
    """A clip in a scene. Frames are the scene's.

    Attributes
    ----------
    kind
        "STRIP" or "WORLD".
    name
        Of the strip or the image.
    content_start
        The frame that shows the clip's first picture (or would, were it not trimmed away).
    content_frames
        Frames that the whole clip takes; None where only the file knows.
    left, right
        It is shown from ``left`` to before ``right``; ``right`` is None where only the file knows.
    fps
        Frames a second of the scene.
    """

    kind: str
    clip: Path
    name: str
    content_start: float
    content_frames: int | None
    left: int
    right: int | None
    fps: float


def scene_fps(scene: Any) -> float:
    """Frames a second of a scene."""
    return float(scene.render.fps / scene.render.fps_base)


def find(scene: Any, strip: Any | None = None) -> Source:
    """The clip that the settings of a scene mean.

    Parameters
    ----------
    strip
        The active strip.

    Raises
    ------
    OptionError
        If there is none, or it is no movie: one line that says what to do.
    MissingFileError
        If its file is gone.
    """
    wanted = scene.omniaudio.source
    movie = movie_of(scene, strip) if wanted != "WORLD" else None
    if movie is not None:
        return of_strip(scene, movie)
    if wanted == "STRIP" or (wanted == "AUTO" and not world.has_environment(scene)):
        raise OptionError(
            "no movie strip is active; add the 360 clip to the sequencer and select its strip, or "
            "set it as the movie of the world's environment texture"
        )
    return of_world(scene)


def movie_of(scene: Any, strip: Any | None) -> Any | None:
    """The strip that is meant: the active one, the one a take belongs to, or the only movie.

    Raises
    ------
    OptionError
        If an image sequence is active.
    """
    if strip is not None and strip.type == "IMAGE":
        raise OptionError(
            f"{strip.name} is an image sequence, which has no clock of its own; render it to a "
            "movie (MP4, MKV) and use that"
        )
    if strip is not None and strip.type == "MOVIE":
        return strip
    movies = [other for other in compat.all_strips(scene) if other.type == "MOVIE"]
    if strip is not None and strip.type == "SOUND" and strip.omniaudio.movie:
        for other in movies:
            if other.omniaudio.movie == strip.omniaudio.movie:
                return other
    return movies[0] if len(movies) == 1 else None


def of_strip(scene: Any, strip: Any) -> Source:
    """The clip of a movie strip.

    Raises
    ------
    OptionError
        If it is shown in a way that sound cannot follow.
    MissingFileError
        If its file is gone.
    """
    _refuse_changed(scene, strip)
    return Source(
        kind="STRIP",
        clip=existing(strip.filepath, f"the strip {strip.name}"),
        name=strip.name,
        content_start=compat.whole_start(strip),
        content_frames=compat.whole_duration(strip),
        left=compat.left_handle(strip),
        right=compat.right_handle(strip),
        fps=scene_fps(scene),
    )


def as_it_lies(source: Source, strip: Any) -> Source:
    """The same clip where its strip lies by now."""
    return replace(
        source,
        name=strip.name,
        content_start=compat.whole_start(strip),
        left=compat.left_handle(strip),
        right=compat.right_handle(strip),
    )


def of_world(scene: Any) -> Source:
    """The clip of the world's environment texture; raises as `of_strip`."""
    node = world.environment(scene)
    image, user = node.image, node.image_user
    if image.source == "SEQUENCE":
        raise OptionError(
            f"{image.name} is an image sequence, which has no clock of its own; render it to a "
            "movie (MP4, MKV) and use that"
        )
    if image.source != "MOVIE":
        raise OptionError(
            f"{image.name} is a still picture; open the 360 movie in the environment texture"
        )
    if user.use_cyclic:
        raise OptionError(
            f"{image.name} is played in a loop, and its sound would end after the first round; "
            "switch Cyclic off in the environment texture"
        )
    return Source(
        kind="WORLD",
        clip=existing(image.filepath, f"the image {image.name}"),
        name=image.name,
        content_start=float(user.frame_start - user.frame_offset),
        content_frames=None,
        left=user.frame_start,
        right=user.frame_start + user.frame_duration if user.frame_duration > 1 else None,
        fps=scene_fps(scene),
    )


def existing(filepath: str, what: str) -> Path:
    """The absolute path of a file that Blender names; MissingFileError where it is not there."""
    path = Path(bpy.path.abspath(filepath)) if filepath else Path()
    if not filepath or not path.is_file():
        raise MissingFileError(
            f"the file of {what} is missing: {path if filepath else 'none is set'}; find it again "
            "(File > External Data > Find Missing Files)"
        )
    return path.resolve()


def check_timing(source: Source, duration: float, fps: float) -> None:
    """Refuse a clip that Blender plays at another length than its own.

    Parameters
    ----------
    duration, fps
        Seconds and average pictures a second of the clip itself.

    Raises
    ------
    TimingError
        With the scene's frame rate that mends it.
    """
    # The world shows one picture of the movie on each frame; a strip does so too, or keeps the
    # movie's own speed ("Adjust Playback Rate"): its length tells.
    frames = source.content_frames
    if frames is None:
        frames = round(duration * fps)
    expected = duration * source.fps
    if abs(frames - expected) <= TIMING_FRAMES:
        return
    own = rational(fps)
    if abs(float(own) - source.fps) < 1e-3:
        raise TimingError(
            f"{source.name} takes {frames} frames of the scene, but the clip has "
            f"{expected:.0f}: its speed was changed; add the movie anew, or render it first"
        )
    raise TimingError(
        f"{source.name} takes {frames / source.fps:.2f} s in this scene of {source.fps:g} fps, but "
        f"the clip is {duration:.2f} s long at {fps:g} fps: its sound would not keep in step; set "
        f"the scene to {float(own):g} fps first",
        own,
    )


def rational(fps: float) -> Fraction:
    """The frame rate as a fraction: 30000/1001 for 29.97 and its relatives."""
    whole = Fraction(max(1, round(fps)))
    nearest = min(whole, whole * Fraction(1000, 1001), key=lambda rate: abs(rate - fps))
    # An average over timestamps in milliseconds is a little off; the two are 1e-3 apart.
    return nearest if abs(nearest - fps) < 4e-4 * fps else Fraction(fps).limit_denominator(1000)


def _refuse_changed(scene: Any, strip: Any) -> None:
    """Sound is made for the clip as it is: reversed, mirrored or retimed it would not fit."""
    problem = ""
    effects = list(compat.all_strips(scene))
    parts = _with_metas(strip)
    if any(getattr(part, "use_reverse_frames", False) for part in parts):
        problem = "is played backwards; switch Reverse Frames off"
    elif any(getattr(part, "use_flip_x", False) for part in parts):
        problem = "is mirrored, which swaps left and right; switch Mirror X off"
    elif any(getattr(part, "use_flip_y", False) for part in parts):
        problem = "is upside down; switch Mirror Y off"
    elif any(effect.type == "SPEED" and effect.input_1 in parts for effect in effects):
        problem = "is played through a speed effect; remove the effect"
    elif any(compat.is_retimed(part) for part in parts):
        problem = "is retimed; clear its retiming keys (Strip > Retiming > Reset Retiming)"
    if problem:
        raise OptionError(f"the strip {strip.name} {problem}, or render it to a movie first")


def _with_metas(strip: Any) -> list[Any]:
    """A strip and the metas around it."""
    parts = [strip]
    while (parent := parts[-1].parent_meta()) is not None:
        parts.append(parent)
    return parts


def set_fps(scene: Any, rate: Fraction) -> None:
    """Give a scene a frame rate; Blender keeps it as a whole number over a divisor."""
    scene.render.fps = math.ceil(rate)
    scene.render.fps_base = float(math.ceil(rate) / rate)
