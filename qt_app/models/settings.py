"""What is wanted for one clip, as the window holds it; valid by the rules of GenerateRequest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.checks import check_camera, check_choice, check_number
from omniaudio_studio.jobs.deliverables import OFFERED
from omniaudio_studio.jobs.request import MAX_MIX, GenerateRequest, Hint, Segment
from omniaudio_studio.jobs.spatialize_request import METHODS, MOST_FOUND, SpatializeRequest
from qt_app.sources.source import ClipSource, check_sources, read_hints, read_sources

# Any valid pair: single values are checked by a request that is otherwise made of defaults.
_CLIP, _OUTPUT = Path("clip.mp4"), Path("out.wav")
# The window's switches become parts of the request under another name.
_SWITCHES = ("seed_locked", "use_shots")


@dataclass(frozen=True)
class ClipSettings:
    """The settings of one clip: requests without their files.

    Fields are those of :class:`GenerateRequest` and :class:`SpatializeRequest` (same units and
    ranges; None stands for the bundle's own value, the rest of the clip, or "not wanted"), and:

    Parameters
    ----------
    seed_locked
        Keep ``seed`` for every run; a new one is rolled for each run where False.
    beside
        Deliverables beside the WAV, in the order of `jobs.deliverables`.
    output_folder
        Where takes go; beside the clip where None.
    shots, use_shots
        Shots as edited, and whether generation starts afresh at them.
    hfov, camera
        Of a flat picture; kept, and not asked for, while the projection is another one.
    mix_field, duck
        Kept, and without effect, while ``mix`` is 0.
    sources
        As marked; ``hints`` too.
    directions
        The method that the clip's own sound is placed by; None: "given" where there are sources,
        else "automatic".
    recording
        To be placed in place of the clip's own sound.
    """

    bundle: str = "starter"
    cfg: float | None = None
    seed: int = 0
    seed_locked: bool = False
    steps: int | None = None
    sampler: str = "euler"
    front: float | str | None = None
    mix: float = 0.0
    mix_field: Path | None = None
    duck: float = 0.0
    start: float = 0.0
    duration: float | None = None
    yaw: float = 0.0
    takes: int = 1
    loudness: float | None = None
    feature_rate: float | None = None
    device: str = "auto"
    rate: int = 48_000
    subtype: str = "float32"
    beside: tuple[str, ...] = ()
    output_folder: Path | None = None
    projection: str = "auto"
    stereo: str = "auto"
    hfov: float = 90.0
    camera: tuple[float, float] = (0.0, 0.0)
    shots: tuple[Segment, ...] = ()
    use_shots: bool = False
    sources: tuple[ClipSource, ...] = ()
    hints: tuple[Hint, ...] = ()
    directions: str | None = None
    recording: Path | None = None
    max_sources: int = MOST_FOUND
    width: float = 0.3

    def request(self, clip: Path, output: Path) -> GenerateRequest:
        """The request that these settings stand for.

        Raises
        ------
        OptionError
            One line, where a value is out of range.
        """
        return GenerateRequest(
            clip=clip,
            output=output,
            **self._picture(),
            front=self.front,
            start=self.start,
            duration=self.duration,
            segments=self.shots if self.use_shots else (),
            bundle=self.bundle,
            cfg=self.cfg,
            seed=self.seed,
            steps=self.steps,
            sampler=self.sampler,
            takes=self.takes,
            yaw=self.yaw,
            feature_rate=self.feature_rate,
            device=self.device,
            rate=self.rate,
            subtype=self.subtype,
            loudness=self.loudness,
            mix=self.mix,
            mix_field=self.mix_field if self.mix else None,
            duck=self.duck if self.mix else 0.0,
            hints=self.hints,
            deliverables=self._deliverables(),
        ).validate()

    def placing(self, clip: Path, output: Path) -> SpatializeRequest:
        """The request that places the clip's own sound, or another recording.

        Raises
        ------
        OptionError
            One line, where a value is out of range or directions are missing.
        """
        method = self.method
        if method == "given" and not self.sources:
            raise OptionError("there are no sources yet; double-click in the picture to add one")
        return SpatializeRequest(
            clip=clip,
            output=output,
            audio=self.recording,
            **self._picture(),
            start=self.start,
            duration=self.duration,
            method=method,
            sources=tuple(s.directed() for s in self.sources) if method == "given" else (),
            max_sources=self.max_sources,
            bundle=self.bundle,
            device=self.device if method == "learned" else "auto",
            width=self.width,
            yaw=self.yaw,
            subtype=self.subtype,
            deliverables=self._deliverables(),
        ).validate()

    @property
    def method(self) -> str:
        """How directions are had: see ``directions``."""
        return self.directions or ("given" if self.sources else "automatic")

    def _picture(self) -> dict[str, Any]:
        """How the sphere lies in the picture."""
        flat = self.projection == "flat"
        return {
            "projection": self.projection,
            "stereo": self.stereo,
            "hfov": self.hfov if flat else None,
            "camera": self.camera if flat else None,
        }

    def _deliverables(self) -> tuple[str, ...]:
        return ("wav", *self.beside)

    def validate(self) -> ClipSettings:
        """Check every value, unused shots too; raises OptionError with one line."""
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} must be true or false, found {getattr(self, name)!r}")
        if not isinstance(self.beside, tuple):
            raise OptionError(f"beside must be a list of deliverables, found {self.beside!r}")
        for name in self.beside:
            check_choice("beside", name, OFFERED)
        if self.output_folder is not None and (
            not isinstance(self.output_folder, Path) or "\0" in str(self.output_folder)
        ):
            raise OptionError(f"the output folder must be a path, found {self.output_folder!r}")
        if not isinstance(self.shots, tuple):
            raise OptionError(f"shots must be a list, found {self.shots!r}")
        if self.directions is not None:
            check_choice("directions", self.directions, METHODS)
        check_camera("flat", self.hfov, self.camera)
        check_sources(self.sources)
        # What has no effect now is checked too: it may have one after the next change.
        whole = replace(self, use_shots=True, mix=self.mix or 1.0)
        check_number("mix", self.mix, minimum=0.0, maximum=MAX_MIX)
        whole.request(_CLIP, _OUTPUT)
        replace(self, directions="automatic").placing(_CLIP, _OUTPUT)
        return self

    def changed(self, **values: Any) -> ClipSettings:
        """A copy with some values replaced, checked; raises OptionError with one line."""
        unknown = [name for name in values if name not in FIELDS]
        if unknown:
            raise OptionError(f"there is no setting {unknown[0]!r}; known are {', '.join(FIELDS)}")
        return replace(self, **values).validate()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {name: plain(name, getattr(self, name)) for name in FIELDS}

    @classmethod
    def from_dict(cls, data: Any) -> ClipSettings:
        """Read and check plain data; missing fields have their defaults.

        Raises
        ------
        OptionError
            For what is no object, an unknown field or a value out of range.
        """
        if not isinstance(data, Mapping):
            raise OptionError(f"settings must be an object, found {type(data).__name__}")
        data = in_new_words(data)
        return cls().changed(**{str(name): from_plain(name, data[name]) for name in data})


class CheckedChanges:
    """Many clips have the same settings: a change of all is checked once for each that differ."""

    def __init__(self) -> None:
        self._known: dict[tuple[ClipSettings, tuple[tuple[str, Any], ...]], ClipSettings] = {}

    def changed(self, settings: ClipSettings, values: Mapping[str, Any]) -> ClipSettings:
        """As :meth:`ClipSettings.changed`."""
        key = (settings, tuple(values.items()))
        try:
            found = self._known.get(key)
        except TypeError:  # a list where a tuple belongs: let the rules say so
            return settings.changed(**values)
        if found is None:
            found = self._known[key] = settings.changed(**values)
        return found


PATHS = ("output_folder", "recording", "mix_field")
FIELDS = tuple(field.name for field in fields(ClipSettings))
ROLLED_SEEDS = 10**9  # longer ones fit no column, and only their ends would differ


def seed_for_run(settings: ClipSettings, roll: Callable[[], int] | None = None) -> int:
    """The seed of the next run: the settings' own where it is locked, else a new one.

    Parameters
    ----------
    settings
        Of the clip that is run.
    roll
        Gives a seed from 0 to 2^64 - 1; :func:`roll_seed` where None.
    """
    return settings.seed if settings.seed_locked else (roll or roll_seed)()


def roll_seed() -> int:
    """A seed that nobody chose: nine digits at most, to be read, compared and told."""
    return secrets.randbelow(ROLLED_SEEDS)


def in_new_words(values: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Settings as an earlier version wrote them: a switch for each of two deliverables."""
    old = [name for name in ("overlay", "plot") if isinstance(values.get(name), bool)]
    if not old or "beside" in values:
        return values
    kept = {name: value for name, value in values.items() if name not in old}
    return {**kept, "beside": [name for name in old if values[name]]}


def plain(name: str, value: Any) -> Any:
    """One setting as JSON has it."""
    if name in ("shots", "sources", "hints"):
        return [item.as_dict() for item in value]
    if name in ("camera", "beside"):
        return list(value)
    if name in PATHS and value is not None:
        return str(value)
    return value


def from_plain(name: str, value: Any) -> Any:
    """One setting from JSON; raises OptionError for shots that are none."""
    if name == "shots":
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise OptionError(f"shots must be a list, found {type(value).__name__}")
        return tuple(Segment.from_dict(item, f"shot {n}") for n, item in enumerate(value, 1))
    if name == "sources":
        return read_sources(value)
    if name == "hints":
        return read_hints(value)
    if name in ("camera", "beside") and isinstance(value, list):
        return tuple(value)
    if name in PATHS and isinstance(value, str):
        return Path(value)
    return value


def problem_with(name: str, value: Any, settings: ClipSettings | None = None) -> str | None:
    """What is wrong with one value, as a sentence for beside its field; None where nothing is.

    Parameters
    ----------
    settings
        What the value would become part of; defaults where None.
    """
    try:
        (settings or ClipSettings()).changed(**{name: value})
    except OptionError as error:
        return sentence(str(error))
    return None


def range_problem(settings: ClipSettings, seconds: float | None) -> str | None:
    """What is wrong with the range in a clip of ``seconds``; None where nothing is."""
    if seconds is not None and settings.start >= seconds:
        return f"The clip is {seconds:.3f} s long: start before its end."
    return None


def told_of(path: Path, message: str) -> str:
    """A message about a file, for where its name is read already."""
    for name in (str(path), path.name):
        if message.startswith(f"{name}: "):
            message = message[len(name) + 2 :]
        elif message.startswith(f"{name} "):
            message = f"it {message[len(name) + 1 :]}"
    return sentence(message)


def sentence(text: str) -> str:
    """A message of the core as a sentence: ``cfg must ...`` becomes ``CFG must ...``."""
    if text.startswith("cfg "):
        text = "CFG" + text[3:]
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
