"""REAPER's project files (``.rpp``) as text: tracks, items, markers, notes.

The format is REAPER's own: lines of a name and values, blocks between ``<NAME`` and ``>``. It has
no specification; the lines here are among those that REAPER writes into every project, and what is
left out takes its defaults.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NAMESPACE = uuid.UUID("6f1c6a4e-8f5b-4b0e-9a60-1c2f0c1d7a52")  # of this program's tracks

Lines = list[str]


@dataclass(frozen=True)
class Item:
    """A piece of media on a track.

    Parameters
    ----------
    kind : {"WAVE", "VIDEO"}
        Which of REAPER's readers plays it.
    file : str
        As the project names it: relative to its folder, or absolute.
    position, length : float
        Seconds.
    offset : float
        Seconds of the file that lie before the item.
    heard : bool
        False for an item that is turned all the way down; its picture is shown all the same.
    """

    kind: str
    file: str
    position: float
    length: float
    offset: float = 0.0
    heard: bool = True


@dataclass(frozen=True)
class Track:
    """A track with one item."""

    name: str
    channels: int
    item: Item


def project(
    title: str,
    rate: int,
    channels: int,
    tracks: Sequence[Track],
    markers: Iterable[tuple[float, str]],
    notes: str,
) -> str:
    """The project's text, UTF-8.

    Parameters
    ----------
    title : str
    rate : int
        Samples a second.
    channels : int
        Of the master.
    tracks : sequence of Track
    markers : iterable of (float, str)
        Seconds and names.
    notes : str
        Lines that the project carries.
    """
    body: Lines = [
        _block("NOTES", [0, 2], [f"|{line}" for line in notes.splitlines()]),
        _line("TITLE", title),
        _line("SAMPLERATE", rate, 1, 0),
        _line("TEMPO", 120, 4, 4),
        _line("MASTERHWOUT", 0, 0, 1, 0, 0, 0, 0, -1),
        _line("MASTER_NCH", channels, 2),
        _line("MASTER_VOLUME", 1, 0, -1, -1, 1),
        _line("MASTER_FX", 1),
    ]
    for number, (time, name) in enumerate(markers, 1):
        body.append(_line("MARKER", number, time, name, 0))
    for number, track in enumerate(tracks):
        body.append(_track(track, f"{title}/{number}"))
    # Version of the format, of the program that wrote it, and a time stamp, which is 0: the same
    # sound gives the same project.
    return _block("REAPER_PROJECT", [0.1, "6.0/OmniAudio", 0], body) + "\n"


def _track(track: Track, key: str) -> str:
    item = track.item
    identity = f"{{{str(uuid.uuid5(_NAMESPACE, key)).upper()}}}"
    source = _block("SOURCE", [_Bare(item.kind)], [_line("FILE", item.file)])
    inside = [
        _line("POSITION", item.position),
        _line("LENGTH", item.length),
        _line("LOOP", 0),
        # Volume of the item, pan, volume of the take, law of panning.
        _line("VOLPAN", 1 if item.heard else 0, 0, 1, -1),
        _line("SOFFS", item.offset),
        _line("NAME", track.name),
        source,
    ]
    return _block(
        "TRACK",
        [_Bare(identity)],
        [
            _line("NAME", track.name),
            _line("NCHAN", track.channels),
            _line("FX", 1),
            _line("TRACKID", _Bare(identity)),
            _line("MAINSEND", 1, 0),
            _block("ITEM", [], inside),
        ],
    )


class _Bare(str):
    """A word that is written without quotes."""


def _line(name: str, *values: float | str) -> str:
    return " ".join([name, *map(_value, values)])


def _block(name: str, values: Sequence[float | str], inside: Iterable[str]) -> str:
    lines = "".join(f"\n  {line}" for part in inside for line in part.split("\n"))
    return f"<{_line(name, *values)}{lines}\n>"


def _value(value: float | str) -> str:
    if isinstance(value, _Bare):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    return f"{value:.10f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    """In whichever of REAPER's three quotes the text does not hold."""
    text = " ".join(text.split("\n")).replace("\r", " ")
    for quote in "\"'`":
        if quote not in text:
            return f"{quote}{text}{quote}"
    return f"`{text.replace('`', chr(39))}`"
