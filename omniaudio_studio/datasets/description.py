"""Scenes: who sounds where and when, over which background. Everything that rendering needs.

A :class:`Scene` names its material by keys of a library and holds every random choice as a number,
so that the same scene and material give the same sound field and picture. Angles are radians
here and degrees in ``scene.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.envelope import ENVELOPE_RATE
from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.foa.encoding import direction_vector, vector_direction

SCHEMA = 1


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
    turn
        Turn at rest in radians, anticlockwise.
    outline
        Width of a dark line drawn around it and along its edges, in diameters (0: none).
    shades
        Steps that each colour is reduced to (0: as many as it has).
    """

    sprite: str
    size: float
    hue: float = 0.0
    brightness: float = 1.0
    mirror: bool = False
    turn: float = 0.0
    outline: float = 0.0
    shades: int = 0


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
        rise (in diameters) and turn (radians, anticlockwise).
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
        azimuth, elevation = vector_direction(self.vectors(np.array([t]))[:, 0])
        return float(azimuth), float(elevation)

    def vectors(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit vectors (x, y, z) at ``times``, shape (3, n)."""
        points = direction_vector(self.azimuth, self.elevation)
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
        return pretty(self.as_dict())

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
                else Room(six(room["walls"]), six(room["reflection"]), int(room["smoothing"])),
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


def pretty(data: dict[str, Any]) -> str:
    """JSON text, indented, with every list of plain numbers on one line."""
    text = json.dumps(data, indent=1)
    # A string never holds a raw line break: only lists match.
    return re.sub(r"\[\n[-+\deE.,\s]*\]", lambda m: " ".join(m.group().split()), text)


def _degrees(value: float) -> float:
    return float(np.degrees(value))


def _radians(value: Any) -> float:
    return float(np.radians(float(value)))


def six(values: Sequence[Any]) -> tuple[float, float, float, float, float, float]:
    """Six numbers, one for each wall; ValueError for another count."""
    a, b, c, d, e, f = (float(value) for value in values)
    return a, b, c, d, e, f


def _look_dict(look: Look) -> dict[str, Any]:
    return {
        "sprite": look.sprite,
        "size": _degrees(look.size),
        "hue": look.hue,
        "brightness": look.brightness,
        "mirror": look.mirror,
        "turn": _degrees(look.turn),
        "outline": look.outline,
        "shades": look.shades,
    }


def _look(item: dict[str, Any]) -> Look:
    return Look(
        str(item["sprite"]),
        *(_radians(item["size"]), float(item["hue"]), float(item["brightness"])),
        bool(item["mirror"]),
        # Scenes made before drawings had a style are without one.
        *(_radians(item.get("turn", 0.0)), float(item.get("outline", 0.0))),
        int(item.get("shades", 0)),
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
