"""Samples as the members of a tar, as WebDataset reads them: ``KEY.mean.npy``, ``KEY.json``, ..."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StoredSample:
    """One sample: arrays by field, float16, and what is known of it."""

    key: str
    arrays: Mapping[str, NDArray[np.float16]]
    note: Mapping[str, Any]


def tar_of(samples: Sequence[StoredSample]) -> bytes:
    """A tar of samples; equal samples give equal bytes (no times, no users)."""
    stream = io.BytesIO()
    # As webdataset.TarWriter writes it, without the torch that comes with that into every worker.
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            members = {f"{name}.npy": _npy(array) for name, array in sample.arrays.items()}
            members["json"] = json.dumps(sample.note, sort_keys=True).encode()
            for name, data in sorted(members.items()):
                member = tarfile.TarInfo(f"{sample.key}.{name}")
                member.size, member.mode = len(data), 0o444
                tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def places_in(tar: bytes) -> dict[str, tuple[int, int]]:
    """Where each member's content lies: first byte and how many."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return {member.name: (member.offset_data, member.size) for member in opened}


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
