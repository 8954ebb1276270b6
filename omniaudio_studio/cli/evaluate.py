"""``omniaudio evaluate``: how well a bundle generates, and how well recordings are spatialized."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.material import (
    Folds,
    MotionOption,
    PanoramaNames,
    Panoramas,
    Sounds,
    Sprites,
    folds_of,
    motion_of,
    names_of,
)
from omniaudio_studio.cli.output import ProgressReport, print_json
from omniaudio_studio.cli.request_options import Front, front_of
from omniaudio_studio.cli.running import run_cancellable
from omniaudio_studio.errors import OptionError
from omniaudio_studio.files import check_output

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.evaluation import spatialize_report
    from omniaudio_studio.evaluation.starter.report import Report

app = typer.Typer(
    help="Evaluate on scenes whose sound field is known, and that no bundle has seen.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Evaluate on scenes whose sound field is known, and that no bundle has seen."""


@app.command()
def starter(
    bundle: Annotated[str, typer.Option(help="Name or path of the bundle.")] = "starter",
    count: Annotated[int, typer.Option(help="How many scenes of each of three kinds.")] = 50,
    seed: Annotated[int, typer.Option(help="Same seed, same scenes.")] = 1000,
    seconds: Annotated[float, typer.Option(help="Length of each.")] = 8.0,
    motion: MotionOption = "mixed",
    sounds: Sounds = None,
    folds: Folds = None,
    panoramas: Panoramas = None,
    panorama_names: PanoramaNames = None,
    sprites: Sprites = None,
    cfg: Annotated[float | None, typer.Option(help="Guidance scale; else the bundle's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampler steps; else the bundle's.")] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="directions, two, class, onset, vae, few, guidance; else all that can be.",
        ),
    ] = None,
    few_steps: Annotated[int, typer.Option(help="Steps of the second sampler (part few).")] = 6,
    few_sampler: Annotated[
        str, typer.Option(help="The second sampler: euler or reflow.")
    ] = "euler",
    ablations: Annotated[
        list[str] | None,
        typer.Option(
            "--ablation", metavar="NAME=BUNDLE", help="Another bundle on the same scenes; repeated."
        ),
    ] = None,
    guidance_plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Where the guidance curve is drawn.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the plot that is there.")] = False,
    front: Front = None,
    device: Annotated[str, typer.Option(help="Where it runs.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """How well a bundle generates, on unseen scenes: directions, two sources, class, onsets.

    Beside them: the true field, the VAE's own errors, a random direction, "always in front" and W
    alone; another sampler, other guidance, other bundles.
    """
    kind, others, chosen = motion_of(motion), _ablations(ablations), names_of(parts)
    if guidance_plot is not None:
        if chosen is not None and "guidance" not in chosen:
            raise OptionError("--guidance-plot draws the part guidance; add it to --parts")
        check_output(guidance_plot, overwrite=overwrite)

    def work(cancel: CancelToken) -> Report:
        from omniaudio_studio.engine.plan import GenerationSettings
        from omniaudio_studio.evaluation.starter.run import evaluate_starter

        return evaluate_starter(
            bundle,
            sounds=sounds,
            folds=folds_of(folds, sounds, (4,)),
            panoramas=panoramas,
            panorama_names=names_of(panorama_names),
            sprites=sprites,
            count=count,
            seed=seed,
            seconds=seconds,
            motion=kind,
            parts=chosen,
            cfg=cfg,
            steps=steps,
            few=GenerationSettings(steps=few_steps, sampler=few_sampler),
            ablations=others,
            front=None if front is None else front_of(front),
            device=device,
            progress=report,
            cancel=cancel,
        )

    with ProgressReport() as report:
        result = run_cancellable(work)
    if guidance_plot is not None:
        from omniaudio_studio.evaluation.starter.plot import plot_guidance

        plot_guidance(result, guidance_plot, overwrite=overwrite)
    if as_json:
        print_json(result.as_dict())
        return
    from rich.console import Console

    Console().print(result.table())


@app.command()
def spatialize(
    count: Annotated[int, typer.Option(help="How many scenes of each of three kinds.")] = 40,
    seed: Annotated[int, typer.Option(help="Same seed, same scenes.")] = 1000,
    seconds: Annotated[float, typer.Option(help="Length of each.")] = 8.0,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="automatic, learned, or none for the comparisons alone; else what the bundle has.",
        ),
    ] = None,
    sounds: Sounds = None,
    folds: Folds = None,
    panoramas: Panoramas = None,
    panorama_names: PanoramaNames = None,
    sprites: Sprites = None,
    bundle: Annotated[str, typer.Option(help="Whose spatializer is learned.")] = "starter",
    device: Annotated[str, typer.Option(help="Where it runs.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """How near spatialized recordings come to the true sound field.

    Scenes with one moving, one still and two still sources, of which W alone is handed in. Beside
    the methods: the true field, W alone, always in front, a spatial prior, a random direction.
    """
    chosen = () if methods == "none" else names_of(methods)

    def work(cancel: CancelToken) -> spatialize_report.Report:
        from omniaudio_studio.evaluation.spatialize import evaluate_spatialize

        return evaluate_spatialize(
            sounds=sounds,
            folds=folds_of(folds, sounds, (4,)),
            panoramas=panoramas,
            panorama_names=names_of(panorama_names),
            sprites=sprites,
            count=count,
            seed=seed,
            seconds=seconds,
            methods=chosen,
            bundle=bundle,
            device=device,
            progress=report,
            cancel=cancel,
        )

    with ProgressReport() as report:
        result = run_cancellable(work)
    if as_json:
        print_json(result.as_dict())
        return
    from rich.console import Console

    Console().print(result.table())


def _ablations(texts: list[str] | None) -> dict[str, str]:
    """Bundles by name, of "NAME=BUNDLE" each."""
    found: dict[str, str] = {}
    for text in texts or []:
        name, separator, bundle = text.partition("=")
        if not (name and separator and bundle):
            raise OptionError(f"--ablation must be NAME=BUNDLE; found {text!r}")
        if name in found:
            raise OptionError(f"--ablation names {name!r} twice; give each bundle its own name")
        found[name] = bundle
    return found
