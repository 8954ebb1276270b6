"""What the VAE stage trains on, and how it scales its latents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.stages.vae import (
    VAETask,
    latent_statistics,
    sound_row,
)


def scenes_of(foa: np.ndarray) -> SceneSet:
    """Scenes of sound only."""
    count = len(foa)
    return SceneSet(
        foa.astype(np.float16),
        np.zeros((count, 1, 80, 160, 3), np.uint8),
        np.zeros((count, 1, 192, 192, 3), np.uint8),
        np.zeros((count, 1, 3, 5), np.float32),
        ("one",),
        8.0,
    )


def test_a_batch_is_turned_mirrored_and_scaled_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    samples = 4000
    # Four independent signals, so that the mixing can be solved for.
    field = (0.1 * rng.standard_normal((1, 4, samples))).astype(np.float16)
    batch = np.stack([sound_row(scenes_of(field), rng, samples) for _ in range(40)])
    assert batch.shape == (40, 4, samples) and batch.dtype == np.float32
    original = field[0].astype(float)
    gains, yaws, mirrored = [], [], []
    for turned in batch:
        mixing = np.linalg.lstsq(original.T, turned.T, rcond=None)[0].T
        np.testing.assert_allclose(mixing @ original, turned, atol=1e-5)
        gain = mixing[0, 0]
        mixing = mixing / gain
        level = mixing[2, 2]
        assert abs(level) == pytest.approx(1, abs=1e-4)
        y_x = mixing[np.ix_([1, 3], [1, 3])]  # rows Y, X
        np.testing.assert_allclose(y_x @ y_x.T, np.eye(2), atol=1e-4)
        assert np.linalg.det(y_x) == pytest.approx(1, abs=1e-4), "a mirror, not a turn"
        expected = np.zeros((4, 4))
        expected[0, 0], expected[2, 2] = 1, level
        expected[np.ix_([1, 3], [1, 3])] = y_x
        np.testing.assert_allclose(mixing, expected, atol=1e-4)
        gains.append(20 * np.log10(gain))
        yaws.append(np.arctan2(y_x[0, 1], y_x[0, 0]))
        mirrored.append(level < 0)
    assert min(gains) > -12.01 and max(gains) < 3.01 and max(gains) - min(gains) > 8
    assert (np.histogram(yaws, bins=4, range=(-np.pi, np.pi))[0] > 0).all()
    assert 8 < sum(mirrored) < 32


def test_a_plane_wave_to_the_left_is_turned_counter_clockwise() -> None:
    """The turn is the one of `foa.rotation`, by its yaw."""
    from omniaudio_studio.foa.rotation import rotate_yaw

    class Fixed:
        """Turns by half a radian, does not mirror, keeps the level."""

        def integers(self, *_: int) -> int:
            return 0

        def random(self) -> float:
            return 0.9

        def uniform(self, low: float, high: float) -> float:
            return 0.5 if high > 3 else 0.0

    field = (0.1 * np.random.default_rng(0).standard_normal((1, 4, 500))).astype(np.float16)
    found = sound_row(scenes_of(field), Fixed(), 500)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, rotate_yaw(field[0].astype(np.float32), 0.5), atol=1e-6)


def test_excerpts_lie_inside_their_scenes() -> None:
    # Scene k counts samples from k * 1000: an excerpt shows where it was taken.
    ramp = np.stack([np.full((4, 64), 0.0)] * 3)
    ramp[:, 0] = (np.arange(64)[None] + 100 * np.arange(3)[:, None]) / 512
    rng = np.random.default_rng(0)
    batch = np.stack([sound_row(scenes_of(ramp), rng, 16)[0] for _ in range(400)])
    steps = np.diff(batch, axis=1)
    np.testing.assert_allclose(steps, steps[:, :1].repeat(15, 1), rtol=1e-3)
    first = np.round(batch[:, 0] / (steps[:, 0] * 1)).astype(int)
    scene, start = np.divmod(first, 100)
    assert set(scene) == {0, 1, 2} and start.min() >= 0 and start.max() == 48
    assert sound_row(scenes_of(ramp), rng, 999).shape == (4, 64)


def begun(scenes: SceneSet) -> SpectralVAE:
    task = VAETask(load_preset("debug"), scenes)
    task.begin_with_outlines()
    return task.vae.eval()


def test_latents_of_the_scenes_have_mean_zero_and_variance_one(disk_scenes: SceneSet) -> None:
    vae = begun(disk_scenes)
    mean, std = latent_statistics(vae, disk_scenes, seed=0)
    assert mean.shape == std.shape == (vae.config.channels,)
    assert (std > 0).all()
    vae.set_latent_statistics(mean, std)
    found_mean, found_std = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        rows = [sound_row(disk_scenes, rng, 25 * 3840) for _ in range(4)]
        audio = torch.from_numpy(np.stack(rows))
        with torch.no_grad():
            mean, std = vae.encoder(audio)
        latents = mean + std * torch.randn_like(mean)
        found_mean.append(latents.mean(dim=(0, 2)))
        found_std.append((latents**2).mean(dim=(0, 2)))
    torch.testing.assert_close(
        torch.stack(found_mean).mean(0), torch.zeros(vae.config.channels), atol=0.35, rtol=0
    )
    torch.testing.assert_close(
        torch.stack(found_std).mean(0), torch.ones(vae.config.channels), atol=0.5, rtol=0
    )


def test_statistics_are_taken_of_the_bare_latents(disk_scenes: SceneSet) -> None:
    """Measuring twice gives the same, whatever was set before."""
    vae = begun(disk_scenes)
    first = latent_statistics(vae, disk_scenes, seed=0)
    vae.set_latent_statistics(*first)
    again = latent_statistics(vae, disk_scenes, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
