"""``omniaudio binaural``: a sound field for headphones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.output import ProgressReport, note, print_json, seconds_text
from omniaudio_studio.cli.running import run_cancellable

if TYPE_CHECKING:
    from omniaudio_studio.delivery.binaural import BinauralResult
    from omniaudio_studio.engine.cancel import CancelToken


def binaural(
    sound: Annotated[Path, typer.Argument(metavar="FOA.wav", help="A sound field, 4 channels.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.wav", help="Stereo, for headphones.")
    ],
    yaw: Annotated[float, typer.Option(help="Head turned to the left, degrees.")] = 0.0,
    pitch: Annotated[float, typer.Option(help="Head turned up, degrees.")] = 0.0,
    roll: Annotated[float, typer.Option(help="Left ear lifted, degrees.")] = 0.0,
    track: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Head track: lines of time,yaw,pitch,roll (s, degrees)."),
    ] = None,
    hrtf: Annotated[
        Path | None, typer.Option(metavar="SOFA", help="Your own ears: SimpleFreeFieldHRIR.")
    ] = None,
    convention: Annotated[
        str, typer.Option(help="auto, ambix, fuma, n3d or wxyz: channel order and weights.")
    ] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing outputs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Render a sound field for headphones: OUT.wav with its record OUT.json."""

    def work(cancel: CancelToken) -> BinauralResult:
        from omniaudio_studio.delivery.binaural import BinauralRequest, render_file

        request = BinauralRequest(
            field=sound,
            output=output,
            convention=convention,
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            track=track,
            hrtf=hrtf,
        )
        return render_file(request, overwrite=overwrite, progress=report, cancel=cancel)

    with ProgressReport() as report:
        result = run_cancellable(work)
    if as_json:
        print_json(result.as_dict())
    else:
        print(
            f"{result.output}  {seconds_text(result.samples / result.rate)}, {result.rate} Hz, "
            f"filters: {result.filters}"
        )
        print(f"{result.record}  what makes it again")
    if result.peak > 1.0:
        note(
            f"warning: its peak is {result.peak:.2f}, above full scale; "
            "turn it down before saving it in whole numbers"
        )
