"""Which of the engine's ways to be fast or small are on here, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.devices import (
    ARENA,
    ProviderChoice,
    cpu_threads,
    quiet_runtime,
)
from omniaudio_studio.engine.graphs import ROOM_BYTES, STEPPING, Graphs
from omniaudio_studio.engine.memory import free_bytes
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.stepping import STEP_GRAPH
from omniaudio_studio.errors import OmniAudioError


def describe_engine(choice: ProviderChoice, bundles: Iterable[Bundle] = ()) -> list[dict[str, Any]]:
    """Every part: "part", whether it is "on", and "why".

    Parameters
    ----------
    choice
        The provider that runs.
    bundles
        Those whose precision and size are looked at.
    """
    bundles = list(bundles)
    threads = cpu_threads()
    return [
        _row("provider", True, f"{choice.provider}: {choice.reason}"),
        _binding(choice),
        _recording(choice),
        *_precision(bundles),
        *_low_memory(choice, bundles),
        _row("graph cache", False, "optimising takes less than half a second of loading"),
        _row(
            "threads",
            True,
            f"{threads}, one for each core that this process may use; waiting ones sleep"
            if threads
            else "as many as the runtime chooses; waiting ones sleep",
        ),
        _row("arena", ARENA, "memory of a run is kept for the next one"),
    ]


def _row(part: str, on: bool, why: str) -> dict[str, Any]:
    return {"part": part, "on": on, "why": why}


def _binding(choice: ProviderChoice) -> dict[str, Any]:
    if choice.device in STEPPING:
        return _row("I/O binding", True, "latents and conditions stay on the device between steps")
    if choice.device == "cpu":
        return _row("I/O binding", False, "the CPU works in the program's own memory as it is")
    return _row("I/O binding", False, f"not made for {choice.device}; {', '.join(STEPPING)} only")


def _recording(choice: ProviderChoice) -> dict[str, Any]:
    why = recording_problem(choice)
    on = "steps are recorded once per length and repeated; a model that cannot be runs plainly"
    return _row("CUDA graphs", why is None, why or on)


def recording_problem(choice: ProviderChoice) -> str | None:
    """Why runs cannot be recorded as CUDA graphs, or None: a small graph is, and repeated."""
    try:
        session = Session(STEP_GRAPH, choice, record=True)
        if session.recording is not None:
            return session.recording
        value = quiet_runtime().OrtValue.ortvalue_from_numpy
        device = choice.device
        x = value(np.ones((1, 2, 3), np.float32), device, 0)
        inputs = {
            "x": x,
            "v": value(np.ones((1, 2, 3), np.float32), device, 0),
            "z": value(np.zeros((1, 2, 3), np.float32), device, 0),
            "eps": value(np.zeros((1, 2, 3), np.float32), device, 0),
            "mask": value(np.zeros((1, 1, 3), np.bool_), device, 0),
            # x + 1 v
            "numbers": value(np.array([1, 0, 1, 0, 0], np.float32), device, 0),
        }
        result = value(np.zeros((1, 2, 3), np.float32), device, 0)
        binding = session.binding(inputs, {"x_next": result})
        for start in (1.0, 5.0):  # the second is the first one's record, on new numbers
            x.update_inplace(np.full((1, 2, 3), start, np.float32))
            session.run_bound(binding, record=1)
            if not np.array_equal(result.numpy(), np.full((1, 2, 3), start + 1, np.float32)):
                return "a recorded run gave other numbers than a plain one; steps run plainly"
    except OmniAudioError as error:
        return str(error)
    return None


def _precision(bundles: list[Bundle]) -> list[dict[str, Any]]:
    if not bundles:
        return []
    # ("fp16 weights, fp32 arithmetic" is another thing.)
    half = [bundle for bundle in bundles if bundle.manifest.precision.split(",")[0] == "fp16"]
    names = ", ".join(bundle.name for bundle in half)
    rest = "; ".join(f"{b.name}: {b.manifest.precision}" for b in bundles if b not in half)
    return [_row("16-bit graphs", bool(half), "; ".join(part for part in (names, rest) if part))]


def _low_memory(choice: ProviderChoice, bundles: list[Bundle]) -> list[dict[str, Any]]:
    if not bundles:
        return []
    free = free_bytes(choice.device)
    if free is None:
        return [
            _row("low memory", False, "where asked for: --low-memory; nobody says what is free")
        ]
    small = [bundle.name for bundle in bundles if Graphs(bundle, choice).too_large()]
    room = f"{free / 1e9:.1f} GB are free"
    if small:
        return [_row("low memory", True, f"{room}: one graph at a time for {', '.join(small)}")]
    needed = max(Graphs(bundle, choice).needed_bytes() for bundle in bundles) + ROOM_BYTES
    return [_row("low memory", False, f"{room}, the largest bundle takes {needed / 1e9:.1f} GB")]
