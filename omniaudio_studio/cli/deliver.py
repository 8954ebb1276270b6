"""``omniaudio deliver``: a part of a sound field, with placed sounds, as the files that leave."""

from __future__ import annotations

import json
import math
from dataclasses import replace
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
from omniaudio_studio.errors import MissingFileError, OptionError
from omniaudio_studio.jobs.batch import VIDEO_SUFFIXES
from omniaudio_studio.jobs.checks import check_deliverables
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.deliverables import DELIVERABLES
from omniaudio_studio.jobs.field_clip import clip_of

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.jobs.result import DeliverResult

_OF_THE_PICTURE = ("yaw", "projection", "stereo", "hfov", "camera")


def deliver(
    field: Annotated[
        Path | None,
        typer.Argument(
            metavar="FIELD", help="A sound field: a take, or any file with one.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT.wav", help="The WAV to write; else more beside FIELD."
        ),
    ] = None,
    start: Annotated[float | None, typer.Option(help="Seconds into the field.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds to deliver.")] = None,
    sources: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Placed sounds to add: a JSON list of objects with file, name, start and points, "
            "each [time, x, y, z, gain] in s and m (x front, y left, z up).",
        ),
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(
            help="Channel order and weights of FIELD: ambix, fuma, n3d or wxyz (default: what the "
            "file states)."
        ),
    ] = None,
    wanted: options.As = None,
    binaural: options.Binaural = False,
    head: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Head track for headphones: lines of time,yaw,pitch,roll (s, degrees).",
        ),
    ] = None,
    head_locked: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Stereo for --as youtube that does not turn with the head, from the clip's first "
            "picture on.",
        ),
    ] = None,
    overlay: options.Overlay = False,
    clip: Annotated[
        Path | None,
        typer.Option(
            metavar="CLIP",
            help="The 360 video (default: the one that FIELD's sidecar names, or FIELD itself).",
        ),
    ] = None,
    clip_start: Annotated[
        float | None, typer.Option(help="The clip's time at the field's first sample, s.")
    ] = None,
    yaw: Annotated[
        float | None, typer.Option(help="What the field's front is in the clip, degrees left.")
    ] = None,
    projection: options.Projection = None,
    stereo: options.Stereo = None,
    hfov: options.Hfov = None,
    camera: options.Camera = None,
    plot: options.Plot = False,
    no_provenance: options.NoProvenance = False,
    rate: options.Rate = None,
    subtype: options.Subtype = None,
    loudness: options.Loudness = None,
    overwrite: options.Overwrite = False,
    sidecar: Annotated[
        Path | None,
        typer.Option("--from", metavar="OUT.json", help="Make a sidecar's delivery again."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List what can be made, and leave.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Make files for players, video sites and audio workstations of FIELD: --as mov --as adm.

    They lie beside FIELD. With -o a part of it is written, placed sounds added, as AmbiX WAV with
    its sidecar OUT.json, and the others beside that; without FIELD, the placed sounds alone. Where
    nothing is to be done to a part, the WAV holds the field's samples bit for bit.
    """
    if listed:
        _list(as_json=as_json)
        return
    chosen = options.given(
        start=start,
        duration=duration,
        sources=sources,
        head=head,
        head_locked=head_locked,
        convention=convention,
        clip=clip,
        clip_start=clip_start,
        yaw=yaw,
        projection=projection,
        stereo=stereo,
        hfov=hfov,
        camera=camera,
        rate=rate,
        subtype=subtype,
        loudness=loudness,
        wanted=wanted,
        binaural=binaural,
        overlay=overlay,
        plot=plot,
        no_provenance=no_provenance,
    )
    if sidecar is not None:
        if field is not None or chosen:
            raise OptionError(
                "--from takes everything from the sidecar; leave out all but -o and --overwrite, "
                "or deliver without --from"
            )
        request = None
    else:
        request = _request(field, output, overwrite, chosen)

    def work(cancel: CancelToken) -> DeliverResult:
        from omniaudio_studio.jobs.deliver import run_deliver
        from omniaudio_studio.jobs.delivery_sidecar import redelivery

        if request is not None:
            return run_deliver(request, progress=report, cancel=cancel)
        assert sidecar is not None
        expected = redelivery(sidecar, output=output, overwrite=overwrite)
        return run_deliver(expected.request, progress=report, cancel=cancel, expected=expected)

    with ProgressReport() as report:
        result = run_cancellable(work)
    _show(result, as_json=as_json)
    refuse_problems(result.problems)


def _request(
    field: Path | None, output: Path | None, overwrite: bool, chosen: dict[str, Any]
) -> DeliverRequest:
    deliverables = chosen.get("deliverables", ("wav",))
    if output is None:
        if field is None or len(deliverables) == 1:
            raise OptionError(
                "expected an output, or what to make of FIELD: omniaudio deliver FIELD -o OUT.wav, "
                "or omniaudio deliver FIELD --as mov"
            )
        output, deliverables = field.with_suffix(".wav"), deliverables[1:]
        chosen["deliverables"] = deliverables
    check_deliverables(deliverables, wav=False)
    show = [name for name in deliverables if DELIVERABLES[name].clip != "no"]
    if not show:
        for name in _OF_THE_PICTURE:
            if name in chosen:
                raise OptionError(
                    f"--{name.replace('_', '-')} is for what shows the clip; add --as overlay or "
                    "the like"
                )
    if field is not None:
        chosen = _with_clip(field, chosen, show)
    if "clip_start" in chosen and "clip" not in chosen:
        raise OptionError("--clip-start is for a clip; give --clip too")
    if "sources" in chosen:
        chosen["sources"] = _read_sources(chosen["sources"])
    if "head" in chosen:
        chosen["head"] = _read_head(chosen["head"])
    return DeliverRequest(field, output, overwrite=overwrite, **chosen).validate()


def _with_clip(field: Path, chosen: dict[str, Any], show: list[str]) -> dict[str, Any]:
    """What was asked for; where that says nothing, what the field's sidecar tells of its clip."""
    told = clip_of(field)
    if not told and field.suffix.lower() in VIDEO_SUFFIXES:
        told = {"clip": field}  # a camera's own field lies in its own picture
    named, known = chosen.get("clip"), told.get("clip")
    if named is None and (known is None or not known.exists()):
        needing = [name for name in show if DELIVERABLES[name].clip == "must"]
        if needing:
            why = f"{known} is gone" if known else f"no sidecar beside {field} names one"
            raise MissingFileError(f"{needing[0]} shows the clip, and {why}; give it: --clip CLIP")
        return chosen
    if chosen.get("projection", "flat") != "flat":
        told = {name: value for name, value in told.items() if name not in ("hfov", "camera")}
    return {**told, **chosen}


def _list(*, as_json: bool) -> None:
    """The table of deliverables."""
    if as_json:
        print_json([vars(row) for row in DELIVERABLES.values()])
        return
    width = max(map(len, DELIVERABLES))
    endings = {name: " or ".join(row.endings) for name, row in DELIVERABLES.items()}
    broad = max(map(len, endings.values()))
    for name, row in DELIVERABLES.items():
        print(f"{name:<{width}}  {endings[name]:<{broad}}  {row.description}")


def _read_sources(file: Path) -> tuple[PlacedSource, ...]:
    """Placed sounds from a JSON list; their paths count from its folder."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(f"no such file: {file} (--sources); check the path") from error
    except OSError as error:
        raise MissingFileError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{file} is not JSON ({error}); expected a list of sources") from error
    if not isinstance(data, list):
        raise OptionError(f"{file} holds no list; expected a JSON list of sources")
    found = []
    for number, item in enumerate(data, 1):
        source = PlacedSource.from_dict(item, f"{file.name}: source {number}")
        found.append(replace(source, file=file.parent / source.file))
    return tuple(found)


def _read_head(file: Path) -> tuple[tuple[float, ...], ...]:
    from omniaudio_studio.media.head_track import read_head_track

    times, *angles = read_head_track(file)
    rows = zip(times.tolist(), *(column.tolist() for column in angles), strict=True)
    return tuple((time, *map(math.degrees, turned)) for time, *turned in rows)


def _show(result: DeliverResult, *, as_json: bool) -> None:
    for warning in result.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(result.as_dict())
        return
    if result.peak is not None:
        print(f"{result.wav}  {seconds_text(result.duration)}, {result.rate} Hz, AmbiX (W Y Z X)")
        print(f"{result.sidecar}  how to make it again")
    else:  # the field stays where it is
        print(f"{result.sidecar}  lists what is beside the sound field")
    print_files(result.files)
    print(f"in {seconds_text(result.seconds)}")
