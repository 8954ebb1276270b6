"""Messages in the window: as people read them, details folded, nothing that asks for an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from qt_app import icons, theme

KINDS = ("error", "warning", "info", "good")
PASSING_MS = 7000  # how long good news and information stay
MAX_NOTICES = 50
_ICONS = {"error": "warning", "warning": "warning", "info": "info", "good": "check"}
_WORDS = {"error": "Problem", "warning": "Warning", "info": "Note", "good": "Done"}


@dataclass(frozen=True)
class Advice:
    """A message for people: what kind of trouble, what exactly, and what helps in this window."""

    title: str
    text: str = ""
    hint: str = ""


# (error classes, pattern in the message) -> what to call it. The first that fits counts. The core's
# messages say what to do themselves; hints tell only what the window offers.
_KNOWN: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        (),
        r"disk is full|No space left",
        "The disk is full",
        "Then press Retry on the jobs that failed. What was finished before is whole.",
    ),
    (
        ("WorkerError",),
        r"killed|died|ended|exit",
        "Generating stopped unexpectedly",
        "Only this job was lost. Retry it; if it happens again the machine may be short of memory: "
        "close other programs or choose a shorter range.",
    ),
    (("WorkerError",), r"", "Generating failed", "Retry the job; everything else goes on."),
    (("BundleError",), r"", "This model bundle cannot be used", ""),
    (("MissingDependencyError",), r"", "A part of the installation is missing", ""),
    (
        ("DeviceError",),
        r"",
        "This device cannot be used",
        '"About this device" shows what there is and why it was or was not taken.',
    ),
    (
        ("MissingFileError",),
        r"",
        "A file is not where it was",
        "A clip that has moved can be found again with Locate in the library.",
    ),
    (("OutputExistsError",), r"", "The file is already there", ""),
    (("OutputError",), r"", "The result cannot be written", ""),
    (("MediaError",), r"", "This clip cannot be used as it is", ""),
    (("OptionError",), r"", "A setting does not fit", ""),
    (
        (),
        r"no (sound|audio) (device|output)|PortAudio",
        "There is no sound output",
        "The picture plays without it. Connect headphones, then choose an output.",
    ),
    (
        (),
        r"OpenGL|GLX|shader",
        "The picture is drawn without the graphics card",
        "Everything works, more slowly. A newer graphics driver usually helps.",
    ),
)


def advise(message: str, kind: str = "") -> Advice:
    """What a known kind of trouble is called, what was said, and what helps.

    Parameters
    ----------
    message
        One line, as the core's errors say it.
    kind
        Name of the error's class, where known.
    """
    message = " ".join(message.split())
    first = message.split(" ", 1)[0]
    # A file's name stays as it is.
    sentence = message if re.search(r"[./\\]\w", first) else message[:1].upper() + message[1:]
    for kinds, pattern, title, hint in _KNOWN:
        if (not kinds or kind in kinds) and (
            not pattern or re.search(pattern, message, re.IGNORECASE)
        ):
            return Advice(title, sentence, hint)
    return Advice(sentence)


@dataclass
class _Notice:
    kind: str
    title: str
    text: str
    details: str
    action: str
    run: Callable[[], None] | None
    count: int = 1


class NoticeBar(QFrame):
    """The strip for messages. It takes no focus by itself and hides when there is nothing to say.

    Several messages stack: the newest is shown, arrows lead to the others. Escape dismisses the one
    shown while the focus is in the bar. Information goes by itself after a while, trouble stays.

    Signals
    -------
    count_changed(int)
        So many messages are in the bar.
    """

    count_changed = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._notices: list[_Notice] = []
        self._shown = -1
        self.setAccessibleName("Messages")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._icon = QLabel()
        self._title = QLabel()
        self._text = QLabel()
        for label in (self._title, self._text):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setAccessibleName("Details of the message")
        self._details.setMaximumHeight(150)
        self._details.setTabChangesFocus(True)
        self._action = QPushButton()
        self._unfold = QPushButton("Details")
        self._unfold.setCheckable(True)
        self._unfold.setAccessibleName("Show the details of the message")
        self._previous = self._button("up", "Newer message")
        self._next = self._button("down", "Older message")
        self._place = QLabel()
        self._all = QPushButton("Dismiss all")
        self._dismiss = self._button("cancel", "Dismiss this message (Esc)")
        self._lay_out()
        self._action.clicked.connect(self._act)
        self._unfold.toggled.connect(self._fold)
        self._previous.clicked.connect(lambda: self._go(1))
        self._next.clicked.connect(lambda: self._go(-1))
        self._all.clicked.connect(self.clear)
        self._dismiss.clicked.connect(self.dismiss)
        self._passing = QTimer(self)
        self._passing.setSingleShot(True)
        self._passing.timeout.connect(self._pass)
        theme.signals.changed.connect(self._show)
        self._show()

    def _button(self, icon: str, name: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icons.icon(icon))
        button.setAutoRaise(True)
        button.setToolTip(name)
        button.setAccessibleName(name)
        return button

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addStretch(1)
        words.addWidget(self._title)
        words.addWidget(self._text)
        words.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        for widget in (self._action, self._unfold, self._all, self._previous, self._place):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._next, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._dismiss, 0, Qt.AlignmentFlag.AlignTop)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(14, 8, 8, 8)
        outer.addLayout(row)
        outer.addWidget(self._details)

    # What others call

    def post(
        self,
        title: str,
        kind: str = "info",
        *,
        text: str = "",
        details: str = "",
        action: str = "",
        run: Callable[[], None] | None = None,
    ) -> None:
        """Say something.

        Parameters
        ----------
        title
            One sentence.
        kind
            "error", "warning", "info" or "good".
        text
            More of it: what exactly, what to do.
        details
            For those who want to know all; folded.
        action, run
            A button's text and what it does.
        """
        kind = kind if kind in KINDS else "info"
        for place, old in enumerate(self._notices):
            if (old.kind, old.title, old.text) == (kind, title, text):
                self._notices.append(self._notices.pop(place))
                old.count += 1
                old.details, old.action, old.run = details or old.details, action, run
                break
        else:
            self._notices.append(_Notice(kind, title, text, details, action, run))
            del self._notices[:-MAX_NOTICES]
        self._shown = len(self._notices) - 1
        self._unfold.setChecked(False)
        self._show()
        self.count_changed.emit(len(self._notices))

    def report(
        self,
        message: str,
        kind: str = "",
        details: str = "",
        *,
        action: str = "",
        run: Callable[[], None] | None = None,
    ) -> None:
        """Tell an error of the core, by its message and the name of its class."""
        advice = advise(message, kind)
        text = " ".join(part for part in (_closed(advice.text), advice.hint) if part)
        self.post(advice.title, "error", text=text, details=details, action=action, run=run)

    def fault(self, summary: str, details: str) -> None:
        """Tell a fault of the app itself."""
        self.post(
            "Something in the app went wrong; your files are safe",
            "error",
            text="You can go on. If it happens again, please report it with the details.",
            details=f"{summary}\n\n{details}",
        )

    def dismiss(self) -> None:
        """Take the message that is shown away."""
        if not self._notices:
            return
        had_focus = self.isAncestorOf(self.focusWidget() or self)
        del self._notices[self._shown]
        self._shown = min(self._shown, len(self._notices) - 1)
        self._unfold.setChecked(False)
        self._show()
        if had_focus and self._notices:
            self._dismiss.setFocus()
        self.count_changed.emit(len(self._notices))

    def clear(self) -> None:
        """Take all messages away."""
        self._notices.clear()
        self._shown = -1
        self._show()
        self.count_changed.emit(0)

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self._notices)

    @property
    def text(self) -> str:
        """The sentence that is shown; empty where none is."""
        return self._notices[self._shown].title if self._notices else ""

    # Inside

    def _show(self) -> None:
        self.setVisible(bool(self._notices))
        self._passing.stop()
        if not self._notices:
            return
        notice = self._notices[self._shown]
        ratio = self.devicePixelRatioF()
        tint = {"error": "error", "warning": "warning", "good": "good"}.get(notice.kind, "accent")
        self._icon.setPixmap(icons.pixmap(_ICONS[notice.kind], 20, tint, ratio))
        self._icon.setAccessibleName(_WORDS[notice.kind])
        times = f" (×{notice.count})" if notice.count > 1 else ""
        self._title.setText(notice.title + times)
        self._title.setAccessibleName(f"{_WORDS[notice.kind]}: {notice.title}{times}")
        font = self._title.font()
        font.setBold(bool(notice.text))
        self._title.setFont(font)
        self._text.setText(notice.text)
        self._text.setVisible(bool(notice.text))
        self._details.setPlainText(notice.details)
        self._unfold.setVisible(bool(notice.details))
        self._action.setText(notice.action)
        self._action.setVisible(bool(notice.action) and notice.run is not None)
        many = len(self._notices) > 1
        for widget in (self._all, self._previous, self._next, self._place):
            widget.setVisible(many)
        newest = len(self._notices) - self._shown
        self._place.setText(f"{newest} of {len(self._notices)}")
        self._previous.setEnabled(newest > 1)
        self._next.setEnabled(self._shown > 0)
        self._fold(self._unfold.isChecked())
        if notice.kind in ("info", "good"):
            self._passing.start(PASSING_MS)
        self.update()

    def _fold(self, opened: bool) -> None:
        opened = opened and bool(self._notices and self._notices[self._shown].details)
        self._details.setVisible(opened)
        self._unfold.setIcon(icons.icon("chevron-down" if opened else "chevron-right"))

    def _go(self, step: int) -> None:
        self._shown = max(0, min(self._shown + step, len(self._notices) - 1))
        self._unfold.setChecked(False)
        self._show()

    def _act(self) -> None:
        run = self._notices[self._shown].run if self._notices else None
        self.dismiss()
        if run is not None:
            run()

    def _pass(self) -> None:
        focus = self.focusWidget()
        reading = self.underMouse() or (focus is not None and focus.hasFocus())
        if reading:
            self._passing.start(PASSING_MS)
        else:
            self.dismiss()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        if event is not None and event.key() == Qt.Key.Key_Escape and self._notices:
            self.dismiss()
            event.accept()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A soft fill in the colour of the message, with a stronger edge on the left."""
        painter = QPainter(self)
        kind = self._notices[self._shown].kind if self._notices else "info"
        painter.fillRect(self.rect(), theme.colour(f"{kind} fill"))
        edge = "accent" if kind == "info" else kind
        painter.fillRect(0, 0, 4, self.height(), theme.colour(edge))
        painter.end()


def _closed(sentence: str) -> str:
    return sentence if not sentence or sentence[-1] in ".!?" else f"{sentence}."
