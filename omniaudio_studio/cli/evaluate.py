"""``omniaudio evaluate``: how well a bundle does what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from omniaudio_studio.cli.output import ProgressReport, print_json
from omniaudio_studio.cli.running import run_cancellable
from omniaudio_studio.errors import OptionError

if TYPE_CHECKING:
    from omniaudio_studio.engine.cancel import CancelToken
    from omniaudio_studio.evaluation.starter import Report

app = typer.Typer(help="Evaluate a bundle on scenes that it has not seen.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Evaluate a bundle on scenes that it has not seen."""


@app.command()
def starter(
    bundle: Annotated[str, typer.Option(help="Name or path of the bundle.")] = "starter",
    count: Annotated[int, typer.Option(help="How many scenes.")] = 50,
    seed: Annotated[int, typer.Option(help="Same seed, same scenes.")] = 1000,
    seconds: Annotated[float, typer.Option(help="Length of each.")] = 8.0,
    motion: Annotated[str, typer.Option(help="still, moving or mixed.")] = "mixed",
    sounds: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One folder of sounds per class.")
    ] = None,
    folds: Annotated[
        str, typer.Option(help="Folds of --sounds to use, as 4 or 4,5; or all.")
    ] = "4",
    panoramas: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Equirectangular images.")
    ] = None,
    panorama_names: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="File names without ending, of --panoramas; else all."),
    ] = None,
    sprites: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One folder of PNGs with alpha per class.")
    ] = None,
    cfg: Annotated[float | None, typer.Option(help="Guidance scale; else the bundle's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampler steps; else the bundle's.")] = None,
    device: Annotated[str, typer.Option(help="Where it runs.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """Mean angular error of the generated sound on unseen single-source scenes.

    Beside it: the VAE's own error, a random direction and "always in front".
    """
    if motion not in ("still", "moving", "mixed"):
        raise OptionError(f"--motion must be still, moving or mixed; found {motion!r}")
    kind = cast(Literal["still", "moving", "mixed"], motion)
    names = None if panorama_names is None else panorama_names.split(",")

    def work(cancel: CancelToken) -> Report:
        from omniaudio_studio.evaluation.starter import evaluate_starter

        return evaluate_starter(
            bundle,
            sounds=sounds,
            folds=_folds(folds),
            panoramas=panoramas,
            panorama_names=names,
            sprites=sprites,
            count=count,
            seed=seed,
            seconds=seconds,
            motion=kind,
            cfg=cfg,
            steps=steps,
            device=device,
            progress=report,
            cancel=cancel,
        )

    with ProgressReport() as report:
        result = run_cancellable(work)
    if as_json:
        print_json(result.as_dict())
        return
    from rich.console import Console

    Console().print(result.table())


def _folds(text: str) -> tuple[int, ...] | None:
    if text == "all":
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--folds must be numbers as 4 or 4,5, or all; found {text!r}") from None
