"""Menus and keys of the window, and the dialogs that they open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, QUrl
from PyQt6.QtGui import QAction, QDesktopServices, QKeySequence, QUndoGroup
from PyQt6.QtWidgets import QApplication, QMenu, QMessageBox, QWidget

from qt_app import icons
from qt_app.widgets.deliver_dialog import DeliverDialog
from qt_app.widgets.take_grid import TakeGridDialog

if TYPE_CHECKING:
    from qt_app.models.take import Take
    from qt_app.widgets.about_device import AboutDevice
    from qt_app.widgets.main_window import MainWindow
    from qt_app.widgets.preferences_dialog import PreferencesDialog

KEYS = (
    ("Space", "play or pause"),
    (", and .", "one frame back or on"),
    ("Ctrl+Home, Ctrl+End", "start, end"),
    ("L", "repeat the range or the clip"),
    ("I, O", "range from here, to here; Esc clears it"),
    ("1 to 9", "hear that take, mono, the camera's own sound"),
    ("A, or Tab on the picture", "back to the sound heard before"),
    ("Arrows on the picture", "look around; Home looks ahead"),
    ("+, -", "zoom the picture"),
    ("N, H", "add a source, a hint in the middle of the picture; a double click adds a source"),
    ("M, then arrows", "choose a source or hint and move it; Del removes it, Esc lets go"),
    ("E, G", "energy, grid on the picture"),
    ("Ctrl+Return", "generate spatial audio"),
)


class Actions(QObject):
    """All actions of the main window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = session = window.session
        self._about_device: AboutDevice | None = None
        self._preferences: PreferencesDialog | None = None
        self.undo_group = QUndoGroup(self)
        self.undo_group.addStack(session.library.undo_stack)
        self.undo_group.addStack(session.timeline.undo_stack)
        session.library.undo_stack.setActive()
        # Also where a button outside of picture and timeline has edited them.
        session.sources.edited.connect(lambda _: session.timeline.undo_stack.setActive())
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_changed)
        self._fill_menus()

    def _fill_menus(self) -> None:
        window, session = self._window, self._session
        bar = window.menuBar()
        assert bar is not None

        file = self._menu("&File")
        self._add(file, "&Add clips...\tCtrl+O", window.library.ask_for_clips, icon="add")
        self._add(file, "Add a &folder...", window.library.ask_for_folder, "Ctrl+Shift+O", "folder")
        file.addSeparator()
        self._add(file, "&Preferences...", self.show_preferences, "Ctrl+,", "settings")
        file.addSeparator()
        self._add(file, "&Quit", window.close, QKeySequence.StandardKey.Quit)

        edit = self._menu("&Edit")
        undo = self.undo_group.createUndoAction(self, "Undo")
        redo = self.undo_group.createRedoAction(self, "Redo")
        assert undo is not None and redo is not None
        undo.setShortcut(QKeySequence(QKeySequence.StandardKey.Undo))
        redo.setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        edit.addAction(undo)
        edit.addAction(redo)

        generate = self._menu("&Generate")
        self.generate = self._add(
            generate, "&Generate spatial audio", window.generate, "Ctrl+Return", "generate"
        )
        self.several = self._add(
            generate, "&Several takes...", self.ask_for_grid, "Ctrl+Shift+Return"
        )
        self.place = self._add(
            generate, "&Place my own sound", window.place, "Ctrl+Alt+Return", "place"
        )
        generate.addSeparator()
        self.pause = self._add(
            generate, "&Pause the queue", lambda: session.queue.pause(not session.queue.paused)
        )
        self.pause.setCheckable(True)
        session.queue.paused_changed.connect(self.pause.setChecked)
        self._add(generate, "&Unload models", session.queue.unload)

        play = self._menu("&Listen")
        self._add(play, "&Play or pause\tSpace", session.player.toggle, icon="play")
        self._add(play, "&Next sound", session.player.next_source)
        self._add(play, "Sound heard &before\tA", session.player.swap_sources)
        play.addSeparator()
        self._add(play, "&Look ahead\tHome", session.look.recentre)
        self._add(play, "Take the head's position as &front", session.tracker.take_front)
        self._add(play, "&Head tracking...", self.show_tracking, icon="head-tracking")

        view = self._menu("&View")
        for dock in (window.library_dock, window.settings_dock, window.queue_dock):
            toggle = dock.toggleViewAction()
            if toggle is not None:
                view.addAction(toggle)
        view.addSeparator()
        stage = window.stage.view
        energy = self._add(view, "&Energy of the field\tE", lambda: None)
        grid = self._add(view, "Gr&id\tG", lambda: None)
        for action, on, switch, changed in (
            (energy, stage.energy_shown, stage.set_energy_shown, stage.energy_changed),
            (grid, stage.grid, stage.set_grid, stage.grid_changed),
        ):
            action.setCheckable(True)
            action.setChecked(on)
            action.toggled.connect(switch)
            changed.connect(action.setChecked)
        view.addSeparator()
        for number, (title, widget) in enumerate(
            (
                ("Go to the &library", window.library.view),
                ("Go to the &picture", window.stage.view),
                ("Go to the &timeline", window.stage.timeline),
                ("Go to the &queue", window.queue.view),
            ),
            1,
        ):
            self._add(view, title, partial(self._go_to, widget), f"Alt+{number}")
        self._add(view, "Go to the &settings", lambda: self._go_to_tab(window.settings), "Alt+5")
        self._add(view, "Go to the ta&kes", lambda: self._go_to_tab(window.takes), "Alt+6")

        about = self._menu("&Help")
        self._add(about, "&Keys...", self.show_keys, "F1")
        self._add(about, "About this &device...", self.show_device, icon="info")
        self._add(about, "Open the folder of the &logs", self._open_logs)
        self._add(about, "&About OmniAudio Studio...", self.show_about)

    def _menu(self, title: str) -> QMenu:
        bar = self._window.menuBar()
        menu = None if bar is None else bar.addMenu(title)
        assert menu is not None
        menu.setToolTipsVisible(True)
        return menu

    def _add(
        self,
        menu: QMenu,
        title: str,
        run: Callable[[], Any],
        key: str | QKeySequence.StandardKey | None = None,
        icon: str = "",
    ) -> QAction:
        action = QAction(title, self)
        if icon:
            action.setIcon(icons.icon(icon))
        if key is not None:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: run())
        menu.addAction(action)
        return action

    def show_choice(self, ready: bool, current: bool, own: bool) -> None:
        """Whether something can be generated, whether one clip is current, and own sound placed."""
        self.place.setEnabled(own)
        self.generate.setEnabled(ready)
        self.several.setEnabled(ready and current)

    # Dialogs

    def ask_for_grid(self) -> None:
        """Seeds and CFG values for the current clip, then the queue."""
        clip = self._session.library.current
        if clip is None:
            return
        bundle = self._session.catalogue.bundle(clip.settings.bundle)
        dialog = TakeGridDialog(clip.settings, None if bundle is None else bundle.cfg, self._window)
        if dialog.exec() and (wanted := dialog.chosen()):
            self._session.generating.generate_grid(clip, wanted)
        dialog.deleteLater()

    def ask_for_files(self, take: Take) -> None:
        """What is to be made of a take, then the queue."""
        dialog = DeliverDialog(take, self._window)
        if dialog.exec() and (wanted := dialog.chosen()):
            self._session.generating.deliver(
                take, wanted, overwrite=dialog.replaces(), provenance=dialog.origin.isChecked()
            )
        dialog.deleteLater()

    def show_preferences(self, page: str = "General") -> None:
        """Not modal, one at a time."""
        from qt_app.widgets.preferences_dialog import PreferencesDialog

        if self._preferences is None:
            session = self._session
            self._preferences = PreferencesDialog(
                session.preferences, session.tracker, session.player.devices, self._window
            )
            session.player.devices_changed.connect(self._preferences.set_sound_devices)
        if not self._session.player.playing:  # looking for outputs would interrupt the sound
            self._session.player.refresh_devices()
        self._preferences.show_page(page)
        _bring(self._preferences)

    def show_tracking(self) -> None:
        """The preferences' page for it."""
        self.show_preferences("Head tracking")

    def show_device(self) -> None:
        """Providers and why one was or wasn't taken; bundles; versions."""
        from qt_app.widgets.about_device import AboutDevice

        if self._about_device is None:
            self._about_device = AboutDevice(self._session.log_folder, self._window)
            self._about_device.unload_requested.connect(self._session.queue.unload)
            self._about_device.refresh_requested.connect(self._ask_about_device)
        self._ask_about_device()
        _bring(self._about_device)

    def _ask_about_device(self) -> None:
        dialog, ask = self._about_device, self._session.analysis.ask
        if dialog is not None:
            ask("device", dialog.set_device, dialog.set_failure, priority=30)
            ask("bundles", dialog.set_bundles, dialog.set_failure, priority=30)
            self._session.catalogue.refresh()

    def show_keys(self) -> None:
        """Every key that is no menu's."""
        lines = "".join(
            f"<tr><td><b>{keys}</b>&nbsp;&nbsp;</td><td>{what}</td></tr>" for keys, what in KEYS
        )
        QMessageBox.information(self._window, "Keys", f"<table>{lines}</table>")

    def show_about(self) -> None:
        """Name, version, licence."""
        from omniaudio_studio import __version__

        QMessageBox.about(
            self._window,
            "About OmniAudio Studio",
            f"<h3>OmniAudio Studio {__version__}</h3><p>Spatial sound for 360 video, generated "
            "from the picture on your own machine.</p><p>Free software under the GNU General "
            "Public License, version 3 or later. Model bundles have licences of their own.</p>",
        )

    def _open_logs(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._session.log_folder)))

    # Focus

    def _go_to(self, widget: QWidget) -> None:
        parent = widget.parentWidget()
        while parent is not None and not parent.isVisible():
            parent.show()
            parent = parent.parentWidget()
        widget.setFocus()

    def _go_to_tab(self, widget: QWidget) -> None:
        self._window.settings_dock.show()
        self._window.tabs.setCurrentWidget(widget)
        target = widget.nextInFocusChain()
        if target is not None:
            target.setFocus()

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        """Undo is about what the focus is in."""
        timeline, view = self._window.stage.timeline, self._window.stage.view
        if now is None:
            return
        if now is view or now is timeline or timeline.isAncestorOf(now):
            self._session.timeline.undo_stack.setActive()
        else:
            self._session.library.undo_stack.setActive()


def _bring(dialog: QWidget) -> None:
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
