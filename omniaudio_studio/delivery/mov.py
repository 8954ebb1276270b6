"""The upload master: the clip's pictures and the field as PCM in a MOV, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.delivery.soundtrack import PCM_FIELD
from omniaudio_studio.delivery.video_file import VideoResult, check_ending, write_video

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource


def write_mov(
    source: DeliverySource,
    output: Path,
    *,
    own_sound: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> VideoResult:
    """Write a MOV: video copied, PCM of 24 bits at 48 kHz, ``SA3D``, ``sv3d`` and ``st3d``.

    Parameters
    ----------
    source : DeliverySource
        With a clip.
    output : Path
        Ends with .mov; appears whole or not at all.
    own_sound : bool
        Keep the clip's own sound as a second track. YouTube wants a single one.
    overwrite : bool
    progress : callable, optional
        Called with the part that is done, 0 to 1.
    cancel : object with ``check()``, optional

    Raises
    ------
    MissingFileError, MediaError, OptionError, OutputError, OutputExistsError, Cancelled
        As for `video_file.write_video`.
    """
    check_ending(output, (".mov",), "for PCM")
    return write_video(
        source,
        output,
        PCM_FIELD,
        own_sound=own_sound,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
