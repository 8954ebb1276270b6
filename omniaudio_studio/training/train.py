"""What `omniaudio train` and `omniaudio export` call: one run folder, stage after stage.

A run folder holds `run.json` (preset, replaced values, material), `scenes/`, one checkpoint and one
log of losses per stage, `encoded/`, and what the spatializer is trained on in `spatial/`. Every
stage can be interrupted and called again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.bundles.paths import sha256_of
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import BundleError, MediaError, MissingFileError, OptionError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.data.encode import encode
from omniaudio_studio.training.data.encoders import RunEncoder
from omniaudio_studio.training.data.scene_source import SceneSource
from omniaudio_studio.training.export import GraphCheck, Spatializing, export_bundle, round_weights
from omniaudio_studio.training.loop import Pace, Report, run_training, silent
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.memory import keep_freed_memory
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.onto import add_spatializer
from omniaudio_studio.training.paper import FEATURES, Paper, PaperFlow
from omniaudio_studio.training.presets import Preset, StageSetup, load_preset
from omniaudio_studio.training.scenes import build_scene_set, open_scene_set
from omniaudio_studio.training.sounds import FolderSounds
from omniaudio_studio.training.spatial_excerpts import ClipExcerpts, Excerpts, SceneExcerpts
from omniaudio_studio.training.spatial_note import note_of, read_note, write_note
from omniaudio_studio.training.spatial_set import build_spatial_set
from omniaudio_studio.training.spatial_vision import PanoramaVision, bundle_vision
from omniaudio_studio.training.stages.encoded import EncodedClips
from omniaudio_studio.training.stages.flow import (
    FinetuneTask,
    Flow,
    PretrainTask,
    load_flow,
    new_flow,
)
from omniaudio_studio.training.stages.oobleck import OobleckTask, stereo_beginning
from omniaudio_studio.training.stages.spatializer import SpatializerTask, load_spatializer
from omniaudio_studio.training.stages.vae import VAETask, load_vae
from omniaudio_studio.training.stages.vision import Sight, VisionTask, load_sight
from omniaudio_studio.training.task import Task
from omniaudio_studio.training.views import EQUIRECT

STAGES = ("scenes", "vae", "vision", "encode", "pretrain", "finetune", "spatializer")
#: Those of the paper's presets: their vision is a tower that stays as it is, and their clips are
#: encoded with the bundle that holds it.
PAPER_STAGES = ("vae", "pretrain", "finetune")


def stages_of(preset: Preset) -> tuple[str, ...]:
    """The stages of a preset, in order."""
    return STAGES if preset.paper is None else PAPER_STAGES


@dataclass(frozen=True)
class Material:
    """Where scenes take their sounds and pictures from; None is procedural."""

    sounds: Path | None = None
    panoramas: Path | None = None
    sprites: Path | None = None
    folds: tuple[int, ...] | None = None
    panorama_names: tuple[str, ...] | None = None

    def library(self) -> MaterialLibrary:
        """The library of scenes to be drawn."""
        return MaterialLibrary(
            self.sounds, self.panoramas, self.sprites, self.folds, self.panorama_names
        )


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
        One of `STAGES`, or "all".
    preset_name, overrides
        See `presets.load_preset`.
    material
        For the scenes; of a paper's preset, ``sounds`` is what its VAE learns from: a folder of
        sound files in one, two or four channels.
    bundle
        Folder of the bundle whose vision the stage "spatializer" builds on; the run's own by
        default.
    clips
        Folder of 360 clips with first-order sound that "spatializer" is trained on; the scenes of
        the run by default.
    data
        Encoded clips (`data.encode`) that "pretrain" and "finetune" are trained on; the run's own
        scenes by default.
    coarse
        Encoded sound that "pretrain" begins with, before ``data``; none by default.
    stereo
        Checkpoint of a stereo VAE that a paper's VAE begins with.
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
    if stage not in (*STAGES, "all"):
        raise OptionError(f"unknown stage {stage!r}: choose one of {', '.join(STAGES)} or all")
    if bundle is not None and stage != "spatializer":
        raise OptionError("a bundle is for the stage spatializer: other stages make their own")
    if clips is not None and stage not in ("spatializer", "all"):
        raise OptionError("clips are for the stage spatializer: other stages take scenes")
    preset = load_preset(preset_name, list(overrides))
    _check_paper(preset, preset_name, stage, data, coarse, stereo)
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    run.mkdir(parents=True, exist_ok=True)
    training = _Stages(
        preset, run, machine or Machine(), report, say, pace, material or Material(), data, coarse,
        stereo,
    )  # fmt: skip
    written = run
    for each in stages_of(preset) if stage == "all" else (stage,):
        if each == "spatializer":
            written = training.spatializer(bundle, clips)
        else:
            written = getattr(training, each)()
    # Only scenes take material: what a later stage is told of it says nothing about them.
    _note_run(run, preset_name, preset, material if stage in ("scenes", "all") else None)
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
    if preset.paper is not None and data is None and stage in ("pretrain", "finetune", "all"):
        raise OptionError(
            f"the preset {name} needs --data: clips that omniaudio dataset encode wrote"
        )
    if data is not None and stage not in ("pretrain", "finetune", "all"):
        raise OptionError("--data is for the stages pretrain and finetune: leave it out")
    if coarse is not None and stage not in ("pretrain", "all"):
        raise OptionError("--coarse is for the stage pretrain: leave it out")
    if stereo is not None and (preset.paper is None or stage not in ("vae", "all")):
        raise OptionError("--stereo is for the stage vae of the presets large, medium and small")


@dataclass(frozen=True)
class _Stages:
    """The stages that train networks, each from what those before it wrote; returns checkpoints."""

    preset: Preset
    run: Path
    machine: Machine
    report: Report | None
    say: Callable[[str], None]
    pace: Pace | None
    material: Material
    data: Path | None
    coarse: Path | None
    stereo: Path | None

    def scenes(self) -> Path:
        folder = self.run / "scenes"
        library, rate = self.material.library(), self.preset.feature_rate
        build_scene_set(folder, self.preset.scenes, library, rate, _counted(self.report))
        return folder

    def vae(self) -> Path:
        if self.preset.paper is not None:
            return self._paper_vae(self.preset.paper)
        scenes = open_scene_set(self.run / "scenes")
        return self._train("vae", VAETask(self.preset, scenes), self.preset.vae)

    def _paper_vae(self, paper: Paper) -> Path:
        preset = self.preset
        if self.material.sounds is None:
            raise OptionError("the VAE learns from sound: name a folder of sound files (--sounds)")
        sounds = FolderSounds(self.material.sounds, paper.vae.sample_rate, self.say)
        task = OobleckTask(paper.vae, sounds, preset.vae.length, preset.vae.seed)
        if self.stereo is not None:
            task.begin_with(stereo_beginning(self.stereo))
        written = self._train("vae", task, preset.vae)
        if preset.decoder.steps == 0:
            return written
        second = replace(paper.vae, phase=2)
        task = OobleckTask(second, sounds, preset.decoder.length, preset.decoder.seed)
        task.go_on_from(written)
        return self._train("decoder", task, preset.decoder)

    def vision(self) -> Path:
        scenes = open_scene_set(self.run / "scenes")
        return self._train("vision", VisionTask(self.preset, scenes), self.preset.vision)

    def encode(self) -> Path:
        """The scenes as the trained VAE and vision see them."""
        source = SceneSource(self.run / "scenes")
        out = self.run / "encoded"
        encode(
            source,
            RunEncoder(self.run, self.preset),
            out,
            seconds=source.seconds,
            yaws=self.preset.yaws,
            workers=self.machine.workers,
            replace=True,
            progress=_counted(self.report),
        )
        return out

    def pretrain(self) -> Path:
        preset = self.preset
        if preset.pretrain.steps == 0:
            return self.run
        flow = self._new_flow(preset.pretrain.seed)
        if self.coarse is not None and preset.coarse.steps > 0:
            clips = EncodedClips(self.coarse, self._channels, ())
            self._train("coarse", PretrainTask(preset, preset.coarse, clips, flow), preset.coarse)
            load_average(self.run / "coarse.ckpt", flow)
        clips = EncodedClips(self._data, self._channels, ())
        return self._train(
            "pretrain", PretrainTask(preset, preset.pretrain, clips, flow), preset.pretrain
        )

    def finetune(self) -> Path:
        preset = self.preset
        flow = self._new_flow(preset.finetune.seed)
        if preset.pretrain.steps > 0:
            load_average(self.run / "pretrain.ckpt", flow)
        clips = EncodedClips(self._data, self._channels, FEATURES if preset.paper else ("summary",))
        return self._train("finetune", FinetuneTask(preset, clips, flow), preset.finetune)

    @property
    def _data(self) -> Path:
        return self.data or self.run / "encoded"

    @property
    def _channels(self) -> int:
        if self.preset.paper is not None:
            return self.preset.paper.dit.channels
        return self.preset.networks.content + self.preset.networks.spatial

    def _new_flow(self, seed: int) -> Flow | PaperFlow:
        if self.preset.paper is not None:
            torch.manual_seed(seed)
            return PaperFlow(self.preset.paper)
        scenes = open_scene_set(self.run / "scenes")
        sight = load_sight(self.preset, len(scenes.classes), self.run / "vision.ckpt")
        return new_flow(self.preset, sight.localiser.config, seed)

    def spatializer(self, bundle: Path | None, clips: Path | None) -> Path:
        """The one stage that can stand alone: on a bundle's vision, with clips for scenes."""
        preset, run = self.preset, self.run
        threads = torch.get_num_threads()
        vision = bundle_vision(bundle, threads) if bundle else run_vision(preset, run)
        source: Excerpts
        if clips is None:
            source = SceneExcerpts(open_scene_set(run / "scenes"), vision)
        else:
            source = ClipExcerpts(clips, vision, preset.scenes.seconds, self.say)
        excerpts = build_spatial_set(run / "spatial", source, vision, _counted(self.report))
        write_note(run / "spatializer.ckpt", note_of(preset, excerpts, vision))
        return self._train("spatializer", SpatializerTask(preset, excerpts), preset.spatializer)

    def _train(self, name: str, task: Task, setup: StageSetup) -> Path:
        checkpoint = self.run / f"{name}.ckpt"
        run_training(
            task,
            setup,
            checkpoint,
            self.machine,
            report=self.report,
            say=self.say,
            pace=self.pace,
        )
        return checkpoint


