"""Scenes: who sounds where and when, over which background. Everything that rendering needs.

A :class:`Scene` names its material by keys of a library and holds every random choice as a number,
so that the same scene and material give the same sound field and picture. Angles are radians
here and degrees in ``scene.json``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.envelope import ENVELOPE_RATE, arrange, follow
from omniaudio_studio.datasets.library import PEAK, RATE, MaterialLibrary
from omniaudio_studio.errors import MediaError, MissingFileError, OptionError

SCHEMA = 1
SPEED_OF_SOUND = 343.0
TRACK_RATE = 20.0
"""Points per second of a moving track."""

Motion = Literal["still", "moving", "mixed"]


@dataclass(frozen=True)
class Look:
    """How a sprite is drawn.

    Attributes
    ----------
    sprite
        Key of the picture in the library.
    size
        Angular diameter in radians while nothing sounds.
    hue
        Turn of the hue, in turns (-0.5..0.5).
    brightness
        Factor on the colours.
    mirror
        Whether left and right are exchanged.
    """

    sprite: str
    size: float
    hue: float = 0.0
    brightness: float = 1.0
    mirror: bool = False


@dataclass(frozen=True)
class Source:
    """One sounding thing.

    Attributes
    ----------
    name
        Its class (``class`` in scene.json).
    sound
        Key of the sound in the library.
    events
        ``(start, offset, length)`` in seconds: from ``start`` on, ``length`` of the sound from its
        ``offset`` on is heard.
    gain_db
        Gain on the library's sound.
    on, off
        The interval within which it may sound, in seconds.
    times, azimuth, elevation
        The track: seconds, radians, radians, each of shape (points,); one point for a still source.
        Between points the direction follows the great circle.
    distance
        In metres; matters for reflections only.
    look
        How its sprite is drawn.
    pulse, bounce, tilt
        What the envelope does to the sprite: growth (0.5: half as large again at the loudest),
        rise (in diameters) and turn (radians).
    stays
        Whether the sprite stays visible, still, outside ``on``..``off``.
    envelope
        Loudness of the dry sound at :data:`~omniaudio_studio.datasets.envelope.ENVELOPE_RATE`,
        0..1.
    """

    name: str
    sound: str
    events: tuple[tuple[float, float, float], ...]
    gain_db: float
    on: float
    off: float
    times: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    elevation: NDArray[np.float64]
    distance: float
    look: Look
    pulse: float
    bounce: float
    tilt: float
    stays: bool
    envelope: NDArray[np.float64]

    @property
    def moving(self) -> bool:
        """Whether the track has more than one point."""
        return self.times.size > 1

    def direction(self, t: float) -> tuple[float, float]:
        """Azimuth (-pi..pi) and elevation at time ``t``, in radians."""
        x, y, z = self.vectors(np.array([t]))[:, 0]
        return float(np.arctan2(y, x)), float(np.arctan2(z, np.hypot(x, y)))

    def vectors(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit vectors (x, y, z) at ``times``, shape (3, n)."""
        cos = np.cos(self.elevation)
        points = np.stack(
            [cos * np.cos(self.azimuth), cos * np.sin(self.azimuth), np.sin(self.elevation)]
        )
        # Points are at most a few degrees apart, so that the chord, brought back to the sphere, is
        # the great circle to within a thousandth of a degree.
        between = np.stack([np.interp(times, self.times, axis) for axis in points])
        return between / np.linalg.norm(between, axis=0)

    def loudness(self, t: float) -> float:
        """The envelope at time ``t``, 0..1."""
        at = t * ENVELOPE_RATE
        return float(np.interp(at, np.arange(self.envelope.size), self.envelope))


@dataclass(frozen=True)
class Distractor:
    """A sprite that never sounds and never moves."""

    name: str
    azimuth: float
    elevation: float
    look: Look


@dataclass(frozen=True)
class Background:
    """The panorama behind everything.

    ``yaw`` turns it to the left (radians); ``brightness`` is a factor, ``contrast`` a factor about
    mid-grey.
    """

    panorama: str
    yaw: float = 0.0
    mirror: bool = False
    brightness: float = 1.0
    contrast: float = 1.0


