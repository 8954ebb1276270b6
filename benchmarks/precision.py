"""What fewer bits change: python benchmarks/precision.py EXACT OTHER [OTHER ...] [--steps 24]

Bundles of the same weights in different precisions (`omniaudio models import omniaudio --precision
P --out DIR`) generate one window each, from the same noise and the same random features, with
guidance. Beside each other stand the velocity at the first step, the latents at the end, and the
sound: log-spectral distance, and the angle between directions of arrival (per tenth of a second,
weighted by energy). fp16 graphs on a CPU compute what they would on a GPU, slowly.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.engine.decoding import decode_all
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.sampler import euler, guided, linear_schedule
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.evaluation.spatial.spectra import log_spectral_distance
from omniaudio_studio.foa.direction import angular_error, direction_per_frame

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Made:
    """One bundle's window."""

    velocity: Array
    latents: Array
    foa: Array
    rate: int
    step_seconds: float


def make(folder: Path, device: str, cfg: float, steps: int, seed: int) -> Made:
    bundle = load_bundle(folder)
    manifest, choice = bundle.manifest, choose_provider(device)
    rng = np.random.default_rng(seed)
    length = manifest.window.length
    noise = rng.standard_normal((1, manifest.latent.channels, length), dtype=np.float32)
    frames = round(length / manifest.latent.rate * manifest.features.rate)
    conditioner = Session(bundle.graph("conditioner"), choice)
    seen = {
        name: rng.standard_normal((1, frames, int(shape[2])), dtype=np.float32)
        for name, shape in sorted(conditioner.inputs.items())
    }
    made = conditioner.run(seen)
    matrix = resampling_matrix(
        manifest.features.resampling,
        length,
        made["local"].shape[1],
        manifest.latent.rate,
        manifest.features.rate,
    )
    inputs = {"local": matrix @ made["local"], "global_": made["global_"]}
    del conditioner
    session = Session(bundle.graph("dit"), choice)
    velocities: list[Array] = []
    spent: list[float] = []

    def model(x: Array, t: Array, conditions: dict[str, Array]) -> Array:
        begun = time.perf_counter()
        v = session.run({"x": x, "t": t, **conditions})["v"]
        spent.append(time.perf_counter() - begun)
        velocities.append(v)
        return v

    velocity = guided(model, inputs, manifest.guidance.drop, cfg)
    latents = euler(velocity, noise, linear_schedule(steps))
    decoder = Session(bundle.graph("vae_decoder"), choice)
    foa = decode_all(
        decoder,
        latents[0],
        manifest.latent.hop,
        manifest.decoder.context,
        manifest.decoder.chunk,
        manifest.channel_order,
    )
    return Made(velocities[0], latents, foa, manifest.sample_rate, float(np.median(spent)))


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundles", type=Path, nargs="+", help="the exact one first")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--cfg", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    exact: Made | None = None
    for folder in options.bundles:
        made = make(folder, options.device, options.cfg, options.steps, options.seed)
        if exact is None:
            exact = made
            print(f"{folder.name}: {made.step_seconds:.2f} s a guided step")
            continue
        true, found = (direction_per_frame(foa, made.rate, 0.1) for foa in (exact.foa, made.foa))
        angles = angular_error(true.azimuth, true.elevation, found.azimuth, found.elevation)
        lsd = log_spectral_distance(made.foa, exact.foa, made.rate)
        print(
            f"{folder.name}: {made.step_seconds:.2f} s a guided step; differences: "
            f"velocity {rms(made.velocity - exact.velocity):.2g} of {rms(exact.velocity):.2g}, "
            f"latents {rms(made.latents - exact.latents):.2g} of {rms(exact.latents):.2g}, "
            f"log-spectral distance {lsd:.3f} dB, "
            f"direction {np.degrees(np.average(angles, weights=true.energy)):.3f} degrees"
        )


if __name__ == "__main__":
    main()
