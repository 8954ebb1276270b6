"""Who looks at the panorama while the spatializer is trained: the vision graph of a bundle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import load_manifest
from omniaudio_studio.bundles.paths import inside, sha256_of
from omniaudio_studio.errors import BundleError, MediaError
from omniaudio_studio.panorama.views import View, normalise

#: Frames that a graph is given at once.
FRAMES = 16


@dataclass(frozen=True)
class PanoramaVision:
    """A vision graph for panoramas, and whose it is.

    Attributes
    ----------
    view
        The panorama as the graph wants it.
    rate
        Frames per second that the bundle looks at.
    bundle
        Name of the bundle that the graph is of; empty for the run's own.
    sha256
        Of the graph, or of the checkpoint that it is made of.
    run
        float32 (N, 3, H, W), normalised -> features (N, K, D).
    """

    view: View
    rate: float
    bundle: str
    sha256: str
    run: Callable[[NDArray[np.float32]], NDArray[Any]]

    def listing(self) -> dict[str, Any]:
        """What features depend on, as plain data."""
        view = {key: list(x) if isinstance(x, tuple) else x for key, x in asdict(self.view).items()}
        return {"bundle": self.bundle, "sha256": self.sha256, "view": view, "rate": self.rate}

    def features(self, frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Frames (S, H, W, 3) -> features (S, K, D), 16 frames at a time.

        Raises
        ------
        BundleError
            If the graph gives no cells.
        """
        parts = [
            self.run(normalise(np.asarray(frames[first : first + FRAMES]), self.view))
            for first in range(0, len(frames), FRAMES)
        ]
        if parts[0].ndim != 3:
            shape = " x ".join(map(str, parts[0].shape[1:]))
            raise self._no_cells(f"features of shape {shape}")
        return np.concatenate(parts).astype(np.float16)

    def grid(self) -> tuple[int, int, int]:
        """Rows and columns of the cells, and how wide features are.

        Raises
        ------
        BundleError
            If features are not those of a grid twice as wide as it is high.
        """
        black = np.zeros((1, self.view.height, self.view.width, 3), np.uint8)
        _, cells, width = self.features(black).shape
        rows = math.isqrt(cells // 2)
        if rows == 0 or 2 * rows * rows != cells:
            raise self._no_cells(f"features of {cells} places")
        return rows, 2 * rows, width

    def _no_cells(self, found: str) -> BundleError:
        return BundleError(
            f"the bundle {self.bundle!r} gives no cells of the panorama: expected rows x columns "
            f"of features, twice as many columns as rows, found {found}; a spatializer needs a "
            "bundle like the starter"
        )


def bundle_vision(folder: Path, threads: int | None = None) -> PanoramaVision:
    """The vision of a bundle's view `equirect`.

    Parameters
    ----------
    folder
        Of the bundle, unpacked.
    threads
        CPU threads; ONNX Runtime's own choice by default.

    Raises
    ------
    MissingFileError, BundleError
        If it is no bundle, or none that sees the whole panorama straight.
    """
    import onnxruntime

    manifest = load_manifest(folder)
    folder = folder if folder.is_dir() else folder.parent
    whole = [item for item in manifest.views if is_whole(item.view)]
    if not whole:
        seen = ", ".join(f"{item.name} ({item.view.kind})" for item in manifest.views)
        raise BundleError(
            f"the bundle {manifest.name!r} has no view 'equirect' of the whole panorama, upright "
            f"and unpadded; it has {seen}; a spatializer needs a bundle like the starter"
        )
    key = whole[0].graph
    if key is None:
        raise BundleError(f"the bundle {manifest.name!r} has no vision graph to look with")
    path = inside(folder, manifest.graphs[key], str(folder), f"graphs.{key}")
    if not path.is_file():
        raise BundleError(f"{folder}: the graph {key!r} is missing; get the bundle again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes differ between versions
        line = (str(error).splitlines() or ["no reason given"])[0]
        raise BundleError(f"{path} cannot be read ({line}); get the bundle again") from error
    (taken,) = session.get_inputs()

    def run(frames: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray(session.run(None, {taken.name: frames})[0])

    return PanoramaVision(
        whole[0].view, manifest.features.rate, manifest.name, sha256_of(path), run
    )


def is_whole(view: View) -> bool:
    """Whether the view is the one whose cells lie evenly on the sphere."""
    turned = view.yaw or view.pitch or view.roll
    plain = view.kind == "equirect" and view.fit == "stretch" and not turned
    return view.name == "equirect" and plain


def check_same_rate(vision: PanoramaVision, rate: float, what: str) -> None:
    """Refuse pictures that were taken at another rate than the vision looks at."""
    if not math.isclose(vision.rate, rate):
        raise MediaError(
            f"{what} at {rate:g} frames per second, the bundle {vision.bundle!r} looks at "
            f"{vision.rate:g}; train from --clips, or on other scenes"
        )
