"""One take: a sound that was generated or placed, with the sidecar that says what made it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.errors import OmniAudioError, OptionError
from omniaudio_studio.jobs.deliverables import BESIDE, DELIVERABLES
from omniaudio_studio.jobs.queued_request import TakeRequest
from omniaudio_studio.jobs.request import MAX_SEED, GenerateRequest
from omniaudio_studio.jobs.result import FoundSource
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from qt_app.sources.source import MAX_COLOURS, ClipSource

if TYPE_CHECKING:
    from qt_app.models.settings import ClipSettings

# What `jobs.sidecar` and `jobs.spatialize_sidecar` write; both belong to the worker's side.
KIND = "omniaudio-sidecar"
PLACED_KIND = "omniaudio-spatialization"
SCHEMA_VERSION = 1
PLACED_TITLE = "Placed sound"
MAX_SIDECAR = 1 << 20  # bytes: a larger JSON file is none of ours
HASH_BLOCK = 1 << 20  # bytes
MAX_GRID = 64  # takes in one go
# Licences by their SPDX identifiers (and people's words) that exclude commercial use.
_NO_COMMERCE = re.compile(r"(^|[^a-z])(nc|non-?commercial|research-?only)([^a-z]|$)", re.IGNORECASE)


class TakeState(StrEnum):
    """Whether the WAV is still the one that its sidecar describes."""

    UNCHECKED = "unchecked"
    MATCHES = "matches"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True)
class Take:
    """A generated sound, or a recording that was placed.

    Attributes
    ----------
    wav, sidecar
        Its files; ``wav`` may be gone (``state`` says so).
    request
        What made it, of this take alone.
    bundle, bundle_title, demonstration, licence
        The model, and its licence's identifier; a placed recording may have had none.
    commercial
        Whether its licence allows commercial use; None where that is not known here.
    cfg, steps
        As used, the bundle's own values filled in; None of a placed recording.
    sources, confidence
        Where a placed recording's parts were put, and how sure that was, 0 to 1.
    seconds
        Length of the sound.
    created
        When the sidecar was written.
    sha256
        Of the WAV as it was written: the take's identity, wherever the file lies.
    loudness
        Integrated, LUFS; None before it was measured, -inf for silence.
    """

    wav: Path
    sidecar: Path
    request: TakeRequest
    bundle: str
    bundle_title: str
    demonstration: bool
    licence: str
    commercial: bool | None
    seed: int
    cfg: float | None
    steps: int | None
    seconds: float
    created: datetime
    sha256: str
    state: TakeState = TakeState.UNCHECKED
    starred: bool = False
    kept: bool = False
    loudness: float | None = None
    warnings: tuple[str, ...] = ()
    sources: tuple[FoundSource, ...] = ()
    confidence: float | None = None

    @property
    def placed(self) -> bool:
        """Whether it is a recording that was placed."""
        return isinstance(self.request, SpatializeRequest)

    @property
    def title(self) -> str:
        """The WAV's name without its ending."""
        return self.wav.stem

    @property
    def protected(self) -> bool:
        """Whether "Remove the others" leaves it."""
        return self.starred or self.kept

    @property
    def usable(self) -> bool:
        """Whether there is a sound to listen to."""
        return self.state is not TakeState.MISSING

    @property
    def end(self) -> float:
        """Where it ends, seconds of the clip; it starts at ``request.start``."""
        return self.request.start + self.seconds

    def files(self) -> list[Path]:
        """All files that belong to it, the WAV first; those that were not made are missing."""
        beside = (path for name in BESIDE for path in DELIVERABLES[name].paths(self.wav))
        return [self.wav, *beside, self.sidecar]

    def command(self) -> str:
        """The command line that makes this sound again."""
        verb = "spatialize" if self.placed else "generate"
        words = ["omniaudio", verb, "--from", str(self.sidecar)]
        words += ["-o", str(self.wav.with_name(f"{self.wav.stem}-again.wav"))]
        return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)

    def settings(self) -> dict[str, Any]:
        """What a clip's settings are to be for more takes like this one.

        The device, the output folder and the deliverables are the machine's and the user's matter,
        not the take's. CFG and steps are as the user gave them: None is still the bundle's own.
        """
        request = self.request
        both = ("start", "duration", "yaw", "subtype", "projection", "stereo")
        values: dict[str, Any] = {name: getattr(request, name) for name in both}
        if request.hfov is not None:
            values |= {"hfov": request.hfov, "camera": request.camera or (0.0, 0.0)}
        if isinstance(request, SpatializeRequest):
            return values | _placing(request)
        values |= {
            name: getattr(request, name)
            for name in (
                "bundle",
                "cfg",
                "seed",
                "steps",
                "sampler",
                "front",
                "mix",
                "mix_field",
                "duck",
                "hints",
                "loudness",
                "feature_rate",
                "rate",
            )
        }
        values["seed_locked"] = True
        values["takes"] = 1
        values["shots"] = request.segments
        values["use_shots"] = bool(request.segments)
        return values


