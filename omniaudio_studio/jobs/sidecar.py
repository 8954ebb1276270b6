"""The sidecar ``<stem>.json`` beside every output: what made it, so that it can be made again."""

from __future__ import annotations

import json
import math
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio import __version__
from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.jobs.queued_request import with_absolute_paths
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.treatment import MixedField, Treatment

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.delivery.provenance import Provenance
    from omniaudio_studio.jobs.result import RunResult, TakeResult
    from omniaudio_studio.media.probe import ClipInfo

SCHEMA_VERSION = 1
KIND = "omniaudio-sidecar"

Fronts = tuple[tuple[float, float], ...]

_NUMBERS = re.compile(r"\[\n([-+.eE\d,\s]+)\]")  # texts hold no line breaks: they are escaped


@dataclass(frozen=True)
class Reproduction:
    """A request read from a sidecar, with what its clip and bundle have to be.

    ``provider`` is what the sound was made on: another one may round differently.
    ``base_treatment`` is what had been done to the earlier take, ``field`` what the camera's own
    sound was mixed in from, ``fronts`` where the model's views looked (as in
    `engine.plan.GenerationSettings`), ``features_sha256`` the file of given features.
    """

    request: GenerateRequest
    source: Path
    clip_sha256: str
    bundle_sha256: str
    output_sha256: str
    sound_sha256: str | None
    base_sha256: str | None
    provider: str
    base_treatment: Treatment | None = None
    field: MixedField | None = None
    fronts: Fronts | None = None
    features_sha256: str | None = None


def describe(
    request: GenerateRequest,
    take: TakeResult,
    result: RunResult,
    *,
    clip_sha256: str,
    info: ClipInfo,
    bundle: Bundle,
    base_treatment: Treatment | None = None,
    field: MixedField | None = None,
    fronts: Fronts = (),
    features_sha256: str | None = None,
    files: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """The sidecar of one take as plain data.

    Parameters
    ----------
    request
        Of this take alone.
    take, result
        What was made, and the whole job.
    base_treatment
        What had been done to the earlier take, where there is one.
    field
        What the camera's own sound was mixed in from, where that was a field.
    fronts
        Second and azimuth, in radians, where the model's views looked elsewhere than ahead.
    features_sha256
        Of the file of given features, where there is one.
    files
        What lies beside the WAV, as `jobs.companions.Companions.entries` has it.
    """
    manifest = bundle.manifest
    base = None
    if request.base_take is not None:
        base = {
            "name": request.base_take.name,
            "sha256": file_sha256(request.base_take),
            # The take's own sidecar may be gone when this sound is made again.
            "treatment": None if base_treatment is None else base_treatment.as_dict(),
        }
    # A name is looked up wherever the program runs; a path is meant from here.
    if Path(request.bundle).exists():
        request = replace(request, bundle=str(bundle.path.absolute()))
    request = with_absolute_paths(request)
    features = None
    if request.features is not None:
        features = {"name": request.features.name, "sha256": features_sha256}
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "request": request.as_dict(),
        # What the defaults stood for.
        "resolved": {
            "projection": info.projection,
            "stereo": info.stereo,
            "cfg": manifest.sampler.cfg if request.cfg is None else request.cfg,
            "steps": request.steps or manifest.steps_of(request.sampler),
            "feature_rate": request.feature_rate or manifest.features.rate,
            "duration": result.duration,
            # Second of the clip and degrees; by a found front's whole degrees it is found again.
            "fronts": [[since, round(math.degrees(front), 6)] for since, front in fronts],
        },
        "clip": {
            "name": request.clip.name,
            "sha256": clip_sha256,
            "duration": info.duration,
        },
        # The earlier take, where only a part was rolled again.
        "base": base,
        # The camera's own sound, and how it lay in the clip when it was mixed in.
        "mix_field": None if field is None else field.as_dict(),
        # What the model was given in place of a look at the clip.
        "features": features,
        "bundle": _about(bundle),
        "output": {
            "name": request.output.name,
            "sha256": take.sha256,
            "sound_sha256": take.sound_sha256,
            "rate": request.rate,
            "channels": "W Y Z X",
            "normalisation": "SN3D",
            "samples": take.samples,
            "gain_db": take.gain_db,
        },
        # What was made beside it; what was made later is added.
        "files": list(files),
        "software": software("onnxruntime", "numpy"),
        "provider": {"name": result.provider, "reason": result.reason},
        "seconds": round(result.seconds, 3),
        "sound_seconds": round(result.sound_seconds, 3),
        "warnings": list(result.warnings),
    }


def _about(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "title": manifest.title,
        "version": manifest.version,
        "demonstration": manifest.demonstration,
        "licence": manifest.licence.id,
        "commercial": manifest.licence.commercial,
        "sha256": bundle.sha256,
    }


