"""A bundle's graphs against arrays that the model they were made of gave.

A folder of arrays holds any of `dit.npz` (one call of the transformer), `sample.npz` (a whole
generation) and `vae.npz`, with `tolerances.json`: the largest difference that is right in 32 bits.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.engine.decoding import decode_all
from omniaudio_studio.engine.devices import ProviderChoice, choose_provider
from omniaudio_studio.engine.sampler import euler, guide, guided
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import MediaError, MissingFileError

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]

# Of these the arrays may hold the beginning only.
_MAY_END_EARLY = ("audio", "decoded", "stats")

# The arrays' names of what the views' features are.
_VIEWS = {"equirect": "video_360", "front": "video_fov"}


@dataclass(frozen=True)
class Gap:
    """Largest difference of an array, how large it may be, and the array's standard deviation."""

    name: str
    difference: float
    tolerance: float
    spread: float

    @property
    def within(self) -> bool:
        return self.difference <= self.tolerance


def check_bundle(bundle: Bundle, folder: Path, device: str = "cpu") -> list[Gap]:
    """Run every set of arrays in ``folder`` through the bundle's graphs.

    Raises
    ------
    MissingFileError
        If the folder has no arrays or no tolerances.
    MediaError
        If a file is not what it should be, or its arrays do not fit the bundle.
    """
    tolerances = _tolerances(folder)
    graphs = _Graphs(bundle, choose_provider(device))
    checks: dict[str, Callable[[_Graphs, Arrays], dict[str, tuple[Array, Array]]]] = {
        "dit": _dit,
        "sample": _sample,
        "vae": _vae,
    }
    gaps: list[Gap] = []
    for name, check in checks.items():
        path = folder / f"{name}.npz"
        if not path.is_file():
            continue
        arrays = _arrays(path)
        try:
            pairs = check(graphs, arrays)
        except KeyError as error:
            raise MediaError(f"{path} has no array {error}") from error
        for what, (found, expected) in pairs.items():
            if what in _MAY_END_EARLY:
                found = found[..., : expected.shape[-1]]
            if found.shape != expected.shape:
                raise MediaError(
                    f"{path}: {what}: expected shape {found.shape} for this bundle, found "
                    f"{expected.shape}"
                )
            key = f"{name}.{what}"
            if key not in tolerances:
                raise MissingFileError(f"{folder / 'tolerances.json'} says nothing of {key}")
            gap = float(np.abs(found - expected).max())
            gaps.append(Gap(key, gap, tolerances[key], float(expected.std())))
    if not gaps:
        raise MissingFileError(f"{folder} has none of {', '.join(f'{n}.npz' for n in checks)}")
    return gaps


class _Graphs:
    """Sessions, each loaded for its own check only: a model may be large."""

    def __init__(self, bundle: Bundle, provider: ProviderChoice) -> None:
        self.bundle, self.manifest, self._provider = bundle, bundle.manifest, provider
        self._held: tuple[str, Session] | None = None

    def session(self, graph: str) -> Session:
        if self._held is None or self._held[0] != graph:
            self._held = None  # let go of one before the next is loaded
            self._held = (graph, Session(self.bundle.graph(graph), self._provider))
        return self._held[1]

    def run(self, graph: str, **feeds: NDArray[Any]) -> dict[str, Array]:
        return self.session(graph).run(feeds)

    def conditions(self, arrays: Arrays, latents: int) -> dict[str, Array]:
        """`local` at the latent rate and `global_`, from features (B, S, D) or (S, D)."""
        seen = {}
        for view in self.manifest.views:
            values = arrays[_VIEWS.get(view.name, view.name)]
            seen[view.name] = values if values.ndim == 3 else values[None]
        made = self.run("conditioner", **seen)
        matrix = resampling_matrix(
            self.manifest.features.resampling,
            latents,
            made["local"].shape[1],
            self.manifest.latent.rate,
            self.manifest.features.rate,
        )
        return {"local": matrix @ made["local"], "global_": made["global_"]}


def _dit(graphs: _Graphs, arrays: Arrays) -> dict[str, tuple[Array, Array]]:
    x, t = arrays["x"], arrays["t"]
    inputs = graphs.conditions(arrays, x.shape[2])
    dropped = {
        name: np.zeros_like(value) if name in graphs.manifest.guidance.drop else value
        for name, value in inputs.items()
    }
    conditional = graphs.run("dit", x=x, t=t, **inputs)["v"]
    unconditional = graphs.run("dit", x=x, t=t, **dropped)["v"]
    guided_ = guide(conditional, unconditional, float(arrays["cfg_scale"]))
    return {
        "v_cond": (conditional, arrays["v_cond"]),
        "v_cfg": (guided_, arrays["v_cfg"]),
    }


def _sample(graphs: _Graphs, arrays: Arrays) -> dict[str, tuple[Array, Array]]:
    noise = arrays["noise"]
    inputs = graphs.conditions(arrays, noise.shape[2])

    def model(x: Array, t: Array, conditions: Arrays) -> Array:
        return graphs.run("dit", x=x, t=t, **conditions)["v"]

    velocity = guided(model, inputs, graphs.manifest.guidance.drop, float(arrays["cfg_scale"]))
    latents = euler(velocity, noise, arrays["schedule"].astype(np.float64))
    # What is decoded is what was sampled here; its difference goes on into the sound.
    return {
        "latents": (latents, arrays["latents"]),
        "audio": (_decoded(graphs, latents), arrays["audio"]),
    }


def _vae(graphs: _Graphs, arrays: Arrays) -> dict[str, tuple[Array, Array]]:
    pairs = {"decoded": (_decoded(graphs, arrays["z"]), arrays["decoded"])}
    if "vae_encoder" in graphs.manifest.graphs:
        made = graphs.run("vae_encoder", audio=arrays["audio"])
        found = np.concatenate([made["mean"], made["scale"]], axis=1)
        pairs["stats"] = (found, np.concatenate([arrays["mean"], arrays["stdev"]], axis=1))
    return pairs


def _decoded(graphs: _Graphs, latents: Array) -> Array:
    """Sound in the graph's own channel order, through the decoder in chunks as in generation."""
    manifest = graphs.manifest
    decoder = graphs.session("vae_decoder")
    chunks = manifest.decoder
    return decode_all(decoder, latents[0], manifest.latent.hop, chunks.context, chunks.chunk)[None]


def _tolerances(folder: Path) -> dict[str, float]:
    path = folder / "tolerances.json"
    if not path.is_file():
        raise MissingFileError(f"no tolerances at {path}; --against wants a folder of arrays")
    try:
        data = json.loads(path.read_bytes())
        return {
            name: float(entry["atol"]) for name, entry in data.items() if isinstance(entry, dict)
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MediaError(
            f"{path}: expected an object with atol for each array, found something else ({error})"
        ) from error


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], np.float32) for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise MediaError(f"{path} is no file of arrays ({error}); get it again") from error
