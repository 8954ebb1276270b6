"""Fields about directions: where the model looks, a flat picture's camera, the clip's own sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtWidgets import QFileDialog

from qt_app.models.settings import ClipSettings, problem_with
from qt_app.sources.menu import SOUND_FILES
from qt_app.widgets.form import CalmComboBox, Row
from qt_app.widgets.number_edit import SEVERAL_TEXT, NumberEdit, decimal
from qt_app.widgets.setting_fields import ChoiceField, SettingField, beside, common

AHEAD, AUTO, AZIMUTH = "ahead", "auto", "azimuth"
_NARROW = 9  # characters
_LEARNED = "learned"


class FrontViewField(SettingField):
    """Where the model's front view looks: ahead, where sound is likely, or at an azimuth."""

    def __init__(self) -> None:
        super().__init__("front")
        self.combo = CalmComboBox()
        self.combo.setPlaceholderText(SEVERAL_TEXT)
        for value, words in (
            (AHEAD, "Straight ahead"),
            (AUTO, "Where sound is likely"),
            (AZIMUTH, "At an azimuth"),
        ):
            self.combo.addItem(words, value)
        self.edit = NumberEdit(
            decimal(-360.0, 360.0, 5.0, 2, "°"), lambda value: problem_with("front", value)
        )
        self.edit.setFixedWidth(self.fontMetrics().horizontalAdvance("n") * _NARROW)
        self.edit.hide()
        self.row = Row(
            "Model looks",
            beside(self.combo, self.edit),
            focus=self.combo,
            tip="Where the model's front view looks. The sound keeps the clip's directions.",
        )
        self.edit.setAccessibleName("Azimuth that the model looks at")
        self.edit.setToolTip("Degrees to the left")
        self._column.addWidget(self.row)
        self.edit.problem.connect(self.row.show_problem)
        self.edit.committed.connect(lambda azimuth: self._edit("front", float(azimuth)))
        self.combo.activated.connect(self._chosen)

    def _chosen(self, at: int) -> None:
        wanted = {AHEAD: None, AUTO: "auto", AZIMUTH: 0.0}[self.combo.itemData(at)]
        self._edit("front", wanted)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """One way, or several."""
        self.row.show_problem("")
        same, value = common(settings, "front")
        way = AHEAD if value is None else AUTO if value == "auto" else AZIMUTH
        self.combo.setCurrentIndex(self.combo.findData(way) if same else -1)
        self.edit.setVisible(same and way == AZIMUTH)
        if same and way == AZIMUTH:
            self.edit.show_value(value)

    def show_problem(self, name: str, text: str) -> None:
        """Below the choice."""
        self.row.show_problem(text)


class CameraField(SettingField):
    """Where a flat picture's middle looked."""

    def __init__(self) -> None:
        super().__init__("camera")
        self._settings: Sequence[ClipSettings] = ()
        self.azimuth, self.elevation = (
            NumberEdit(decimal(-limit, limit, 5.0, 2, "°"), check)
            for limit, check in (
                (360.0, lambda value: problem_with("camera", (value, 0.0))),
                (90.0, lambda value: problem_with("camera", (0.0, value))),
            )
        )
        self.elevation.setFixedWidth(self.fontMetrics().horizontalAdvance("n") * _NARROW)
        self.row = Row(
            "Camera looks",
            beside(self.azimuth, self.elevation),
            focus=self.azimuth,
            tip="Where the middle of the picture lies: degrees to the left, and degrees upwards.",
        )
        self.azimuth.setAccessibleName("Azimuth of the camera")
        self.elevation.setAccessibleName("Elevation of the camera")
        self.elevation.setToolTip("Degrees upwards")
        self._column.addWidget(self.row)
        for place, edit in enumerate((self.azimuth, self.elevation)):
            edit.problem.connect(self.row.show_problem)
            edit.committed.connect(lambda value, place=place: self._committed(place, value))

    def _committed(self, place: int, value: float) -> None:
        same, camera = common(self._settings, "camera") if self._settings else (False, None)
        azimuth, elevation = camera if same and camera else (0.0, 0.0)
        value = float(value)
        self._edit("camera", (value, elevation) if place == 0 else (azimuth, value))

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """Both angles, or "several values"."""
        self._settings = settings
        self.row.show_problem("")
        same, camera = common(settings, "camera")
        for edit, value in zip(
            (self.azimuth, self.elevation), camera if same else (0.0, 0.0), strict=True
        ):
            if same:
                edit.show_value(value)
            else:
                edit.show_several()

    def show_problem(self, name: str, text: str) -> None:
        """Below the angles."""
        self.row.show_problem(text)


