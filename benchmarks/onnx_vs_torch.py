"""ONNX Runtime against torch eager on the CPU: the same DiT and VAE, in one run.

    python benchmarks/onnx_vs_torch.py [--preset starter] [--run FOLDER] [--pairs 5] [--json]

The networks of a preset are built, exported as a bundle's would be (weights stored in 16 bits,
arithmetic in 32) and run on the same inputs with the same number of threads: a guided step of the
DiT (a batch of two, one window long) and the decoding of one chunk of latents with its context.
Measurements come in pairs, one of each side right after the other and every other pair the other
way round, so that a machine that grows slower or faster does not favour a side. Reported are the
medians, the median of the ratios within pairs, and the largest difference between the outputs.

Speed does not depend on what the weights are: without ``--run``, the folder of a training run with
``vae.ckpt``, ``finetune.ckpt`` or both, they are random. Agreement does: the decoder finds phases
by iterations that amplify rounding wherever there is next to no sound, and random weights make
little else, so judge its differences by a trained one.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interleaved import in_pairs
from torch import Tensor, nn

from omniaudio_studio.engine.devices import cpu_threads
from omniaudio_studio.errors import OmniAudioError, OptionError
from omniaudio_studio.training.checkpoint import load_checkpoint
from omniaudio_studio.training.export import (
    DECODER_CHUNK,
    DECODER_CONTEXT,
    export_graph,
    round_weights,
)
from omniaudio_studio.training.networks.dit import DiT, DiTConfig
from omniaudio_studio.training.networks.vae import SpectralVAE
from omniaudio_studio.training.presets import PRESETS, Preset, load_preset
from omniaudio_studio.training.stages.vae import vae_config

Run = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """Something to run on both sides."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    output: str
    dynamic: dict[str, dict[int, str]]


@dataclass(frozen=True)
class Result:
    """Seconds are medians over pairs; the ratio is torch's time over ONNX Runtime's.

    The typical difference is a root mean square, to be judged by the output's deviation.
    """

    name: str
    torch_seconds: float
    onnx_seconds: float
    ratio: float
    ratios: list[float]
    largest_difference: float
    typical_difference: float
    output_deviation: float


def cases(preset: Preset, run: Path | None) -> list[Case]:
    """The DiT and the decoder of a preset with inputs of the sizes that generation uses."""
    torch.manual_seed(0)
    networks = preset.networks
    channels = networks.content + networks.spatial
    config = DiTConfig(
        channels=channels,
        width=networks.dit_width,
        depth=networks.dit_depth,
        heads=networks.dit_heads,
    )
    dit, vae = DiT(config), SpectralVAE(vae_config(preset))
    # A fresh DiT ends in a layer of zeros, and all outputs would agree.
    nn.init.normal_(dit.out.weight, std=0.05)
    if run is not None:
        load_weights(run, dit, vae)

    window, latents = preset.window, DECODER_CHUNK + 2 * DECODER_CONTEXT
    local = torch.randn(1, window, config.condition)
    steps = {
        "x": torch.randn(1, channels, window).repeat(2, 1, 1),
        "t": torch.full((2,), 0.5),
        # Guidance: the second of the two sees no conditions.
        "local": torch.cat([local, torch.zeros_like(local)]),
        "global_": torch.cat([torch.randn(1, config.condition), torch.zeros(1, config.condition)]),
        "context": torch.randn(1, channels, window).repeat(2, 1, 1),
        "context_mask": (torch.arange(window) < preset.overlap).float().expand(2, 1, -1),
    }
    return [
        Case(
            f"guided DiT step (batch 2, {window} latents)",
            dit,
            {name: value.contiguous() for name, value in steps.items()},
            "v",
            {
                "x": {0: "B", 2: "T"},
                "t": {0: "B"},
                "local": {0: "B", 1: "T"},
                "global_": {0: "B"},
                "context": {0: "B", 2: "T"},
                "context_mask": {0: "B", 2: "T"},
            },
        ),
        Case(
            f"VAE decode ({latents} latents, "
            f"{latents * vae.config.latent_hop / vae.config.sample_rate:.2f} s of sound)",
            vae.decoder,
            {"z": torch.randn(1, channels, latents)},
            "audio",
            {"z": {2: "T"}},
        ),
    ]


