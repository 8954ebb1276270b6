"""Colours and icons: legible in light and dark, sharp, and following a change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QImage
from PyQt6.QtWidgets import QApplication, QCheckBox, QLineEdit, QSpinBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from qt_app import icons, theme

# What the window's parts ask for by name.
ASKED_FOR = (
    *("play", "pause", "stop", "step-back", "step-forward", "loop", "dice", "lock", "unlock"),
    *("star", "star-filled", "keep", "add", "folder", "remove", "retry", "cancel", "hold", "up"),
    *("down", "search", "head-tracking", "headphones", "settings", "info", "warning", "grid"),
    *("energy", "generate"),
)


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[str]:
    theme.apply(qapp, request.param)
    yield request.param
    theme.apply(qapp, "light")


def contrast(one: QColor, other: QColor) -> float:
    """WCAG 2.2's contrast ratio, 1 to 21."""

    def luminance(colour: QColor) -> float:
        parts = []
        for part in (colour.redF(), colour.greenF(), colour.blueF()):
            parts.append(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read(themed: str) -> None:
    assert theme.is_dark() == (themed == "dark")
    for surface in ("window", "base", "alternate", "raised", "hover", "lane", "lane alternate"):
        for text in ("text", "secondary", "link", "error", "warning", "good"):
            ratio = contrast(theme.colour(text), theme.colour(surface))
            assert ratio >= 4.5, (text, surface, ratio)
    for fill in ("good fill", "warning fill", "error fill", "info fill", "button", "shot"):
        assert contrast(theme.colour("text"), theme.colour(fill)) >= 7, fill
    assert contrast(theme.colour("selection text"), theme.colour("selection")) >= 7
    assert contrast(theme.colour("on accent"), theme.colour("accent")) >= 4.5
    assert contrast(theme.colour("tooltip text"), theme.colour("tooltip")) >= 7


def test_marks_can_be_seen(themed: str) -> None:
    for surface in ("base", "lane", "lane alternate"):
        for mark in ("accent", "playhead", "range", "star", "keep", "shot edge", "waveform"):
            ratio = contrast(theme.colour(mark), theme.colour(surface))
            assert ratio >= 3, (mark, surface, ratio)
        assert contrast(theme.colour("field edge"), theme.colour(surface)) >= 2.8
        for index in range(len(theme.SERIES)):
            assert contrast(theme.series(index), theme.colour(surface)) >= 3
    assert theme.series(0) == theme.series(len(theme.SERIES))


def test_a_change_is_announced_and_repaints(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, "light")
    button = QToolButton()
    qtbot.addWidget(button)
    button.setIcon(icons.icon("stop"))
    before = button.icon().pixmap(QSize(32, 32)).toImage().pixelColor(16, 16)
    with qtbot.waitSignal(theme.signals.changed):
        theme.apply(qapp, "dark")
    after = button.icon().pixmap(QSize(32, 32)).toImage().pixelColor(16, 16)
    assert before == QColor(theme.COLOURS["text"][0]) and after == QColor(theme.COLOURS["text"][1])
    assert qapp.palette().window().color() == QColor(theme.COLOURS["window"][1])
    theme.apply(qapp, "no such theme")
    assert theme.mode() == "system"
    theme.apply(qapp, "light")


def test_unknown_names_are_mistakes() -> None:
    with pytest.raises(KeyError):
        theme.colour("no such colour")
    with pytest.raises(KeyError):
        icons.icon("no such icon")


def test_opacity() -> None:
    assert theme.colour("accent", 0.5).alphaF() == pytest.approx(0.5, abs=0.01)
    assert theme.colour("accent").alpha() == 255


@pytest.mark.parametrize("name", sorted({*ASKED_FOR, *icons.NAMES}))
def test_every_icon_fits_its_square_and_fills_it(qapp: QApplication, name: str) -> None:
    box = icons.shape(name).boundingRect()
    assert box.left() >= 0 and box.top() >= 0
    assert box.right() <= icons.UNITS and box.bottom() <= icons.UNITS
    assert max(box.width(), box.height()) >= icons.UNITS / 2
    assert abs(box.center().x() - 12) <= 1.6


def test_no_two_icons_are_alike(qapp: QApplication) -> None:
    pictures: dict[bytes, str] = {}
    for name in icons.NAMES:
        image = icons.pixmap(name, 24).toImage().convertToFormat(QImage.Format.Format_Alpha8)
        bits = image.constBits()
        assert bits is not None
        data = bytes(bits.asarray(image.sizeInBytes()))
        assert data not in pictures, (name, pictures.get(data))
        pictures[data] = name


def test_icons_are_sharp_on_dense_screens(qapp: QApplication) -> None:
    dense = icons.pixmap("play", 24, ratio=2.0)
    assert dense.width() == 48 and dense.deviceIndependentSize().width() == 24
    made = icons.icon("play").pixmap(QSize(24, 24), 2.0)
    assert made.width() == 48


def test_disabled_and_tinted_icons(qapp: QApplication) -> None:
    theme.apply(qapp, "light")
    size = QSize(24, 24)
    disabled = icons.icon("stop").pixmap(size, QIcon.Mode.Disabled).toImage().pixelColor(12, 12)
    assert disabled == theme.colour("disabled")
    tinted = icons.icon("stop", "error").pixmap(size).toImage().pixelColor(12, 12)
    assert tinted == theme.colour("error")


@pytest.mark.parametrize("kind", [QLineEdit, QCheckBox, QSpinBox])
def test_fields_have_an_edge(themed: str, qtbot: QtBot, kind: type[QWidget]) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    field = kind(window)
    field.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    field.setGeometry(10, 10, 90, 26)
    window.resize(120, 50)
    window.show()
    qtbot.waitExposed(window)
    image = window.grab().toImage()
    edge = theme.colour("field edge")
    found = sum(
        contrast(image.pixelColor(x, y), edge) < 1.1
        for x in range(image.width())
        for y in range(image.height())
    )
    assert found > 30
