"""Reading encoded shards: any sample at once, straight out of the tars."""

from __future__ import annotations

import io
import json
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.training.data.encode import INDEX, SCHEMA


class Shards:
    """The samples of an encoded folder; ``shards[i]`` is one of them.

    What is kept in memory is where samples lie, 16 bytes per array; files are opened for each
    read, so that it can be pickled into any process.

    Attributes
    ----------
    folder
    latent_rate
        Latent frames per second.
    feature_rate
        Pictures per second; None where there are no pictures.
    channels
        Of the latents.
    fields
        Shape of each array of a sample: "mean" and "std" ``(C, T)``, features ``(S, ...)``.
    index
        All that index.json says.

    Raises
    ------
    MissingFileError
        If there is no index.json, or a shard is missing.
    MediaError
        If the encoding is not finished, or a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = _read_index(folder)
        self.latent_rate = float(self.index["latent_rate"])
        rate = self.index["feature_rate"]
        self.feature_rate = None if rate is None else float(rate)
        self.channels = int(self.index["channels"])
        self.fields = {name: tuple(shape) for name, shape in self.index["fields"].items()}
        self._files = [folder / shard["name"] for shard in self.index["shards"]]
        records = [_read_record(path) for path in self._files]
        self._keys = [key for record in records for key in record]
        self._ends = list(accumulate(len(record) for record in records))
        places = [place for record in records for place in record.values()]
        self._places = np.array(places, np.int64).reshape(len(places), len(self.fields) + 1, 2)

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> dict[str, NDArray[np.float16]]:
        """The arrays of a sample, float16, as they are stored.

        Raises
        ------
        IndexError
        MediaError
            If the shard is damaged, or a value is no number; both name shard and sample.
        """
        arrays = {}
        for name, data in zip(self.fields, self._read(number, slice(None, -1)), strict=True):
            try:
                array = np.load(io.BytesIO(data), allow_pickle=False)
            except (ValueError, EOFError, OSError) as error:
                raise self._bad(number, f"{name} is damaged ({error})") from error
            if array.shape != self.fields[name]:
                raise self._bad(number, f"{name} has shape {array.shape}, not {self.fields[name]}")
            if not np.isfinite(array).all():
                raise self._bad(number, f"{name} holds values that are no numbers")
            arrays[name] = array
        return arrays

    def note(self, number: int) -> dict[str, Any]:
        """What is known of a sample: source, start and seconds, yaw in degrees, kind ("foa" or
        "pseudo") and classes."""
        (data,) = self._read(number, slice(-1, None))
        try:
            note: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise self._bad(number, f"its description is damaged ({error})") from error
        return note

    def _read(self, number: int, which: slice) -> list[bytes]:
        """Contents of some of a sample's members."""
        number = range(len(self))[number]
        try:
            with self._file(number).open("rb") as file:
                parts = []
                for offset, size in self._places[number, which].tolist():
                    file.seek(offset)
                    parts.append(file.read(size))
                return parts
        except OSError as error:
            raise self._bad(number, f"it cannot be read ({error.strerror})") from error

    def _file(self, number: int) -> Path:
        return self._files[bisect_right(self._ends, number)]

    def _bad(self, number: int, what: str) -> MediaError:
        number = range(len(self))[number]
        return MediaError(
            f"{self._file(number)}: sample {self._keys[number]}: {what}; delete the shard and its "
            ".json and encode again"
        )


def open_shards(folder: Path) -> Shards:
    """The samples of a folder that `encode` wrote; see `Shards`."""
    return Shards(folder)


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not path.is_file():
        raise MissingFileError(f"no {INDEX} in {folder}: run omniaudio dataset encode first")
    try:
        index: dict[str, Any] = json.loads(path.read_text())
        schema, complete = index["schema"], index["complete"]
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path} cannot be read ({error}); encode again") from error
    if schema != SCHEMA:
        raise MediaError(f"{path} has schema {schema}, expected {SCHEMA}; encode again")
    if not complete:
        raise MediaError(f"{folder} is not finished: run the same omniaudio dataset encode again")
    return index


def _read_record(tar: Path) -> dict[str, Any]:
    path = tar.with_suffix(".json")
    for file in (tar, path):
        if not file.is_file():
            raise MissingFileError(f"no {file}: encode again, finished shards are kept")
    try:
        samples: dict[str, Any] = json.loads(path.read_text())["samples"]
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path} cannot be read ({error}); delete it and encode again") from error
    return samples
