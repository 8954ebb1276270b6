"""A set of rendered scenes on disk, as plain arrays that every stage reads.

What is stored per scene: the sound field, the two views at the feature rate, and where each source
is. Building is resumable: finished scenes are counted, and each depends only on the seed and its
number.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.library import RATE, MaterialLibrary
from omniaudio_studio.datasets.picture import SceneRenderer
from omniaudio_studio.datasets.scene import Scene, sample_scene, scene_rng
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.files import written_whole
from omniaudio_studio.panorama.views import ViewRenderer
from omniaudio_studio.training.presets import SceneSetup
from omniaudio_studio.training.views import EQUIRECT, FRONT

MOST_SOURCES = 3

#: Scenes are drawn at twice the panorama view's size, then reduced as a clip's frames would be.
_DRAWN = (2 * EQUIRECT.width, 2 * EQUIRECT.height)


@dataclass(frozen=True)
class SceneSet:
    """Scenes as memory-mapped arrays; N scenes of S frames and L samples.

    Attributes
    ----------
    foa
        float16 ``(N, 4, L)``, W Y Z X at 48 kHz.
    equirect, front
        uint8 ``(N, S, height, width, 3)``.
    sources
        float32 ``(N, S, 3, 5)``: per frame and source its class (-1: none), whether it sounds, and
        the unit vector (x, y, z) to it.
    classes
        Names of the classes.
    feature_rate
        Frames per second.
    """

    foa: NDArray[np.float16]
    equirect: NDArray[np.uint8]
    front: NDArray[np.uint8]
    sources: NDArray[np.float32]
    classes: tuple[str, ...]
    feature_rate: float

    def __len__(self) -> int:
        return len(self.foa)


def source_table(
    scene: Scene, classes: tuple[str, ...], times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The ``sources`` row of a scene, float32 ``(S, 3, 5)``."""
    table = np.zeros((len(times), MOST_SOURCES, 5), np.float32)
    table[..., 0] = -1
    for index, source in enumerate(scene.sources[:MOST_SOURCES]):
        table[:, index, 0] = classes.index(source.name)
        table[:, index, 1] = (times >= source.on) & (times < source.off)
        table[:, index, 2:] = source.vectors(times).T
    return table


def build_scene_set(
    folder: Path,
    setup: SceneSetup,
    library: MaterialLibrary,
    feature_rate: float,
    progress: Callable[[int, int], None] | None = None,
) -> SceneSet:
    """Render (or finish rendering) a set of scenes into ``folder``.

    Raises
    ------
    MediaError
        If the folder holds scenes of another setup.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = round(setup.seconds * feature_rate)
    samples = round(setup.seconds * RATE)
    meta = {
        "setup": asdict(setup),
        "feature_rate": feature_rate,
        "classes": list(library.classes),
        # folds and chosen panoramas included: training and validation must not mix on resuming
        "material": library.listing,
    }
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "foa": (np.float16, (setup.count, 4, samples)),
        "equirect": (np.uint8, (setup.count, frames, EQUIRECT.height, EQUIRECT.width, 3)),
        "front": (np.uint8, (setup.count, frames, FRONT.height, FRONT.width, 3)),
        "sources": (np.float32, (setup.count, frames, MOST_SOURCES, 5)),
    }
    described = folder / "scenes.json"
    if described.exists():
        if json.loads(described.read_text())["meta"] != meta:
            raise MediaError(
                f"{folder} holds scenes of another setup: delete it, or name another folder"
            )
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in shapes}
    else:
        arrays = {
            name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, shape)
            for name, (kind, shape) in shapes.items()
        }
        _note(described, meta, 0)
    done = int(json.loads(described.read_text())["done"])
    times = np.arange(frames) / feature_rate
    equirect, front = (ViewRenderer(view, source_size=_DRAWN) for view in (EQUIRECT, FRONT))
    for index in range(done, setup.count):
        scene = sample_scene(
            scene_rng(setup.seed, index),
            library,
            setup.seconds,
            (setup.min_sources, setup.max_sources),
            setup.motion,  # type: ignore[arg-type]  # checked by sample_scene
        )
        arrays["foa"][index] = render_foa(scene, library)
        renderer = SceneRenderer(scene, library, *_DRAWN)
        for number, time in enumerate(times):
            picture = renderer.frame(float(time))
            arrays["equirect"][index, number] = equirect(picture)
            arrays["front"][index, number] = front(picture)
        arrays["sources"][index] = source_table(scene, library.classes, times)
        if (index + 1) % 10 == 0 or index + 1 == setup.count:
            for array in arrays.values():
                array.flush()
            _note(described, meta, index + 1)
        if progress is not None:
            progress(index + 1, setup.count)
    return open_scene_set(folder)


def open_scene_set(folder: Path) -> SceneSet:
    """The finished scenes of a folder, read-only.

    Raises
    ------
    MissingFileError, MediaError
        If there are none.
    """
    described = folder / "scenes.json"
    if not described.is_file():
        raise MissingFileError(f"no scenes in {folder}: run `omniaudio train scenes` first")
    text = json.loads(described.read_text())
    done = int(text["done"])
    if done == 0:
        raise MediaError(f"{folder} holds no finished scene yet: run `omniaudio train scenes`")
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")[:done]
        for name in ("foa", "equirect", "front", "sources")
    }
    return SceneSet(
        **arrays,
        classes=tuple(text["meta"]["classes"]),
        feature_rate=float(text["meta"]["feature_rate"]),
    )


def _note(path: Path, meta: dict[str, Any], done: int) -> None:
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps({"meta": meta, "done": done}, indent=1))
