"""``omniaudio scenes``: synthetic 360 scenes whose sound field is known exactly."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.material import MotionOption, Panoramas, Sounds, Sprites, motion_of
from omniaudio_studio.cli.output import ProgressReport, print_json
from omniaudio_studio.cli.running import run_cancellable
from omniaudio_studio.errors import OptionError

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken

app = typer.Typer(help="Synthetic scenes: make, sprites.", no_args_is_help=True)


@app.command()
def make(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the set.")],
    count: Annotated[int, typer.Option(help="How many scenes.")] = 10,
    seconds: Annotated[float, typer.Option(help="Length of each.")] = 8.0,
    seed: Annotated[int, typer.Option(help="Same seed, same scenes.")] = 0,
    sources: Annotated[str, typer.Option(metavar="N|A-B", help="Sources per scene.")] = "1-3",
    motion: MotionOption = "mixed",
    sounds: Sounds = None,
    panoramas: Panoramas = None,
    sprites: Sprites = None,
    width: Annotated[int, typer.Option(help="Of the videos, pixels.")] = 1024,
    fps: Annotated[float, typer.Option(help="Frames per second.")] = 30.0,
    reflections: Annotated[
        float, typer.Option(help="Share of scenes in a room, with early reflections; 0 to 1.")
    ] = 0.5,
    ambience: Annotated[
        float, typer.Option(help="Share of scenes with diffuse ambience; 0 to 1.")
    ] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="The folders as JSON.")] = False,
) -> None:
    """Make scenes: each a folder with video.mp4, foa.wav (AmbiX, 48 kHz) and scene.json.

    Without folders of material, procedural sounds, skies and drawn sprites serve. Scenes that are
    there already are kept, so an interrupted run goes on where it stopped.
    """
    low, high = _range(sources)
    kind = motion_of(motion)

    def work(cancel: CancelToken) -> list[Path]:
        from omniaudio_studio.datasets.make import make_scenes

        return make_scenes(
            out,
            count,
            seconds,
            seed,
            (low, high),
            kind,
            sounds=sounds,
            panoramas=panoramas,
            sprites=sprites,
            width=width,
            fps=fps,
            reflections=reflections,
            ambience=ambience,
            progress=lambda done, total: report(
                SimpleNamespace(stage="scenes", done=done, total=total, eta=None)
            ),
            cancel=cancel,
        )

    with ProgressReport() as report:
        folders = run_cancellable(work)
    if as_json:
        print_json(folders)
    else:
        print(f"{len(folders)} scenes in {out}")


@app.command()
def sprites(
    icons: Annotated[
        Path, typer.Argument(metavar="ICONS.json", help="icons.json of an Iconify package.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the sprites.")],
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 256,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Draw all again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The files as JSON.")] = False,
) -> None:
    """Draw sprites by class from an emoji package, for scenes make --sprites."""

    def work(cancel: CancelToken) -> list[Path]:
        from omniaudio_studio.datasets.sprites import build_sprites

        return build_sprites(icons, out, size, overwrite=overwrite)

    files = run_cancellable(work)
    if as_json:
        print_json(files)
    else:
        print(f"{len(files)} sprites in {out}")


def _range(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    try:
        pair = int(low), int(high if dash else low)
    except ValueError:
        raise OptionError(f"--sources must be a number or a range as 1-3; found {text!r}") from None
    return pair
