"""The released model at its full size against torch eager: steps, decoding, memory, a whole clip.

    python benchmarks/released.py [--size large] [--device auto] [--pairs 5] [--clip] [--json]

Networks with random weights are exported as the importer does and run on the same inputs: neither
speed nor memory depends on what the weights are. 215 latents are 10 s of sound.

On the CPU both sides compute in 32 bits with the same number of threads: a guided step (a batch of
two), also with the engine's products in 8 bits (the import's `--precision int8`), and the decoding
of 10 s, which the engine does in chunks with their context, as in an imported bundle, and torch at
once. Measurements come in pairs, one of each side right after the other and every other pair the
other way round; reported are medians, and the median of the ratios within pairs. The peak memory of
decoding is that of two further processes, one without torch and one without ONNX Runtime.

On CUDA, or with ``--clip``, a whole clip is timed as well: 80 frames in each of two views,
conditions, 24 guided steps, decoding; with what was seen kept (so that no picture is looked at) and
without. There torch runs the modules eagerly in 16 bits by autocast, and the engine 16-bit graphs,
with its sampling bound to the device and recorded as a CUDA graph where that works.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from interleaved import in_pairs

from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.engine.decoding import decode, decode_all
from omniaudio_studio.engine.devices import ProviderChoice, choose_provider, cpu_threads
from omniaudio_studio.engine.features import BATCH
from omniaudio_studio.engine.graphs import STEPPING, decoders, load_decoder
from omniaudio_studio.engine.sampler import branches, euler, guided, linear_schedule
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.engine.stepping import Stepper
from omniaudio_studio.engine.windows import Known
from omniaudio_studio.errors import OmniAudioError, OptionError

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]
Run = Callable[[], Any]

LATENTS, FRAMES, CONTEXT = 215, 80, 10
CFG, STEPS = 5.0, 24
SIZES = ("large", "medium", "small")
VIEWS = ("equirect", "front")
GRAPHS = ("vision", "conditioner", "dit", "vae_decoder")
rng = np.random.default_rng(0)


def random(*shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32)


@dataclass(frozen=True)
class Pairs:
    """Seconds of both sides, and by how much torch's is more."""

    name: str
    torch_seconds: float
    engine_seconds: float
    ratio: float
    ratios: list[float]
    difference: float | None = None  # largest, by torch's deviation


def compared(name: str, slow: Run, fast: Run, pairs: int) -> Pairs:
    """Time two ways to do one thing; their results are compared where they are arrays."""
    expected, found = slow(), fast()
    difference = None
    if isinstance(expected, np.ndarray):
        difference = float(np.abs(expected - found).max() / expected.std())
    times = in_pairs(lambda: timed(slow), lambda: timed(fast), pairs)
    return Pairs(
        name,
        times.slow,
        times.fast,
        times.ratio,
        [round(ratio, 2) for ratio in times.ratios],
        difference,
    )


def timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Networks:
    """The modules of a size, each made and exported in its turn; ``half`` for 16-bit graphs."""

    def __init__(self, size: str, folder: Path, *, half: bool) -> None:
        from omniaudio_studio.training.importers.convert import DECODER_CHUNK
        from omniaudio_studio.training.networks import released_dit
        from omniaudio_studio.training.networks.oobleck import OobleckConfig

        self.config = getattr(released_dit, size.upper())
        self.vae = OobleckConfig()
        self.folder, self.half = folder, half
        self.chunk = DECODER_CHUNK

    def module(self, name: str) -> nn.Module:
        import torch

        from omniaudio_studio.training.networks.clip import ImageTower, TowerConfig
        from omniaudio_studio.training.networks.oobleck import OobleckDecoder
        from omniaudio_studio.training.networks.released_dit import (
            ReleasedConditioner,
            ReleasedDiT,
        )

        torch.manual_seed(0)
        makers: dict[str, Callable[[], nn.Module]] = {
            "vision": lambda: ImageTower(TowerConfig()),
            "conditioner": lambda: ReleasedConditioner(self.config),
            "dit": lambda: ReleasedDiT(self.config),
            "vae_decoder": lambda: OobleckDecoder(self.vae),
        }
        return makers[name]().eval()

    def inputs(self, name: str) -> dict[str, Array]:
        """Inputs of the sizes that a clip of 10 s has."""
        width, features = self.config.width, self.config.features
        if name == "vision":
            return {"frames": random(BATCH, 3, 224, 224)}
        if name == "conditioner":
            return {view: random(1, FRAMES, features) for view in VIEWS}
        if name == "vae_decoder":
            return {"z": random(1, self.vae.latent, LATENTS)}
        local = random(1, LATENTS, width)
        return {
            "x": np.repeat(random(1, self.config.channels, LATENTS), 2, axis=0),
            "t": np.full(2, 0.5, dtype=np.float32),
            "local": np.concatenate([local, np.zeros_like(local)]),
            "global_": np.repeat(random(1, width), 2, axis=0),
        }

    def export(self, name: str, module: nn.Module) -> Path:
        """Its graph, as the importer writes it."""
        import copy

        import torch

        from omniaudio_studio.training.export import export_graph
        from omniaudio_studio.training.importers.convert import AXES, OUTPUTS, in_precision
        from omniaudio_studio.training.importers.trimming import trim

        path = self.folder / f"{name}.onnx"
        if self.half:
            module = in_precision(name, copy.deepcopy(module), "fp16")
        axes = AXES[name]
        example = {
            # An axis that varies must not be one long where a graph is exported.
            key: torch.from_numpy(np.repeat(value, 2, axis=0))
            if len(value) == 1 and 0 in axes[key]
            else torch.from_numpy(value)
            for key, value in self.inputs(name).items()
        }
        export_graph(module, example, OUTPUTS[name], axes, path)
        if name == "vae_decoder":
            trim(path, self.vae)
        return path


def in_chunks(
    decoder: Session, choice: ProviderChoice, latents: Array, hop: int, chunk: int
) -> Array:
    """Sound (1, 4, N) of latents (1, C, T), as the engine decodes it."""
    sound = decode_all(decoder, latents[0], hop, CONTEXT, chunk, workers=decoders(choice))
    return sound[None]


def parts(networks: Networks, choice: ProviderChoice, pairs: int) -> Iterator[Pairs]:
    """A guided step and decoding on the CPU, one after another."""
    yield from step(networks, choice, pairs)
    yield from decoding(networks, choice, pairs)


def eagerly(module: nn.Module, inputs: dict[str, Array]) -> Run:
    import torch

    tensors = {key: torch.from_numpy(value) for key, value in inputs.items()}

    def run() -> Array:
        with torch.inference_mode():
            result: Array = module(**tensors).numpy()
            return result

    return run


def running(session: Session, inputs: dict[str, Array]) -> Run:
    return lambda: session.run(inputs)["v"]


def step(networks: Networks, choice: ProviderChoice, pairs: int) -> Iterator[Pairs]:
    from omniaudio_studio.training.quantising import quantise

    module, inputs = networks.module("dit"), networks.inputs("dit")
    path, eager = networks.export("dit", module), eagerly(module, inputs)
    session: Session | None = Session(path, choice)
    yield compared(f"guided step, {LATENTS} latents", eager, running(session, inputs), pairs)
    session = None  # one at a time is enough
    quantise(path, networks.config.width)
    rounded = Session(path, choice)
    name = f"guided step, {LATENTS} latents, products in 8 bits"
    yield compared(name, eager, running(rounded, inputs), pairs)


