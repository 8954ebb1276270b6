"""The view as a person uses it: mouse, wheel, keys, a clip that plays, and what goes wrong."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, QRectF, Qt
from PyQt6.QtGui import QOpenGLContext, QWheelEvent
from PyQt6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from omniaudio_studio.media.probe import probe
from qt_app import theme
from qt_app.picture import camera, gl_shader, overlay
from qt_app.picture.clip import Mapped
from qt_app.picture.decoder import FrameSource
from qt_app.picture.gl_view import GlCanvas, missing_gl
from qt_app.picture.look import LookModel
from qt_app.picture.software_view import SoftwareCanvas
from qt_app.picture.view import EMPTY, TURN_MS, SphereView, make_sphere_view
from tests.media.clips import make_clip
from tests.qt.picture.drawing import pixels, rendered
from tests.qt.picture.pictures import in_projection

SIZE = (640, 360)
LEFT = Qt.MouseButton.LeftButton


class Clock:
    """Seconds, set by hand."""

    t = 0.0

    def __call__(self) -> float:
        return self.t


Make = Callable[..., SphereView]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(qtbot: QtBot, source: FrameSource, clock: Clock) -> Iterator[Make]:
    views: list[SphereView] = []

    def build(software: bool = False) -> SphereView:
        view = make_sphere_view(LookModel(), source, clock, software=software)
        qtbot.addWidget(view)
        views.append(view)
        view.resize(*SIZE)
        view.show()
        qtbot.waitExposed(view)
        return view

    yield build
    for view in views:
        view.close_view()


@pytest.fixture
def view(make: Make) -> SphereView:
    return make()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "sphere.mp4"
    image = in_projection(Mapped(), (1024, 512))
    return make_clip(path, [Fraction(k, 30) for k in range(90)], size=(1024, 512), image=image)


def look_of(view: SphereView) -> LookModel:
    return view._look


def shown(view: SphereView) -> np.ndarray:
    """The view's pixels, as the canvas has them."""
    canvas = view._canvas
    if isinstance(canvas, GlCanvas):
        return pixels(canvas.grabFramebuffer())
    return pixels(view.grab().toImage())


def wait_for_picture(qtbot: QtBot, view: SphereView) -> None:
    qtbot.waitUntil(lambda: view.picture is not None, timeout=10_000)
    if isinstance(view._canvas, SoftwareCanvas):
        canvas = view._canvas
        qtbot.waitUntil(
            lambda: canvas.image() is not None and canvas._image_of.picture is view.picture,
            timeout=10_000,
        )
        qtbot.wait(150)  # the finer image follows the coarse one


def wait_for_time(qtbot: QtBot, view: SphereView, t: float) -> None:
    def there() -> bool:
        return view.picture is not None and abs(view.picture.time - t) < 1e-3

    qtbot.waitUntil(there, timeout=5000)


def test_opengl_is_used_where_it_is_there(view: SphereView) -> None:
    assert missing_gl() is None
    assert view.fallback_reason is None
    assert isinstance(view._canvas, GlCanvas)


@pytest.mark.parametrize("software", [False, True])
def test_shows_the_clip(
    qtbot: QtBot, make: Make, source: FrameSource, clip: Path, software: bool
) -> None:
    """From the file to the screen: the panorama room's picture, but for compass and arrow."""
    view = make(software=software)
    source.open(probe(clip).as_dict())
    wait_for_picture(qtbot, view)
    for yaw, pitch in ((0.0, 0.0), (90.0, 20.0), (180.0, -30.0)):
        look_of(view).set_orientation(math.radians(yaw), math.radians(pitch))
        if software:
            qtbot.wait(400)
        qtbot.wait(40)
        seen = shown(view)
        rgb = in_projection(Mapped(), (1024, 512))
        height, width = seen.shape[:2]
        assert (width, height) == SIZE
        expected = np.asarray(rendered(rgb, Mapped(), (yaw, pitch, 0, 90), size=SIZE), dtype=int)
        assert np.abs(seen - expected)[:, : width - 80].mean() < 4


@pytest.mark.parametrize("layout", ["top-bottom", "left-right"])
def test_stereo_shows_the_left_eye(
    tmp_path: Path, qtbot: QtBot, view: SphereView, source: FrameSource, layout: str
) -> None:
    eye = in_projection(Mapped(), (512, 256))
    axis = 0 if layout == "top-bottom" else 1
    image = np.concatenate([eye, 255 - eye], axis=axis)
    path = make_clip(
        tmp_path / "pair.mp4", [Fraction(0)], size=(image.shape[1], image.shape[0]), image=image
    )
    source.open(probe(path, projection="equirectangular", stereo=layout).as_dict())
    wait_for_picture(qtbot, view)
    qtbot.wait(50)
    expected = rendered(eye, Mapped(), (0, 0, 0, 90), size=SIZE).astype(int)
    assert np.abs(shown(view) - expected)[:, :540].mean() < 4


