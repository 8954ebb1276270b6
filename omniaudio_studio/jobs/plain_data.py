"""Requests and their parts as plain data and JSON. Standard library only."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Self

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.checks import plain


class PlainData:
    """A dataclass that can be written as plain data."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; paths as text."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


class JsonRequest(PlainData):
    """A request that is one line of JSON wherever it goes."""

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read and validate what :meth:`to_json` wrote; raises OptionError."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise OptionError(f"the request is not JSON: {error}") from error
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Read and validate plain data as :meth:`as_dict` gives it; each request knows how."""
        raise NotImplementedError
