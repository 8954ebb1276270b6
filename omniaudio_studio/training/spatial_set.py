"""What the spatializer is trained on, on disk: what is seen, what W holds, and where it comes from.

Made of synthetic scenes or of a folder of 360 clips with first-order sound. What is seen goes
through a bundle's own vision graph, which stays as it is: the spatializer is an addition to it.
Building is resumable: finished excerpts are counted, and each depends on its source alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import written_whole
from omniaudio_studio.foa.bands import BandAnalysis, mel_edges
from omniaudio_studio.training.networks.spatializer import SpatializerConfig
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.spatial_excerpts import RATE, Excerpts
from omniaudio_studio.training.spatial_vision import PanoramaVision

#: Bands of the analysis, and its window in seconds.
BANDS, LOWEST, HIGHEST = 40, 50.0, 18_000.0
WINDOW = 0.08
#: Sound frames on each picture frame.
RATIO = 3
#: Mean square that is added to every band's, so that it has a logarithm.
FLOOR = 1e-12

#: Finished excerpts are noted in steps of so many.
_STEP = 10
_ARRAYS = ("features", "energy", "vectors")


@dataclass(frozen=True)
class SpatialSet:
    """N excerpts of S picture frames and F = ratio S sound frames, memory-mapped.

    Attributes
    ----------
    features
        float16 (N, S, K, D): cells of the panorama, rows from the top.
    energy
        float16 (N, F, bands): log10 of W's mean square.
    vectors
        float16 (N, F, bands, 3): intensity x, y, z over the energy density, 0 to 1 long.
    rows, columns
        Of the cells.
    """

    features: NDArray[np.float16]
    energy: NDArray[np.float16]
    vectors: NDArray[np.float16]
    rows: int
    columns: int
    ratio: int = RATIO

    def __len__(self) -> int:
        return len(self.energy)


def spatializer_config(preset: Preset, clips: SpatialSet) -> SpatializerConfig:
    """Sizes that a preset and the features make."""
    networks = preset.networks
    return SpatializerConfig(
        features=clips.features.shape[-1],
        rows=clips.rows,
        columns=clips.columns,
        bands=clips.energy.shape[-1],
        ratio=clips.ratio,
        cells=networks.spatial_cells,
        stem=networks.spatial_stem,
        width=networks.spatial_width,
    )


def band_edges() -> NDArray[np.float64]:
    """Borders of the bands, hertz, shape (bands + 1,)."""
    return mel_edges(BANDS, LOWEST, HIGHEST)


def measure_field(
    foa: NDArray[np.float32], frames: int, frame_rate: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a sound field says about itself, per frame and band.

    Parameters
    ----------
    foa
        float32 (4, L), W Y Z X at 48 kHz.
    frames, frame_rate
        How many sound frames, and how many of them per second.

    Returns
    -------
    energy, float32 (frames, bands)
        log10 of W's mean square.
    vectors, float32 (frames, bands, 3)
        Intensity x, y, z over the energy density (one minus the diffuseness of V. Pulkki, "Spatial
        sound reproduction with directional audio coding", JAES 2007, with a direction): of length 1
        for a plane wave, 0 where sound comes from everywhere.
    """
    analysis = BandAnalysis(RATE, band_edges(), frame_rate, WINDOW, 4)
    parts = [analysis.push(foa), analysis.finish(frames)]
    energy, across, power = (
        np.concatenate([getattr(part, name) for part in parts])[:frames]
        for name in ("energy", "across", "power")
    )
    density = np.maximum((energy + power.sum(axis=-1)) / 2, 1e-14)
    # across is in the order of the channels: y, z, x
    vectors = across[..., [2, 0, 1]] / density[..., None]
    return np.log10(energy + FLOOR), vectors


def build_spatial_set(
    folder: Path,
    source: Excerpts,
    vision: PanoramaVision,
    progress: Callable[[int, int], None] | None = None,
) -> SpatialSet:
    """Make (or finish making) what the spatializer trains on in ``folder``.

    Parameters
    ----------
    source
        Scenes or clips; see `spatial_excerpts`.
    vision
        Makes features of the panoramas.
    progress
        Called with excerpts done and their number.

    Raises
    ------
    MediaError
        If the folder holds a set of another source or vision.
    BundleError
        If the vision gives no cells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns, width = vision.grid()
    count, sounds = len(source), RATIO * source.frames
    meta = {
        "source": source.listing(),
        "vision": vision.listing(),
        "bands": [BANDS, LOWEST, HIGHEST],
        "window": WINDOW,
        "ratio": RATIO,
        "cells": [rows, columns],
    }
    shapes = {
        "features": (count, source.frames, rows * columns, width),
        "energy": (count, sounds, BANDS),
        "vectors": (count, sounds, BANDS, 3),
    }
    described = folder / "spatial.json"
    if described.exists():
        # Through JSON, so that both are plain lists and numbers.
        if _described(described)["meta"] != json.loads(json.dumps(meta)):
            raise MediaError(
                f"{folder} was made of other scenes or clips, or by another bundle's vision: "
                "delete it, or name another folder for the run"
            )
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in _ARRAYS}
    else:
        arrays = {
            name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float16, shapes[name])
            for name in _ARRAYS
        }
        _note(described, meta, 0)
    done = int(_described(described)["done"])
    if done < count:
        for index, (frames, foa) in enumerate(source.read(done), start=done):
            arrays["features"][index] = vision.features(frames)
            energy, vectors = measure_field(foa, sounds, RATIO * vision.rate)
            arrays["energy"][index], arrays["vectors"][index] = energy, vectors
            if (index + 1) % _STEP == 0 or index + 1 == count:
                for array in arrays.values():
                    array.flush()
                _note(described, meta, index + 1)
            if progress is not None:
                progress(index + 1, count)
    return open_spatial_set(folder)


def open_spatial_set(folder: Path) -> SpatialSet:
    """The finished excerpts of a folder, read-only.

    Raises
    ------
    MissingFileError, MediaError
        If there are none.
    """
    described = folder / "spatial.json"
    if not described.is_file():
        raise MissingFileError(f"no excerpts in {folder}: run `omniaudio train spatializer` first")
    text = _described(described)
    done = int(text["done"])
    if done == 0:
        raise MediaError(
            f"{folder} holds no finished excerpt yet: run `omniaudio train spatializer`"
        )
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r")[:done] for name in _ARRAYS}
    rows, columns = text["meta"]["cells"]
    return SpatialSet(**arrays, rows=rows, columns=columns, ratio=int(text["meta"]["ratio"]))


def _described(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise MediaError(f"{path} cannot be read ({error}); delete its folder") from error


def _note(path: Path, meta: dict[str, Any], done: int) -> None:
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps({"meta": meta, "done": done}, indent=1))
