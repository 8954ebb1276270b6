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
        self._giving_up = False
        preferences.changed.connect(self._follow)
        tracker.problem.connect(self._settle)
        self._flip()
        self._listen()
        self._send()
        self._lead()

    def _follow(self, name: str) -> None:
        if name == "tracking_flips":
            self._flip()
        elif name.startswith("tracking"):
            self._listen()
        elif name.startswith("daw"):
            self._listen()
            self._lead()
        elif name.startswith("sending"):
            self._send()

    def _flip(self) -> None:
        self._tracker.set_flips(*self._preferences.tracking_flips)

    def _listen(self) -> None:
        wanted = self._preferences
        if self._giving_up:
            return
        self._tracker.heed_head(wanted.tracking)
        # One port for both: what turns the head, and what a DAW says of its time line.
        if not (wanted.tracking or wanted.daw):
            self._tracker.stop()
        elif not self._tracker.start(wanted.tracking_port, wanted.tracking_host):
            self._give_up()

    def _give_up(self) -> None:
        """Without the port there is neither."""
        self._giving_up = True
        self._preferences.tracking = self._preferences.daw = False
        self._giving_up = False

    def _send(self) -> None:
        wanted = self._preferences
        if not wanted.sending:
            self._tracker.stop_sending()
        elif not self._tracker.start_sending(
            wanted.sending_port, wanted.sending_host, wanted.sending_style
        ):
            wanted.sending = False

    def _lead(self) -> None:
        wanted = self._preferences
        if not wanted.daw:
            self._tracker.stop_leading()
        elif not self._tracker.start_leading(wanted.daw_port):
            wanted.daw = False

    def _settle(self, _: str) -> None:
        """Something may have stopped by itself."""
        wanted = self._preferences
        if (wanted.tracking or wanted.daw) and not self._tracker.listening:
            self._give_up()
