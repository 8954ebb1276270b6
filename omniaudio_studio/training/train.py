"""What `omniaudio train` and `omniaudio export` call: one run folder, stage after stage.

A run folder holds `run.json` (preset, replaced values, material), `scenes/`, one checkpoint and one
log of losses per stage, and `encoded.npz`. Every stage can be interrupted and called again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.export import GraphCheck, export_bundle
from omniaudio_studio.training.loop import Report
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.presets import Preset, load_preset
from omniaudio_studio.training.scenes import build_scene_set, open_scene_set
from omniaudio_studio.training.stages.flow import encode_scenes, load_flow, train_flow
from omniaudio_studio.training.stages.vae import load_vae, train_vae
from omniaudio_studio.training.stages.vision import Sight, load_sight, train_vision

STAGES = ("scenes", "vae", "vision", "flow")


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
    threads: int | None = None,
    report: Report | None = None,
) -> Path:
    """Run one stage (or ``"all"``) in the run folder ``run`` and return what it wrote.

    Parameters
    ----------
    stage
        One of `STAGES`, or "all".
    preset_name, overrides
        See `presets.load_preset`.
    material
        For the scenes.
    threads
        CPU threads; torch's own choice by default.
    report
        Called with (done, of, losses, seconds left).

    Raises
    ------
    OptionError
        For an unknown stage, preset or setting.
    MissingFileError
        If an earlier stage has not run.
    Cancelled
        When told to stop; the same call goes on later.
    """
    if stage not in (*STAGES, "all"):
        raise OptionError(f"unknown stage {stage!r}: choose one of {', '.join(STAGES)} or all")
    preset = load_preset(preset_name, list(overrides))
    if threads is not None:
        torch.set_num_threads(threads)
    run.mkdir(parents=True, exist_ok=True)
    if stage == "all":
        for each in STAGES:
            _run(each, preset, run, material or Material(), report)
        written = run
    else:
        written = _run(stage, preset, run, material or Material(), report)
    # Only scenes take material: what a later stage is told of it says nothing about them.
    _note_run(run, preset_name, preset, material if stage in ("scenes", "all") else None)
    return written


def _run(stage: str, preset: Preset, run: Path, material: Material, report: Report | None) -> Path:
    if stage == "scenes":

        def counted(done: int, total: int) -> None:
            if report is not None:
                report(done, total, {}, 0.0)

        build_scene_set(
            run / "scenes", preset.scenes, material.library(), preset.feature_rate, counted
        )
        return run / "scenes"
    scenes = open_scene_set(run / "scenes")
    checkpoint = run / f"{stage}.ckpt"
    if stage == "vae":
        train_vae(preset, scenes, checkpoint, report)
    elif stage == "vision":
        train_vision(preset, scenes, checkpoint, report)
    else:
        vae = load_vae(preset, scenes, run / "vae.ckpt")
        sight = load_sight(preset, len(scenes.classes), run / "vision.ckpt")
        encoded = encode_scenes(
            scenes,
            vae,
            sight,
            run / "encoded.npz",
            report,
            bfloat16=preset.flow.bfloat16,
        )
        train_flow(preset, encoded, sight.localiser.config, checkpoint, report)
    return checkpoint


def load_networks(preset: Preset, run: Path) -> tuple[SpectralVAE, Sight, Any]:
    """The trained VAE, vision networks and flow of a run."""
    scenes = open_scene_set(run / "scenes")
    vae = load_vae(preset, scenes, run / "vae.ckpt")
    sight = load_sight(preset, len(scenes.classes), run / "vision.ckpt")
    flow = load_flow(preset, sight.localiser.config, run / "flow.ckpt")
    return vae, sight, flow


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
    description = {
        "name": name,
        "title": title,
        "version": "1",
        "licence": licence,
        "demonstration": demonstration,
        "provenance": {"data": list(data), "command": command},
    }
    return export_bundle(preset, vae, sight, flow, out, description, half=half, say=say)


def _note_run(run: Path, name: str, preset: Preset, material: Material | None) -> None:
    """Record what a run is made of: the settings that differ from the preset's own."""
    usual, actual = asdict(load_preset(name)), asdict(preset)
    overrides = []
    for key, value in actual.items():
        if isinstance(value, dict):
            overrides += [
                f"{key}.{inner}={_written(each)}"
                for inner, each in value.items()
                if each != usual[key][inner]
            ]
        elif value != usual[key]:
            overrides.append(f"{key}={_written(value)}")
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


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
