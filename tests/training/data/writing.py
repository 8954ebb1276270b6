"""Shards of given arrays, without sound, pictures or networks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from omniaudio_studio.training.data.encode import INDEX, SCHEMA
from omniaudio_studio.training.data.tar import StoredSample, places_in, tar_of


def write_shards(
    folder: Path,
    samples: Sequence[Mapping[str, np.ndarray]],
    *,
    latent_rate: float,
    feature_rate: float | None,
) -> None:
    """One shard, as `data.encode` writes it; arrays "mean" and "std" ``(C, T)``, and features."""
    stored = [
        StoredSample(
            f"{number:06d}-0000-0", {n: a.astype(np.float16) for n, a in arrays.items()}, {}
        )
        for number, arrays in enumerate(samples)
    ]
    tar = tar_of(stored)
    places = places_in(tar)
    record = {
        "samples": {
            each.key: [
                *(places[f"{each.key}.{name}.npy"] for name in each.arrays),
                places[f"{each.key}.json"],
            ]
            for each in stored
        }
    }
    folder.mkdir(parents=True)
    (folder / "shard-000000.tar").write_bytes(tar)
    (folder / "shard-000000.json").write_text(json.dumps(record))
    index = {
        "schema": SCHEMA,
        "complete": True,
        "latent_rate": latent_rate,
        "feature_rate": feature_rate,
        "channels": samples[0]["mean"].shape[0],
        "fields": {name: list(array.shape) for name, array in samples[0].items()},
        "shards": [{"name": "shard-000000.tar", "samples": len(stored)}],
    }
    (folder / INDEX).write_text(json.dumps(index))
