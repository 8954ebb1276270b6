"""What a sound field does over time: direction, levels, loudness. One pass, flat memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.foa.convention import CHANNELS
from omniaudio_studio.foa.covariance import covariance
from omniaudio_studio.foa.direction import (
    azimuth_bins,
    directions_from_covariance,
    elevation_bins,
    energy_map_from_covariance,
)

if TYPE_CHECKING:
    from omniaudio_studio.foa.convention import Foa
    from omniaudio_studio.media.audio import FoaReader

Array = NDArray[np.float64]

# Frames quieter than this have no direction to speak of (dBFS of the energy).
SILENCE = -90.0
# Each frame of the answer is made of this many finer ones, which the anglegram shows.
_FINER = 5
# The sphere's grid on which the peak is looked for: 2 degrees.
_GRID = (180, 90)


@dataclass(frozen=True)
class Measurement:
    """What was measured. Angles in radians, levels in dB of full scale (-inf for silence).

    Attributes
    ----------
    path : Path
    convention : str
        What the file's channels were taken for.
    rate : int
        Samples per second.
    samples : int
    frame_seconds : float
    times : ndarray, shape (frames,)
        Centres of the frames, seconds.
    azimuth, elevation : ndarray, shape (frames,)
        Direction of arrival per frame; NaN where it is silent.
    diffuseness : ndarray, shape (frames,)
        0 (one plane wave) to 1.
    rms, peak : ndarray, shape (4, frames), dBFS
        Of W, Y, Z, X.
    total_rms, total_peak : ndarray, shape (4,), dBFS
    total : ndarray, shape (4, 4)
        Covariance of the whole field (see `foa.covariance`).
    fine_seconds : float
    fine : ndarray, shape (fine frames, 4, 4)
        Covariances of frames of ``fine_seconds``, for pictures.
    loudness : float
        LUFS (BS.1770) of W as a mono signal; -inf for silence or less than 0.4 s.
    true_peak : float
        dBTP of W.
    """

    path: Path
    convention: str
    rate: int
    samples: int
    frame_seconds: float
    times: Array
    azimuth: Array
    elevation: Array
    diffuseness: Array
    rms: Array
    peak: Array
    total_rms: Array
    total_peak: Array
    total: Array
    fine_seconds: float
    fine: Array
    loudness: float
    true_peak: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.rate

    @property
    def direction(self) -> tuple[float, float]:
        """Azimuth and elevation of the whole field's mean intensity; NaN for silence."""
        if not _heard(self.total):
            return math.nan, math.nan
        azimuth, elevation, _, _ = directions_from_covariance(self.total)
        return float(azimuth), float(elevation)

    @property
    def peak_direction(self) -> tuple[float, float]:
        """Where the whole field's energy map E(d) is highest, to 1 degree; NaN for silence.

        With several sources at once this is the direction of the strongest, while the mean
        intensity points somewhere between them.
        """
        if not _heard(self.total):
            return math.nan, math.nan
        width, height = _GRID
        energy = energy_map_from_covariance(self.total, width, height)
        v, u = np.unravel_index(np.argmax(energy), energy.shape)
        return float(azimuth_bins(width)[u]), float(elevation_bins(height)[v])

    @property
    def mean_diffuseness(self) -> float:
        """Of the whole field: sources that move or take turns raise it."""
        return float(directions_from_covariance(self.total)[2])

    @property
    def balance(self) -> float:
        """<X^2 + Y^2 + Z^2> over <W^2> in dB; NaN for silence.

        0 for plane waves and for diffuse fields in AmbiX. Read as AmbiX by mistake, FuMa gives 3
        and N3D 4.8; stereo or mono in the first channels gives less than 0.
        """
        power = np.diag(self.total)
        if not (_heard(self.total) and power[0] > 0):
            return math.nan
        return _decibels(float(power[1:].sum() / power[0]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: degrees, dB, seconds; None where there is nothing to measure."""
        azimuth, elevation = self.direction
        peak_azimuth, peak_elevation = self.peak_direction
        return {
            "path": str(self.path),
            "convention": self.convention,
            "rate": self.rate,
            "samples": self.samples,
            "duration": self.duration,
            "loudness_lufs": _plain(self.loudness, 2),
            "true_peak_dbtp": _plain(self.true_peak, 2),
            "azimuth_degrees": _plain(math.degrees(azimuth), 2),
            "elevation_degrees": _plain(math.degrees(elevation), 2),
            "diffuseness": _plain(self.mean_diffuseness, 4),
            "peak_azimuth_degrees": _plain(math.degrees(peak_azimuth), 2),
            "peak_elevation_degrees": _plain(math.degrees(peak_elevation), 2),
            "directional_to_omni_db": _plain(self.balance, 2),
            "levels": {
                name: {
                    "rms_dbfs": _plain(self.total_rms[index], 2),
                    "peak_dbfs": _plain(self.total_peak[index], 2),
                }
                for index, name in enumerate(CHANNELS)
            },
            "frames": {
                "seconds": self.frame_seconds,
                "time": [_plain(value, 4) for value in self.times],
                "azimuth_degrees": [_plain(value, 2) for value in np.degrees(self.azimuth)],
                "elevation_degrees": [_plain(value, 2) for value in np.degrees(self.elevation)],
                "diffuseness": [_plain(value, 4) for value in self.diffuseness],
                "rms_dbfs": _per_channel(self.rms),
                "peak_dbfs": _per_channel(self.peak),
            },
        }


def measure(
    path: str | Path,
    convention: str = "auto",
    frame_seconds: float = 0.5,
    *,
    cancel: Cancel | None = None,
) -> Measurement:
    """Measure a file of first-order ambisonics, or a video's ambisonic track.

    Parameters
    ----------
    path : str or Path
    convention : {"auto", "ambix", "fuma", "n3d", "wxyz"}
        Channel order and weights; "auto" believes the file, else takes it for AmbiX.
    frame_seconds : float
        Length of the frames over which directions and levels are given.
    cancel : object with ``check()``, optional
        Called between blocks.

    Raises
    ------
    MissingFileError, MediaError
        If the file can't be read, isn't first-order ambisonics, or holds NaN or infinite values.
    OptionError
        If the convention is unknown or the frames are out of range.
    """
    from omniaudio_studio.media.audio import FoaReader

    if not (math.isfinite(frame_seconds) and 0.01 <= frame_seconds <= 3600):
        raise OptionError(f"frames of {frame_seconds} s: expected 0.01 to 3600 seconds")
    with FoaReader(path, convention) as reader:
        blocks = checked_blocks(reader, cancel)
        return measure_blocks(
            blocks, reader.rate, frame_seconds, path=Path(path), convention=reader.convention
        )


def measure_blocks(
    blocks: Iterable[Foa],
    rate: int,
    frame_seconds: float = 0.5,
    *,
    path: Path = Path(),
    convention: str = "ambix",
) -> Measurement:
    """`measure` for a field in AmbiX that arrives in blocks (4, n) of any size."""
    from omniaudio_studio.media.loudness import LoudnessMeter

    meter = LoudnessMeter(rate)
    fine_seconds = frame_seconds / _FINER
    lengths: list[int] = []
    covariances: list[Array] = []
    peaks: list[Array] = []
    for frame in _framed(_metered(blocks, meter), rate, fine_seconds):
        lengths.append(frame.shape[1])
        covariances.append(covariance(frame))
        peaks.append(np.abs(frame).max(axis=1))
    count = np.array(lengths, dtype=np.float64)
    fine = np.array(covariances).reshape(-1, 4, 4)
    highest = np.array(peaks, dtype=np.float64).reshape(-1, 4)
    samples = int(count.sum())

    groups = np.arange(0, len(fine), _FINER)
    weight = np.add.reduceat(count, groups) if len(fine) else count
    sums = fine * count[:, None, None]
    coarse = (np.add.reduceat(sums, groups) if len(fine) else sums) / weight[:, None, None]
    azimuth, elevation, diffuseness, energy = directions_from_covariance(coarse)
    silent = energy <= 10 ** (SILENCE / 10)
    ends = np.cumsum(weight)
    total = sums.sum(axis=0) / max(samples, 1)
    return Measurement(
        path=path,
        convention=convention,
        rate=rate,
        samples=samples,
        frame_seconds=frame_seconds,
        times=(ends - weight / 2) / rate,
        azimuth=np.where(silent, np.nan, azimuth),
        elevation=np.where(silent, np.nan, elevation),
        diffuseness=np.where(silent, 1.0, diffuseness),
        rms=_levels(np.diagonal(coarse, axis1=1, axis2=2).T, 10),
        peak=_levels((np.maximum.reduceat(highest, groups) if len(fine) else highest).T, 20),
        total_rms=_levels(np.diag(total), 10),
        total_peak=_levels(highest.max(axis=0, initial=0.0), 20),
        total=total,
        fine_seconds=fine_seconds,
        fine=fine,
        loudness=meter.integrated(),
        true_peak=meter.true_peak(),
    )


def checked_blocks(reader: FoaReader, cancel: Cancel | None, first: int = 0) -> Iterator[Foa]:
    """The blocks of an opened field from a sample on; MediaError where they hold no numbers."""
    position = first
    for block in reader.blocks(first=first):
        if cancel is not None:
            cancel.check()
        if not np.isfinite(block).all():
            at = int(np.argmin(np.isfinite(block).all(axis=0)))
            raise MediaError(
                f"{reader.path} holds NaN or infinite values at "
                f"{(position + at) / reader.rate:.3f} s; export it again"
            )
        position += block.shape[1]
        yield block


def _metered(blocks: Iterable[Foa], meter: Any) -> Iterator[Foa]:
    for block in blocks:
        meter.push(block[0])
        yield block


def _framed(blocks: Iterable[Foa], rate: int, seconds: float) -> Iterator[Foa]:
    """Regroup: frame k ends before sample round((k + 1) seconds rate), the last at the end."""
    waiting: list[Foa] = []
    held = start = frame = 0
    for block in blocks:
        waiting.append(block)
        held += block.shape[1]
        if start + held < _edge(frame + 1, rate, seconds):
            continue
        joined = np.concatenate(waiting, axis=1)
        offset = 0
        while (stop := _edge(frame + 1, rate, seconds) - start) <= held:
            if stop > offset:
                yield joined[:, offset:stop]
            offset = stop
            frame += 1
        waiting, held, start = [joined[:, offset:]], held - offset, start + offset
    if held:
        yield np.concatenate(waiting, axis=1)


def _edge(frame: int, rate: int, seconds: float) -> int:
    return round(frame * seconds * rate)


def _heard(matrix: Array) -> bool:
    return bool(np.trace(matrix) / 2 > 10 ** (SILENCE / 10))


def _levels(values: Array, factor: int) -> Array:
    """Decibels of powers (factor 10) or amplitudes (factor 20)."""
    logs = np.full(values.shape, -np.inf)
    np.log10(values, out=logs, where=values > 0)
    return factor * logs


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf


def _per_channel(levels: Array) -> dict[str, list[float | None]]:
    return {
        name: [_plain(value, 2) for value in levels[index]] for index, name in enumerate(CHANNELS)
    }


def _plain(value: float, digits: int) -> float | None:
    """A rounded float, None where JSON has no word for it."""
    return round(float(value), digits) + 0.0 if math.isfinite(value) else None
