"""From a take in the sequencer to a request that the core delivers."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any

from mathutils import Matrix

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.deliverables import DELIVERABLES

from . import clips, compat, takes, world
from .jobs import Steps, Work
from .names import free_beside
from .paths import Row, thinned, turn_off
from .sweep import frames_of
from .takes import Take

TOLERANCE = 0.05  # degrees


def suggested(take: Take) -> Path:
    """A name for the delivery that nothing has."""
    return free_beside(take.wav, "-delivery")


def request(
    scene: Any,
    take: Take,
    output: Path,
    *,
    deliverables: tuple[str, ...],
    follow_camera: bool,
    rate: int = 48_000,
    subtype: str = "float32",
    loudness: float | None = None,
    provenance: bool = True,
    overwrite: bool = False,
) -> DeliverRequest:
    """What to deliver: the take from the first to the last frame on which it is heard.

    Raises
    ------
    OmniAudioError
        If the field or the clip that is shown is gone, there is no camera to follow, or a value
        is out of range.
    """
    field = clips.existing(str(take.wav), "the take")
    head = camera_track(scene, take) if follow_camera else ()
    strip = compat.strip_named(scene, take.foa_strip)
    first = max(take.first_frame, take.frame_start)
    # To its end where nothing is trimmed: Blender rounds a sound's length up to whole frames.
    whole = take.last_frame + 1 >= take.frame_start + compat.content_duration(strip)
    picture: dict[str, Any] = {}
    made = takes.request_of(strip)
    if Path(made.clip).exists() or any(DELIVERABLES[name].clip == "must" for name in deliverables):
        picture = {
            "clip": clips.existing(str(made.clip), "the take's clip"),
            "clip_start": made.start,
            "yaw": made.yaw,
            "projection": made.projection,
            "stereo": made.stereo,
            "hfov": made.hfov,
            "camera": made.camera,
        }
    return DeliverRequest(
        field=field,
        output=output,
        start=(first - take.frame_start) / take.fps,
        duration=None if whole else (take.last_frame + 1 - first) / take.fps,
        head=head,
        rate=rate,
        subtype=subtype,
        loudness=loudness,
        deliverables=deliverables,
        provenance=provenance,
        overwrite=overwrite,
        **picture,
    ).validate()


def steps(wanted: DeliverRequest) -> Steps:
    """Steps of a task: have it written."""
    result = yield Work(wanted)
    files = [Path(path).name for path in (result["wav"], *result["files"].values())]
    line = f"{', '.join(files)} in {wanted.output.parent}"
    return "; ".join([line, *result["warnings"], *result["problems"]])


def camera_track(scene: Any, take: Take) -> tuple[Row, ...]:
    """Where the active camera looks on every frame of a take, in the field's own axes.

    Returns
    -------
    tuple
        (seconds on the field's time line, yaw, pitch, roll in degrees), as `DeliverRequest.head`.

    Raises
    ------
    OptionError
        If the scene has no active camera.
    """
    if scene.camera is None:
        raise OptionError(
            "the scene has no active camera to follow; add one, or have the head face the front"
        )
    turned = field_rotation(scene, take).transposed()
    rows: list[Row] = []
    with closing(frames_of(scene, take.first_frame, take.last_frame + 1)) as frames:
        for frame, graph in frames:
            camera = scene.camera.evaluated_get(graph).matrix_world.to_quaternion()
            angles = head_angles(turned @ camera.to_matrix())
            rows.append(((frame - take.frame_start) / take.fps, *map(math.degrees, angles)))
    return thinned(rows, TOLERANCE, turn_off)


def head_angles(looks: Matrix) -> tuple[float, float, float]:
    """Yaw, pitch and roll (radians) of a head that looks as a camera does.

    A camera looks along its -Z, its left is -X, up is +Y. With f, l, u these directions in the
    field's axes, the head's matrix has them as columns: Rz(yaw) Ry(-pitch) Rx(roll), as in
    `omniaudio_studio.foa.rotation`.
    """
    forward, left, up = -looks.col[2], -looks.col[0], looks.col[1]
    pitch = math.asin(max(-1.0, min(1.0, forward.z)))
    if math.hypot(forward.x, forward.y) < 1e-6:
        # Straight up or down: yaw and roll are about one axis, and all of it is called yaw.
        return math.atan2(-left.x, left.y), pitch, 0.0
    return math.atan2(forward.y, forward.x), pitch, math.atan2(left.z, up.z)


def field_rotation(scene: Any, take: Take) -> Matrix:
    """The rotation (3 x 3) from the axes of a take's field to the world's.

    The identity, but where the world's environment was turned since, or is tilted.
    """
    if not take.world or not world.has_environment(scene):
        return Matrix.Identity(3)
    return world.field_rotation(scene, take.yaw)
