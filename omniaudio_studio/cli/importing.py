"""``omniaudio models import``: weights that others trained, as bundles. Needs the extra "train"."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import typer

from omniaudio_studio.cli.output import ProgressReport, note, print_json
from omniaudio_studio.cli.training import need_torch
from omniaudio_studio.errors import Cancelled, OptionError

app = typer.Typer(help="Make a bundle of weights that others trained.", no_args_is_help=True)

NAME = "omniaudio"


@app.command("omniaudio")
def released(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Folder laid out as the hub's: OmniAudio/OmniAudio360V2SA/model.ckpt and "
            "facebook/metaclip-h14-fullcc2.5b/. Else both are downloaded.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="fp32, fp16 or int8 (for CPUs); else fp16 where CUDA works, fp32 elsewhere."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the bundle; else the user's own.")
    ] = None,
    vision: Annotated[
        bool,
        typer.Option(
            "--with-vision/--without-vision",
            help="Without: the checkpoint alone, for generate --features.",
        ),
    ] = True,
    accept: Annotated[
        bool, typer.Option("--accept-licences", help="Do not ask: the licences are accepted.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Import the released OmniAudio model: 1.2 billion parameters, best on a CUDA GPU."""
    need_torch()
    from omniaudio_studio.bundles.discovery import user_bundles
    from omniaudio_studio.training.importers import released as importer
    from omniaudio_studio.training.importers.convert import PRECISIONS

    if precision not in (None, *PRECISIONS):
        raise OptionError(
            f"--precision must be one of {', '.join(PRECISIONS)}, found {precision!r}"
        )
    chosen = precision or _best_precision()
    target = out if out is not None else user_bundles() / NAME
    importer.check_place(target, overwrite)
    name = target.name if out is not None else NAME
    for repository in importer.repositories(vision):
        use = "" if repository.commercial else ": no commercial use"
        note(f"{repository.name} is under {repository.licence}{use}")

    def advance(graph: str, done: int, total: int) -> None:
        report(SimpleNamespace(stage="converting", done=done, total=total, eta=None, detail=graph))

    order = importer.ImportOrder(
        out=target,
        name=name,
        precision=chosen,
        vision=vision,
        command=shlex.join(["omniaudio", *sys.argv[1:]]),
        overwrite=overwrite,
    )
    if source is not None:
        with ProgressReport() as report:
            imported = importer.import_released(source, order, note, advance)
    else:
        from omniaudio_studio.places import cache_folder

        downloads = cache_folder("downloads")
        items = importer.missing(downloads, vision)
        size = sum(item.bytes for item in items) / 1e9
        note(f"{size:.1f} GB to download into {downloads}")
        if not accept and not _agreed():
            raise Cancelled("not imported: the licences were not accepted (--accept-licences)")
        with ProgressReport() as report:
            imported = importer.import_downloaded(items, downloads, order, note, advance)
    if as_json:
        print_json(
            {
                "bundle": imported.manifest.name,
                "path": target,
                "precision": imported.manifest.precision,
                "unused": imported.unused,
                "checks": [asdict(check) for check in imported.checks],
            }
        )
    else:
        print(f"{target}  {imported.manifest.title}, {len(imported.manifest.graphs)} graphs")


@app.command("stereo-vae")
def stereo_vae(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A stereo VAE as Stability publishes it, alone or in its model."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write, .safetensors.")
    ],
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Make a stereo VAE the beginning of a four-channel one, for training.

    W and Y do what left and right did, exactly; Z and X begin with nothing.
    """
    need_torch()
    from omniaudio_studio.training.importers.stereo import write_inflated

    if out.suffix != ".safetensors":
        raise OptionError(f"--out must end in .safetensors, found {out.name}")
    gap = write_inflated(source, out, overwrite=overwrite)
    print(f"{out}  four channels (W Y Z X); differs from the stereo one by {gap:.1e} at most")


def _agreed() -> bool:
    """Ask; where nobody can answer, the answer is no."""
    if not sys.stdin.isatty():
        return False
    return typer.confirm("Do you accept these licences?", err=True)


def _best_precision() -> str:
    from omniaudio_studio.engine.devices import choose_provider

    provider = choose_provider()
    chosen = "fp16" if provider.device == "cuda" else "fp32"
    note(f"precision {chosen}: {provider.reason}")
    return chosen
