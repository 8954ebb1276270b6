"""Features from a file in place of a look at the clip: for bundles without a vision graph."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.errors import BundleError, MediaError, MissingFileError, OptionError

Array = NDArray[np.float32]

RATE = "rate"
MAX_RATE = 1000.0  # hertz
_ROUNDING = 1e-6  # of a feature


@dataclass(frozen=True)
class GivenFeatures:
    """Features of a whole clip.

    Parameters
    ----------
    path
        The file that they are from, for messages.
    rate
        Feature k is that of second k / rate from the clip's first frame, hertz.
    views
        By view name, float32 (S, ...).
    """

    path: Path
    rate: float
    views: Mapping[str, Array]

    def windows(
        self,
        times: Sequence[NDArray[np.float64]],
        advance: Callable[[int], None] | None = None,
    ) -> Generator[dict[str, Array], None, None]:
        """What `engine.features.stream_features` yields for the same windows.

        A time takes the last feature that is not after it; beyond the end the last one is held.
        ``advance`` is told how many more of the different times are done.
        """
        latest = -1
        for own in times:
            wanted = np.floor(own * self.rate + _ROUNDING).astype(np.int64)
            if advance is not None:
                ticks = np.unique(np.round(own * 1e6).astype(np.int64))
                advance(int((ticks > latest).sum()))
                latest = max(latest, int(ticks[-1]))
            yield {
                name: values[np.clip(wanted, 0, len(values) - 1)]
                for name, values in self.views.items()
            }

    def check_shapes(self, inputs: Mapping[str, Sequence[Any]]) -> None:
        """Refuse features that the conditioner's ``inputs`` (1, S, ...) do not take.

        Raises
        ------
        MediaError
            One line that names the view.
        """
        for name, values in self.views.items():
            wanted, found = list(inputs[name])[2:], list(values.shape[1:])
            fits = len(wanted) == len(found) and all(
                not isinstance(size, int) or size == own
                for size, own in zip(wanted, found, strict=True)
            )
            if not fits:
                raise MediaError(
                    f"{self.path}: {name}: expected the shape {_shape(wanted)} with S features of "
                    f"the clip, found {_shape(found, values.shape[0])}; give features of the "
                    "bundle's own vision model"
                )


def _shape(sizes: Sequence[Any], first: Any = "S") -> str:
    return "(" + ", ".join(str(size) for size in [first, *sizes]) + ")"


def check_given(manifest: Manifest, given: bool) -> None:
    """Refuse a bundle that can see nothing where nothing is given.

    Raises
    ------
    BundleError
        One line.
    """
    if manifest.sees or given:
        return
    raise BundleError(
        f"the bundle {manifest.name!r} has no vision graph: give the features of the clip's "
        "pictures in a file (--features FILE.npz), or import the bundle with its vision model"
    )


def load_features(path: Path, manifest: Manifest) -> GivenFeatures:
    """Read an ``.npz`` with an array for each view of the bundle.

    Arrays are float16 or float32, (S, ...); a scalar ``rate`` in hertz says how many there are in a
    second, the bundle's feature rate where there is none. Nothing in the file is executed.

    Raises
    ------
    MissingFileError, MediaError, OptionError
        One line: no such file, no such archive, an array that is missing, pickled, of another type,
        empty or not finite, or a rate that is none.
    """
    try:
        file = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise MissingFileError(f"no features at {path}; check the path") from error
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise MediaError(f"{path} is no .npz file of arrays; write it with numpy.savez") from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise MediaError(f"{path} is a single array; expected an .npz with one for each view")
    with file:
        rate = manifest.features.rate
        if RATE in file:
            rate = _rate(path, _array(path, file, RATE))
        views = {view.name: _features(path, file, view.name) for view in manifest.views}
    return GivenFeatures(path, rate, views)


def _array(path: Path, file: Any, name: str) -> NDArray[Any]:
    if name not in file:
        raise MediaError(
            f"{path} has no array {name!r}; expected one for each view of the bundle, found "
            f"{', '.join(file) or 'none'}"
        )
    try:
        return np.asarray(file[name])
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise MediaError(
                f"{path}: {name} holds Python objects, which are not read; give plain float16 or "
                "float32 numbers"
            ) from error
        raise MediaError(f"{path}: {name} is damaged ({error}); write the file again") from error
    except (OSError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise MediaError(f"{path}: {name} is damaged ({error}); write the file again") from error


def _features(path: Path, file: Any, name: str) -> Array:
    values = _array(path, file, name)
    if values.dtype not in (np.float16, np.float32):
        raise MediaError(f"{path}: {name}: expected float16 or float32, found {values.dtype}")
    if values.ndim < 2 or not values.size:
        raise MediaError(
            f"{path}: {name}: expected the shape (S, ...) with one feature or more, found "
            f"{_shape(values.shape[1:], values.shape[0]) if values.ndim else 'a number'}"
        )
    if not np.isfinite(values).all():
        raise MediaError(f"{path}: {name} holds values that are not finite numbers; make it again")
    return values.astype(np.float32)


def _rate(path: Path, value: NDArray[Any]) -> float:
    rate = float(value) if value.shape == () and value.dtype.kind in "fiu" else math.nan
    if not 0 < rate <= MAX_RATE:
        raise OptionError(
            f"{path}: rate: expected one number above 0 and at most {MAX_RATE:g} (features a "
            f"second), found {np.array2string(value, threshold=4)[:60]}"
        )
    return rate
