"""From the jittering moments at which a device asks for sound to a steady clock."""

from __future__ import annotations

import math

from qt_app.sound.shared import Clock

_SETTLED_HZ = 0.3
_EAGER_HZ = 4.0
_EAGER_SECONDS = 1.0
_LOST_SECONDS = 0.06


class DeviceClock:
    """When each frame is heard, smoothed by a delay-locked loop of second order.

    Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005. Its bandwidth starts wide
    and narrows in the first second. A jump (the device ran dry, was opened again) starts it anew.

    Attributes
    ----------
    frame : int
    time : float
        The moment at which ``frame`` is heard.
    seconds_per_frame : float
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.frame = 0
        self.time = 0.0
        self.seconds_per_frame = 1.0 / rate
        self._since = 0.0
        self._known = False

    def now(self, end: int) -> Clock:
        """What to share; frames before ``end`` have been made."""
        return Clock(self.frame, self.time, self.seconds_per_frame, self.rate, end)

    def update(self, frame: int, heard: float) -> None:
        """The block that starts with ``frame`` is said to be heard at the moment ``heard``."""
        count = frame - self.frame
        expected = self.time + count * self.seconds_per_frame
        error = heard - expected
        if not self._known or count <= 0 or abs(error) > _LOST_SECONDS:
            self.frame, self.time = frame, heard
            self.seconds_per_frame = 1.0 / self.rate
            self._since, self._known = heard, True
            return
        settling = min((heard - self._since) / _EAGER_SECONDS, 1.0)
        hertz = _EAGER_HZ + (_SETTLED_HZ - _EAGER_HZ) * max(settling, 0.0)
        omega = 2.0 * math.pi * hertz * count / self.rate
        self.frame = frame
        self.time = expected + min(math.sqrt(2.0) * omega, 1.0) * error
        self.seconds_per_frame += omega * omega / count * error
