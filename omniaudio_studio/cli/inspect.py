"""``omniaudio probe``, ``inspect``, ``measure``: what a file is, claims, and sounds like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.output import note, print_json, print_pairs, seconds_text
from omniaudio_studio.cli.running import run_cancellable

if TYPE_CHECKING:
    from omniaudio_studio.delivery.inspecting import Inspection, SoundFindings
    from omniaudio_studio.delivery.measure import Measurement
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.media.claims import Claims


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


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A video or sound file.")],
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Say what FILE claims (layout, order, projection), what its sound shows, and what to do.

    Of files longer than two minutes, twelve stretches of ten seconds are listened to.
    """

    def work(cancel: CancelToken) -> Inspection:
        from omniaudio_studio.delivery.inspecting import inspect_file

        return inspect_file(file, cancel)

    found = run_cancellable(work)
    if as_json:
        print_json(found.as_dict())
        return
    print_pairs([*_claimed(found.claims), *_heard(found.sound)])
    for line in found.advice:
        print(f"- {line}")


def _claimed(claims: Claims) -> Iterator[tuple[str, str]]:
    yield "file", str(claims.path)
    length = "" if claims.duration is None else f", {claims.duration:.3f} s"
    start = f", from {claims.start:g} s on" if claims.start else ""
    yield "container", f"{claims.container}, {claims.size} bytes{length}{start}"
    for picture in claims.pictures:
        size = f"{picture.width} x {picture.height}"
        yield "picture", f"{size}, {picture.codec}, {picture.fps:.3f} frames/s"
        seen = picture.spherical
        if seen is not None:
            pose = f"yaw {seen.yaw:g}, pitch {seen.pitch:g}, roll {seen.roll:g} degrees"
            yield "projection", f"{seen.projection}, stereo {seen.stereo or 'not said'}, {pose}"
    for sound in claims.sounds:
        name = f' "{sound.name.strip()}"' if sound.name.strip() else ""
        form = f"{sound.codec}, {sound.rate} Hz, {sound.channels} ch, {sound.layout}"
        yield "sound", f"track {sound.number}{name}: {form}"
        if sound.ambisonic is not None:
            parts = [f"order {sound.order}", str(sound.convention)]
            if sound.positions is not None and sound.positions != (0, 1, 2, 3):
                parts.append(f"W Y Z X in channels {[1 + place for place in sound.positions]}")
            if sound.head_locked:
                parts.append("head-locked stereo")
            yield "ambisonics", f"{', '.join(parts)} (by {sound.ambisonic})"
    for number, rows in claims.edits.items():
        listed = ", ".join(f"{length:.3f} s from {start}" for length, start in rows[:4])
        yield "edit list", f"track {number}: {listed}"
    for name, value in claims.tags.items():
        yield f"tag {name}", " ".join(value.split())
    if claims.bext is not None:
        yield "bext", claims.bext.description


def _heard(sound: SoundFindings | None) -> Iterator[tuple[str, str]]:
    if sound is None:
        return
    part = "all of it" if sound.whole else f"{sound.seconds:.0f} s spread over the file"
    yield "listened to", f"track {sound.track}, {part}"
    yield "levels", f"{', '.join(f'{level:.1f}' for level in sound.levels)} dBFS"
    yield "peaks", f"{', '.join(f'{peak:.1f}' for peak in sound.peaks)} dBFS"
    guess = sound.guess
    if guess is not None and guess.kind != "silent":
        certain = "" if guess.sure else " (not certain)"
        yield "looks like", f"{guess.convention or guess.kind}{certain}"
        yield "X Y Z over W", f"{guess.ratio:.2f} in power; SN3D has 1, FuMa 2, N3D 3"


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
