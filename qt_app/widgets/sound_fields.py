"""CFG, seed and the camera's own sound: fields with more than one control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QSlider

from omniaudio_studio.jobs.request import MAX_CFG, MAX_MIX, MAX_SEED
from qt_app.icons import icon
from qt_app.models.catalogue import BundleChoice
from qt_app.models.settings import ClipSettings, problem_with
from qt_app.widgets.form import CalmComboBox, Row, tool_button
from qt_app.widgets.number_edit import (
    SEVERAL_TEXT,
    NumberEdit,
    Reading,
    decimal,
    number_text,
    parse_number,
    whole,
)
from qt_app.widgets.setting_fields import OWN_TEXT, SettingField, beside, common

SLIDER_CFG = 12.0  # the slider's end; more can be typed
_TICKS = 10  # slider steps for 1
_SEVERAL = "several"  # for narrow fields
_USUAL_CFG = 4.0  # where the slider rests while the model is not known


class _CalmSlider(QSlider):
    """Turns its wheel to the panel unless it has the focus."""

    def wheelEvent(self, event: Any) -> None:
        if event is not None and not self.hasFocus():
            event.ignore()
            return
        super().wheelEvent(event)


class CfgField(SettingField):
    """Guidance: a slider and a number; empty is the model's own value."""

    def __init__(self) -> None:
        super().__init__("cfg")
        self._settings: Sequence[ClipSettings] = ()
        self._own: float | None = None
        self.slider = _CalmSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round(SLIDER_CFG * _TICKS))
        self.slider.setSingleStep(5)
        self.slider.setPageStep(10)
        self.slider.setMinimumWidth(60)
        self.slider.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.slider.setAccessibleName("CFG slider")
        self.edit = NumberEdit(
            decimal(0.0, MAX_CFG, 0.5, 2), lambda value: problem_with("cfg", value), optional=True
        )
        self.edit.setFixedWidth(self.fontMetrics().horizontalAdvance("n") * 11)
        self.edit.several_text = _SEVERAL
        self.own = tool_button("retry", "Use the model's own CFG")
        self.row = Row(
            "&CFG",
            beside(self.slider, self.edit, self.own),
            focus=self.edit,
            tip="How strictly the sound follows the picture. Empty: the model's own value.",
        )
        self._column.addWidget(self.row)
        self.edit.problem.connect(self.row.show_problem)
        self.edit.committed.connect(lambda value: self._edit("cfg", value))
        self.slider.valueChanged.connect(lambda at: self._edit("cfg", at / _TICKS))
        self.own.clicked.connect(lambda: self._edit("cfg", None))

    def set_bundle(self, bundle: BundleChoice | None) -> None:
        """The model whose own value counts where there is none."""
        self._own = None if bundle is None else bundle.cfg
        if self._settings:
            self.show_settings(self._settings)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """One value, the model's own, or several."""
        self._settings = settings
        same, value = common(settings, "cfg")
        resting = _USUAL_CFG if self._own is None else self._own
        known = "" if self._own is None else f" ({number_text(self._own)})"
        if same:
            self.edit.show_value(value, OWN_TEXT if not known else f"own{known}", resting)
        else:
            self.edit.base = resting
            self.edit.show_several()
        self.own.setEnabled(not same or value is not None)
        self.own.setToolTip(f"Use the model's own CFG{known}")
        self.slider.blockSignals(True)
        self.slider.setValue(round((resting if value is None else min(value, SLIDER_CFG)) * _TICKS))
        self.slider.blockSignals(False)

    def show_problem(self, name: str, text: str) -> None:
        """Below the number."""
        self.row.show_problem(text)


class SeedField(SettingField):
    """A seed of 64 bits with dice and lock.

    Unlocked, every run rolls a new one. Whoever types or rolls a seed here means to keep it: that
    locks it.
    """

    rolled = pyqtSignal()

    def __init__(self) -> None:
        super().__init__("seed", "seed_locked")
        self.edit = NumberEdit(whole(0, MAX_SEED), lambda value: problem_with("seed", value))
        self.edit.setButtonSymbols(NumberEdit.ButtonSymbols.NoButtons)
        self.dice = tool_button("dice", "Roll a new seed and keep it")
        self.lock = tool_button("unlock", "")
        self.lock.setCheckable(True)
        self.row = Row(
            "&Seed",
            beside(self.edit, self.dice, self.lock),
            focus=self.edit,
            tip="The same seed makes the same sound again. 0 to 2^64 - 1.",
        )
        self._column.addWidget(self.row)
        self.edit.problem.connect(self.row.show_problem)
        self.edit.committed.connect(
            lambda value: self.edited.emit({"seed": value, "seed_locked": True})
        )
        self.dice.clicked.connect(self.rolled)
        self.lock.clicked.connect(lambda on: self._edit("seed_locked", on))

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """The seed and whether it stays."""
        same, value = common(settings, "seed")
        if same:
            self.edit.show_value(value)
        else:
            self.edit.show_several()
        same_lock, locked = common(settings, "seed_locked")
        self.lock.setChecked(bool(same_lock and locked))
        self.lock.setIcon(icon("lock" if same_lock and locked else "unlock"))
        tip = (
            "Locked for some of these clips: click to lock all"
            if not same_lock
            else "Locked: every run uses this seed. Click to unlock"
            if locked
            else "Unlocked: every run rolls a new seed. Click to keep this one"
        )
        self.lock.setToolTip(tip)
        self.lock.setAccessibleName("Seed locked" if same_lock and locked else "Seed unlocked")
        self.lock.setAccessibleDescription(tip)
        self.row.show_note(
            "Locked for some of these clips."
            if not same_lock
            else ""
            if locked
            else "A new seed for every run."
        )

    def show_problem(self, name: str, text: str) -> None:
        """Below the seed."""
        self.row.show_problem(text)


