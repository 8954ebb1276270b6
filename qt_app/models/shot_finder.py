"""Cuts looked for in clips, which become their shots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import Segment
from qt_app.models.clip_questions import Asks
from qt_app.models.settings import sentence

if TYPE_CHECKING:
    from qt_app.models.library import Library


class ShotFinder(QObject):
    """Has cuts found, one question for each clip."""

    progress = pyqtSignal(int, float)  # clip, part done from 0 to 1
    finished = pyqtSignal(int)  # clip, whatever came of it
    notice = pyqtSignal(str)

    def __init__(self, library: Library, analysis: Asks) -> None:
        super().__init__(library)
        self._library, self._analysis = library, analysis
        self._parts: dict[int, float] = {}
        self._tickets: dict[int, int] = {}

    def find(self, ids: Iterable[int]) -> None:
        """Look for cuts in clips; what is found becomes their shots, which can be undone."""
        for number in ids:
            clip = self._library.find(number)
            if clip is None or not clip.ready or number in self._parts:
                continue
            self._parts[number] = 0.0
            self.progress.emit(number, 0.0)
            self._tickets[number] = self._analysis.ask(
                "shots",
                partial(self._found, number),
                partial(self._refused, number),
                progress=partial(self._went_on, number),
                path=str(clip.path),
                projection=clip.settings.projection,
                stereo=clip.settings.stereo,
            )

    def stop(self, ids: Iterable[int]) -> None:
        """Take questions back."""
        for number in ids:
            if self._parts.pop(number, None) is not None:
                self._analysis.cancel(self._tickets.pop(number))
                self.finished.emit(number)

    def close(self) -> None:
        """Take all questions back."""
        self.stop(list(self._parts))

    def part(self, number: int) -> float | None:
        """How far the search in a clip is, 0 to 1; None where there is none."""
        return self._parts.get(number)

    def _went_on(self, number: int, *part: Any) -> None:
        if number in self._parts and part and isinstance(part[0], int | float):
            self._parts[number] = min(max(float(part[0]), 0.0), 1.0)
            self.progress.emit(number, self._parts[number])

    def _found(self, number: int, answer: Mapping[str, Any]) -> None:
        if self._parts.pop(number, None) is None:
            return  # taken back meanwhile
        self._tickets.pop(number, None)
        self.finished.emit(number)
        clip = self._library.find(number)
        if clip is None:
            return
        shots = tuple(Segment(float(start)) for start in answer["starts"])
        clip.suggested_shots = shots
        if len(shots) < 2:
            self.notice.emit(f"No cuts in {clip.name}: it is one shot.")
        try:
            self._library.change(
                [number], label="found shots", shots=shots, use_shots=len(shots) > 1
            )
        except OptionError as error:
            self.notice.emit(f"Shots of {clip.name}: {sentence(str(error))}")
        self._library.touched([number])

    def _refused(self, number: int, message: str) -> None:
        if self._parts.pop(number, None) is None:
            return
        self._tickets.pop(number, None)
        self.finished.emit(number)
        clip = self._library.find(number)
        if clip is not None:
            self.notice.emit(f"No shots found in {clip.name}. {sentence(message)}")
