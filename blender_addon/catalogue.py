"""The model bundles that the runtime has, asked for once and again after its test."""

from __future__ import annotations

import contextlib
from typing import Any

from omniaudio_studio.errors import OmniAudioError

from . import questions

_rows: list[dict[str, Any]] | None = None
_asked = False


def bundles() -> list[dict[str, Any]] | None:
    """Rows as the analyst's task ``bundles`` gives them; None until they are known."""
    return _rows


def bundle(name: str) -> dict[str, Any] | None:
    """The row of a bundle by its name or path; None where there is none, or not yet."""
    for row in _rows or ():
        if name in (row["name"], row["path"]):
            return row
    return None


def refresh() -> None:
    """Ask for the bundles; `bundles` has them some time later."""
    global _asked
    _asked = True
    # A runtime that is not there is told of where it is chosen and tested.
    with contextlib.suppress(OmniAudioError):
        questions.ask("bundles", take, lambda line: None)


def want() -> None:
    """Ask for the bundles unless that was done."""
    if not _asked:
        refresh()


def take(rows: list[dict[str, Any]]) -> None:
    """Know the bundles."""
    global _rows
    _rows = rows


def forget() -> None:
    """Another runtime may have others."""
    global _rows, _asked
    _rows, _asked = None, False


def search_bundles(settings: Any, context: Any, text: str) -> list[str] | list[tuple[str, str]]:
    """What the field for the model offers: names with their titles."""
    want()
    rows = [row for row in _rows or () if row["problem"] is None]
    return [(row["name"], row["title"]) for row in rows if text.lower() in row["name"].lower()]