class BedField(ChoiceField):
    """What the camera's own sound is mixed in as: as recorded, or a take in which it was placed."""

    def __init__(self) -> None:
        super().__init__(
            "mix_field",
            "Mixed in",
            [(None, "As recorded")],
            tip="The camera's own sound as it was recorded, or one of your placed takes of it.",
        )
        self._takes: Sequence[tuple[Path, str]] = ()

    def set_takes(self, takes: Sequence[tuple[Path, str]]) -> None:
        """The placed takes of the clip: WAV and name."""
        if list(takes) != list(self._takes):
            self._takes = list(takes)
            self.set_choices([(None, "As recorded"), *self._takes])

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """The take, by its name; one that is not among the clip's takes by its file's name."""
        same, value = common(settings, "mix_field")
        if same and value is not None and self._index(value) < 0:
            self.combo.addItem(value.name, value)
        super().show_settings(settings)


class DirectionsField(ChoiceField):
    """How directions are had for the clip's own sound."""

    def __init__(self) -> None:
        super().__init__(
            "directions",
            "Directions",
            [],
            tip="Where the clip's own sound comes from: as you marked it, or as it is found.",
        )
        self._learned = False
        self.offer(learned=False)

    def offer(self, learned: bool) -> None:
        """Whether the model can find directions."""
        self._learned = learned
        choices: list[tuple[Any, str]] = [
            (None, "My markers, else found"),
            ("given", "My markers"),
            ("automatic", "Found in the picture"),
        ]
        if learned:
            choices.append((_LEARNED, "Found by the model"))
        self.set_choices(choices)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """One way, or several; and what the markers are."""
        same, value = common(settings, "directions")
        if same and value == _LEARNED and self._index(value) < 0:
            self.combo.addItem("Found by the model: not by this one", value)
        super().show_settings(settings)
        counts = {len(item.sources) for item in settings}
        count = counts.pop() if len(counts) == 1 else None
        if count is None:
            self.row.show_note("")
        elif count == 0:
            self.row.show_note("No sources yet: double-click in the picture to add one.")
        else:
            self.row.show_note(f"{count} source{'' if count == 1 else 's'} marked.")


_OWN, _CHOSEN, _OTHER = "own", "chosen", "other"


class RecordingField(SettingField):
    """The clip's own sound, or another recording of it."""

    def __init__(self) -> None:
        super().__init__("recording")
        self._settings: Sequence[ClipSettings] = ()
        self.combo = CalmComboBox()
        self.combo.setPlaceholderText(SEVERAL_TEXT)
        self.row = Row(
            "Recording",
            self.combo,
            tip="What is placed: the clip's own sound, or a file that begins with the clip.",
        )
        self._column.addWidget(self.row)
        self.combo.activated.connect(self._activated)

    def _activated(self, at: int) -> None:
        what = self.combo.itemData(at)
        if what == _OWN:
            self._edit("recording", None)
        elif what == _OTHER:
            self.choose()

    def choose(self) -> None:
        """Ask for a file."""
        same, path = common(self._settings, "recording") if self._settings else (False, None)
        chosen, _ = QFileDialog.getOpenFileName(
            self,
            "A recording of the clip",
            str(path) if same and path is not None else "",
            f"{SOUND_FILES};;All files (*)",
        )
        if chosen:
            self._edit("recording", Path(chosen))
        elif self._settings:
            self.show_settings(self._settings)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """The file, or "several values"."""
        self._settings = settings
        self.row.show_problem("")
        same, value = common(settings, "recording")
        self.combo.clear()
        self.combo.addItem("The clip's own sound", _OWN)
        if same and value is not None:
            self.combo.addItem(value.name, _CHOSEN)
        self.combo.addItem("Choose a file...", _OTHER)
        self.combo.setCurrentIndex(-1 if not same else 0 if value is None else 1)
        self.combo.setToolTip(str(value) if same and value is not None else "")

    def show_problem(self, name: str, text: str) -> None:
        """Below the choice."""
        self.row.show_problem(text)
