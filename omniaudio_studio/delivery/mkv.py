"""The clip with its sound field for archives: FLAC or PCM in Matroska, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.delivery.soundtrack import FLAC_FIELD, PCM_FIELD
from omniaudio_studio.delivery.video_file import VideoResult, check_ending, write_video

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource


def write_mkv(
    source: DeliverySource,
    output: Path,
    *,
    pcm: bool = False,
    own_sound: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> VideoResult:
    """Write video copied, and the field at its own rate in 24 bits.

    Matroska has no way to say that four channels are ambisonics: readers must be told AmbiX. A
    turned picture (a phone held upright) is not marked as such beside a projection.

    Parameters
    ----------
    pcm : bool
        PCM in place of FLAC.

    Other parameters and errors as for `mov.write_mov`; ``output`` ends with .mkv.
    """
    check_ending(output, (".mkv",), "for FLAC and PCM")
    return write_video(
        source,
        output,
        PCM_FIELD if pcm else FLAC_FIELD,
        rate=source.rate(),
        own_sound=own_sound,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
