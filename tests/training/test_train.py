"""A run folder: stage after stage, what it records, and what goes wrong in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.bundles.parts import ReflowPart
from omniaudio_studio.datasets.procedural import SOUND_CLASSES
from omniaudio_studio.engine.decoding import decode_all
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import BundleError, MediaError, MissingFileError, OptionError
from omniaudio_studio.evaluation.tagging import Tagger
from omniaudio_studio.training.checkpoint import load_checkpoint
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.run_stages import run_vision
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.spatial_note import note_of
from omniaudio_studio.training.spatial_set import open_spatial_set
from omniaudio_studio.training.stages.oobleck import load_oobleck
from omniaudio_studio.training.train import (
    Material,
    export_run,
    load_networks,
    load_spatializing,
    train_stage,
)
from tests.training.conftest import LICENCE, DebugRun
from tests.training.data.writing import write_shards


def exported(run: Path, out: Path, overrides: tuple[str, ...] = ()) -> None:
    export_run(run, out, name="a", title="A", licence=LICENCE, overrides=overrides)


@pytest.fixture
def copied(debug_run: DebugRun, tmp_path: Path) -> Path:
    """A run folder that may be changed."""
    return Path(shutil.copytree(debug_run.folder, tmp_path / "run"))


def test_all_stages_leave_a_whole_run(debug_run: DebugRun) -> None:
    names = {path.name for path in debug_run.folder.iterdir()}
    assert names == {
        "run.json", "scenes", "encoded",
        "vae.ckpt", "vae.jsonl", "vision.ckpt", "vision.jsonl", "pretrain.ckpt",
        "pretrain.jsonl", "finetune.ckpt", "finetune.jsonl", "tensorboard",
        "pairs", "reflow.ckpt", "reflow.json", "reflow.jsonl",
        "spatial", "spatializer.ckpt", "spatializer.json", "spatializer.jsonl",
    }  # fmt: skip
    preset = load_preset("debug")
    for stage in ("vae", "vision", "pretrain", "finetune", "reflow", "spatializer"):
        setup = getattr(preset, stage)
        assert load_checkpoint(debug_run.folder / f"{stage}.ckpt")["step"] == setup.steps
        lines = (debug_run.folder / f"{stage}.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["step"] == setup.steps
        assert json.loads(lines[-1])["loss"] > 0
    assert debug_run.reports[:3] == [(1, 3), (2, 3), (3, 3)]  # scenes
    assert debug_run.reports[-1] == (3, 3)
    record = json.loads((debug_run.folder / "run.json").read_text())
    assert record == {"preset": "debug", "overrides": []}


def test_trained_networks_come_from_the_averages(debug_run: DebugRun) -> None:
    vae, sight, flow = load_networks(load_preset("debug"), debug_run.folder)
    assert sight.localiser.config.classes == len(SOUND_CLASSES)
    for stage, module in (("vision", sight), ("finetune", flow)):
        average = load_checkpoint(debug_run.folder / f"{stage}.ckpt")["average"]["weights"]
        assert all(torch.equal(module.state_dict()[name], average[name]) for name in average)
    for module in (vae, sight, flow):
        assert not module.training and not any(p.requires_grad for p in module.parameters())
    # Latents come out normalised by what was measured.
    assert vae.encoder.latent_std.min() > 0 and not torch.equal(
        vae.encoder.latent_std, torch.ones_like(vae.encoder.latent_std)
    )


def weights_of(run: Path, stage: str) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / f"{stage}.ckpt")["networks"]["model"]


def test_equal_settings_train_equal_networks(debug_run: DebugRun, tmp_path: Path) -> None:
    """Also from another state of the process's generator, and stage by stage."""
    run = tmp_path / "again"
    for number, stage in enumerate(("scenes", "vae", "vision")):
        torch.manual_seed(1234 + number)
        train_stage(stage, "debug", run)
    for stage in ("vae", "vision"):
        first, again = (
            load_checkpoint(folder / f"{stage}.ckpt")["networks"]["model"]
            for folder in (debug_run.folder, run)
        )
        assert all(torch.equal(first[name], again[name]) for name in first)
    other = tmp_path / "other"
    shutil.copytree(run / "scenes", other / "scenes")
    train_stage("vae", "debug", other, overrides=["vae.seed=9"])
    model = load_checkpoint(other / "vae.ckpt")["networks"]["model"]
    name = "decoder.content_in.weight"
    assert not torch.equal(
        model[name], load_checkpoint(run / "vae.ckpt")["networks"]["model"][name]
    )


