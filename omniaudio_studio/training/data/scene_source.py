"""Drawn scenes as a source: each stored scene, cut into excerpts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.library import RATE
from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.panorama.views import View, ViewRenderer
from omniaudio_studio.training.data.excerpt import Excerpt, Form, sound_problem, turned_sound
from omniaudio_studio.training.scenes import SceneSet, open_scene_set
from omniaudio_studio.training.views import EQUIRECT, FRONT


class SceneSource:
    """The scenes of a folder that `omniaudio train scenes` wrote.

    A turned scene's front view is drawn from the stored panorama, which has as many pixels per
    radian in the middle of the front view as that has, and a quarter of them at its edges: it is
    a little softer than the stored one. Clips (`clip_source`) are turned at their full size.

    Raises
    ------
    MissingFileError, MediaError
        If there are none.
    """

    sees = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._scenes: SceneSet = open_scene_set(folder)
        self.names = tuple(f"scene-{index:05d}" for index in range(len(self._scenes)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickling a memory-mapped array would copy the whole file.
        return SceneSource, (self.folder,)

    @property
    def seconds(self) -> float:
        """Length of a scene."""
        return self._scenes.foa.shape[-1] / RATE

    def listing(self) -> dict[str, Any]:
        # Where every source is at any time: no two sets of scenes agree in it.
        digest = hashlib.sha256(np.ascontiguousarray(self._scenes.sources).tobytes()).hexdigest()
        return {"kind": "scenes", "pieces": len(self.names), "sources": digest}

    def left_out(self) -> list[tuple[str, str]]:
        return []

    def check(self, form: Form) -> None:
        scenes = self._scenes
        if form.seconds > self.seconds + 1e-6:
            raise MediaError(
                f"{self.folder}: scenes last {self.seconds:g} s, excerpts of {form.seconds:g} s "
                "were asked for; give --seconds"
            )
        if not math.isclose(form.feature_rate, scenes.feature_rate):
            raise MediaError(
                f"the scenes in {self.folder} are stored at {scenes.feature_rate:g} frames per "
                f"second, the encoder looks at {form.feature_rate:g}; make scenes for it"
            )
        for view in form.views:
            stored = EQUIRECT if view.kind == "equirect" else FRONT
            if replace(view, name=stored.name, mean=stored.mean, std=stored.std) != stored:
                raise MediaError(
                    f"the scenes in {self.folder} hold pictures of {EQUIRECT.width} x "
                    f"{EQUIRECT.height} and {FRONT.width} x {FRONT.height}, not the view "
                    f"{view.name!r} ({view.width} x {view.height}) of the encoder; make clips with "
                    "omniaudio scenes make and encode those (--kind sphere360)"
                )

    def excerpts(self, piece: int, form: Form) -> Iterator[Excerpt | str]:
        foa = self._sound(piece, form)
        for number in range(foa.shape[1] // form.span):
            field = foa[:, number * form.span :][:, : form.samples]
            start = number * form.seconds
            if problem := sound_problem(field):
                yield f"{start:g} s: {problem}"
                continue
            times = form.times(start) * self._scenes.feature_rate
            shown = np.minimum((times + 1e-6).astype(int), self._scenes.equirect.shape[1] - 1)
            whole = self._scenes.equirect[piece][shown]
            turns = form.turns(self.names[piece], number, whole.shape[2])
            for turn, yaw in enumerate(turns):
                views = {
                    view.name: self._view(view, whole, piece, shown, yaw) for view in form.views
                }
                sound = turned_sound(field, yaw)
                classes = self._classes(piece, shown)
                yield Excerpt(number, turn, start, yaw, "foa", sound, views, classes)

    def _sound(self, piece: int, form: Form) -> Foa:
        foa = self._scenes.foa[piece].astype(np.float32)
        if form.rate != RATE:
            import soxr

            foa = np.ascontiguousarray(soxr.resample(foa.T, RATE, form.rate).T)
        return foa

    def _view(
        self,
        view: View,
        whole: NDArray[np.uint8],
        piece: int,
        shown: NDArray[np.int_],
        yaw: float,
    ) -> NDArray[np.uint8]:
        if view.kind != "equirect" and not yaw:
            return self._scenes.front[piece][shown]
        columns = whole.shape[2]
        moved = np.roll(whole, round(yaw / (2 * math.pi) * columns), axis=2)
        if view.kind == "equirect":
            return moved
        renderer = ViewRenderer(view, source_size=(columns, whole.shape[1]))
        return np.stack([renderer(frame) for frame in moved])

    def _classes(self, piece: int, shown: NDArray[np.int_]) -> tuple[str, ...]:
        table = self._scenes.sources[piece][shown]
        heard = np.unique(table[..., 0][table[..., 1] > 0.5]).astype(int)
        return tuple(self._scenes.classes[index] for index in heard if index >= 0)
