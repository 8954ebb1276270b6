"""What `omniaudio train` and `omniaudio export` call: one run folder, stage after stage.

A run folder holds `run.json` (preset, replaced values, material), `scenes/`, one checkpoint and one
log of losses per stage, `encoded/`, and what the spatializer is trained on in `spatial/`. Every
stage can be interrupted and called again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.bundles.paths import sha256_of
from omniaudio_studio.errors import BundleError, MissingFileError, OptionError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.devices import device
from omniaudio_studio.training.export import GraphCheck, Spatializing, export_bundle
from omniaudio_studio.training.loop import Pace, Report, silent
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.memory import keep_freed_memory
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.onto import add_spatializer
from omniaudio_studio.training.paper import Paper, load_paper_flow
from omniaudio_studio.training.presets import Preset, load_preset, preset_of_run
from omniaudio_studio.training.run_stages import Material, Stages
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.spatial_note import read_note
from omniaudio_studio.training.stages.flow import Flow, load_flow
from omniaudio_studio.training.stages.oobleck import load_oobleck
from omniaudio_studio.training.stages.reflow import check_teacher, load_student
from omniaudio_studio.training.stages.spatializer import load_spatializer
from omniaudio_studio.training.stages.vae import load_vae
from omniaudio_studio.training.stages.vision import Sight, load_sight

STAGES = ("scenes", "vae", "vision", "encode", "pretrain", "finetune", "reflow", "spatializer")
#: Those of the paper's presets: their vision is a tower that stays as it is, and their clips are
#: encoded with the bundle that holds it.
PAPER_STAGES = ("vae", "pretrain", "finetune", "reflow")
#: Not a part of a bundle, and of "all".
ALONE = ("tagger",)
#: Those that are trained on encoded clips.
ENCODED = ("pretrain", "finetune", "reflow")


def stages_of(preset: Preset) -> tuple[str, ...]:
    """The stages of a preset, in order."""
    return STAGES if preset.paper is None else PAPER_STAGES


def train_stage(
    stage: str,
    preset_name: str,
    run: Path,
    *,
    overrides: Sequence[str] = (),
    material: Material | None = None,
    bundle: Path | None = None,
    clips: Path | None = None,
    data: Path | None = None,
    coarse: Path | None = None,
    stereo: Path | None = None,
    price: Sequence[str] = (),
    threads: int | None = None,
    machine: Machine | None = None,
    pace: Pace | None = None,
    report: Report | None = None,
    say: Callable[[str], None] = silent,
) -> Path:
    """Run one stage (or ``"all"``) in the run folder ``run`` and return what it wrote.

    Parameters
    ----------
    stage
        One of `STAGES` or `ALONE`, or "all".
    preset_name, overrides
        See `presets.load_preset`.
    material
        For the scenes and the tagger; of a paper's preset, ``sounds`` is what its VAE learns from:
        a folder of sound files in one, two or four channels.
    bundle
        Folder of the bundle whose vision the stage "spatializer" builds on; the run's own by
        default.
    clips
        Folder of 360 clips with first-order sound that "spatializer" is trained on; the scenes of
        the run by default.
    data
        Encoded clips (`data.encode`) that "pretrain", "finetune" and "reflow" are trained on; the
        run's own scenes by default.
    coarse
        Encoded sound that "pretrain" begins with, before ``data``; none by default.
    stereo
        Checkpoint of a stereo VAE that a paper's VAE begins with.
    price
        Devices (see `devices.device`) that memory, operations and time are told for with ``say``
        before each stage begins; "this" for a paper's preset by default.
    threads
        CPU threads; torch's own choice by default.
    machine
        Devices, hosts, precision; this host and the preset's precision by default.
    pace
        Collects how fast the stage went, and how long it waited for data.
    report
        Called with (done, of, losses, seconds left).
    say
        Called with one line for each clip that is left out, and where a checkpoint cannot be
        written for now.

    Raises
    ------
    OptionError
        For an unknown stage, preset or setting, or one that the stage has no use for.
    MissingFileError
        If an earlier stage has not run.
    Cancelled
        When told to stop; the same call goes on later.
    """
    if stage not in (*STAGES, *ALONE, "all"):
        known = ", ".join((*STAGES, *ALONE))
        raise OptionError(f"unknown stage {stage!r}: choose one of {known} or all")
    if bundle is not None and stage != "spatializer":
        raise OptionError("a bundle is for the stage spatializer: other stages make their own")
    if clips is not None and stage not in ("spatializer", "all"):
        raise OptionError("clips are for the stage spatializer: other stages take scenes")
    preset = load_preset(preset_name, list(overrides))
    _check_paper(preset, preset_name, stage, data, coarse, stereo)
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    if not price and preset.paper is not None:
        price = ("this",)
    devices = tuple(device(name) for name in price)
    run.mkdir(parents=True, exist_ok=True)
    training = Stages(
        preset=preset,
        run=run,
        machine=machine or Machine(),
        report=report,
        say=say,
        pace=pace,
        material=material or Material(),
        data=data,
        coarse=coarse,
        stereo=stereo,
        price=devices,
    )
    written = run
    for each in stages_of(preset) if stage == "all" else (stage,):
        if each == "spatializer":
            written = training.spatializer(bundle, clips)
        else:
            written = getattr(training, each)()
    # Only these take material: what a later stage is told of it says nothing about them.
    _note_run(run, preset_name, preset, material if stage in ("scenes", "tagger", "all") else None)
    return run if stage == "all" else written


def _check_paper(
    preset: Preset,
    name: str,
    stage: str,
    data: Path | None,
    coarse: Path | None,
    stereo: Path | None,
) -> None:
    """Refuse what a stage of a preset has no use for, or cannot do without."""
    if preset.paper is not None and stage not in (*PAPER_STAGES, "all"):
        raise OptionError(
            f"the preset {name} has no stage {stage}: it has {', '.join(PAPER_STAGES)}; clips are "
            "encoded with omniaudio dataset encode --bundle"
        )
    if preset.paper is not None and data is None and stage in (*ENCODED, "all"):
        raise OptionError(
            f"the preset {name} needs --data: clips that omniaudio dataset encode wrote"
        )
    if data is not None and stage not in (*ENCODED, "all"):
        raise OptionError("--data is for the stages pretrain, finetune and reflow: leave it out")
    if coarse is not None and stage not in ("pretrain", "all"):
        raise OptionError("--coarse is for the stage pretrain: leave it out")
    if stereo is not None and (preset.paper is None or stage not in ("vae", "all")):
        raise OptionError("--stereo is for the stage vae of the presets large, medium and small")


def load_networks(preset: Preset, run: Path) -> tuple[SpectralVAE, Sight, Flow]:
    """The trained VAE, vision networks and flow of a run."""
    scenes = open_scene_set(run / "scenes")
    vae = load_vae(preset, scenes, run / "vae.ckpt")
    sight = load_sight(preset, len(scenes.classes), run / "vision.ckpt")
    flow = load_flow(preset, sight.localiser.config, run / "finetune.ckpt")
    return vae, sight, flow


def load_spatializing(run: Path) -> Spatializing:
    """The trained spatializer of a run, and what it is fed.

    Raises
    ------
    MissingFileError, MediaError
        If it has not been trained, or cannot be read.
    """
    checkpoint = run / "spatializer.ckpt"
    if not checkpoint.is_file():
        raise MissingFileError(f"no checkpoint at {checkpoint}: train that stage first")
    note = read_note(checkpoint)
    return Spatializing(load_spatializer(note.network, checkpoint), note)


def export_run(
    run: Path,
    out: Path,
    *,
    name: str,
    title: str,
    licence: dict[str, Any],
    data: Sequence[str] = (),
    command: str = "",
    demonstration: bool = True,
    half: bool | None = None,
    vision: Path | None = None,
    overrides: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, list[GraphCheck]]:
    """Write the bundle of a finished run into the folder ``out``.

    Parameters
    ----------
    half
        Weights in 16 bits (of the paper's networks: arithmetic, too). By default the starter's
        are, and the paper's are not.
    vision
        Folder of the vision tower that the clips of a paper's run were encoded with; without it the
        bundle takes given features.

    Raises
    ------
    MissingFileError
        If a stage has not run.
    BundleError
        If a graph does not agree with torch.
    """
    preset = preset_of_run(run, overrides)
    description = {
        "name": name,
        "title": title,
        "version": "1",
        "licence": licence,
        "demonstration": demonstration,
        "provenance": {"data": list(data), "command": command},
    }
    if preset.paper is not None:
        return _export_paper(preset, preset.paper, run, out, description, vision, bool(half), say)
    if vision is not None:
        raise OptionError("a vision tower belongs to the paper's networks: leave it out")
    vae, sight, flow = load_networks(preset, run)
    checkpoint = run / "spatializer.ckpt"
    spatializing = load_spatializing(run) if checkpoint.exists() else None
    if spatializing is not None:
        fed = spatializing.note
        if fed.bundle:
            raise BundleError(
                f"{checkpoint} was trained on the vision of the bundle {fed.bundle!r}, not on this "
                f"run's: export it --onto {fed.bundle}"
            )
        if fed.sha256 != sha256_of(run / "vision.ckpt"):
            raise BundleError(
                f"{checkpoint} was trained before the run's vision was: delete it and "
                f"{run / 'spatial'}, and train the spatializer again"
            )
    few = None
    if straightened(run):
        few = load_student(preset, sight.localiser.config, run / "reflow.ckpt")
    return export_bundle(
        preset,
        vae,
        sight,
        flow,
        out,
        description,
        spatializing,
        few,
        half=half is not False,
        say=say,
    )


def straightened(run: Path) -> bool:
    """Whether a run has what its bundle's few steps are taken with.

    Raises
    ------
    BundleError
        If it was made of another flow than the run's.
    """
    checkpoint = run / "reflow.ckpt"
    if not checkpoint.exists():
        return False
    check_teacher(checkpoint, sha256_of(run / "finetune.ckpt"))
    return True


def _export_paper(
    preset: Preset,
    paper: Paper,
    run: Path,
    out: Path,
    description: dict[str, Any],
    vision: Path | None,
    half: bool,
    say: Callable[[str], None],
) -> tuple[Manifest, list[GraphCheck]]:
    """As `export_run`, of the paper's networks."""
    from omniaudio_studio.training.export_released import export_released
    from omniaudio_studio.training.importers.tower import load_tower

    tower = load_tower(vision) if vision is not None else None
    flow = load_paper_flow(paper, run / "finetune.ckpt")
    few = None
    if straightened(run):
        few = load_paper_flow(paper, run / "reflow.ckpt", guided=True)
    last = "decoder" if preset.decoder.steps > 0 else "vae"
    vae = load_oobleck(paper.vae.vae, run / f"{last}.ckpt")
    sampler = {"cfg": preset.cfg, "steps": preset.sample_steps, "schedule": "linear"}
    return export_released(
        flow.dit,
        flow.conditioner,
        vae,
        tower,
        out,
        description | {"sampler": sampler},
        sample_rate=paper.vae.sample_rate,
        window=preset.window,
        precision="fp16" if half else "fp32",
        few=few.dit if few is not None else None,
        say=say,
    )


def export_onto(
    run: Path,
    out: Path,
    bundle: Path,
    *,
    data: Sequence[str] = (),
    command: str = "",
    half: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, list[GraphCheck]]:
    """Write a copy of a bundle with the run's spatializer into ``out``; see `onto`.

    Raises
    ------
    MissingFileError, MediaError
        If the run has no spatializer that can be read.
    BundleError
        If it does not belong to the bundle, or its graph does not agree with torch.
    """
    return add_spatializer(
        load_spatializing(run), bundle, out, data=data, command=command, half=half, say=say
    )


def _note_run(run: Path, name: str, preset: Preset, material: Material | None) -> None:
    """Record what a run is made of: the settings that differ from the preset's own."""
    overrides = _differences(asdict(load_preset(name)), asdict(preset))
    path = run / "run.json"
    record: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    record |= {"preset": name, "overrides": overrides}
    if material is not None:
        record["material"] = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in asdict(material).items()
        }
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(record, indent=1))


def _differences(usual: dict[str, Any], actual: dict[str, Any], prefix: str = "") -> list[str]:
    """Settings as `load_preset` takes them, of groups in groups."""
    found = []
    for key, value in actual.items():
        if isinstance(value, dict):
            found += _differences(usual[key], value, f"{prefix}{key}.")
        elif value != usual[key]:
            found.append(f"{prefix}{key}={_written(value)}")
    return found


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
