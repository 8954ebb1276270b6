"""Where a time ruler has its marks. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Seconds between labels, and how many parts each is divided into.
_STEPS = (
    (0.001, 5), (0.002, 4), (0.005, 5), (0.01, 5), (0.02, 4), (0.05, 5), (0.1, 5), (0.2, 4),
    (0.5, 5), (1, 5), (2, 4), (5, 5), (10, 5), (15, 3), (30, 6), (60, 6), (120, 4), (300, 5),
    (600, 5), (900, 3), (1800, 6), (3600, 6), (7200, 4), (14400, 4), (43200, 6), (86400, 4),
)  # fmt: skip


@dataclass(frozen=True)
class Ticks:
    """Marks every ``minor`` seconds, a label every ``major``, with that many decimals."""

    major: float
    minor: float
    decimals: int

    @classmethod
    def spaced(cls, seconds_per_pixel: float, least: float = 96.0) -> Ticks:
        """Labels at least ``least`` pixels apart."""
        wanted = seconds_per_pixel * least
        for step, parts in _STEPS:
            if step >= wanted:
                decimals = 0 if step >= 1 else 3 if step < 0.01 else 2 if step < 0.1 else 1
                return cls(float(step), step / parts, decimals)
        days = math.ceil(wanted / 86400) * 86400.0
        return cls(days, days / 4, 0)

    def between(self, start: float, end: float) -> list[tuple[float, bool]]:
        """(time, whether it has a label) of every mark from ``start`` to ``end`` seconds."""
        parts = round(self.major / self.minor)
        first = math.ceil(max(0.0, start) / self.minor - 1e-9)
        last = math.floor(end / self.minor + 1e-9)
        return [
            (k // parts * self.major + k % parts * self.minor, k % parts == 0)
            for k in range(first, last + 1)
        ]
