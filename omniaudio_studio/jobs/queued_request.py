"""The requests that a queue may hold: sound to be generated, and a recording to be placed.

Standard library only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

QueuedRequest = GenerateRequest | SpatializeRequest
Request = TypeVar("Request", bound=GenerateRequest | SpatializeRequest)

_KINDS: dict[str, type[GenerateRequest] | type[SpatializeRequest]] = {
    kind.KIND: kind for kind in (GenerateRequest, SpatializeRequest)
}


def read_request(kind: str, text: str) -> QueuedRequest:
    """The request of a ``kind`` that ``text`` holds as JSON; raises OptionError."""
    known = _KINDS.get(kind)
    if known is None:
        raise OptionError(f"a job of the kind {kind!r} is not known; known are {', '.join(_KINDS)}")
    return known.from_json(text)


def with_absolute_paths(request: Request) -> Request:
    """The same request with paths that are meant from any folder; ``bundle`` stays as it is."""
    if isinstance(request, SpatializeRequest):
        return replace(
            request,
            clip=request.clip.absolute(),
            output=request.output.absolute(),
            audio=_absolute(request.audio),
            sources=tuple(replace(s, file=_absolute(s.file)) for s in request.sources),
        )
    return replace(
        request,
        clip=request.clip.absolute(),
        output=request.output.absolute(),
        base_take=_absolute(request.base_take),
        mix_field=_absolute(request.mix_field),
        features=_absolute(request.features),
    )


def take_count(request: QueuedRequest) -> int:
    """How many takes come of it: a recording is placed once."""
    return request.takes if isinstance(request, GenerateRequest) else 1


def model_of(request: QueuedRequest) -> str | None:
    """The bundle that has to be loaded for it; None where none has."""
    if isinstance(request, SpatializeRequest) and request.method != "learned":
        return None
    return request.bundle


def result_wavs(result: dict[str, Any]) -> list[Path]:
    """The takes' WAVs in a job's result, as `jobs.result` gives it."""
    takes = result.get("takes") or [result]
    return [Path(take["wav"]) for take in takes]


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
