"""What the spatializer is trained on, on disk: what is seen, what W holds, and where it comes from.

Made of synthetic scenes or of a folder of 360 clips with first-order sound. What is seen goes
through a bundle's own vision graph, which stays as it is: the spatializer is an addition to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import Manifest, load_manifest
from omniaudio_studio.errors import BundleError, MediaError, MissingFileError
from omniaudio_studio.files import written_whole
from omniaudio_studio.foa.bands import BandAnalysis, BandFrames, mel_edges
from omniaudio_studio.panorama.views import View, normalise
from omniaudio_studio.training.networks.spatializer import SpatializerConfig
from omniaudio_studio.training.presets import Preset
from omniaudio_studio.training.scenes import SceneSet

#: Bands of the analysis, and its window in seconds.
BANDS, LOWEST, HIGHEST = 40, 50.0, 18_000.0
WINDOW = 0.08
#: Sound frames on each picture frame.
RATIO = 3


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