def test_what_was_replaced_is_recorded_and_comes_back(tmp_path: Path) -> None:
    overrides = [
        "scenes.count=1",
        "scenes.seconds=0.5",
        "scenes.motion=still",
        "cfg=1.25",
        "finetune.precision=bf16",
    ]
    train_stage("scenes", "debug", tmp_path, overrides=overrides)
    record = json.loads((tmp_path / "run.json").read_text())
    assert sorted(record["overrides"]) == sorted(overrides)
    assert load_preset(record["preset"], record["overrides"]) == load_preset("debug", overrides)


def test_the_material_of_the_scenes_stays_on_record(tmp_path: Path) -> None:
    small = ["scenes.count=1", "scenes.seconds=1", "vae.steps=1", "vae.length=2"]
    material = Material(folds=(1, 2))
    train_stage("scenes", "debug", tmp_path, overrides=small, material=material)
    # The command line gives every stage a material: an empty one here.
    train_stage("vae", "debug", tmp_path, overrides=small, material=Material())
    assert json.loads((tmp_path / "run.json").read_text())["material"] == {
        "sounds": None,
        "panoramas": None,
        "sprites": None,
        "folds": [1, 2],
        "panorama_names": None,
    }


def one_line(caught: pytest.ExceptionInfo[Exception]) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_unknown_names_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(OptionError) as caught:
        train_stage("flows", "debug", run)
    assert one_line(caught) == (
        "unknown stage 'flows': choose one of scenes, vae, vision, encode, pretrain, finetune, "
        "reflow, spatializer, tagger or all"
    )
    with pytest.raises(OptionError, match="unknown preset"):
        train_stage("vae", "nothing", run)
    with pytest.raises(OptionError, match="unknown setting"):
        train_stage("vae", "debug", run, overrides=["vae.stepz=3"])
    assert not run.exists()


