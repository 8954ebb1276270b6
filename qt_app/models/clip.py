"""One clip of the library: where it is, what it is, what is wanted of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.media.geometry import CAMERA_FILES, PROJECTIONS
from qt_app.models.clip_files import Stamp, file_key
from qt_app.models.settings import FIELDS, ClipSettings, from_plain, in_new_words, sentence

# Kinds of problem: each has its own way out.
MISSING, UNREADABLE, NOT_360 = "missing", "unreadable", "not 360"
MAX_ID = 2**53  # ids stay whole in any JSON reader


@dataclass
class Clip:
    """A row of the library. Only :class:`~qt_app.models.library.Library` changes it.

    Parameters
    ----------
    id
        Stays the same when the file is renamed, moved and located, or its settings change.
    path
        Absolute.
    settings
        What is wanted.
    info
        What a look at the file found (``ClipInfo.as_dict``), None until then.
    thumbnail
        A small picture, None until it was wanted and made.
    problem, problem_kind
        Why nothing can be generated, as a sentence, and :data:`MISSING`, :data:`UNREADABLE` or
        :data:`NOT_360`; None where nothing is known to be wrong.
    suggested_shots
        As found in the picture; the settings hold them as edited.
    stamp
        Size, time and inode of the file that ``info`` is about.
    """

    id: int
    path: Path
    settings: ClipSettings = field(default_factory=ClipSettings)
    info: dict[str, Any] | None = None
    thumbnail: Path | None = None
    problem: str | None = None
    problem_kind: str | None = None
    suggested_shots: tuple[Segment, ...] = ()
    stamp: Stamp | None = None
    key: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            self.key = file_key(self.path)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def missing(self) -> bool:
        """Whether the file is no longer where it was."""
        return self.problem_kind == MISSING

    @property
    def ready(self) -> bool:
        """Whether it was looked at and can be generated for."""
        return self.info is not None and self.problem is None

    @property
    def seconds(self) -> float | None:
        """Length in seconds, None where it is not known yet."""
        return None if self.info is None else float(self.info["duration"])

    @property
    def has_sound(self) -> bool:
        """Whether the camera recorded sound, as far as is known."""
        return self.info is not None and self.info.get("audio") is not None

    def accept(self, info: dict[str, Any]) -> None:
        """Take over what a look at the file found."""
        self.info = info
        problem = projection_problem(info)
        self.problem, self.problem_kind = problem, None if problem is None else NOT_360

    def forget(self) -> None:
        """Nothing is known about the file any more: it has to be looked at again."""
        self.info = self.thumbnail = self.problem = self.problem_kind = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON. Pictures are found again in the cache."""
        return {
            "id": self.id,
            "path": str(self.path),
            "settings": self.settings.as_dict(),
            "info": self.info,
            "stamp": None if self.stamp is None else list(self.stamp),
            "suggested_shots": [shot.as_dict() for shot in self.suggested_shots],
        }

    @classmethod
    def from_dict(cls, data: Any) -> tuple[Clip, list[str]]:
        """Read what :meth:`as_dict` gave.

        Returns
        -------
        clip, problems
            Settings that are not valid keep their defaults; each is told in a line.

        Raises
        ------
        OptionError
            If it is no clip at all: without an id or a path.
        """
        if not isinstance(data, Mapping):
            raise OptionError(f"a clip must be an object, found {type(data).__name__}")
        number, path = data.get("id"), data.get("path")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= MAX_ID:
            raise OptionError(f"a clip's id must be a whole number from 1, found {number!r}")
        if not isinstance(path, str) or not Path(path).name or "\0" in path:
            raise OptionError(f"a clip's path must name a file, found {path!r}")
        settings, problems = _read_settings(data.get("settings"))
        suggested: tuple[Segment, ...] = ()
        try:
            suggested = from_plain("shots", data.get("suggested_shots", []))
        except OptionError as error:
            problems.append(str(error))
        clip = cls(number, Path(path), settings, suggested_shots=suggested)
        info, stamp = data.get("info"), _stamp(data.get("stamp"))
        if stamp is not None and isinstance(info, Mapping) and _usable(info):
            clip.stamp = stamp
            clip.accept(dict(info))
        return clip, problems


def _read_settings(data: Any) -> tuple[ClipSettings, list[str]]:
    if not isinstance(data, Mapping):
        return ClipSettings(), ["settings must be an object"]
    try:
        return ClipSettings.from_dict(data), []
    except OptionError:
        pass  # keep what is valid, one by one
    settings, problems = ClipSettings(), []
    for name, value in in_new_words(data).items():
        if name not in FIELDS:
            problems.append(f"there is no setting {name!r}")
            continue
        try:
            settings = settings.changed(**{name: from_plain(name, value)})
        except OptionError as error:
            problems.append(str(error))
    return settings, problems


def _stamp(data: Any) -> Stamp | None:
    if isinstance(data, list) and len(data) == 3 and all(type(item) is int for item in data):
        return data[0], data[1], data[2]
    return None


def _usable(info: Mapping[str, Any]) -> bool:
    """Whether stored knowledge has what the window relies on; else the file is looked at again."""
    numbers = all(
        type(info.get(name)) in (int, float) for name in ("width", "height", "duration", "fps")
    )
    texts = all(isinstance(info.get(name), str) for name in ("projection", "stereo"))
    sound = info.get("audio")
    return numbers and texts and (sound is None or isinstance(sound, Mapping))


def projection_problem(info: Mapping[str, Any]) -> str | None:
    """Why a clip cannot be generated for, and what to do; None where its sphere is known."""
    projection = info["projection"]
    declared = info.get("projection_source") == "declared"
    if projection in PROJECTIONS and (projection != "flat" or declared):
        return None
    size = f"{info['width']} × {info['height']}"
    if projection == "flat":
        return (
            f"A flat video ({size}, no 360 metadata). Declare it as flat and say where its camera "
            "looked, or, if it is a 360 clip all the same, declare its projection."
        )
    stitched = "Export it as an equirectangular 360 video"
    if projection == "camera-original":
        maker = CAMERA_FILES.get(Path(str(info.get("path", ""))).suffix.lower())
        return (
            "A camera original whose lenses are not stitched yet. "
            f"{stitched} in {maker or 'the app of the camera maker'} first."
        )
    return {
        "vr180": "VR180 shows half a sphere. Sound all around needs the whole one.",
        "mesh": f"Its picture is mapped by a mesh, which is not read here. {stitched}.",
        "cropped": f"It shows only a part of the sphere. {stitched} of the whole sphere.",
    }.get(projection, f"{sentence(f'the projection {projection} is not read here')} {stitched}.")
