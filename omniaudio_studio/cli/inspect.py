"""``omniaudio probe`` and ``omniaudio measure``: what a file is, what a sound field does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.output import note, print_json, print_pairs, seconds_text
from omniaudio_studio.cli.running import run_cancellable

if TYPE_CHECKING:
    from omniaudio_studio.delivery.measure import Measurement
    from omniaudio_studio.engine.cancel import CancelToken


def probe(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A video file.")],
    projection: Annotated[str, typer.Option(help="Declare the projection.")] = "auto",
    stereo: Annotated[str, typer.Option(help="Declare the stereo layout.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Say what CLIP is: size, length, projection and how it is known, stereo layout, sound."""
    from omniaudio_studio.media.probe import probe as probe_clip

    info = probe_clip(clip, projection=projection, stereo=stereo)
    if as_json:
        print_json(info.as_dict())
        return
    pairs = [
        ("clip", str(info.path)),
        ("picture", f"{info.width} x {info.height}, {info.codec}, {info.fps:.3f} frames/s"),
        ("length", f"{info.duration:.3f} s"),
        ("projection", f"{info.projection} (from {info.projection_source})"),
        ("stereo", info.stereo),
        ("orientation", f"yaw {info.yaw:g}, pitch {info.pitch:g}, roll {info.roll:g} degrees"),
    ]
    if info.audio is None:
        pairs.append(("sound", "none"))
    else:
        kind = "ambisonic" if info.audio.ambisonic else info.audio.layout
        pairs.append(
            ("sound", f"{info.audio.codec}, {info.audio.rate} Hz, {info.audio.channels} ch, {kind}")
        )
    print_pairs(pairs)
    for warning in info.warnings:
        note(f"warning: {warning}")


def measure(
    sound: Annotated[Path, typer.Argument(metavar="FOA.wav", help="A sound field, 4 channels.")],
    convention: Annotated[
        str, typer.Option(help="auto, ambix, fuma, n3d or wxyz: channel order and weights.")
    ] = "auto",
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw anglegram and levels.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the plot.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Measure a sound field: direction over time, levels per channel, loudness."""

    def work(cancel: CancelToken) -> Measurement:
        from omniaudio_studio.delivery.measure import measure as measure_field
        from omniaudio_studio.delivery.plots import plot_measurement
        from omniaudio_studio.files import check_output

        if plot is not None:
            check_output(plot, overwrite=overwrite)
        measurement = measure_field(sound, convention=convention, cancel=cancel)
        if plot is not None:
            plot_measurement(measurement, plot, overwrite=overwrite)
        return measurement

    measurement = run_cancellable(work)
    data = measurement.as_dict()
    if as_json:
        print_json(data)
        return
    show_measurement(data)
    if plot is not None:
        print(f"{plot}  anglegram and levels")


def show_measurement(data: dict[str, object]) -> None:
    """The figures as aligned lines; long lists (frames over time) are for --json and --plot."""
    pairs = []
    for name, value in data.items():
        if isinstance(value, list | dict):
            continue
        if name == "duration" and isinstance(value, float):
            value = seconds_text(value)
        elif isinstance(value, float):
            value = f"{value:.3f}"
        pairs.append((name.replace("_", " "), value))
    print_pairs(pairs)
