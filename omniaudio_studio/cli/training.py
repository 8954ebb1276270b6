"""``omniaudio train`` and ``omniaudio export``: make a model bundle. Needs the extra "train"."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import typer

from omniaudio_studio.cli.material import (
    Folds,
    PanoramaNames,
    Panoramas,
    Sounds,
    Sprites,
    folds_of,
    names_of,
)
from omniaudio_studio.cli.output import ProgressReport, note, print_json
from omniaudio_studio.errors import MissingDependencyError, OptionError


def train(
    stages: Annotated[
        list[str],
        typer.Argument(
            metavar="STAGE...", help="scenes, vae, vision, flow, in this order; or all."
        ),
    ],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path("runs/new"),
    preset: Annotated[
        str, typer.Option(help="starter, or debug (seconds, for tests).")
    ] = "starter",
    replaced: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value, as flow.steps=500."),
    ] = None,
    sounds: Sounds = None,
    folds: Folds = None,
    panoramas: Panoramas = None,
    panorama_names: PanoramaNames = None,
    sprites: Sprites = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; else all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="What was written, as JSON.")] = False,
) -> None:
    """Train the stages of a model. Ctrl-C saves; the same command goes on where it stopped."""
    _need_torch()
    from omniaudio_studio.training.train import STAGES, Material, train_stage

    material = Material(
        sounds=sounds,
        panoramas=panoramas,
        sprites=sprites,
        folds=folds_of(folds, sounds),
        panorama_names=names_of(panorama_names),
    )
    written = []
    for stage in STAGES if stages == ["all"] else stages:

        def told(done: int, total: int, losses: dict[str, float], left: float) -> None:
            figures = " ".join(f"{name} {value:.4g}" for name, value in losses.items())
            report(
                SimpleNamespace(
                    stage=stage,  # noqa: B023 - called before the next stage begins
                    done=done,
                    total=total,
                    eta=left or None,
                    detail=figures,
                )
            )

        # In the main thread: a stage saves its checkpoint when it hears Ctrl-C.
        with ProgressReport() as report:
            written.append(
                train_stage(
                    stage,
                    preset,
                    run,
                    overrides=replaced or [],
                    material=material,
                    threads=threads,
                    report=told,
                )
            )
    if as_json:
        print_json(written)
    else:
        for path in written:
            print(path)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the bundle.")],
    name: Annotated[str, typer.Option(help="Of the bundle.")] = "starter",
    title: Annotated[str, typer.Option(help="As people read it.")] = "Starter",
    licence: Annotated[str, typer.Option(help="SPDX identifier of the weights' licence.")] = "",
    licence_name: Annotated[str, typer.Option(help="Its name in full.")] = "",
    notice: Annotated[str, typer.Option(help="Attribution that the licence asks for.")] = "",
    commercial: Annotated[
        bool, typer.Option("--commercial/--no-commercial", help="May it be used commercially?")
    ] = True,
    data: Annotated[
        list[str] | None, typer.Option(help="What it was trained on; once for each.")
    ] = None,
    command: Annotated[str, typer.Option(help="Commands that made it; else this one.")] = "",
    demonstration: Annotated[
        bool, typer.Option("--demonstration/--no-demonstration", help="Is it a demonstration?")
    ] = True,
    half: Annotated[
        bool, typer.Option("--half/--full", help="Store weights in 16 or in 32 bits.")
    ] = True,
    replaced: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a default, as cfg=2.5."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Write the bundle of a run: ONNX graphs, each checked against torch, and the manifest."""
    if not licence:
        raise OptionError("--licence is missing: give the SPDX identifier of the weights' licence")
    _need_torch()
    from omniaudio_studio.training.train import export_run

    manifest, checks = export_run(
        run,
        out,
        name=name,
        title=title,
        licence={
            "id": licence,
            "name": licence_name or licence,
            "commercial": commercial,
            "notice": notice,
        },
        data=data or [],
        command=command or shlex.join(["omniaudio", *sys.argv[1:]]),
        demonstration=demonstration,
        half=half,
        overrides=replaced or [],
        say=note,
    )
    if as_json:
        print_json({"bundle": manifest.name, "path": out, "checks": [asdict(c) for c in checks]})
    else:
        print(f"{out}  {manifest.title}, {len(manifest.graphs)} graphs")


def _need_torch() -> None:
    for module in ("torch", "onnx", "onnxscript"):
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(
                f"training needs {module}, which is not installed; "
                "pip install 'omniaudio-studio[train]'"
            )
