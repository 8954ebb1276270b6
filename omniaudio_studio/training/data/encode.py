"""Encoding a source into a folder of tar shards, resumable, in one process, many, or a cluster.

The folder holds ``shard-000000.tar`` and so on, each with the samples of a fixed number of pieces
(files or scenes), a record of each shard beside it (``shard-000000.json``: where its samples lie,
what was left out and why), and ``index.json``. A shard depends on its pieces alone: however many
processes work, and however often they are stopped, the folder ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omniaudio_studio.errors import BundleError, MediaError, MissingFileError, OutputError
from omniaudio_studio.files import reason, written_whole
from omniaudio_studio.training.data.encoders import Encoder
from omniaudio_studio.training.data.excerpt import Excerpt, Form, Source
from omniaudio_studio.training.data.tar import StoredSample, places_in, tar_of

SCHEMA = 1
INDEX = "index.json"
#: Pieces whose samples share a shard, by default.
PIECES = 64
#: Called with pieces done and their number.
Counted = Callable[[int, int], None]


@dataclass(frozen=True)
class Encoded:
    """What an encoding came to."""

    folder: Path
    samples: int
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """All that a worker has to know."""

    source: Source
    encoder: Encoder
    form: Form
    out: Path
    pieces: int

    @property
    def shards(self) -> int:
        return -(-len(self.source.names) // self.pieces)

    def pieces_of(self, shard: int) -> range:
        """Numbers of a shard's pieces."""
        first = shard * self.pieces
        return range(first, min(first + self.pieces, len(self.source.names)))


def encode(
    source: Source,
    encoder: Encoder,
    out: Path,
    *,
    seconds: float = 10.0,
    yaws: int = 1,
    seed: int = 0,
    pieces: int = PIECES,
    workers: int = 0,
    cluster: str | None = None,
    replace: bool = False,
    progress: Counted | None = None,
) -> Encoded:
    """Encode a source into the folder ``out``, or go on where an earlier call stopped.

    Parameters
    ----------
    source, encoder
    out
        Made where it is missing.
    seconds
        Length of an excerpt; what is left of a file after its last whole excerpt is not used.
    yaws
        How often each excerpt is encoded: as it is, then turned at random (picture and sound by
        the same angle).
    seed
        Of the turning.
    pieces
        Files or scenes per shard.
    workers
        Processes; 0 works in this one.
    cluster
        Address of a Ray cluster, or "local": its hosts work, and have to see the same folders.
    replace
        Throw away what the folder holds of another encoding, instead of an error.
    progress
        Called with pieces done and their number.

    Raises
    ------
    MediaError
        If the folder holds another encoding, or nothing could be encoded.
    OptionError
        If the excerpts make no sense.
    OutputError
        If the system refuses to write.
    WorkerError
        If worker processes cannot be started.
    """
    views = encoder.views if source.sees else ()
    form = Form(encoder.rate, encoder.hop, seconds, encoder.feature_rate, views, yaws, seed)
    source.check(form)
    job = Job(source, encoder, form, out, pieces)
    made = _made(job)
    _prepare(out, made, replace)
    waiting = [shard for shard in range(job.shards) if not _record(out, shard).is_file()]
    total = len(source.names)
    done = total - sum(len(job.pieces_of(shard)) for shard in waiting)

    def one_more(count: int = 1) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    one_more(0)
    if cluster is not None:
        from omniaudio_studio.training.data.cluster import spread_over_cluster

        spread_over_cluster(job, waiting, cluster, workers, one_more)
    elif workers and waiting:
        from omniaudio_studio.training.data.processes import spread_over_processes

        spread_over_processes(job, waiting, workers, one_more)
    else:
        for shard in waiting:
            make_shard(job, shard, one_more)
    return _finish(job, made)


def make_shard(
    job: Job,
    shard: int,
    one_more: Callable[[], None] = lambda: None,
    left_out: Mapping[int, str] | None = None,
) -> None:
    """Encode a shard's pieces and write it, the tar first, then its record.

    Parameters
    ----------
    one_more
        Called after each piece.
    left_out
        Pieces that are not to be touched, and why.
    """
    samples: list[StoredSample] = []
    skipped: list[tuple[str, str]] = []
    for piece in job.pieces_of(shard):
        name = job.source.names[piece]
        if left_out and piece in left_out:
            skipped.append((name, left_out[piece]))
        else:
            for made in _samples_of(job, piece):
                if isinstance(made, str):
                    skipped.append((name, _one_line(made, job.source, name)))
                else:
                    samples.append(made)
        one_more()
    tar = tar_of(samples) if samples else b""
    places = places_in(tar) if samples else {}
    record = {
        "sha256": hashlib.sha256(tar).hexdigest() if samples else None,
        "fields": {name: list(array.shape) for name, array in samples[0].arrays.items()}
        if samples
        else {},
        "samples": {
            sample.key: [
                *(places[f"{sample.key}.{name}.npy"] for name in samples[0].arrays),
                places[f"{sample.key}.json"],
            ]
            for sample in samples
        },
        "skipped": skipped,
    }
    if samples:
        with written_whole(tar_path(job.out, shard), overwrite=True) as temporary:
            temporary.write_bytes(tar)
    with written_whole(_record(job.out, shard), overwrite=True) as temporary:
        temporary.write_text(json.dumps(record))


