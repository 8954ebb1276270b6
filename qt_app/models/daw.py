"""The player and a DAW's time line, together: what one does the other does too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PyQt6.QtCore import QObject

from qt_app.models.player import Player
from qt_app.models.preferences import Preferences
from qt_app.tracking.tracker import OscTracker
from qt_app.tracking.transport import Moment

# Seconds after a word to the DAW in which its own are its echo, or tell of a time before.
_ECHO = 0.3
# Seconds by which a time line that runs may differ before the player goes there, or before the
# player's own going elsewhere is told.
_APART = 0.1
# Seconds between two corrections while both run: the sound needs a moment to follow.
_CORRECT_EVERY = 1.0


class DawTransport(QObject):
    """Has the player follow a DAW, and the DAW follow the player, where the preferences say so.

    The clip begins at 0 of the DAW's time line, as in the REAPER projects that are delivered. What
    comes from the DAW is not sent back to it.

    Parameters
    ----------
    clock
        Seconds that only grow; for tests.
    """

    def __init__(
        self,
        preferences: Preferences,
        tracker: OscTracker,
        player: Player,
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._preferences, self._tracker, self._player = preferences, tracker, player
        self._clock = clock
        self._following = False
        self._quiet_until = self._corrected = -_CORRECT_EVERY
        self._place, self._at = player.position, clock()
        tracker.moment.connect(self._heard)
        player.playing_changed.connect(self._played)
        player.position_changed.connect(self._moved)

    # From the DAW

    def _heard(self, moment: Moment) -> None:
        player, now = self._player, self._clock()
        if not self._preferences.daw or not player.duration or now < self._quiet_until:
            return
        with self._follow():
            if moment.seconds is not None:
                self._go(min(moment.seconds, player.duration), now)
            if moment.playing and player.position < player.duration - _APART:
                player.play()
            elif moment.playing is False:
                player.pause()

    def _go(self, seconds: float, now: float) -> None:
        player = self._player
        apart = abs(seconds - player.position)
        if player.playing:
            if apart <= _APART or now < self._corrected + _CORRECT_EVERY:
                return
            self._corrected = now
        if apart > 1e-3:
            player.seek(seconds)

    @contextmanager
    def _follow(self) -> Iterator[None]:
        self._following = True
        try:
            yield
        finally:
            self._following = False

    # To the DAW

    def _played(self, playing: bool) -> None:
        player = self._player
        # The clip's end is not the end of what the DAW plays.
        ended = not playing and player.position >= player.duration - _APART
        if not ended:
            self._tell(Moment(playing, player.position))
        self._remember(player.position)

    def _moved(self, seconds: float) -> None:
        player, now = self._player, self._clock()
        expected = self._place + (now - self._at if player.playing else 0.0)
        went = abs(seconds - expected) > (_APART if player.playing else 1e-3)
        if went and seconds < player.duration:
            self._tell(Moment(seconds=seconds))
        self._remember(seconds)

    def _remember(self, seconds: float) -> None:
        self._place, self._at = seconds, self._clock()

    def _tell(self, moment: Moment) -> None:
        if self._following or not self._tracker.leading:
            return
        self._quiet_until = self._clock() + _ECHO
        self._tracker.tell_daw(moment)
