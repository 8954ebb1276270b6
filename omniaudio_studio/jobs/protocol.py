"""What the worker and its client say to each other. Standard library only.

One JSON object per line, UTF-8. The client writes commands to the worker's stdin::

    {"command": "run", "job": "1", "kind": "generate", "request": {...}}
    {"command": "cancel", "job": "1"}
    {"command": "unload"}                    frees the model's memory
    {"command": "close"}

The worker writes events to its stdout::

    {"event": "ready", "pid": 4711, "version": "0.1.0", "protocol": 2}
    {"event": "started", "job": "1", "temporary": "/folder/.out-4f1c.part"}
    {"event": "progress", "job": "1", "stage": "...", "done": 3, "total": 24, "eta": 1.5}
    {"event": "preview", "job": "1", "take": 0, "start": 0.0, "seconds": 1.0, ...}
    {"event": "done", "job": "1", "result": {...}}
    {"event": "error", "job": "1", "message": "...", "kind": "MediaError", "exit_code": 2}
    {"event": "cancelled", "job": "1"}

``kind`` says what the request is: "generate" (`jobs.request`), "deliver" (`jobs.deliver_request`)
or "spatialize" (`jobs.spatialize_request`). ``temporary`` is the folder to remove should the worker
be killed. Every job ends in exactly one of done, error and cancelled; jobs run one after another,
in order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PROTOCOL = 2

READY, STARTED, PROGRESS, PREVIEW = "ready", "started", "progress", "preview"
DONE, ERROR, CANCELLED = "done", "error", "cancelled"
DIED = "died"  # made by the client: the worker's process has ended unasked
FINAL = (DONE, ERROR, CANCELLED)

RUN, CANCEL, UNLOAD, CLOSE = "run", "cancel", "unload", "close"


@dataclass(frozen=True)
class Event:
    """Something the worker said, or that happened to it. ``data`` holds the other fields."""

    kind: str
    job: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether the job is over with this."""
        return self.kind in FINAL


def encode(message: dict[str, Any]) -> bytes:
    """One line, in ASCII: names of files that are no UTF-8 (lone surrogates) pass unchanged."""
    return json.dumps(message).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The object in a line, or None where it holds none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