def read_take(sidecar: Path) -> Take | None:
    """The take that a sidecar describes; None where the file is no sidecar of ours.

    Raises
    ------
    OptionError
        One line: a sidecar of another version, or a damaged one.
    """
    try:
        if sidecar.stat().st_size > MAX_SIDECAR:
            return None
        data = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("kind") not in (KIND, PLACED_KIND):
        return None
    if data.get("schema_version") != SCHEMA_VERSION:
        raise OptionError(f"{sidecar.name} was written by another version of OmniAudio Studio")
    try:
        read = _take if data["kind"] == KIND else _placed_take
        return read(sidecar, data)
    except (KeyError, TypeError, ValueError, OSError, OmniAudioError) as error:
        raise OptionError(f"{sidecar.name} is damaged: {_short(error)}") from error


def _take(sidecar: Path, data: Mapping[str, Any]) -> Take:
    request = GenerateRequest.from_dict(data["request"])
    bundle, resolved, output = data["bundle"], data["resolved"], data["output"]
    wav = sidecar.with_suffix(".wav")
    licence = str(bundle.get("licence", ""))
    return Take(
        wav=wav,
        sidecar=sidecar,
        request=request,
        bundle=str(bundle["name"]),
        bundle_title=str(bundle["title"]),
        demonstration=bool(bundle["demonstration"]),
        licence=licence,
        commercial=_commercial(bundle.get("commercial"), licence),
        seed=request.seed,
        cfg=float(resolved["cfg"]),
        steps=int(resolved["steps"]),
        seconds=float(resolved["duration"]),
        created=datetime.fromtimestamp(sidecar.stat().st_mtime),
        sha256=str(output["sha256"]),
        state=TakeState.UNCHECKED if wav.is_file() else TakeState.MISSING,
        warnings=tuple(str(line) for line in data.get("warnings", ())),
    )


def _placed_take(sidecar: Path, data: Mapping[str, Any]) -> Take:
    request = SpatializeRequest.from_dict(data["request"])
    bundle, output = data.get("bundle") or {}, data["output"]
    wav = sidecar.with_suffix(".wav")
    licence = str(bundle.get("licence", ""))
    return Take(
        wav=wav,
        sidecar=sidecar,
        request=request,
        bundle=str(bundle.get("name", "")),
        bundle_title=PLACED_TITLE,
        demonstration=False,
        licence=licence,
        commercial=_commercial(bundle.get("commercial"), licence) if bundle else None,
        seed=request.seed,
        cfg=None,
        steps=None,
        seconds=int(output["samples"]) / int(output["rate"]),
        created=datetime.fromtimestamp(sidecar.stat().st_mtime),
        sha256=str(output["sha256"]),
        state=TakeState.UNCHECKED if wav.is_file() else TakeState.MISSING,
        warnings=tuple(str(line) for line in data.get("warnings", ())),
        sources=tuple(
            FoundSource(
                str(source["name"]),
                tuple(tuple(map(float, point)) for point in source["points"]),
                tuple(map(float, source["confidence"])),
            )
            for source in data["sources"]
        ),
        confidence=float(data["confidence"]),
    )


def _placing(request: SpatializeRequest) -> dict[str, Any]:
    """The settings that a recording was placed by."""
    values: dict[str, Any] = {
        "directions": request.method,
        "recording": request.audio,
        "max_sources": request.max_sources,
        "width": request.width,
    }
    if request.method == "learned":
        values["bundle"] = request.bundle
    if request.sources:
        values["sources"] = tuple(
            ClipSource(s.name, s.points, s.file, s.start, colour=number % MAX_COLOURS)
            for number, s in enumerate(request.sources)
        )
    return values


def _commercial(stated: Any, licence: str) -> bool | None:
    """As the sidecar states it; of older ones what the licence's name says."""
    if isinstance(stated, bool):
        return stated
    return False if _NO_COMMERCE.search(licence) else None


