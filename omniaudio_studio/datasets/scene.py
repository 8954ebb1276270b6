"""Scenes at random: every choice from one generator, so that a seed and an index are a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import PEAK, RATE
from omniaudio_studio.datasets.description import (
    Ambience,
    Background,
    Distractor,
    Look,
    Room,
    Scene,
    Source,
    six,
)
from omniaudio_studio.datasets.envelope import arrange, follow
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.solids import SOLID
from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.encoding import direction_vector

__all__ = [
    "Ambience",
    "Background",
    "Distractor",
    "Look",
    "Motion",
    "Room",
    "Scene",
    "Source",
    "sample_scene",
    "scene_rng",
]

TRACK_RATE = 20.0
"""Points per second of a moving track."""

Motion = Literal["still", "moving", "mixed"]


def scene_rng(seed: int, index: int) -> np.random.Generator:
    """The generator of scene ``index`` of a set: the same in every process and order."""
    return np.random.default_rng([seed, index])


def sample_scene(
    rng: np.random.Generator,
    library: MaterialLibrary,
    seconds: float,
    sources: tuple[int, int] = (1, 3),
    motion: Motion = "mixed",
    *,
    reflections: float = 0.5,
    ambience: float = 0.5,
    distractors: float = 0.0,
    procedural_background: float = 0.2,
    whole: float = 0.6,
    restyled: float = 0.0,
    solids: float = 0.0,
    seed: Sequence[int] = (),
) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    rng
        Every choice comes from it.
    library
        Where sounds and pictures come from.
    seconds
        Length, 0.5 to 600.
    sources
        Least and largest number of sources, each of another class while the library has classes.
    motion
        Whether sources move; "mixed" decides for each with a coin.
    reflections, ambience
        Probabilities of a room and of diffuse noise.
    distractors
        Probability of one or two silent, still sprites.
    procedural_background
        Probability of a procedural sky where the library has panoramas.
    whole
        Probability that a source may sound all the time; others start late, stop early or both.
    restyled
        Probability that a drawing is turned, outlined and reduced to few colours.
    solids
        Probability that a distractor is a rendered object (`datasets.solids`), of no class.
    seed
        Recorded in the scene.

    Raises
    ------
    OptionError
        If an option is out of its range.
    """
    check_options(seconds, sources, motion)
    count = int(rng.integers(sources[0], sources[1] + 1))
    names = [library.classes[i] for i in rng.permutation(len(library.classes))]
    while len(names) < count:
        names += names
    placed: list[NDArray[np.float64]] = []
    relative = rng.uniform(-12, 0, count)
    relative += rng.uniform(-6, 0) - relative.max()
    made = []
    for name, gain_db in zip(names[:count], relative, strict=True):
        moves = motion == "moving" or (motion == "mixed" and rng.random() < 0.5)
        azimuth, elevation = _place(rng, placed)
        made.append(
            _draw_source(
                rng,
                library,
                name,
                seconds,
                float(gain_db),
                azimuth,
                elevation,
                moves,
                whole,
                restyled,
            )
        )
    room = _draw_room(rng) if rng.random() < reflections else None
    still = []
    for _ in range(int(rng.integers(1, 3)) if rng.random() < distractors else 0):
        name = names[int(rng.integers(len(names)))]
        if solids and rng.random() < solids:
            name = SOLID
        azimuth, elevation = _place(rng, placed)
        still.append(Distractor(name, azimuth, elevation, draw_look(rng, library, name, restyled)))
    background = draw_background(rng, library, procedural_background)
    noise = None
    if rng.random() < ambience:
        noise = Ambience(
            float(rng.uniform(-65, -50)), float(rng.uniform(-6, 0)), int(rng.integers(2**31))
        )
    return Scene(
        seconds=float(seconds),
        sources=_within_full_scale(made, room),
        background=background,
        distractors=tuple(still),
        room=room,
        ambience=noise,
        seed=tuple(int(value) for value in seed),
    )


def check_options(seconds: float, sources: tuple[int, int], motion: str) -> None:
    """Refuse what :func:`sample_scene` cannot draw; raises OptionError."""
    if not 0.5 <= seconds <= 600:
        raise OptionError(f"seconds is {seconds}; a scene lasts 0.5 to 600 seconds")
    if not 1 <= sources[0] <= sources[1] <= 16:
        raise OptionError(
            f"sources is {sources[0]}-{sources[1]}; give a range within 1 to 16, such as 1-3"
        )
    if motion not in get_args(Motion):
        raise OptionError(f"motion is {motion!r}; choose from {', '.join(get_args(Motion))}")


def _place(rng: np.random.Generator, placed: list[NDArray[np.float64]]) -> tuple[float, float]:
    """A direction, 40 degrees from those before where 20 tries find one."""
    for _ in range(20):
        azimuth = float(rng.uniform(-np.pi, np.pi))
        if rng.random() < 0.9:
            elevation = float(np.clip(rng.normal(0, np.radians(22)), *np.radians([-50, 50])))
        else:
            elevation = float(np.arcsin(rng.uniform(-1, 1) * np.sin(np.radians(80))))
        vector = direction_vector(azimuth, elevation)
        if all(vector @ other < np.cos(np.radians(40)) for other in placed):
            break
    placed.append(vector)
    return azimuth, elevation


def draw_background(
    rng: np.random.Generator, library: MaterialLibrary, procedural_share: float
) -> Background:
    """A panorama, or a procedural sky with probability ``procedural_share``, turned and toned."""
    return Background(
        panorama=library.draw_panorama(rng, procedural_share),
        yaw=float(rng.uniform(-np.pi, np.pi)),
        mirror=bool(rng.random() < 0.5),
        brightness=float(rng.uniform(0.7, 1.25)),
        contrast=float(rng.uniform(0.7, 1.2)),
    )


