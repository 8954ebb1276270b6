"""``omniaudio evaluate`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omniaudio_studio.cli.app import run
from omniaudio_studio.evaluation import spatialize
from tests.support.tiny_bundle import make_tiny_bundle

pytest.importorskip("ot")
pytest.importorskip("scipy")


@pytest.fixture(autouse=True)
def small_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spatialize, "PRIOR_SCENES", 2)


def test_the_comparisons_are_printed_and_given_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "spatialize", "--methods", "none", "--count", "1", "--seconds", "1"]
    assert run([*arguments, "--json"]) == 0
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert data["settings"]["count"] == 1 and data["settings"]["methods"] == []
    assert list(data["rows"]) == ["moving", "still", "pair"]
    assert data["rows"]["moving"]["mono"]["angle"]["mean"] == pytest.approx(data["chance"])
    assert "scenes" in said.err
    assert run(arguments) == 0
    printed = capsys.readouterr().out
    assert "True sound field" in printed and "highest peaks" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "automatic,magic"], "automatic, learned; found 'magic'"),
        (["--folds", "4"], "--sounds"),
        (["--count", "0"], "count is 0"),
        (["--methods", "learned", "--bundle", "nowhere"], "nowhere"),
    ],
)
def test_bad_options_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "spatialize", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts", "direction"], "directions, two"),
        (["--ablation", "front"], "NAME=BUNDLE"),
        (["--ablation", "a=starter", "--ablation", "a=starter"], "twice"),
        (["--guidance-plot", "x.png", "--parts", "directions"], "--parts"),
        (["--guidance-plot", "/nowhere/x.png"], "does not exist"),
        (["--few-steps", "0", "--parts", "few"], "steps must be at least 1"),
        (["--few-sampler", "heun", "--parts", "few"], "euler, reflow"),
        (["--few-sampler", "reflow", "--parts", "few"], "has no sampler reflow"),
        (["--motion", "fast"], "still, moving or mixed"),
    ],
)
def test_bad_options_of_starter_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = make_tiny_bundle(tmp_path / "tiny")
    told = ["evaluate", "starter", "--bundle", str(bundle), "--count", "1", "--seconds", "1"]
    assert run([*told, *arguments]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("scenes")]
    assert len(lines) == 1 and message in lines[0]


def test_parts_an_ablation_and_a_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(make_tiny_bundle(tmp_path / "tiny", few=True))
    plot = tmp_path / "guidance.png"
    told = ["evaluate", "starter", "--bundle", bundle, "--count", "1", "--seconds", "1"]
    told += ["--parts", "guidance,few", "--few-steps", "1", "--guidance-plot", str(plot)]
    told += ["--few-sampler", "reflow"]
    assert run([*told, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["settings"]["parts"] == ["few", "guidance"]
    few = data["settings"]["few"]
    assert (few["sampler"], few["steps"]) == ("reflow", 1)
    assert {"few", "cfg 1", "cfg 9"} <= set(data["rows"])
    assert plot.stat().st_size > 1000
    assert run(told) == 2  # the plot is there
    assert "already exists" in capsys.readouterr().err
    told = [*told[:-4], "--parts", "directions", "--ablation", f"same={bundle}"]
    assert run(told) == 0
    assert "Ablations" in capsys.readouterr().out
