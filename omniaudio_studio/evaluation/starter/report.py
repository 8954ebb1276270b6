"""What an evaluation of a bundle found: statistics by method and measure, as data and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omniaudio_studio.datasets.description import Scene
from omniaudio_studio.evaluation.metrics import CHANCE, Statistics, statistics

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

METHODS = {
    "truth": "True sound field",
    "reconstruction": "VAE reconstruction",
    "generated": "Generated",
    "random": "Random direction",
    "front": "Always in front",
    "mono": "Mono (W alone)",
}
VAE_METHODS = {
    "reconstruction": "VAE reconstruction",
    "phase": "No bottleneck, phase found",
    "opus": "Opus",
}
GROUPS = {
    "all": "All frames",
    "still": "Still sources",
    "moving": "Moving sources",
    "inside": "In front view",
    "outside": "Outside front view",
    "clip": "Still, whole clip",
}
SHARES = {
    "two": "Two sources found",
    "class": "Class",
    "onset": "Onset",
    "onset_chance": "Onset by chance",
}
FEW = "few"

Rows = dict[str, dict[str, Statistics]]
"""By method and measure."""


@dataclass(frozen=True)
class Report:
    """The result: statistics by method and measure, and what they were measured on.

    Attributes
    ----------
    rows
        By method: those of :data:`METHODS`; "phase" and "opus" (see `starter.coding`); "few", the
        second sampler; "cfg <scale>", the guidance curve; "ablation <name>". Measures are those of
        `starter.measures`, each the mean over the scenes that say something about it.
    settings
        Everything that decides the numbers.
    speed
        Seconds of scenes generated per second of work, vision and sampling and decoding together.
    provider
        What ran the graphs.
    bits
        Bits per second: "latents", the information of the VAE's, and "opus", of its stream; means
        over the scenes. Empty where none were measured.
    tagger
        "accuracy" on the library's own recordings and how many there were; empty without a tagger.
    scenes
        Every scene with its own values.
    """

    rows: Rows
    settings: dict[str, Any]
    speed: float
    provider: str
    bits: dict[str, float] = field(default_factory=dict)
    tagger: dict[str, Any] = field(default_factory=dict)
    scenes: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; angles in radians, shares from 0 to 1, levels in dB."""
        return {
            "settings": self.settings,
            "chance": CHANCE,
            "speed": self.speed,
            "provider": self.provider,
            "bits": self.bits,
            "tagger": self.tagger,
            "rows": {
                method: {name: value.as_dict() for name, value in values.items()}
                for method, values in self.rows.items()
            },
            "scenes": self.scenes,
        }

    def guidance(self) -> list[tuple[float, dict[str, Statistics]]]:
        """The guidance curve: scales, ascending, and their measures."""
        curve = [
            (float(method.removeprefix("cfg ")), values)
            for method, values in self.rows.items()
            if method.startswith("cfg ")
        ]
        return sorted(curve, key=lambda point: point[0])

    def table(self) -> Group:
        """What a terminal shows: a table for each part that was measured."""
        from rich.console import Group

        tables: list[Any] = []
        for table in (
            self._angles(),
            self._kinds(),
            self._shares(),
            self._vae(),
            self._samplers(),
            self._curve(),
            self._ablations(),
        ):
            if table is not None:
                tables += [table, ""]
        return Group(*tables[:-1])

    def _angles(self) -> Table | None:
        rows = {m: self.rows[m]["all"] for m in METHODS if "all" in self.rows.get(m, {})}
        if not rows:
            return None
        table = _table(
            "Angular error, radians (chance: 1.571)",
            ("mean", "95 % interval", "median", "scenes"),
            f"{self.settings['count']} scenes of {self.settings['seconds']:g} s with one source; "
            f"CFG {self.settings['cfg']:g}, {self.settings['steps']} steps; "
            f"{self.speed:.1f} times real time on {self.provider}",
        )
        for method, value in rows.items():
            interval = f"{value.low:.3f} to {value.high:.3f}"
            cells = f"{value.mean:.3f}", interval, f"{value.median:.3f}", str(value.count)
            table.add_row(METHODS[method], *cells)
        return table

    def _kinds(self) -> Table | None:
        shown = [g for g in GROUPS if g != "all" and any(g in row for row in self.rows.values())]
        if not shown:
            return None
        headings = [GROUPS[group] for group in shown]
        table = _table("Mean angular error by kind, radians", headings, narrow=True)
        for method in METHODS:
            self._add(table, METHODS[method], method, [(group, "{:.3f}") for group in shown])
        return table

    def _shares(self) -> Table | None:
        shown = [m for m in SHARES if any(m in self.rows.get(row, {}) for row in METHODS)]
        if not shown:
            return None
        notes = []
        if "two" in shown:
            notes.append("two sources: both are the two highest peaks, within 30 degrees")
        if "class" in shown:
            notes.append(
                f"class: named by the tagger, which names {100 * self.tagger['accuracy']:.0f} % of "
                f"{self.tagger['recordings']} recordings right (chance: "
                f"{100 / len(self.settings['classes']):.0f} %)"
            )
        if "onset" in shown:
            notes.append(
                "onset: within 150 ms of a visible event, and with onsets moved round the clip"
            )
        table = _table("Sources, classes, onsets", [SHARES[m] for m in shown], "; ".join(notes))
        for method in METHODS:
            self._add(table, METHODS[method], method, [(m, "%") for m in shown])
        return table

    def _vae(self) -> Table | None:
        if not any("mel" in self.rows.get(method, {}) for method in VAE_METHODS):
            return None
        table = _table(
            "The VAE alone", ("mel distance, dB", "angle, rad", "level of W, dB", "kbit/s")
        )
        rates = {"reconstruction": self.bits.get("latents"), "opus": self.bits.get("opus")}
        for method, title in VAE_METHODS.items():
            shown = [("mel", "{:.2f}"), ("all", "{:.3f}"), ("level", "{:+.1f}")]
            rate = rates.get(method)
            self._add(table, title, method, shown, "-" if rate is None else f"{rate / 1000:.1f}")
        return table

    def _samplers(self) -> Table | None:
        if FEW not in self.rows:
            return None
        settings = self.settings["few"]
        table = _table("Another sampler", ("angle, rad", "class", "same class", "level, dB"))
        shown = [("all", "{:.3f}"), ("class", "%"), ("agreement", "%"), ("level", "{:+.1f}")]
        self._add(table, f"{self.settings['steps']} steps", "generated", shown)
        name = "" if settings["sampler"] == "euler" else f" of {settings['sampler']}"
        self._add(table, f"{settings['steps']} steps{name}", FEW, shown)
        return table

    def _curve(self) -> Table | None:
        curve = self.guidance()
        if not curve:
            return None
        table = _table("Guidance", ("angle, rad", "class", "level, dB"))
        for scale, _ in curve:
            shown = [("all", "{:.3f}"), ("class", "%"), ("level", "{:+.1f}")]
            self._add(table, f"CFG {scale:g}", f"cfg {scale:g}", shown)
        return table

    def _ablations(self) -> Table | None:
        names = [m for m in self.rows if m.startswith("ablation ")]
        if not names:
            return None
        shown = [("still", "{:.3f}"), ("moving", "{:.3f}"), ("outside", "{:.3f}")]
        shown += [("two", "%"), ("class", "%"), ("onset", "%")]
        headings = ("still, rad", "moving, rad", "outside, rad", "two", "class", "onset")
        table = _table("Ablations", headings)
        self._add(table, self.settings["bundle"], "generated", shown)
        for method in names:
            self._add(table, method.removeprefix("ablation "), method, shown)
        return table

    def _add(
        self,
        table: Table,
        title: str,
        method: str,
        shown: Sequence[tuple[str, str]],
        *more: str,
    ) -> None:
        """A row with the means of a method, "-" where there is none; nothing where all are."""
        values = self.rows.get(method, {})
        if not any(name in values for name, _ in shown):
            return
        cells = []
        for name, form in shown:
            if name not in values:
                cells.append("-")
            elif form == "%":
                cells.append(f"{100 * values[name].mean:.0f} %")
            else:
                cells.append(form.format(values[name].mean))
        table.add_row(title, *cells, *more)


