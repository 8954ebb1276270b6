"""Where the viewer looks and how wide, the one model that picture, sound and tracker share."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, pyqtSignal

from qt_app.angles import quaternion
from qt_app.picture import camera
from qt_app.picture.camera import Vector

DEFAULT_FOV = math.radians(90)
NARROWEST, WIDEST = math.radians(30), math.radians(140)
ZOOM_PER_STEP = 1.12  # of the picture's size, a notch of the wheel


class LookModel(QObject):
    """The orientation of the viewer's head and the width of what is seen.

    Angles are radians, named as in `omniaudio_studio.foa.rotation`: yaw turns to the left, pitch
    looks up, roll lifts the left side; all zero looks at the picture's centre. The head's axes
    become the world's by R = Rz(yaw) Ry(-pitch) Rx(roll).
    """

    changed = pyqtSignal()  # any of the values

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._yaw = 0.0
        self._pitch = 0.0
        self._roll = 0.0
        self._fov = DEFAULT_FOV
        self._home = 0.0

    @property
    def yaw(self) -> float:
        """Azimuth that is looked at, in (-pi, pi], left positive."""
        return self._yaw

    @yaw.setter
    def yaw(self, value: float) -> None:
        self.set_orientation(value, self._pitch, self._roll)

    @property
    def pitch(self) -> float:
        """Elevation that is looked at, in [-pi/2, pi/2]; what is given beyond is cut off."""
        return self._pitch

    @pitch.setter
    def pitch(self, value: float) -> None:
        self.set_orientation(self._yaw, value, self._roll)

    @property
    def roll(self) -> float:
        """Tilt of the head, in (-pi, pi]; positive lifts the left side."""
        return self._roll

    @roll.setter
    def roll(self, value: float) -> None:
        self.set_orientation(self._yaw, self._pitch, value)

    @property
    def fov(self) -> float:
        """Horizontal field of view, 30 to 140 degrees; what is given beyond is cut off."""
        return self._fov

    @fov.setter
    def fov(self, value: float) -> None:
        if not math.isfinite(value):
            return
        wide = min(max(value, NARROWEST), WIDEST)
        if wide != self._fov:
            self._fov = wide
            self.changed.emit()

    @property
    def home(self) -> float:
        """Azimuth that `recentre` goes to: the clip's front."""
        return self._home

    @home.setter
    def home(self, value: float) -> None:
        if math.isfinite(value):
            self._home = camera.wrapped(value)

    def set_orientation(self, yaw: float, pitch: float, roll: float = 0.0) -> None:
        """Look somewhere else; one signal. Angles that are not finite change nothing."""
        if not (math.isfinite(yaw) and math.isfinite(pitch) and math.isfinite(roll)):
            return
        right = math.pi / 2
        new = (camera.wrapped(yaw), min(max(pitch, -right), right), camera.wrapped(roll))
        if new != (self._yaw, self._pitch, self._roll):
            self._yaw, self._pitch, self._roll = new
            self.changed.emit()

    def set_quaternion(self, w: float, x: float, y: float, z: float) -> None:
        """Look as a head tracker says; of any length but zero."""
        angles = camera.angles_of_quaternion(w, x, y, z)
        if angles is not None:
            self.set_orientation(*angles)

    def quaternion(self) -> tuple[float, float, float, float]:
        """The orientation as a unit quaternion (w, x, y, z)."""
        return quaternion(self._yaw, self._pitch, self._roll)

    def matrix(self) -> NDArray[np.float64]:
        """The orientation as a matrix (3, 3), from the head's axes to the world's."""
        return np.array(camera.matrix(self._yaw, self._pitch, self._roll))

    def turn(self, yaw: float, pitch: float) -> None:
        """Look further to the left and further up."""
        self.set_orientation(self._yaw + yaw, self._pitch + pitch, self._roll)

    def zoom(self, steps: float) -> None:
        """Look closer, in notches of a wheel; negative ones show more."""
        if math.isfinite(steps):
            steps = min(max(steps, -100.0), 100.0)
            self.fov = 2 * math.atan(math.tan(self._fov / 2) / ZOOM_PER_STEP**steps)

    def recentre(self) -> None:
        """Look at the front of the clip, level."""
        self.set_orientation(self._home, 0.0, 0.0)

    def direction_at(self, x: float, y: float, width: float, height: float) -> Vector:
        """The unit vector of the world that is shown at a place of a view.

        Parameters
        ----------
        x, y : float
            From the view's upper left corner, in the units of its size.
        width, height : float
        """
        turn = camera.matrix(self._yaw, self._pitch, self._roll)
        return camera.turned(turn, camera.ray(x, y, width, height, self._fov))

    def place_of(
        self, direction: Vector, width: float, height: float
    ) -> tuple[float, float] | None:
        """Where a view shows a direction, also outside of the view; None behind the viewer."""
        turn = camera.matrix(self._yaw, self._pitch, self._roll)
        return camera.place(camera.turned_back(turn, direction), width, height, self._fov)

    def drag(self, x0: float, y0: float, x1: float, y1: float, width: float, height: float) -> None:
        """Take what is shown at (x0, y0) to (x1, y1); see `hold`."""
        self.hold(self.direction_at(x0, y0, width, height), x1, y1, width, height)

    def hold(self, direction: Vector, x: float, y: float, width: float, height: float) -> None:
        """Look so that a direction is shown at a place of the view, without tilting the head.

        Where no yaw and pitch in range do that (over a pole), the direction's azimuth is kept
        under the place and the elevation comes as near as it can.
        """
        seen = camera.ray(x, y, width, height, self._fov)
        yaw, pitch = camera.look_for(direction, seen, self._yaw, self._pitch, self._roll)
        self.set_orientation(yaw, pitch, self._roll)
