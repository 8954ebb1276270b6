"""Colours of the app, light and dark, on Qt's Fusion style.

Widgets ask for a colour by its name, never by its value: ``colour("playhead")``. They repaint when
:data:`signals`' ``changed`` fires (a palette change repaints ordinary widgets by itself).
"""

from __future__ import annotations

from typing import Literal

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication, QToolTip

Mode = Literal["system", "light", "dark"]
MODES: tuple[Mode, ...] = ("system", "light", "dark")

# Name: (light, dark). Text colours have a contrast of at least 4.5 to 1 against "window" and
# "base", marks (accent and the like) at least 3 to 1: WCAG 2.2, 1.4.3 and 1.4.11; tested.
COLOURS: dict[str, tuple[str, str]] = {
    # Surfaces, from the back to the front.
    "window": ("#f2f2f5", "#1f2126"),
    "base": ("#ffffff", "#17181c"),
    "alternate": ("#f6f6f9", "#1c1e22"),
    "raised": ("#ffffff", "#2a2d33"),
    "button": ("#e8e8ee", "#30333a"),
    "tooltip": ("#2b2e35", "#3a3e47"),
    "tooltip text": ("#f5f5f7", "#f2f3f5"),
    "border": ("#c9c9d2", "#3d414a"),
    "field edge": ("#8b8d99", "#6a6f7c"),
    "hover": ("#e7eaf3", "#2c3038"),
    "shadow": ("#9a9aa5", "#0b0c0e"),
    # Text.
    "text": ("#1b1c20", "#e9eaee"),
    "secondary": ("#5a5d68", "#a6aab5"),
    "disabled": ("#9a9ca6", "#6c707b"),
    "link": ("#1f5fc4", "#86b3ff"),
    # Marks.
    "accent": ("#2f6fe0", "#5b95ff"),
    "on accent": ("#ffffff", "#0c1016"),
    "selection": ("#cfdffc", "#2b4a80"),
    "selection text": ("#10131a", "#ffffff"),
    "good": ("#1b6f37", "#5fce86"),
    "warning": ("#8f5a00", "#f0b54a"),
    "error": ("#c02a2a", "#ff8079"),
    "star": ("#9a6700", "#ffcf4d"),
    "keep": ("#1b6f37", "#5fce86"),
    # Soft fills behind notices and badges, with "text" on them.
    "good fill": ("#dff3e5", "#1e3a29"),
    "warning fill": ("#fcefd3", "#42351a"),
    "error fill": ("#fbe1e0", "#48221f"),
    "info fill": ("#e0eafc", "#22304a"),
    # Timeline and player.
    "lane": ("#fafafc", "#1a1c20"),
    "lane alternate": ("#f0f0f5", "#202329"),
    "lane line": ("#d9d9e2", "#33373f"),
    "ruler": ("#ececf2", "#26292f"),
    "playhead": ("#d62f45", "#ff6075"),
    "range": ("#2f6fe0", "#5b95ff"),
    "shot": ("#dde6f8", "#2b3648"),
    "shot edge": ("#5577b5", "#7f9fd8"),
    "waveform": ("#3568b8", "#78a5ee"),
    "waveform peak": ("#7d9fd6", "#46669c"),
    "meter low": ("#2c9a52", "#4cc379"),
    "meter mid": ("#c78a12", "#e8b23e"),
    "meter high": ("#cf3535", "#ff6a62"),
    "meter back": ("#e2e2e9", "#2b2e35"),
    # The picture is dark in both: it is a screen.
    "picture": ("#0d0e10", "#0d0e10"),
    "picture text": ("#e9eaee", "#e9eaee"),
    "picture grid": ("#a9b6cc", "#a9b6cc"),
    "front": ("#ffcf4d", "#ffcf4d"),
}

