"""``omniaudio generate``: a 360 clip becomes first-order ambisonics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli import request_options as options
from omniaudio_studio.cli.output import (
    ProgressReport,
    note,
    print_files,
    print_json,
    refuse_problems,
    seconds_text,
)
from omniaudio_studio.cli.running import run_cancellable
from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.request import GenerateRequest

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.result import RunResult


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
    bundle: options.Bundle = None,
    seed: options.Seed = None,
    cfg: options.Cfg = None,
    steps: options.Steps = None,
    sampler: options.Sampler = None,
    start: options.Start = None,
    duration: options.Duration = None,
    shots: Annotated[
        str | None,
        typer.Option(
            metavar="auto|FILE",
            help="Start afresh at cuts: found automatically, or a JSON list of "
            '{"start": seconds, "cfg": ..., "seed": ...}.',
        ),
    ] = None,
    projection: options.Projection = None,
    stereo: options.Stereo = None,
    hfov: options.Hfov = None,
    camera: options.Camera = None,
    front: options.Front = None,
    rate: options.Rate = None,
    subtype: options.Subtype = None,
    yaw: options.Yaw = None,
    mix: options.Mix = None,
    mix_field: options.MixField = None,
    duck: options.Duck = None,
    hint: options.HintList = None,
    hints: options.HintFile = None,
    loudness: options.Loudness = None,
    takes: options.Takes = None,
    base: Annotated[
        Path | None,
        typer.Option(metavar="TAKE.wav", help="Keep this take but for the --base-range."),
    ] = None,
    base_range: Annotated[
        str | None, typer.Option(metavar="A-B", help="Seconds of the clip to roll again.")
    ] = None,
    device: options.Device = None,
    low_memory: options.LowMemory = False,
    feature_rate: options.FeatureRate = None,
    features: options.Features = None,
    wanted: options.As = None,
    binaural: options.Binaural = False,
    overlay: options.Overlay = False,
    plot: options.Plot = False,
    no_provenance: options.NoProvenance = False,
    overwrite: options.Overwrite = False,
    sidecar: Annotated[
        Path | None,
        typer.Option("--from", metavar="OUT.json", help="Reproduce the sound of a sidecar."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Generate spatial sound for CLIP: AmbiX WAV (W Y Z X, SN3D) with its sidecar OUT.json."""
    chosen = options.given(
        bundle=bundle,
        seed=seed,
        cfg=cfg,
        steps=steps,
        sampler=sampler,
        start=start,
        duration=duration,
        projection=projection,
        stereo=stereo,
        hfov=hfov,
        camera=camera,
        front=front,
        rate=rate,
        subtype=subtype,
        yaw=yaw,
        mix=mix,
        mix_field=mix_field,
        duck=duck,
        hints=options.hints(hint, hints),
        loudness=loudness,
        takes=takes,
        base_take=base,
        base_range=None if base_range is None else _seconds_range(base_range),
        device=device,
        low_memory=low_memory or None,
        feature_rate=feature_rate,
        features=features,
        wanted=wanted,
        binaural=binaural,
        overlay=overlay,
        plot=plot,
        no_provenance=no_provenance,
    )
    if sidecar is not None:
        request = None
        given = [name for name in (*chosen, "shots" if shots else "") if name]
        changeable = {"device", "low_memory", "deliverables", "provenance"}
        names = {"base_take": "base"}
        fixed = [
            names.get(name, name).replace("_", "-") for name in given if name not in changeable
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
    refuse_problems(result.problems)


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
        print_files(take.files)
    print(
        f"sound in {seconds_text(result.sound_seconds)} ({result.realtime:.1f} times real time), "
        f"all in {seconds_text(result.seconds)}"
    )
    print(f"on {result.provider}: {result.reason}")
    if not result.commercial:
        print(f"the licence of {result.bundle_title} forbids commercial use of this sound")
    if result.demonstration:
        print(
            f"{result.bundle_title} is a demonstration model: it shows the way from picture to "
            "sound, not the quality to expect of a large one"
        )
