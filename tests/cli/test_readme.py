"""What the README tells people to type exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from omniaudio_studio.cli.app import run

README = Path(__file__).resolve().parents[2] / "README.md"


def commands() -> list[list[str]]:
    """Every `omniaudio ...` line of the README's code blocks, split as a shell would."""
    blocks = re.findall(r"^```(?:sh|bat)\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    found = []
    for line in "".join(blocks).splitlines():
        words = shlex.split(line.replace("\\", "/"), comments=True)
        if words and Path(words[0]).name == "omniaudio":
            found.append(words[1:])
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_readme_is_known(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    group = 2 if words[0] in ("models", "scenes", "evaluate", "dataset") else 1
    group += words[:2] == ["models", "import"]
    assert run([*words[:group], "--help"]) == 0
    text = capsys.readouterr().out
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", text), option


def test_every_option_of_the_table_is_one_of_generate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["generate", "--help"]) == 0
    text = capsys.readouterr().out
    table = re.search(r"\| option of `generate`.*?\n\n", README.read_text(), re.DOTALL)
    assert table is not None
    options = re.findall(r"`(--[a-z-]+)", table.group())
    assert len(options) > 10
    for option in options:
        assert re.search(rf"{re.escape(option)}\b", text), option
