"""Sources that end with their test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot

from qt_app.picture.decoder import FrameSource
from qt_app.picture.frames import Picture
from qt_app.picture.gl_view import GlCanvas, missing_gl
from qt_app.picture.scene import Scene
from qt_app.picture.software import SoftwareRenderer
from tests.qt.picture.drawing import HEIGHT, WIDTH, Draw, Rgb, pixels

PATIENCE = 20.0  # seconds; other work shares the machine


@pytest.fixture
def source(qapp: object) -> Iterator[FrameSource]:
    """Closed after the test."""
    made = FrameSource()
    yield made
    made.close()


@pytest.fixture
def exactly(source: FrameSource) -> Callable[[float], Picture]:
    """Ask for a moment until its very picture is there."""

    def ask(t: float) -> Picture:
        end = time.monotonic() + PATIENCE
        source.frame_at(t)
        while not source.settled(t):
            assert time.monotonic() < end, f"no picture for {t} s"
            time.sleep(0.002)
        picture = source.frame_at(t)
        assert picture is not None
        return picture

    return ask


@pytest.fixture
def by_gl(qtbot: QtBot) -> Draw:
    reason = missing_gl()
    if reason is not None:
        pytest.skip(reason)
    canvas = GlCanvas(lambda *_: None)
    canvas.broken.connect(pytest.fail)
    qtbot.addWidget(canvas)
    canvas.resize(WIDTH, HEIGHT)
    canvas.show()
    qtbot.waitExposed(canvas)

    def draw(scene: Scene) -> Rgb:
        canvas.show_scene(scene)
        return pixels(canvas.grabFramebuffer())

    return draw


@pytest.fixture
def by_software() -> Draw:
    renderer = SoftwareRenderer((255, 255, 255), (0, 0, 0))
    return lambda scene: renderer.render(scene, WIDTH, HEIGHT)


@pytest.fixture(params=["gl", "software"])
def draw(request: pytest.FixtureRequest) -> Draw:
    made: Draw = request.getfixturevalue(f"by_{request.param}")
    return made
