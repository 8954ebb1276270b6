"""How far a job is and how long it will take: one fraction over all its stages.

Standard library only. The worker tells how far its present stage is; how much of the whole that
stage is comes from how long the stages of earlier jobs took, kept in the queue's file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES, ordered
from omniaudio_studio.jobs.queue import Speed
from omniaudio_studio.jobs.queued_request import QueuedRequest, model_of, take_count
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

ENGINE_STAGES = ("loading", "frames", "picture", "sampling", "decoding", "sound")
_PLACED = "|spatialize|"  # kinds of work begin with it where a recording is placed
_DELIVERED = "|deliver|"
_MEMORY = 4  # jobs: the history forgets at this pace
_TYPICAL_SECONDS = 60.0  # a clip of unknown length


@dataclass(frozen=True)
class JobProgress:
    """How far a running job is.

    Parameters
    ----------
    stage
        "starting", one of `ENGINE_STAGES`, the name of a deliverable, or "finishing".
    fraction
        0 to 1 over everything; never falls.
    eta
        Seconds left, None while unknown.
    """

    stage: str
    fraction: float
    eta: float | None


@dataclass(frozen=True)
class Expected:
    """Seconds that each part of a job should take."""

    loading: float
    sound: float
    files: float  # what is made beside the sound
    finishing: float
    measured: bool = True  # False where it is a guess, good for shares and no more

    @property
    def whole(self) -> float:
        """Seconds for all of it."""
        return self.loading + self.sound + self.files + self.finishing


_GUESS = Speed("", "", loading=2.0, sound=0.3, overlay=0.3, finishing=0.02)


def kind_of(request: QueuedRequest) -> str:
    """Requests of one kind take equally long per second of clip."""
    if isinstance(request, DeliverRequest):
        return _DELIVERED + ("wav" if "wav" in request.deliverables else "")
    if isinstance(request, SpatializeRequest):
        return "|".join((_PLACED + request.method, model_of(request) or "", request.device))
    parts = (
        request.bundle,
        request.steps,
        request.takes,
        request.feature_rate,
        # Without guidance the network runs once per step in place of twice.
        request.sampler
        if request.sampler != "euler"
        else ("plain" if request.cfg in (0.0, 1.0) else "guided"),
        request.device,
    )
    return "|".join("" if part is None else str(part) for part in parts)


def work_of(deliverables: Iterable[str]) -> float:
    """How long all that lies beside a WAV takes, where an overlay takes 1."""
    return sum(DELIVERABLES[name].work for name in deliverables if name != "wav")


class History:
    """What earlier jobs took, and what is to be expected from it."""

    def __init__(self, speeds: Iterable[Speed] = ()) -> None:
        self._speeds = {speed.kind: speed for speed in speeds}

    def expected(
        self, request: QueuedRequest, seconds: float | None, *, warm: bool = False
    ) -> Expected:
        """What a job should take.

        Parameters
        ----------
        seconds
            Of the clip; a minute where unknown.
        warm
            Whether its model is loaded already.
        """
        speed = self._nearest(request)
        known = speed is not None and seconds is not None
        speed = speed or _GUESS
        length = _TYPICAL_SECONDS if seconds is None else seconds
        # What an overlay takes measures what all that is drawn or packed takes.
        overlay = _GUESS.overlay if speed.overlay is None else speed.overlay
        files = (overlay or 0.0) * work_of(request.deliverables) * length * take_count(request)
        sound = speed.sound if "wav" in request.deliverables else 0.0
        loading = _GUESS.loading if speed.loading is None else speed.loading
        warm = warm or model_of(request) is None
        return Expected(
            loading=0.0 if warm else loading or 0.0,
            sound=sound * length,
            files=files,
            finishing=speed.finishing * length,
            measured=known,
        )

    def learn(self, measured: Speed) -> Speed:
        """Take in what a job took; returns what is now known of its kind."""
        old = self._speeds.pop(measured.kind, None)
        if old is not None:
            count = min(old.jobs + 1, _MEMORY)

            def mixed(before: float | None, now: float | None) -> float | None:
                if before is None or now is None:
                    return now if before is None else before
                return before + (now - before) / count

            measured = Speed(
                kind=measured.kind,
                bundle=measured.bundle,
                loading=mixed(old.loading, measured.loading),
                sound=mixed(old.sound, measured.sound) or 0.0,
                overlay=mixed(old.overlay, measured.overlay),
                finishing=mixed(old.finishing, measured.finishing) or 0.0,
                jobs=old.jobs + 1,
            )
        self._speeds[measured.kind] = measured
        return measured

    def _nearest(self, request: QueuedRequest) -> Speed | None:
        """The same kind; else the latest of the same bundle; else the latest of all.

        Placing a recording says nothing about generating, and the other way round; a delivery is
        like no other kind.
        """
        wanted = kind_of(request)
        same = self._speeds.get(wanted)
        if same is not None:
            return same
        if wanted.startswith(_DELIVERED):
            return None
        placed = wanted.startswith(_PLACED)
        latest = [
            speed
            for speed in self._speeds.values()
            if speed.kind.startswith(_PLACED) == placed and not speed.kind.startswith(_DELIVERED)
        ]
        if placed:  # directions that are given and those that are found differ most
            method = wanted[: wanted.index("|", len(_PLACED)) + 1]
            latest = [speed for speed in latest if speed.kind.startswith(method)]
        of_bundle = [speed for speed in latest if speed.bundle == (model_of(request) or "")]
        found = of_bundle or latest
        return found[-1] if found else None


class JobClock:
    """Follows one job from its hand-over to its end.

    Parameters
    ----------
    request, expected
        The job, and what it should take.
    warm
        Whether its model was loaded already.
    now
        Seconds of a monotonic clock.
    """

    def __init__(
        self, request: QueuedRequest, expected: Expected, *, warm: bool, now: float
    ) -> None:
        self.request, self.expected, self.warm = request, expected, warm
        self._takes = take_count(request)
        self.seconds: float | None = None  # of the clip, once told
        self._begun = now
        self._marks: dict[str, float] = {}
        self._stage, self._share = "starting", 0.0
        self._stage_begun = now
        self._eta: float | None = None
        self._fraction = 0.0
        # What is made beside the sound, in order, each take's after the other's.
        self._beside = [
            name for name in ordered(request.deliverables) if name != "wav"
        ] * self._takes
        self._made = 0

    def heard(self, stage: str, done: float, total: float, eta: float | None, now: float) -> None:
        """Take in a progress report of the worker."""
        sounds = stage in ENGINE_STAGES
        if not sounds and not self._advance(stage, done / total if total else 0.0):
            return
        share = done / total if total else 0.0
        part = "sound" if sounds else "files"
        self._marks.setdefault(part, now)
        if sounds or self.seconds is None:
            self.seconds = total
        if stage != self._stage:
            self._stage, self._stage_begun = stage, now
        self._share, self._eta = share, eta
        if share < 1.0 or stage == "picture":  # what was seen there is used in the next stage
            return
        self._marks[f"{part} end"] = now
        if not sounds:
            self._made, self._share = self._made + 1, 0.0
        if self._made >= len(self._beside):
            self._stage, self._stage_begun = "finishing", now

    def _advance(self, stage: str, share: float) -> bool:
        """Go on to the deliverable that is told of; whether there is such a one left."""
        again = stage == self._stage and share < self._share  # the next take's
        try:
            self._made = self._beside.index(stage, self._made + again)
        except ValueError:
            return False
        return True

    def progress(self, now: float) -> JobProgress:
        """How far it is."""
        expected = self.expected
        spent = now - self._stage_begun
        if self._stage == "starting":
            done = min(spent, 0.9 * expected.loading)
            left: float | None = expected.whole - done
        elif self._stage in ENGINE_STAGES:
            done = expected.loading + expected.sound * self._share
            rest = expected.files + expected.finishing
            left = (expected.sound * (1 - self._share) if self._eta is None else self._eta) + rest
        elif self._stage in self._beside:
            works = [DELIVERABLES[name].work for name in self._beside]
            made = min(self._made, len(works) - 1)
            one = expected.files * works[made] / sum(works)
            before = expected.files * sum(works[:made]) / sum(works)
            done = expected.loading + expected.sound + before + one * self._share
            rest = expected.files - before - one + expected.finishing
            left = (one * (1 - self._share) if self._eta is None else self._eta) + rest
        else:
            done = expected.whole - expected.finishing + min(spent, 0.9 * expected.finishing)
            left = expected.whole - done
        if not expected.measured and self._eta is None:
            left = None
        fraction = done / expected.whole if expected.whole > 0 else 0.0
        self._fraction = min(0.999, max(self._fraction, fraction))
        return JobProgress(self._stage, self._fraction, left)

    def measured(self, now: float) -> Speed | None:
        """What it took, once it is done; None where too little was heard."""
        marks, seconds = self._marks, self.seconds
        begun, ended = marks.get("sound"), marks.get("sound end")
        made_from, made_to = marks.get("files"), marks.get("files end")
        first = made_from if begun is None else begun
        last = ended if made_to is None else made_to
        if first is None or last is None or not seconds:
            return None
        if begun is not None and ended is None:
            return None
        overlay = None
        if made_from is not None and made_to is not None:
            work = work_of(self.request.deliverables) * self._takes
            overlay = (made_to - made_from) / (seconds * work)
        return Speed(
            kind=kind_of(self.request),
            bundle=model_of(self.request) or "",
            loading=None if self.warm or model_of(self.request) is None else first - self._begun,
            sound=0.0 if begun is None or ended is None else (ended - begun) / seconds,
            overlay=overlay,
            finishing=(now - last) / seconds,
        )
