"""Rolling a part of an earlier take again, held at both ends to the sound that stays.

The part is generated with a lead-in and a lead-out, over which the earlier take's own latents are
what the overlap of consecutive windows is: clamped while the part is sampled, and given as context
where it goes on from them. What comes out agrees with the take around the range, and is faded into
it just inside of the range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from omniaudio_studio.engine.encoding import Surroundings
from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.earlier_take import EarlierTake
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.treatment import Treatment, asked_for

if TYPE_CHECKING:
    from omniaudio_studio.bundles.manifest import Manifest
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.engine.generate import Generator
    from omniaudio_studio.engine.plan import GenerationSettings
    from omniaudio_studio.media.probe import ClipInfo

FADE_SECONDS = 0.05
_ROUNDING = 1e-6  # of a latent or a sample


@dataclass(frozen=True)
class Part:
    """The part of a take that is made anew, in samples of the delivery rate.

    Parameters
    ----------
    begin, end
        The range; everything outside stays as it is.
    fade_in, fade_out
        Lengths of the fades within the range; 0 where the take begins or ends there.
    first, seconds
        What is generated begins at ``first``, at or before ``begin``, and lasts so many seconds.
    before, after
        Latents at its beginning and its end that are the earlier take's.
    offset
        Where its last shot begins, in samples of the bundle's rate from ``first``.
    """

    begin: int
    end: int
    fade_in: int
    fade_out: int
    first: int
    seconds: float
    before: int = 0
    after: int = 0
    offset: int = 0

    @property
    def samples(self) -> int:
        """What is wanted of the sound that is generated."""
        return self.end - self.first

    def settings(self, request: GenerateRequest, whole: GenerationSettings) -> GenerationSettings:
        """What to generate for it, where ``whole`` makes all of the request."""
        start = request.start + self.first / request.rate
        return replace(whole, start=start, duration=self.seconds)


@dataclass(frozen=True)
class Reroll:
    """What is rolled again of which take, and what is to be told of it."""

    take: EarlierTake
    part: Part
    warnings: tuple[str, ...] = ()


def plan_reroll(
    request: GenerateRequest,
    info: ClipInfo,
    samples: int,
    manifest: Manifest,
    treatment: Treatment | None = None,
) -> Reroll:
    """What a request with an earlier take comes to; nothing is generated.

    Parameters
    ----------
    samples
        Of the whole take, at the request's rate.
    treatment
        What was done to the earlier take; read from its sidecar if None.

    Raises
    ------
    OptionError, MediaError
        If the range leaves the request's, or the earlier take is another length, rate or kind.
    """
    take = EarlierTake(request, info, samples, treatment)
    part = plan_part(request, samples)
    warnings = []
    done, wanted = take.treatment, asked_for(request)
    if not done.agrees(wanted):
        warnings.append(
            f"{take.path.name} was made with {done}, its new part with {wanted}: they do not "
            "agree; give the take's own"
        )
    why = obstacle(part, take, manifest)
    if why is None:
        part = held(part, request, samples, manifest)
    else:
        warnings.append(
            f"the new part knows nothing of the sound around it and is only faded into it: {why}"
        )
    return Reroll(take, part, tuple(warnings))


def plan_part(request: GenerateRequest, samples: int) -> Part:
    """The part of a take of ``samples`` samples by itself, held to nothing.

    Raises
    ------
    OptionError
        If the range leaves the request's.
    """
    assert request.base_range is not None
    rate = request.rate
    begin, end = (round((time - request.start) * rate) for time in request.base_range)
    if begin < 0 or end > samples or end <= begin:
        raise OptionError(
            f"base_range {request.base_range[0]:g} to {request.base_range[1]:g} s is not within "
            f"the take's {request.start:g} to {request.start + samples / rate:g} s"
        )
    fade = min(round(FADE_SECONDS * rate), (end - begin) // 4)
    return Part(
        begin=begin,
        end=end,
        fade_in=fade if begin else 0,
        fade_out=fade if end < samples else 0,
        first=begin,
        seconds=(end - begin) / rate,
    )


def obstacle(part: Part, take: EarlierTake, manifest: Manifest) -> str | None:
    """Why a part cannot be held to the take around it; None where it can."""
    if "vae_encoder" not in manifest.graphs:
        return f"the model {manifest.name!r} has no encoder"
    if take.obstacle is not None:
        return take.obstacle
    latent = manifest.latent.hop / manifest.sample_rate
    if (part.end - part.begin - part.fade_in - part.fade_out) / take.rate < latent:
        return f"the range is too short (expected {latent + 2 * FADE_SECONDS:.2f} s or more)"
    return None


def held(part: Part, request: GenerateRequest, samples: int, manifest: Manifest) -> Part:
    """The part with its lead-in and lead-out, each as long as two windows overlap.

    They end at the take's ends and at cuts, where the sound starts afresh. The lead-in's last
    latent ends with the fade-in, the lead-out's first begins with the fade-out or less than a
    latent before it, so that both fades are between sounds that agree.

    Parameters
    ----------
    samples
        Of the whole take.
    """
    rate, out = request.rate, manifest.sample_rate
    hop, overlap = manifest.latent.hop, manifest.window.overlap
    wide = hop * rate / out  # a latent in samples of the take
    cuts = [(segment.start - request.start) * rate for segment in request.segments]
    lowest = max([0, *(math.ceil(cut - _ROUNDING) for cut in cuts if cut <= part.begin)])
    highest = min([samples, *(math.floor(cut + _ROUNDING) for cut in cuts if cut >= part.end)])

    settled = part.begin + part.fade_in
    before = _whole((settled - lowest) / wide, overlap) if part.fade_in else 0
    first = max(lowest, settled - round(before * wide))
    if first > part.begin or not before:  # latents shorter than the fade would not reach
        before, first = 0, part.begin

    # Latents of the last shot are counted from its own start, as the engine does.
    start = request.start + first / rate
    starts = [round((segment.start - start) * out) for segment in request.segments]
    end = (part.end - first) * out / rate
    offset = max([0, *(cut for cut in starts if 0 < cut < round(end))])
    free = _whole((end - part.fade_out * out / rate - offset) / hop)
    room = _whole(((highest - first) * out / rate - offset) / hop)
    after = min(overlap, room - free) if part.fade_out else 0
    stop = offset + (free + after) * hop
    if after <= 0 or stop < end - 1:
        return replace(part, first=first, before=before, seconds=(part.end - first) / rate)
    return replace(part, first=first, before=before, after=after, offset=offset, seconds=stop / out)


def _whole(count: float, most: int | None = None) -> int:
    """Whole ones in ``count``, at least 0 and at most ``most``."""
    found = max(0, math.floor(count + _ROUNDING))
    return found if most is None else min(found, most)


def surroundings(
    reroll: Reroll,
    generator: Generator,
    fronts: tuple[float, float] = (0.0, 0.0),
    cancel: CancelToken | None = None,
) -> Surroundings:
    """The take's own latents over the part's lead-in and lead-out.

    Parameters
    ----------
    fronts
        Azimuths in radians that are the front of the part's first and of its last shot: the model
        hears the take turned as it sees the picture.

    Raises
    ------
    BundleError, DeviceError
        If the encoder fails.
    Cancelled
        If ``cancel`` said so.
    """
    part, take, manifest = reroll.part, reroll.take, generator.bundle.manifest
    hop, rate = manifest.latent.hop, manifest.sample_rate

    def latents(begin: int, count: int, front: float) -> np.ndarray:
        """From sample ``begin`` after the part's first one, at the bundle's rate."""
        if not count:
            return np.zeros((manifest.latent.channels, 0), dtype=np.float32)
        # With as much of its surroundings as the decoder needs, where the take has them.
        there = part.first * rate / take.rate + begin
        behind = take.samples * rate / take.rate - there - count * hop
        left, right = (_whole(room / hop, manifest.decoder.context) for room in (there, behind))
        wanted = (left + count + right) * hop
        sound = take.as_made(part.first, begin - left * hop, wanted, rate)
        if front:
            sound = rotate_yaw(sound, -front)
        return generator.encode(sound, cancel)[:, left : left + count]

    last = round(part.seconds * rate) - part.after * hop
    return Surroundings(
        before=latents(0, part.before, fronts[0]), after=latents(last, part.after, fronts[1])
    )