def test_dragging_keeps_the_direction_under_the_cursor(qtbot: QtBot, view: SphereView) -> None:
    look = look_of(view)
    start = QPoint(200, 150)
    held = look.direction_at(start.x(), start.y(), *SIZE)
    qtbot.mousePress(view, LEFT, pos=start)
    for to in (QPoint(260, 160), QPoint(400, 100), QPoint(150, 250), QPoint(620, 180)):
        qtbot.mouseMove(view, to)
        QApplication.processEvents()
        assert look.place_of(held, *SIZE) == pytest.approx((to.x(), to.y()), abs=0.01)
    qtbot.mouseRelease(view, LEFT, pos=QPoint(620, 180))
    there = (look.yaw, look.pitch)
    qtbot.wait(120)  # no inertia
    qtbot.mouseMove(view, QPoint(100, 100))
    assert (look.yaw, look.pitch) == there
    assert look.yaw > 0  # dragged to the right


def test_wheel_zooms(view: SphereView) -> None:
    look = look_of(view)

    def turn(delta: int) -> None:
        event = QWheelEvent(
            QPointF(100, 100),
            QPointF(100, 100),
            QPoint(),
            QPoint(0, delta),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view, event)

    turn(120)
    assert look.fov < math.pi / 2
    turn(-120)
    assert look.fov == pytest.approx(math.pi / 2)


def test_keys(qtbot: QtBot, view: SphereView) -> None:
    look = look_of(view)
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert look.yaw == pytest.approx(math.radians(5))
    qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert look.yaw == pytest.approx(math.radians(-10))
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert look.pitch == pytest.approx(math.radians(5))
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert look.pitch == pytest.approx(0)
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert look.fov < math.pi / 2
    qtbot.keyClick(view, Qt.Key.Key_Minus)
    view.set_front(math.radians(30))
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert look.yaw == pytest.approx(math.radians(30))
    with qtbot.waitSignal(view.grid_changed) as told:
        qtbot.keyClick(view, Qt.Key.Key_G)
    assert told.args == [True] and view.grid
    with qtbot.waitSignal(view.energy_changed) as told:
        qtbot.keyClick(view, Qt.Key.Key_E)
    assert told.args == [False] and not view.energy_shown


def test_double_click_and_compass_recentre(
    qtbot: QtBot, view: SphereView, source: FrameSource, clip: Path
) -> None:
    look = look_of(view)
    look.set_orientation(1.0, 0.5)
    qtbot.mouseDClick(view, LEFT, pos=QPoint(100, 100))
    assert (look.yaw, look.pitch) == (0, 0)
    source.open(probe(clip).as_dict())
    wait_for_picture(qtbot, view)
    look.set_orientation(1.0, 0.5)
    compass = overlay.compass_area(QRectF(view.rect())).center().toPoint()
    qtbot.mouseClick(view, LEFT, pos=compass)
    assert (look.yaw, look.pitch) == (0, 0)


def test_control_click_names_a_direction(qtbot: QtBot, view: SphereView) -> None:
    look = look_of(view)
    look.set_orientation(0.7, 0.2)
    with qtbot.waitSignal(view.direction_clicked) as told:
        qtbot.mouseClick(view, LEFT, Qt.KeyboardModifier.ControlModifier, QPoint(500, 60))
    expected = camera.angles(look.direction_at(500, 60, *SIZE))
    assert told.args == pytest.approx(expected, abs=1e-6)
    assert (look.yaw, look.pitch) == (0.7, 0.2)


def test_follows_the_clock_and_shows_the_exact_frame_when_paused(
    qtbot: QtBot, view: SphereView, source: FrameSource, clock: Clock, clip: Path
) -> None:
    source.open(probe(clip).as_dict())
    wait_for_picture(qtbot, view)
    view.set_playing(True)
    for t in (0.5, 0.51, 0.6, 1.0):
        clock.t = t
        due = math.floor(t * 30 + 1e-6) / 30
        wait_for_time(qtbot, view, due)
    view.set_playing(False)
    clock.t = 2.345
    qtbot.wait(100)
    assert view.picture is not None and view.picture.time == pytest.approx(1.0)  # nobody asked
    view.refresh()
    wait_for_time(qtbot, view, 70 / 30)


