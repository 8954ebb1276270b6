"""The sidecar beside a delivered WAV: what it was made of, so that it can be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio import __version__
from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.result import DeliverResult
from omniaudio_studio.jobs.sidecar import load_sidecar, software, where_now

if TYPE_CHECKING:
    from omniaudio_studio.delivery.provenance import Provenance

SCHEMA_VERSION = 1
KIND = "omniaudio-delivery"


@dataclass(frozen=True)
class Redelivery:
    """A request read from a sidecar, with what its inputs have to be.

    ``inputs`` are the SHA-256 of `input_files`, in their order; ``output`` is the WAV's, and
    ``sound`` that of its samples alone.
    """

    request: DeliverRequest
    source: Path
    inputs: tuple[str, ...]
    output: str
    sound: str | None


def input_files(request: DeliverRequest) -> list[tuple[str, Path]]:
    """What each file that a delivery reads is, and where: field, clip, sounds in their order."""
    files = [
        ("the sound field", request.field),
        ("the clip", request.clip),
        ("the head-locked sound", request.head_locked),
    ]
    named = [(what, path) for what, path in files if path is not None]
    return named + [(f"the sound of {source.name}", source.file) for source in request.sources]


def describe_delivery(
    request: DeliverRequest,
    result: DeliverResult,
    inputs: Sequence[str],
    files: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """The sidecar as plain data.

    Parameters
    ----------
    result
        What was made.
    inputs
        SHA-256 of `input_files`, in their order.
    files
        What lies beside the WAV, as `jobs.companions.Companions.entries` has it.
    """
    placed = replace(
        request,
        field=None if request.field is None else request.field.absolute(),
        clip=None if request.clip is None else request.clip.absolute(),
        head_locked=None if request.head_locked is None else request.head_locked.absolute(),
        output=request.output.absolute(),
        sources=tuple(replace(source, file=source.file.absolute()) for source in request.sources),
    )
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "request": placed.as_dict(),
        "inputs": [
            {"what": what, "name": path.name, "sha256": sha256}
            for (what, path), sha256 in zip(input_files(request), inputs, strict=True)
        ],
        "output": {
            "name": request.output.name,
            "sha256": result.sha256,
            "sound_sha256": result.sound_sha256,
            "rate": result.rate,
            "channels": "W Y Z X",
            "normalisation": "SN3D",
            "samples": result.samples,
            "gain_db": result.gain_db,
            "peak": result.peak,
        },
        "files": list(files),
        "software": software("numpy", "soxr", "av"),
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
    }


def delivery_provenance(request: DeliverRequest) -> Provenance | None:
    """What everything that is delivered states in its metadata; None where it shall not, and where
    nothing is known of the field.

    As `delivery.provenance.read_provenance` reads it from the sidecar, which is not written yet.
    """
    from omniaudio_studio.delivery.provenance import provenance_of, read_provenance

    if not request.provenance:
        return None
    source = None if request.field is None else read_provenance(request.field)
    if not request.sources:
        return source
    mixed = provenance_of(
        {"kind": KIND, "request": request.as_dict(), "software": {"omniaudio": __version__}}
    )
    return mixed if source is None else replace(source, software=mixed.software, kind=mixed.kind)


def earlier_sidecar(sidecar: Path) -> dict[str, Any] | None:
    """The sidecar of a field that more is to be made of; None where there is none.

    Raises
    ------
    OptionError, MissingFileError
        If there is another file in its place.
    """
    from omniaudio_studio.delivery.provenance import SIDECARS

    if not sidecar.exists():
        return None
    try:
        data = json.loads(sidecar.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingFileError(f"cannot read {sidecar}: {error.strerror or error}") from error
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("kind") not in SIDECARS:
        raise OptionError(
            f"{sidecar} is no sidecar of a sound field, and one would be written there; give "
            "another name with -o"
        )
    return data


def with_files(data: dict[str, Any], files: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A sidecar that is told of more files; those of the same deliverables are replaced."""
    new = {entry["deliverable"] for entry in files}
    kept = [entry for entry in data.get("files") or () if entry.get("deliverable") not in new]
    return {**data, "files": [*kept, *files]}


def redelivery(sidecar: Path, *, output: Path | None = None, overwrite: bool = False) -> Redelivery:
    """Read a sidecar for making its delivery again.

    Files that are not where they were are looked for beside the sidecar.

    Parameters
    ----------
    sidecar
        ``OUT.json``.
    output
        Where the sound goes; else ``OUT.wav`` beside the sidecar.

    Raises
    ------
    MissingFileError, OptionError
        If there is no such sidecar, or it is none.
    """
    data = load_sidecar(sidecar, KIND, SCHEMA_VERSION, "delivered")
    request = DeliverRequest.from_dict(data.get("request"))

    request = replace(
        request,
        field=None if request.field is None else where_now(request.field, sidecar),
        clip=None if request.clip is None else where_now(request.clip, sidecar),
        head_locked=(
            None if request.head_locked is None else where_now(request.head_locked, sidecar)
        ),
        sources=tuple(
            replace(source, file=where_now(source.file, sidecar)) for source in request.sources
        ),
        output=sidecar.with_suffix(".wav") if output is None else output,
        overwrite=overwrite,
    ).validate()
    try:
        inputs = tuple(str(item["sha256"]) for item in data["inputs"])
        sha256 = str(data["output"]["sha256"])
        sound = data["output"].get("sound_sha256")
    except (KeyError, TypeError) as error:
        raise OptionError(
            f"{sidecar} is incomplete ({error} is missing); deliver without --from"
        ) from error
    if len(inputs) != len(input_files(request)):
        raise OptionError(f"{sidecar} is incomplete (inputs are missing); deliver without --from")
    return Redelivery(request, sidecar, inputs, sha256, sound)
