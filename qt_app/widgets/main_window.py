"""The main window: panels around the stage, menus, and where messages appear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QEvent, QMimeData, QSize, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import (
    QApplication,
    QDockWidget,
    QLabel,
    QMainWindow,
    QProgressBar,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from qt_app import icons, theme
from qt_app.models.library_rows import local_paths
from qt_app.models.listening import source_label
from qt_app.models.session import Session
from qt_app.models.take import Take
from qt_app.widgets.actions import Actions
from qt_app.widgets.errors import NoticeBar
from qt_app.widgets.generate_bar import GenerateBar
from qt_app.widgets.library_panel import LibraryPanel
from qt_app.widgets.queue_panel import QueuePanel
from qt_app.widgets.settings_panel import SettingsPanel
from qt_app.widgets.stage import Stage
from qt_app.widgets.takes_panel import TakesPanel

TITLE = "OmniAudio Studio"
STATE_VERSION = 1


class MainWindow(QMainWindow):
    """Shows a :class:`Session`.

    Parameters
    ----------
    session
        All view-models; the window closes it.
    software_view
        Draw the 360 picture without GL.
    """

    def __init__(
        self, session: Session, *, software_view: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._apply_theme()
        self.setWindowTitle(TITLE)
        self.setAcceptDrops(True)
        self.setDockOptions(
            QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AnimatedDocks
        )
        self.notices = NoticeBar()
        self.stage = Stage(session, software_view=software_view)
        self.library = LibraryPanel(session.library)
        self.settings = SettingsPanel(session.library, session.presets, session.catalogue)
        self.settings.set_front_source(lambda: math.degrees(session.look.yaw))
        self.takes = TakesPanel(session.takes)
        self.queue = QueuePanel(session.queue)
        self.generate_bar = GenerateBar()
        # A small screen is for the picture: these make do with what is left.
        self.queue.setMinimumHeight(110)
        self.notices.setMinimumHeight(48)
        self.setWindowIcon(icons.icon("energy", "accent"))
        self._choice_timer = QTimer(self)
        self._choice_timer.setSingleShot(True)
        self._choice_timer.setInterval(0)
        self._choice_timer.timeout.connect(self._show_choice)
        self._lay_out()
        self.actions_ = Actions(self)
        self._connect()
        self._restore()
        QTimer.singleShot(0, session.begin)

    # Building

    def _lay_out(self) -> None:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notices)
        column.addWidget(self.stage, 1)
        self.setCentralWidget(middle)
        right = QWidget()
        rows = QVBoxLayout(right)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Settings and takes of the clip")
        self.tabs.addTab(self.settings, "Settings")
        self.tabs.addTab(self.takes, "Takes")
        rows.addWidget(self.tabs, 1)
        rows.addWidget(self.generate_bar)
        area = Qt.DockWidgetArea
        self.library_dock = self._dock("Library", self.library, area.LeftDockWidgetArea)
        self.settings_dock = self._dock("Settings and takes", right, area.RightDockWidgetArea)
        self.queue_dock = self._dock("Queue", self.queue, area.BottomDockWidgetArea)
        # The side panels keep their height: what is below belongs to the middle.
        self.setCorner(Qt.Corner.BottomLeftCorner, area.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, area.RightDockWidgetArea)
        self.total = QProgressBar()
        self.total.setRange(0, 1000)
        self.total.setMaximumWidth(220)
        self.total.setAccessibleName("Progress of the queue")
        self.total.hide()
        self.tracking = QLabel()
        bar = self.statusBar()
        assert bar is not None
        bar.addPermanentWidget(self.tracking)
        bar.addPermanentWidget(self.total)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(title)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        session = self.session
        session.told.connect(self.tell)
        session.job_failed.connect(self.notices.report)
        self.library.generate_wanted.connect(session.generating.generate)
        self.generate_bar.generate.connect(self.generate)
        self.generate_bar.several.connect(self.actions_.ask_for_grid)
        self.generate_bar.place.connect(self.place)
        session.library.selection_changed.connect(lambda _: self._show_choice())
        session.library.current_changed.connect(lambda _: self._show_choice())
        # Once for all of many clips, when they have changed.
        session.library.clip_changed.connect(lambda _: self._choice_timer.start())
        session.catalogue.changed.connect(self._choice_timer.start)
        session.generating.queued.connect(self._queued)
        session.takes.changed.connect(self._show_placed)
        self.takes.listen.connect(self._listen)
        self.takes.use_settings.connect(self._use_settings)
        self.takes.reroll_requested.connect(self._reroll_take)
        self.takes.grid_requested.connect(self.actions_.ask_for_grid)
        self.takes.deliver_requested.connect(self.actions_.ask_for_files)
        self.takes.take_over.connect(self._take_over)
        self.takes.notice.connect(lambda text: self.tell(text, "info"))
        self.stage.reroll_requested.connect(self._reroll)
        self.stage.limit_requested.connect(self._limit)
        self.queue.open_take.connect(self._open_take)
        session.queue.totals_changed.connect(self._show_totals)
        self.queue_dock.visibilityChanged.connect(
            lambda _: self._show_totals(*session.queue.totals)
        )
        session.tracker.status_changed.connect(self._show_tracking)
        session.preferences.changed.connect(self._preference_changed)
        self.settings.set_usual_folder(session.preferences.output_folder)
        self._show_choice()
        self._show_tracking()

    # What others call

    def add_paths(self, paths: Sequence[Path]) -> None:
        """Add clips and folders to the library."""
        self.session.library.add(paths)

    def come_forward(self, paths: Sequence[str] = ()) -> None:
        """Show the window in front of others, with more clips; another start asks for it."""
        if self.isMinimized():
            self.showNormal()
        self.raise_()
        self.activateWindow()
        if paths:
            self.add_paths([Path(path) for path in paths])

    def tell(self, message: str, kind: str = "info") -> None:
        """Say something in the window."""
        if kind == "error":
            self.notices.report(message)
        else:
            self.notices.post(message[:1].upper() + message[1:], kind)

    def report_fault(self, summary: str, details: str) -> None:
        """Tell a fault of the app itself, and log it."""
        self.notices.fault(summary, details)
        try:
            with (self.session.log_folder / "app.log").open("a", encoding="utf-8") as log:
                log.write(f"{details}\n")
        except OSError:
            return  # it was on stderr too

    def generate(self) -> None:
        """Queue the selected clips, or the current one."""
        self.session.generating.generate(self.chosen())

    def place(self) -> None:
        """Queue the own sound of the selected clips, or of the current one, to be placed."""
        self.session.generating.place(self.chosen())

    def chosen(self) -> list[int]:
        """Ids of the clips that the buttons are about."""
        library = self.session.library
        if library.selected:
            return library.selected
        return [] if library.current is None else [library.current.id]

    # What happens

    def _show_choice(self) -> None:
        library = self.session.library
        ids = self.chosen()
        clips = [clip for number in ids if (clip := library.find(number)) is not None]
        ready = [clip for clip in clips if clip.ready]
        self.generate_bar.show_choice(len(clips), len(ready))
        reasons = [self.session.generating.reason_against_placing(clip) for clip in clips]
        possible = reasons.count(None)
        self.generate_bar.show_placing(possible, reasons[0] if reasons else None)
        self.actions_.show_choice(bool(ready), library.current is not None, possible > 0)
        self._show_placed()

    def _show_placed(self) -> None:
        """The placed takes of the clip that the settings are of, to be mixed under others."""
        library, takes = self.session.library, self.session.takes
        current = library.current
        own = current is not None and self.chosen() == [current.id]
        stem = "" if current is None else current.path.stem
        self.settings.set_placed(
            [(t.wav, source_label(t.title, stem)) for t in takes.takes() if t.placed] if own else []
        )

    def _queued(self, count: int) -> None:
        status = self.statusBar()
        if status is not None:
            status.showMessage(f"{count} {'job' if count == 1 else 'jobs'} queued", 4000)
        self.queue_dock.show()

    def _listen(self, take: Take) -> None:
        self.session.takes.set_current(take.wav)
        self.session.player.play()

    def _use_settings(self, values: dict[str, object]) -> None:
        clip = self.session.library.current
        if clip is not None:
            self.session.generating.use_settings(clip, values)
            self.tabs.setCurrentWidget(self.settings)

    def _take_over(self, take: Take) -> None:
        count = self.session.sources.take_over(take.sources)
        if count:
            number = "1 source is" if count == 1 else f"{count} sources are"
            self.tell(f"{number} on the picture and the timeline now, to be edited.", "good")

    def _reroll_take(self, take: Take) -> None:
        span = self.session.timeline.range
        if span is None:
            self.tell("Select a range on the timeline first: drag with Shift, or I and O.", "info")
            return
        self.session.generating.reroll(take, *span)

    def _reroll(self, start: float, end: float) -> None:
        take = self.session.takes.current
        if take is None:
            self.tell("There is no take yet; generate one first.", "info")
            return
        self.session.generating.reroll(take, start, end)

    def _limit(self, start: float, end: float) -> None:
        clip = self.session.library.current
        if clip is not None:
            self.session.generating.limit(clip, start, end)
            self.tabs.setCurrentWidget(self.settings)

    def _open_take(self, path: str) -> None:
        """A finished job's take: its clip is chosen, the take heard."""
        wav = Path(path)
        for job in self.session.queue.jobs():
            if job.request.output == wav:
                library, wanted = self.session.library, job.request.clip
                clip = next((clip for clip in library.clips if clip.path == wanted), None)
                if clip is not None:
                    library.set_current(clip.id)
                    self.session.takes.set_current(wav)
                    self.tabs.setCurrentWidget(self.takes)
                    return
        self.tell(f"The clip of {wav.name} is no longer in the library.", "info")

    def _show_totals(self, fraction: float, eta: object) -> None:
        # The task list of the desktop shows it too, where the window is hidden.
        busy = 0.0 < fraction < 1.0
        self.total.setVisible(busy and not self.queue_dock.isVisible())
        self.total.setValue(round(1000 * fraction))
        self.setWindowTitle(f"{fraction:.0%} - {TITLE}" if busy else TITLE)

    def _show_tracking(self) -> None:
        status = self.session.tracker.status
        self.tracking.setText(status.text() if status.listening or status.sending else "")

    def _preference_changed(self, name: str) -> None:
        if name == "theme":
            self._apply_theme()
        elif name == "output_folder":
            self.settings.set_usual_folder(self.session.preferences.output_folder)

    def _apply_theme(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, self.session.preferences.theme)

    # Qt's side

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Clips and folders may be dropped anywhere."""
        if event is not None and _paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add what was dropped."""
        if event is not None and (paths := _paths(event.mimeData())):
            event.acceptProposedAction()
            self.add_paths(paths)

    def changeEvent(self, event: QEvent | None) -> None:
        """Back in front: files may have been moved or renamed meanwhile."""
        super().changeEvent(event)
        activated = event is not None and event.type() == QEvent.Type.ActivationChange
        if activated and self.isActiveWindow() and self.session.library.is_loaded:
            self.session.library.check_files()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Keep the window's shape, stop what runs (it waits again for the next start)."""
        preferences = self.session.preferences
        preferences.geometry = bytes(self.saveGeometry().data())
        preferences.window_state = bytes(self.saveState(STATE_VERSION).data())
        self.library.close_threads()
        self.stage.close_view()
        self.session.close()
        super().closeEvent(event)

    def _restore(self) -> None:
        preferences = self.session.preferences
        if not preferences.geometry or not self.restoreGeometry(preferences.geometry):
            screen = self.screen()
            room = QSize(1440, 900) if screen is None else screen.availableSize()
            self.resize(min(1440, room.width() - 40), min(900, room.height() - 60))
            self.resizeDocks([self.library_dock], [240], Qt.Orientation.Horizontal)
            self.resizeDocks([self.settings_dock], [330], Qt.Orientation.Horizontal)
            self.resizeDocks([self.queue_dock], [185], Qt.Orientation.Vertical)
        if preferences.window_state:
            self.restoreState(preferences.window_state, STATE_VERSION)


def _paths(data: QMimeData | None) -> list[Path]:
    return [] if data is None else list(local_paths(data))
