"""Frames kept as JPEG pictures: read like an array, written scene by scene."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.training.frames import FrameStore, FrameWriter

SHAPE = (4, 3, 16, 32, 3)


def picture(scene: int, frame: int) -> np.ndarray:
    """A flat colour of its own, with a corner of another."""
    image = np.full(SHAPE[2:], (40 * scene, 60 * frame, 100), np.uint8)
    image[:8, :8] = (200, 30, 60)
    return image


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    writer = FrameWriter(tmp_path, "view", SHAPE, 0)
    for scene in range(4):
        writer.write(scene, np.stack([picture(scene, frame) for frame in range(3)]))
    writer.close()
    return FrameStore(tmp_path, "view", SHAPE)


def test_a_store_reads_like_an_array(store: FrameStore) -> None:
    whole = np.stack([np.stack([picture(s, f) for f in range(3)]) for s in range(4)])
    found = np.asarray(store)
    assert found.shape == store.shape == SHAPE and found.dtype == store.dtype and len(store) == 4
    # A corner's edge lies between blocks of 8 pixels: flat colours survive to a few steps.
    assert np.abs(found.astype(int) - whole).max() <= 6
    for index in (2, (1, 2), (3, slice(0, 2)), [0, 2], slice(1, 3), (2, [0, 2, 2]), -1):
        assert np.array_equal(store[index], found[index])


def test_what_lies_behind_the_finished_scenes_is_written_anew(
    store: FrameStore, tmp_path: Path
) -> None:
    before = store[:]
    writer = FrameWriter(tmp_path, "view", SHAPE, 2)
    for scene in (2, 3):
        writer.write(scene, np.stack([picture(3 - scene, frame) for frame in range(3)]))
    writer.close()
    again = FrameStore(tmp_path, "view", SHAPE)
    assert np.array_equal(again[:2], before[:2])
    assert np.array_equal(again[2:], before[[1, 0]])


def test_a_store_is_pickled_by_name(store: FrameStore) -> None:
    packed = pickle.dumps(store)
    assert len(packed) < 1000
    assert np.array_equal(pickle.loads(packed)[1], store[1])
