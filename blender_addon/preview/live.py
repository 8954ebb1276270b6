"""A take that is heard live: turned with the view, in step with the scene's frames."""

from __future__ import annotations

import time
from typing import Any

import bpy

from omniaudio_studio.errors import OptionError

from .. import compat, takes, world
from . import orientation, viewpoint
from .streams import Streams
from .sync import JUMP, Sync

SCRUB_SECONDS = 0.1  # of sound at a frame that is gone to
LOOK_SECONDS = 0.25  # between two looks at what seldom changes
STEP_SECONDS = 0.1  # after which it shows whether all streams began together

_TURNED = 1e-5


class Live:
    """The streams of one take of one scene.

    Parameters
    ----------
    scene, take
        Of the take only what `takes.current` tells is kept, of the scene only how to find it.
    answer
        Of the question "listening".

    Attributes
    ----------
    problem : str
        What of the scene cannot be followed, in one line; empty where all can.

    Raises
    ------
    Refused
        If the sound device does not play the streams.
    """

    def __init__(self, scene: Any, take: takes.Take, answer: dict[str, Any]) -> None:
        self._uid, self._name = compat.session_uid(scene), scene.name
        self.take = take
        self.problem = ""
        self._seconds = answer["samples"] / answer["rate"]
        self.streams = Streams(answer["streams"])
        self._viewpoint = viewpoint.Viewpoint()
        self._sync = Sync()
        self._volumes: list[float] = []
        self._field: orientation.Matrix = orientation.IDENTITY
        self._level = 1.0
        self._frame: float | None = None
        self._quiet_at = 0.0
        self._look_at = 0.0
        self._step_at: float | None = None

    def scene(self) -> Any | None:
        """The scene; None where it is gone."""
        return compat.scene_of(self._uid, self._name)

    def tick(self) -> bool:
        """Follow the view; False where the scene or its take is gone, or another was chosen."""
        scene = self.scene()
        if scene is None:
            return False
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            take = takes.current(scene)
            if take is None or (take.key, take.wav) != (self.take.key, self.take.wav):
                return False
            self.take = take
            self._look(scene)
        if bpy.app.is_job_running("RENDER"):
            self.pause()
            return True
        if self.streams.playing and now >= self._quiet_at and not viewpoint.playing(scene):
            self.pause()
        if self._step_at is not None and now >= self._step_at and self.streams.playing:
            self._step_at = None
            if self.streams.alive and not self.streams.in_step:
                self.streams.play(self.streams.position)
        self._turn(scene)
        return True

    def begin(self, scene: Any) -> None:
        """Playing begins: sound at once, where the device is open already.

        Blender opens it after this where it had closed it; then the next frame begins the sound.
        """
        if scene == self.scene() and self.streams.alive:
            self._frame = None
            self._play(scene)

    def pause(self) -> None:
        """Fall silent; the next frame that is played begins anew."""
        self._frame = None
        if self.streams.playing:
            self.streams.pause()

    def frame_changed(self, scene: Any) -> None:
        """A frame is shown, by playing or by going to it."""
        if scene != self.scene() or bpy.app.is_job_running("RENDER"):
            return
        if not viewpoint.playing(scene):
            if scene.use_audio_scrub:
                self._quiet_at = time.monotonic() + max(SCRUB_SECONDS, 1 / self.take.fps)
                self._play(scene)
            return
        before, self._frame = self._frame, scene.frame_current_final
        if self._frame == before:  # it waits; the sound is set right once it goes on
            return
        if before is not None and -JUMP < (self._frame - before) / self.take.fps < 0:
            if self.streams.playing:  # backwards; the next frame finds it silent
                self.streams.pause()
            return
        place = self._place(scene)
        if place is None:
            if self.streams.playing:
                self.streams.pause()
        elif (
            not self.streams.playing
            or not self.streams.alive
            or self._sync.lost(self.streams.position - place)
        ):
            self._play(scene)

    def stop(self) -> None:
        """Take the streams off the device."""
        self.streams.stop()

    def _place(self, scene: Any) -> float | None:
        """Seconds of the field that sound at the scene's frame; None where it is not heard."""
        frame = scene.frame_current_final
        if not self.take.first_frame <= frame < self.take.last_frame + 1:
            return None
        place = (frame - self.take.frame_start) / self.take.fps
        return place if 0 <= place < self._seconds else None

    def _play(self, scene: Any) -> None:
        place = self._place(scene)
        if place is None:
            self.pause()
            return
        if not self.streams.alive:
            self.streams.open()
        self._turn(scene)
        self._sync.reset()
        self._step_at = time.monotonic() + STEP_SECONDS
        self.streams.play(place)

    def _turn(self, scene: Any) -> None:
        view = self._viewpoint.rotation(scene, scene.omniaudio.preview_from)
        level = self._level * scene.audio_volume if scene.use_audio else 0.0
        head = orientation.head(view, self._field)
        volumes = [level * volume for volume in orientation.volumes(head, self.streams.channels)]
        if len(volumes) != len(self._volumes) or any(
            abs(new - old) > _TURNED for new, old in zip(volumes, self._volumes, strict=True)
        ):
            self._volumes = volumes
            self.streams.turn(volumes)

    def _look(self, scene: Any) -> None:
        strip = takes.binaural_strip(scene, self.take.key)
        self._level = 1.0 if strip is None else strip.volume
        self.problem = ""
        if self.take.world:
            try:
                self._field = world.field_rotation(scene, self.take.yaw)
            except OptionError as error:
                self.problem = str(error)
        else:
            self._field = orientation.IDENTITY
