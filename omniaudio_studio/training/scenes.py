"""A set of rendered scenes on disk, as plain arrays that every stage reads.

What is stored per scene: the sound field, the two views at the feature rate, and where each source
is and how loud; beside the scenes, sheets of many drawings (`training.sheets`). Building is
resumable: finished scenes are counted, and each depends only on the seed and its number.
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
from omniaudio_studio.training.frames import FrameStore, FrameWriter
from omniaudio_studio.training.presets import SceneSetup
from omniaudio_studio.training.sheets import MOST_DRAWN, draw_sheet
from omniaudio_studio.training.views import EQUIRECT, FRONT

MOST_SOURCES = 3

#: Values of each source in each frame: class, whether it sounds, x, y, z, level, gain.
SOURCE = 7

#: Scenes are drawn larger than the panorama view, then reduced as a clip's frames would be.
_DRAWN = (3 * EQUIRECT.width // 2, 3 * EQUIRECT.height // 2)

#: An array in memory, a mapped one, or pictures that are decoded as they are read.
Frames = NDArray[np.uint8] | FrameStore


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
        float32 ``(N, S, 3, 7)``: per frame and source its class (-1: none), whether it sounds, the
        unit vector (x, y, z) to it, the loudness that its drawing shows (0..1, 0 while it does not
        sound), and its gain in dB.
    classes
        Names of the classes.
    feature_rate
        Frames per second.
    sheets
        uint8 ``(M, 1, height, width, 3)``: panoramas crowded with drawings; may be none.
    drawn
        float32 ``(M, 12, 5)``: what is drawn on them, as `training.sheets.draw_sheet` says.
    """

    foa: NDArray[np.float16]
    equirect: Frames
    front: Frames
    sources: NDArray[np.float32]
    classes: tuple[str, ...]
    feature_rate: float
    sheets: Frames | None = None
    drawn: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.foa)


def source_table(
    scene: Scene, classes: tuple[str, ...], times: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The ``sources`` row of a scene, float32 ``(S, 3, 7)``."""
    table = np.zeros((len(times), MOST_SOURCES, SOURCE), np.float32)
    table[..., 0] = -1
    for index, source in enumerate(scene.sources[:MOST_SOURCES]):
        table[:, index, 0] = classes.index(source.name)
        on = (times >= source.on) & (times < source.off)
        table[:, index, 1] = on
        table[:, index, 2:5] = source.vectors(times).T
        table[:, index, 5] = on * np.array([source.loudness(float(time)) for time in times])
        table[:, index, 6] = source.gain_db
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
    meta = {
        "setup": asdict(setup),
        "feature_rate": feature_rate,
        "classes": list(library.classes),
        # folds and chosen panoramas included: training and validation must not mix on resuming
        "material": library.listing,
    }
    samples = round(setup.seconds * RATE)
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "foa": (np.float16, (setup.count, 4, samples)),
        "sources": (np.float32, (setup.count, frames, MOST_SOURCES, SOURCE)),
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
        _build_sheets(folder, setup, library)
        _note(described, meta, 0)
    done = int(json.loads(described.read_text())["done"])
    times = np.arange(frames) / feature_rate
    views = (EQUIRECT, FRONT)
    renderers = [ViewRenderer(view, source_size=_DRAWN) for view in views]
    writers = [
        FrameWriter(folder, view.name, (setup.count, frames, view.height, view.width, 3), done)
        for view in views
    ]
    for index in range(done, setup.count):
        scene = sample_scene(
            scene_rng(setup.seed, index),
            library,
            setup.seconds,
            (setup.min_sources, setup.max_sources),
            setup.motion,  # type: ignore[arg-type]  # checked by sample_scene
            distractors=setup.distractors,
            restyled=setup.restyled,
            solids=setup.solids,
        )
        arrays["foa"][index] = render_foa(scene, library)
        arrays["sources"][index] = source_table(scene, library.classes, times)
        drawing = SceneRenderer(scene, library, *_DRAWN)
        pictures = [drawing.frame(float(time)) for time in times]
        for renderer, writer in zip(renderers, writers, strict=True):
            writer.write(index, np.stack([renderer(picture) for picture in pictures]))
        if (index + 1) % 10 == 0 or index + 1 == setup.count:
            for part in (*arrays.values(), *writers):
                part.flush()
            _note(described, meta, index + 1)
        if progress is not None:
            progress(index + 1, setup.count)
    return open_scene_set(folder)


def _build_sheets(folder: Path, setup: SceneSetup, library: MaterialLibrary) -> None:
    shape = (setup.sheets, 1, EQUIRECT.height, EQUIRECT.width, 3)
    drawn = np.zeros((setup.sheets, MOST_DRAWN, 5), np.float32)
    writer = FrameWriter(folder, "sheets", shape, 0)
    renderer = ViewRenderer(EQUIRECT, source_size=_DRAWN)
    for index in range(setup.sheets):
        scene, drawn[index] = draw_sheet(setup.seed, index, library, setup.restyled)
        writer.write(index, renderer(SceneRenderer(scene, library, *_DRAWN).frame(0.0))[None])
    writer.close()
    np.save(folder / "drawn.npy", drawn)


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
    meta = text["meta"]
    foa, sources = (
        np.load(folder / f"{name}.npy", mmap_mode="r")[:done] for name in ("foa", "sources")
    )
    drawn = np.load(folder / "drawn.npy")
    equirect, front = (
        FrameStore(folder, view.name, (done, sources.shape[1], view.height, view.width, 3))
        for view in (EQUIRECT, FRONT)
    )
    sheets = (len(drawn), 1, EQUIRECT.height, EQUIRECT.width, 3)
    return SceneSet(
        foa,
        equirect,
        front,
        sources,
        tuple(meta["classes"]),
        float(meta["feature_rate"]),
        FrameStore(folder, "sheets", sheets) if len(drawn) else None,
        drawn if len(drawn) else None,
    )


def _note(path: Path, meta: dict[str, Any], done: int) -> None:
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps({"meta": meta, "done": done}, indent=1))
