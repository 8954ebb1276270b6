"""The sampler's arithmetic as a graph: ``python -m omniaudio_studio.training.step_graph``.

What `engine.sampler` and `engine.windows.clamp` do between two calls of a model, in the same order
and the same 32 bits, so that a device can do it without giving the latents away. It knows nothing
of any model; all its sizes vary. The file is part of the program: ``assets/step.onnx``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

STEP_GRAPH = Path(__file__).resolve().parents[1] / "assets" / "step.onnx"

#: What the input ``numbers`` holds, in this order.
NUMBERS = ("cfg", "rescale", "forward", "known", "noise")


def step_graph() -> Any:
    """The model: one Euler step with guidance, then the clamp at the time that it leads to.

    Inputs, all float32 but the mask: ``x`` and ``v`` ``[B, C, T]``, B = 2 with the conditional
    branch first, or 1; ``z`` and ``eps`` ``[1, C, T]``, what is known of the window and its noise;
    ``mask`` bool ``[1, 1, T]``, True where something is known; ``numbers`` ``[5]``, see `NUMBERS`:
    the guidance scale, its rescaling, t_next - t, 1 - t_next and t_next. Output ``x_next``
    ``[B, C, T]``, the same state in every row.
    """
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper

    def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs.split(), output.split(), **attributes)

    def number(name: str, value: Any, kind: Any = np.float32) -> Any:
        return numpy_helper.from_array(np.asarray(value, dtype=kind), name)

    nodes = [
        node("Split", "numbers", "cfg rescale forward known noise", num_outputs=5, axis=0),
        # Guidance. With one row both branches are that row, and the scale changes nothing.
        node("Slice", "v first second rows", "conditional"),
        node("Slice", "v last end rows", "unconditional"),
        node("Sub", "conditional unconditional", "direction"),
        node("Mul", "cfg direction", "scaled"),
        node("Add", "unconditional scaled", "guided"),
    ]
    # Its spread over the channels pulled back. The two deviations' ratio is the same whether
    # squares are divided by C or by C - 1.
    for name in ("conditional", "guided"):
        nodes += [
            node("ReduceMean", f"{name} channels", f"{name}_mean"),
            node("Sub", f"{name} {name}_mean", f"{name}_centred"),
            node("Mul", f"{name}_centred {name}_centred", f"{name}_squares"),
            node("ReduceMean", f"{name}_squares channels", f"{name}_variance"),
            node("Sqrt", f"{name}_variance", f"{name}_deviation"),
        ]
    nodes += [
        node("Max", "guided_deviation smallest", "spread"),
        node("Div", "conditional_deviation spread", "ratio"),
        node("Mul", "guided ratio", "like_conditional"),
        node("Mul", "rescale like_conditional", "pulled"),
        node("Sub", "one rescale", "rest"),
        node("Mul", "rest guided", "kept"),
        node("Add", "pulled kept", "rescaled"),
        # Where nothing is pulled back, the ratio may be anything, infinite too.
        node("Greater", "rescale zero", "rescaling"),
        node("Where", "rescaling rescaled guided", "velocity"),
        node("Mul", "forward velocity", "way"),
        node("Add", "x way", "moved"),
        # The straight path of what is known.
        node("Mul", "known z", "data_part"),
        node("Mul", "noise eps", "noise_part"),
        node("Add", "data_part noise_part", "held"),
        node("Where", "mask held moved", "x_next"),
    ]
    floats: dict[str, list[Any]] = {
        "x": ["B", "C", "T"],
        "v": ["B", "C", "T"],
        "z": [1, "C", "T"],
        "eps": [1, "C", "T"],
        "numbers": [5],
    }
    graph = helper.make_graph(
        nodes,
        "step",
        [
            *(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in floats.items()),
            helper.make_tensor_value_info("mask", TensorProto.BOOL, [1, 1, "T"]),
        ],
        [helper.make_tensor_value_info("x_next", TensorProto.FLOAT, ["B", "C", "T"])],
        [
            number("zero", [0.0]),
            number("one", [1.0]),
            number("smallest", [1e-8]),
            number("first", [0], np.int64),
            number("second", [1], np.int64),
            number("last", [-1], np.int64),
            number("end", [np.iinfo(np.int64).max], np.int64),
            number("rows", [0], np.int64),
            number("channels", [1], np.int64),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Write the file anew."""
    STEP_GRAPH.write_bytes(step_graph().SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
