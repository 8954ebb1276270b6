"""The file to upload to YouTube: the best that its rules take, and a list of how it meets them.

That is the MOV master with PCM. VP9 and AV1 stand in MP4 alone: there AAC, which is nearer to the
field than Opus at this rate, or Opus where head-locked stereo is wanted, which AAC is not taken
with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omniaudio_studio.delivery.soundtrack import (
    AAC_FIELD,
    OPUS_BED,
    PCM_BED,
    PCM_FIELD,
    RATE,
)
from omniaudio_studio.delivery.video_file import (
    VideoResult,
    check_ending,
    needed_clip,
    write_video,
)
from omniaudio_studio.delivery.webm import webm_ending
from omniaudio_studio.delivery.youtube_rules import Finding, check_youtube
from omniaudio_studio.errors import MediaError

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.media.probe import ClipInfo


@dataclass(frozen=True)
class YoutubeResult:
    """What was written, and how it stands to YouTube's rules."""

    video: VideoResult
    findings: tuple[Finding, ...]


def youtube_ending(clip: ClipInfo) -> str:
    """ ".mov", or ".mp4" for a clip whose video a MOV cannot hold."""
    return ".mp4" if webm_ending(clip) == ".webm" else ".mov"


def write_youtube(
    source: DeliverySource,
    output: Path,
    *,
    head_locked: Path | None = None,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> YoutubeResult:
    """Write the file to upload, and check it against `youtube_rules`.

    Parameters
    ----------
    output : Path
        Ends as `youtube_ending` says, or with .mp4 for a smaller file.
    head_locked : Path, optional
        Stereo (or mono) sound that does not turn with the head, such as a narrator or music: its
        first sample lies at the first picture. It becomes channels 5 and 6.

    Other parameters and errors as for `mov.write_mov`.
    """
    clip = needed_clip(source, "youtube")
    endings = tuple(dict.fromkeys((youtube_ending(clip), ".mp4")))
    check_ending(output, endings, f"for the {clip.codec} of {clip.path}")
    plain, with_bed = (PCM_FIELD, PCM_BED)
    if output.suffix.lower() == ".mp4":
        plain, with_bed = (AAC_FIELD, OPUS_BED)

    def six(_clip: ClipInfo, samples: int) -> Iterator[np.ndarray]:
        assert head_locked is not None
        field = source.blocks_in_clip(RATE, samples, cancel=cancel)
        bed = _stereo(head_locked, samples, cancel)
        for four, two in zip(field, bed, strict=True):
            yield np.concatenate([four, two])

    video = write_video(
        source,
        output,
        plain if head_locked is None else with_bed,
        blocks=None if head_locked is None else six,
        inputs=() if head_locked is None else (head_locked,),
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
    return YoutubeResult(video, check_youtube(output))


def _stereo(path: Path, samples: int, cancel: Cancel | None) -> Iterator[np.ndarray]:
    """A stereo file at 48 kHz, cut or filled up to ``samples``, in blocks like the field's."""
    from omniaudio_studio.delivery.source import BLOCK
    from omniaudio_studio.media.audio import iter_audio
    from omniaudio_studio.media.blocks import regrouped

    def natural() -> Iterator[np.ndarray]:
        for block in iter_audio(path, RATE, block=BLOCK):
            if cancel is not None:
                cancel.check()
            if block.shape[0] > 2:
                raise MediaError(
                    f"{path} has {block.shape[0]} channels; head-locked sound is stereo or mono"
                )
            yield np.repeat(block, 2, axis=0) if block.shape[0] == 1 else block

    return regrouped(natural(), 2, BLOCK, samples)
