"""Where a sound comes from, as every deliverable states it: comment fields, container tags, `bext`.

A take's sidecar knows it; what leaves the machine carries a sentence of it inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OptionError

PROGRAM = "OmniAudio Studio"
KINDS = ("generated", "placed", "mixed")
SIDECARS = {
    "omniaudio-sidecar": "generated",
    "omniaudio-spatialization": "placed",
    "omniaudio-delivery": "mixed",
}
"""What each kind of sidecar tells of."""

# A delivery's field may be a delivery's output itself; more than this is a circle.
_DEEPEST = 8


@dataclass(frozen=True)
class Provenance:
    """Who made a sound, and how.

    Parameters
    ----------
    software : str
        Name and version of the program.
    kind : {"generated", "placed", "mixed"}
        Made by a model; a recording put on the sphere; or one of them with other sound in it.
    bundle, bundle_version : str, optional
        The model that was asked.
    seed : int, optional
    cfg : float, optional
        Strength of the guidance.
    commercial : bool, optional
        Whether the model's licence allows commercial use of what it made; None without a model.
    licence : str, optional
        Identifier of the model's licence.
    """

    software: str
    kind: str
    bundle: str | None = None
    bundle_version: str | None = None
    seed: int | None = None
    cfg: float | None = None
    commercial: bool | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionError(f"provenance {self.kind!r}: expected one of {', '.join(KINDS)}")

    def sentence(self) -> str:
        """One line for comment fields."""
        if self.kind == "placed":
            made = "Recorded sound placed on the sphere"
        elif self.kind == "mixed" and self.bundle is None:
            made = "Sound field mixed"
        else:
            made = "Sound generated"
        with_model = f" with the model {self._model()}" if self.bundle is not None else ""
        # A placed recording or a mix is not all the model's work.
        mixed = ", mixed with other sound" if self.kind == "mixed" and self.bundle else ""
        values = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in (("seed", self.seed), ("guidance", self.cfg))
            if value is not None
        ]
        how = f" ({', '.join(values)})" if values else ""
        use = "; no commercial use" if self.commercial is False else ""
        return f"{made} by {self.software}{with_model}{how}{mixed}{use}"

    def _model(self) -> str:
        return " ".join(part for part in (self.bundle, self.bundle_version) if part)

    def tags(self) -> dict[str, str]:
        """Tags for a container: ``comment`` is the sentence, the others one value each.

        MP4 keeps only the names that it knows (``comment``, ``encoded_by``); Matroska keeps all.
        """
        values = {
            "comment": self.sentence(),
            "encoded_by": self.software,
            "omniaudio_kind": self.kind,
            "omniaudio_model": self._model() if self.bundle is not None else None,
            "omniaudio_seed": self.seed,
            "omniaudio_guidance": None if self.cfg is None else f"{self.cfg:g}",
            "omniaudio_licence": self.licence,
            "omniaudio_commercial": {True: "allowed", False: "forbidden"}.get(self.commercial),  # type: ignore[arg-type]
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    def warning(self) -> str | None:
        """What is to be told at delivery where the model's licence forbids commercial use."""
        if self.commercial is not False:
            return None
        licence = f" ({self.licence})" if self.licence else ""
        return (
            f"the licence of {self._model() or 'the model'}{licence} forbids commercial use of "
            "this sound"
        )


def provenance_of(sidecar: Mapping[str, Any]) -> Provenance:
    """What a sidecar of this program tells, read as plain data.

    A delivery's sidecar does not know what its field was made by: `read_provenance` looks there.

    Raises
    ------
    OptionError
        If it is no such sidecar.
    """
    kind = SIDECARS.get(str(sidecar.get("kind")))
    if kind is None:
        raise OptionError(
            f"a sidecar's kind must be one of {', '.join(SIDECARS)}; found {sidecar.get('kind')!r}"
        )
    request, bundle, resolved = (_part(sidecar, name) for name in ("request", "bundle", "resolved"))
    if kind == "generated" and request.get("mix"):
        kind = "mixed"
    if kind == "mixed" and sidecar.get("kind") == "omniaudio-delivery" and not request.get("field"):
        kind = "placed"
    version = _part(sidecar, "software").get("omniaudio")
    by_model = sidecar.get("kind") == "omniaudio-sidecar"
    return Provenance(
        software=f"{PROGRAM} {version}" if version else PROGRAM,
        kind=kind,
        bundle=_text(bundle.get("name")),
        bundle_version=_text(bundle.get("version")),
        seed=_number(request.get("seed"), int) if by_model else None,
        cfg=_number(resolved.get("cfg"), float) if by_model else None,
        commercial=bundle.get("commercial") if isinstance(bundle.get("commercial"), bool) else None,
        licence=_text(bundle.get("licence")),
    )


def read_provenance(wav: Path) -> Provenance | None:
    """What the sidecar ``<stem>.json`` beside a file tells; None where there is none of ours.

    A delivery is followed to the sidecar of its field, whose model it names.
    """
    return _read(wav, _DEEPEST)


def _read(wav: Path, deepest: int) -> Provenance | None:
    import json

    try:
        data = json.loads(wav.with_suffix(".json").read_text(encoding="utf-8"))
        found = provenance_of(data)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None  # any other program may have put a file of this name there
    if data["kind"] != "omniaudio-delivery" or not deepest:
        return found
    request = _part(data, "request")
    if not request.get("field"):
        return found
    field = Path(str(request["field"]))
    beside = wav.parent / field.name
    source = _read(field if field.exists() or not beside.exists() else beside, deepest - 1)
    if not request.get("sources"):
        return source  # a part of a field, or all of it: what it was, and None for a recording
    return found if source is None else replace(source, software=found.software, kind="mixed")


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any, kind: type) -> Any:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return kind(value) if numeric else None
