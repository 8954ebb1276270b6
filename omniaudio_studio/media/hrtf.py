"""Personal binaural filters from SOFA files (AES69: measurements around one listener's head).

Read through h5py, which the extra ``hrtf`` brings; what is made of a file is kept in the user's
cache, so that players need neither.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import (
    MediaError,
    MissingDependencyError,
    MissingFileError,
    OutputError,
)
from omniaudio_studio.files import file_sha256, reason, written_whole
from omniaudio_studio.foa.binaural_filters import BinauralFilters, resample_filter
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.magls import magnitude_least_squares
from omniaudio_studio.media.container import check_file
from omniaudio_studio.places import cache_folder

if TYPE_CHECKING:
    import h5py

CONVENTION = "SimpleFreeFieldHRIR"

# Change it with anything that changes what is made of a file: it is part of the cache's key.
_DESIGN = 1
_TAPS_PER_SECOND = 256 / 48000
_FEWEST = 24  # directions; below, magnitudes cannot be told apart from direction to direction
# Least eigenvalue of the mean of (1, y, z, x)^T (1, y, z, x), which is 1/3 on a whole sphere.
_LEAST_SPREAD = 0.02
_LONGEST = 0.04  # seconds of each response that are used: the rest would be a room
_KEPT = 64  # files in the cache


def load_hrtf(
    path: str | Path, *, rate: int | None = None, symmetric: bool = False
) -> BinauralFilters:
    """Binaural filters from a SOFA file of convention SimpleFreeFieldHRIR.

    Parameters
    ----------
    path : str or Path
    rate : int, optional
        Samples a second that they are made for; the file's own by default.
    symmetric : bool
        Mirror left and right, so that what is in the middle is equal in both ears. By default they
        stay as they were measured.

    Raises
    ------
    MissingFileError
        If there is no such file.
    MediaError
        If it is no SOFA file, of another convention, damaged, or has too few directions.
    MissingDependencyError
        If h5py is missing.
    """
    file = Path(path)
    check_file(file)
    h5py = _h5py()
    if not h5py.is_hdf5(file):
        raise MediaError(f"{file} is no SOFA file (it is not HDF5); give a .sofa file")
    try:
        with h5py.File(file, "r") as data:
            _check_convention(file, data)
            own = _sample_rate(file, data)
            responses, directions = _measurements(file, data, own)
            said = {
                name: _text(data.attrs.get(name))
                for name in (
                    "Title",
                    "DatabaseName",
                    "ListenerShortName",
                    "License",
                    "References",
                    "AuthorContact",
                )
            }
    except (OSError, KeyError, RuntimeError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise MediaError(f"{file} is damaged or incomplete ({what}); copy it again") from error
    if rate is not None and rate != own:
        responses = resample_filter(responses, own, rate).astype(np.float64)
        own = rate
    taps = magnitude_least_squares(
        responses,
        directions,
        own,
        taps=max(64, round(_TAPS_PER_SECOND * own)),
        symmetric=symmetric,
    )
    name = " ".join(said[key] for key in ("DatabaseName", "ListenerShortName") if said[key])
    return BinauralFilters(
        taps=taps,
        rate=own,
        name=name or said["Title"] or file.stem,
        licence=said["License"],
        citation=said["References"] or said["AuthorContact"],
    )


def cached_hrtf(path: str | Path) -> Path:
    """The file's filters as ``.npz`` for `BinauralFilters.load`, made where they are not yet.

    Kept in the user's cache folder under the SHA-256 of the file's content.

    Raises
    ------
    MissingFileError, MediaError, MissingDependencyError
        As `load_hrtf`.
    OutputError
        If the cache folder cannot be written.
    """
    file = Path(path)
    check_file(file)
    folder = cache_folder("hrtf")
    kept = folder / f"{file_sha256(file)}-{_DESIGN}.npz"
    with suppress(MissingFileError, MediaError):  # not there, or damaged: made again
        BinauralFilters.load(kept)
        with suppress(OSError):
            kept.touch()  # what is used stays longest
        return kept
    filters = load_hrtf(file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {reason(error)}") from error
    with written_whole(kept, overwrite=True) as temporary:
        filters.save(temporary)
    _forget_old(folder)
    return kept


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            "reading SOFA files needs the extra hrtf; install it: "
            'pip install "omniaudio-studio[hrtf]"'
        ) from error
    return h5py


def _check_convention(file: Path, data: h5py.File) -> None:
    if _text(data.attrs.get("Conventions")) != "SOFA":
        raise MediaError(f"{file} is HDF5 but no SOFA file; give a .sofa file")
    convention = _text(data.attrs.get("SOFAConventions"))
    if convention != CONVENTION:
        raise MediaError(
            f"{file} is a SOFA file of convention {convention or 'unknown'}; expected {CONVENTION}"
        )


def _sample_rate(file: Path, data: h5py.File) -> int:
    rates = np.unique(np.asarray(data["Data.SamplingRate"], dtype=np.float64))
    if rates.size != 1 or not (8000 <= rates[0] <= 768000):
        raise MediaError(f"{file}: expected one sample rate from 8000 Hz on, found {rates}")
    return round(float(rates[0]))


def _measurements(
    file: Path, data: h5py.File, rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Responses (g, left and right, n) and unit vectors (3, g) as seen from the head."""
    recorded = data["Data.IR"]
    if recorded.ndim != 3 or recorded.shape[1] != 2 or recorded.shape[2] < 16:
        raise MediaError(
            f"{file}: expected responses of two ears (directions, 2, samples), "
            f"found shape {recorded.shape}"
        )
    count = recorded.shape[0]
    places = _positions(file, data, "SourcePosition", count)
    places = places - _positions(file, data, "ListenerPosition", count, default=(0.0, 0.0, 0.0))
    front = _positions(file, data, "ListenerView", count, default=(1.0, 0.0, 0.0))
    top = _positions(file, data, "ListenerUp", count, default=(0.0, 0.0, 1.0))
    left = np.cross(top, front)
    if not np.all(np.linalg.norm(left, axis=1) > 1e-6):
        raise MediaError(f"{file}: ListenerView and ListenerUp are no two directions")
    front = front / np.linalg.norm(front, axis=1, keepdims=True)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    axes = np.stack([front, left, np.cross(front, left)], axis=1)
    seen = np.einsum("gij,gj->gi", axes, places)
    distance = np.linalg.norm(seen, axis=1)
    if not (distance > 1e-3).all():
        raise MediaError(f"{file}: some source positions are inside the head")
    chosen = _one_distance(distance)
    directions = (seen[chosen] / distance[chosen, None]).T
    _check_coverage(file, directions)
    given = np.asarray(data["Data.Delay"], dtype=np.float64)
    if given.shape not in ((1, 2), (count, 2)):
        raise MediaError(f"{file}: Data.Delay has shape {given.shape}; expected ({count}, 2)")
    delay = np.broadcast_to(given, (count, 2))[chosen]
    # HDF5 reads in ascending order of rows only, which these are.
    responses = np.asarray(recorded[chosen], dtype=np.float64)
    if not np.isfinite(responses).all() or not np.isfinite(delay).all():
        raise MediaError(f"{file}: some responses are not finite")
    if not (np.max(np.abs(responses), axis=2) > 0).all():
        raise MediaError(f"{file}: some responses are silent")
    if _ears_swapped(file, data, count):
        responses, delay = responses[:, ::-1], delay[:, ::-1]
    return _delayed(responses, delay - delay.min(), rate), directions


