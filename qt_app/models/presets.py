"""Presets: settings under a name, for any clip. Built-in ones, and the user's own as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PyQt6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtSignal

from omniaudio_studio.errors import MissingFileError, OptionError, OutputError
from qt_app.models.background import Background
from qt_app.models.library_file import set_aside, write_text
from qt_app.models.settings import ClipSettings, from_plain, in_new_words, plain, sentence

KIND = "omniaudio-presets"
SCHEMA_VERSION = 1
FILE_NAME = "presets.json"
MAX_NAME = 60  # characters
# What makes sense for any clip: not its range, shots, front, seed, projection or folder.
PRESET_FIELDS = (
    "bundle",
    "cfg",
    "steps",
    "sampler",
    "takes",
    "mix",
    "duck",
    "loudness",
    "feature_rate",
    "device",
    "rate",
    "subtype",
    "beside",
)
PRESET_ROLE = Qt.ItemDataRole.UserRole + 1
_ROW = QModelIndex()


@dataclass(frozen=True)
class Preset:
    """Some settings under a name.

    Parameters
    ----------
    name
        Shown, and unique whatever the case.
    values
        Of some of :data:`PRESET_FIELDS`; the others stay as they are.
    builtin
        Comes with the program: cannot be renamed or deleted.
    about
        One line on what it is for.
    """

    name: str
    values: Mapping[str, Any]
    builtin: bool = False
    about: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "name": self.name,
            "values": {name: plain(name, value) for name, value in self.values.items()},
        }

    @classmethod
    def from_dict(cls, data: Any) -> Preset:
        """Read and check plain data; raises OptionError with one line."""
        if not isinstance(data, Mapping):
            raise OptionError(f"a preset must be an object, found {type(data).__name__}")
        name = checked_name(data.get("name"))
        values = data.get("values")
        if not isinstance(values, Mapping):
            raise OptionError(f"preset {name!r}: values must be an object")
        values = in_new_words(values)
        unknown = [key for key in values if key not in PRESET_FIELDS]
        if unknown:
            raise OptionError(f"preset {name!r}: a preset cannot hold {unknown[0]!r}")
        read = {str(key): from_plain(key, value) for key, value in values.items()}
        try:
            ClipSettings().changed(**read)
        except OptionError as error:
            raise OptionError(f"preset {name!r}: {error}") from error
        return cls(name, MappingProxyType(read))

    def matches(self, settings: ClipSettings) -> bool:
        """Whether settings have all of its values."""
        return all(getattr(settings, name) == value for name, value in self.values.items())


BUILT_IN = (
    Preset("Draft", MappingProxyType({"steps": 8}), True, "8 steps: quick, to choose seeds by"),
    Preset(
        "Standard",
        MappingProxyType({"cfg": None, "steps": None}),
        True,
        "The model's own CFG and steps",
    ),
    Preset("Careful", MappingProxyType({"steps": 48}), True, "48 steps: slower, for the last take"),
)


def checked_name(name: Any) -> str:
    """A preset's name without spaces around it; raises OptionError where it is none."""
    text = name.strip() if isinstance(name, str) else ""
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise OptionError(f"a preset's name must have 1 to {MAX_NAME} letters, found {name!r}")
    return text


