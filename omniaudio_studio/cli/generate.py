"""``omniaudio generate``: a 360 clip becomes first-order ambisonics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniaudio_studio.cli.output import ProgressReport, note, print_json, seconds_text
from omniaudio_studio.cli.running import run_cancellable
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import (
    DEVICES,
    PROJECTIONS,
    STEREO_LAYOUTS,
    SUBTYPES,
    GenerateRequest,
)

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.result import RunResult


def _or(choices: Sequence[str]) -> str:
    return ", ".join(choices)


def _seconds_range(text: str) -> tuple[float, float]:
    begin, _, end = text.partition("-")
    try:
        return float(begin), float(end)
    except ValueError:
        raise OptionError(
            f"--base-range must be two times in seconds as 3.5-7; found {text!r}"
        ) from None


def generate(
    clip: Annotated[
        Path | None, typer.Argument(metavar="CLIP", help="The 360 video.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.wav", help="The WAV to write.")
    ] = None,
    bundle: Annotated[
        str | None, typer.Option(help="Name or path of the model bundle (default: starter).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Noise seed, 0 to 2^64 - 1.")] = None,
    cfg: Annotated[float | None, typer.Option(help="Guidance scale, 0 to 100.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampler steps, 1 to 1000.")] = None,
    start: Annotated[float | None, typer.Option(help="Seconds into the clip.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds to generate.")] = None,
    shots: Annotated[
        str | None,
        typer.Option(
            metavar="auto|FILE",
            help="Start afresh at cuts: found automatically, or a JSON list of "
            '{"start": seconds, "cfg": ..., "seed": ...}.',
        ),
    ] = None,
    projection: Annotated[
        str | None, typer.Option(help=f"How the sphere lies in the picture: {_or(PROJECTIONS)}.")
    ] = None,
    stereo: Annotated[
        str | None, typer.Option(help=f"Stereo layout: {_or(STEREO_LAYOUTS)}.")
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Sample rate of the WAV (48000).")] = None,
    subtype: Annotated[str | None, typer.Option(help=f"Samples: {_or(SUBTYPES)}.")] = None,
    yaw: Annotated[
        float | None,
        typer.Option(help="Degrees, positive left: what is there becomes the front of the WAV."),
    ] = None,
    mix: Annotated[
        float | None, typer.Option(help="Gain of the camera's own sound under the field (0).")
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(help="Integrated loudness to reach, LUFS; else level is kept.")
    ] = None,
    takes: Annotated[
        int | None, typer.Option(help="Results with seeds SEED, SEED+1, ...: OUT-take2.wav ...")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(metavar="TAKE.wav", help="Keep this take but for the --base-range."),
    ] = None,
    base_range: Annotated[
        str | None, typer.Option(metavar="A-B", help="Seconds of the clip to roll again.")
    ] = None,
    device: Annotated[str | None, typer.Option(help=f"Where it runs: {_or(DEVICES)}.")] = None,
    feature_rate: Annotated[
        float | None, typer.Option(help="Pictures per second that the model sees.")
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also OUT.overlay.mp4: the energy over the picture.")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Also OUT.png: direction and level over time.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing outputs.")
    ] = False,
    sidecar: Annotated[
        Path | None,
        typer.Option("--from", metavar="OUT.json", help="Reproduce the sound of a sidecar."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Generate spatial sound for CLIP: AmbiX WAV (W Y Z X, SN3D) with its sidecar OUT.json."""
    chosen: dict[str, Any] = {
        "bundle": bundle,
        "seed": seed,
        "cfg": cfg,
        "steps": steps,
        "start": start,
        "duration": duration,
        "projection": projection,
        "stereo": stereo,
        "rate": rate,
        "subtype": subtype,
        "yaw": yaw,
        "mix": mix,
        "loudness": loudness,
        "takes": takes,
        "base_take": base,
        "base_range": None if base_range is None else _seconds_range(base_range),
        "device": device,
        "feature_rate": feature_rate,
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if overlay or plot:
        extra = [name for name, wanted in (("overlay", overlay), ("plot", plot)) if wanted]
        chosen["deliverables"] = ("wav", *extra)
    if sidecar is not None:
        request = None
        given = [name for name in (*chosen, "shots" if shots else "") if name]
        changeable = {"device", "deliverables"}
        options = {"base_take": "base"}
        fixed = [
            options.get(name, name).replace("_", "-") for name in given if name not in changeable
        ]
        if fixed:
            raise OptionError(
                f"--from takes everything from the sidecar; leave --{fixed[0]} out, or generate "
                "without --from"
            )
    else:
        if clip is None or output is None:
            raise OptionError("expected a clip and an output: omniaudio generate CLIP -o OUT.wav")
        request = GenerateRequest(clip, output, overwrite=overwrite, **chosen).validate()

    def work(cancel: CancelToken) -> RunResult:
        from omniaudio_studio.jobs.run import run_request, with_shots
        from omniaudio_studio.jobs.sidecar import reproduction

        if request is None:
            assert sidecar is not None
            expected = reproduction(
                sidecar, clip=clip, output=output, overwrite=overwrite, changes=chosen
            )
            return run_request(expected.request, progress=report, cancel=cancel, expected=expected)
        whole = request if shots is None else with_shots(request, shots, cancel)
        return run_request(whole, progress=report, cancel=cancel)

    with ProgressReport() as report:
        result = run_cancellable(work)
    show_result(result, as_json=as_json)


def show_result(result: RunResult, *, as_json: bool) -> None:
    """Say what was made, where, by what and how fast."""
    for warning in result.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(result.as_dict())
        return
    for take in result.takes:
        print(f"{take.wav}  {seconds_text(result.duration)}, {result.rate} Hz, AmbiX (W Y Z X)")
        print(f"{take.sidecar}  how to make it again")
        if take.overlay is not None:
            print(f"{take.overlay}  the sound field over the picture")
        if take.plot is not None:
            print(f"{take.plot}  where the sound is, and how loud, over time")
    print(
        f"sound in {seconds_text(result.sound_seconds)} ({result.realtime:.1f} times real time), "
        f"all in {seconds_text(result.seconds)}"
    )
    print(f"on {result.provider}: {result.reason}")
    if result.demonstration:
        print(
            f"{result.bundle_title} is a demonstration model: it shows the way from picture to "
            "sound, not the quality to expect of a large one"
        )
