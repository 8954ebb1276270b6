"""A decoder's graph that lets go of its surroundings as soon as no later layer needs them.

Decoded in chunks, each with what is around it, an Oobleck decoder would do most of the work for
the surroundings in its last layers, which see next to nothing of them: thousands of frames for each
latent, a few dozen needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from omniaudio_studio.training.networks.oobleck import OobleckConfig

CONTEXT = "context"
"""Name of the input: int64 (2,), latents before and after that are only surroundings."""


def trim(path: Path, config: OobleckConfig) -> None:
    """Give a decoder's graph the input `CONTEXT`, in place; it gives the sound of the rest alone.

    After each upsampling all is cut off that the layers after it cannot see from there. Where
    nothing is around (0 at an end of a clip), nothing is cut, and the graph does what it did.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    graph.input.append(helper.make_tensor_value_info(CONTEXT, TensorProto.INT64, [2]))
    del graph.value_info[:]
    nodes: list[Any] = []
    count = 0

    def constant(values: int | list[int]) -> str:
        nonlocal count
        count += 1
        name = f"trim.constant.{count}"
        array = np.array(values, np.int64)
        graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def made(kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        nonlocal count
        count += 1
        name = output or f"trim.{count}"
        nodes.append(
            helper.make_node(kind, list(inputs), [name], name=f"{name}.node", **attributes)
        )
        return name

    def cut(frames: str, hop: int, margin: int, gone: str, output: str) -> str:
        """Write ``output``: the frames but for what is left of the surroundings beyond the margin;
        returns how many frames are gone then, before and after."""
        around = made("Mul", CONTEXT, constant(hop))
        over = made("Sub", made("Sub", around, constant(margin)), gone)
        now = made("Max", over, constant(0))
        begin = made("Slice", now, constant([0]), constant([1]))
        end = made("Slice", now, constant([1]), constant([2]))
        stop = made("Sub", made("Shape", frames, start=2, end=3), end)
        made("Slice", frames, begin, stop, constant([2]), output=output)
        return made("Add", gone, now)

    gone, hop = constant([0, 0]), 1
    stages = list(zip(reversed(config.strides), reversed(config.decoder_margins), strict=True))
    (last,) = (output.name for output in graph.output)
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "ConvTranspose":
            stride, margin = stages.pop(0)
            hop *= stride
            (whole,) = node.output
            node.output[0] = f"{whole}.whole"
            gone = cut(node.output[0], hop, margin, made("Mul", gone, constant(stride)), whole)
        elif last in node.output:
            node.output[0] = f"{last}.whole"
            cut(node.output[0], hop, 0, gone, last)
    if stages:
        raise ValueError(f"{path} has {len(stages)} upsamplings less than its configuration")
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
