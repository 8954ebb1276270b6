"""Start-up, usage errors, exit codes, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.cli.app import run
from omniaudio_studio.media.wav import write_wav
from tests.support.command_line import names, omniaudio

HEAVY = ("onnxruntime", "av", "scipy", "torch", "cv2", "matplotlib", "numpy", "soundfile", "rich")
VERBS = [
    "generate",
    "batch",
    "binaural",
    "gui",
    "demo",
    "probe",
    "measure",
    "models",
    "doctor",
    "scenes",
    "train",
    "export",
]


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from omniaudio_studio.cli.app import run\n"
        f"code = run({arguments!r})\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules], code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "LOADED [] 0"


def test_help_names_every_verb() -> None:
    ran = omniaudio("--help")
    assert ran.code == 0
    for verb in [*VERBS, "evaluate"]:
        assert f"  {verb} " in ran.out
    assert ran.err == ""


def test_no_arguments_show_the_help_and_fail() -> None:
    ran = omniaudio()
    assert ran.code == 2
    assert "Usage: omniaudio" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "frobnicate"),
        (["generate"], "omniaudio generate CLIP -o OUT.wav"),
        (["generate", "clip.mp4"], "omniaudio generate CLIP -o OUT.wav"),
        (["generate", "clip.mp4", "-o", "out.mp3"], ".wav"),
        (["generate", "clip.mp4", "-o", "out.wav", "--seed", "x"], "--seed"),
        (["generate", "clip.mp4", "-o", "out.wav", "--nonsense"], "--nonsense"),
        (["generate", "clip.mp4", "-o", "out.wav", "--cfg", "nan"], "found nan"),
        (["generate", "clip.mp4", "-o", "out.wav", "--cfg", "inf"], "found inf"),
        (["generate", "clip.mp4", "-o", "out.wav", "--steps", "-3"], "found -3"),
        (["generate", "clip.mp4", "-o", "out.wav", "--sampler", "heun"], "one of euler, reflow"),
        (["generate", "clip.mp4", "-o", "out.wav", "--takes", "0"], "found 0"),
        (["generate", "clip.mp4", "-o", "out.wav", "--device", "abacus"], "abacus"),
        (["generate", "--from", "no.json"], "no.json"),
        (["generate", "--from", "no.json", "--seed", "3"], "leave --seed out"),
        (["generate", "--from", "no.json", "--shots", "auto"], "leave --shots out"),
        (["generate", "--from", "no.json", "--base", "old.wav"], "leave --base out"),
        (["probe", "no.mp4"], "no.mp4"),
        (["measure", "no.wav"], "no.wav"),
        (["models", "info", "no-such-bundle"], "no-such-bundle"),
        (["scenes", "make", "out", "--sources", "many"], "many"),
        (["scenes", "make", "out", "--motion", "fast"], "fast"),
        (["scenes", "make", "out", "--reflections", "2"], "reflections is 2"),
        (["scenes", "make", "out", "--seconds", "nan"], "seconds is nan"),
        (["evaluate", "starter", "--sounds", ".", "--folds", "x"], "--folds must be numbers"),
        (["evaluate", "starter", "--folds", "4"], "--sounds"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("omniaudio: ")
    assert said in captured.err
    assert names(tmp_path) == set()


def test_an_unexpected_error_is_one_line_and_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import omniaudio_studio.cli.doctor as doctor

    def broken(device: str) -> None:
        raise ZeroDivisionError("something\nodd")

    monkeypatch.setattr(doctor, "examine", broken)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.delenv("OMNIAUDIO_DEBUG", raising=False)
    assert run(["doctor"]) == 70
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "unexpected ZeroDivisionError: something odd" in line
    log = Path(line.rstrip("\n").partition("details are in ")[2])
    assert "Traceback" in log.read_text()
    assert "something\nodd" in log.read_text()


def test_doctor_tells_what_runs_and_why(tiny_bundle: Path) -> None:
    ran = omniaudio("doctor", "--json", OMNIAUDIO_BUNDLES=str(tiny_bundle.parent))
    data = json.loads(ran.out)
    assert ran.code == 0, ran.err
    assert data["problems"] == []
    assert data["parts"]["onnxruntime"]
    assert data["provider"]["name"].endswith("ExecutionProvider")
    assert data["provider"]["reason"]
    assert "tiny" in [bundle["name"] for bundle in data["bundles"]]
    assert "runs on" in omniaudio("doctor", OMNIAUDIO_BUNDLES=str(tiny_bundle.parent)).out


def test_doctor_fails_where_a_part_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import omniaudio_studio.cli.doctor as doctor

    monkeypatch.setitem(doctor.CORE, "no_such_module_at_all", ("no-such-thing",))
    data = doctor.examine()
    assert data["parts"]["no_such_module_at_all"] is None
    assert any("no_such_module_at_all" in problem for problem in data["problems"])


def test_models_are_listed_shown_and_verified(tiny_bundle: Path, tmp_path: Path) -> None:
    folder = {"OMNIAUDIO_BUNDLES": str(tiny_bundle.parent)}
    rows = json.loads(omniaudio("models", "list", "--json", **folder).out)
    row = next(row for row in rows if row.get("name") == "tiny")
    assert row["demonstration"] is True
    assert row["path"] == str(tiny_bundle)
    assert "tiny" in omniaudio("models", "list", **folder).out
    info = json.loads(omniaudio("models", "info", "tiny", "--json", **folder).out)
    assert info["sampler"]["steps"] == 4
    assert "demonstration model" in omniaudio("models", "info", "tiny", **folder).out
    assert json.loads(omniaudio("models", "verify", tiny_bundle, "--json").out)["ok"] is True


def test_probe_and_measure_answer_scripts_and_people(small_clip: Path, tmp_path: Path) -> None:
    data = json.loads(omniaudio("probe", small_clip, "--json").out)
    assert (data["projection"], data["projection_source"]) == ("equirectangular", "metadata")
    assert data["duration"] == pytest.approx(2.0)
    assert "equirectangular (from metadata)" in omniaudio("probe", small_clip).out

    rng = np.random.default_rng(0)
    foa = np.zeros((4, 48000), np.float32)
    foa[0] = foa[1] = 0.1 * rng.standard_normal(48000)  # from the left
    write_wav(tmp_path / "foa.wav", foa, 48000)
    ran = omniaudio("measure", tmp_path / "foa.wav", "--json", "--plot", tmp_path / "foa.png")
    data = json.loads(ran.out)
    assert ran.code == 0, ran.err
    assert data["azimuth_degrees"] == pytest.approx(90.0, abs=0.1)
    assert (tmp_path / "foa.png").read_bytes().startswith(b"\x89PNG")
    again = omniaudio("measure", tmp_path / "foa.wav", "--plot", tmp_path / "foa.png")
    assert again.code == 2
    assert "already exists" in again.err
    over = omniaudio("measure", tmp_path / "foa.wav", "--plot", tmp_path / "foa.png", "--overwrite")
    assert over.code == 0
    assert "azimuth" in over.out


def test_scenes_are_made_and_kept(tmp_path: Path) -> None:
    arguments = ["scenes", "make", tmp_path / "set", "--count", "1", "--seconds", "0.5"]
    arguments += ["--width", "64", "--fps", "8", "--json"]
    first = omniaudio(*arguments)
    assert first.code == 0, first.err
    (folder,) = map(Path, json.loads(first.out))
    assert names(folder) == {"video.mp4", "foa.wav", "scene.json"}
    before = (folder / "foa.wav").stat().st_mtime_ns
    assert omniaudio(*arguments).code == 0
    assert (folder / "foa.wav").stat().st_mtime_ns == before


@pytest.mark.parametrize(("reflections", "ambience"), [("0", "1"), ("1", "0")])
def test_reflections_and_ambience_are_optional(
    tmp_path: Path, reflections: str, ambience: str
) -> None:
    arguments = ["scenes", "make", str(tmp_path / "set"), "--count", "2", "--seconds", "0.5"]
    arguments += ["--width", "64", "--fps", "8"]
    assert run([*arguments, "--reflections", reflections, "--ambience", ambience]) == 0
    for file in (tmp_path / "set").glob("*/scene.json"):
        scene = json.loads(file.read_text())
        assert (scene["room"] is None) == (reflections == "0")
        assert (scene["ambience"] is None) == (ambience == "0")


def test_a_bundle_is_evaluated(tiny_bundle: Path) -> None:
    arguments = ["evaluate", "starter", "--bundle", tiny_bundle, "--count", "1", "--seconds", "1"]
    ran = omniaudio(*arguments, "--json")
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["settings"]["count"] == 1
    assert {"generated", "random", "reconstruction"} <= set(data["rows"])
    assert data["chance"] == pytest.approx(np.pi / 2)


def test_a_stage_is_trained_and_a_missing_one_is_named(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run_folder = tmp_path / "run"
    arguments = ["train", "scenes", "--preset", "debug", "--run", run_folder]
    arguments += ["--set", "scenes.count=1", "--set", "scenes.seconds=1.0"]
    ran = omniaudio(*arguments, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == [str(run_folder / "scenes")]
    assert "scenes" in ran.err
    early = omniaudio("train", "finetune", "--preset", "debug", "--run", run_folder)
    assert early.code == 2
    assert len(early.error_lines) == 1
    ran = omniaudio("export", run_folder, tmp_path / "bundle", "--licence", "CC0-1.0")
    assert ran.code == 2
    assert len(ran.error_lines) == 1
    assert names(tmp_path) == {"run"}


def test_training_without_torch_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    assert run(["train", "scenes", "--run", str(tmp_path / "run")]) == 2
    assert "omniaudio-studio[train]" in capsys.readouterr().err
    assert names(tmp_path) == set()
