"""Options that several verbs share: where sounds and pictures of synthetic scenes come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from omniaudio_studio.errors import OptionError

Motion = Literal["still", "moving", "mixed"]

Sounds = Annotated[Path | None, typer.Option(metavar="DIR", help="One folder of sounds per class.")]
Panoramas = Annotated[Path | None, typer.Option(metavar="DIR", help="Equirectangular images.")]
PanoramaNames = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="File names without ending, of --panoramas; else all."),
]
Sprites = Annotated[
    Path | None, typer.Option(metavar="DIR", help="One folder of PNGs with alpha per class.")
]
Folds = Annotated[
    str | None,
    typer.Option(
        help="Folds of --sounds to use, as 4 or 1,2,3; or all. Evaluation takes 4, training all.",
    ),
]
MotionOption = Annotated[str, typer.Option("--motion", help="still, moving or mixed.")]


def motion_of(text: str) -> Motion:
    """The kind of motion, checked."""
    if text not in ("still", "moving", "mixed"):
        raise OptionError(f"--motion must be still, moving or mixed; found {text!r}")
    return cast(Motion, text)


def folds_of(
    text: str | None, sounds: Path | None, default: tuple[int, ...] | None = None
) -> tuple[int, ...] | None:
    """The numbers in "1,2,3"; None for "all". Procedural sounds have no folds."""
    if text is None:
        return default if sounds else None
    if sounds is None:
        raise OptionError("--folds chooses among the files of --sounds: name that folder, too")
    if text == "all":
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"--folds must be numbers as 4 or 1,2,3, or all; found {text!r}"
        ) from None


def names_of(text: str | None) -> tuple[str, ...] | None:
    """The names in "a,b"; None for all."""
    return None if text is None else tuple(text.split(","))
