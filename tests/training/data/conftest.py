"""Folders of sound, and a run whose networks are as they begin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.training.checkpoint import save_checkpoint
from omniaudio_studio.training.data.encoders import BundleEncoder, RunEncoder
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.presets import SceneSetup, load_preset
from omniaudio_studio.training.scenes import build_scene_set
from omniaudio_studio.training.stages.vae import vae_config
from omniaudio_studio.training.stages.vision import Sight

RATE = 48_000


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Quiet noise, float32 ``(n,)``."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(rate * seconds))).astype(np.float32)


def write(path: Path, channels: Sequence[np.ndarray], rate: int = RATE) -> Path:
    """A float WAV (or 16-bit FLAC) of some channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "PCM_16" if path.suffix == ".flac" else "FLOAT"
    soundfile.write(path, np.stack(channels).T, rate, subtype=kind)
    return path


@pytest.fixture(scope="session")
def good_sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five files that can be encoded: three of mono, one of stereo, a field of two seconds."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(3):
        write(folder / "hum" / f"{number}.wav", [noise(1.0, number)])
    write(folder / "rain" / "stereo.wav", [noise(1.0, 5), noise(1.0, 6)])
    write(folder / "rain" / "wide.wav", list(encode_plane_wave(noise(2.0, 7), 1.0, 0.2)))
    return folder


@pytest.fixture(scope="session")
def untrained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes, and the networks of the preset debug with the weights they begin with."""
    run = tmp_path_factory.mktemp("untrained") / "run"
    preset = load_preset("debug")
    scenes = build_scene_set(
        run / "scenes", SceneSetup(count=3, seconds=1.0, seed=2), MaterialLibrary(), 8.0
    )
    torch.manual_seed(4)
    networks = {
        "vae": SpectralVAE(vae_config(preset)),
        "vision": Sight(preset, len(scenes.classes)),
    }
    for name, network in networks.items():
        save_checkpoint(run / f"{name}.ckpt", {"average": {"weights": network.state_dict()}})
    (run / "run.json").write_text(json.dumps({"preset": "debug", "overrides": []}))
    return run


@pytest.fixture(scope="session")
def run_encoder(untrained_run: Path) -> RunEncoder:
    return RunEncoder(untrained_run, threads=1)


@pytest.fixture
def tiny_encoder(tiny_bundle: Path) -> BundleEncoder:
    return BundleEncoder(tiny_bundle, threads=1)