def _one_distance(distance: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows at the distance (to 5 %) with the most directions; the furthest of several."""
    classes = np.round(np.log(distance) / np.log(1.05)).astype(int)
    kinds, counts = np.unique(classes, return_counts=True)
    most = kinds[counts >= 0.9 * counts.max()].max()
    return np.flatnonzero(np.abs(classes - most) <= 1)


def _check_coverage(file: Path, directions: NDArray[np.float64]) -> None:
    distinct = np.unique(np.round(directions, 3), axis=1).shape[1]
    if distinct < _FEWEST:
        raise MediaError(
            f"{file} has {distinct} directions; at least {_FEWEST} all around are needed"
        )
    harmonics = np.concatenate([np.ones((1, directions.shape[1])), directions])
    least = np.linalg.eigvalsh(harmonics @ harmonics.T / directions.shape[1])[0]
    if least < _LEAST_SPREAD:
        raise MediaError(
            f"{file}: its {distinct} directions cover too little of the sphere; "
            "directions above and below are needed too"
        )


def _positions(
    file: Path,
    data: h5py.File,
    name: str,
    count: int,
    *,
    default: tuple[float, float, float] | None = None,
) -> NDArray[np.float64]:
    """A position variable as x, y, z in its frame, (count, 3)."""
    if default is not None and name not in data:
        return np.broadcast_to(np.asarray(default), (count, 3))
    variable = data[name]
    values = np.asarray(variable, dtype=np.float64)
    values = values.reshape(values.shape[0], -1) if values.ndim > 1 else values[None]
    if values.shape[0] not in (1, count) or values.shape[1] != 3:
        raise MediaError(f"{file}: {name} has shape {values.shape}; expected ({count}, 3)")
    if not np.isfinite(values).all():
        raise MediaError(f"{file}: some values of {name} are not finite")
    kind = _text(variable.attrs.get("Type"))
    if not kind and name == "ListenerUp" and "ListenerView" in data:  # its units are the view's
        variable = data["ListenerView"]
        kind = _text(variable.attrs.get("Type"))
    if kind == "spherical":
        values = _from_spherical(values, _text(variable.attrs.get("Units")))
    return np.broadcast_to(values, (count, 3))


def _from_spherical(values: NDArray[np.float64], units: str) -> NDArray[np.float64]:
    angles = values[:, :2] if units.lower().startswith("radian") else np.radians(values[:, :2])
    return direction_vector(angles[:, 0], angles[:, 1]).T * values[:, 2:]


def _ears_swapped(file: Path, data: h5py.File, count: int) -> bool:
    """Whether the first receiver is the right ear; SOFA has the left one first."""
    if "ReceiverPosition" not in data:
        return False
    variable = data["ReceiverPosition"]
    values = np.asarray(variable, dtype=np.float64)
    if values.shape[:2] != (2, 3):
        return False
    values = values.reshape(2, 3, -1)[:, :, 0]
    if _text(variable.attrs.get("Type")) == "spherical":
        values = _from_spherical(values, _text(variable.attrs.get("Units")))
    return bool(values[0, 1] < values[1, 1])


def _delayed(
    responses: NDArray[np.float64], delay: NDArray[np.float64], rate: int
) -> NDArray[np.float64]:
    """Responses with their separate delays (samples, whole or not) put back in, not too long."""
    limit = round(_LONGEST * rate)
    responses = responses[..., :limit]
    if not delay.any():
        return responses
    length = responses.shape[2] + int(np.ceil(delay.max()))
    size = 1 << length.bit_length()
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * delay[..., None])
    return np.fft.irfft(np.fft.rfft(responses, size) * turn, size)[..., : min(length, limit)]


def _text(value: Any) -> str:
    """An attribute as one line of text; empty where it has none."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(value.split()) if isinstance(value, str) else ""


def _forget_old(folder: Path) -> None:
    """Keep the cache small: the files not used for longest go."""
    with suppress(OSError):
        files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime)
        for file in files[:-_KEPT]:
            file.unlink()
