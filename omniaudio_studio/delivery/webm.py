"""The clip with its sound field as Opus, mapping family 2 (RFC 8486): WebM, or MP4 for H.264.

WebM holds VP8, VP9 and AV1 alone. A clip in another codec gets the same sound in an MP4.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.delivery.soundtrack import OPUS_FIELD
from omniaudio_studio.delivery.video_file import (
    VideoResult,
    check_ending,
    needed_clip,
    write_video,
)

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.media.probe import ClipInfo

# libav's decoders of what WebM holds.
_OF_WEBM = ("vp8", "vp9", "av1", "dav1d", "aom")


def webm_ending(clip: ClipInfo) -> str:
    """ ".webm" where a clip's video may stand in WebM, else ".mp4"."""
    return ".webm" if any(name in clip.codec for name in _OF_WEBM) else ".mp4"


def write_webm(
    source: DeliverySource,
    output: Path,
    *,
    own_sound: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> VideoResult:
    """Write video copied, and Opus of 512 kb/s at 48 kHz.

    Parameters and errors as for `mov.write_mov`; ``output`` ends as `webm_ending` says, or with
    .mp4.
    """
    clip = needed_clip(source, "webm")
    why = f"for Opus: WebM cannot hold the {clip.codec} of {clip.path}"
    endings: tuple[str, ...] = (".mp4",)
    if webm_ending(clip) == ".webm":
        endings, why = (".webm", ".mp4"), "for Opus"
    check_ending(output, endings, why)
    return write_video(
        source,
        output,
        OPUS_FIELD,
        own_sound=own_sound,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
