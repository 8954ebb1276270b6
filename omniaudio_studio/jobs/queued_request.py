"""The requests that a queue may hold: sound to be generated, a recording to be placed, and files to
be made of a field that is there.

Standard library only.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

TakeRequest = GenerateRequest | SpatializeRequest
"""Those that make takes."""
QueuedRequest = GenerateRequest | SpatializeRequest | DeliverRequest
Request = TypeVar("Request", bound=GenerateRequest | SpatializeRequest | DeliverRequest)

_KINDS: dict[str, type[QueuedRequest]] = {
    kind.KIND: kind for kind in (GenerateRequest, SpatializeRequest, DeliverRequest)
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
    if isinstance(request, DeliverRequest):
        return replace(
            request,
            clip=_absolute(request.clip),
            output=request.output.absolute(),
            field=_absolute(request.field),
            head_locked=_absolute(request.head_locked),
            sources=tuple(replace(s, file=s.file.absolute()) for s in request.sources),
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
    if isinstance(request, DeliverRequest):
        return None
    if isinstance(request, SpatializeRequest) and request.method != "learned":
        return None
    return request.bundle


def device_of(request: QueuedRequest) -> str:
    """What it asks to run on; a delivery runs no graph and goes wherever there is a worker."""
    return "auto" if isinstance(request, DeliverRequest) else request.device


def subject_of(request: QueuedRequest) -> Path:
    """What it is about: its clip, else its field or what it makes."""
    if isinstance(request, DeliverRequest):
        return request.clip or request.field or request.output
    return request.clip


def result_wavs(result: dict[str, Any]) -> list[Path]:
    """The takes' WAVs in a job's result, as `jobs.result` gives it."""
    takes = result.get("takes") or [result]
    return [Path(take["wav"]) for take in takes]


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
