"""Scenes of known pictures, and one debug run from nothing to a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.training.export import GraphCheck
from omniaudio_studio.training.presets import SceneSetup
from omniaudio_studio.training.scenes import SceneSet, build_scene_set
from omniaudio_studio.training.train import export_run, train_stage

LICENCE = {"id": "CC0-1.0", "name": "CC0 1.0", "commercial": True, "notice": ""}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Exporting the debug run takes minutes of a busy machine, on whoever asks for it first."""
    for item in items:
        if {"debug_bundle", "debug_run"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors are not worth a second thread, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def disk_library(tmp_path_factory: pytest.TempPathFactory) -> MaterialLibrary:
    """White disks on black panoramas; sounds are procedural."""
    root = tmp_path_factory.mktemp("disks")
    axis = np.arange(64) - 31.5
    disk = np.full((64, 64, 4), 255, np.uint8)
    disk[..., 3] = 255 * (np.hypot(axis[None], axis[:, None]) < 31)
    for name in ("one", "two"):
        (root / "sprites" / name).mkdir(parents=True)
        Image.fromarray(disk).save(root / "sprites" / name / "disk.png")
    (root / "panoramas").mkdir()
    Image.fromarray(np.zeros((64, 128, 3), np.uint8)).save(root / "panoramas" / "black.png")
    return MaterialLibrary(panoramas=root / "panoramas", sprites=root / "sprites")


DISK_SETUP = SceneSetup(count=8, seconds=2.0, seed=3, max_sources=1, motion="moving")


@pytest.fixture(scope="session")
def disk_scenes(
    disk_library: MaterialLibrary, tmp_path_factory: pytest.TempPathFactory
) -> SceneSet:
    """Scenes of one moving disk each, on a dark background."""
    folder = tmp_path_factory.mktemp("scenes")
    scenes = build_scene_set(folder, DISK_SETUP, disk_library, 8.0)
    # A part of the backgrounds is a procedural sky, whatever panoramas there are.
    dark = [i for i in range(len(scenes)) if np.median(scenes.equirect[i]) < 60]
    assert len(dark) >= 4, "another seed is needed: too few scenes on the black panorama"
    return SceneSet(
        scenes.foa[dark],
        scenes.equirect[dark],
        scenes.front[dark],
        scenes.sources[dark],
        scenes.classes,
        scenes.feature_rate,
    )


@dataclass(frozen=True)
class DebugRun:
    """A run folder with all stages trained."""

    folder: Path
    reports: list[tuple[int, int]]


@dataclass(frozen=True)
class DebugBundle:
    """What `export_run` wrote and said."""

    folder: Path
    manifest: Manifest
    checks: list[GraphCheck]
    said: list[str]


@pytest.fixture(scope="session")
def debug_run(tmp_path_factory: pytest.TempPathFactory) -> DebugRun:
    """The debug preset, all stages, procedural material."""
    run = tmp_path_factory.mktemp("runs") / "debug"
    reports: list[tuple[int, int]] = []
    train_stage("all", "debug", run, report=lambda done, of, *_: reports.append((done, of)))
    return DebugRun(run, reports)


@pytest.fixture(scope="session")
def debug_bundle(debug_run: DebugRun, tmp_path_factory: pytest.TempPathFactory) -> DebugBundle:
    """The debug run as a bundle."""
    out = tmp_path_factory.mktemp("bundles") / "debug"
    said: list[str] = []
    manifest, checks = export_run(
        debug_run.folder,
        out,
        name="debug",
        title="Debug",
        licence=LICENCE,
        data=["procedural sounds"],
        command="tests",
        say=said.append,
    )
    return DebugBundle(out, manifest, checks, said)
