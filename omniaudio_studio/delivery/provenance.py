"""Where a sound comes from, as every deliverable states it: comment fields, container tags, `bext`.

A take's sidecar knows it; what leaves the machine carries a sentence of it inside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MediaError, OptionError

PROGRAM = "OmniAudio Studio"
KINDS = ("generated", "placed", "mixed")
SIDECARS = {
    "omniaudio-sidecar": "generated",
    "omniaudio-spatialization": "placed",
    "omniaudio-delivery": "mixed",
}
"""What each kind of sidecar tells of."""

_MADE = {
    "Sound generated": "generated",
    "Recorded sound placed on the sphere": "placed",
    "Sound field mixed": "mixed",
}
_SENTENCE = re.compile(
    rf"({'|'.join(_MADE)}) by ({PROGRAM}(?: [^\s;,]+)?)(?: with the model (.+?))?"
    r"(?: \(((?:seed|guidance) [^()]*)\))?(, mixed with other sound)?(; no commercial use)?$"
)

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
        words = {kind: word for word, kind in _MADE.items()}
        # What a model made and other sound came to says both.
        made = words["generated" if self.kind == "mixed" and self.bundle else self.kind]
        with_model = f" with the model {self._model()}" if self.bundle is not None else ""
        mixed = ", mixed with other sound" if self.kind == "mixed" and self.bundle else ""
        values = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in (("seed", self.seed), ("guidance", self.cfg))
            if value is not None
        ]
        how = f" ({', '.join(values)})" if values else ""
        use = "; no commercial use" if self.commercial is False else ""
        return f"{made} by {self.software}{with_model}{how}{mixed}{use}"

    @classmethod
    def from_sentence(cls, text: str) -> Provenance | None:
        """Read `sentence`, at the end of a comment; None where there is none.

        The licence's name is not in it.
        """
        found = _SENTENCE.search(text.strip())
        if found is None:
            return None
        made, software, model, values, mixed, forbidden = found.groups()
        name, _, version = (model or "").rpartition(" ")
        if not (name and version[:1].isdigit()):
            name, version = model or "", ""
        given = dict(value.split(" ", 1) for value in (values or "").split(", ") if " " in value)
        try:
            return cls(
                software=software,
                kind="mixed" if mixed else _MADE[made],
                bundle=name or None,
                bundle_version=version or None,
                seed=int(given["seed"]) if "seed" in given else None,
                cfg=float(given["guidance"]) if "guidance" in given else None,
                commercial=False if forbidden else True if name else None,
            )
        except ValueError:
            return None

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
    """What the sidecar ``<stem>.json`` beside a file tells, else the file itself; None where
    neither does.

    A delivery is followed to the sidecar of its field, whose model it names. A file that has lost
    its sidecar still carries the sentence, in ``bext`` or in its container's comment.
    """
    return _read(wav, _DEEPEST)


def _read(wav: Path, deepest: int) -> Provenance | None:
    import json

    try:
        data = json.loads(wav.with_suffix(".json").read_text(encoding="utf-8"))
        found = provenance_of(data)
    except (OSError, ValueError, AttributeError, RecursionError):
        # There is none, or any other program has put a file of this name there.
        return _stated(wav)
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


def _stated(path: Path) -> Provenance | None:
    """What a file says of itself."""
    from omniaudio_studio.media.bext import read_bext
    from omniaudio_studio.media.container import open_input

    try:
        bext = read_bext(path)
        if bext is not None:
            return Provenance.from_sentence(bext.description)
        with open_input(path) as container:
            tags = {name.lower(): value for name, value in container.metadata.items()}
    except (OSError, MediaError):
        return None
    return Provenance.from_sentence(tags.get("comment", ""))


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any, kind: type) -> Any:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return kind(value) if numeric else None