def _short(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def is_of_clip(take: Take, clip: Path) -> bool:
    """Whether a take was made from a clip; a clip that has moved is known by its name."""
    recorded = take.request.clip
    if recorded == clip:
        return True
    if recorded.name != clip.name:
        return False
    try:
        return not recorded.exists()
    except OSError:
        return True  # where nobody may look, as in another user's folder, it is not there for us


def take_order(take: Take) -> tuple[float, list[int | str]]:
    """Sort key: as they were made; those of one second as one counts ("take10" after "take9")."""
    parts = re.split(r"(\d+)", take.wav.stem)
    return (
        round(take.created.timestamp()),
        [int(part) if index % 2 else part for index, part in enumerate(parts)],
    )


def matches(wav: Path, sha256: str, stopped: Callable[[], bool]) -> TakeState | None:
    """Compare a WAV with the hash that its sidecar gives; None where that is not known.

    ``stopped`` is asked now and then whether to give up.
    """
    digest = hashlib.sha256()
    try:
        with wav.open("rb") as file:
            while block := file.read(HASH_BLOCK):
                if stopped():
                    return None
                digest.update(block)
    except FileNotFoundError:
        return TakeState.MISSING
    except OSError:
        return None  # it cannot be read now: nothing is known
    return TakeState.MATCHES if digest.hexdigest() == sha256 else TakeState.CHANGED


def free_name(wav: Path, taken: Callable[[Path], bool] = Path.exists) -> Path:
    """The next ``<stem>-take<n>.wav`` beside a take that neither exists nor is promised."""
    stem = re.sub(r"(-take\d+)+$", "", wav.stem)
    number = 2
    while taken(made := wav.with_name(f"{stem}-take{number}.wav")):
        number += 1
    return made


def reroll(
    take: Take, start: float, end: float, seed: int, output: Path, clip: Path | None = None
) -> GenerateRequest:
    """The request that makes a range of a take anew and keeps the rest.

    Parameters
    ----------
    start, end
        Seconds of the clip; what lies outside the take is cut off.
    seed
        For the range. Shots get it too: with their own seeds they would sound as before.
    output
        The new take's WAV.
    clip
        Where the clip is now; where it was when the take was made if None.

    Raises
    ------
    OptionError
        One line: the range lies outside the take or is empty, or its WAV is gone or changed.
    """
    request = take.request
    if not isinstance(request, GenerateRequest):
        raise OptionError(
            f"{take.wav.name} is a recording that was placed; a part of it cannot be generated "
            "again, place it again"
        )
    if take.state is TakeState.MISSING:
        raise OptionError(f"{take.wav.name} is gone; bring it back to generate a part of it again")
    first, last = max(start, request.start), min(end, take.end)
    if last - first < 1e-3:
        raise OptionError(
            f"expected a range within the take's {request.start:g} to {take.end:g} s, found "
            f"{start:g} to {end:g} s; select one on the timeline"
        )
    return replace(
        request,
        clip=clip or request.clip,
        output=output,
        seed=seed,
        segments=tuple(replace(segment, seed=None) for segment in request.segments),
        takes=1,
        base_take=take.wav,
        base_range=(first, last),
        loudness=None,  # the part gets the gain that the take had
        overwrite=False,
    ).validate()


def grid(
    settings: ClipSettings, seeds: Sequence[int], cfgs: Sequence[float | None]
) -> list[ClipSettings]:
    """Settings for every seed with every CFG, in that order; one take each.

    A shot's own seed moves along by as much as the clip's, as for several takes of one request; a
    shot's own CFG stays.

    Raises
    ------
    OptionError
        One line: nothing to make, too much, or a value out of range.
    """
    seeds, cfgs = list(dict.fromkeys(seeds)), list(dict.fromkeys(cfgs))
    if not seeds or not cfgs:
        raise OptionError("expected at least one seed and one CFG value")
    if len(seeds) * len(cfgs) > MAX_GRID:
        raise OptionError(
            f"expected at most {MAX_GRID} takes in one go, found {len(seeds) * len(cfgs)}; "
            "choose fewer seeds or CFG values"
        )
    made = []
    for cfg in cfgs:
        for seed in seeds:
            moved = seed - settings.seed
            shots = tuple(
                replace(
                    shot, seed=None if shot.seed is None else (shot.seed + moved) % (MAX_SEED + 1)
                )
                for shot in settings.shots
            )
            made.append(settings.changed(seed=seed, cfg=cfg, shots=shots, takes=1))
    return made


def parse_seeds(text: str) -> list[int]:
    """Whole numbers from "3, 7-9"; OptionError with one line for anything else."""
    found: list[int] = []
    for word in _words(text):
        first, dash, last = word.partition("-")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError:
            raise OptionError(f"expected seeds as 3, 7-9; found {word!r}") from None
        if not 0 <= low <= high <= MAX_SEED or high - low >= MAX_GRID:
            raise OptionError(f"expected seeds from 0 to 2^64 - 1, {MAX_GRID} at most; not {word}")
        found += range(low, high + 1)
    return list(dict.fromkeys(found))


def parse_cfgs(text: str) -> list[float]:
    """Numbers from "3, 4.5"; OptionError with one line for anything else."""
    found = []
    for word in _words(text):
        try:
            found.append(float(word))
        except ValueError:
            raise OptionError(f"expected CFG values as 3, 4.5; found {word!r}") from None
    return list(dict.fromkeys(found))


def _words(text: str) -> Iterable[str]:
    return (word for word in re.split(r"[,;\s]+", text) if word)