@pytest.mark.keeps_time
def test_draws_only_when_something_changed(
    qtbot: QtBot, view: SphereView, source: FrameSource, clip: Path
) -> None:
    source.open(probe(clip).as_dict())
    wait_for_picture(qtbot, view)
    view.set_front(0.3)
    drawn: list[float] = []
    paint = view._canvas._overlay

    def count(*arguments: object) -> None:
        drawn.append(1.0)
        paint(*arguments)  # type: ignore[arg-type]

    qtbot.wait(200)
    view._canvas._overlay = count
    qtbot.wait(300)
    assert not drawn  # paused: nothing happens
    view.set_playing(True)
    qtbot.wait(300)
    assert len(drawn) <= 1  # the clock stands still
    assert view._tick.isActive()
    look_of(view).turn(0.1, 0.0)
    qtbot.waitUntil(lambda: len(drawn) >= 1, timeout=2000)
    drawn.clear()
    began = time.monotonic()
    while time.monotonic() < began + 0.6:  # a mouse that tells its place all the time
        look_of(view).turn(0.001, 0.0)
        qtbot.wait(1)
    assert 1 <= len(drawn) <= 0.6 * 1000 / TURN_MS + 3
    view.hide()
    assert not view._tick.isActive()
    view.show()
    assert view._tick.isActive()
    view.set_playing(False)
    assert not view._tick.isActive()


def test_energy_follows_the_clock(
    qtbot: QtBot, view: SphereView, source: FrameSource, clock: Clock, clip: Path
) -> None:
    source.open(probe(clip).as_dict())
    wait_for_picture(qtbot, view)
    bare = shown(view).astype(int)
    ahead, left = (np.outer(g, g) for g in (np.array([1, 0, 0, 1.0]), np.array([1, 1.0, 0, 0])))
    view.set_energy(lambda t: ahead if t < 1 else left if t < 2 else None, 1.0)
    middle = np.s_[150:210, 290:350]
    assert np.abs(shown(view).astype(int) - bare)[middle].mean() > 20
    clock.t = 1.5
    view.refresh()
    assert np.abs(shown(view).astype(int) - bare)[middle].mean() < 20
    assert np.abs(shown(view).astype(int) - bare)[150:210, :40].mean() > 20
    view.set_energy_shown(False)
    clock.t = 0.0
    view.refresh()
    assert np.abs(shown(view).astype(int) - bare)[middle].mean() < 2


@pytest.mark.parametrize("software", [False, True])
def test_grabbed_windows_show_everything(
    qtbot: QtBot, make: Make, source: FrameSource, clip: Path, software: bool
) -> None:
    """Screenshots of the whole window have the compass with the yellow mark of the front."""
    view = make(software=software)
    window = QWidget()
    qtbot.addWidget(window)
    QVBoxLayout(window).addWidget(view)
    window.resize(700, 420)
    window.show()
    source.open(probe(clip).as_dict())
    wait_for_picture(qtbot, view)
    view.set_front(math.radians(-90))
    qtbot.wait(100)
    image = pixels(window.grab().toImage())
    area = overlay.compass_area(QRectF(view.rect())).translated(QPointF(view.pos()))
    front = theme.colour("front")
    view.setParent(None)  # it ends by itself
    # To the right on the compass.
    x, y = int(area.right() - 7), int(area.center().y())
    assert image[y, x] == pytest.approx([front.red(), front.green(), front.blue()], abs=12)


def test_nothing_chosen(view: SphereView) -> None:
    assert view.picture is None and view.message == EMPTY
    assert shown(view).max() > 150  # the line is painted


def test_missing_clip(tmp_path: Path, qtbot: QtBot, view: SphereView, source: FrameSource) -> None:
    source.open({"path": str(tmp_path / "moved.mp4"), "projection": "equirectangular"})
    qtbot.waitUntil(lambda: "no such file" in view.message, timeout=5000)
    assert view.picture is None
    qtbot.wait(50)
    assert shown(view).max() > 150


def test_clip_that_goes_away(
    tmp_path: Path, qtbot: QtBot, view: SphereView, source: FrameSource, clip: Path
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes())
    info = probe(path).as_dict()
    source.open(info)
    wait_for_picture(qtbot, view)
    last = view.picture
    path.unlink()
    source.open(info)
    qtbot.waitUntil(lambda: "no such file" in view.message, timeout=5000)
    assert view.picture is last
    source.open(None)
    assert view.picture is None and view.message == EMPTY


def test_software_when_asked(make: Make) -> None:
    view = make(software=True)
    assert view.fallback_reason and isinstance(view._canvas, SoftwareCanvas)
    assert view.fallback_reason in view.toolTip()