OFF, DECIBELS, FACTOR = "off", "dB", "factor"
_FIRST_GAIN = 10 ** (-12 / 20)  # what "on" begins with: heard, but behind the new field
_QUIETEST = -80.0  # dB; below is off


def _gain_problem(gain: Any) -> str | None:
    problem = problem_with("mix", gain)
    if problem is not None and isinstance(gain, float) and gain > MAX_MIX:
        return f"At most {20 * math.log10(MAX_MIX):.0f} dB, a factor of {MAX_MIX:g}."
    return problem


def _decibel_gain(text: str) -> float:
    level = parse_number(text, "dB")
    if level > 200:
        raise ValueError(f"At most {20 * math.log10(MAX_MIX):.0f} dB.")
    return 10 ** (level / 20)


class _DecibelEdit(NumberEdit):
    """A gain, linear inside, in decibels outside: arrows go by 1 dB."""

    def stepBy(self, steps: int) -> None:
        start = self.value if self.value else self.base
        level = 20 * math.log10(max(start, 1e-9)) + steps
        level = round(min(max(level, _QUIETEST), 20 * math.log10(MAX_MIX)), 3)
        self._commit(min(10 ** (level / 20), MAX_MIX))


class MixField(SettingField):
    """The camera's own sound under the generated field: off, in decibels, or as a factor."""

    def __init__(self) -> None:
        super().__init__("mix")
        self._settings: Sequence[ClipSettings] = ()
        self._unit = DECIBELS
        self.combo = CalmComboBox()
        self.combo.setPlaceholderText(SEVERAL_TEXT)
        self.combo.setMinimumContentsLength(5)
        for value, words in ((OFF, "Off"), (DECIBELS, "On, in dB"), (FACTOR, "On, as a factor")):
            self.combo.addItem(words, value)
        self.decibels = _DecibelEdit(
            Reading(
                lambda gain: f"{number_text(20 * math.log10(max(gain, 1e-9)), 1)} dB", _decibel_gain
            ),
            _gain_problem,
        )
        self.factor = NumberEdit(decimal(0.0, MAX_MIX, 0.05, 3), _gain_problem)
        for edit in (self.decibels, self.factor):
            edit.setFixedWidth(self.fontMetrics().horizontalAdvance("n") * 12)
            edit.base = _FIRST_GAIN
            edit.hide()
            edit.several_text = _SEVERAL
            edit.setAccessibleName("Level of the camera's own sound")
        self.row = Row(
            "Camera soun&d",
            beside(self.combo, self.decibels, self.factor),
            focus=self.combo,
            tip="The camera's own sound as a bed under the generated field.",
        )
        self._column.addWidget(self.row)
        for edit in (self.decibels, self.factor):
            edit.problem.connect(self.row.show_problem)
            edit.committed.connect(lambda gain: self._edit("mix", gain))
        self.combo.activated.connect(self._chosen)

    def _chosen(self, at: int) -> None:
        unit = self.combo.itemData(at)
        if unit == OFF:
            self._edit("mix", 0.0)
            return
        self._unit = unit
        same, gain = common(self._settings, "mix") if self._settings else (False, None)
        if not same or not gain:
            self._edit("mix", _FIRST_GAIN)
        else:
            self.show_settings(self._settings)

    def show_settings(self, settings: Sequence[ClipSettings]) -> None:
        """Off, a level, or several."""
        self._settings = settings
        same, gain = common(settings, "mix")
        unit = OFF if same and gain == 0 else self._unit
        self.combo.setCurrentIndex(self.combo.findData(unit) if same else -1)
        for name, edit in ((DECIBELS, self.decibels), (FACTOR, self.factor)):
            edit.setVisible(unit == name)
            if same:
                edit.show_value(gain)
            else:
                edit.show_several()

    def show_sound_note(self, text: str) -> None:
        """Say that a clip has no sound to mix in."""
        self.row.show_note(text)

    def show_problem(self, name: str, text: str) -> None:
        """Below the level."""
        self.row.show_problem(text)
