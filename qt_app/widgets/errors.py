"""Messages in the window: as people read them, details folded, nothing that asks for an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    """A message for people: what happened, and what to do about it."""

    text: str
    hint: str = ""


# (error classes, pattern in the message) -> what to do. The first that fits counts; a message that
# says by itself what to do has no hint here.
_KNOWN: tuple[tuple[tuple[str, ...], str, Advice], ...] = (
    (
        (),
        r"disk is full|No space left",
        Advice(
            "The disk is full",
            "Free some space, or choose another output folder; then press Retry on the jobs that "
            "failed. What was finished before is whole.",
        ),
    ),
    (
        ("WorkerError",),
        r"killed|died|ended|exit",
        Advice(
            "Generating stopped unexpectedly",
            "This clip's job was lost, everything else goes on. Retry it; if it happens again, the "
            "machine may be short of memory: close other programs, or choose a shorter range.",
        ),
    ),
    (
        ("BundleError",),
        r"",
        Advice(
            "This model bundle cannot be used",
            "Copy or download the bundle again, or choose another one in the settings.",
        ),
    ),
    (
        ("MissingDependencyError",),
        r"",
        Advice("A part of the installation is missing", "Install it, then start the app again."),
    ),
    (
        ("DeviceError",),
        r"",
        Advice(
            "This device cannot be used",
            'Choose the device "auto" in the settings. "About this device" shows what is there '
            "and why.",
        ),
    ),
    (
        ("MissingFileError",),
        r"",
        Advice(
            "A file is not where it was",
            "Bring it back, or point the clip to its new place with Locate in the library.",
        ),
    ),
    (("OutputExistsError",), r"already exists", Advice("The file is already there")),
    (
        ("OutputError",),
        r"",
        Advice("The result cannot be written", "Choose an output folder that you may write to."),
    ),
    (("MediaError",), r"", Advice("This clip cannot be read as it is")),
    (("OptionError",), r"", Advice("A setting does not fit")),
    (
        (),
        r"no (sound|audio) (device|output)|PortAudio",
        Advice(
            "There is no sound output",
            "The picture plays without it. Connect headphones or choose an output below the "
            "picture.",
        ),
    ),
    (
        (),
        r"OpenGL|GLX|shader",
        Advice(
            "The picture is drawn without the graphics card",
            "Everything works, more slowly. A newer graphics driver usually brings it back.",
        ),
    ),
)


def advise(message: str, kind: str = "") -> Advice:
    """What a known kind of trouble is called, with the message, and what helps.

    Parameters
    ----------
    message
        One line, as the core's errors say it.
    kind
        Name of the error's class, where known.
    """
    message = " ".join(message.split())
    for kinds, pattern, advice in _KNOWN:
        fits = not kinds or kind in kinds
        if fits and (not pattern or re.search(pattern, message, re.IGNORECASE)):
            return replace(advice, text=f"{advice.text}: {message}" if message else advice.text)
    return Advice(message[:1].upper() + message[1:])


@dataclass
class _Notice:
    kind: str
    text: str
    hint: str
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
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._hint.setTextFormat(Qt.TextFormat.PlainText)
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
        words.addWidget(self._text)
        words.addWidget(self._hint)
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
        text: str,
        kind: str = "info",
        *,
        hint: str = "",
        details: str = "",
        action: str = "",
        run: Callable[[], None] | None = None,
    ) -> None:
        """Say something.

        Parameters
        ----------
        text
            One sentence.
        kind
            "error", "warning", "info" or "good".
        hint
            What to do.
        details
            For those who want to know more; folded.
        action, run
            A button's text and what it does.
        """
        kind = kind if kind in KINDS else "info"
        for place, old in enumerate(self._notices):
            if (old.kind, old.text, old.hint) == (kind, text, hint):
                self._notices.append(self._notices.pop(place))
                old.count += 1
                old.details, old.action, old.run = details or old.details, action, run
                break
        else:
            self._notices.append(_Notice(kind, text, hint, details, action, run))
            del self._notices[:-MAX_NOTICES]
        self._shown = len(self._notices) - 1
        self._unfold.setChecked(False)
        self._show()
        self.count_changed.emit(len(self._notices))

    def report(self, message: str, kind: str = "", details: str = "") -> None:
        """Tell an error of the core, by its message and the name of its class."""
        advice = advise(message, kind)
        self.post(advice.text, "error", hint=advice.hint, details=details)

    def fault(self, summary: str, details: str) -> None:
        """Tell a fault of the app itself."""
        self.post(
            "Something in the app went wrong; your files are safe",
            "error",
            hint="You can go on. If it happens again, please report it with the details.",
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
        return self._notices[self._shown].text if self._notices else ""

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
        self._text.setText(notice.text + times)
        self._text.setAccessibleName(f"{_WORDS[notice.kind]}: {notice.text}{times}")
        self._hint.setText(notice.hint)
        self._hint.setVisible(bool(notice.hint))
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
