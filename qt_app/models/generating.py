"""From the settings of clips to jobs of the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES, ordered
from omniaudio_studio.jobs.outputs import all_outputs
from omniaudio_studio.jobs.outputs import next_output as next_free
from omniaudio_studio.jobs.queued_request import QueuedRequest
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from qt_app.models.catalogue import Catalogue
from qt_app.models.clip import Clip
from qt_app.models.library import Library
from qt_app.models.outputs import next_output, output_folder
from qt_app.models.preferences import Preferences
from qt_app.models.queue import QueueModel
from qt_app.models.settings import ClipSettings, roll_seed, seed_for_run, sentence
from qt_app.models.takes import Take, TakesModel


class Generating(QObject):
    """Makes requests and queues them.

    Signals
    -------
    queued(int)
        So many jobs were given to the queue.
    notice(str), problem(str)
        One line for people.
    """

    queued = pyqtSignal(int)
    notice = pyqtSignal(str)
    problem = pyqtSignal(str)

    def __init__(
        self,
        library: Library,
        catalogue: Catalogue,
        queue: QueueModel,
        takes: TakesModel,
        preferences: Preferences,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._catalogue, self._queue = library, catalogue, queue
        self._takes, self._preferences = takes, preferences

    def settings(self, clip: Clip) -> ClipSettings:
        """The clip's settings, the preferred output folder filled in."""
        settings = clip.settings
        if settings.output_folder is None and self._preferences.output_folder is not None:
            return replace(settings, output_folder=self._preferences.output_folder)
        return settings

    def output_folder(self, clip: Clip) -> Path:
        """Where the clip's next takes go."""
        return output_folder(clip.path, self.settings(clip))

    def generate(self, ids: Iterable[int]) -> int:
        """One job for each clip, with its own settings; returns how many.

        A seed that is not locked is rolled anew and shown. Clips that cannot be generated for are
        left out, and told of.
        """
        requests: list[GenerateRequest] = []
        seconds: list[float | None] = []
        left_out: list[str] = []
        seeds: dict[int, int] = {}
        promised: set[str] = set()
        for number in ids:
            clip = self._library.find(number)
            if clip is None:
                continue
            reason = self._reason_against(clip)
            if reason is None:
                settings = self.settings(clip)
                seed = seed_for_run(settings)
                try:
                    takes = self._takes_of(clip, replace(settings, seed=seed), promised)
                except OptionError as error:
                    reason = sentence(str(error))
                else:
                    seeds[number] = seed
                    requests += takes
                    seconds += [clip.seconds] * len(takes)
            if reason is not None:
                left_out.append(f"{clip.name}: {reason}")
        self._library.set_seeds(seeds)
        self._tell_left_out(left_out)
        return self.queue_up(requests, seconds)

    def generate_grid(self, clip: Clip, wanted: Sequence[ClipSettings]) -> int:
        """One job for each settings, all for one clip."""
        requests: list[GenerateRequest] = []
        reason = self._reason_against(clip)
        if reason is not None:
            self.problem.emit(f"{clip.name}: {reason}")
            return 0
        folder = self.settings(clip).output_folder
        promised: set[str] = set()
        for settings in wanted:
            try:
                here = replace(settings, output_folder=folder)
                requests.append(here.request(clip.path, self._free_output(clip, here, promised)))
            except OptionError as error:
                self.problem.emit(f"{clip.name}: {sentence(str(error))}")
                return 0
        return self.queue_up(requests, [clip.seconds] * len(requests))

    def reroll(self, take: Take, start: float, end: float) -> bool:
        """Queue a part of a take again with a new seed; the rest is kept."""
        try:
            request = self._takes.reroll_request(take, start, end, roll_seed())
        except OptionError as error:
            self.problem.emit(str(error))
            return False
        return self.queue_up([request], [end - start]) == 1

    def deliver(
        self,
        take: Take,
        names: Sequence[str],
        *,
        overwrite: bool = False,
        provenance: bool = True,
    ) -> bool:
        """Queue more files of a take, beside it; nothing is generated again.

        Parameters
        ----------
        overwrite
            Replace those that are there.
        provenance
            State in them how their sound was made.
        """
        clip: Path | None = self._takes.clip or take.request.clip
        shown = [name for name in names if DELIVERABLES[name].clip == "must"]
        if clip is not None and not clip.exists():
            if shown:
                self.problem.emit(f"{clip.name} is gone, and {shown[0]} shows it: bring it back")
                return False
            clip = None
        made = take.request
        try:
            request = DeliverRequest(
                field=take.wav,
                output=take.wav,
                clip=clip,
                clip_start=made.start,
                yaw=made.yaw,
                projection=made.projection,
                stereo=made.stereo,
                hfov=made.hfov,
                camera=made.camera,
                deliverables=ordered(names),
                provenance=provenance,
                overwrite=overwrite,
            ).validate()
        except OptionError as error:
            self.problem.emit(sentence(str(error)))
            return False
        return self.queue_up([request], [take.seconds]) == 1

    def limit(self, clip: Clip, start: float, end: float) -> None:
        """Generate only this range of the clip from now on."""
        try:
            self._library.change([clip.id], label="range", start=start, duration=end - start)
        except OptionError as error:
            self.problem.emit(str(error))

    def use_settings(self, clip: Clip, values: dict[str, object]) -> None:
        """Take over the settings of a take."""
        try:
            self._library.change([clip.id], label="a take's settings", **values)
        except OptionError as error:
            self.problem.emit(str(error))

    def place(self, ids: Iterable[int]) -> int:
        """One job for each clip: its own sound, or the chosen recording, placed; returns how many.

        Clips whose sound cannot be placed are left out, and told of.
        """
        requests: list[QueuedRequest] = []
        seconds: list[float | None] = []
        left_out: list[str] = []
        promised: set[str] = set()
        for number in ids:
            clip = self._library.find(number)
            if clip is None:
                continue
            reason = self.reason_against_placing(clip)
            if reason is None:
                try:
                    requests.append(self._placing(clip, promised))
                    seconds.append(clip.seconds)
                except OptionError as error:
                    reason = sentence(str(error))
            if reason is not None:
                left_out.append(f"{clip.name}: {reason}")
        self._tell_left_out(left_out)
        return self.queue_up(requests, seconds)

    def reason_against_placing(self, clip: Clip) -> str | None:
        """Why a clip's own sound cannot be placed, as a sentence; None where it can."""
        settings = clip.settings
        reason = clip.problem
        if reason is None and clip.info is None:
            reason = "It is still being looked at. Try again in a moment."
        elif reason is None and settings.recording is None and not clip.has_sound:
            reason = (
                "It has no sound of its own. Choose another recording under My own sound, or "
                "generate."
            )
        elif reason is None and settings.recording is None and _is_field(clip):
            reason = "Its sound is a field already: it has its directions."
        elif reason is None and settings.method == "given" and not settings.sources:
            reason = "It has no sources yet. Double-click in the picture to add one."
        elif reason is None and settings.method == "learned":
            bundle = self._catalogue.bundle(settings.bundle)
            reason = self._catalogue.bundle_problem(settings.bundle)
            if reason is None and bundle is not None and not bundle.spatializer:
                reason = "Its model cannot find directions. Choose other directions."
        return reason

    def _placing(self, clip: Clip, promised: set[str]) -> SpatializeRequest:
        settings = self.settings(clip)
        folder = output_folder(clip.path, settings)
        request = settings.placing(clip.path, folder / "placed.wav")
        output = next_free(
            folder,
            f"{clip.path.stem}-placed",
            request,
            lambda path: _key(path) in promised or self._queue.taken(path),
        )
        request = replace(request, output=output)
        promised.update(map(_key, all_outputs(request)))
        return request

    def _tell_left_out(self, lines: Sequence[str]) -> None:
        for line in lines[:3]:
            self.problem.emit(line)
        if len(lines) > 3:
            self.problem.emit(f"{len(lines) - 3} more clips were left out")

    def _reason_against(self, clip: Clip) -> str | None:
        if clip.problem is not None:
            return clip.problem
        if clip.info is None:
            return "It is still being looked at. Try again in a moment."
        return self._catalogue.bundle_problem(clip.settings.bundle)

    def _takes_of(
        self, clip: Clip, settings: ClipSettings, promised: set[str]
    ) -> list[GenerateRequest]:
        """A job for each take: they are heard one by one, and each has a name of its own."""
        whole = settings.request(clip.path, clip.path.with_suffix(".wav"))
        made: list[GenerateRequest] = []
        for index in range(settings.takes):
            output = self._free_output(clip, replace(settings, takes=1), promised)
            made.append(replace(whole.for_take(index), output=output).validate())
        return made

    def _free_output(self, clip: Clip, settings: ClipSettings, promised: set[str]) -> Path:
        """A take's name that nothing has; its files are added to those that are promised."""
        output = next_output(
            clip.path, settings, lambda path: _key(path) in promised or self._queue.taken(path)
        )
        promised.update(map(_key, all_outputs(settings.request(clip.path, output))))
        return output

    def queue_up(self, requests: Sequence[QueuedRequest], seconds: Sequence[float | None]) -> int:
        """Give requests to the queue, with the lengths of their clips; returns how many."""
        if requests:
            self._queue.add(requests, list(seconds))
            self.queued.emit(len(requests))
        return len(requests)


def _is_field(clip: Clip) -> bool:
    sound = None if clip.info is None else clip.info.get("audio")
    return bool(sound and sound.get("ambisonic"))


def _key(path: Path) -> str:
    """The same for names that some systems take for one, as in the queue."""
    return str(path.absolute()).casefold()
