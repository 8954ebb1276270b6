"""The tiny bundle with a DiT that computes for many seconds: for stopping inside a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from omniaudio_studio.bundles.manifest import load_manifest, write_manifest
from tests.support.tiny_bundle import Graph, make_tiny_bundle

SIZE = 1200
PRODUCTS = 400  # of SIZE x SIZE matrices, about 3.5 GFLOP each


def make_slow_bundle(folder: Path) -> Path:
    """Write it into ``folder``; one call of its DiT takes ten seconds and more on two cores."""
    make_tiny_bundle(folder, context=False, name="slow", title="Slow")
    graph = Graph()
    # From the input, or the runtime would compute it all once while loading.
    mean = graph.add("ReduceMean", "x", keepdims=0)
    ones = graph.add("ConstantOfShape", graph.weight([SIZE, SIZE], np.int64))
    matrix = graph.add("Add", ones, mean)
    for _ in range(PRODUCTS):
        matrix = graph.add("Tanh", graph.add("MatMul", matrix, matrix))
    scale = graph.add("Mul", graph.add("ReduceMean", matrix, keepdims=0), graph.weight(1e-6))
    used = graph.add(
        "Add",
        graph.add("ReduceMean", "local", keepdims=0),
        graph.add("ReduceMean", "t", keepdims=0),
    )
    used = graph.add("Add", used, graph.add("ReduceMean", "global_", keepdims=0))
    graph.add("Add", "x", graph.add("Mul", scale, used), out="v")
    model = graph.model(
        {
            "x": ["B", 8, "T"],
            "t": ["B"],
            "local": ["B", "T", "D"],
            "global_": ["B", "G"],
        },
        {"v": ["B", 8, "T"]},
    )
    (folder / "dit.onnx").write_bytes(model.SerializeToString())
    write_manifest(folder, load_manifest(folder))
    return folder
