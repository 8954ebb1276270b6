"""The field as a FuMa WAV, W X Y Z with W at -3 dB, for tools that take nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.wav import RATE, WavResult, write_field
from omniaudio_studio.errors import OptionError
from omniaudio_studio.files import written_whole

if TYPE_CHECKING:
    from omniaudio_studio.media.wav import Subtype


def write_fuma(
    source: DeliverySource,
    output: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
    rate: int = RATE,
    subtype: Subtype = "float32",
) -> WavResult:
    """Write the field as FuMa, named so in the file's name and in its ``bext`` chunk.

    Both names matter: four channels of FuMa and of AmbiX look alike, and sound wrong in each
    other's place.

    Parameters and errors as for `delivery.wav.write_wav`; also:

    Raises
    ------
    OptionError
        If ``output`` does not have "fuma" in its name.
    """
    if "fuma" not in output.name.lower():
        raise OptionError(
            f"{output.name}: a FuMa file must say so in its name; call it "
            f'"{output.stem}.fuma{output.suffix}"'
        )
    with written_whole(output, overwrite=overwrite) as place:
        return write_field(
            source,
            place,
            rate=rate,
            subtype=subtype,
            convention="fuma",
            progress=progress,
            cancel=cancel,
        )