def test_stages_out_of_order(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        train_stage("vae", "debug", tmp_path / "new")
    assert one_line(caught).startswith(f"no scenes in {tmp_path / 'new' / 'scenes'}: run ")
    (copied / "vision.ckpt").unlink()
    with pytest.raises(MissingFileError) as caught:
        train_stage("finetune", "debug", copied)
    assert one_line(caught) == f"no checkpoint at {copied}/vision.ckpt: train that stage first"


def test_bundles_and_clips_are_for_one_stage(tmp_path: Path) -> None:
    for stage, given in (("vae", "clips"), ("all", "bundle"), ("finetune", "bundle")):
        with pytest.raises(OptionError, match="for the stage spatializer"):
            if given == "clips":
                train_stage(stage, "debug", tmp_path / "run", clips=tmp_path)
            else:
                train_stage(stage, "debug", tmp_path / "run", bundle=tmp_path)
    assert not (tmp_path / "run").exists()


def test_the_spatializer_saw_what_the_bundles_vision_sees(debug_run: DebugRun) -> None:
    preset, clips = load_preset("debug"), open_spatial_set(debug_run.folder / "spatial")
    vision = run_vision(preset, debug_run.folder)
    scenes = open_scene_set(debug_run.folder / "scenes")
    assert len(clips) == len(scenes)
    assert np.array_equal(clips.features[2], vision.features(scenes.equirect[2]))
    spatializing = load_spatializing(debug_run.folder)
    assert spatializing.note == note_of(preset, clips, vision)
    average = load_checkpoint(debug_run.folder / "spatializer.ckpt")["average"]["weights"]
    found = spatializing.network.state_dict()
    assert all(torch.equal(found[name], average[name]) for name in average)


def test_a_spatializer_of_another_vision_is_refused(copied: Path, tmp_path: Path) -> None:
    noted = copied / "spatializer.json"
    note = json.loads(noted.read_text())
    noted.write_text(json.dumps({**note, "bundle": "other"}))
    with pytest.raises(BundleError) as caught:
        exported(copied, tmp_path / "out")
    assert one_line(caught) == (
        f"{copied}/spatializer.ckpt was trained on the vision of the bundle 'other', not on this "
        "run's: export it --onto other"
    )
    noted.write_text(json.dumps({**note, "sha256": "0" * 64}))
    with pytest.raises(BundleError) as caught:
        exported(copied, tmp_path / "out")
    assert "was trained before the run's vision was: delete it" in one_line(caught)
    with pytest.raises(MediaError) as again:
        train_stage("spatializer", "debug", copied)
    assert "was trained on what another vision sees: delete it" in one_line(again)
    noted.write_text("{}")
    with pytest.raises(MediaError, match=r"spatializer\.json cannot be read"):
        exported(copied, tmp_path / "out")
    noted.unlink()
    with pytest.raises(MissingFileError, match=r"belongs to spatializer\.ckpt: train it again"):
        exported(copied, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_of_other_sizes_is_refused(copied: Path) -> None:
    for stage in ("vae", "vision", "finetune"):
        with pytest.raises(MediaError) as caught:
            train_stage(
                stage, "debug", copied,
                overrides=["networks.content=9", "networks.stem=12", "networks.dit_width=48"],
            )  # fmt: skip
        message = one_line(caught)
        expected = copied / ("vision.ckpt" if stage == "finetune" else f"{stage}.ckpt")
        assert message.startswith(f"{expected} does not fit this preset (size mismatch for ")


def test_exporting_what_is_no_run(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        exported(tmp_path, tmp_path / "out")
    assert one_line(caught) == (
        f"{tmp_path} is no run folder: it has no run.json; train something first"
    )
    for text in ("{", "{}"):
        (copied / "run.json").write_text(text)
        with pytest.raises(MediaError, match=r"run\.json cannot be read"):
            exported(copied, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_exporting_a_run_whose_flow_is_missing_or_damaged(tmp_path: Path, copied: Path) -> None:
    (copied / "finetune.ckpt").write_bytes(b"not much")
    with pytest.raises(MediaError) as caught:
        exported(copied, tmp_path / "out")
    assert one_line(caught).startswith(
        f"{copied}/finetune.ckpt is not a checkpoint that can be read"
    )
    (copied / "finetune.ckpt").unlink()
    with pytest.raises(MissingFileError) as missing:
        exported(copied, tmp_path / "out")
    assert one_line(missing) == f"no checkpoint at {copied}/finetune.ckpt: train that stage first"
    assert not (tmp_path / "out").exists()


def test_a_tagger_stands_alone(tmp_path: Path) -> None:
    """From sounds alone, without scenes; its graph lies beside its checkpoint."""
    written = train_stage("tagger", "debug", tmp_path, material=Material())
    assert written == tmp_path / "tagger.ckpt"
    tagger = Tagger(tmp_path / "tagger.onnx")
    assert tagger.classes == tuple(sorted(SOUND_CLASSES))
    noise = np.random.default_rng(0).standard_normal(48000).astype(np.float32)
    assert tagger.name(noise, 48000) in tagger.classes


# The paper's networks


@pytest.mark.timeout(900)  # exporting waits for whatever else runs
def test_the_papers_stages_run_from_sounds_and_encoded_clips(tmp_path: Path) -> None:
    """Both phases of the VAE from a folder of sounds; then both of pre-training and the rest."""
    rng = np.random.default_rng(0)
    (tmp_path / "sounds").mkdir()
    for number, channels in enumerate((1, 2, 4)):
        field = 0.1 * rng.standard_normal((3000, channels))
        sf.write(tmp_path / "sounds" / f"{number}.wav", field, 44100)
    run = tmp_path / "run"
    material = Material(sounds=tmp_path / "sounds")
    train_stage("vae", "debug-paper", run, material=material)
    first, second = (load_checkpoint(run / f"{n}.ckpt") for n in ("vae", "decoder"))
    for name, weight in second["networks"]["model"].items():
        same = torch.equal(weight, first["average"]["weights"][name])
        assert same == name.startswith("encoder."), name
    seeing = {"equirect": rng.standard_normal((6, 16)), "front": rng.standard_normal((6, 16))}
    for name, features in (("clips", seeing), ("coarse", {})):
        make_shards(tmp_path / name, channels=8, frames=24, features=features)
    data = tmp_path / "clips"
    train_stage("pretrain", "debug-paper", run, data=data, coarse=tmp_path / "coarse")
    train_stage("finetune", "debug-paper", run, data=data)
    train_stage("reflow", "debug-paper", run, data=data)
    names = {path.stem for path in run.glob("*.ckpt")}
    assert names == {"vae", "decoder", "coarse", "pretrain", "finetune", "reflow"}
    # What pre-training was given latents through has no part in the rest.
    before, after = (
        load_checkpoint(run / f"{name}.ckpt")["average"]["weights"]
        for name in ("pretrain", "finetune")
    )
    assert torch.equal(before["known.weight"], after["known.weight"])
    assert not torch.equal(before["dit.project_in.weight"], after["dit.project_in.weight"])
    # A bundle for features that are given: the decoder is that of the second phase.
    exported(run, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.latent.hop == 64 and bundle.manifest.sampler.cfg == 5.0
    assert bundle.manifest.reflow == ReflowPart("dit_few", 6, (1.0, 9.0))
    told = Session(bundle.graph("dit_few"), choose_provider("cpu"))
    assert set(told.inputs) == {"x", "t", "local", "global_", "guidance"}
    vae = load_oobleck(load_preset("debug-paper").paper.vae.vae, run / "decoder.ckpt")  # type: ignore[union-attr]
    latents = rng.standard_normal((1, 8, 30)).astype(np.float32)
    expected = vae.decoder(torch.from_numpy(latents)).detach().numpy()[0]
    session = Session(bundle.graph("vae_decoder"), choose_provider("cpu"))
    manifest = bundle.manifest
    decoded = decode_all(
        session, latents[0], 64, manifest.decoder.context, manifest.decoder.chunk,
        manifest.channel_order,
    )  # fmt: skip
    np.testing.assert_allclose(decoded, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("stage", "preset", "options", "said"),
    [
        (
            "vision",
            "small",
            {},
            "the preset small has no stage vision: it has vae, pretrain, ",
        ),
        ("finetune", "large", {}, "the preset large needs --data: clips that omniaudio dataset"),
        ("vae", "small", {}, "the VAE learns from sound: name a folder of sound files (--sounds)"),
        ("vae", "debug", {"data": Path()}, "--data is for the stages pretrain, finetune and "),
        ("vae", "debug", {"coarse": Path()}, "--coarse is for the stage pretrain: leave it out"),
        ("vae", "debug", {"stereo": Path()}, "--stereo is for the stage vae of the presets large"),
    ],
)
def test_what_a_preset_has_no_use_for(
    tmp_path: Path, stage: str, preset: str, options: dict[str, Path], said: str
) -> None:
    with pytest.raises(OptionError) as caught:
        train_stage(stage, preset, tmp_path / "run", **options)  # type: ignore[arg-type]
    assert one_line(caught).startswith(said)
    assert not list((tmp_path / "run").glob("*.ckpt"))


def test_pre_training_can_be_left_out(copied: Path) -> None:
    for stage in ("pretrain", "finetune"):
        (copied / f"{stage}.ckpt").unlink()
    none = ["pretrain.steps=0"]
    assert train_stage("pretrain", "debug", copied, overrides=none) == copied
    train_stage("finetune", "debug", copied, overrides=none)
    assert not (copied / "pretrain.ckpt").exists() and (copied / "finetune.ckpt").exists()


def make_shards(folder: Path, channels: int, frames: int, features: dict[str, np.ndarray]) -> None:
    """Noise, encoded by nobody, as shards."""
    rng = np.random.default_rng(1)
    mean = rng.standard_normal((channels, frames))
    arrays = {"mean": mean, "std": np.abs(mean) / 9 + 0.01, **features}
    write_shards(folder, [arrays] * 3, latent_rate=21.5, feature_rate=8.0 if features else None)
