"""Start-up: from an empty process to a window that can be used, and what happens to errors in it.

Nothing heavy is imported on the way: no video, no sound, no model library. They live in threads and
processes of their own, which start when first used.
"""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QSurfaceFormat
from PyQt6.QtWidgets import QApplication

from omniaudio_studio.jobs.environments import announce
from qt_app.single import SingleInstance

if TYPE_CHECKING:
    from qt_app.widgets.main_window import MainWindow

NAME = "OmniAudio Studio"
IDENTIFIER = "omniaudio-studio"
SIGNALS_MS = 200  # Python hears of a signal when it next runs
SWITCH_SECONDS = 0.0005  # a thread that decodes lets the window in this soon


def user_folder() -> Path:
    """Where the library, the queue and the marks on takes are kept."""
    import platformdirs

    return Path(platformdirs.user_data_dir(IDENTIFIER, appauthor=False)) / "app"


def make_application(arguments: Sequence[str] = ()) -> QApplication:
    """The QApplication, with names, theme and GL version set; the one that exists, if any."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    sys.setswitchinterval(SWITCH_SECONDS)
    surface = QSurfaceFormat()
    surface.setVersion(4, 1)
    surface.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    surface.setSwapInterval(1)
    QSurfaceFormat.setDefaultFormat(surface)
    app = QApplication([NAME, *arguments])
    app.setApplicationName(IDENTIFIER)
    app.setApplicationDisplayName(NAME)
    app.setOrganizationName(IDENTIFIER)
    app.setDesktopFileName(IDENTIFIER)
    return app


def open_window(folder: Path | None = None, *, software_view: bool = False) -> MainWindow:
    """The main window on the user's data, shown.

    Parameters
    ----------
    folder
        The user's data folder; the platform's own where None.
    software_view
        Draw the 360 picture without GL.
    """
    from qt_app.models.session import Session
    from qt_app.widgets.main_window import MainWindow

    session = Session(user_folder() if folder is None else folder)
    window = MainWindow(session, software_view=software_view)
    window.show()
    # What is there now stays: the garbage collector need not look at it again and again, which
    # would hold the window up for tens of milliseconds each time.
    gc.freeze()
    return window


def main(paths: Sequence[str] = (), *, software_view: bool = False) -> int:
    """Open the window and run until it is closed; returns the exit code.

    Parameters
    ----------
    paths
        Clips and folders to add to the library.
    software_view
        Draw the 360 picture without GL.
    """
    app = make_application()
    folder = user_folder()
    try:
        single = SingleInstance(folder)
    except OSError as error:
        print(f"omniaudio: cannot write to {folder}: {error.strerror}", file=sys.stderr)
        return 2
    if not single.claim():
        if single.hand_over(list(paths)):
            return 0
        print(
            "omniaudio: the app is already open but does not answer; close it first",
            file=sys.stderr,
        )
        return 2
    announce(folder=folder.parent)
    window = open_window(folder, software_view=software_view)
    _report_errors_to(window)
    _end_on_signals(app, window)
    single.asked.connect(window.come_forward)
    if paths:
        window.add_paths([Path(path) for path in paths])
    try:
        return app.exec()
    finally:
        single.release()


def _report_errors_to(window: MainWindow) -> None:
    """A fault in a slot is told in the window and logged; the window stays."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        print(details, file=sys.stderr, flush=True)
        window.report_fault(f"{kind.__name__}: {error}", details)

    sys.excepthook = hook


def _end_on_signals(app: QApplication, window: MainWindow) -> None:
    """Ctrl-C and SIGTERM close the window as its button does."""

    def close(*_: object) -> None:
        QTimer.singleShot(0, window.close)

    signal.signal(signal.SIGINT, close)
    signal.signal(signal.SIGTERM, close)
    timer = QTimer(app)
    timer.timeout.connect(lambda: None)
    timer.start(SIGNALS_MS)
