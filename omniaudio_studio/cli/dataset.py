"""``omniaudio dataset``: material for training, encoded once. Scenes and runs need torch."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated

import typer

from omniaudio_studio.cli.output import ProgressReport, note, print_json
from omniaudio_studio.cli.training import need_torch
from omniaudio_studio.errors import Cancelled, OptionError

if TYPE_CHECKING:
    from omniaudio_studio.training.data.encoders import Encoder
    from omniaudio_studio.training.data.excerpt import Source

app = typer.Typer(help="Material for training: encode.", no_args_is_help=True)

KINDS = ("scenes", "sphere360", "sounds")
#: Lines of what was left out that are shown; index.json has all of them.
SHOWN = 20


@app.callback()
def _group() -> None:
    """Material for training: encode."""


@app.command()
def encode(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of scenes, 360 clips or sounds.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder of the shards.")],
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Encode with the networks of this run.")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="Encode with the graphs of this bundle."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="scenes, sphere360 or sounds; else what the folder looks like."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Take only what this text or CSV file lists, or SOURCE/split/LIST.txt.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Length of an excerpt; else 10, or a whole scene.")
    ] = None,
    yaws: Annotated[
        int, typer.Option(help="Encode each excerpt so often, turned at random but for the first.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Same seed, same turns.")] = 0,
    convention: Annotated[
        str, typer.Option(help="Of four channels: ambix, fuma, n3d, wxyz; else what a file says.")
    ] = "auto",
    projection: Annotated[
        str, typer.Option(help="Of the clips, as equirectangular; else what a file says.")
    ] = "auto",
    pieces: Annotated[int, typer.Option(help="Files or scenes per shard.")] = 64,
    workers: Annotated[
        int | None, typer.Option(help="Processes; else one per core, on a cluster per CPU.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Spread over this Ray cluster, or local; every host sees the same folders.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="What came of it, as JSON.")] = False,
) -> None:
    """Encode sound and pictures as WebDataset shards, for training the generator.

    Finished shards are kept: the same command goes on where it was stopped. What cannot be used is
    left out and listed.
    """
    _check(seed, pieces, workers)
    from omniaudio_studio.training.data.encode import encode as encode_source

    if cluster is not None:  # hosts work in folders of their own
        source, out, run = source.absolute(), out.absolute(), run and run.absolute()
    material = _source(source, kind, split, convention, projection)
    encoder = _encoder(run, bundle)
    length = getattr(material, "seconds", 10.0) if seconds is None else seconds
    if workers is None:
        workers = 0 if cluster is not None else os.cpu_count() or 1
    begun, first = time.monotonic(), -1

    def told(done: int, total: int) -> None:
        nonlocal first
        first = done if first < 0 else first
        each = (time.monotonic() - begun) / (done - first) if done > first else None
        eta = None if each is None else each * (total - done)
        report(SimpleNamespace(stage="encoding", done=done, total=total, eta=eta))

    # In the main thread, which waits for its workers: Ctrl-C ends them at once.
    with _terminated_as_interrupted(), ProgressReport() as report:
        try:
            made = encode_source(
                material,
                encoder,
                out,
                seconds=length,
                yaws=yaws,
                seed=seed,
                pieces=pieces,
                workers=workers,
                cluster=cluster,
                progress=told,
            )
        except KeyboardInterrupt:
            raise Cancelled(
                f"stopped; finished shards are kept in {out}: run the same command again to go on"
            ) from None
    if as_json:
        skipped = [{"source": name, "reason": why} for name, why in made.skipped]
        print_json({"folder": out, "samples": made.samples, "skipped": skipped})
        return
    for name, why in made.skipped[:SHOWN]:
        note(f"left out: {name}: {why}")
    if len(made.skipped) > SHOWN:
        note(f"and {len(made.skipped) - SHOWN} more: see {out / 'index.json'}")
    print(f"{made.samples} samples in {out}, {len(made.skipped)} left out")


def _check(seed: int, pieces: int, workers: int | None) -> None:
    if seed < 0:
        raise OptionError(f"--seed {seed}: expected 0 or more")
    if pieces < 1:
        raise OptionError(f"--pieces {pieces}: expected 1 or more")
    if workers is not None and workers < 1:
        raise OptionError(f"--workers {workers}: expected 1 or more")


def _source(
    folder: Path, kind: str | None, split: str | None, convention: str, projection: str
) -> Source:
    from omniaudio_studio.training.data.clip_source import ClipSource
    from omniaudio_studio.training.data.folder import find_split, kind_of
    from omniaudio_studio.training.data.sound_source import SoundSource

    if kind is not None and kind not in KINDS:
        raise OptionError(f"--kind {kind}: expected {', '.join(KINDS)}")
    kind = kind or kind_of(folder)
    if kind == "scenes" and (split is not None or convention != "auto"):
        raise OptionError("--split and --convention are for clips and sounds: scenes have neither")
    if kind != "sphere360" and projection != "auto":
        raise OptionError("--projection is for clips (--kind sphere360)")
    if kind == "scenes":
        need_torch()
        from omniaudio_studio.training.data.scene_source import SceneSource

        return SceneSource(folder)
    chosen = None if split is None else find_split(folder, split)
    if kind == "sounds":
        return SoundSource(folder, chosen, convention)
    return ClipSource(folder, chosen, convention, projection)


def _encoder(run: Path | None, bundle: str | None) -> Encoder:
    from omniaudio_studio.training.data.encoders import BundleEncoder, RunEncoder

    if (run is None) == (bundle is None):
        raise OptionError("give --run or --bundle, one of them: what to encode with")
    if run is not None:
        need_torch()
        return RunEncoder(run)
    from omniaudio_studio.bundles.discovery import find_bundle

    assert bundle is not None
    return BundleEncoder(find_bundle(bundle).folder.absolute())


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM is heard as Ctrl-C is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