def _counted(report: Report | None) -> Callable[[int, int], None]:
    """A report of how many there are, for what has no losses."""

    def counted(done: int, total: int) -> None:
        if report is not None:
            report(done, total, {}, 0.0)

    return counted


def run_vision(preset: Preset, run: Path) -> PanoramaVision:
    """The vision that the run trained itself, with weights as its bundle has them.

    Raises
    ------
    MissingFileError, MediaError
        If its scenes or its checkpoint are not there, or of other sizes.
    """
    classes = len(open_scene_set(run / "scenes").classes)
    checkpoint = run / "vision.ckpt"
    encoder = round_weights(load_sight(preset, classes, checkpoint).encoder).eval()

    def features(frames: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            return encoder(torch.from_numpy(frames)).numpy()

    return PanoramaVision(EQUIRECT, preset.feature_rate, "", sha256_of(checkpoint), features)


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
    half: bool = True,
    overrides: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, list[GraphCheck]]:
    """Write the bundle of a finished run into the folder ``out``.

    Raises
    ------
    MissingFileError
        If a stage has not run.
    BundleError
        If a graph does not agree with torch.
    """
    noted = run / "run.json"
    if not noted.is_file():
        raise MissingFileError(f"{run} is no run folder: it has no run.json; train something first")
    try:
        recorded = json.loads(noted.read_text())
        preset = load_preset(recorded["preset"], [*recorded["overrides"], *overrides])
    except (ValueError, KeyError) as error:
        raise MediaError(f"{noted} cannot be read ({error}); train a stage again") from error
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
    description = {
        "name": name,
        "title": title,
        "version": "1",
        "licence": licence,
        "demonstration": demonstration,
        "provenance": {"data": list(data), "command": command},
    }
    return export_bundle(
        preset, vae, sight, flow, out, description, spatializing, half=half, say=say
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