@dataclass(frozen=True)
class Room:
    """A box of six walls around the listener, for first reflections (image sources).

    Attributes
    ----------
    walls
        Distances in metres to the walls at +x, -x, +y, -y, +z, -z.
    reflection
        Factor on a sound's pressure at each of them, 0..1; 0 leaves a wall out.
    smoothing
        Length in samples at 48 kHz of the Hann window that dulls reflected sound (odd).
    """

    walls: tuple[float, float, float, float, float, float]
    reflection: tuple[float, float, float, float, float, float]
    smoothing: int = 9


@dataclass(frozen=True)
class Ambience:
    """Diffuse noise: level of W in dB re full scale, slope of its spectrum in dB per octave."""

    level_db: float
    slope: float
    seed: int


@dataclass(frozen=True)
class Scene:
    """A synthetic 360 scene of known sound field; see the attributes' own classes."""

    seconds: float
    sources: tuple[Source, ...]
    background: Background
    distractors: tuple[Distractor, ...] = ()
    room: Room | None = None
    ambience: Ambience | None = None
    seed: tuple[int, ...] = field(default=())

    @property
    def samples(self) -> int:
        """Length at 48 kHz."""
        return round(self.seconds * RATE)

    def as_dict(self) -> dict[str, Any]:
        """What scene.json holds: plain numbers, angles in degrees."""
        return {
            "schema": SCHEMA,
            "seconds": self.seconds,
            "seed": list(self.seed),
            "units": {"angle": "degrees", "time": "seconds", "gain": "dB"},
            "sources": [_source_dict(source) for source in self.sources],
            "distractors": [
                {
                    "class": item.name,
                    "azimuth": _degrees(item.azimuth),
                    "elevation": _degrees(item.elevation),
                    **_look_dict(item.look),
                }
                for item in self.distractors
            ],
            "background": {
                "panorama": self.background.panorama,
                "yaw": _degrees(self.background.yaw),
                "mirror": self.background.mirror,
                "brightness": self.background.brightness,
                "contrast": self.background.contrast,
            },
            "room": None
            if self.room is None
            else {
                "walls": list(self.room.walls),
                "reflection": list(self.room.reflection),
                "smoothing": self.room.smoothing,
            },
            "ambience": None
            if self.ambience is None
            else {
                "level_db": self.ambience.level_db,
                "slope": self.ambience.slope,
                "seed": self.ambience.seed,
            },
        }

    def to_json(self) -> str:
        """The text of scene.json."""
        return json.dumps(self.as_dict(), indent=1)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Scene:
        """The scene of :meth:`as_dict`.

        Raises
        ------
        MediaError
            If ``data`` is no scene, or of another schema.
        """
        if data.get("schema") != SCHEMA:
            raise MediaError(
                f"the scene has schema {data.get('schema')!r}, expected {SCHEMA}; make it again"
            )
        try:
            room, ambience, background = data["room"], data["ambience"], data["background"]
            return Scene(
                seconds=float(data["seconds"]),
                sources=tuple(_source(item) for item in data["sources"]),
                background=Background(
                    panorama=str(background["panorama"]),
                    yaw=_radians(background["yaw"]),
                    mirror=bool(background["mirror"]),
                    brightness=float(background["brightness"]),
                    contrast=float(background["contrast"]),
                ),
                distractors=tuple(
                    Distractor(
                        str(item["class"]),
                        _radians(item["azimuth"]),
                        _radians(item["elevation"]),
                        _look(item),
                    )
                    for item in data["distractors"]
                ),
                room=None
                if room is None
                else Room(
                    _six(room["walls"]), _six(room["reflection"]), int(room["smoothing"])
                ),
                ambience=None
                if ambience is None
                else Ambience(
                    float(ambience["level_db"]), float(ambience["slope"]), int(ambience["seed"])
                ),
                seed=tuple(int(value) for value in data["seed"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise MediaError(f"the scene lacks or garbles {error}; make it again") from error

    @staticmethod
    def load(path: Path) -> Scene:
        """Read a scene.json."""
        if not path.is_file():
            raise MissingFileError(f"{path} is not there; expected a scene.json")
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MediaError(f"{path} is not JSON ({error}); make the scene again") from error
        if not isinstance(data, dict):
            raise MediaError(f"{path} is no scene; make it again")
        return Scene.from_dict(data)


def _degrees(value: float) -> float:
    return float(np.degrees(value))


def _radians(value: Any) -> float:
    return float(np.radians(float(value)))


def _six(values: Sequence[Any]) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(value) for value in values)
    return a, b, c, d, e, f


def _look_dict(look: Look) -> dict[str, Any]:
    return {
        "sprite": look.sprite,
        "size": _degrees(look.size),
        "hue": look.hue,
        "brightness": look.brightness,
        "mirror": look.mirror,
    }


def _look(item: dict[str, Any]) -> Look:
    return Look(
        str(item["sprite"]),
        _radians(item["size"]),
        float(item["hue"]),
        float(item["brightness"]),
        bool(item["mirror"]),
    )


def _source_dict(source: Source) -> dict[str, Any]:
    return {
        "class": source.name,
        "sound": source.sound,
        "gain_db": source.gain_db,
        "on": source.on,
        "off": source.off,
        "events": [list(event) for event in source.events],
        "distance": source.distance,
        **_look_dict(source.look),
        "pulse": source.pulse,
        "bounce": source.bounce,
        "tilt": _degrees(source.tilt),
        "stays": source.stays,
        "track": {
            "times": source.times.tolist(),
            "azimuth": np.degrees(source.azimuth).tolist(),
            "elevation": np.degrees(source.elevation).tolist(),
        },
        "envelope": {"rate": ENVELOPE_RATE, "values": source.envelope.tolist()},
    }


def _source(item: dict[str, Any]) -> Source:
    track = item["track"]
    return Source(
        name=str(item["class"]),
        sound=str(item["sound"]),
        events=tuple((float(a), float(b), float(c)) for a, b, c in item["events"]),
        gain_db=float(item["gain_db"]),
        on=float(item["on"]),
        off=float(item["off"]),
        times=np.asarray(track["times"], np.float64),
        azimuth=np.radians(np.asarray(track["azimuth"], np.float64)),
        elevation=np.radians(np.asarray(track["elevation"], np.float64)),
        distance=float(item["distance"]),
        look=_look(item),
        pulse=float(item["pulse"]),
        bounce=float(item["bounce"]),
        tilt=_radians(item["tilt"]),
        stays=bool(item["stays"]),
        envelope=np.asarray(item["envelope"]["values"], np.float64),
    )


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
    seed
        Recorded in the scene.

    Raises
    ------
    OptionError
        If an option is out of its range.
    """
    _check(seconds, sources, motion)
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
                rng, library, name, seconds, float(gain_db), azimuth, elevation, moves, whole
            )
        )
    room = _draw_room(rng) if rng.random() < reflections else None
    still = []
    for _ in range(int(rng.integers(1, 3)) if rng.random() < distractors else 0):
        name = names[int(rng.integers(len(names)))]
        azimuth, elevation = _place(rng, placed)
        still.append(Distractor(name, azimuth, elevation, _draw_look(rng, library, name)))
    background = Background(
        panorama=library.draw_panorama(rng, procedural_background),
        yaw=float(rng.uniform(-np.pi, np.pi)),
        mirror=bool(rng.random() < 0.5),
        brightness=float(rng.uniform(0.7, 1.25)),
        contrast=float(rng.uniform(0.7, 1.2)),
    )
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


def _check(seconds: float, sources: tuple[int, int], motion: str) -> None:
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
        cos = np.cos(elevation)
        vector = np.array([cos * np.cos(azimuth), cos * np.sin(azimuth), np.sin(elevation)])
        if all(vector @ other < np.cos(np.radians(40)) for other in placed):
            break
    placed.append(vector)
    return azimuth, elevation


def _draw_look(rng: np.random.Generator, library: MaterialLibrary, name: str) -> Look:
    return Look(
        sprite=library.draw_sprite(name, rng),
        size=float(np.radians(rng.uniform(15, 50))),
        hue=float(rng.normal(0, 0.08)),
        brightness=float(rng.uniform(0.75, 1.2)),
        mirror=bool(rng.random() < 0.5),
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
        look=_draw_look(rng, library, name),
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
    walls = _six([*rng.uniform(3.2, 9.0, 4), rng.uniform(3.2, 5.0), rng.uniform(1.2, 1.8)])
    strengths = rng.uniform(0.3, 0.7, 6)
    strengths[rng.permutation(6)[: int(rng.integers(0, 3))]] = 0  # four to six walls reflect
    return Room(walls, _six(strengths), 2 * int(rng.integers(2, 9)) + 1)


def _within_full_scale(sources: list[Source], room: Room | None) -> tuple[Source, ...]:
    """Lower all gains alike where peaks that coincide could pass full scale."""
    from dataclasses import replace

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