def load_weights(run: Path, dit: DiT, vae: SpectralVAE) -> None:
    """The averaged weights of a training run, of one network or both."""
    if (run / "finetune.ckpt").is_file():
        flow = load_checkpoint(run / "finetune.ckpt")["average"]["weights"]
        dit.load_state_dict(
            {name[4:]: value for name, value in flow.items() if name.startswith("dit.")}
        )
        if not (run / "vae.ckpt").is_file():
            return
    vae.load_state_dict(load_checkpoint(run / "vae.ckpt")["average"]["weights"])


def compare(case: Case, folder: Path, pairs: int, repeats: int) -> Result:
    """Export, run and time one case on both sides."""
    import onnxruntime

    module = round_weights(case.module).eval()
    path = folder / f"{case.output}.onnx"
    export_graph(module, case.inputs, [case.output], case.dynamic, path)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = cpu_threads()
    settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    feeds = {name: value.numpy() for name, value in case.inputs.items()}

    def eager() -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            output: np.ndarray[Any, Any] = module(**case.inputs).numpy()
            return output

    def graph() -> np.ndarray[Any, Any]:
        output: np.ndarray[Any, Any] = session.run([case.output], feeds)[0]
        return output

    expected, found = eager(), graph()
    for _ in range(2):
        eager(), graph()
    times = in_pairs(lambda: timed(eager, repeats), lambda: timed(graph, repeats), pairs)
    return Result(
        case.name,
        times.slow,
        times.fast,
        times.ratio,
        [round(ratio, 3) for ratio in times.ratios],
        float(np.abs(expected - found).max()),
        float(np.sqrt(np.mean((expected - found) ** 2))),
        float(expected.std()),
    )


def timed(run: Run, repeats: int) -> float:
    """Seconds per run, after a pause in which the other side's idle threads fall asleep."""
    time.sleep(0.1)
    run()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def main() -> int:
    parser = argparse.ArgumentParser(description="ONNX Runtime against torch eager on the CPU")
    parser.add_argument("--preset", default="starter", choices=sorted(PRESETS))
    parser.add_argument("--run", type=Path, help="folder with vae.ckpt and finetune.ckpt")
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs of measurements")
    parser.add_argument("--repeats", type=int, default=5, help="runs per measurement")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    try:
        if options.pairs < 1 or options.repeats < 1:
            raise OptionError(
                f"--pairs and --repeats must be at least 1, found {options.pairs} and "
                f"{options.repeats}"
            )
        chosen = cases(load_preset(options.preset), options.run)
    except OmniAudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    import onnxruntime

    # The exporter's notes are for people who change it.
    warnings.simplefilter("ignore")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    threads = cpu_threads()
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(case, Path(folder), options.pairs, options.repeats) for case in chosen]
    if options.json:
        versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
        rows = [asdict(result) for result in results]
        print(json.dumps({"threads": threads, **versions, "results": rows}, indent=2))
        return 0
    print(
        f"{options.preset} networks, {threads} threads each, torch {torch.__version__} eager, "
        f"ONNX Runtime {onnxruntime.__version__} CPU; {options.pairs} pairs"
    )
    for result in results:
        print(
            f"{result.name}: torch {result.torch_seconds * 1e3:.1f} ms, "
            f"ONNX {result.onnx_seconds * 1e3:.1f} ms, ratio {result.ratio:.2f} "
            f"({min(result.ratios):.2f} to {max(result.ratios):.2f}); differences "
            f"{result.largest_difference:.1e} at most, {result.typical_difference:.1e} typically, "
            f"at a standard deviation of {result.output_deviation:.2g}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
