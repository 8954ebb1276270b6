"""A number field that may also hold "the model's own" or "several values"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QValidator, QWheelEvent
from PyQt6.QtWidgets import QAbstractSpinBox, QLineEdit, QWidget

SEVERAL_TEXT = "several values"


@dataclass(frozen=True)
class Reading:
    """How a value is written, read and stepped.

    Parameters
    ----------
    text
        The value as it is shown.
    parse
        The value that a text means; ValueError with a sentence where it means none.
    step
        What one press of an arrow adds.
    lowest, highest
        Where the arrows stop. Typed values are judged by ``check`` of the field.
    """

    text: Callable[[Any], str]
    parse: Callable[[str], Any]
    step: float = 1
    lowest: float = -math.inf
    highest: float = math.inf


def number_text(value: float, decimals: int = 3) -> str:
    """A number without needless digits."""
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_number(text: str, unit: str = "") -> float:
    """A number with a decimal point or comma, its unit after it or not."""
    plain = text.strip().replace("\N{MINUS SIGN}", "-").replace(",", ".")
    if unit:
        plain = re.sub(rf"\s*{re.escape(unit)}$", "", plain, flags=re.IGNORECASE)
    try:
        value = float(plain)
    except ValueError:
        raise ValueError(f"Give a number, not {text.strip()!r}.") from None
    if not math.isfinite(value):
        raise ValueError(f"Give a number, not {text.strip()!r}.")
    return value


def parse_whole(text: str) -> int:
    """A whole number of any size."""
    plain = re.sub(r"[\s_]", "", text).replace("\N{MINUS SIGN}", "-")
    if not re.fullmatch(r"[+-]?\d{1,40}", plain, flags=re.ASCII):
        raise ValueError(f"Give a whole number, not {text.strip()[:40]!r}.")
    return int(plain)


def whole(lowest: int, highest: int, step: int = 1) -> Reading:
    """Whole numbers."""
    return Reading(str, parse_whole, step, lowest, highest)


def decimal(lowest: float, highest: float, step: float, decimals: int, unit: str = "") -> Reading:
    """Decimal numbers, with a unit behind them."""
    suffix = "" if not unit else unit if unit == "°" else f" {unit}"
    return Reading(
        lambda value: number_text(value, decimals) + suffix,
        lambda text: parse_number(text, unit),
        step,
        lowest,
        highest,
    )


def clock_text(seconds: float) -> str:
    """h:mm:ss.mmm"""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def parse_clock(text: str) -> float:
    """Seconds from h:mm:ss.mmm, m:ss or plain seconds."""
    parts = text.strip().replace(",", ".").split(":")
    pattern = r"\d+(\.\d*)?|\.\d+"
    good = len(parts) <= 3 and all(re.fullmatch(r"\d+", part, re.ASCII) for part in parts[:-1])
    if not good or not re.fullmatch(pattern, parts[-1], re.ASCII) or len(text) > 40:
        raise ValueError(f"Give a time as h:mm:ss.mmm or in seconds, not {text.strip()[:40]!r}.")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + float(part)
    if len(parts) > 1 and float(parts[-1]) >= 60:
        raise ValueError("Give less than 60 seconds after the colon.")
    return seconds


CLOCK = Reading(clock_text, parse_clock, 1.0, 0.0)


class NumberEdit(QAbstractSpinBox):
    """A field for one number.

    A value that is not valid stays as it was typed, with ``problem`` said, and is not committed.
    Escape brings the last good value back.

    Parameters
    ----------
    reading
        How values are written and read.
    check
        A sentence about what is wrong with a value; None where nothing is.
    optional
        Whether an empty field stands for None.
    """

    committed = pyqtSignal(object)
    problem = pyqtSignal(str)  # empty where all is well

    def __init__(
        self,
        reading: Reading,
        check: Callable[[Any], str | None],
        *,
        optional: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.reading, self._check, self._optional = reading, check, optional
        self._value: Any = None
        self._several = False
        self._shown = ""
        self._empty_text = ""
        self.several_text = SEVERAL_TEXT
        self.base: float = 0.0  # where the arrows start from when there is no value
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel scrolls the panel instead
        self.setKeyboardTracking(False)
        self._line().textEdited.connect(self._typed)
        self.editingFinished.connect(self._finish)

    @property
    def value(self) -> Any:
        """The last good value; None for none or several."""
        return self._value

    @property
    def is_several(self) -> bool:
        """Whether it stands for clips of different values."""
        return self._several

    def show_value(self, value: Any, empty_text: str = "", base: float | None = None) -> None:
        """Show a value; None as ``empty_text``. What is being typed stays if it is no news."""
        news = self._several or value != self._value
        self._several, self._value, self._empty_text = False, value, empty_text
        if base is not None:
            self.base = base
        if news or not self._is_typing:
            self._write()

    def show_several(self) -> None:
        """Show that there is more than one value. What is being typed stays if it is no news."""
        news = not self._several
        self._several, self._value = True, None
        if news or not self._is_typing:
            self._write()

    @property
    def _is_typing(self) -> bool:
        return self.hasFocus() and self._line().text() != self._shown

    def _write(self) -> None:
        text = "" if self._value is None else self.reading.text(self._value)
        line = self._line()
        line.setPlaceholderText(self.several_text if self._several else self._empty_text)
        self._shown = text
        if line.text() != text:
            line.setText(text)
            line.setCursorPosition(0)
        self.problem.emit("")
        self.updateGeometry()

    def _line(self) -> QLineEdit:
        line = self.lineEdit()
        assert line is not None
        return line

    def _read(self) -> tuple[Any, str | None]:
        """The value in the field and what is wrong with it."""
        text = self._line().text().strip()
        if not text:
            return None, None if self._optional else "Give a value."
        try:
            value = self.reading.parse(text)
        except ValueError as error:
            return None, str(error)
        return value, self._check(value)

    def _typed(self, text: str) -> None:
        empty_is_fine = not text.strip() and (self._several or self._optional)
        self.problem.emit("" if empty_is_fine else self._read()[1] or "")

    def _finish(self) -> None:
        text = self._line().text()
        if text == self._shown or (self._several and not text.strip()):
            self.problem.emit("")
            return
        value, problem = self._read()
        if problem is not None:
            self.problem.emit(problem)
            return
        self._commit(value)

    def _commit(self, value: Any) -> None:
        changed = self._several or value != self._value
        self._several, self._value = False, value
        self._write()
        if changed:
            self.committed.emit(value)

    # Qt's hooks ------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """As high as the choices beside it."""
        hint = super().sizeHint()
        return QSize(hint.width(), max(hint.height(), self.fontMetrics().height() + 10))

    def stepBy(self, steps: int) -> None:
        """Arrows and page keys: the next value, committed at once."""
        typed, problem = self._read()
        start = typed if problem is None and typed is not None else self._value
        if start is None:
            start = self.base
        value = start + steps * self.reading.step
        value = min(max(value, self.reading.lowest), self.reading.highest)
        value = int(value) if isinstance(self.reading.step, int) else round(value, 9)
        if self._check(value) is None:
            self._commit(value)
            self._line().selectAll()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        """Both ways; it stops at the ends by itself."""
        flag = QAbstractSpinBox.StepEnabledFlag
        return flag.StepUpEnabled | flag.StepDownEnabled

    def validate(self, text: str | None, pos: int) -> tuple[QValidator.State, str, int]:
        """Everything may be typed: what is wrong is said, not swallowed."""
        return QValidator.State.Acceptable, text or "", pos

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape brings the last good value back."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            if self._line().text() != self._shown:
                self._write()
                self._line().selectAll()
                return
            event.ignore()
            return
        super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Only with the focus: else the panel would change values when it is scrolled."""
        if event is not None and not self.hasFocus():
            event.ignore()
            return
        super().wheelEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """All of it selected when one comes by key, as in other fields."""
        super().focusInEvent(event)
        if event is not None and event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        ):
            self._line().selectAll()
