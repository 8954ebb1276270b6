"""A source becomes shards: what is in them, and that they do not depend on how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.panorama.views import normalise
from omniaudio_studio.training.data.encode import encode
from omniaudio_studio.training.data.encoders import BundleEncoder, RunEncoder
from omniaudio_studio.training.data.scene_source import SceneSource
from omniaudio_studio.training.data.shards import open_shards
from omniaudio_studio.training.data.sound_source import SoundSource
from omniaudio_studio.training.presets import load_preset
from omniaudio_studio.training.scenes import open_scene_set
from omniaudio_studio.training.stages.vae import load_vae
from omniaudio_studio.training.stages.vision import load_sight
from tests.training.data.conftest import noise, write


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def encoded_scenes(
    untrained_run: Path, run_encoder: RunEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("encoded") / "scenes"
    source = SceneSource(untrained_run / "scenes")
    encode(source, run_encoder, out, seconds=1.0, yaws=2, pieces=2)
    return out


def test_scenes_are_encoded_by_the_networks_of_their_run(
    encoded_scenes: Path, untrained_run: Path
) -> None:
    preset = load_preset("debug")
    scenes = open_scene_set(untrained_run / "scenes")
    vae = load_vae(preset, scenes, untrained_run / "vae.ckpt")
    sight = load_sight(preset, len(scenes.classes), untrained_run / "vision.ckpt")
    shards = open_shards(encoded_scenes)
    assert len(shards) == 6 and shards.fields == {
        "mean": (16, 12), "std": (16, 12), "summary": (8, sight.localiser.config.summary),
    }  # fmt: skip
    encoder = RunEncoder(untrained_run)
    for number in (0, 4):  # the first and the last scene, not turned
        piece = number // 2
        sample, note = shards[number], shards.note(number)
        assert note["source"] == f"scene-{piece:05d}" and note["yaw"] == 0.0
        with torch.no_grad():
            # The exported path (matrix products), against the FFT that encoding uses.
            audio = torch.from_numpy(scenes.foa[piece : piece + 1, :, :46_080].astype(np.float32))
            mean, std = vae.encoder(audio)
            around, ahead = (
                sight.features(torch.from_numpy(normalise(np.asarray(stored[piece]), view))[None])
                for stored, view in zip((scenes.equirect, scenes.front), encoder.views, strict=True)
            )
            summary = sight.localiser.summarise(around, ahead)
        np.testing.assert_allclose(sample["mean"], mean[0].numpy(), atol=4e-3)
        np.testing.assert_allclose(sample["std"], std[0].numpy(), atol=4e-3)
        np.testing.assert_allclose(sample["summary"], summary[0].numpy(), atol=4e-3, rtol=1e-3)


def test_the_index_says_what_was_encoded(encoded_scenes: Path, untrained_run: Path) -> None:
    index = json.loads((encoded_scenes / "index.json").read_text())
    assert index["complete"] and index["samples"] == 6 and index["skipped"] == []
    assert (index["latent_rate"], index["feature_rate"], index["channels"]) == (12.5, 8.0, 16)
    assert [shard["samples"] for shard in index["shards"]] == [4, 2]
    assert set(index["made"]["encoder"]) == {
        "vae.ckpt", "vision.ckpt", "scenes/scenes.json",
    }  # fmt: skip
    assert index["made"]["yaws"] == 2 and index["made"]["source"]["kind"] == "scenes"
    notes = [open_shards(encoded_scenes).note(number) for number in range(6)]
    assert [note["yaw"] == 0 for note in notes] == [True, False] * 3
    assert all(note["kind"] == "foa" and note["classes"] for note in notes)


def test_a_bundle_encodes_sound_alone(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    import soundfile

    made = encode(SoundSource(good_sounds), tiny_encoder, tmp_path / "out", seconds=1.0)
    shards = open_shards(made.folder)
    assert made.samples == len(shards) == 6 and made.skipped == []
    assert set(shards.fields) == {"mean", "std"} and shards.feature_rate is None
    notes = [shards.note(number) for number in range(6)]
    assert [note["kind"] for note in notes] == ["pseudo"] * 4 + ["foa"] * 2
    assert notes[5] == {
        "source": "rain/wide.wav", "start": 1.0, "seconds": 1.0, "yaw": 0.0, "kind": "foa",
        "classes": ["rain"],
    }  # fmt: skip
    field = soundfile.read(good_sounds / "rain" / "wide.wav", dtype="float32")[0].T
    mean, std = tiny_encoder.sound(np.ascontiguousarray(field[:, 48_000 : 48_000 + 12 * 3840]))
    assert np.array_equal(shards[5]["mean"], mean.astype(np.float16))
    assert np.array_equal(shards[5]["std"], std.astype(np.float16))


def test_the_channels_go_in_the_order_of_the_bundle(tmp_path: Path) -> None:
    from tests.support.tiny_bundle import make_tiny_bundle

    plain = BundleEncoder(make_tiny_bundle(tmp_path / "plain"))
    other = BundleEncoder(make_tiny_bundle(tmp_path / "other", channel_order="WXYZ"))
    field = np.stack([noise(0.16, seed) for seed in range(4)])
    reordered = np.ascontiguousarray(field[[0, 3, 1, 2]])
    assert np.array_equal(other.sound(field)[0], plain.sound(reordered)[0])


def test_an_interrupted_encoding_ends_with_the_same_bytes(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, of: int) -> None:
        if done == 4:
            raise Stop

    def run(out: Path, **more: Any) -> None:
        encode(SoundSource(good_sounds), tiny_encoder, out, seconds=1.0, pieces=2, yaws=2, **more)

    run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "cut", progress=stop)
    with pytest.raises(MediaError, match="is not finished: run the same"):
        open_shards(tmp_path / "cut")
    assert "shard-000000.tar" in contents(tmp_path / "cut")
    (tmp_path / "cut" / ".shard-000001-abc.part.tar").write_bytes(b"rest of a killed process")
    counted: list[tuple[int, int]] = []
    run(tmp_path / "cut", progress=lambda *each: counted.append(each))
    assert counted[0] == (2, 5) and counted[-1] == (5, 5)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_another_encoding_is_refused_or_replaced(
    good_sounds: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    source = SoundSource(good_sounds)
    encode(source, tiny_encoder, tmp_path / "out", seconds=1.0)
    before = contents(tmp_path / "out")
    with pytest.raises(MediaError, match="holds shards of another encoding"):
        encode(source, tiny_encoder, tmp_path / "out", seconds=0.5)
    assert contents(tmp_path / "out") == before
    encode(source, tiny_encoder, tmp_path / "out", seconds=0.5, replace=True)
    assert open_shards(tmp_path / "out").fields["mean"] == (8, 6)


def test_bad_files_are_listed_and_stop_nothing(tmp_path: Path, tiny_encoder: BundleEncoder) -> None:
    folder = tmp_path / "in"
    write(folder / "good.wav", [noise(1.0)])
    write(folder / "silent.wav", [np.zeros(48_000, np.float32)])
    write(folder / "three.wav", [noise(1.0, seed) for seed in range(3)])
    write(folder / "nan.wav", [np.where(np.arange(48_000) == 100, np.nan, noise(1.0))])
    write(folder / "clipped.wav", [np.clip(40 * noise(1.0), -1, 1)])
    write(folder / "short.wav", [noise(0.5)])
    (folder / "text.wav").write_text("no sound")
    made = encode(SoundSource(folder), tiny_encoder, tmp_path / "out", seconds=1.0, pieces=3)
    assert made.samples == 1
    reasons = dict(made.skipped)
    assert set(reasons) == {f"{name}.wav" for name in
                            ("silent", "three", "nan", "clipped", "short", "text")}  # fmt: skip
    assert reasons["silent.wav"] == "0 s: is silent"
    assert reasons["three.wav"].startswith("has 3 channels; expected mono, stereo, or first-order")
    assert reasons["nan.wav"] == "0 s: holds samples that are no numbers"
    assert reasons["clipped.wav"].startswith("0 s: is clipped: ")
    assert reasons["short.wav"] == "lasts 0.50 s, an excerpt 1 s: too short"
    assert reasons["text.wav"].startswith("is text, not video")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert {item["source"]: item["reason"] for item in index["skipped"]} == reasons


def test_nothing_to_encode_is_an_error(tmp_path: Path, tiny_encoder: BundleEncoder) -> None:
    write(tmp_path / "in" / "short.wav", [noise(0.5)])
    with pytest.raises(MediaError) as caught:
        encode(SoundSource(tmp_path / "in"), tiny_encoder, tmp_path / "out", seconds=1.0)
    assert str(caught.value) == (
        "nothing could be encoded of 1 files; the first: short.wav: lasts 0.50 s, an excerpt 1 s: "
        "too short"
    )


def test_options_that_make_no_sense(good_sounds: Path, tiny_encoder: BundleEncoder) -> None:
    source = SoundSource(good_sounds)
    with pytest.raises(OptionError, match=r"expected at least one latent frame, 0\.08 s"):
        encode(source, tiny_encoder, good_sounds / "out", seconds=0.01)
    with pytest.raises(OptionError, match="yaws 0: expected 1"):
        encode(source, tiny_encoder, good_sounds / "out", yaws=0)
    assert not (good_sounds / "out").exists()


def test_a_run_that_is_not_trained_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"is no run folder: it has no run\.json"):
        RunEncoder(tmp_path)
    (tmp_path / "run.json").write_text('{"preset": "debug", "overrides": []}')
    with pytest.raises(MissingFileError, match="train vae first"):
        RunEncoder(tmp_path)
