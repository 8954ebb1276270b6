"""The scenes that a bundle is asked about: three kinds, each known by seed, kind and index."""

from __future__ import annotations

from collections.abc import Iterator

from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import Motion, sample_scene, scene_rng
from omniaudio_studio.errors import OptionError
from omniaudio_studio.evaluation.onsets import visible_onsets
from omniaudio_studio.evaluation.scenes import draw_pair

SINGLE, PAIR, IMPULSE = "single", "pair", "impulse"
"""One source; two still ones, 60 degrees or more apart; one with impulsive events."""

_FIRST = {SINGLE: 0, PAIR: 200_000, IMPULSE: 400_000}  # so that no scene is drawn twice
_DRAWS = 200  # tries for a source with events


def draw_scenes(
    library: MaterialLibrary,
    kinds: tuple[str, ...],
    count: int,
    seconds: float,
    seed: int,
    motion: Motion,
) -> Iterator[tuple[str, int, Scene]]:
    """Kind, index and scene, kinds by turns: a stopped run's progress tells the time of all.

    Sources of a pair are still; others move as ``motion`` says.

    Raises
    ------
    OptionError
        If the library has no pair or no events to offer.
    """
    for index in range(count):
        for kind in kinds:
            number = _FIRST[kind] + index
            rng, key = scene_rng(seed, number), (seed, number)
            if kind == PAIR:
                yield kind, index, draw_pair(rng, library, seconds, key)
                continue
            for _ in range(_DRAWS):
                # Where there are real panoramas, only those are asked about.
                scene = sample_scene(
                    rng, library, seconds, (1, 1), motion, procedural_background=0.0, seed=key
                )
                if kind == SINGLE or visible_onsets(scene.sources[0].envelope).size:
                    yield kind, index, scene
                    break
            else:
                raise OptionError(
                    f"no source with impulsive events in {_DRAWS} scenes; leave the part onset "
                    "out, or give sounds such as barks and ticks"
                )
