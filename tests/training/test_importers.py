"""Released weights: read by name, nothing executed, the same numbers as the released code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.engine.sampler import euler, guided
from omniaudio_studio.errors import BundleError, MissingFileError, OmniAudioError
from omniaudio_studio.training.importers.checkpoint import load_released
from omniaudio_studio.training.importers.config import ReleasedSetup, read_setup
from omniaudio_studio.training.importers.hub import find_checkpoint, find_tower
from omniaudio_studio.training.importers.tower import load_tower
from omniaudio_studio.training.networks.clip import ImageTower, TowerConfig
from omniaudio_studio.training.networks.oobleck import Oobleck, OobleckConfig, OobleckDecoder
from omniaudio_studio.training.networks.released_dit import (
    LARGE,
    MEDIUM,
    SMALL,
    ReleasedConditioner,
    ReleasedDiT,
    half,
)
from tests.support.released_weights import (
    DEAD_VALUES,
    REFERENCE,
    released_state,
    tower_state,
    write_checkpoint,
    write_hub,
    write_tower,
)

SETUP = read_setup(REFERENCE / "config.json")

Arrays = dict[str, Tensor]


def arrays(name: str) -> Arrays:
    with np.load(REFERENCE / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def largest(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("released"))


def spline(latents: int, features: int) -> Tensor:
    return torch.tensor(resampling_matrix("spline-aligned", latents, features, 0.0, 0.0))


@torch.no_grad()
def test_torch_gives_the_velocity_of_the_released_code(checkpoint: Path) -> None:
    released, given = load_released(checkpoint, SETUP), arrays("dit")
    local, global_ = released.conditioner(given["video_360"], given["video_fov"])
    local = spline(215, 80) @ local
    conditional = released.dit(given["x"], given["t"], local, global_)
    unconditional = released.dit(given["x"], given["t"], torch.zeros_like(local), global_)
    guided_ = unconditional + given["cfg_scale"] * (conditional - unconditional)
    assert largest(conditional, given["v_cond"]) < 2e-4
    assert largest(guided_, given["v_cfg"]) < 6e-4


@torch.no_grad()
def test_torch_gives_the_latents_and_the_sound_of_the_released_code(checkpoint: Path) -> None:
    released, given = load_released(checkpoint, SETUP), arrays("sample")
    local, global_ = released.conditioner(given["video_360"][None], given["video_fov"][None])
    inputs = {"local": (spline(64, 24) @ local).numpy(), "global_": global_.numpy()}

    def model(x: np.ndarray, t: np.ndarray, conditions: dict[str, np.ndarray]) -> np.ndarray:
        feeds = {"x": x, "t": t, **conditions}
        return released.dit(**{k: torch.from_numpy(v) for k, v in feeds.items()}).numpy()

    velocity = guided(model, inputs, ("local",), float(given["cfg_scale"]))
    latents = euler(velocity, given["noise"].numpy(), given["schedule"].double().numpy())
    assert largest(torch.from_numpy(latents), given["latents"]) < 3.7e-3
    sound = released.vae.decoder(torch.from_numpy(latents))
    assert largest(sound[..., : given["audio"].shape[-1]], given["audio"]) < 2.4e-4


@torch.no_grad()
def test_torch_encodes_and_decodes_as_the_released_code(checkpoint: Path) -> None:
    vae, given = load_released(checkpoint, SETUP).vae, arrays("vae")
    mean, scale = vae.encoder(given["audio"])
    kept = given["mean"].shape[-1]
    assert largest(mean[..., :kept], given["mean"]) < 2e-5
    assert largest(scale[..., :kept], given["stdev"]) < 2e-5
    decoded = vae.decoder(given["z"])
    assert largest(decoded[..., : given["decoded"].shape[-1]], given["decoded"]) < 2e-5


def test_every_layout_of_the_checkpoint_reads_alike(tmp_path: Path) -> None:
    exported = released_state()
    training = {f"diffusion.{name}": value for name, value in exported.items()}
    averaged = training | {
        f"diffusion_ema.ema_model.{name}": torch.zeros_like(value)
        for name, value in exported.items()
    }
    sums = []
    for state in (exported, training, averaged):
        released = load_released(write_checkpoint(tmp_path, state), SETUP)
        assert released.unused == DEAD_VALUES
        sums.append(sum(float(value.double().abs().sum()) for value in released.dit.parameters()))
    assert sums[0] == sums[1] == sums[2] > 0


def test_safetensors_read_like_the_checkpoint(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(released_state(), tmp_path / "model.safetensors")
    released = load_released(find_checkpoint(tmp_path), SETUP)
    assert released.unused == DEAD_VALUES


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("model.model.project_x", None) or _rename(state), "project_inn"),
        (lambda state: state.pop("model.model.transformer.project_in.weight"), "project_in.weight"),
        (
            lambda state: state.update(
                {"model.model.preprocess_conv.weight": torch.zeros(64, 32, 1)}
            ),
            "expected shape (64, 64, 1), found (64, 32, 1)",
        ),
        (lambda state: state.clear() or state.update(a=torch.zeros(1)), "no checkpoint of Omni"),
        (lambda state: state.clear(), "holds no tensors"),
    ],
    ids=["renamed", "missing", "reshaped", "foreign", "empty"],
)
def test_a_checkpoint_that_is_not_right_names_the_tensor(tmp_path: Path, change, told: str) -> None:
    state = released_state()
    change(state)
    with pytest.raises(BundleError) as caught:
        load_released(write_checkpoint(tmp_path, state), SETUP)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def _rename(state: Arrays) -> None:
    name = "model.model.transformer.project_in.weight"
    state[name.replace("project_in", "project_inn")] = state.pop(name)


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    whole = path.read_bytes()
    for kept in (0, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:kept])
        with pytest.raises(BundleError, match="cannot be read"):
            load_released(path, SETUP)


class _Harmful:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    state = {f"diffusion.{name}": value for name, value in released_state().items()}
    path = write_checkpoint(tmp_path, state | {"code": _Harmful(made)})
    with pytest.raises(BundleError, match="could run code, so it is not loaded"):
        load_released(path, SETUP)
    path.write_bytes(pickle.dumps({"state_dict": _Harmful(made)}))
    with pytest.raises(BundleError):
        load_released(path, SETUP)
    assert not made.exists()


@torch.no_grad()
def test_the_tower_gives_what_the_hubs_own_software_gives(tmp_path: Path) -> None:
    # transformers 5 (CLIPVisionModelWithProjection) on the same weights and pictures: equal bit
    # for bit when this was written.
    tower = load_tower(write_tower(tmp_path))
    pictures = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(9))
    features = tower(pictures)
    golden = [-0.448494, -1.940922, -0.690968, 1.292724, -0.172865, -0.181106]
    assert largest(features[0, :6], torch.tensor(golden)) < 2e-5
    assert largest(features[1, -3:], torch.tensor([0.510605, 0.141882, 1.086604])) < 2e-5


def test_a_tower_in_parts_is_the_whole_tower(tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    whole = load_tower(write_tower(tmp_path / "whole"))
    folder = write_tower(tmp_path / "parts")
    (folder / "model.safetensors").unlink()
    state = sorted(tower_state().items())
    places = {}
    for part in (0, 1):
        name = f"model-0000{part + 1}-of-00002.safetensors"
        own = dict(state[part::2])
        save_file(own, folder / name)
        places |= dict.fromkeys(own, name)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    for first, second in zip(whole.parameters(), load_tower(folder).parameters(), strict=True):
        assert torch.equal(first, second)
    index.write_text(json.dumps({"weight_map": dict.fromkeys(places, "../model.safetensors")}))
    with pytest.raises(BundleError, match="not in its folder"):
        load_tower(folder)


def test_a_tower_that_is_not_right_names_the_tensor(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = write_tower(tmp_path)
    state = tower_state()
    state.pop("vision_model.encoder.layers.1.self_attn.k_proj.bias")
    save_file(state, folder / "model.safetensors")
    with pytest.raises(BundleError, match=r"blocks\.1\.qkv\.bias is missing"):
        load_tower(folder)
    (folder / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(BundleError, match="cannot be read"):
        load_tower(folder)


def test_folders_are_found_as_the_hub_lays_them_out(tmp_path: Path) -> None:
    write_hub(tmp_path / "hub")
    assert find_checkpoint(tmp_path / "hub").name == "model.ckpt"
    assert find_tower(tmp_path / "hub").name == "metaclip-h14-fullcc2.5b"
    cached = tmp_path / "cache" / "models--OmniAudio--OmniAudio360V2SA" / "snapshots" / "abc"
    write_checkpoint(cached)
    assert find_checkpoint(tmp_path / "cache").parent == cached
    with pytest.raises(MissingFileError, match="--without-vision"):
        find_tower(tmp_path / "cache")
    with pytest.raises(MissingFileError, match="no checkpoint in"):
        find_checkpoint(tmp_path / "hub" / "facebook")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"embed_dim": 64', '"embed_dim": "wide"', "embed_dim: expected a whole number"),
        ('"num_heads": 1', '"num_heads": 4', "num_heads: expected a divisor of 64"),
        ('"rectified_flow"', '"v"', "diffusion_objective: expected one of rectified_flow"),
        ('"out_channels": 4', '"out_channels": 2', "expected 4 (first-order ambisonics)"),
        ('"latent_dim": 128', '"latent_dim": 64', "expected 128, as for the decoder"),
        ('"sample_rate": 44100,', "", "sample_rate: expected a whole number"),
        ("{", "", "is not JSON"),
    ],
)
def test_a_config_that_is_not_right_names_the_field(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    text = (REFERENCE / "config.json").read_text()
    assert before in text
    path = tmp_path / "config.json"
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(OmniAudioError) as caught:
        read_setup(path)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_the_sizes_are_those_of_the_paper() -> None:
    def values(module: torch.nn.Module) -> int:
        return sum(value.numel() for value in module.parameters())

    with torch.device("meta"):
        sizes = {
            name: values(ReleasedDiT(config)) + values(ReleasedConditioner(config))
            for name, config in (("large", LARGE), ("medium", MEDIUM), ("small", SMALL))
        }
        vae, tower = values(Oobleck(OobleckConfig())), values(ImageTower(TowerConfig()))
    # 1,221.7 million in the checkpoint, of which 148 are never executed (1.5 million is the
    # precision of these figures); ViT-H/14 is known to have 632 million.
    assert sizes["large"] + vae == pytest.approx((1221.7 - 148) * 1e6, abs=1.5e6)
    assert vae == pytest.approx(156e6, abs=1e6)
    assert tower == pytest.approx(632e6, abs=1e6)
    assert sizes["large"] > 2 * sizes["medium"] > 4 * sizes["small"] > 0
    assert ReleasedSetup().window == 215


def test_a_decoded_latent_depends_on_ten_to_either_side() -> None:
    config = OobleckConfig(width=2)
    assert config.decoder_context == 10
    z = torch.randn(1, config.latent, 25, requires_grad=True)
    sound = OobleckDecoder(config)(z)
    sound[..., 12 * config.hop : 13 * config.hop].sum().backward()
    assert z.grad is not None
    touched = z.grad.abs().sum(dim=(0, 1)).nonzero().ravel()
    assert (int(touched.min()), int(touched.max())) == (2, 22)


@torch.no_grad()
def test_half_precision_keeps_norms_time_and_snake(checkpoint: Path) -> None:
    released, given = load_released(checkpoint, SETUP), arrays("vae")
    exact = released.vae.decoder(given["z"])
    kinds = {name: value.dtype for name, value in half(released.dit).named_parameters()}
    assert kinds["blocks.0.attention.qkv.weight"] == torch.float16
    assert kinds["blocks.0.norm1.weight"] == kinds["time.0.weight"] == torch.float32
    halved = half(released.vae.decoder)(given["z"])
    assert halved.dtype == torch.float32
    assert 0 < largest(halved, exact) < 0.01 * float(exact.std())
