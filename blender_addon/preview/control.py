"""The preview as a whole: off, being made, or live; its timer and its handlers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent

from omniaudio_studio.errors import OptionError

from .. import compat, questions, takes
from . import muting
from .live import Live
from .streams import Refused

TICK_SECONDS = 1 / 30
KEPT_TICKS = 4096

INSTEAD = "the take is heard facing the front, as its strip for headphones"


class Preview:
    """The one preview there can be: there is one sound device.

    Attributes
    ----------
    live : Live or None
        What sounds.
    fraction : float or None
        Of the streams that are being made, 0 to 1; None where nothing is made.
    message : str
        Why it ended, in one line; empty where it was ended.
    ticks : deque of float
        Seconds that the last ticks of the timer took.
    """

    def __init__(self) -> None:
        self.live: Live | None = None
        self.fraction: float | None = None
        self.message = ""
        self.ticks: deque[float] = deque(maxlen=KEPT_TICKS)
        self._ticket: int | None = None

    @property
    def running(self) -> bool:
        """Whether it is live, or is going to be."""
        return self.live is not None or self._ticket is not None

    def start(self, scene: Any) -> None:
        """Have the streams of the scene's take made, and play them from then on.

        Raises
        ------
        OptionError
            If there is no take, or no sound device.
        """
        self.stop()
        take = takes.current(scene)
        if take is None:
            raise OptionError("there is no take to listen to; generate spatial audio first")
        if bpy.context.preferences.system.audio_device == "None":
            raise OptionError(
                "Blender plays no sound: choose a device in Preferences > System > Sound; until "
                f"then {INSTEAD}"
            )
        uid, name = compat.session_uid(scene), scene.name

        def made(answer: dict[str, Any]) -> None:
            self._ticket = self.fraction = None
            found = compat.scene_of(uid, name)
            now = takes.current(found) if found is not None else None
            if found is None or now is None:
                self.stop("the take is gone")
            elif (now.key, now.wav) != (take.key, take.wav):
                self._again(found)
            else:
                self._begin(found, now, answer)

        self._ticket = questions.ask(
            "listening", made, self._failed, self._progress, path=str(take.wav)
        )
        self.fraction = 0.0
        compat.redraw()

    def stop(self, message: str = "") -> None:
        """End it; what it muted is heard again. Safe to call at any time."""
        if self._ticket is not None:
            questions.cancel(self._ticket)
        live, self.live, self._ticket, self.fraction = self.live, None, None, None
        if bpy.app.timers.is_registered(_tick):
            bpy.app.timers.unregister(_tick)
        if live is not None:
            live.stop()
            muting.release()
        self.message = message
        compat.redraw()

    def settle(self) -> None:
        """Put right which strips are muted, after an undo or a save."""
        muting.release()
        if self.live is not None and (scene := self.live.scene()) is not None:
            muting.mute(scene, self.live.take.key)

    def tick(self) -> None:
        """What the timer does."""
        began = time.perf_counter()
        live = self.live
        if live is not None and not live.tick():
            scene = live.scene()
            if scene is None or takes.current(scene) is None:
                self.stop("the preview ended: its take is gone")
            else:
                self._again(scene)
        self.ticks.append(time.perf_counter() - began)

    def _begin(self, scene: Any, take: takes.Take, answer: dict[str, Any]) -> None:
        try:
            self.live = Live(scene, take, answer)
        except Refused as error:
            self.stop(f"{error}; {INSTEAD}")
            return
        muting.mute(scene, take.key)
        bpy.app.timers.register(_tick, first_interval=0.0)
        compat.redraw()

    def _again(self, scene: Any) -> None:
        """Another take was chosen."""
        try:
            self.start(scene)
        except OptionError as error:
            self.stop(str(error))

    def _progress(self, part: float) -> None:
        self.fraction = part
        compat.redraw()

    def _failed(self, line: str) -> None:
        self._ticket = self.fraction = None
        self.stop(line)


preview = Preview()


def guarded(work: Callable[..., None], *arguments: Any) -> None:
    """Do something of the preview's; what goes wrong ends it with one line."""
    try:
        work(*arguments)
    except Refused as error:
        preview.stop(f"{error}; {INSTEAD}")
    except Exception as error:
        # Blender would drop the timer and let the sound run on.
        preview.stop(f"the preview ended: unexpected {type(error).__name__}: {error}")


def _tick() -> float | None:
    guarded(preview.tick)
    return TICK_SECONDS if preview.live is not None else None


# While an animation is rendered, Blender calls handlers from another thread.
def _ours() -> Live | None:
    return preview.live if threading.current_thread() is threading.main_thread() else None


@persistent
def _frame_changed(scene: Any, _graph: Any = None) -> None:
    if (live := _ours()) is not None:
        guarded(live.frame_changed, scene)


@persistent
def _playing_begins(scene: Any, _graph: Any = None) -> None:
    if (live := _ours()) is not None:
        guarded(live.begin, scene)


@persistent
def _playing_ends(_scene: Any, _graph: Any = None) -> None:
    if (live := _ours()) is not None:
        guarded(live.pause)


@persistent
def _load_begins(*_: Any) -> None:
    preview.stop()


@persistent
def _save_begins(*_: Any) -> None:
    muting.release()  # a saved file does not know of the preview


@persistent
def _changed(*_: Any) -> None:
    preview.settle()


_HANDLERS: dict[str, Callable[..., None]] = {
    "frame_change_post": _frame_changed,
    "animation_playback_pre": _playing_begins,
    "animation_playback_post": _playing_ends,
    "load_pre": _load_begins,
    "load_post": _changed,
    "undo_post": _changed,
    "redo_post": _changed,
    "save_pre": _save_begins,
    "save_post": _changed,
    "save_post_fail": _changed,
}


def register() -> None:
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    preview.stop()
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