def draw_look(
    rng: np.random.Generator, library: MaterialLibrary, name: str, restyled: float = 0.0
) -> Look:
    """How a thing of a class is drawn; with probability ``restyled`` in a style of its own."""
    look = Look(
        sprite=library.draw_sprite(name, rng),
        size=float(np.radians(rng.uniform(15, 50))),
        hue=float(rng.normal(0, 0.08)),
        brightness=float(rng.uniform(0.75, 1.2)),
        mirror=bool(rng.random() < 0.5),
    )
    # (Nothing is drawn from the generator for the usual scenes: a seed keeps its scene.)
    if restyled == 0 or rng.random() >= restyled:
        return look
    return replace(
        look,
        hue=float(rng.normal(0, 0.15)),
        turn=float(rng.normal(0, 0.25)),
        outline=float(rng.uniform(0.01, 0.045)) if rng.random() < 0.7 else 0.0,
        shades=int(rng.integers(3, 7)) if rng.random() < 0.5 else 0,
    )


def _draw_source(
    rng: np.random.Generator,
    library: MaterialLibrary,
    name: str,
    seconds: float,
    gain_db: float,
    azimuth: float,
    elevation: float,
    moves: bool,
    whole: float,
    restyled: float,
) -> Source:
    on, off = 0.0, float(seconds)
    if rng.random() >= whole:
        late, early = rng.uniform(0, 0.35, 2) * seconds
        which = int(rng.integers(3))
        on = float(late) if which != 1 else on
        off = float(seconds - early) if which != 0 else off
    key = library.draw_sound(name, rng)
    sound = library.load_sound(key)
    events = _draw_events(rng, sound.size / RATE, on, off)
    dry = arrange(sound, events, round(seconds * RATE))
    times = np.zeros(1)
    track = np.array([azimuth]), np.array([elevation])
    if moves:
        times = np.arange(round(np.ceil(seconds * TRACK_RATE)) + 1) / TRACK_RATE
        track = _draw_track(rng, times, azimuth, elevation)
    return Source(
        name=name,
        sound=key,
        events=events,
        gain_db=gain_db,
        on=on,
        off=off,
        times=times,
        azimuth=track[0],
        elevation=track[1],
        distance=float(rng.uniform(1.0, 3.0)),
        look=draw_look(rng, library, name, restyled),
        pulse=float(rng.uniform(0.3, 0.5)),
        bounce=float(rng.uniform(0, 0.15)) if rng.random() < 0.5 else 0.0,
        tilt=float(rng.uniform(-0.4, 0.4)) if rng.random() < 0.5 else 0.0,
        stays=bool(rng.random() < 0.25),
        envelope=np.round(follow(dry, seconds), 4),
    )


def _draw_events(
    rng: np.random.Generator, length: float, on: float, off: float
) -> tuple[tuple[float, float, float], ...]:
    """Fill an interval: long sounds from anywhere on, short ones again and again with pauses."""
    offset = float(rng.uniform(0, length)) if length > 3 else 0.0
    pause = float(rng.uniform(0, 0.5)) if length <= 3 else 0.0
    overlap = 0.03 if length > 3 else 0.0  # crossfade of a loop
    events: list[tuple[float, float, float]] = []
    start = on
    while start < off - 0.05:
        heard = min(length - offset, off - start)
        if heard > 0.05:
            events.append((start, offset, heard))
            start += heard + pause - (overlap if heard < off - start else 0.0)
        offset = 0.0
    return tuple(events)


def _draw_track(
    rng: np.random.Generator, times: NDArray[np.float64], azimuth: float, elevation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A path of 10 to 60 degrees per second: around, or to and fro; rising and falling."""
    speed = np.radians(rng.uniform(10, 60)) * rng.choice([-1.0, 1.0])
    if rng.random() < 0.6:
        az = azimuth + speed * times
    else:
        half = np.radians(rng.uniform(25, 80))
        phase = rng.uniform(0, 2 * np.pi)
        az = azimuth + half * (np.sin(speed / half * times + phase) - np.sin(phase))
    height = np.radians(rng.uniform(0, 15))
    rate = 2 * np.pi * rng.uniform(0.05, 0.3)
    phase = rng.uniform(0, 2 * np.pi)
    el = elevation + height * (np.sin(rate * times + phase) - np.sin(phase))
    el = np.clip(el, *np.radians([-85, 85]))
    return (az + np.pi) % (2 * np.pi) - np.pi, el


def _draw_room(rng: np.random.Generator) -> Room:
    walls = six([*rng.uniform(3.2, 9.0, 4), rng.uniform(3.2, 5.0), rng.uniform(1.2, 1.8)])
    strengths: NDArray[np.float64] = rng.uniform(0.3, 0.7, 6)
    strengths[rng.permutation(6)[: int(rng.integers(0, 3))]] = 0  # four to six walls reflect
    return Room(walls, six(strengths.tolist()), 2 * int(rng.integers(2, 9)) + 1)


def _within_full_scale(sources: list[Source], room: Room | None) -> tuple[Source, ...]:
    """Lower all gains alike where peaks that coincide could pass full scale."""
    reflected = 0.0
    if room is not None:
        for wall, strength in zip(room.walls, room.reflection, strict=True):
            # A source in front of a wall: its image is at least as far as the wall and itself.
            reflected += strength * min(1.0, 2.0 / (2 * wall - 2.0 if wall > 2 else wall))
    worst = (1 + 0.5 * reflected) * PEAK * sum(10 ** (s.gain_db / 20) for s in sources)
    if worst <= 0.95:
        return tuple(sources)
    change = 20 * np.log10(0.95 / worst)
    return tuple(replace(s, gain_db=float(s.gain_db + change)) for s in sources)
