"""Reading JSON field by field, with an error that names the field. Standard library only."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from omniaudio_studio.errors import BundleError

REPAIR = "get the bundle again, or correct its bundle.json"


class Fields:
    """A JSON object whose values are taken out checked.

    Parameters
    ----------
    data
        What was parsed; anything but an object is refused.
    source
        What the user knows it by (a path), named in every message.
    prefix
        Dotted name of this object inside the file, empty at the top.
    """

    def __init__(self, data: Any, source: str, prefix: str = "") -> None:
        self._source = source
        self._prefix = prefix
        if not isinstance(data, Mapping):
            self.fail("", "an object", data)
        self._data: Mapping[str, Any] = data

    def fail(self, name: str, expected: str, found: Any) -> NoReturn:
        """Raise the one-line error about a field."""
        where = f"{self._prefix}.{name}".strip(".") or "the whole file"
        raise BundleError(
            f"{self._source}: {where}: expected {expected}, found {describe(found)}; {REPAIR}"
        )

    @property
    def where(self) -> str:
        """File and dotted name of this object, for messages."""
        return f"{self._source}: {self._prefix}".rstrip(": ")

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def keys(self) -> list[str]:
        """Names of the object's fields."""
        return [str(key) for key in self._data]

    def raw(self, name: str) -> Any:
        """A value as it was parsed; None where it is absent."""
        return self._data.get(name)

    def text(self, name: str, default: str | None = None, *, empty: bool = False) -> str:
        """A string; not empty unless ``empty`` is true."""
        value = self._data.get(name, default)
        if not isinstance(value, str) or not (value or empty):
            self.fail(name, "a text", value)
        return str(value)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of a few strings."""
        value = self._data.get(name, default)
        if value not in choices:
            self.fail(name, f"one of {', '.join(choices)}", value)
        return str(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """true or false."""
        value = self._data.get(name, default)
        if not isinstance(value, bool):
            self.fail(name, "true or false", value)
        return bool(value)

    def number(
        self,
        name: str,
        default: float | None = None,
        *,
        above: float | None = None,
        below: float | None = None,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float:
        """A finite number between ``above`` and ``below`` and within [minimum, maximum]."""
        value = self._data.get(name, default)
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (
                ("above", above),
                ("below", below),
                ("at least", minimum),
                ("at most", maximum),
            )
            if bound is not None
        ]
        expected = " ".join(["a finite number", " and ".join(bounds)]).strip()
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, expected, value)
        number = _finite(value)
        if (
            not math.isfinite(number)
            or (above is not None and number <= above)
            or (below is not None and number >= below)
            or (minimum is not None and number < minimum)
            or (maximum is not None and number > maximum)
        ):
            self.fail(name, expected, value)
        return number

    def integer(
        self, name: str, default: int | None = None, *, minimum: int = 0, maximum: int = 2**40
    ) -> int:
        """A whole number within [minimum, maximum]."""
        value = self._data.get(name, default)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not minimum <= value <= maximum:
            self.fail(name, f"a whole number from {minimum} to {maximum}", value)
        return int(value)

    def section(self, name: str, *, optional: bool = False) -> Fields:
        """An object inside this one; an absent optional one reads as empty."""
        value = self._data.get(name)
        if value is None and optional:
            value = {}
        if not isinstance(value, Mapping):
            self.fail(name, "an object", value)
        return Fields(value, self._source, f"{self._prefix}.{name}".strip("."))

    def sections(self, name: str) -> list[Fields]:
        """A list of at least one object."""
        value = self._data.get(name)
        if not isinstance(value, list) or not value:
            self.fail(name, "a list of at least one object", value)
        return [
            Fields(item, self._source, f"{self._prefix}.{name}[{index}]".strip("."))
            for index, item in enumerate(value or ())
        ]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; absent reads as empty."""
        value = self._data.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(name, "a list of texts", value)
        return tuple(value)

    def triple(self, name: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Three finite numbers (one per colour)."""
        value = self._data.get(name, list(default))
        ok = isinstance(value, list | tuple) and len(value) == 3
        if not ok or not all(
            isinstance(item, int | float)
            and not isinstance(item, bool)
            and math.isfinite(_finite(item))
            for item in value
        ):
            self.fail(name, "a list of three finite numbers", value)
        return (float(value[0]), float(value[1]), float(value[2]))

    def ascending(self, name: str, *, minimum: float = 0.0) -> tuple[float, ...]:
        """Two or more finite numbers, each above the one before, the first at least ``minimum``."""
        value = self._data.get(name)
        items = value if isinstance(value, list | tuple) else []
        whole = all(isinstance(x, int | float) and not isinstance(x, bool) for x in items)
        numbers = tuple(_finite(x) for x in items) if whole else ()
        ordered = all(low < high for low, high in itertools.pairwise(numbers))
        if len(numbers) < 2 or not ordered or numbers[0] < minimum or numbers[-1] == math.inf:
            self.fail(name, f"two or more ascending finite numbers from {minimum:g}", value)
        return numbers


def read_fields(path: Path) -> Fields:
    """The object in a JSON file.

    Raises
    ------
    BundleError
        If it cannot be read, is no JSON, or no object.
    """
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON ({error}); get it again") from error
    return Fields(data, str(path))


def _finite(value: Any) -> float:
    """``float(value)``, infinite where an integer is beyond a float's range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def describe(value: Any) -> str:
    """A found value in few words, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
