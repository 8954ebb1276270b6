"""What the user prefers, kept between runs and typed: nonsense in the file is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from PyQt6.QtCore import QByteArray, QObject, QSettings, pyqtSignal

from qt_app.tracking.sender import STYLES
from qt_app.tracking.tracker import HOST, PORT_DAW, PORT_IN, PORT_OUT

T = TypeVar("T")
THEMES = ("system", "light", "dark")
FILE = "preferences.ini"


class Preference(Generic[T]):
    """One preference: an attribute of :class:`Preferences` that is read, written and announced.

    Parameters
    ----------
    key
        Its name in the file.
    default
        Where the file has none, or nonsense.
    read
        Makes the value of what was set or what the file holds (often text); raises ValueError or
        TypeError where it is none.
    write
        Makes what the file holds.
    """

    def __init__(
        self,
        key: str,
        default: T,
        read: Callable[[Any], T],
        write: Callable[[T], Any] = lambda value: value,
    ) -> None:
        self.key, self.default = key, default
        self._read, self._write = read, write

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Preference[T]: ...
    @overload
    def __get__(self, owner: Preferences, kind: type) -> T: ...
    def __get__(self, owner: Preferences | None, kind: type) -> Preference[T] | T:
        if owner is None:
            return self
        return self.of(owner.settings)

    def __set__(self, owner: Preferences, value: T) -> None:
        value = self._read(self._write(value))
        if value != self.of(owner.settings):
            owner.settings.setValue(self.key, self._write(value))
            owner.changed.emit(self.name)

    def of(self, settings: QSettings) -> T:
        """The value in a file."""
        held = settings.value(self.key)
        if held is None:
            return self.default
        try:
            return self._read(held)
        except (TypeError, ValueError):
            return self.default


class Preferences(QObject):
    """The user's preferences, kept in ``preferences.ini`` in a folder.

    Each attribute below can be read and set; setting another value emits ``changed`` with the
    attribute's name. Setting nonsense raises ValueError. QSettings writes the file by itself a
    moment later, whole, off any interaction; :meth:`save` does it at once.

    Parameters
    ----------
    folder
        The user's data folder.

    Attributes
    ----------
    theme
        "system", "light" or "dark".
    output_folder
        Where new clips' takes go; None puts them beside the clip.
    last_folder
        Where the last file dialog was.
    hrtf
        A SOFA file for listening; None for the filters that come with the app.
    sound_device
        Name of the output; None for the system's choice.
    volume
        Decibels, -60 to 12.
    tracking, tracking_host, tracking_port, tracking_flips
        Head tracking in: on or off, address, UDP port, reversed (yaw, pitch, roll).
    sending, sending_host, sending_port, sending_style
        Look out: on or off, address, UDP port, "scene" or "head".
    daw, daw_port
        Play together with a DAW: on or off, and the UDP port that it listens on.
    worker_python
        Python that runs the worker; None for the one that runs the app.
    worker_low_priority
        Whether generating yields to everything else on this machine.
    energy_opacity
        Of the energy over the picture, 0 to 1.
    geometry, window_state
        Of the main window, as Qt packs them; empty before the first run.
    """

    changed = pyqtSignal(str)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = folder / FILE
        self.settings = QSettings(str(self.path), QSettings.Format.IniFormat)

    theme = Preference("look/theme", "system", lambda value: _one_of(value, THEMES))
    energy_opacity = Preference("look/energy", 0.6, lambda value: _between(value, 0.0, 1.0))
    geometry = Preference("window/geometry", b"", lambda v: _bytes(v), lambda v: QByteArray(v))
    window_state = Preference("window/state", b"", lambda v: _bytes(v), lambda v: QByteArray(v))
    output_folder: Preference[Path | None] = Preference(
        "files/output", None, lambda value: _path(value), lambda value: _text(value)
    )
    last_folder: Preference[Path | None] = Preference(
        "files/last", None, lambda value: _path(value), lambda value: _text(value)
    )
    hrtf: Preference[Path | None] = Preference(
        "sound/hrtf", None, lambda value: _path(value), lambda value: _text(value)
    )
    sound_device: Preference[str | None] = Preference(
        "sound/device", None, lambda value: str(value) or None, lambda value: value or ""
    )
    volume = Preference("sound/volume", 0.0, lambda value: _between(value, -60.0, 12.0))
    tracking = Preference("tracking/in", False, lambda value: _flag(value))
    tracking_host = Preference("tracking/host", HOST, lambda value: _name(value))
    tracking_port = Preference("tracking/port", PORT_IN, lambda value: _port(value))
    tracking_flips: Preference[tuple[bool, bool, bool]] = Preference(
        "tracking/flips", (False, False, False), lambda v: _flips(v), lambda v: _packed(v)
    )
    sending = Preference("tracking/out", False, lambda value: _flag(value))
    sending_host = Preference("tracking/out-host", HOST, lambda value: _name(value))
    sending_port = Preference("tracking/out-port", PORT_OUT, lambda value: _port(value))
    sending_style = Preference("tracking/out-style", STYLES[0], lambda v: _one_of(v, STYLES))
    daw = Preference("tracking/daw", False, lambda value: _flag(value))
    daw_port = Preference("tracking/daw-port", PORT_DAW, lambda value: _port(value))
    worker_python: Preference[Path | None] = Preference(
        "worker/python", None, lambda value: _path(value), lambda value: _text(value)
    )
    worker_low_priority = Preference("worker/low-priority", True, lambda value: _flag(value))

    def names(self) -> list[str]:
        """All attributes that are preferences."""
        return [name for name, held in vars(type(self)).items() if isinstance(held, Preference)]

    def save(self) -> bool:
        """Write the file now; False where it cannot be written."""
        self.settings.sync()
        return self.settings.status() == QSettings.Status.NoError


def _one_of(value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}; found {value!r}")
    return str(value)


def _between(value: Any, low: float, high: float) -> float:
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"expected a number from {low:g} to {high:g}, found {number:g}")
    return number


def _port(value: Any) -> int:
    return round(_between(int(value), 1, 65_535))


def _name(value: Any) -> str:
    text = str(value).strip()
    if not text or any(character.isspace() for character in text):
        raise ValueError(f"expected the name or number of a computer, found {value!r}")
    return text


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return _one_of(str(value).lower(), ("true", "false")) == "true"


def _path(value: Any) -> Path | None:
    text = os.fspath(value)
    if "\0" in text:
        raise ValueError("a path has no NUL characters")
    return Path(text) if text else None


def _text(value: Path | None) -> str:
    return "" if value is None else str(value)


def _bytes(value: Any) -> bytes:
    return bytes(value.data()) if isinstance(value, QByteArray) else bytes(value)


def _flips(value: Any) -> tuple[bool, bool, bool]:
    letters = str(value)
    if not set(letters) <= set("ypr"):
        raise ValueError(f"expected letters out of ypr, found {letters!r}")
    return ("y" in letters, "p" in letters, "r" in letters)


def _packed(value: tuple[bool, bool, bool]) -> str:
    return "".join(letter for letter, flip in zip("ypr", value, strict=True) if flip)
