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
            metavar="STAGE...",
            help="scenes, vae, vision, encode, pretrain, finetune, reflow, spatializer, in this "
            "order; or all. And tagger, for the evaluation.",
        ),
    ],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path("runs/new"),
    preset: Annotated[
        str,
        typer.Option(
            help="starter; large, medium or small (the paper's networks); debug, debug-paper "
            "(seconds, for tests)."
        ),
    ] = "starter",
    replaced: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a value, as finetune.steps=500."),
    ] = None,
    sounds: Sounds = None,
    folds: Folds = None,
    panoramas: Panoramas = None,
    panorama_names: PanoramaNames = None,
    sprites: Sprites = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="For spatializer: the bundle that it will be added to; else the run's own.",
        ),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For spatializer: 360 clips with first-order sound; else the run's scenes.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For pretrain, finetune and reflow: clips that omniaudio dataset encode wrote; "
            "else the run's scenes.",
        ),
    ] = None,
    coarse: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For pretrain: encoded sound of any kind to begin with.",
        ),
    ] = None,
    stereo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="For vae of the paper's presets: a stereo VAE to begin with."
        ),
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Devices of this host, a process each.")] = 1,
    nodes: Annotated[int, typer.Option(help="Hosts, each started with the same command.")] = 1,
    precision: Annotated[
        str | None, typer.Option(help="32, bf16 or 16 bits; else the preset's.")
    ] = None,
    accumulate: Annotated[
        int, typer.Option(help="Parts that a device takes its share of a batch in.")
    ] = 1,
    workers: Annotated[int, typer.Option(help="Processes that read data, per device.")] = 0,
    price: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Say beforehand what a stage costs: memory, operations, and days on these: this "
            "(machine), t4, v100, rtx3090, rtx4090, l4, a100, h100.",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; else all.")] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Say how fast it was, and the share of reading data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was written, as JSON.")] = False,
) -> None:
    """Train the stages of a model. Ctrl-C saves; the same command goes on where it stopped."""
    need_torch()
    from omniaudio_studio.training.loop import Pace
    from omniaudio_studio.training.machine import Machine
    from omniaudio_studio.training.presets import load_preset
    from omniaudio_studio.training.run_stages import Material
    from omniaudio_studio.training.train import stages_of, train_stage

    if bundle is not None and "spatializer" not in stages:
        raise OptionError(
            "--bundle is for the stage spatializer; all makes a bundle of its own, so leave it out"
        )
    if clips is not None and not {"spatializer", "all"} & set(stages):
        raise OptionError("--clips is for the stage spatializer: name it")
    for given, option, for_stages in (
        (data, "--data", ("pretrain", "finetune", "reflow")),
        (coarse, "--coarse", ("pretrain",)),
        (stereo, "--stereo", ("vae",)),
    ):
        if given is not None and not {*for_stages, "all"} & set(stages):
            raise OptionError(f"{option} is for the stage {' or '.join(for_stages)}: leave it out")
    folder = None if bundle is None else _folder_of(bundle)
    material = Material(
        sounds=sounds,
        panoramas=panoramas,
        sprites=sprites,
        folds=folds_of(folds, sounds),
        panorama_names=names_of(panorama_names),
    )
    machine = Machine(accelerator, devices, nodes, precision, accumulate, workers)
    every = stages_of(load_preset(preset, replaced or []))
    written = []
    for stage in every if stages == ["all"] else stages:
        pace = Pace() if profile else None

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
                    bundle=folder if stage == "spatializer" else None,
                    clips=clips if stage == "spatializer" else None,
                    data=data if stage in ("pretrain", "finetune", "reflow") else None,
                    coarse=coarse if stage == "pretrain" else None,
                    stereo=stereo if stage == "vae" else None,
                    price=names_of(price) or (),
                    threads=threads,
                    machine=machine,
                    pace=pace,
                    report=told,
                    say=note,
                )
            )
        if pace is not None and pace.samples:
            for line in pace.lines():
                note(f"{stage}: {line}")
    if as_json:
        print_json(written)
    else:
        for path in written:
            print(path)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the bundle.")],
    onto: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Copy this bundle and add the run's spatializer only; its licence stays.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the bundle; else starter.")] = None,
    title: Annotated[str | None, typer.Option(help="As people read it; else Starter.")] = None,
    licence: Annotated[str, typer.Option(help="SPDX identifier of the weights' licence.")] = "",
    licence_name: Annotated[str, typer.Option(help="Its name in full.")] = "",
    notice: Annotated[str, typer.Option(help="Attribution that the licence asks for.")] = "",
    commercial: Annotated[
        bool | None,
        typer.Option("--commercial/--no-commercial", help="May it be used commercially? Else yes."),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="What it was trained on; once for each.")
    ] = None,
    command: Annotated[str, typer.Option(help="Commands that made it; else this one.")] = "",
    demonstration: Annotated[
        bool | None,
        typer.Option("--demonstration/--no-demonstration", help="Is it a demonstration? Else yes."),
    ] = None,
    half: Annotated[
        bool | None,
        typer.Option(
            "--half/--full",
            help="Weights in 16 or in 32 bits. Else 16, but 32 for the paper's networks, whose "
            "arithmetic follows.",
        ),
    ] = None,
    vision: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Of a paper's preset: the vision tower that clips were encoded with.",
        ),
    ] = None,
    replaced: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a default, as cfg=2.5."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Write the bundle of a run: ONNX graphs, each checked against torch, and the manifest."""
    command = command or shlex.join(["omniaudio", *sys.argv[1:]])
    if onto is not None:
        kept = {
            "--name": name,
            "--title": title,
            "--licence": licence or None,
            "--licence-name": licence_name or None,
            "--notice": notice or None,
            "--commercial": commercial,
            "--demonstration": demonstration,
            "--set": replaced or None,
            "--vision": vision,
        }
        told = [option for option, value in kept.items() if value is not None]
        if told:
            raise OptionError(
                f"{', '.join(told)}: with --onto all of this is the bundle's own; leave it out"
            )
        need_torch()
        from omniaudio_studio.training.train import export_onto

        manifest, checks = export_onto(
            run,
            out,
            _folder_of(onto),
            data=data or [],
            command=command,
            half=half is not False,
            say=note,
        )
    else:
        if not licence:
            raise OptionError(
                "--licence is missing: give the SPDX identifier of the weights' licence"
            )
        need_torch()
        from omniaudio_studio.training.train import export_run

        manifest, checks = export_run(
            run,
            out,
            name=name or "starter",
            title=title or "Starter",
            licence={
                "id": licence,
                "name": licence_name or licence,
                "commercial": commercial is not False,
                "notice": notice,
            },
            data=data or [],
            command=command,
            demonstration=demonstration is not False,
            half=half,
            vision=vision,
            overrides=replaced or [],
            say=note,
        )
    if as_json:
        print_json({"bundle": manifest.name, "path": out, "checks": [asdict(c) for c in checks]})
    else:
        print(f"{out}  {manifest.title}, {len(manifest.graphs)} graphs")


def _folder_of(bundle: str) -> Path:
    """Where the files of a bundle are, all verified; training reads no zip."""
    from omniaudio_studio.bundles.discovery import find_bundle

    return find_bundle(bundle).folder


def need_torch() -> None:
    """MissingDependencyError where the extra "train" is not installed."""
    for module in ("torch", "onnx", "onnxscript"):
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(
                f"training needs {module}, which is not installed; "
                "pip install 'omniaudio-studio[train]'"
            )
