"""The comparison of the two runtimes runs, and finds them equal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "onnx_vs_torch.py"


@pytest.mark.slow
def test_both_sides_agree_and_are_timed() -> None:
    pytest.importorskip("torch", reason="the comparison needs the extra [train]")
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            "--preset",
            "debug",
            "--pairs",
            "2",
            "--repeats",
            "1",
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["threads"] >= 1
    dit, vae = found["results"]
    assert "DiT" in dit["name"] and "VAE" in vae["name"]
    for result in (dit, vae):
        assert result["ratio"] > 0 and len(result["ratios"]) == 2
        assert result["output_deviation"] > 0
    assert dit["largest_difference"] < 1e-3 * dit["output_deviation"]
    assert vae["typical_difference"] < vae["output_deviation"]


def test_a_folder_without_checkpoints_gets_one_line(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the comparison needs the extra [train]")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--run", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no checkpoint at") and done.stderr.count("\n") == 1
