"""The clip with its sound field for players: AAC in an MP4."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.delivery.soundtrack import AAC_FIELD
from omniaudio_studio.delivery.video_file import VideoResult, check_ending, write_video

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource


def write_mp4(
    source: DeliverySource,
    output: Path,
    *,
    own_sound: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> VideoResult:
    """Write an MP4: video copied, AAC of 512 kb/s at 48 kHz, ``SA3D``, ``sv3d`` and ``st3d``.

    The encoder's delay is taken off by an edit list.

    Parameters and errors as for `mov.write_mov`; ``output`` ends with .mp4.
    """
    check_ending(output, (".mp4",), "for AAC")
    return write_video(
        source,
        output,
        AAC_FIELD,
        own_sound=own_sound,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