class Tally:
    """Collects values by method and measure, one per scene."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}
        self.scenes: list[dict[str, Any]] = []

    def add(
        self, kind: str, scene: Scene, scores: Sequence[Mapping[str, Mapping[str, float]]]
    ) -> None:
        """Take a scene's values by method and measure, from as many measures as there are."""
        together: dict[str, dict[str, float]] = {}
        for part in scores:
            for method, values in part.items():
                together.setdefault(method, {}).update(values)
        for method, values in together.items():
            for name, value in values.items():
                self._values.setdefault((method, name), []).append(value)
        self.scenes.append(
            {
                "kind": kind,
                "seed": list(scene.seed),
                "classes": [source.name for source in scene.sources],
                "motion": "moving" if any(s.moving for s in scene.sources) else "still",
                "directions": [[float(s.azimuth[0]), float(s.elevation[0])] for s in scene.sources],
                "scores": together,
            }
        )

    def rows(self) -> Rows:
        """Statistics by method and measure; methods of :data:`METHODS` first, in their order."""
        found: Rows = {}
        for method in dict.fromkeys([*METHODS, *(method for method, _ in self._values)]):
            values = {
                name: value
                for (of, name), values in self._values.items()
                if of == method and (value := statistics(values)) is not None
            }
            if values:
                found[method] = values
        return found


def _table(
    title: str, headings: Sequence[str], caption: str | None = None, *, narrow: bool = False
) -> Table:
    from rich.table import Table

    table = Table(title=title, caption=caption)
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right", max_width=10 if narrow else None)
    return table
