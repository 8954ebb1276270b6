"""Marks on the 360 view and the clip's sources and hints, tied together."""

from __future__ import annotations

import math
from collections.abc import Callable

from PyQt6.QtCore import QObject, QPoint, Qt

from qt_app import theme
from qt_app.picture.view import SphereView
from qt_app.sources.markers import markers_at
from qt_app.sources.menu import direction_menu, mark_menu
from qt_app.sources.model import Picked, SourcesModel


class SourceHands(QObject):
    """Shows the marks, and does what mouse, keys and menu over the picture want of them.

    Parameters
    ----------
    edit
        Opens the form for a keyframe or hint.
    ahead
        Looks at the clip's front.
    """

    def __init__(
        self,
        view: SphereView,
        sources: SourcesModel,
        edit: Callable[[Picked], None],
        ahead: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._view, self._sources, self._edit, self._ahead = view, sources, edit, ahead
        marking = view.marking
        marking.pressed.connect(sources.begin_drag)
        marking.moved.connect(lambda az, el: sources.drag_to(*_degrees(az, el)))
        marking.released.connect(sources.end_drag)
        marking.wanted.connect(lambda az, el: sources.add_source(*_degrees(az, el)))
        marking.chosen.connect(sources.pick)
        marking.nudged.connect(sources.nudge)
        marking.removed.connect(sources.remove_picked)
        marking.next_wanted.connect(sources.pick_next)
        marking.source_wanted.connect(self.add_source)
        marking.hint_wanted.connect(self.add_hint)
        marking.menu_wanted.connect(self._open_menu)
        view.direction_clicked.connect(self._put)
        for signal in (sources.changed, sources.picked_changed, theme.signals.changed):
            signal.connect(view.refresh_markers)
        view.set_markers(lambda time: markers_at(sources, time))

    def add_source(self) -> None:
        """In the middle of the view, at the playhead."""
        self._sources.add_source(*_degrees(*self._view.centre()))

    def add_hint(self) -> None:
        """In the middle of the view, over the range or the shot."""
        self._sources.add_hint(*_degrees(*self._view.centre()))

    def _put(self, azimuth: float, elevation: float) -> None:
        """What is chosen goes there, at the playhead; a new source where nothing is."""
        picked = self._sources.picked
        if not self._view.can_mark:
            return
        if picked is None:
            self._sources.add_source(*_degrees(azimuth, elevation))
        else:
            self._sources.place(picked, *_degrees(azimuth, elevation))

    def _open_menu(
        self, key: Picked | None, azimuth: float, elevation: float, place: QPoint
    ) -> None:
        if key is None:
            menu = direction_menu(
                self._view, self._sources, *_degrees(azimuth, elevation), self._ahead
            )
        else:
            self._sources.pick(key)
            menu = mark_menu(self._view, self._sources, key, self._edit)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)


def _degrees(azimuth: float, elevation: float) -> tuple[float, float]:
    return math.degrees(azimuth), math.degrees(elevation)
