"""The guidance curve as a picture."""

from __future__ import annotations

from pathlib import Path

from omniaudio_studio.errors import OptionError
from omniaudio_studio.evaluation.starter.report import Report
from omniaudio_studio.files import written_whole

_SIZE = (11.0, 3.6)  # inches
_INK, _GREY, _LINES, _COLOUR = "#1b1d22", "#6b7079", "#dfe1e5", "#4338ca"
# Measure, title, unit, factor.
_PANELS = (
    ("all", "Angular error", "rad", 1.0),
    ("class", "Class named by the tagger", "%", 100.0),
    ("level", "Level of W against the true one", "dB", 1.0),
)


def plot_guidance(report: Report, png: Path, *, overwrite: bool = False, dpi: int = 130) -> None:
    """Draw error, class and level against the guidance scale, with 95 % intervals, as one PNG.

    Parameters
    ----------
    report
        With the part "guidance".
    png
        Appears whole or not at all.

    Raises
    ------
    OptionError
        If the guidance was not measured.
    OutputError, OutputExistsError
        If the picture can't be written there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curve = report.guidance()
    if not curve:
        raise OptionError("there is no guidance curve to plot: measure the part guidance, too")
    panels = [panel for panel in _PANELS if all(panel[0] in values for _, values in curve)]
    figure = Figure(figsize=_SIZE, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    scales = [scale for scale, _ in curve]
    for place, (name, title, unit, factor) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place)
        values = [values[name] for _, values in curve]
        low, high = ([factor * getattr(v, end) for v in values] for end in ("low", "high"))
        axes.fill_between(scales, low, high, color=_COLOUR, alpha=0.15, linewidth=0)
        axes.plot(scales, [factor * v.mean for v in values], "o-", color=_COLOUR, markersize=4)
        axes.set_title(title, fontsize=10, weight="bold", color=_INK, loc="left")
        axes.set_xlabel("Guidance scale", fontsize=9, color=_INK)
        axes.set_ylabel(unit, fontsize=9, color=_INK)
        axes.set_xticks(scales)
        axes.tick_params(colors=_GREY, labelsize=8)
        axes.grid(True, color=_LINES, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    with written_whole(png, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
