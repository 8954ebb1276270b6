"""Parts of a form: sections, rows with their message, calm combo boxes, toned text."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QPalette, QWheelEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qt_app import theme
from qt_app.icons import icon

LABEL_WIDTH = 12  # of the label column, in the width of an "n"
GAP = 6


class ToneLabel(QLabel):
    """Wrapped text in a colour of the theme ("secondary", "error", "warning")."""

    def __init__(self, tone: str, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._tone = tone
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._recolour()
        theme.signals.changed.connect(self._recolour)

    def set_tone(self, tone: str) -> None:
        """Another colour."""
        self._tone = tone
        self._recolour()

    def _recolour(self) -> None:
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.WindowText, theme.colour(self._tone))
        self.setPalette(palette)


class Badge(QLabel):
    """A word on a soft fill."""

    def __init__(self, text: str, fill: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._fill = fill
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self._restyle()
        theme.signals.changed.connect(self._restyle)

    def _restyle(self) -> None:
        height = self.fontMetrics().height()
        self.setStyleSheet(
            f"QLabel {{ background: {theme.colour(self._fill).name()};"
            f" color: {theme.colour('text').name()};"
            f" border-radius: {height // 2}px; padding: 2px {height // 2}px; }}"
        )


class CalmComboBox(QComboBox):
    """Turns its wheel to the panel unless it has the focus, and never widens it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Only with the focus: else the panel would change values when it is scrolled."""
        if event is not None and not self.hasFocus():
            event.ignore()
            return
        super().wheelEvent(event)


def tool_button(name: str, text: str, parent: QWidget | None = None) -> QToolButton:
    """A flat button with an icon, its words as tooltip and for screen readers."""
    button = QToolButton(parent)
    button.setIcon(icon(name))
    button.setAutoRaise(True)
    button.setToolTip(text)
    button.setAccessibleName(text)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


class Row(QWidget):
    """A label, its editor, and below them a line for what is wrong or worth knowing.

    Parameters
    ----------
    title
        Label; also the editor's accessible name.
    editor
        What is labelled.
    focus
        The part of the editor that gets the focus from the label; the editor itself where None.
    high
        The editor has several lines: the label goes beside the first.
    """

    def __init__(
        self,
        title: str,
        editor: QWidget,
        *,
        focus: QWidget | None = None,
        tip: str = "",
        high: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.label = QLabel(title)
        target = editor if focus is None else focus  # an empty combo box counts as false
        self.label.setBuddy(target)
        self.label.setFixedWidth(self.fontMetrics().horizontalAdvance("n") * LABEL_WIDTH)
        self.label.setWordWrap(True)
        target.setAccessibleName(title.replace("&", ""))
        if high:
            self.label.setMinimumHeight(target.sizeHint().height())
        if tip:
            for widget in (self.label, target):
                widget.setToolTip(tip)
            target.setAccessibleDescription(tip)
        self.note = ToneLabel("secondary")
        self.message = ToneLabel("error")
        self.message.setAccessibleName(f"Problem with {title.replace('&', '')}")
        for line in (self.note, self.message):
            line.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(2)
        align = Qt.AlignmentFlag
        grid.addWidget(self.label, 0, 0, align.AlignTop if high else align.AlignVCenter)
        grid.addWidget(editor, 0, 1)
        grid.addWidget(self.message, 1, 1)
        grid.addWidget(self.note, 2, 1)
        grid.setColumnStretch(1, 1)

    def add_beside(self, widget: QWidget) -> None:
        """One more control behind the editor."""
        grid = self.layout()
        assert isinstance(grid, QGridLayout)
        grid.addWidget(widget, 0, 2)

    def show_problem(self, text: str) -> None:
        """Say what is wrong; nothing where empty."""
        if self.message.text() != text:
            self.message.setText(text)
        self.message.setVisible(bool(text))

    def show_note(self, text: str, tone: str = "secondary") -> None:
        """Say what is worth knowing; nothing where empty."""
        self.note.set_tone(tone)
        self.note.setText(text)
        self.note.setVisible(bool(text))


class Section(QWidget):
    """Rows under a heading; a foldable one opens and closes by it."""

    folded_changed = pyqtSignal(bool)

    def __init__(
        self, title: str, *, foldable: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._body = QWidget()
        self._rows = QVBoxLayout(self._body)
        self._rows.setContentsMargins(0, 2, 0, 0)
        self._rows.setSpacing(GAP)
        heading = QHBoxLayout()
        heading.setContentsMargins(0, 0, 0, 0)
        heading.setSpacing(GAP)
        self.button: QToolButton | None = None
        self._folded = False
        if foldable:
            self.button = QToolButton()
            self.button.setText(title)
            self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self.button.setAutoRaise(True)
            self.button.setIconSize(QSize(14, 14))
            self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.button.clicked.connect(lambda: self.set_folded(not self._folded))
            head: QWidget = self.button
        else:
            head = QLabel(title)
        font = head.font()
        font.setBold(True)
        head.setFont(font)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setForegroundRole(QPalette.ColorRole.Mid)
        line.setFrameShadow(QFrame.Shadow.Plain)
        heading.addWidget(head)
        heading.addWidget(line, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(heading)
        layout.addWidget(self._body)
        if foldable:
            self.set_folded(True)

    def add(self, widget: QWidget) -> None:
        """One more row."""
        self._rows.addWidget(widget)

    @property
    def is_folded(self) -> bool:
        """Whether its rows are put away."""
        return self._folded

    def set_folded(self, folded: bool) -> None:
        """Put the rows away, or show them."""
        if self.button is None:
            return
        self._folded = folded
        self._body.setVisible(not folded)
        self.button.setIcon(icon("chevron-right" if folded else "chevron-down"))
        self.button.setAccessibleDescription("folded" if folded else "open")
        self.folded_changed.emit(folded)
