"""Sets of synthetic scenes on disk: 360 video, its sound field, and the truth about both."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Scene, pretty
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.picture import SceneRenderer
from omniaudio_studio.datasets.scene import Motion, check_options, sample_scene, scene_rng
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.errors import OptionError, OutputError, OutputExistsError
from omniaudio_studio.files import mark_temporary, reason, remove_temporary


def make_scenes(
    out: Path,
    count: int,
    seconds: float,
    seed: int = 0,
    sources: tuple[int, int] = (1, 3),
    motion: Motion = "mixed",
    *,
    sounds: Path | None = None,
    panoramas: Path | None = None,
    sprites: Path | None = None,
    folds: Sequence[int] | None = None,
    panorama_names: Sequence[str] | None = None,
    width: int = 1024,
    height: int | None = None,
    fps: float = 30.0,
    reflections: float = 0.5,
    ambience: float = 0.5,
    distractors: float = 0.0,
    progress: Callable[[float, float], None] | None = None,
    cancel: Cancel | None = None,
) -> list[Path]:
    """Make scenes, each a folder ``scene-<index>`` with video.mp4, foa.wav and scene.json.

    A scene depends on the seed, its index and the options alone. Scenes that are there already are
    kept, so that an interrupted run goes on where it stopped; each folder appears whole.

    Parameters
    ----------
    out
        Folder of the set; made where it is missing.
    count, seconds, seed
        How many scenes, how long each (0.5 to 600 s), and the seed (0 or more).
    sources, motion
        As for :func:`~omniaudio_studio.datasets.scene.sample_scene`.
    sounds, panoramas, sprites, folds, panorama_names
        As for :class:`~omniaudio_studio.datasets.library.MaterialLibrary`.
    width, height, fps
        Of the videos; even sizes, height half the width if None.
    reflections, ambience, distractors
        Probabilities, 0 to 1.
    progress
        Called with scenes done (fractions while one is rendered) and their number.
    cancel
        Asked between frames.

    Returns
    -------
    list of Path
        The folders of the scenes, by index.

    Raises
    ------
    OptionError
        If an option is out of its range.
    OutputExistsError
        If a scene's folder holds another scene.
    OutputError
        If the system refuses to write.
    """
    height = width // 2 if height is None else height
    chances = {"reflections": reflections, "ambience": ambience, "distractors": distractors}
    _check(count, seed, width, height, fps, chances)
    check_options(seconds, sources, motion)
    library = MaterialLibrary(sounds, panoramas, sprites, folds, panorama_names)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {out}: {reason(error)}") from error
    video = {"width": width, "height": height, "fps": fps}
    folders = []
    for index in range(count):
        if cancel is not None:
            cancel.check()
        scene = sample_scene(
            scene_rng(seed, index), library, seconds, sources, motion, seed=(seed, index), **chances
        )
        folder = out / f"scene-{index:05d}"
        folders.append(folder)
        if not _is_there(folder, scene, video):

            def report(part: float, index: int = index) -> None:
                if progress is not None:
                    progress(index + part, count)

            write_scene(scene, library, folder, width, height, fps, report, cancel)
        if progress is not None:
            progress(index + 1, count)
    return folders


def write_scene(
    scene: Scene,
    library: MaterialLibrary,
    folder: Path,
    width: int = 1024,
    height: int = 512,
    fps: float = 30.0,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Render one scene into a folder that appears whole or not at all.

    Parameters
    ----------
    progress
        Called with the part that is done, 0 to 1.

    Raises
    ------
    OutputError
        If the system refuses to write, or the folder is there already.
    """
    temporary = folder.parent / f".{folder.name}-{secrets.token_hex(6)}.part"
    mark_temporary(temporary)
    try:
        temporary.mkdir()
        foa = render_foa(scene, library)
        from omniaudio_studio.media.wav import write_wav

        write_wav(temporary / "foa.wav", foa, RATE)
        write_video(
            scene, library, temporary / "video.mp4", width, height, fps, foa[0], progress, cancel
        )
        record = _record(scene, {"width": width, "height": height, "fps": fps})
        (temporary / "scene.json").write_text(pretty(record) + "\n", encoding="utf-8")
        if folder.exists():
            raise OutputExistsError(f"{folder} appeared meanwhile; it was left as it is")
        temporary.rename(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {folder}: {reason(error)}") from error
    finally:
        remove_temporary(temporary)


def write_video(
    scene: Scene,
    library: MaterialLibrary,
    path: Path,
    width: int,
    height: int,
    fps: float,
    mono: NDArray[np.float32] | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Cancel | None = None,
    crf: int = 20,
) -> None:
    """Write a scene's picture as 360 video; ``mono`` (samples at 48 kHz) is its plain sound."""
    from omniaudio_studio.media.video import VideoWriter, exact_rate

    renderer = SceneRenderer(scene, library, width, height)
    rate = exact_rate(fps)
    frames = max(1, math.ceil(scene.seconds * rate - 1e-6))
    audio_rate = None if mono is None else RATE
    with VideoWriter(
        path, width, height, rate, audio_rate=audio_rate, audio_channels=1, crf=crf
    ) as writer:
        for k in range(frames):
            if cancel is not None:
                cancel.check()
            writer.write_frame(renderer.frame(float(k / rate)))
            if mono is not None:
                first, last = round(k / rate * RATE), round((k + 1) / rate * RATE)
                writer.write_audio(mono[None, first:last])
            if progress is not None:
                progress((k + 1) / frames)


def _record(scene: Scene, video: dict[str, Any]) -> dict[str, Any]:
    """What scene.json holds: the scene and how its video was written."""
    return {**scene.as_dict(), "video": video}


def _is_there(folder: Path, scene: Scene, video: dict[str, Any]) -> bool:
    """Whether the folder holds this very scene; an error if it holds another."""
    if not folder.exists():
        return False
    try:
        stored = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = None
    # Through JSON, so that both are plain lists and numbers.
    if stored != json.loads(json.dumps(_record(scene, video))):
        raise OutputExistsError(
            f"{folder} holds another scene; choose another folder, or remove it to make it again"
        )
    return True


def _check(
    count: int, seed: int, width: int, height: int, fps: float, chances: dict[str, float]
) -> None:
    if not 1 <= count <= 100_000:
        raise OptionError(f"count is {count}; give 1 to 100000 scenes")
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed}; give 0 or more, below 2^63")
    if not (16 <= width <= 8192 and 8 <= height <= 8192) or width % 2 or height % 2:
        raise OptionError(
            f"the size is {width} x {height}; give even numbers from 16 x 8 to 8192 x 8192"
        )
    if not 1 <= fps <= 240:
        raise OptionError(f"fps is {fps}; give 1 to 240 frames per second")
    for name, chance in chances.items():
        if not 0 <= chance <= 1:
            raise OptionError(f"{name} is {chance}; a probability lies between 0 and 1")
