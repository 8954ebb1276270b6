"""A stereo VAE inflated to four channels is the same VAE for W and Y."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from typer.testing import CliRunner

from omniaudio_studio.cli.app import app
from omniaudio_studio.errors import BundleError
from omniaudio_studio.training.importers.stereo import inflated, load_stereo
from omniaudio_studio.training.importers.weights import fill
from omniaudio_studio.training.networks.oobleck import Oobleck, OobleckConfig

STEREO = OobleckConfig(2, 8, (1, 2, 4), (2, 4, 4), 6)


def published(prefix: str) -> dict[str, Tensor]:
    """A narrow stereo VAE's tensors as they are published: with weight norm."""
    torch.manual_seed(4)
    state = {}
    for name, value in Oobleck(STEREO).state_dict().items():
        if value.dim() == 3:
            norm = value.flatten(1).norm(dim=1)[:, None, None]
            state[f"{prefix}{name}_g"] = norm
            state[f"{prefix}{name}_v"] = 2 * value  # any length: the norm is taken off
        else:
            state[f"{prefix}{name}"] = 0.3 * torch.randn_like(value)
    return state


def written(folder: Path, prefix: str = "pretransform.model.") -> Path:
    others = {"model.model.something.weight": torch.zeros(3)} if prefix else {}
    save_file(published(prefix) | others, folder / "stereo.safetensors")
    return folder / "stereo.safetensors"


@pytest.mark.parametrize(
    "prefix", ["", "autoencoder.", "pretransform.model.", "diffusion.pretransform.model."]
)
@torch.no_grad()
def test_w_and_y_go_through_as_left_and_right(tmp_path: Path, prefix: str) -> None:
    stereo = load_stereo(written(tmp_path, prefix))
    assert stereo.config == STEREO
    four = inflated(stereo)
    left, right = torch.randn(2, 1, 20 * STEREO.hop)
    w, y = (left + right) / math.sqrt(2), (left - right) / math.sqrt(2)
    z, x = torch.randn(2, 1, 20 * STEREO.hop)  # not heard yet
    expected = stereo.encoder(torch.stack([left, right], dim=1))
    found = four.encoder(torch.stack([w, y, z, x], dim=1))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    made, pair = four.decoder(expected[0]), stereo.decoder(expected[0])
    assert made.shape[1] == 4 and made[:, 2:].abs().max() == 0
    back = torch.stack([made[:, 0] + made[:, 1], made[:, 0] - made[:, 1]], dim=1) / math.sqrt(2)
    torch.testing.assert_close(back, pair, atol=1e-5, rtol=1e-4)


def test_z_and_x_learn_from_the_first_step(tmp_path: Path) -> None:
    four = inflated(load_stereo(written(tmp_path))).requires_grad_(True)
    sound = torch.randn(1, 4, 8 * STEREO.hop)
    (four.decoder(four.encoder(sound)[0]) - sound).square().mean().backward()
    first, last = four.encoder.layers[0].weight, four.decoder.layers[-1].weight
    assert (first.grad[:, 2:].abs().amax(dim=(0, 2)) > 0).all()
    assert (last.grad[2:].abs().amax(dim=(1, 2)) > 0).all()


def test_the_command_writes_what_trains(tmp_path: Path) -> None:
    source, out = written(tmp_path), tmp_path / "new" / "four.safetensors"
    command = ["models", "import", "stereo-vae", str(source), "-o", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    four = Oobleck(OobleckConfig(4, *list(vars(STEREO).values())[1:]))
    fill(four, load_file(out), "the file")
    assert [path.name for path in out.parent.iterdir()] == ["four.safetensors"]
    again = CliRunner().invoke(app, command)
    assert again.exit_code != 0


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_file(
        Oobleck(OobleckConfig(4, 8, (1, 2), (2, 4), 6)).state_dict(), tmp_path / "four.safetensors"
    )
    with pytest.raises(BundleError, match="expected a VAE of 2 channels, found 4"):
        load_stereo(tmp_path / "four.safetensors")
    save_file({"something.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(BundleError, match="is no VAE of Stability's kind"):
        load_stereo(tmp_path / "other.safetensors")
    state = published("")
    del state["decoder.layers.0.bias"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(BundleError, match=r"decoder\.layers\.0\.bias is missing"):
        load_stereo(tmp_path / "less.safetensors")
