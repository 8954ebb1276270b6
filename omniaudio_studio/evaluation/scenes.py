"""Synthetic scenes as evaluations use them: as clips, with the frames in which they sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import sample_scene
from omniaudio_studio.errors import OptionError

if TYPE_CHECKING:
    from omniaudio_studio.bundles.bundle import Bundle

FRAME_SECONDS = 0.5
"""Length of the frames whose directions are compared."""

APART = float(np.radians(60))
"""Least angle between the two sources of a pair."""
TOLERANCE = APART / 2
"""How far a peak may be from its source."""

VIDEO_SIZE = (640, 320)
VIDEO_FPS = 24.0

_DRAWS = 200  # tries for two sources far enough apart


def check_options(count: int, seed: int, seconds: float) -> None:
    """Refuse what no evaluation can be made of; raises OptionError."""
    if not 1 <= count <= 10_000:
        raise OptionError(f"count is {count}; evaluate 1 to 10000 scenes")
    if seed < 0:
        raise OptionError(f"seed is {seed}; give 0 or more")
    if not FRAME_SECONDS <= seconds <= 600:
        raise OptionError(f"seconds is {seconds}; scenes of {FRAME_SECONDS} to 600 s are needed")


def open_bundle(bundle: Bundle | str | Path) -> Bundle:
    """A bundle, or the one of that name or path."""
    from omniaudio_studio.bundles.discovery import find_bundle

    return find_bundle(bundle) if isinstance(bundle, str | Path) else bundle


def write_clip(scene: Scene, library: MaterialLibrary, clip: Path, cancel: Cancel | None) -> None:
    """The scene as a silent 360 video: whoever gets it sees pictures and nothing else."""
    from omniaudio_studio.datasets.make import write_video

    write_video(scene, library, clip, *VIDEO_SIZE, VIDEO_FPS, cancel=cancel)


def middles(seconds: float) -> NDArray[np.float64]:
    """The middles of a scene's whole frames, in seconds."""
    return FRAME_SECONDS * (np.arange(int(seconds / FRAME_SECONDS), dtype=np.float64) + 0.5)


def frame_power(dry: NDArray[np.float32], frames: int) -> NDArray[np.float64]:
    """Mean square of a dry sound (at 48 kHz) in each frame."""
    length = round(FRAME_SECONDS * RATE)
    return np.array([np.mean(np.square(dry[k * length : (k + 1) * length])) for k in range(frames)])


def active(power: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Frames within 30 dB of the loudest one."""
    return np.asarray(power > 1e-3 * power.max())


def draw_pair(
    rng: np.random.Generator, library: MaterialLibrary, seconds: float, seed: tuple[int, int]
) -> Scene:
    """Two still sources, drawn until they are far enough apart; classes differ by the sampler.

    Raises
    ------
    OptionError
        If no draw has them so.
    """
    for _ in range(_DRAWS):
        scene = sample_scene(
            rng, library, seconds, (2, 2), "still", procedural_background=0.0, seed=seed
        )
        a, b = source_directions(scene).T
        if a @ b <= np.cos(APART):
            return scene
    raise OptionError(f"no two sources 60 degrees apart in {_DRAWS} scenes; choose another seed")


def source_directions(scene: Scene) -> NDArray[np.float64]:
    """Unit vectors of still sources, (3, sources)."""
    return np.concatenate([source.vectors(np.zeros(1)) for source in scene.sources], axis=1)
