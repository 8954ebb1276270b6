"""Adding the scene's objects to a take that is there: a new take, without generating anew."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OutputError
from omniaudio_studio.jobs.deliver_request import DeliverRequest

from . import attaching, clips, compat, delivery, sources, strips, takes
from .jobs import Pause, Steps, Work, runner
from .names import free_beside
from .strips import Placement
from .takes import Take


@dataclass(frozen=True)
class Plan:
    """What is going to be placed; ``key`` is the earlier take's."""

    scene_uid: int
    scene_name: str
    key: str
    request: DeliverRequest


def plan(scene: Any, take: Take) -> Plan:
    """The field of a take as it was generated, and the objects as they are now.

    Raises
    ------
    OmniAudioError
        One line: what is missing or wrong.
    """
    strip = takes.field_strip(scene, take.key)
    field = clips.existing(str(takes.generated(strip)), "the take without objects")
    start = round(take.frame_start)
    whole = Placement(start, start, start + compat.content_duration(strip))
    request = DeliverRequest(
        field=field,
        output=free_beside(field, "-objects"),
        sources=sources.placed(scene, whole, delivery.field_rotation(scene, take)),
        rate=int(scene.omniaudio.rate),
        subtype=scene.omniaudio.subtype,
        deliverables=("wav", "binaural", *(["stems"] if scene.omniaudio.stems else [])),
    ).validate()
    return Plan(compat.session_uid(scene), scene.name, take.key, request)


def steps(made: Plan) -> Steps:
    """Add the objects, and put the new take where the earlier one lies."""
    result = yield Work(made.request)
    scene = compat.scene_of(made.scene_uid, made.scene_name)
    earlier = takes.field_strip(scene, made.key) if scene is not None else None
    if earlier is None:
        raise OutputError(f"the take is gone from the scene; the new one is {result['wav']}")
    wav = Path(result["wav"])
    strip = strips.add_sound(scene, earlier, wav, wav.stem, strips.place_of(earlier), mute=True)
    mine = strip.omniaudio
    for known in earlier.omniaudio.bl_rna.properties:
        if not known.is_readonly and known.identifier != "name":
            setattr(mine, known.identifier, getattr(earlier.omniaudio, known.identifier))
    mine.take = uuid.uuid4().hex
    mine.field, mine.objects = Path(made.request.field or wav).name, len(made.request.sources)
    key: str = mine.take
    yield Pause()
    attaching.attach_binaural(scene, key, attaching.for_headphones(result))
    yield Pause()
    runner.undo_push("Place Objects in the Take")
    return "; ".join([wav.name, *result["warnings"]])
