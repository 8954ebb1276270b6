"""Options that several verbs share: how sound is to be made. They become a GenerateRequest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.deliverables import BESIDE, ordered
from omniaudio_studio.jobs.hint_files import hint_from_text, read_hints
from omniaudio_studio.jobs.request import DEVICES, PROJECTIONS, STEREO_LAYOUTS, SUBTYPES, Hint


def _or(choices: Sequence[str]) -> str:
    return ", ".join(choices)


Bundle = Annotated[
    str | None, typer.Option(help="Name or path of the model bundle (default: starter).")
]
Seed = Annotated[int | None, typer.Option(help="Noise seed, 0 to 2^64 - 1.")]
Cfg = Annotated[float | None, typer.Option(help="Guidance scale, 0 to 100.")]
Steps = Annotated[int | None, typer.Option(help="Sampler steps, 1 to 1000.")]
Sampler = Annotated[
    str | None,
    typer.Option(
        help="euler, or reflow: few steps and as many evaluations, with bundles trained for it."
    ),
]
Start = Annotated[float | None, typer.Option(help="Seconds into the clip.")]
Duration = Annotated[float | None, typer.Option(help="Seconds to generate.")]
Projection = Annotated[
    str | None, typer.Option(help=f"How the sphere lies in the picture: {_or(PROJECTIONS)}.")
]
Stereo = Annotated[str | None, typer.Option(help=f"Stereo layout: {_or(STEREO_LAYOUTS)}.")]
Hfov = Annotated[
    float | None,
    typer.Option(help="Horizontal field of view of a flat picture, 1 to 179 degrees."),
]
Camera = Annotated[
    str | None,
    typer.Option(
        metavar="AZ,EL",
        help="Where a flat picture's camera looks, degrees left and up (0,0: to the front).",
    ),
]
Front = Annotated[
    str | None,
    typer.Option(
        metavar="auto|AZ",
        help="Where the model's front view looks, degrees left; auto: where sound is likely.",
    ),
]
Rate = Annotated[int | None, typer.Option(help="Sample rate of the WAV (48000).")]
Subtype = Annotated[str | None, typer.Option(help=f"Samples: {_or(SUBTYPES)}.")]
Yaw = Annotated[
    float | None,
    typer.Option(help="Degrees, positive left: what is there becomes the front of the WAV."),
]
Mix = Annotated[
    float | None, typer.Option(help="Gain of the camera's own sound under the field (0).")
]
MixField = Annotated[
    Path | None,
    typer.Option(
        metavar="FIELD.wav",
        help="The camera's own sound as a field (see spatialize), mixed in place of the bed in W.",
    ),
]
Duck = Annotated[
    float | None,
    typer.Option(metavar="DB", help="How far the field steps back under the camera's own sound."),
]
HintList = Annotated[
    list[str] | None,
    typer.Option(
        "--hint",
        metavar="START,END,AZ,EL[,STRENGTH]",
        help="Pull the field to a direction for some seconds (strength 0 to 1: 0.5); may repeat.",
    ),
]
HintFile = Annotated[
    Path | None,
    typer.Option("--hints", metavar="FILE", help="Hints from a JSON list, or CSV lines as above."),
]
Loudness = Annotated[
    float | None, typer.Option(help="Integrated loudness to reach, LUFS; else level is kept.")
]
Takes = Annotated[
    int | None, typer.Option(help="Results with seeds SEED, SEED+1, ...: OUT-take2.wav ...")
]
Device = Annotated[str | None, typer.Option(help=f"Where it runs: {_or(DEVICES)}.")]
LowMemory = Annotated[
    bool,
    typer.Option("--low-memory", help="One graph at a time in memory: for small cards, slower."),
]
FeatureRate = Annotated[
    float | None,
    typer.Option(
        "--feature-fps",
        "--feature-rate",
        help="Pictures per second that the model sees (the bundle's own). Fewer are looked at "
        "faster, and what happens in between is not seen; more cost time and show the model a "
        "pace that it was not trained on.",
    ),
]
Features = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.npz",
        help="Features of CLIP's pictures, an array for each view of the bundle, in place of a "
        "look at it; a bundle without a vision graph needs them.",
    ),
]
As = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help=f"Also make: {_or(BESIDE)} (omniaudio deliver --list tells what they are); may "
        "repeat.",
    ),
]
Overlay = Annotated[bool, typer.Option("--overlay", help="The same as --as overlay.")]
Binaural = Annotated[bool, typer.Option("--binaural", help="The same as --as binaural.")]
Plot = Annotated[bool, typer.Option("--plot", help="The same as --as plot.")]
NoProvenance = Annotated[
    bool,
    typer.Option(
        "--no-provenance", help="Don't state in the files how and by what their sound was made."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]


def given(
    *,
    wanted: Sequence[str] | None = None,
    binaural: bool = False,
    overlay: bool = False,
    plot: bool = False,
    no_provenance: bool = False,
    **values: Any,
) -> dict[str, Any]:
    """The fields of a request that were asked for on the command line; the others have defaults."""
    chosen = {name: value for name, value in values.items() if value is not None}
    if "camera" in chosen:
        chosen["camera"] = direction("camera", chosen["camera"])
    if "front" in chosen:
        chosen["front"] = front_of(chosen["front"])
    if no_provenance:
        chosen["provenance"] = False
    asked = (("binaural", binaural), ("overlay", overlay), ("plot", plot))
    extra = {*(wanted or ()), *(name for name, flag in asked if flag)} - {"wav"}
    if extra:
        chosen["deliverables"] = ("wav", *ordered(extra))
    return chosen


def front_of(text: str) -> float | str:
    """What ``--front`` says: an azimuth in degrees, or auto; not yet checked."""
    try:
        return float(text)
    except ValueError:
        return text


def direction(name: str, text: str) -> tuple[float, float]:
    """Azimuth and elevation in degrees from ``AZ,EL``, as an option has it; not yet checked.

    Raises
    ------
    OptionError
        Where ``text`` is no two numbers.
    """
    try:
        azimuth, elevation = (float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"--{name} expects an azimuth and an elevation in degrees, as in --{name} -30,10; "
            f"found {text!r}"
        ) from None
    return azimuth, elevation


def hints(texts: Sequence[str] | None, file: Path | None) -> tuple[Hint, ...] | None:
    """All hints of ``--hint`` and ``--hints``; None where there are none."""
    given_here = tuple(hint_from_text(text) for text in texts or ())
    from_file = () if file is None else read_hints(file)
    return given_here + from_file or None
