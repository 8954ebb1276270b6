"""Head tracking as the preferences say, now and whenever they change."""

from __future__ import annotations

from PyQt6.QtCore import QObject

from qt_app.models.preferences import Preferences
from qt_app.tracking.tracker import OscTracker


class TrackingFollower(QObject):
    """Starts and stops a tracker as the preferences say.

    Where a port cannot be had, the tracker tells its problem and the preference goes off, so that
    the window shows what is the case.
    """

    def __init__(
        self, preferences: Preferences, tracker: OscTracker, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._preferences, self._tracker = preferences, tracker
        preferences.changed.connect(self._follow)
        tracker.problem.connect(self._settle)
        self._flip()
        self._listen()
        self._send()

    def _follow(self, name: str) -> None:
        if name == "tracking_flips":
            self._flip()
        elif name.startswith("tracking"):
            self._listen()
        elif name.startswith("sending"):
            self._send()

    def _flip(self) -> None:
        self._tracker.set_flips(*self._preferences.tracking_flips)

    def _listen(self) -> None:
        wanted = self._preferences
        if not wanted.tracking:
            self._tracker.stop()
        elif not self._tracker.start(wanted.tracking_port, wanted.tracking_host):
            wanted.tracking = False

    def _send(self) -> None:
        wanted = self._preferences
        if not wanted.sending:
            self._tracker.stop_sending()
        elif not self._tracker.start_sending(
            wanted.sending_port, wanted.sending_host, wanted.sending_style
        ):
            wanted.sending = False

    def _settle(self, _: str) -> None:
        """Something may have stopped by itself."""
        if self._preferences.tracking and not self._tracker.listening:
            self._preferences.tracking = False
