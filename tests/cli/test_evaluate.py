"""``omniaudio evaluate spatialize`` on the command line."""

from __future__ import annotations

import json

import pytest

from omniaudio_studio.cli.app import run
from omniaudio_studio.evaluation import spatialize

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