def decoding(networks: Networks, choice: ProviderChoice, pairs: int) -> Iterator[Pairs]:
    module, inputs = networks.module("vae_decoder"), networks.inputs("vae_decoder")
    path = networks.export("vae_decoder", module)
    session, whole = load_decoder(path, choice), Session(path, choice)
    eager = eagerly(module, inputs)
    yield compared(
        f"decoding {LATENTS} latents, the engine in chunks of {networks.chunk}",
        eager,
        lambda: in_chunks(session, choice, inputs["z"], networks.vae.hop, networks.chunk),
        pairs,
    )
    yield compared(
        f"decoding {LATENTS} latents at once",
        eager,
        lambda: decode(whole, inputs["z"], 0, 0, networks.vae.hop),
        pairs,
    )


def whole_clip(
    networks: Networks, choice: ProviderChoice, pairs: int, steps: int
) -> Iterator[Pairs]:
    """10 s from pictures to sound on both sides, with and without the look at the pictures."""
    import torch

    device = "cuda" if choice.device == "cuda" else "cpu"
    modules, sessions = {}, {}
    for name in GRAPHS:
        module = networks.module(name)
        path = networks.export(name, module)
        sessions[name] = (
            load_decoder(path, choice)
            if name == "vae_decoder"
            else Session(path, choice, record=name == "dit" and device == "cuda")
        )
        modules[name] = module.to(device)
    frames, kept = networks.inputs("vision")["frames"], networks.inputs("conditioner")
    noise = random(networks.config.channels, LATENTS)
    matrix = resampling_matrix("spline-aligned", LATENTS, FRAMES, 0.0, 0.0)
    schedule = linear_schedule(steps)
    nothing = Known(np.zeros_like(noise), np.zeros(LATENTS, dtype=np.bool_))
    stepper = Stepper(sessions["dit"], choice) if choice.device in STEPPING else None

    def model(x: Array, t: Array, fed: Any) -> Array:
        return sessions["dit"].run({"x": x, "t": t, **fed})["v"]

    def engine(look: bool) -> Array:
        seen = dict(kept)
        for view in VIEWS if look else ():
            rows = [
                sessions["vision"].run({"frames": frames})["features"]
                for _ in range(FRAMES // BATCH)
            ]
            seen[view] = np.concatenate(rows)[None]
        made = sessions["conditioner"].run(seen)
        inputs = {"local": (matrix @ made["local"][0])[None], "global_": made["global_"]}
        if stepper is not None:
            fed = branches(inputs, ("local",), CFG)
            x = stepper.sample(fed, noise, nothing, schedule, CFG)
        else:
            x = euler(guided(model, inputs, ("local",), CFG), noise[None], schedule)
        return in_chunks(sessions["vae_decoder"], choice, x, networks.vae.hop, networks.chunk)

    def eager(look: bool) -> Array:
        autocast = torch.autocast(device, dtype=torch.float16, enabled=device == "cuda")
        with torch.inference_mode(), autocast:
            seen = {view: torch.from_numpy(kept[view]).to(device) for view in VIEWS}
            for view in VIEWS if look else ():
                rows = [
                    modules["vision"](torch.from_numpy(frames).to(device))
                    for _ in range(FRAMES // BATCH)
                ]
                seen[view] = torch.cat(rows)[None]
            local, global_ = modules["conditioner"](**seen)
            local = (torch.tensor(matrix).to(local) @ local[0])[None]
            local, global_ = torch.cat([local, torch.zeros_like(local)]), global_.repeat(2, 1)
            x = torch.from_numpy(noise[None]).to(device)
            for t, t_next in pairwise(schedule):
                times = torch.full((2,), float(t), device=device)
                v = modules["dit"](x.repeat(2, 1, 1), times, local, global_)
                x = x + float(t_next - t) * (v[1:] + CFG * (v[:1] - v[1:]))
            sound: Array = modules["vae_decoder"](x).float().cpu().numpy()
            return sound

    for look, title in ((False, "10 s clip, features kept"), (True, "10 s clip with its pictures")):
        yield compared(
            f"{title}, {steps} steps",
            lambda look=look: eager(look),
            lambda look=look: engine(look),
            pairs,
        )
    if device == "cuda":
        print(f"CUDA graphs: {sessions['dit'].recording or 'recorded'}", file=sys.stderr)


def decoding_memory(networks: Networks) -> dict[str, int]:
    """Peak resident bytes of decoding, each side in a process of its own."""
    path = networks.export("vae_decoder", networks.module("vae_decoder"))
    peaks = {}
    for side in ("torch", "engine"):
        command = [sys.executable, __file__, "--decode", side, str(path), str(networks.chunk)]
        peaks[side] = int(subprocess.run(command, check=True, capture_output=True).stdout)
    return peaks


def decode_alone(side: str, path: str, chunk: str) -> int:
    """What such a process does: decode 10 s, and print its peak memory."""
    if side == "torch":
        import torch

        from omniaudio_studio.training.networks.oobleck import OobleckConfig, OobleckDecoder

        torch.set_num_threads(cpu_threads() or torch.get_num_threads())
        with torch.inference_mode():
            OobleckDecoder(OobleckConfig()).eval()(torch.randn(1, 64, LATENTS))
    else:
        choice = choose_provider("cpu")
        session = load_decoder(Path(path), choice)
        in_chunks(session, choice, random(1, 64, LATENTS), 2048, int(chunk))
    print(peak_bytes())
    return 0


def peak_bytes() -> int:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status")
    if status.is_file():  # `getrusage` also counts what the parent had before
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    if sys.argv[1:2] == ["--decode"]:
        return decode_alone(*sys.argv[2:])
    parser = argparse.ArgumentParser(description="the released model against torch eager")
    parser.add_argument("--size", default="large", choices=SIZES)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs of measurements")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of the whole clip")
    parser.add_argument("--clip", action="store_true", help="a whole clip on the CPU, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    import onnxruntime
    import torch

    try:
        if options.pairs < 1 or options.steps < 1:
            raise OptionError(
                f"--pairs and --steps must be at least 1, found {options.pairs}, {options.steps}"
            )
        choice = choose_provider(options.device)
        if choice.device == "cuda" and not torch.cuda.is_available():
            raise OptionError("this torch has no CUDA: install one that has, or use --device cpu")
    except OmniAudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    # The exporter's notes are for people who change it.
    warnings.simplefilter("ignore")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(cpu_threads() or torch.get_num_threads())
    results: list[Pairs] = []
    memory: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        networks = Networks(options.size, Path(folder), half=choice.device == "cuda")
        if choice.device == "cpu":
            results += parts(networks, choice, options.pairs)
            memory = decoding_memory(networks)
        if choice.device == "cuda" or options.clip:
            results += whole_clip(networks, choice, options.pairs, options.steps)
    versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}
    if options.json:
        report = {
            "size": options.size, "device": choice.device, "threads": cpu_threads(), **versions,
            "results": [vars(result) for result in results], "decoding_bytes": memory,
        }  # fmt: skip
        print(json.dumps(report, indent=2))
        return 0
    print(
        f"{options.size} networks on {choice.provider}, {cpu_threads()} threads, torch "
        f"{versions['torch']}, ONNX Runtime {versions['onnxruntime']}; {options.pairs} pairs"
    )
    for one in results:
        gap = "" if one.difference is None else f"; differences {one.difference:.1e} at most"
        print(
            f"{one.name}: torch {one.torch_seconds:.2f} s, engine {one.engine_seconds:.2f} s, "
            f"ratio {one.ratio:.2f} ({min(one.ratios)} to {max(one.ratios)}){gap}"
        )
    if memory:
        ratio = memory["engine"] / memory["torch"]
        print(
            f"peak memory of decoding: torch {memory['torch'] / 1e9:.2f} GB, engine in chunks "
            f"{memory['engine'] / 1e9:.2f} GB, {ratio:.2f} of it"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
