"""Pictures of a measurement. Drawn through Matplotlib's objects, without its global state.

Azimuth runs across as in the panorama: left (+90 degrees) is drawn on the left, straight behind at
both ends. Time runs down, so that every panel is read against the same lines.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.files import written_whole
from omniaudio_studio.foa.convention import CHANNELS
from omniaudio_studio.foa.direction import anglegram_from_covariances, energy_map_from_covariance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from omniaudio_studio.delivery.measure import Measurement

_SIZE = (11.0, 8.5)  # inches
_INK, _GREY, _LINES = "#1b1d22", "#6b7079", "#dfe1e5"
_CHANNEL_COLOURS = {"W": "#1b1d22", "Y": "#c2410c", "Z": "#0f766e", "X": "#4338ca"}
# What is shown of the sphere and the anglegram, dB below their maxima, and of the levels, dBFS.
_SPHERE_RANGE, _GRAM_RANGE = 20, 30
_LOWEST = -96.0


def plot_measurement(
    measurement: Measurement,
    png: str | Path,
    *,
    origin: str | None = None,
    overwrite: bool = False,
    dpi: int = 130,
) -> None:
    """Draw the energy on the sphere, anglegram, elevation and levels as one PNG.

    Parameters
    ----------
    measurement : Measurement
    png : str or Path
        Where the picture goes; it appears whole or not at all.
    origin : str, optional
        Where the sound comes from, as the picture's description.
    overwrite : bool
    dpi : int
        Pixels per inch; the picture is 11 x 8.5 inches.

    Raises
    ------
    OutputError, OutputExistsError
        If the picture can't be written there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, facecolor="white")
    FigureCanvasAgg(figure)
    _draw(figure, measurement)
    with written_whole(Path(png), overwrite=overwrite) as temporary:
        told = {} if origin is None else {"Description": origin}
        figure.savefig(temporary, format="png", dpi=dpi, metadata=told)


def _draw(figure: Figure, measurement: Measurement) -> None:
    grid = figure.add_gridspec(
        2,
        3,
        width_ratios=(6, 2, 2.6),
        height_ratios=(1, 1.35),
        left=0.075,
        right=0.975,
        top=0.875,
        bottom=0.085,
        wspace=0.13,
        hspace=0.26,
    )
    sphere = figure.add_subplot(grid[0, 0])
    gram = figure.add_subplot(grid[1, 0])
    elevation = figure.add_subplot(grid[1, 1], sharey=gram)
    levels = figure.add_subplot(grid[1, 2], sharey=gram)
    facts = figure.add_subplot(grid[0, 1:])

    name = measurement.path.name or "Sound field"
    figure.text(0.075, 0.955, name, fontsize=14, weight="bold", color=_INK)
    figure.text(
        0.075,
        0.925,
        f"First-order sound field, {_clock(measurement.duration)}, {measurement.rate / 1000:g} kHz",
        color=_GREY,
        fontsize=9.5,
    )
    _draw_sphere(sphere, measurement)
    _draw_anglegram(gram, measurement)
    _draw_elevation(elevation, measurement)
    _draw_levels(levels, measurement)
    _write_facts(facts, measurement)
    _label(gram, "Anglegram and direction of arrival (dots)", y="Time (s)", x="Azimuth (°)")
    _label(sphere, "Energy on the sphere, mean over time", y="Elevation (°)")
    _label(elevation, "Elevation", x="Elevation (°)")
    _label(levels, "Levels, RMS", x="Level (dBFS)")
    gram.set_ylim(max(measurement.duration, 1e-3), 0)
    for axes in (elevation, levels):
        axes.tick_params(labelleft=False)
        axes.grid(True, color=_LINES, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)


def _label(axes: Axes, title: str, *, x: str = "", y: str = "") -> None:
    axes.set_title(title, fontsize=9, weight="bold", color=_INK, loc="left", y=1.0, pad=7)
    axes.set_xlabel(x, fontsize=9, color=_INK)
    axes.set_ylabel(y, fontsize=9, color=_INK)
    axes.tick_params(colors=_GREY, labelsize=8, width=0.6)
    for spine in axes.spines.values():
        spine.set(edgecolor=_GREY, linewidth=0.6)


