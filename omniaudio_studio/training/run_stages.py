"""The stages of a run: each trains from what those before it wrote, and returns its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from omniaudio_studio.bundles.paths import sha256_of
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import OptionError
from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.data.encode import INDEX, encode
from omniaudio_studio.training.data.encoders import RunEncoder
from omniaudio_studio.training.data.scene_source import SceneSource
from omniaudio_studio.training.devices import Device
from omniaudio_studio.training.export import round_weights
from omniaudio_studio.training.loop import Pace, Report, run_training
from omniaudio_studio.training.machine import Machine
from omniaudio_studio.training.pairs import Pairs
from omniaudio_studio.training.paper import FEATURES, Paper, PaperFlow
from omniaudio_studio.training.presets import Preset, StageSetup
from omniaudio_studio.training.scenes import build_scene_set, open_scene_set
from omniaudio_studio.training.sounds import FolderSounds
from omniaudio_studio.training.spatial_excerpts import ClipExcerpts, Excerpts, SceneExcerpts
from omniaudio_studio.training.spatial_note import note_of, write_note
from omniaudio_studio.training.spatial_set import build_spatial_set
from omniaudio_studio.training.spatial_vision import PanoramaVision, bundle_vision
from omniaudio_studio.training.stages.encoded import EncodedClips
from omniaudio_studio.training.stages.flow import FinetuneTask, Flow, PretrainTask, new_flow
from omniaudio_studio.training.stages.oobleck import OobleckTask, stereo_beginning
from omniaudio_studio.training.stages.reflow import ReflowTask, begin_with, write_teacher
from omniaudio_studio.training.stages.spatializer import SpatializerTask
from omniaudio_studio.training.stages.tagger import TaggerTask, export_tagger, load_tagger
from omniaudio_studio.training.stages.vae import VAETask
from omniaudio_studio.training.stages.vision import VisionTask, load_sight
from omniaudio_studio.training.task import Task
from omniaudio_studio.training.views import EQUIRECT


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


@dataclass(frozen=True)
class Stages:
    """A run: its preset and folder, and what its stages are given; see `train.train_stage`."""

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
    #: Devices that a stage's cost is told for before it begins.
    price: tuple[Device, ...] = ()

    def scenes(self) -> Path:
        folder = self.run / "scenes"
        library, rate = self.material.library(), self.preset.feature_rate
        build_scene_set(folder, self.preset.scenes, library, rate, _counted(self.report))
        return folder

    def vae(self) -> Path:
        if self.preset.paper is not None:
            return self._paper_vae(self.preset.paper)
        scenes = open_scene_set(self.run / "scenes")
        task = VAETask(self.preset, scenes)
        if not (self.run / "vae.ckpt").exists():
            task.begin_with_outlines()
        return self._train("vae", task, self.preset.vae)

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
            clips = self._clips(self.coarse, ())
            self._train("coarse", PretrainTask(preset, preset.coarse, clips, flow), preset.coarse)
            load_average(self.run / "coarse.ckpt", flow)
        clips = self._clips(self._data, ())
        return self._train(
            "pretrain", PretrainTask(preset, preset.pretrain, clips, flow), preset.pretrain
        )

    def finetune(self) -> Path:
        preset = self.preset
        flow = self._new_flow(preset.finetune.seed)
        if preset.pretrain.steps > 0:
            load_average(self.run / "pretrain.ckpt", flow)
        task = FinetuneTask(preset, self._seen_clips(), flow)
        return self._train("finetune", task, preset.finetune)

    def reflow(self) -> Path:
        """What the trained flow makes of noise, then a copy of it that needs few steps for that."""
        preset, checkpoint = self.preset, self.run / "reflow.ckpt"
        if preset.reflow.steps == 0:
            return self.run
        teacher = self._new_flow(preset.reflow.seed)
        finetuned = self.run / "finetune.ckpt"
        load_average(finetuned, teacher)
        clips = self._seen_clips()
        origin = {"flow": sha256_of(finetuned), "clips": sha256_of(self._data / INDEX)}
        write_teacher(checkpoint, origin["flow"])
        pairs = Pairs(preset, clips, self.run / "pairs", origin)
        pairs.make(teacher, self.machine, _counted(self.report))
        student = self._new_flow(preset.reflow.seed, guided=True)
        begin_with(student, teacher.cpu())
        return self._train("reflow", ReflowTask(pairs, student), preset.reflow)

    def _seen_clips(self) -> EncodedClips:
        """The encoded clips, with what is seen of them."""
        features = FEATURES if self.preset.paper else ("summary",)
        return self._clips(self._data, features)

    def _clips(self, folder: Path, features: tuple[str, ...]) -> EncodedClips:
        whole = self.preset.paper is not None
        return EncodedClips(folder, self._channels, features, whole=whole)

    @property
    def _data(self) -> Path:
        return self.data or self.run / "encoded"

    @property
    def _channels(self) -> int:
        if self.preset.paper is not None:
            return self.preset.paper.dit.channels
        return self.preset.networks.content + self.preset.networks.spatial

    def _new_flow(self, seed: int, *, guided: bool = False) -> Flow | PaperFlow:
        if self.preset.paper is not None:
            torch.manual_seed(seed)
            return PaperFlow(self.preset.paper, guided=guided)
        scenes = open_scene_set(self.run / "scenes")
        sight = load_sight(self.preset, len(scenes.classes), self.run / "vision.ckpt")
        return new_flow(self.preset, sight.localiser.config, seed, guided=guided)

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

    def tagger(self) -> Path:
        """Classes of the sounds by themselves; the graph is written beside the checkpoint."""
        library, setup = self.material.library(), self.preset.tagger
        checkpoint = self._train("tagger", TaggerTask(library, setup), setup)
        tagger = load_tagger(len(library.classes), checkpoint)
        export_tagger(tagger, library.classes, self.run / "tagger.onnx")
        return checkpoint

    def _train(self, name: str, task: Task, setup: StageSetup) -> Path:
        checkpoint = self.run / f"{name}.ckpt"
        if self.price and os.environ.get("LOCAL_RANK", "0") == "0":
            self._tell_cost(name, task, setup)
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

    def _tell_cost(self, name: str, task: Task, setup: StageSetup) -> None:
        """Memory, operations and time of a stage, before anything is computed."""
        from omniaudio_studio.training.cost import step_cost

        machine = self.machine
        setup = replace(setup, precision=machine.precision or setup.precision)
        devices = machine.devices * machine.nodes
        cost = step_cost(task, setup, accumulate=machine.accumulate, devices=devices)
        for line in cost.lines(list(self.price), setup.steps):
            self.say(f"{name}: {line}")


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