def test_software_without_a_context(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QOpenGLContext, "create", lambda self: False)
    view = make()
    assert view.fallback_reason is not None and "context" in view.fallback_reason
    assert isinstance(view._canvas, SoftwareCanvas)


@pytest.mark.parametrize("broken", ["from the start", "later"])
def test_software_when_the_shader_is_refused(
    qtbot: QtBot,
    make: Make,
    source: FrameSource,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    """Some driver may not like it, or only one variant of it."""
    original = gl_shader.shader_source

    def source_of(name: str) -> str:
        bad = "vec3 broken(" if broken == "from the start" else "#if GRID\nbroken(\n#endif\n"
        return original(name) + (bad if name.endswith(".frag") else "")

    monkeypatch.setattr(gl_shader, "shader_source", source_of)
    view = make_sphere_view(LookModel(), source, lambda: 0.0)
    qtbot.addWidget(view)
    view.resize(*SIZE)
    with qtbot.waitSignal(view.fell_back, timeout=5000) as told:
        view.show()
        source.open(probe(clip).as_dict())
        if broken == "later":
            wait_for_picture(qtbot, view)
            assert view.fallback_reason is None
            view.set_grid(True)
    assert "sphere.frag" in told.args[0] and "\n" not in told.args[0]
    assert view.fallback_reason == told.args[0]
    assert isinstance(view._canvas, SoftwareCanvas)
    wait_for_picture(qtbot, view)
    assert shown(view).std() > 10
    qtbot.mousePress(view, LEFT, pos=QPoint(100, 100))  # input still arrives
    qtbot.mouseMove(view, QPoint(200, 100))
    assert look_of(view).yaw > 0
    view.close_view()


def in_another_process(code: str, clip: Path, **environment: str) -> str:
    """Run a script with a view in it; what it prints."""
    script = textwrap.dedent(
        """
        import sys, time
        from PyQt6.QtWidgets import QApplication
        app = QApplication([])
        from omniaudio_studio.media.probe import probe
        from qt_app.picture.decoder import FrameSource
        from qt_app.picture.look import LookModel
        from qt_app.picture.view import make_sphere_view
        source = FrameSource()
        view = make_sphere_view(LookModel(), source, lambda: 0.5)
        view.resize(320, 180)
        view.show()
        source.open(probe(sys.argv[1]).as_dict())
        end = time.monotonic() + 15
        def settle(done):
            while not done() and time.monotonic() < end:
                app.processEvents()
                time.sleep(0.01)
        settle(lambda: view.picture is not None)
        """
    ) + textwrap.dedent(code)
    script += "\nview.close_view(); source.close()\n"
    ran = subprocess.run(
        [sys.executable, "-c", script, str(clip)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_platform_without_gl(clip: Path) -> None:
    told = in_another_process(
        """
        settle(lambda: view._canvas._image_of.picture is not None)
        image = view.grab().toImage()
        print(view.fallback_reason)
        print(len({image.pixel(x, 60) for x in range(0, 300, 5)}))
        """,
        clip,
        QT_QPA_PLATFORM="offscreen",
    )
    reason, colours = told.splitlines()
    assert "offscreen" in reason
    assert int(colours) > 20


def test_high_dpi(clip: Path) -> None:
    """At two device pixels per logical one the picture has four times the pixels, in place."""
    told = in_another_process(
        """
        for _ in range(20):
            app.processEvents(); time.sleep(0.01)
        image = view._canvas.grabFramebuffer()
        print(image.width(), image.height(), view.width(), view.height(), view.devicePixelRatioF())
        x, y = 2 * 80, 2 * 45
        print(*image.pixelColor(x, y).getRgb()[:3])
        """,
        clip,
        QT_SCALE_FACTOR="2",
    )
    sizes, colour = told.splitlines()
    assert sizes.split() == ["640", "360", "320", "180", "2.0"]
    expected = rendered(in_projection(Mapped(), (1024, 512)), Mapped(), (0, 0, 0, 90), size=SIZE)
    assert np.array(colour.split(), int) == pytest.approx(expected[90, 160].astype(int), abs=8)


def test_light_and_dark_look_alike(qtbot: QtBot, view: SphereView) -> None:
    """The picture is a screen: dark in both themes, with text that can be read."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    try:
        for mode in ("light", "dark"):
            theme.apply(app, mode)
            qtbot.wait(30)
            seen = shown(view)
            assert seen[5, 5].max() < 40
            assert seen.max() > 150
    finally:
        theme.apply(app, "light")


def test_accessible(view: SphereView) -> None:
    assert view.accessibleName() and "arrow keys" in view.accessibleDescription()
    assert view.focusPolicy() & Qt.FocusPolicy.TabFocus
