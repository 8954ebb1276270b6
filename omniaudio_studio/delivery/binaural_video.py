"""The clip with its field as stereo for headphones, for players that know no ambisonics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omniaudio_studio.delivery.soundtrack import AAC_STEREO, RATE
from omniaudio_studio.delivery.video_file import Blocks, VideoResult, check_ending, write_video
from omniaudio_studio.errors import OptionError
from omniaudio_studio.foa.binaural import TrackRenderer, default_filters

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.foa.binaural_track import HeadTrack
    from omniaudio_studio.media.probe import ClipInfo


def write_binaural_video(
    source: DeliverySource,
    output: Path,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    track: Path | HeadTrack | None = None,
    hrtf: Path | None = None,
    own_sound: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> VideoResult:
    """Write an MP4: video copied, the field binaural as AAC of 320 kb/s at 48 kHz.

    The head stands in the stored picture: looking ahead is looking at its middle.

    Parameters
    ----------
    yaw, pitch, roll : float
        Degrees: the head turned to the left, up, its left ear up.
    track : Path or HeadTrack, optional
        A head track (`media.head_track`, or what it reads) in place of them; its time 0 is the
        first picture.
    hrtf : Path, optional
        A SOFA file; the filters that ship by default.

    Other parameters and errors as for `mov.write_mov`; ``output`` ends with .mp4.
    """
    from omniaudio_studio.media.head_track import read_head_track

    check_ending(output, (".mp4",), "for AAC")
    head = np.radians([yaw, pitch, roll])
    if not np.isfinite(head).all():
        raise OptionError(f"yaw, pitch and roll must be in degrees, found {yaw}, {pitch}, {roll}")
    if track is not None and head.any():
        raise OptionError("a head track says where the head looks; leave yaw, pitch and roll out")
    looking: Any
    if track is None:
        looking = (0.0, *head)
    else:
        looking = read_head_track(track) if isinstance(track, Path) else track
    if hrtf is None:
        filters = default_filters(RATE)
    else:
        from omniaudio_studio.media.hrtf import load_hrtf

        filters = load_hrtf(hrtf).at_rate(RATE)
    renderer = TrackRenderer(filters, RATE, looking)

    def ears(_clip: ClipInfo, samples: int) -> Iterator[np.ndarray]:
        for block in source.blocks_in_clip(RATE, samples, cancel=cancel):
            heard = np.empty((2, block.shape[1]), np.float32)
            renderer.process(block, heard)
            yield heard

    blocks: Callable[[ClipInfo, int], Blocks] = ears
    return write_video(
        source,
        output,
        AAC_STEREO,
        blocks=blocks,
        inputs=tuple(path for path in (track, hrtf) if isinstance(path, Path)),
        own_sound=own_sound,
        overwrite=overwrite,
        progress=progress,
        cancel=cancel,
    )
