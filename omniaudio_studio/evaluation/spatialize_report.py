"""What an evaluation of spatialized recordings found: statistics, as data and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.evaluation.metrics import CHANCE, Statistics, statistics

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

ROWS = {
    "truth": "True sound field",
    "automatic": "Automatic",
    "learned": "Learned",
    "mono": "Mono (W alone)",
    "front": "Always in front",
    "prior": "Spatial prior",
    "random": "Random direction",
}
GROUPS = {"moving": "One moving source", "still": "One still source", "pair": "Two still sources"}

WINDOWS: dict[str, float | None] = {"clip": None, "1": 1.0, "5": 0.2}
"""Lengths of the windows whose maps are compared, seconds: the whole clip, 1 and 5 per second."""

Rows = dict[str, dict[str, dict[str, Statistics]]]
"""By group (:data:`GROUPS`), method (:data:`ROWS`) and measure."""


@dataclass(frozen=True)
class Report:
    """The result, and what it was measured on.

    Attributes
    ----------
    rows
        Statistics over scenes. Of groups with one source: "angle", the angular error in radians,
        mean of half-second frames weighted by energy, where what has no direction counts pi / 2;
        "stft", "env" and "lsd" of Y, Z and X, with W at mean square 1; "emd", "cc" and "auc" with
        "_clip", "_1" and "_5" for maps of the whole clip, 1 and 5 per second. Of two sources:
        "found", the fraction of clips in which both are the two highest peaks.
    settings
        Everything that decides the numbers.
    speed
        Seconds of clips per second of work, by method.
    scenes
        Every scene with its own values.
    """

    rows: Rows
    settings: dict[str, Any]
    speed: dict[str, float]
    scenes: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; angles in radians."""
        return {
            "settings": self.settings,
            "chance": CHANCE,
            "speed": self.speed,
            "rows": {
                group: {
                    method: {name: value.as_dict() for name, value in values.items()}
                    for method, values in methods.items()
                }
                for group, methods in self.rows.items()
            },
            "scenes": self.scenes,
        }

    def table(self) -> Group:
        """What a terminal shows: directions, distances, maps over time, two sources."""
        from rich.console import Group

        tables: list[Any] = [self._angles(), ""]
        for group in ("moving", "still"):
            tables += [self._distances(group), ""]
        tables += [self._maps(), "", self._pairs()]
        return Group(*tables)

    def _angles(self) -> Table:
        caption = (
            f"{self.settings['count']} scenes of each kind, {self.settings['seconds']:g} s each"
        )
        table = _table("Angular error, radians (chance: 1.571)", caption)
        for heading in ("moving", "95 % interval", "still", "95 % interval"):
            table.add_column(heading, justify="right")
        for method in self.rows["moving"]:
            cells = []
            for group in ("moving", "still"):
                value = self.rows[group][method]["angle"]
                cells += [f"{value.mean:.3f}", f"{value.low:.3f} to {value.high:.3f}"]
            table.add_row(ROWS[method], *cells)
        return table

    def _distances(self, group: str) -> Table:
        table = _table(f"{GROUPS[group]}: distances to the true field (means)")
        shown = {"STFT": "stft", "ENV": "env", "LSD, dB": "lsd"}
        shown |= {"EMD, rad": "emd_1", "CC": "cc_1", "AUC": "auc_1"}
        for heading in shown:
            table.add_column(heading, justify="right")
        for method, values in self.rows[group].items():
            cells = [
                f"{values[name].mean:.{1 if name == 'lsd' else 3}f}" for name in shown.values()
            ]
            table.add_row(ROWS[method], *cells)
        return table

    def _maps(self) -> Table:
        table = _table("One moving source: maps of the whole clip, 1 and 5 per second")
        shown = [f"{measure}_{name}" for measure in ("cc", "auc") for name in WINDOWS]
        for name in shown:
            measure, window = name.split("_")
            heading = f"{measure.upper()}, {window if window == 'clip' else window + '/s'}"
            table.add_column(heading, justify="right")
        for method, values in self.rows["moving"].items():
            table.add_row(ROWS[method], *(f"{values[name].mean:.2f}" for name in shown))
        return table

    def _pairs(self) -> Table:
        speeds = ", ".join(f"{ROWS[m]} {value:.1f}" for m, value in self.speed.items())
        caption = f"times real time: {speeds}" if speeds else None
        table = _table("Two sources: both are the two highest peaks", caption)
        for heading in ("clips", "95 % interval"):
            table.add_column(heading, justify="right")
        for method, values in self.rows["pair"].items():
            found = values["found"]
            interval = f"{100 * found.low:.0f} to {100 * found.high:.0f} %"
            table.add_row(ROWS[method], f"{100 * found.mean:.0f} %", interval)
        return table


class Tally:
    """Collects values by group, method and measure, one per scene."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], list[float]] = {}
        self.scenes: list[dict[str, Any]] = []

    def add(
        self,
        group: str,
        scene: Scene,
        scores: Mapping[str, Mapping[str, float]],
        notes: Mapping[str, Any],
    ) -> None:
        """Take a scene's values by method and measure, and what the methods said of it."""
        for method, values in scores.items():
            for name, value in values.items():
                self._values.setdefault((group, method, name), []).append(value)
        self.scenes.append(
            {
                "kind": group,
                "seed": list(scene.seed),
                "classes": [source.name for source in scene.sources],
                "methods": dict(notes),
                "scores": {method: dict(values) for method, values in scores.items()},
            }
        )

    def rows(self) -> Rows:
        """Statistics, in the order of the tables."""
        found: Rows = {group: {} for group in GROUPS}
        for group in GROUPS:
            for method in ROWS:
                values = {
                    name: value
                    for (of, by, name), values in self._values.items()
                    if (of, by) == (group, method) and (value := statistics(values)) is not None
                }
                if values:
                    found[group][method] = values
        return found


def _table(title: str, caption: str | None = None) -> Table:
    from rich.table import Table

    table = Table(title=title, caption=caption)
    table.add_column("")
    return table
