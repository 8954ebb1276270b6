"""A take's summary, put where the take lies: at its place in the clip, in the picture's frame.

A take may be a range of the clip, and its WAV is turned so that the user's front is its front; the
timeline and the energy over the picture need the clip's time and the picture's directions.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.rotation import rotate_yaw
from qt_app.timeline.field import PEAK_RATE, FieldSummary

_QUIET = 0  # of an anglegram


def load_placed(
    path: Path,
    *,
    start: float = 0.0,
    yaw: float = 0.0,
    seconds: float | None = None,
    loudness: float | None = None,
) -> FieldSummary:
    """Read a summary of the analysis and place it. For a thread: an hour takes tenths of a second.

    Parameters
    ----------
    path
        The .npz of the task "field".
    start
        Where in the clip the sound's first sample lies, seconds.
    yaw
        Azimuth in the picture that is the sound's front, radians.
    seconds
        Length of the sound, as exactly as known.
    loudness
        LUFS.

    Raises
    ------
    MediaError
        If the file cannot be read or is not such a summary.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays: dict[str, Any] = {name: held[name] for name in held.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MediaError(f"cannot read the sound's summary {path}: {error}") from error
    rate = float(arrays.get("frame_rate", 10.0))
    if "peaks" in arrays:
        arrays["peaks"] = _later(arrays["peaks"], round(start * PEAK_RATE))
        if seconds is None:
            seconds = (arrays["peaks"].shape[-1] / PEAK_RATE) - start
    if "anglegram" in arrays:
        bins = arrays["anglegram"]
        # Row 0 is +180 degrees: a turn to the left goes to rows of smaller number.
        turned = np.roll(bins, -round(yaw / (2 * math.pi) * bins.shape[0]), axis=0)
        arrays["anglegram"] = _later(turned, round(start * rate))
    if "covariance" in arrays:
        matrices = turned_covariance(np.asarray(arrays["covariance"]), yaw)
        empty = np.zeros((round(start * rate), 4, 4), matrices.dtype)
        arrays["covariance"] = np.concatenate([empty, matrices])
    total = None if seconds is None else start + seconds
    return FieldSummary.from_arrays(arrays, seconds=total, loudness=loudness)


def turned_covariance(matrices: NDArray[np.float32], yaw: float) -> NDArray[np.float32]:
    """Covariances (n, 4, 4) of a field after it was turned to the left by ``yaw`` radians."""
    if yaw == 0.0:
        return matrices
    turn = rotate_yaw(np.eye(4, dtype=np.float32), yaw)
    return np.asarray(turn @ matrices @ turn.T, dtype=np.float32)


def _later(columns: NDArray[np.generic], count: int) -> NDArray[np.generic]:
    """With ``count`` quiet columns before the first."""
    quiet = np.full((columns.shape[0], count), _QUIET, columns.dtype)
    return np.concatenate([quiet, columns], axis=1)