def _picture(axes: Axes, decibels: NDArray[np.float64], low: int, **options: Any) -> None:
    """An image in dB with its colours explained above its right end."""
    image = axes.imshow(decibels, aspect="auto", cmap="magma", vmin=-low, vmax=0, **options)
    scale = axes.inset_axes((0.78, 1.035, 0.22, 0.022))
    ends = [-low, -low // 2, 0]
    bar = axes.figure.colorbar(image, cax=scale, orientation="horizontal", ticks=ends)
    scale.xaxis.set_ticks_position("top")
    scale.set_xticklabels([f"−{-ends[0]}", f"−{-ends[1]}", "0 dB"])
    scale.tick_params(colors=_GREY, labelsize=7, length=2, pad=1, width=0.5)
    bar.outline.set_visible(False)


def _draw_sphere(axes: Axes, measurement: Measurement) -> None:
    energy = energy_map_from_covariance(measurement.total, 240, 120)
    _picture(axes, _below_peak(energy), _SPHERE_RANGE, extent=(180, -180, -90, 90))
    axes.set_yticks([-90, -45, 0, 45, 90])
    _azimuth_axis(axes)
    axes.axhline(0, color="white", linewidth=0.4, alpha=0.5)
    azimuth, height = measurement.peak_direction
    if math.isfinite(azimuth):
        axes.plot(
            math.degrees(azimuth),
            math.degrees(height),
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=_INK,
            markeredgewidth=1.4,
        )


def _draw_anglegram(axes: Axes, measurement: Measurement) -> None:
    gram = anglegram_from_covariances(_thinned(measurement.fine, 1200), 144)
    _picture(
        axes,
        _below_peak(gram).T,
        _GRAM_RANGE,
        extent=(180, -180, max(measurement.duration, 1e-3), 0),
        interpolation="nearest",
    )
    _dots(axes, measurement, np.degrees(measurement.azimuth), "#ffffff", 12)
    _azimuth_axis(axes)


def _dots(
    axes: Axes, measurement: Measurement, degrees: NDArray[np.float64], colour: str, size: float
) -> None:
    """The direction of every frame; dots fade where the field has no clear direction."""
    if not len(degrees):
        return
    faded: Any = np.clip(1 - measurement.diffuseness, 0.05, 1)
    axes.scatter(
        degrees,
        measurement.times,
        s=size,
        c=colour,
        edgecolors=_INK,
        linewidths=0.5,
        alpha=faded,
        zorder=3,
    )


def _draw_elevation(axes: Axes, measurement: Measurement) -> None:
    degrees = np.degrees(measurement.elevation)
    axes.plot(degrees, measurement.times, color=_GREY, linewidth=0.7, alpha=0.6)
    _dots(axes, measurement, degrees, "#c2410c", 10)
    axes.set_xlim(-90, 90)
    axes.set_xticks([-90, -45, 0, 45, 90])


def _draw_levels(axes: Axes, measurement: Measurement) -> None:
    for index, name in enumerate(CHANNELS):
        level = np.maximum(measurement.rms[index], _LOWEST)
        axes.plot(
            level,
            measurement.times,
            color=_CHANNEL_COLOURS[name],
            linewidth=1.4 if name == "W" else 1.0,
            label=name,
        )
    shown = measurement.rms[np.isfinite(measurement.rms) & (measurement.rms > _LOWEST)]
    low = 10 * math.floor(shown.min() / 10) if shown.size else -60
    high = max(0, 10 * math.ceil(shown.max() / 10)) if shown.size else 0
    axes.set_xlim(min(low, high - 20), high)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.42, 1.0),
        ncol=4,
        frameon=False,
        handlelength=1.0,
        handletextpad=0.3,
        columnspacing=0.9,
        fontsize=8,
        borderaxespad=0.2,
    )


def _write_facts(axes: Axes, measurement: Measurement) -> None:
    axes.set_axis_off()
    values = measurement.as_dict()

    def write(x: float, y: float, words: str, colour: str = _INK, weight: str = "normal") -> None:
        axes.text(x, y, words, color=colour, weight=weight, fontsize=9, transform=axes.transAxes)

    lines = [
        ("Loudness (W)", _text(values["loudness_lufs"], "LUFS")),
        ("True peak (W)", _text(values["true_peak_dbtp"], "dBTP")),
        (
            "Loudest direction",
            _pair(values["peak_azimuth_degrees"], values["peak_elevation_degrees"]),
        ),
        ("Mean direction", _pair(values["azimuth_degrees"], values["elevation_degrees"])),
        ("Diffuseness", _text(values["diffuseness"], "", 2)),
        ("Directional to omni", _text(values["directional_to_omni_db"], "dB")),
    ]
    top, step = 0.97, 0.105
    for row, (name, value) in enumerate(lines):
        write(0.06, top - row * step, name, _GREY)
        write(0.5, top - row * step, value, weight="bold")
    head = top - (len(lines) + 0.6) * step
    columns = (0.06, 0.5, 0.74)
    for place, title in zip(columns, ("Channel", "RMS, dBFS", "Peak, dBFS"), strict=True):
        write(place, head, title, _GREY)
    for row, name in enumerate(CHANNELS):
        level = values["levels"][name]
        height = head - (row + 1) * step * 0.85
        write(columns[0], height, name, _CHANNEL_COLOURS[name], "bold")
        write(columns[1], height, _text(level["rms_dbfs"], ""))
        write(columns[2], height, _text(level["peak_dbfs"], ""))


def _azimuth_axis(axes: Axes) -> None:
    axes.set_xlim(180, -180)
    axes.set_xticks(
        [180, 90, 0, -90, -180],
        ["+180\nback", "+90\nleft", "0\nfront", "−90\nright", "−180\nback"],
    )


def _below_peak(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """In dB below the maximum; all at the bottom for silence."""
    peak = float(energy.max(initial=0.0))
    if peak <= 0:
        return np.full(energy.shape, -200.0)
    return 10 * np.log10(np.maximum(energy / peak, 1e-20))


def _thinned(covariances: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Neighbours averaged until there are at most ``most`` frames: a picture has no more rows."""
    count = len(covariances)
    if count <= most:
        return covariances
    size = math.ceil(count / most)
    starts = np.arange(0, count, size)
    lengths = np.diff(np.append(starts, count))
    means: NDArray[np.float64] = np.add.reduceat(covariances, starts) / lengths[:, None, None]
    return means


def _text(value: Any, unit: str, digits: int = 1) -> str:
    if value is None:
        return "–"
    return f"{round(value, digits) + 0.0:.{digits}f} {unit}".strip().replace("-", "−")


def _pair(azimuth: Any, elevation: Any) -> str:
    if azimuth is None or elevation is None:
        return "–"
    return f"{azimuth:+.0f}° azimuth, {elevation:+.0f}° elevation".replace("-", "−")


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
