"""The sample clip that ships: a dog and a helicopter in a drawn meadow, composed by hand.

``python -m omniaudio_studio.datasets.demo OUT.mp4 --sprites DIR`` renders it again;
what it needs is written beside the clip in ``omniaudio_studio/assets/demo.md``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.description import Background, Look, Scene, Source
from omniaudio_studio.datasets.envelope import arrange, follow
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.make import write_video
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.files import written_whole

SECONDS = 6.0
PANORAMA = "procedural:sky:7"
DOG = "dog_bark/noto-dog-face.png"
HELICOPTER = "helicopter/noto-helicopter.png"


def demo_scene(library: MaterialLibrary) -> Scene:
    """A dog that barks on the left and a helicopter that flies by from the right to behind."""
    times = np.arange(round(SECONDS * 20) + 1) / 20
    part = times / SECONDS
    barks = "procedural:bursts:12"
    bark_events = tuple((start, 0.0, 0.9) for start in (0.4, 1.5, 2.9, 3.8, 4.9))
    engine = "procedural:engine:3"
    engine_events = ((0.0, 0.0, 3.8), (3.77, 0.0, SECONDS - 3.77))
    return Scene(
        seconds=SECONDS,
        sources=(
            Source(
                name="dog_bark",
                sound=barks,
                events=bark_events,
                gain_db=-3.0,
                on=0.0,
                off=SECONDS,
                times=np.zeros(1),
                azimuth=np.radians([58.0]),
                elevation=np.radians([-12.0]),
                distance=2.0,
                look=Look(DOG, float(np.radians(34))),
                pulse=0.5,
                bounce=0.15,
                tilt=0.15,
                stays=True,
                envelope=_envelope(library, barks, bark_events),
            ),
            Source(
                name="helicopter",
                sound=engine,
                events=engine_events,
                gain_db=-9.0,
                on=0.0,
                off=SECONDS,
                times=times,
                azimuth=np.radians(-150 + 150 * part),
                elevation=np.radians(18 + 10 * np.sin(np.pi * part)),
                distance=3.0,
                look=Look(HELICOPTER, float(np.radians(38))),
                pulse=0.2,
                bounce=0.05,
                tilt=0.0,
                stays=True,
                envelope=_envelope(library, engine, engine_events),
            ),
        ),
        background=Background(PANORAMA),
    )


def _envelope(
    library: MaterialLibrary, sound: str, events: tuple[tuple[float, float, float], ...]
) -> np.ndarray:
    return follow(arrange(library.load_sound(sound), events, round(SECONDS * RATE)), SECONDS)


def write_demo(out: Path, sprites: Path, *, overwrite: bool = False) -> None:
    """Render the sample clip, 1024 x 512, with its procedural sounds as a plain mono track.

    Raises
    ------
    MissingFileError
        If the folder lacks one of the two emoji.
    OutputError
        If ``out`` cannot be written.
    """
    library = MaterialLibrary(sprites=sprites)
    scene = demo_scene(library)
    mono = render_foa(scene, library)[0]
    with written_whole(out, overwrite=overwrite) as temporary:
        write_video(scene, library, temporary, 1024, 512, 24.0, mono, crf=24)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Render the sample clip that ships.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--sprites", type=Path, required=True, metavar="DIR")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args(arguments)
    try:
        write_demo(options.out, options.sprites, overwrite=options.overwrite)
    except OmniAudioError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
