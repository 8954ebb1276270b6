"""The step's graph in the package is the one that the script writes."""

from __future__ import annotations

import onnx

from omniaudio_studio.engine.stepping import STEP_GRAPH
from omniaudio_studio.training.step_graph import step_graph


def test_the_file_is_what_the_script_writes() -> None:
    assert onnx.load(str(STEP_GRAPH)) == step_graph()
