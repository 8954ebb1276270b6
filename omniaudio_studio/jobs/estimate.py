"""How far a job is and how long it will take: one fraction over all its stages.

Standard library only. The worker tells how far its present stage is; how much of the whole that
stage is comes from how long the stages of earlier jobs took, kept in the queue's file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omniaudio_studio.jobs.queue import Speed
from omniaudio_studio.jobs.queued_request import QueuedRequest, model_of, take_count
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest

ENGINE_STAGES = ("loading", "frames", "picture", "sampling", "decoding", "sound")
_PLACED = "|spatialize|"  # kinds of work begin with it where a recording is placed
_MEMORY = 4  # jobs: the history forgets at this pace
_TYPICAL_SECONDS = 60.0  # a clip of unknown length


@dataclass(frozen=True)
class JobProgress:
    """How far a running job is.

    Parameters
    ----------
    stage
        "starting", one of `ENGINE_STAGES`, "overlay" or "finishing".
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
    overlay: float
    finishing: float
    measured: bool = True  # False where it is a guess, good for shares and no more

    @property
    def whole(self) -> float:
        """Seconds for all of it."""
        return self.loading + self.sound + self.overlay + self.finishing


_GUESS = Speed("", "", loading=2.0, sound=0.3, overlay=0.3, finishing=0.02)


def kind_of(request: QueuedRequest) -> str:
    """Requests of one kind take equally long per second of clip."""
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
        overlay = 0.0
        if "overlay" in request.deliverables:
            per_second = _GUESS.overlay if speed.overlay is None else speed.overlay
            overlay = (per_second or 0.0) * length * take_count(request)
        loading = _GUESS.loading if speed.loading is None else speed.loading
        warm = warm or model_of(request) is None
        return Expected(
            loading=0.0 if warm else loading or 0.0,
            sound=speed.sound * length,
            overlay=overlay,
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

        Placing a recording says nothing about generating, and the other way round.
        """
        wanted = kind_of(request)
        same = self._speeds.get(wanted)
        if same is not None:
            return same
        placed = wanted.startswith(_PLACED)
        latest = [s for s in self._speeds.values() if s.kind.startswith(_PLACED) == placed]
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
        self._drawn = 0

    def heard(self, stage: str, done: float, total: float, eta: float | None, now: float) -> None:
        """Take in a progress report of the worker."""
        if stage not in (*ENGINE_STAGES, "overlay"):
            return  # short: it counts to the finishing
        share = done / total if total else 0.0
        part = "sound" if stage in ENGINE_STAGES else "overlay"
        self._marks.setdefault(part, now)
        if part == "sound":
            self.seconds = total
        elif self._stage == "overlay" and share < self._share:
            self._drawn += 1  # the next take's
        if stage != self._stage:
            self._stage, self._stage_begun = stage, now
        self._share, self._eta = share, eta
        if share < 1.0 or stage == "picture":  # what was seen there is used in the next stage
            return
        self._marks[f"{part} end"] = now
        if part == "overlay":
            self._drawn, self._share = self._drawn + 1, 0.0
        drawn = self._drawn if "overlay" in self.request.deliverables else self._takes
        if drawn >= self._takes:
            self._stage, self._stage_begun = "finishing", now

    def progress(self, now: float) -> JobProgress:
        """How far it is."""
        expected = self.expected
        spent = now - self._stage_begun
        if self._stage == "starting":
            done = min(spent, 0.9 * expected.loading)
            left: float | None = expected.whole - done
        elif self._stage in ENGINE_STAGES:
            done = expected.loading + expected.sound * self._share
            rest = expected.overlay + expected.finishing
            left = (expected.sound * (1 - self._share) if self._eta is None else self._eta) + rest
        elif self._stage == "overlay":
            takes = self._takes
            drawn = min(self._drawn, takes - 1)
            share = (drawn + self._share) / takes
            done = expected.loading + expected.sound + expected.overlay * share
            one = expected.overlay / takes
            rest = one * (takes - drawn - 1) + expected.finishing
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
        begun, ended = self._marks.get("sound"), self._marks.get("sound end")
        if begun is None or ended is None or not self.seconds:
            return None
        drawn = self._marks.get("overlay end")
        overlay = None
        if drawn is not None:
            overlay = (drawn - self._marks["overlay"]) / (self.seconds * self._takes)
        return Speed(
            kind=kind_of(self.request),
            bundle=model_of(self.request) or "",
            loading=None if self.warm or model_of(self.request) is None else begun - self._begun,
            sound=(ended - begun) / self.seconds,
            overlay=overlay,
            finishing=(now - (drawn or ended)) / self.seconds,
        )
