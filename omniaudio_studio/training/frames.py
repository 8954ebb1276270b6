"""Frames of many scenes as JPEG pictures, one after another in a file, read like an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: About a ninth of the bytes, and no worse than frames of a video.
QUALITY = 90


class FrameStore:
    """Frames ``(N, S, height, width, 3)`` of uint8 in ``<name>.jpgs``, ends in ``<name>.npy``.

    Reads like an array of that shape: the first index picks scenes, the second frames; only what
    is picked is decoded.

    Parameters
    ----------
    folder, name
        Where the two files are.
    shape
        ``(N, S, height, width, 3)``.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...]) -> None:
        self.folder, self.name, self.shape = folder, name, shape
        self._ends = np.load(folder / f"{name}.npy", mmap_mode="r")
        self._bytes = np.memmap(folder / f"{name}.jpgs", np.uint8, "r")

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickling a mapped file would copy it.
        return FrameStore, (self.folder, self.name, self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        scenes, frames = index if isinstance(index, tuple) else (index, slice(None))
        first = np.arange(self.shape[0])[scenes] * self.shape[1]
        places = np.asarray(np.add.outer(first, np.arange(self.shape[1])[frames]))
        decoded = [self._decode(int(place)) for place in places.ravel()]
        return np.array(decoded, np.uint8).reshape(*places.shape, *self.shape[2:])

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return self[:] if dtype is None else self[:].astype(dtype)

    def _decode(self, place: int) -> NDArray[np.uint8]:
        import cv2

        start = int(self._ends[place - 1]) if place else 0
        picture = cv2.imdecode(self._bytes[start : int(self._ends[place])], cv2.IMREAD_COLOR)
        return np.asarray(picture, np.uint8)[..., ::-1]


class FrameWriter:
    """Appends scene after scene to the files of a :class:`FrameStore`.

    Parameters
    ----------
    folder, name
        Where the two files are, or will be.
    shape
        Of the finished store.
    done
        Scenes that are there; what lies behind them in the file is written anew.
    """

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...], done: int) -> None:
        self.shape = shape
        count, frames = shape[:2]
        ends, pictures = folder / f"{name}.npy", folder / f"{name}.jpgs"
        if done:
            self._ends = np.load(ends, mmap_mode="r+")
        else:
            self._ends = np.lib.format.open_memmap(ends, "w+", np.int64, (count * frames,))
        self._file = pictures.open("r+b" if done else "w+b")
        self._file.truncate(int(self._ends[done * frames - 1]) if done else 0)
        self._file.seek(0, 2)

    def write(self, scene: int, frames: NDArray[np.uint8]) -> None:
        """The next scene's frames ``(S, height, width, 3)``."""
        import cv2

        # Colours at full resolution: a drawing is a few pixels wide.
        full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
        first = scene * self.shape[1]
        for number, frame in enumerate(frames):
            _, coded = cv2.imencode(".jpg", frame[..., ::-1], how)
            self._file.write(coded.tobytes())
            self._ends[first + number] = self._file.tell()

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()
        self._ends.flush()

    def close(self) -> None:
        """Flush, and let go of the file."""
        self.flush()
        self._file.close()
