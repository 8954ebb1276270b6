"""Networks of the paper's kind that were trained here generate as imported ones do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.engine.decoding import decode
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import BundleError
from omniaudio_studio.media.probe import probe
from omniaudio_studio.training.export_released import export_released
from omniaudio_studio.training.networks.clip import ImageTower, TowerConfig
from omniaudio_studio.training.networks.oobleck import Oobleck, OobleckConfig
from omniaudio_studio.training.networks.recomputing import recompute
from omniaudio_studio.training.networks.released_dit import (
    ReleasedConditioner,
    ReleasedConfig,
    ReleasedDiT,
)
from omniaudio_studio.training.stages.oobleck import normed, plain
from tests.support.small_clip import make_small_clip

SIZES = ReleasedConfig(channels=8, features=16, width=64, depth=1, heads=1)
VAE = OobleckConfig(width=4, multiples=(1, 2), strides=(8, 16), latent=8)
TOWER = TowerConfig(patch=56, width=32, depth=1, heads=2, hidden=64, embedding=16)
DESCRIPTION = {
    "name": "own",
    "title": "Trained here",
    "version": "2",
    "licence": {"id": "CC0-1.0", "name": "CC0 1.0", "commercial": True, "notice": ""},
    "demonstration": True,
    "provenance": {"data": ["noise"], "command": "tests"},
    "sampler": {"cfg": 2.0, "steps": 3, "schedule": "linear"},
}


def networks() -> tuple[ReleasedDiT, ReleasedConditioner, Oobleck]:
    torch.manual_seed(3)
    dit = ReleasedDiT(SIZES)
    recompute(dit)  # as it was trained
    return dit, ReleasedConditioner(SIZES), plain(normed(Oobleck(VAE)))


@pytest.mark.slow
def test_trained_networks_generate(tmp_path: Path) -> None:
    dit, conditioner, vae = networks()
    latents = torch.randn(1, 8, 12)
    with torch.no_grad():
        expected = vae.decoder(latents).numpy()
    manifest, checks = export_released(
        dit,
        conditioner,
        vae,
        ImageTower(TOWER),
        tmp_path / "own",
        DESCRIPTION,
        sample_rate=8000,
        window=24,
    )
    assert {check.graph for check in checks} == {
        "vision", "conditioner", "dit", "vae_decoder", "vae_encoder"
    }  # fmt: skip
    assert (manifest.name, manifest.window.length, manifest.latent.hop) == ("own", 24, 128)
    assert (manifest.sampler.cfg, manifest.sampler.steps) == (2.0, 3)
    bundle = load_bundle(tmp_path / "own")
    assert bundle.manifest.licence.id == "CC0-1.0" and bundle.manifest.demonstration
    session = Session(bundle.graph("vae_decoder"), choose_provider("cpu"))
    found = decode(session, latents.numpy(), 0, 0, VAE.hop)
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())
    generator = Generator(bundle, "cpu")
    clip = probe(make_small_clip(tmp_path / "clip.mp4"))
    blocks: list[np.ndarray] = []
    result = generator.generate(clip, GenerationSettings(steps=2), [blocks.append])
    sound = np.concatenate(blocks, axis=1)
    assert sound.shape == (4, result.samples) and np.isfinite(sound).all() and sound.std() > 0


def test_networks_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    dit, conditioner, vae = networks()
    other = ReleasedConditioner(ReleasedConfig(8, 16, 128, 1, 2))
    tower = ImageTower(TowerConfig(patch=56, width=32, depth=1, heads=2, hidden=64, embedding=8))
    wide = Oobleck(OobleckConfig(width=4, multiples=(1, 2), strides=(8, 16), latent=6))
    for parts, told in (
        ((dit, conditioner, wide, None), "latents have 6 values and the transformer makes 8"),
        ((dit, other, vae, None), "gives 128 values and the transformer takes 64"),
        ((dit, conditioner, vae, tower), "gives 8 numbers for a picture"),
    ):
        with pytest.raises(BundleError, match=told):
            export_released(*parts, tmp_path / "own", DESCRIPTION, sample_rate=8000, window=24)
    assert not (tmp_path / "own").exists()