def tar_path(folder: Path, shard: int) -> Path:
    """Where a shard's samples lie."""
    return folder / f"shard-{shard:06d}.tar"


def _record(folder: Path, shard: int) -> Path:
    return tar_path(folder, shard).with_suffix(".json")


def _samples_of(job: Job, piece: int) -> Iterator[StoredSample | str]:
    """The samples of a piece, and reasons in place of what is left out."""
    excerpts = job.source.excerpts(piece, job.form)
    while True:
        try:
            excerpt = next(excerpts, None)
        except (MediaError, MissingFileError) as error:
            yield str(error)
            return
        except Exception as error:  # a file that some library chokes on must not stop the others
            yield f"cannot be read ({type(error).__name__}: {error})"
            return
        if excerpt is None:
            return
        yield excerpt if isinstance(excerpt, str) else _encoded(job, piece, excerpt)


def _encoded(job: Job, piece: int, excerpt: Excerpt) -> StoredSample | str:
    mean, std = job.encoder.sound(np.ascontiguousarray(excerpt.foa))
    arrays = {"mean": mean, "std": std}
    if excerpt.views:
        features = job.encoder.pictures(excerpt.views)
        if clash := {*arrays, "json"} & features.keys():
            raise BundleError(f"a view is named {clash.pop()!r}, which stands for something else")
        arrays |= features
    short = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    with np.errstate(over="ignore"):
        small = {name: array.astype(np.float16) for name, array in short.items()}
    for name, array in small.items():
        if not np.isfinite(array).all():
            return f"{excerpt.start:g} s: its {name} is beyond numbers of 16 bits, or no number"
    note = {
        "source": job.source.names[piece],
        "start": excerpt.start,
        "seconds": job.form.seconds,
        "yaw": float(np.degrees(excerpt.yaw)),
        "kind": excerpt.kind,
        "classes": list(excerpt.classes),
    }
    return StoredSample(f"{piece:06d}-{excerpt.number:04d}-{excerpt.turn}", small, note)


def _one_line(text: str, source: Source, name: str) -> str:
    """A reason without the path that is said anyway."""
    line = " ".join(text.split())
    folder = getattr(source, "folder", None)
    return line.removeprefix(f"{folder / name}").lstrip(": ") if folder is not None else line


def _made(job: Job) -> dict[str, Any]:
    """What every byte of the shards depends on, as plain data."""
    return {
        "source": job.source.listing(),
        "encoder": job.encoder.listing(),
        "seconds": job.form.seconds,
        "yaws": job.form.yaws,
        "seed": job.form.seed,
        "pieces": job.pieces,
    }


def _prepare(out: Path, made: dict[str, Any], replace: bool) -> None:
    """Make the folder, or see that it holds this very encoding; rests of killed workers go."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for rest in out.glob(".*.part.*"):
            rest.unlink()
    except OSError as error:
        raise OutputError(f"cannot write into {out}: {reason(error)}") from error
    index = out / INDEX
    if index.is_file():
        try:
            held = json.loads(index.read_text())["made"]
        except (ValueError, KeyError, TypeError):
            held = None
        if held == json.loads(json.dumps(made)):
            return
        if not replace:
            raise MediaError(
                f"{out} holds shards of another encoding (other networks, files or options): "
                "delete it, or name another folder"
            )
        for old in [*out.glob("shard-*.json"), *out.glob("shard-*.tar")]:
            old.unlink()
    _write(index, {"schema": SCHEMA, "complete": False, "made": made})


def _finish(job: Job, made: dict[str, Any]) -> Encoded:
    """Write the index of all shards."""
    skipped, shards = job.source.left_out(), []
    fields: dict[str, Any] = {}
    for shard in range(job.shards):
        record = json.loads(_record(job.out, shard).read_text())
        skipped += [(name, why) for name, why in record["skipped"]]
        fields = fields or record["fields"]
        if record["samples"]:
            shards.append(
                {
                    "name": tar_path(job.out, shard).name,
                    "samples": len(record["samples"]),
                    "sha256": record["sha256"],
                }
            )
    if not shards:
        first = f"; the first: {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise MediaError(f"nothing could be encoded of {len(job.source.names)} files{first}")
    encoder, count = job.encoder, sum(shard["samples"] for shard in shards)
    _write(
        job.out / INDEX,
        {
            "schema": SCHEMA,
            "complete": True,
            "made": made,
            "sample_rate": encoder.rate,
            "latent_rate": encoder.rate / encoder.hop,
            "channels": encoder.channels,
            "feature_rate": encoder.feature_rate if job.source.sees else None,
            "seconds": job.form.seconds,
            "fields": fields,
            "samples": count,
            "shards": shards,
            "skipped": [{"source": name, "reason": why} for name, why in skipped],
        },
    )
    return Encoded(job.out, count, skipped)


def _write(path: Path, data: dict[str, Any]) -> None:
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
