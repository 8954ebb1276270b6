"""What can be chosen on this machine: model bundles and devices."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from omniaudio_studio.jobs.request import DEVICES
from qt_app.models.clip_questions import Asks
from qt_app.models.settings import sentence

NO_COMMERCIAL_USE = "No commercial use"
_PRIORITY = 30  # a short list, and the settings wait for it


@dataclass(frozen=True)
class BundleChoice:
    """A model bundle as it is offered.

    Parameters
    ----------
    value
        What a request says for it: its name, or its path where another one has that name.
    title, path
        Shown.
    demonstration
        It shows the way, not the quality to expect.
    licence, notice, commercial
        The licence's name, what it asks for, and whether commercial use is allowed.
    cfg, steps
        The sampler's defaults, None where the bundle is broken.
    few_steps
        How many the fast way of sampling takes, None where there is none.
    spatializer
        Whether it can find where a recording comes from.
    problem
        Why it cannot be used; None where it can.
    """

    value: str
    title: str
    path: Path
    demonstration: bool = False
    licence: str = ""
    notice: str = ""
    commercial: bool = True
    cfg: float | None = None
    steps: int | None = None
    few_steps: int | None = None
    card: str | None = None
    spatializer: bool = False
    problem: str | None = None

    @property
    def reason(self) -> str:
        """Why it cannot be used, as a sentence without its path, which is read elsewhere."""
        text = self.problem or ""
        for start in (str(self.path / "bundle.json"), str(self.path)):
            text = text.removeprefix(f"{start}: ")
        return sentence(text) if text else ""

    @property
    def licence_line(self) -> str:
        """Licence and what it forbids, in one line."""
        parts = [f"Licence: {self.licence}"] if self.licence else []
        if not self.commercial:
            parts.append(NO_COMMERCIAL_USE)
        return ". ".join(parts) + "." if parts else ""


@dataclass(frozen=True)
class DeviceChoice:
    """A device of a request, and whether it is there (None: not known yet)."""

    value: str
    available: bool | None
    why: str = ""


class Catalogue(QObject):
    """Asks for bundles and devices, and keeps the answers.

    Parameters
    ----------
    analysis
        Knows the bundles without their being opened here.
    """

    changed = pyqtSignal()

    def __init__(self, analysis: Asks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._analysis = analysis
        self.bundles: tuple[BundleChoice, ...] = ()
        self.devices: tuple[DeviceChoice, ...] = tuple(DeviceChoice(d, None) for d in DEVICES)
        self.is_known = False
        self.problem: str | None = None

    def refresh(self) -> None:
        """Look at the bundle folders and devices (again)."""
        self._analysis.ask("bundles", self._bundles, self._no_bundles, priority=_PRIORITY)
        self._analysis.ask("device", self._devices, lambda message: None, priority=_PRIORITY - 1)

    def bundle(self, value: str) -> BundleChoice | None:
        """The bundle that a request's ``bundle`` means, None where it is not known."""
        for choice in self.bundles:
            if value in (choice.value, str(choice.path)):
                return choice
        return None

    def bundle_problem(self, value: str) -> str | None:
        """Why a bundle cannot be used; None where it can, or nothing is known yet."""
        choice = self.bundle(value)
        if choice is not None:
            return None if choice.problem is None else choice.reason
        if not self.is_known or Path(value).name != value:  # a path is looked at by the worker
            return None
        return f"There is no model {value!r} on this machine. Choose another one."

    def _bundles(self, found: list[dict[str, Any]]) -> None:
        usable = Counter(item["name"] for item in found if not item.get("problem"))
        seen: set[str] = set()
        choices = []
        for item in found:
            name, path = str(item["name"]), Path(item["path"])
            # The first of a name is the one that a request by name gets.
            first = name not in seen and (usable[name] == 0 or not item.get("problem"))
            if first:
                seen.add(name)
            licence = item.get("licence") or {}
            sampler = item.get("sampler") or {}
            choices.append(
                BundleChoice(
                    value=name if first else str(path),
                    title=str(item.get("title") or name),
                    path=path,
                    demonstration=bool(item.get("demonstration")),
                    licence=str(licence.get("name") or licence.get("id") or ""),
                    notice=str(licence.get("notice") or ""),
                    commercial=bool(licence.get("commercial", True)),
                    cfg=sampler.get("cfg"),
                    steps=sampler.get("steps"),
                    few_steps=(item.get("reflow") or {}).get("steps"),
                    card=item.get("card"),
                    spatializer=bool(item.get("spatializer")),
                    problem=item.get("problem"),
                )
            )
        self.bundles, self.is_known, self.problem = tuple(choices), True, None
        self.changed.emit()

    def _no_bundles(self, message: str) -> None:
        self.problem = sentence(message)
        self.changed.emit()

    def _devices(self, found: dict[str, Any]) -> None:
        rows = {str(item.get("device")): item for item in found.get("providers", [])}
        choices = [DeviceChoice("auto", True, str(found.get("reason") or ""))]
        for device in DEVICES[1:]:
            row = rows.get(device)
            there = None if row is None else bool(row["available"])
            choices.append(DeviceChoice(device, there, str((row or {}).get("why") or "")))
        self.devices = tuple(choices)
        self.changed.emit()
