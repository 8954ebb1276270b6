"""What is heard and seen of the clip that is chosen: its takes, its own sound, the field's energy.

Follows the library (which clip) and the takes (which of them), keeps the player's sources and the
timeline's curves up to date, and never waits: everything is asked of the analysis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from qt_app.models.background import Background
from qt_app.models.clip import Clip
from qt_app.models.clip_questions import Asks
from qt_app.models.placed_field import load_placed
from qt_app.models.player import Player
from qt_app.models.take import Take
from qt_app.models.takes import TakesModel
from qt_app.sound.source import FIELD, MONO, PLAIN, SoundSource
from qt_app.timeline.field import FieldSummary
from qt_app.timeline.model import TimelineModel

CAMERA_KEY, MONO_KEY = "camera", "mono"
MOST_TAKES = 7  # beside the camera's own sound and mono: nine keys
_SOUND, _FIELD = 20, 15  # priorities: somebody waits to hear it


class Listening(QObject):
    """Puts sources into the player and curves into the timeline.

    Signals
    -------
    clip_changed(object)
        Another Clip is shown, or None; the picture follows this.
    summary_changed()
        ``summary`` is another.
    problem(str)
        One line: something of this clip cannot be heard or drawn.
    """

    clip_changed = pyqtSignal(object)
    summary_changed = pyqtSignal()
    problem = pyqtSignal(str)

    def __init__(
        self,
        analysis: Asks,
        takes: TakesModel,
        player: Player,
        timeline: TimelineModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._analysis, self._takes = analysis, takes
        self._player, self._timeline = player, timeline
        self._files = Background("summaries", self)
        self._clip: Clip | None = None
        self._shown: tuple[int, Path, float] | None = None
        self._camera: SoundSource | None = None
        self._camera_loudness: float | None = None
        self._camera_level: float | None = None  # what takes are matched to: see the task "sound"
        self._ticket: int | None = None
        self._summary: FieldSummary | None = None
        self._summary_of: tuple[Path, float, float] | None = None
        self._summary_ticket: int | None = None
        takes.changed.connect(self._refresh_sources)
        takes.current_changed.connect(self._follow_take)
        player.selected_changed.connect(self._follow_source)

    @property
    def clip(self) -> Clip | None:
        """The clip that is shown."""
        return self._clip

    @property
    def summary(self) -> FieldSummary | None:
        """Of the source that is heard, in the clip's time and the picture's directions."""
        return self._summary

    @property
    def loudness(self) -> float | None:
        """Integrated loudness of the source that is heard, LUFS; None where it is not known."""
        if self._player.selected == CAMERA_KEY:
            return self._camera_loudness
        return self._levels().get(self._player.selected)

    def covariance_at(self, seconds: float) -> Any:
        """The field's (4, 4) covariance at a time of the clip, None where there is no field."""
        return None if self._summary is None else self._summary.covariance_at(seconds)

    def show(self, clip: Clip | None, folders: Sequence[Path] = ()) -> None:
        """Show another clip, or the same with other folders for its takes."""
        ready = clip if clip is not None and clip.ready else None
        seconds = 0.0 if ready is None else float(ready.seconds or 0.0)
        identity = None if ready is None else (ready.id, ready.path, seconds)
        self._clip = ready
        if identity != self._shown:
            self._shown = identity
            self._leave()
            self._enter(ready, seconds)
        self._takes.show(None if ready is None else ready.path, folders)
        self._refresh_sources()

    def close(self) -> None:
        """Stop the thread."""
        self._files.close()

    # The clip

    def _leave(self) -> None:
        for ticket in (self._ticket, self._summary_ticket):
            if ticket is not None:
                self._analysis.cancel(ticket)
        self._ticket = self._summary_ticket = None
        self._camera = self._camera_loudness = self._camera_level = None
        self._show_summary(None, None)
        self._player.load((), 0.0)

    def _enter(self, clip: Clip | None, seconds: float) -> None:
        if clip is None or clip.info is None:
            self._timeline.load(0.0)
        else:
            settings = clip.settings
            self._timeline.load(
                seconds,
                settings.shots,
                [shot.start for shot in clip.suggested_shots],
                float(clip.info["fps"]),
            )
            self._timeline.set_defaults(settings.cfg, settings.seed)
            if clip.has_sound:
                self._ticket = self._analysis.ask(
                    "sound",
                    partial(self._heard, clip.id),
                    lambda message: self.problem.emit(f"{clip.name}: {message}"),
                    priority=_SOUND,
                    path=str(clip.path),
                )
        self.clip_changed.emit(clip)

    def _heard(self, number: int, answer: dict[str, Any]) -> None:
        if self._clip is None or self._clip.id != number:
            return
        self._ticket = None
        kind = FIELD if answer.get("ambisonic") else PLAIN
        self._camera = SoundSource(CAMERA_KEY, kind, Path(answer["wav"]), "Camera's own sound")
        self._camera_loudness = answer.get("loudness")
        self._camera_level = answer.get("level")
        self._refresh_sources()

    # Sources

    def _playable(self) -> list[Take]:
        """The newest takes, and the current one in any case."""
        takes = [take for take in self._takes.takes() if take.usable]
        newest = takes[-MOST_TAKES:]
        current = self._takes.current
        if current is not None and current.usable and current not in newest:
            newest = [current, *newest[1:]]
        return newest

    def _sources(self) -> list[SoundSource]:
        clip_stem = "" if self._clip is None else self._clip.path.stem
        sources = [
            SoundSource(
                take_key(take),
                FIELD,
                take.wav,
                source_label(take.title, clip_stem),
                start=take.request.start,
                yaw=math.radians(take.request.yaw),
            )
            for take in self._playable()
        ]
        current = self._takes.current
        if current is not None and current.usable:
            # Heard without a direction, but drawn as the take that it is of.
            own = next(source for source in sources if source.key == take_key(current))
            sources.append(replace(own, key=MONO_KEY, kind=MONO, label="Mono"))
        if self._camera is not None:
            sources.append(self._camera)
        return sources

    def _levels(self) -> dict[str, float | None]:
        """What each source is matched by: loudness as both ears get it, LUFS."""
        levels: dict[str, float | None] = {
            take_key(take): take.loudness for take in self._playable()
        }
        current = self._takes.current
        levels[MONO_KEY] = None if current is None else current.loudness
        levels[CAMERA_KEY] = self._camera_level
        return levels

    def _refresh_sources(self) -> None:
        clip = self._clip
        if clip is None:
            return
        current = self._takes.current
        # A take that was chosen before it was found comes soon: until then the old sound stays.
        if current is None and self._takes.chosen is None and (playable := self._playable()):
            self._takes.set_current(playable[-1].wav)  # comes back here
            return
        self._player.load(self._sources(), float(clip.seconds or 0.0), self._levels())
        if current is not None and self._player.selected not in (MONO_KEY, CAMERA_KEY):
            self._player.select(take_key(current))
        self._summarise()

    def _follow_take(self, take: Take | None) -> None:
        self._refresh_sources()
        if take is not None:
            self._player.select(take_key(take))

    def _follow_source(self, key: str) -> None:
        take = next((take for take in self._playable() if take_key(take) == key), None)
        if take is not None and take != self._takes.current:
            self._takes.set_current(take.wav)
        self._summarise()

    # The curves

    def _summarise(self) -> None:
        """Have the summary of what is heard."""
        key = self._player.selected
        source = next((source for source in self._player.sources if source.key == key), None)
        if source is None:
            self._show_summary(None, None)
            return
        wanted = (source.path, source.start, source.yaw)
        if wanted == self._summary_of:
            return
        self._summary_of = wanted
        if self._summary_ticket is not None:
            self._analysis.cancel(self._summary_ticket)
        self._summary_ticket = self._analysis.ask(
            "field",
            partial(self._summarised, wanted),
            lambda message: self._no_summary(wanted, message),
            priority=_FIELD,
            path=str(source.path),
        )

    def _summarised(self, wanted: tuple[Path, float, float], answer: dict[str, Any]) -> None:
        if wanted != self._summary_of:
            return
        _, start, yaw = wanted

        def load() -> FieldSummary:
            return load_placed(
                Path(answer["npz"]),
                start=start,
                yaw=yaw,
                seconds=answer.get("seconds"),
                loudness=answer.get("loudness"),
            )

        self._files.run(
            load,
            lambda summary: self._show_summary(wanted, summary),
            lambda error: self._no_summary(wanted, str(error)),
        )

    def _no_summary(self, wanted: tuple[Path, float, float], message: str) -> None:
        if wanted == self._summary_of:
            self._show_summary(wanted, None)
            self.problem.emit(message)

    def _show_summary(
        self, of: tuple[Path, float, float] | None, summary: FieldSummary | None
    ) -> None:
        if of is not None and of != self._summary_of:
            return
        self._summary_of = of
        if summary is not self._summary:
            self._summary = summary
            self._timeline.set_field(summary)
            self.summary_changed.emit()


def source_label(title: str, clip_stem: str) -> str:
    """What a take is called among the sources of its clip: "Take 3" for NAME-take3, "Placed 1".

    The clip's name is the same for all of them, and there is little room.
    """
    found = re.fullmatch(re.escape(clip_stem) + r"-(take|placed-take)(\d+)", title)
    if found is None:
        return title
    return f"{'Take' if found[1] == 'take' else 'Placed'} {found[2]}"


def take_key(take: Take) -> str:
    """A take's name among the player's sources."""
    return f"take:{take.wav}"
