"""A video file with a sound field: what all containers have in common.

The field lies in the frame of the stored picture: a take's yaw is turned back, and no new pose is
written. What the clip's container says of the sphere is kept; where it says nothing and the clip is
equirectangular, by its shape or by declaration, it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.delivery.muxing import FORMATS, Muxed, mux
from omniaudio_studio.delivery.soundtrack import RATE, SoundFormat
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.files import check_output, written_whole

if TYPE_CHECKING:
    from omniaudio_studio.cancel import Cancel
    from omniaudio_studio.delivery.source import DeliverySource
    from omniaudio_studio.media.probe import ClipInfo
    from omniaudio_studio.media.spherical import SphericalBoxes

Blocks = Iterator[NDArray[np.float32]]


@dataclass(frozen=True)
class VideoResult:
    """What was written.

    Attributes
    ----------
    output : Path
    sound : str
        How the sound is stored, for people.
    rate, samples : int
        Samples a second, and per channel.
    notes : tuple of str
        What one should know, a line each.
    """

    output: Path
    sound: str
    rate: int
    samples: int
    notes: tuple[str, ...] = ()


def needed_clip(source: DeliverySource, name: str) -> ClipInfo:
    """The source's clip.

    Raises
    ------
    OptionError
        If it has none.
    """
    if source.clip is None:
        raise OptionError(f"the deliverable {name} shows the clip's picture; give the clip")
    return source.clip


def check_ending(output: Path, endings: tuple[str, ...], why: str) -> None:
    """Refuse a name whose container is another one.

    Raises
    ------
    OptionError
    """
    if output.suffix.lower() not in endings:
        wanted = " or ".join(endings)
        raise OptionError(f"{output}: expected a name that ends with {wanted}, {why}")


def write_video(
    source: DeliverySource,
    output: Path,
    form: SoundFormat,
    *,
    blocks: Callable[[ClipInfo, int], Blocks] | None = None,
    rate: int = RATE,
    inputs: tuple[Path, ...] = (),
    own_sound: bool = False,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> VideoResult:
    """Write the clip's pictures with a sound; the file appears whole or not at all.

    Parameters
    ----------
    source : DeliverySource
        With a clip.
    output : Path
        Its suffix is one of `muxing.FORMATS`.
    form : SoundFormat
    blocks : callable, optional
        Given the clip and the number of samples, the sound, float32 (channels, n); by default the
        field in the picture's frame.
    rate : int
        Samples a second of the sound.
    inputs : tuple of Path
        Files besides clip and field that the output must not be.
    own_sound : bool
        Keep the clip's own sound as a second track.
    overwrite, progress, cancel
        As for `muxing.mux`.

    Raises
    ------
    MissingFileError, MediaError, OptionError
        For inputs and options.
    OutputError, OutputExistsError
        If it cannot be written.
    Cancelled
        If ``cancel`` says so.
    """
    info = needed_clip(source, output.suffix)
    check_ending(output, tuple(FORMATS), "which names the container")
    check_output(output, overwrite=overwrite)
    for given in (info.path, source.field, *inputs):
        if _same(output, given):
            raise OptionError(f"{output} is an input too; choose another name for the output")
    samples = info.samples(rate)
    if not samples:
        raise MediaError(f"{info.path} lasts no time; give a clip of at least two pictures")
    sound = (
        source.blocks_in_clip(rate, samples, cancel=cancel)
        if blocks is None
        else blocks(info, samples)
    )
    tags = {} if source.provenance is None else source.provenance.tags()
    with written_whole(output, overwrite=overwrite) as temporary:
        muxed = mux(
            info,
            temporary,
            form,
            rate,
            sound,
            tags=tags,
            own_sound=own_sound,
            progress=progress,
            cancel=cancel,
        )
        marked = _mark(temporary, info, form)
        if cancel is not None:
            cancel.check()
    return VideoResult(
        output, form.name, rate, muxed.samples, tuple(_notes(info, output, muxed, marked))
    )


def _same(output: Path, given: Path) -> bool:
    if output.resolve() == given.resolve():
        return True
    return output.exists() and given.exists() and output.samefile(given)


def _mark(target: Path, info: ClipInfo, form: SoundFormat) -> bool:
    """Write what players need to know; False where the picture's projection cannot be told."""
    from omniaudio_studio.media import marking, matroska
    from omniaudio_studio.media.ambisonics import ambisonics_box

    said = _spherical(info)
    if target.suffix.lower() in (".mkv", ".webm"):
        # A mesh finds no room in front of the media data.
        if said is None or said.projection == "mesh":
            return False
        matroska.mark_in_place(target, said)
        return True
    sound = b""
    if form.layout not in ("mono", "stereo"):
        sound = ambisonics_box(head_locked=form.layout.endswith("stereo"))
    marking.mark_in_place(target, b"" if said is None else said.as_boxes(), sound)
    return said is not None


def _spherical(info: ClipInfo) -> SphericalBoxes | None:
    """What is to be said of the picture."""
    from omniaudio_studio.media import matroska, spherical

    found = None
    if info.projection_source == "metadata":
        found = spherical.read_spherical(info.path) or matroska.read_spherical(info.path)
    if found is not None and found.projection != "unknown":
        # libav's own reading may know the eyes where the metadata do not.
        eyes = found.stereo if found.stereo in spherical.STEREO_MODES else info.stereo
        return replace(found, stereo=eyes)
    if info.projection != "equirectangular":
        return None
    return spherical.SphericalBoxes("equirectangular", info.stereo, info.yaw, info.pitch, info.roll)


def _notes(info: ClipInfo, output: Path, muxed: Muxed, marked: bool) -> Iterator[str]:
    if not marked:
        yield (
            f"the picture is {info.projection}: no player shows it as a sphere; stitch it to an "
            "equirectangular clip first for that"
        )
    if muxed.beyond:
        yield (
            f"{muxed.beyond} samples are beyond full scale and are cut off; a loudness target or "
            "a lower gain avoids it"
        )
    if muxed.hidden and output.suffix.lower() in (".mkv", ".webm"):
        yield (
            f"{muxed.hidden} pictures before the clip's start, hidden by its edit list, are shown: "
            f"{output.suffix} has no such lists; the sound begins after them"
        )
