"""``omniaudio spatialize``: a clip's own sound, or another recording, put on the sphere."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from omniaudio_studio.files import check_output
from omniaudio_studio.jobs.direction_files import read_directions, write_directions
from omniaudio_studio.jobs.outputs import all_outputs
from omniaudio_studio.jobs.result import FoundSource
from omniaudio_studio.jobs.spatialize_request import (
    MOST_FOUND,
    DirectedSource,
    SpatializeRequest,
)
from omniaudio_studio.jobs.spatialize_sidecar import input_files
from omniaudio_studio.jobs.staging import check_distinct

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.result import SpatializeResult

_FOUND = {"auto": "automatic", "learned": "learned"}


def spatialize(
    clip: Annotated[
        Path | None, typer.Argument(metavar="CLIP", help="A 360 video.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT.wav", help="The WAV to write.")
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The recording, mono or stereo (default: the clip's own sound)."
        ),
    ] = None,
    sources: Annotated[
        str | None,
        typer.Option(
            metavar="auto|learned|FILE",
            help="Where it comes from: found in the picture (auto), asked of the bundle (learned), "
            "or a CSV or JSON file of time,azimuth,elevation,gain,source (s, degrees, 0 to 1).",
        ),
    ] = None,
    max_sources: Annotated[
        int | None, typer.Option(help=f"Most directions to be found, 1 to {MOST_FOUND}.")
    ] = None,
    write_sources: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write the directions there, to be edited."),
    ] = None,
    start: options.Start = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of the clip.")] = None,
    projection: options.Projection = None,
    stereo: options.Stereo = None,
    hfov: options.Hfov = None,
    camera: options.Camera = None,
    bundle: options.Bundle = None,
    device: options.Device = None,
    width: Annotated[
        float | None,
        typer.Option(
            help="How much of what has no direction is spread around the listener, 0 to 1 (0.3)."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the spreading, 0 to 2^64 - 1.")] = None,
    yaw: options.Yaw = None,
    rate: Annotated[
        int | None, typer.Option(help="Sample rate of the WAV (the recording's own).")
    ] = None,
    subtype: options.Subtype = None,
    wanted: options.As = None,
    binaural: options.Binaural = False,
    overlay: options.Overlay = False,
    plot: options.Plot = False,
    no_provenance: options.NoProvenance = False,
    overwrite: options.Overwrite = False,
    sidecar: Annotated[
        Path | None,
        typer.Option("--from", metavar="OUT.json", help="Make a sidecar's sound again."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Put CLIP's own sound where it comes from, as AmbiX WAV with its sidecar OUT.json.

    W stays the recording, sample for sample; Y, Z and X carry its directions over time.
    """
    chosen = options.given(
        audio=audio,
        sources=sources,
        max_sources=max_sources,
        start=start,
        duration=duration,
        projection=projection,
        stereo=stereo,
        hfov=hfov,
        camera=camera,
        bundle=bundle,
        device=device,
        width=width,
        seed=seed,
        yaw=yaw,
        rate=rate,
        subtype=subtype,
        wanted=wanted,
        binaural=binaural,
        overlay=overlay,
        plot=plot,
        no_provenance=no_provenance,
    )
    request = None
    if sidecar is None:
        request = _request(clip, output, overwrite, chosen)
        _check_write_sources(write_sources, request)
    elif clip is not None or chosen or write_sources is not None:
        raise OptionError(
            "--from takes everything from the sidecar; leave out all but -o and --overwrite, or "
            "spatialize without --from"
        )

    def work(cancel: CancelToken) -> SpatializeResult:
        from omniaudio_studio.jobs.spatialize import run_spatialize
        from omniaudio_studio.jobs.spatialize_sidecar import respatialization

        if request is not None:
            return run_spatialize(request, progress=report, cancel=cancel)
        assert sidecar is not None
        expected = respatialization(sidecar, output=output, overwrite=overwrite)
        return run_spatialize(expected.request, progress=report, cancel=cancel, expected=expected)

    with ProgressReport() as report:
        result = run_cancellable(work)
    written = write_sources if result.sources else None
    if written is not None:
        found = [DirectedSource(source.name, source.points) for source in result.sources]
        write_directions(written, found, overwrite=overwrite)
    _show(result, written, as_json=as_json)
    if written != write_sources:
        note(f"warning: no direction was found, so {write_sources} was not written")
    refuse_problems(result.problems)


