"""Everything that the window shows, put together: the one place where view-models meet.

A clip is chosen in the library; its picture, its own sound, its shots and its takes follow
(`listening`). Generate makes requests of the chosen clips' settings and gives them to the queue
(`generating`); what the queue finishes becomes a take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.queued_request import result_wavs, subject_of
from omniaudio_studio.jobs.request import Segment
from qt_app.models.analysis import Analysis
from qt_app.models.catalogue import Catalogue
from qt_app.models.clip import Clip
from qt_app.models.daw import DawTransport
from qt_app.models.generating import Generating
from qt_app.models.library import Library
from qt_app.models.listening import Listening
from qt_app.models.player import Player
from qt_app.models.preferences import Preferences
from qt_app.models.presets import Presets
from qt_app.models.queue import QueueModel
from qt_app.models.takes import TakesModel
from qt_app.models.tracking import TrackingFollower
from qt_app.picture.camera import wrapped
from qt_app.picture.decoder import FrameSource
from qt_app.picture.look import LookModel
from qt_app.sources.model import Marked, SourcesModel
from qt_app.timeline.model import TimelineModel
from qt_app.timeline.playing import connect_player
from qt_app.tracking.tracker import OscTracker

QUEUE_FILE = "queue.sqlite"
LOGS = "logs"


class Session(QObject):
    """All view-models of one window, connected.

    Parameters
    ----------
    folder
        The user's data folder for the app: library, presets, queue, marks, preferences, logs.

    Signals
    -------
    told(str, str)
        A message for people, and its kind: "error", "warning", "info" or "good".
    job_failed(str, str, str)
        A job's message, the name of its error's class, and details.
    hrtf_changed(object)
        Another SOFA file is listened with, or None for the filters that ship.
    """

    told = pyqtSignal(str, str)
    job_failed = pyqtSignal(str, str, str)
    hrtf_changed = pyqtSignal(object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self.log_folder = folder / LOGS
        self.log_folder.mkdir(parents=True, exist_ok=True)
        self.preferences = Preferences(folder, self)
        self.analysis = Analysis(self, log=self.log_folder / "analyst.log")
        self.library = Library(folder, self.analysis, self)
        self.presets = Presets(folder, self)
        self.catalogue = Catalogue(self.analysis, self)
        python = self.preferences.worker_python
        self.queue = QueueModel(
            folder / QUEUE_FILE,
            log_folder=self.log_folder,
            python=None if python is None else str(python),
            low_priority=self.preferences.worker_low_priority,
            parent=self,
        )
        self._hrtf_ticket: int | None = None
        self.look = LookModel(self)
        self.player = Player(self.look, self)
        self.frames = FrameSource(self)
        self.timeline = TimelineModel(self)
        self.sources = SourcesModel(self.timeline, self)
        self.takes = TakesModel(folder, self.analysis, self.queue.taken, self)
        self.tracker = OscTracker(self)
        self.tracking = TrackingFollower(self.preferences, self.tracker, self)
        self.daw = DawTransport(self.preferences, self.tracker, self.player, self)
        self.listening = Listening(self.analysis, self.takes, self.player, self.timeline, self)
        self.generating = Generating(
            self.library, self.catalogue, self.queue, self.takes, self.preferences, self
        )
        self._connect_clip()
        self._connect_time()
        self._connect_head()
        self._connect_words()
        self._apply_preferences()

    # The clip

    def _connect_clip(self) -> None:
        self.library.current_changed.connect(self._show_clip)
        self.library.clip_changed.connect(self._clip_changed)
        self.library.settings_changed.connect(self._settings_changed)
        self.listening.clip_changed.connect(self._show_picture)
        self.timeline.shots_edited.connect(self._keep_shots)
        self.sources.edited.connect(self._keep_marked)
        self.queue.job_finished.connect(self._take_made)
        self.catalogue.changed.connect(self._tell_licences)

    def _show_clip(self, clip: Clip | None) -> None:
        self.listening.show(clip, () if clip is None else self._take_folders(clip))

    def _take_folders(self, clip: Clip) -> tuple[Path, ...]:
        """Where takes of a clip are looked for."""
        return self.generating.output_folder(clip), clip.path.parent

    def _show_picture(self, clip: Clip | None) -> None:
        self.frames.open(_shown_info(clip))
        if clip is None:
            self.sources.load()
        else:
            self.sources.load(clip.settings.sources, clip.settings.hints)
            self._set_front(clip.settings.yaw)
            self.look.recentre()

    def _clip_changed(self, number: int) -> None:
        current = self.library.current
        if current is not None and current.id == number:
            self._show_clip(current)
            self.timeline.set_suggestions(shot.start for shot in current.suggested_shots)

    def _settings_changed(self, numbers: Sequence[int]) -> None:
        current = self.library.current
        if current is None or current.id not in numbers:
            return
        settings = current.settings
        self._set_front(settings.yaw)
        if current.ready:
            self.frames.open(_shown_info(current))  # a flat picture may lie elsewhere now
        self.timeline.set_defaults(settings.cfg, settings.seed)
        self.timeline.set_shots(settings.shots)
        self.sources.show(settings.sources, settings.hints)
        self._show_clip(current)

    def _keep_marked(self, marked: Marked) -> None:
        """Sources and hints as they were edited; the timeline's undo takes them back."""
        current = self.library.current
        if current is not None:
            values = {"sources": marked.sources, "hints": marked.hints}
            self.library.put_settings({current.id: values})

    def _keep_shots(self, shots: tuple[Segment, ...]) -> None:
        """Shots as the timeline has them; its own undo takes them back."""
        current = self.library.current
        if current is not None and current.settings.shots != shots:
            self.library.put_settings({current.id: {"shots": shots, "use_shots": len(shots) > 1}})

    def _take_made(self, number: int, result: dict[str, Any]) -> None:
        """A finished job's newest take is shown, if its clip is and nobody listens to another."""
        job, current = self.queue.job(number), self.library.current
        for problem in result.get("problems", ()):
            self.told.emit(problem, "error")
        if result.get("kind") == DeliverRequest.KIND:
            made = ", ".join(Path(path).name for path in result["files"].values())
            self.told.emit(f"Beside the take: {made}", "good")
            return
        if current is None or job is None or job.request.clip != current.path:
            return
        wav = result_wavs(result)[-1]
        if wav.parent in self._take_folders(current):
            self.takes.refresh()
            if not self.player.playing:
                self.takes.set_current(wav)

    def _tell_licences(self) -> None:
        self.takes.set_bundles(
            [
                {"name": bundle.value, "licence": {"commercial": bundle.commercial}}
                for bundle in self.catalogue.bundles
            ]
        )

    # Time

    def _connect_time(self) -> None:
        connect_player(self.timeline, self.player)
        self.player.loop_changed.connect(self.frames.set_loop)

    # Head and ears

    def _connect_head(self) -> None:
        self.tracker.orientation.connect(self._follow_head)
        self.look.changed.connect(self._send_look)
        self.preferences.changed.connect(self._preference_changed)
        self.player.volume_changed.connect(self._keep_volume)

    def _follow_head(self, yaw: float, pitch: float, roll: float) -> None:
        """A head that is held straight looks at the clip's front."""
        self.look.set_orientation(self.look.home + yaw, pitch, roll)

    def _send_look(self) -> None:
        """As a take is delivered: its front is the clip's."""
        look = self.look
        self.tracker.send(wrapped(look.yaw - look.home), look.pitch, look.roll)

    def _set_front(self, yaw: float) -> None:
        """Which azimuth of the picture is the clip's front, degrees."""
        self.look.home = math.radians(yaw)
        self._send_look()

    def _keep_volume(self, db: float) -> None:
        self.preferences.volume = db

    def _apply_preferences(self) -> None:
        """What the sound process is to start with."""
        self.player.set_volume(self.preferences.volume)
        if self.preferences.sound_device is not None:
            self.player.set_device(self.preferences.sound_device)
        if self.preferences.hrtf is not None:
            self.use_hrtf(self.preferences.hrtf)

    def _preference_changed(self, name: str) -> None:
        if name == "hrtf":
            self.use_hrtf(self.preferences.hrtf)
        elif name == "sound_device":
            self.player.set_device(self.preferences.sound_device)
        elif name == "output_folder":
            self._show_clip(self.library.current)
        elif name in ("worker_python", "worker_low_priority"):
            self.told.emit("This holds from the next start of the app on.", "info")

    def use_hrtf(self, path: Path | None) -> None:
        """Listen with a SOFA file's filters, or with those that ship where None."""
        if self._hrtf_ticket is not None:  # the last choice counts, not the last answer
            self.analysis.cancel(self._hrtf_ticket)
            self._hrtf_ticket = None
        if path is None:
            self._hrtf_ready(None, None)
            return
        self._hrtf_ticket = self.analysis.ask(
            "hrtf",
            lambda answer: self._hrtf_ready(path, Path(answer["npz"])),
            lambda message: self.told.emit(message, "error"),
            priority=20,
            path=str(path),
        )

    def _hrtf_ready(self, path: Path | None, filters: Path | None) -> None:
        self.player.set_hrtf(filters)
        self.preferences.hrtf = path
        self.hrtf_changed.emit(path)

    def choose_device(self, name: str | None) -> None:
        """Remember the output that was chosen."""
        self.preferences.sound_device = name

    # Words

    def _connect_words(self) -> None:
        for signal in (
            self.player.problem,
            self.frames.failed,
            self.takes.problem,
            self.tracker.problem,
            self.listening.problem,
            self.generating.problem,
            self.queue.refused,
            self.sources.refused,
        ):
            signal.connect(lambda message: self.told.emit(message, "error"))
        for signal in (
            self.library.notice,
            self.library.shots.notice,
            self.presets.notice,
            self.takes.notice,
            self.generating.notice,
            self.queue.noticed,
        ):
            signal.connect(lambda message: self.told.emit(message, "info"))
        self.queue.job_failed.connect(self._job_failed)
        self.queue.problem_changed.connect(self._queue_problem)

    def _job_failed(self, number: int, message: str) -> None:
        job = self.queue.job(number)
        if job is None:
            self.told.emit(message, "error")
            return
        details = f"Clip: {subject_of(job.request)}\nOutput: {job.request.output}\n\n{message}"
        if job.error_kind:
            details += f" ({job.error_kind})"
        self.job_failed.emit(f"{job.label}: {message}", job.error_kind or "", details)

    def _queue_problem(self, problem: str | None) -> None:
        if problem is not None:
            self.told.emit(problem, "error")

    # Start and end

    def begin(self) -> None:
        """What can wait until the window is there: bundles and devices are looked up."""
        self.catalogue.refresh()

    def close(self) -> None:
        """Write what is not written and end threads and processes; running jobs wait again."""
        self.queue.close()
        self.tracker.close()
        self.player.close()
        self.frames.close()
        self.listening.close()
        self.takes.close()
        self.presets.close()
        self.library.close()
        self.analysis.close()
        self.preferences.save()


def _shown_info(clip: Clip | None) -> dict[str, Any] | None:
    """What the picture has to know; a flat one lies where the settings say."""
    if clip is None or clip.info is None:
        return None
    settings = clip.settings
    return {**clip.info, "hfov": settings.hfov, "camera": settings.camera}