class Presets(QAbstractListModel):
    """All presets: the built-in ones, then the user's, which are kept in ``presets.json``.

    The file is read in a thread; ``loaded`` fires when it is. A damaged file is kept aside.

    Parameters
    ----------
    folder
        The app's folder under the user's data.
    """

    notice = pyqtSignal(str)
    changed = pyqtSignal()
    loaded = pyqtSignal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = folder / FILE_NAME
        self._presets: list[Preset] = list(BUILT_IN)
        self._protected = self._is_loaded = self._unwritten = False
        self._store = Background("presets-file", self)
        self._store.run(lambda: _read_own(self.path), self._fill)

    def _fill(self, found: tuple[list[Preset], str | None, bool]) -> None:
        presets, notice, self._protected = found
        self.beginResetModel()
        # What was saved before the file was read wins over what it holds.
        mine = {preset.name.casefold() for preset in self._presets}
        self._presets += [p for p in presets if p.name.casefold() not in mine]
        self.endResetModel()
        self._is_loaded = True
        if self._unwritten:
            self._write()
        if notice:
            self.notice.emit(notice)
        self.loaded.emit()
        self.changed.emit()

    @property
    def presets(self) -> tuple[Preset, ...]:
        """All of them, built-in ones first."""
        return tuple(self._presets)

    def find(self, name: str) -> Preset | None:
        """A preset by its name, whatever the case."""
        wanted = name.strip().casefold()
        return next((p for p in self._presets if p.name.casefold() == wanted), None)

    def matching(self, settings: ClipSettings) -> Preset | None:
        """The preset that settings are as; the user's own and fuller ones first."""
        fitting = [preset for preset in self._presets if preset.matches(settings)]
        return max(fitting, key=lambda p: (not p.builtin, len(p.values)), default=None)

    def save(self, name: str, settings: ClipSettings) -> Preset:
        """Keep settings under a name; a preset of the user's of that name is replaced.

        Raises
        ------
        OptionError
            For a name that is empty, too long, or a built-in preset's.
        """
        name = checked_name(name)
        values = {field: getattr(settings, field) for field in PRESET_FIELDS}
        preset = Preset(name, MappingProxyType(values))
        self._put(preset)
        self._write()
        return preset

    def rename(self, old: str, new: str) -> None:
        """Give a preset of the user's another name; raises OptionError where it cannot be."""
        preset, new = self._own(old), checked_name(new)
        other = self.find(new)
        if other is not None and other is not preset:
            raise OptionError(f"there is a preset {other.name!r} already; choose another name")
        row = self._presets.index(preset)
        self._presets[row] = replace(preset, name=new)
        self.dataChanged.emit(self.index(row), self.index(row))
        self._write()

    def delete(self, name: str) -> None:
        """Delete a preset of the user's; raises OptionError for another."""
        row = self._presets.index(self._own(name))
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._presets[row]
        self.endRemoveRows()
        self._write()

    def export(self, names: Sequence[str], path: Path) -> None:
        """Write presets to a file of their own, which :meth:`take_in` reads.

        Raises
        ------
        OptionError, OutputError
            For a name that is none, or a file that cannot be written.
        """
        write_text(path, _text([self._known(name) for name in names]))

    def take_in(self, path: Path) -> list[str]:
        """Read presets from a file; one of a name that is taken gets a number.

        Returns
        -------
        list of str
            Their names here.

        Raises
        ------
        MissingFileError, OptionError
            If the file cannot be read, or holds no valid presets; nothing is taken then.
        """
        names = []
        for preset in read_presets(path):
            name, number = preset.name, 1
            while (there := self.find(name)) is not None and there.values != preset.values:
                number += 1
                name = f"{preset.name[: MAX_NAME - 5]} {number}"
            if there is None:
                self._put(replace(preset, name=name))
            names.append(name)
        self._write()
        return names

    def close(self) -> None:
        """Wait for the file to be written."""
        self._store.wait(5.0)
        self._store.close()

    def _put(self, preset: Preset) -> None:
        there = self.find(preset.name)
        if there is None:
            row = len(self._presets)
            self.beginInsertRows(QModelIndex(), row, row)
            self._presets.append(preset)
            self.endInsertRows()
            return
        row = self._presets.index(self._own(there.name))
        self._presets[row] = preset
        self.dataChanged.emit(self.index(row), self.index(row))

    def _known(self, name: str) -> Preset:
        preset = self.find(name)
        if preset is None:
            raise OptionError(f"there is no preset {name!r}")
        return preset

    def _own(self, name: str) -> Preset:
        preset = self._known(name)
        if preset.builtin:
            raise OptionError(f"{preset.name!r} comes with the program; choose another name")
        return preset

    def _write(self) -> None:
        self.changed.emit()
        if not self._is_loaded:  # written once it is known what the file holds
            self._unwritten = True
            return
        if self._protected:
            return
        text = _text([preset for preset in self._presets if not preset.builtin])
        path = self.path
        self._store.run(lambda: write_text(path, text), None, self._not_written)

    def _not_written(self, error: Exception) -> None:
        reason = error if isinstance(error, OutputError) else sentence(str(error))
        self.notice.emit(f"Presets are not kept: {reason}")

    def rowCount(self, parent: QModelIndex = _ROW) -> int:
        """Presets; none below a preset."""
        return 0 if parent.isValid() else len(self._presets)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Its name, what it is for, and itself."""
        if not index.isValid() or not 0 <= index.row() < len(self._presets):
            return None
        preset = self._presets[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return preset.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return preset.about or None
        return preset if role == PRESET_ROLE else None


def _text(presets: Sequence[Preset]) -> str:
    data = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "presets": [preset.as_dict() for preset in presets],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_presets(path: Path) -> list[Preset]:
    """The presets in a file.

    Raises
    ------
    MissingFileError
        If it cannot be read.
    OptionError
        If it is no file of presets, or one of them is not valid.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} holds no presets: it is not JSON") from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise OptionError(f"{path} holds no presets; give a file that was exported here")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise OptionError(
            f"{path} has schema version {version!r}, this program reads {SCHEMA_VERSION}"
        )
    if not isinstance(data.get("presets"), list):
        raise OptionError(f"{path}: presets must be a list")
    return [Preset.from_dict(item) for item in data["presets"]]


def _read_own(path: Path) -> tuple[list[Preset], str | None, bool]:
    """The user's presets, a notice, and whether the file must not be written over."""
    if not path.exists():
        return [], None, False
    try:
        found = read_presets(path)
    except (MissingFileError, OptionError) as error:
        kept = set_aside(path)
        where = "left where it is" if kept is None else f"kept as {kept}"
        return [], f"Your presets cannot be read ({error}). The file is {where}.", kept is None
    unique: dict[str, Preset] = {}
    for preset in [*BUILT_IN, *found]:
        unique.setdefault(preset.name.casefold(), preset)
    return list(unique.values())[len(BUILT_IN) :], None, False