def _request(
    clip: Path | None, output: Path | None, overwrite: bool, chosen: dict[str, Any]
) -> SpatializeRequest:
    if clip is None or output is None:
        raise OptionError("expected a clip and an output: omniaudio spatialize CLIP -o OUT.wav")
    wanted = chosen.pop("sources", "auto")
    method = _FOUND.get(wanted, "given")
    if method == "given":
        file = Path(wanted)
        chosen["sources"] = read_directions(file)
        if "max_sources" in chosen:
            raise OptionError("--max-sources is for directions that are to be found; leave it out")
    if method != "learned":
        for name in ("bundle", "device"):
            if name in chosen:
                raise OptionError(f"--{name} is for --sources learned; leave it out")
    request = SpatializeRequest(clip, output, method=method, overwrite=overwrite, **chosen)
    request.validate()
    if method == "given":
        # OUT.json is the sidecar's name: it must not take the directions' place.
        check_distinct(all_outputs(request), [file])
    return request


def _check_write_sources(file: Path | None, request: SpatializeRequest) -> None:
    """Find out before the work whether the directions can be written."""
    if file is None:
        return
    if any(source.file is not None for source in request.sources):
        raise OptionError("--write-sources cannot hold stems; the sidecar has their directions")
    check_output(file, overwrite=request.overwrite)
    check_distinct([*all_outputs(request), file], [path for _, path in input_files(request)])


def _show(result: SpatializeResult, written: Path | None, *, as_json: bool) -> None:
    for warning in result.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(result.as_dict())
        return
    for source in result.sources:
        print(_described(source))
    if result.method != "given":
        print(f"confidence {result.confidence:.2f} that sound and picture belong together")
    print(f"{result.wav}  {seconds_text(result.duration)}, {result.rate} Hz, AmbiX (W Y Z X)")
    print(f"{result.sidecar}  how to make it again, and where each part was put")
    if written is not None:
        print(f"{written}  the directions, to be edited")
    print_files(result.files)
    print(f"in {seconds_text(result.seconds)}")


def _described(source: FoundSource) -> str:
    """Its name and its means over time: direction, gain and confidence."""
    times = [point[0] for point in source.points]
    # The lines between the points: each end counts for half of what lies between.
    weights = [1.0] * len(times)
    if len(times) > 1:
        spans = [after - before for before, after in pairwise(times)]
        weights = [a + b for a, b in zip([0.0, *spans], [*spans, 0.0], strict=True)]
    x = y = z = 0.0
    for weight, (_, azimuth, elevation, gain) in zip(weights, source.points, strict=True):
        azimuth, elevation = math.radians(azimuth), math.radians(elevation)
        heard = weight * (gain + 1e-9)  # where nothing comes from there, its place still counts
        x += heard * math.cos(azimuth) * math.cos(elevation)
        y += heard * math.sin(azimuth) * math.cos(elevation)
        z += heard * math.sin(elevation)
    total = sum(weights)
    gain = sum(w * point[3] for w, point in zip(weights, source.points, strict=True)) / total
    sure = sum(w * c for w, c in zip(weights, source.confidence, strict=True)) / total
    azimuth, elevation = math.atan2(y, x), math.atan2(z, math.hypot(x, y))
    return (
        f"{source.name}  around azimuth {math.degrees(azimuth):.0f}, elevation "
        f"{math.degrees(elevation):.0f} degrees, gain {gain:.2f}, confidence {sure:.2f}"
    )