def take_provenance(request: GenerateRequest, bundle: Bundle) -> Provenance | None:
    """What everything that is made of a take states in its metadata; None where it shall not.

    As `delivery.provenance.provenance_of` reads it from the sidecar, which is not written yet.
    """
    from omniaudio_studio.delivery.provenance import provenance_of

    if not request.provenance:
        return None
    cfg = bundle.manifest.sampler.cfg if request.cfg is None else request.cfg
    return provenance_of(
        {
            "kind": KIND,
            "request": request.as_dict(),
            "resolved": {"cfg": cfg},
            "bundle": _about(bundle),
            "software": {"omniaudio": __version__},
        }
    )


def software(*modules: str) -> dict[str, str]:
    """The program's version, and those of what the sound depends on."""
    versions = {name: str(import_module(name).__version__) for name in modules}
    return {
        "omniaudio": __version__,
        **versions,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def write_sidecar(path: Path, data: Mapping[str, Any]) -> None:
    """Write plain data as indented JSON, lists of numbers on one line each."""
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    path.write_text(text + "\n", encoding="utf-8")


def reproduction(
    sidecar: Path,
    *,
    clip: Path | None = None,
    output: Path | None = None,
    overwrite: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> Reproduction:
    """Read a sidecar for making its sound again.

    Parameters
    ----------
    sidecar
        ``OUT.json``.
    clip
        Where the clip is now; else where it was, or beside the sidecar under its name.
    output
        Where the sound goes; else ``OUT.wav`` beside the sidecar.
    changes
        Fields of the request that do not touch the sound (``device``, ``low_memory``,
        ``deliverables``, ``provenance``).

    Raises
    ------
    MissingFileError, OptionError
        If there is no such sidecar, or it is none.
    """
    data = load_sidecar(sidecar, KIND, SCHEMA_VERSION, "generated")
    request = GenerateRequest.from_dict(data.get("request"))
    if clip is None:
        clip = where_now(request.clip, sidecar)
    if output is None:
        output = sidecar.with_suffix(".wav")
    request = replace(
        request, clip=clip, output=output, overwrite=overwrite, **dict(changes or {})
    ).validate()
    base, features = data.get("base"), data.get("features")
    try:
        return Reproduction(
            request=request,
            source=sidecar,
            clip_sha256=str(data["clip"]["sha256"]),
            bundle_sha256=str(data["bundle"]["sha256"]),
            output_sha256=str(data["output"]["sha256"]),
            sound_sha256=data["output"].get("sound_sha256"),
            base_sha256=None if base is None else str(base["sha256"]),
            provider=str(data["provider"]["name"]),
            base_treatment=None if base is None else Treatment.from_dict(base.get("treatment")),
            field=MixedField.from_dict(data.get("mix_field")),
            fronts=_fronts(data.get("resolved")),
            features_sha256=None if features is None else str(features["sha256"]),
        )
    except (KeyError, TypeError) as error:
        raise OptionError(
            f"{sidecar} is incomplete ({error} is missing); generate without --from"
        ) from error


def _fronts(resolved: Any) -> Fronts | None:
    """What :func:`describe` told of them; None where that cannot be read."""
    try:
        return tuple((float(since), math.radians(front)) for since, front in resolved.get("fronts"))
    except (AttributeError, TypeError, ValueError):
        return None


def where_now(path: Path, sidecar: Path) -> Path:
    """A file that a sidecar names: where it was, else beside the sidecar if it is there."""
    beside = sidecar.parent / path.name
    return beside if not path.exists() and beside.exists() else path


def load_sidecar(sidecar: Path, kind: str, version: int, made: str) -> dict[str, Any]:
    """Read a sidecar as plain data.

    Parameters
    ----------
    kind, version
        What its ``kind`` and ``schema_version`` have to be.
    made
        What its WAV is, for the message.

    Raises
    ------
    MissingFileError, OptionError
        If there is no such file, or it is no such sidecar.
    """
    try:
        data = json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(f"no such sidecar: {sidecar}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{sidecar} is no sidecar: it is not JSON ({error})") from error
    except OSError as error:
        raise MissingFileError(f"cannot read {sidecar}: {error.strerror or error}") from error
    if not isinstance(data, dict) or data.get("kind") != kind:
        raise OptionError(
            f'{sidecar} is no sidecar: expected a JSON object of kind "{kind}"; '
            f"give the .json beside a {made} .wav"
        )
    found = data.get("schema_version")
    if found != version or isinstance(found, bool):
        raise OptionError(
            f"{sidecar} has schema version {found!r}, this program reads {version}; "
            "use the version of OmniAudio Studio that wrote it"
        )
    return data
