"""The paper's VAE learns against its discriminators, in both phases."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.training.checkpoint import WeightAverage, save_checkpoint
from omniaudio_studio.training.importers.stereo import inflated
from omniaudio_studio.training.networks.discriminators import DiscriminatorConfig
from omniaudio_studio.training.networks.oobleck import Oobleck, OobleckConfig
from omniaudio_studio.training.networks.recomputing import recompute
from omniaudio_studio.training.sounds import Field
from omniaudio_studio.training.stages.oobleck import (
    OobleckSetup,
    OobleckTask,
    excerpt,
    load_oobleck,
    normed,
    plain,
)
from omniaudio_studio.training.task import Losses

SIZES = OobleckConfig(width=8, multiples=(1, 2, 4), strides=(2, 4, 4), latent=8)
SETUP = OobleckSetup(
    vae=SIZES,
    discriminators=DiscriminatorConfig(filters=2, windows=(128, 64)),
    windows=(256, 64),
    sample_rate=8000,
)


class Waves:
    """Plane waves of noise from the left, 20 degrees up; the first is silent for its first half."""

    rate = 8000

    def __len__(self) -> int:
        return 3

    def length(self, index: int) -> int:
        return 4000

    def read(self, index: int, start: int, samples: int) -> Field:
        noise = 0.1 * np.random.default_rng(index).standard_normal(4000)
        if index == 0:
            noise[:2000] = 0
        field = encode_plane_wave(noise, np.pi / 2, np.radians(20))
        found = np.zeros((4, samples), np.float32)
        part = field[:, start : start + samples]
        found[:, : part.shape[1]] = part
        return found


def task(setup: OobleckSetup = SETUP, length: int = 16) -> OobleckTask:
    return OobleckTask(setup, Waves(), length)


def batch(of: OobleckTask, rows: int = 4, seed: int = 0) -> dict[str, torch.Tensor]:
    drawn = [of.row(None, np.random.default_rng([seed, row])) for row in range(rows)]
    return {name: torch.from_numpy(np.stack([row[name] for row in drawn])) for name in drawn[0]}


def train(of: OobleckTask, steps: int, rate: float = 1e-3) -> list[Losses]:
    optimisers = [
        torch.optim.AdamW(
            [value for value in each.module.parameters() if value.requires_grad], rate * each.rate
        )
        for each in of.networks.values()
    ]
    history = []
    for step in range(steps):
        losses = of.losses(batch(of, seed=step))
        for optimiser in optimisers:
            optimiser.zero_grad()
        losses["loss"].backward()
        for optimiser in optimisers:
            optimiser.step()
        history.append({name: value.detach() for name, value in losses.items()})
    return history


def saved(of: OobleckTask, path: Path) -> Path:
    average = WeightAverage(of.module, 0.0)
    networks = {name: each.module.state_dict() for name, each in of.networks.items()}
    save_checkpoint(path, {"networks": networks, "average": average.state_dict()})
    return path


def test_it_learns() -> None:
    history = train(task(), 14, rate=4e-3)
    first, last = history[:4], history[-4:]
    for name in ("spectrum", "loss"):
        before, after = (sum(float(step[name]) for step in part) for part in (first, last))
        assert after < 0.93 * before, name


def test_the_loss_is_the_weighted_sum_and_a_mean_over_samples() -> None:
    of = task()
    whole = batch(of)
    losses = of.losses(whole)
    expected = (
        losses["spectrum"]
        + 1e-4 * 2 * 8 * losses["kl"]
        + 0.1 * losses["adversarial"]
        + 5 * losses["features"]
        + losses["discriminator"]
    )
    torch.testing.assert_close(losses["loss"], expected)
    parts = [of.losses({key: value[i : i + 1] for key, value in whole.items()}) for i in range(4)]
    for name, value in losses.items():
        mean = torch.stack([part[name] for part in parts]).mean()
        torch.testing.assert_close(value, mean, atol=1e-5, rtol=1e-4)


def test_discriminators_learn_twice_as_fast() -> None:
    rates = {name: trained.rate for name, trained in task().networks.items()}
    assert rates == {"model": 1.0, "discriminator": 2.0}


def test_excerpts_are_turned_and_heard() -> None:
    directions = []
    for seed in range(40):
        found = excerpt(Waves(), 500, np.random.default_rng(seed))
        assert found.shape == (4, 500) and np.abs(found).max() > 1e-3  # never the silent half
        directions.append(direction_of_arrival(found))
    azimuths, elevations = np.array(directions).T
    assert (np.histogram(azimuths, bins=4, range=(-np.pi, np.pi))[0] > 0).all()
    np.testing.assert_allclose(np.abs(np.degrees(elevations)), 20, atol=0.1)
    assert 5 < (elevations > 0).sum() < 35


def test_in_the_second_phase_the_decoder_goes_on_alone(tmp_path: Path) -> None:
    first = task()
    train(first, 3)
    second = task(replace(SETUP, phase=2))
    second.go_on_from(saved(first, tmp_path / "vae.ckpt"))
    before = copy.deepcopy(second.module.state_dict())
    for name, value in second.discriminators.state_dict().items():
        assert torch.equal(value, first.discriminators.state_dict()[name])
    kept = batch(second, rows=60)["kept"]
    assert kept.shape == (60, 8, 16) and set(kept.unique().tolist()) == {0.0, 1.0}
    assert kept.mean().item() == pytest.approx(0.9, abs=0.015)
    # Every value by itself: neither whole latents nor whole channels.
    assert kept.amin(dim=1).mean() < 0.6 and kept.amax(dim=1).min() > 0
    train(second, 2)
    for name, value in second.module.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("encoder."), name


def test_masked_values_are_not_heard() -> None:
    of = task(replace(SETUP, phase=2))
    rows = batch(of)
    rows["kept"][:] = 0
    silent = of.losses(rows)["spectrum"]
    assert of.losses({**rows, "noise": 5 * rows["noise"]})["spectrum"] == silent


def test_a_checkpoint_gives_the_vae_without_weight_norm(tmp_path: Path) -> None:
    of = task()
    train(of, 2)
    vae = load_oobleck(SIZES, saved(of, tmp_path / "vae.ckpt"))
    assert set(vae.state_dict()) == set(Oobleck(SIZES).state_dict())
    sound = torch.randn(1, 4, 10 * SIZES.hop)
    with torch.no_grad():
        torch.testing.assert_close(vae.encoder(sound)[0], of.module.encoder(sound)[0])
    with pytest.raises(MediaError, match="does not fit this preset"):
        load_oobleck(replace(SIZES, width=4), tmp_path / "vae.ckpt")


def test_it_begins_with_a_stereo_vae() -> None:
    torch.manual_seed(5)
    stereo = Oobleck(replace(SIZES, audio=2)).requires_grad_(False)
    four = inflated(stereo)
    of = task()
    of.begin_with(four)
    assert all(value.requires_grad for value in of.module.parameters())
    sound = torch.randn(1, 4, 10 * SIZES.hop)
    with torch.no_grad():
        torch.testing.assert_close(of.module.encoder(sound)[0], four.encoder(sound)[0])
        latents = torch.randn(1, 8, 10)
        torch.testing.assert_close(of.module.decoder(latents), four.decoder(latents))
    train(of, 2)
    with torch.no_grad():
        heard = of.module.decoder(latents)
    assert torch.isfinite(heard).all() and (heard[:, 2:].abs().amax(dim=(0, 2)) > 0).all()
    with pytest.raises(OptionError, match="expected OobleckConfig"):
        of.begin_with(Oobleck(replace(SIZES, width=4)))


def test_weight_norm_changes_nothing_and_comes_off_again() -> None:
    vae = Oobleck(SIZES)
    latents = torch.randn(1, 8, 6)
    with torch.no_grad():
        expected = vae.decoder(latents)
        torch.testing.assert_close(normed(vae).decoder(latents), expected)
        torch.testing.assert_close(plain(vae).decoder(latents), expected)
    # A length for each output of a convolution; for each input of a transposed one, as released.
    lengths = normed(vae).state_dict()[
        "decoder.layers.1.layers.1.parametrizations.weight.original0"
    ]
    assert lengths.shape == (32, 1, 1)


def test_recomputing_gives_the_same_gradients() -> None:
    of = task()
    rows = batch(of)
    gradients = []
    for on in (False, True):
        assert recompute(of.module, on) == 18
        of.module.zero_grad()
        of.losses(rows)["loss"].backward()
        gradients.append([value.grad.clone() for value in of.module.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_log_shows_what_becomes_of_a_sound(tmp_path: Path) -> None:
    samples = task().samples(tmp_path)
    assert {name.split("/")[0] for name in samples} == {"sound", "spectrogram", "energy"}
    assert samples["sound/decoded"].data.shape == (24000,) and samples["sound/decoded"].rate == 8000
    assert np.abs(samples["sound/recorded"].data).max() > 0
    assert samples["energy/recorded"].data.shape == (72, 144, 3)
    spectrogram = samples["spectrogram/recorded"].data
    assert spectrogram.dtype == np.uint8 and spectrogram.shape[::2] == (256, 3)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(OptionError, match="the sounds are at 8000"):
        task(replace(SETUP, sample_rate=44100))
    with pytest.raises(OptionError, match="expected more than 128"):
        task(length=4)
    with pytest.raises(OptionError, match="phase 3"):
        task(replace(SETUP, phase=3))
