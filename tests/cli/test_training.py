"""`omniaudio train spatializer` and `omniaudio export --onto`, from clips to a bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.bundles.manifest import load_manifest
from omniaudio_studio.cli.app import run
from omniaudio_studio.datasets.make import make_scenes
from tests.support.command_line import names, omniaudio

pytest.importorskip("torch")

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"


@pytest.mark.slow
@pytest.mark.timeout(900)  # exporting waits for whatever else runs
def test_from_clips_to_a_bundle(tmp_path: Path) -> None:
    make_scenes(tmp_path / "clips", 2, 2.0, 3, (1, 1), width=160, fps=8.0)
    (tmp_path / "clips" / "other.mp4").write_bytes(b"no video")
    run_folder, out = tmp_path / "run", tmp_path / "out"
    arguments = ["train", "spatializer", "--preset", "debug", "--run", str(run_folder)]
    ran = omniaudio(*arguments, "--bundle", STARTER, "--clips", tmp_path / "clips", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == [str(run_folder / "spatializer.ckpt")]
    assert f"left out: {tmp_path / 'clips' / 'other.mp4'}" in ran.err
    assert "spatializer 50 %" in ran.err
    assert names(run_folder) == {
        "run.json", "spatial", "spatializer.ckpt", "spatializer.json", "spatializer.jsonl",
            "tensorboard",
    }  # fmt: skip
    data = ["--data", "two scenes"]
    ran = omniaudio("export", run_folder, out, "--onto", STARTER, *data, "--json")
    assert ran.code == 0, ran.err
    checks = json.loads(ran.out)["checks"]
    assert [check["output"] for check in checks] == ["shares", "directions", "confidence"]
    before, after = load_manifest(STARTER), load_bundle(out, verify=True).manifest
    others = set(before.files) - {"spatializer.onnx"}
    assert all(after.files[name] == before.files[name] for name in others)
    assert after.spatializer is not None and after.spatializer.length == 16
    assert after.provenance.data == (*before.provenance.data, "two scenes")
    assert (after.name, after.licence) == (before.name, before.licence)
    assert (out / "README.md").read_text() == (STARTER / "README.md").read_text()
    added = after.provenance.command.removeprefix(before.provenance.command)
    assert added.startswith("; omniaudio export ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "vae", "--bundle", "starter"], "--bundle is for the stage spatializer"),
        (["train", "all", "--bundle", "starter"], "all makes a bundle of its own"),
        (["train", "finetune", "--clips", "."], "--clips is for the stage spatializer"),
        (["train", "spatializer", "--bundle", "nowhere"], "no model bundle named 'nowhere'"),
        (["train", "spatializer", "--bundle", "starter"], "no scenes in "),
        (
            ["train", "spatializer", "--bundle", "starter", "--clips", "nowhere"],
            "no folder nowhere: name one with 360 clips",
        ),
        (
            ["export", "run", "out", "--onto", "starter", "--licence", "MIT", "--name", "mine"],
            "--name, --licence: with --onto all of this is the bundle's own; leave it out",
        ),
        (
            ["export", "run", "out", "--onto", "starter", "--no-commercial"],
            "--commercial: with --onto all of this is the bundle's own",
        ),
        (["export", "run", "out", "--onto", "starter"], "no checkpoint at run/spatializer.ckpt"),
        (["export", "run", "out"], "--licence is missing"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "train":
        arguments = [*arguments, "--run", str(tmp_path / "run")]
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("omniaudio: ") == 1
    assert not (tmp_path / "out").exists()