# Lanes and sources that lie side by side (A/B), told apart also by people who see fewer colours.
# After Okabe and Ito, "Color universal design" (2008), lightened for dark.
SERIES: tuple[tuple[str, str], ...] = (
    ("#0072b2", "#56b4e9"),
    ("#b34d00", "#e69f00"),
    ("#00795a", "#2fc79b"),
    ("#a8497f", "#dd92bd"),
)


class _Signals(QObject):
    """Fires after the colours have changed."""

    changed = pyqtSignal()


signals = _Signals()


class _State:
    dark = False
    mode: Mode = "system"
    follows = False
    styled = False


_state = _State()


def colour(name: str, alpha: float = 1.0) -> QColor:
    """A colour of the current theme by its name (see :data:`COLOURS`).

    Parameters
    ----------
    name
        A key of :data:`COLOURS`; KeyError for another.
    alpha
        Opacity, 0 to 1.
    """
    value = QColor(COLOURS[name][_state.dark])
    if alpha < 1.0:
        value.setAlphaF(max(alpha, 0.0))
    return value


def series(index: int) -> QColor:
    """The colour of the ``index``-th of several things side by side; it goes round."""
    return QColor(SERIES[index % len(SERIES)][_state.dark])


def is_dark() -> bool:
    """Whether the dark colours are in use."""
    return _state.dark


def mode() -> Mode:
    """What was asked for: "system", "light" or "dark"."""
    return _state.mode


def apply(app: QApplication, mode: str = "system") -> None:
    """Use the Fusion style with light or dark colours, or as the system has it.

    Parameters
    ----------
    app
        The application; with "system" it follows when the system changes.
    mode
        "system", "light" or "dark"; anything else counts as "system".
    """
    _state.mode = next((known for known in MODES if known == mode), "system")
    if not _state.follows:
        _follow_system()
    if not _state.styled:
        from qt_app.style import Style  # it uses this module

        app.setStyle(Style())
        _state.styled = True
    _use(app, _system_is_dark() if _state.mode == "system" else _state.mode == "dark")


def _use(app: QApplication, dark: bool) -> None:
    _state.dark = dark
    app.setPalette(palette())
    QToolTip.setPalette(palette())
    signals.changed.emit()


def _follow_system() -> None:
    hints = QGuiApplication.styleHints()
    if hints is None or not hasattr(hints, "colorSchemeChanged"):
        return  # before Qt 6.5

    def changed() -> None:
        app = QApplication.instance()
        if _state.mode == "system" and isinstance(app, QApplication):
            _use(app, _system_is_dark())

    hints.colorSchemeChanged.connect(changed)
    _state.follows = True


def _system_is_dark() -> bool:
    hints = QGuiApplication.styleHints()
    return (
        hints is not None
        and hasattr(hints, "colorScheme")
        and hints.colorScheme() == Qt.ColorScheme.Dark
    )


def palette() -> QPalette:
    """The Qt palette of the current theme."""
    made = QPalette()
    role = QPalette.ColorRole
    for which, name in (
        (role.Window, "window"),
        (role.WindowText, "text"),
        (role.Base, "base"),
        (role.AlternateBase, "alternate"),
        (role.Text, "text"),
        (role.Button, "button"),
        (role.ButtonText, "text"),
        (role.BrightText, "error"),
        (role.ToolTipBase, "tooltip"),
        (role.ToolTipText, "tooltip text"),
        (role.PlaceholderText, "secondary"),
        (role.Highlight, "selection"),
        (role.HighlightedText, "selection text"),
        (role.Link, "link"),
        (role.LinkVisited, "link"),
        (role.Light, "raised"),
        (role.Midlight, "hover"),
        (role.Mid, "border"),
        (role.Dark, "shadow"),
        (role.Shadow, "shadow"),
    ):
        made.setColor(which, colour(name))
    if hasattr(role, "Accent"):  # Qt 6.6
        made.setColor(role.Accent, colour("accent"))
    for which in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        made.setColor(QPalette.ColorGroup.Disabled, which, colour("disabled"))
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, colour("border"))
    return made
