"""The sidecar beside a recording put on the sphere: what it was made of, and where it was put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio import __version__
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.queued_request import with_absolute_paths
from omniaudio_studio.jobs.result import SpatializeResult
from omniaudio_studio.jobs.sidecar import load_sidecar, software, where_now
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle
    from omniaudio_studio.delivery.provenance import Provenance
    from omniaudio_studio.media.probe import ClipInfo
    from omniaudio_studio.media.recording import Recording

SCHEMA_VERSION = 1
KIND = "omniaudio-spatialization"


@dataclass(frozen=True)
class Respatialization:
    """A request read from a sidecar, with what its inputs have to be.

    ``inputs`` are the SHA-256 of `input_files`, in their order; ``bundle`` is the model bundle's
    where one was asked, ``output`` the WAV's, and ``sound`` that of its samples alone.
    """

    request: SpatializeRequest
    source: Path
    inputs: tuple[str, ...]
    bundle: str | None
    output: str
    sound: str | None


def input_files(request: SpatializeRequest) -> list[tuple[str, Path]]:
    """What each file that is read is, and where: clip, recording, stems in their order."""
    files = [("the clip", request.clip)]
    if request.audio is not None:
        files.append(("the recording", request.audio))
    return files + [
        (f"the sound of {source.name}", source.file)
        for source in request.sources
        if source.file is not None
    ]


def describe_spatialization(
    request: SpatializeRequest,
    result: SpatializeResult,
    *,
    info: ClipInfo,
    recording: Recording,
    bundle: Bundle | None,
    inputs: Sequence[str],
    files: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """The sidecar as plain data.

    Parameters
    ----------
    result
        What was made.
    bundle
        The one that was asked where the sound comes from.
    inputs
        SHA-256 of `input_files`, in their order.
    files
        What lies beside the WAV, as `jobs.companions.Companions.entries` has it.
    """
    placed = with_absolute_paths(request)
    # A name is looked up wherever the program runs; a path is meant from here.
    if bundle is not None and Path(request.bundle).exists():
        placed = replace(placed, bundle=str(bundle.path.absolute()))
    data = result.as_dict()
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "request": placed.as_dict(),
        "inputs": [
            {"what": what, "name": path.name, "sha256": sha256}
            for (what, path), sha256 in zip(input_files(request), inputs, strict=True)
        ],
        "recording": {
            "name": recording.path.name,
            "codec": recording.sound.codec,
            "rate": recording.sound.rate,
            "channels": recording.sound.channels,
        },
        "resolved": {
            "projection": info.projection,
            "stereo": info.stereo,
            "duration": result.duration,
        },
        "bundle": _about(bundle),
        "method": result.method,
        "confidence": result.confidence,
        "sources": data["sources"],
        "output": {
            "name": request.output.name,
            "sha256": result.sha256,
            "sound_sha256": result.sound_sha256,
            "rate": result.rate,
            "channels": "W Y Z X",
            "normalisation": "SN3D",
            "samples": result.samples,
            "peak": result.peak,
        },
        "files": list(files),
        "software": software("numpy", "soxr", "av", *([] if bundle is None else ["onnxruntime"])),
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
    }


def _about(bundle: Bundle | None) -> dict[str, Any] | None:
    if bundle is None:
        return None
    return {
        "name": bundle.manifest.name,
        "version": bundle.manifest.version,
        "licence": bundle.manifest.licence.id,
        "commercial": bundle.manifest.licence.commercial,
        "sha256": bundle.sha256,
    }


def placing_provenance(request: SpatializeRequest, bundle: Bundle | None) -> Provenance | None:
    """What everything that is made of it states in its metadata; None where it shall not.

    As `delivery.provenance.provenance_of` reads it from the sidecar, which is not written yet.
    """
    from omniaudio_studio.delivery.provenance import provenance_of

    if not request.provenance:
        return None
    return provenance_of(
        {
            "kind": KIND,
            "request": request.as_dict(),
            "bundle": _about(bundle),
            "software": {"omniaudio": __version__},
        }
    )


def respatialization(
    sidecar: Path, *, output: Path | None = None, overwrite: bool = False
) -> Respatialization:
    """Read a sidecar for making its sound again.

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
    data = load_sidecar(sidecar, KIND, SCHEMA_VERSION, "spatialized")
    request = SpatializeRequest.from_dict(data.get("request"))

    request = replace(
        request,
        clip=where_now(request.clip, sidecar),
        audio=None if request.audio is None else where_now(request.audio, sidecar),
        sources=tuple(
            source if source.file is None else replace(source, file=where_now(source.file, sidecar))
            for source in request.sources
        ),
        output=sidecar.with_suffix(".wav") if output is None else output,
        overwrite=overwrite,
    ).validate()
    try:
        inputs = tuple(str(item["sha256"]) for item in data["inputs"])
        sha256 = str(data["output"]["sha256"])
        sound = data["output"].get("sound_sha256")
        bundle = data["bundle"]
        bundle = None if bundle is None else str(bundle["sha256"])
    except (KeyError, TypeError) as error:
        raise OptionError(
            f"{sidecar} is incomplete ({error} is missing); spatialize without --from"
        ) from error
    if len(inputs) != len(input_files(request)):
        raise OptionError(
            f"{sidecar} is incomplete (inputs are missing); spatialize without --from"
        )
    return Respatialization(request, sidecar, inputs, bundle, sha256, sound)
