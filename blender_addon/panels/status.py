"""The button, the progress, and what became of the last run."""

from __future__ import annotations

from typing import Any

from .. import compat, spatializing
from ..clips import Source
from ..drawing import lines
from ..jobs import ADVICE, DONE, FAILED, Task, runner


def draw(layout: Any, scene: Any, clip: Source | None) -> None:
    """Generate, place or cancel, the bar with its estimate, and the last message.

    ``clip`` is the one that is meant, where there is one.
    """
    task = runner.of_scene(scene)
    if task is not None and task.running:
        _draw_running(layout, task)
        return
    row = layout.row()
    row.scale_y = 1.5
    row.operator("omniaudio.generate", icon="SPEAKER")
    refused = "" if clip is None else spatializing.refusal(scene, clip.clip)
    row = layout.row()
    row.enabled = not refused
    row.operator("omniaudio.place_own_sound", icon="PIVOT_CURSOR")
    if refused:
        lines(layout, refused, "INFO")
    if runner.blocked:
        lines(layout, ADVICE, "ERROR", alert=True)
        layout.operator("omniaudio.try_again", icon="FILE_REFRESH")
        layout.operator("omniaudio.open_log", icon="TEXT")
    elif task is not None and task.state == FAILED:
        lines(layout, task.message, "ERROR", alert=True)
        if getattr(task.error, "fps", None) is not None:
            layout.operator("omniaudio.match_fps", icon="TIME")
    elif task is not None:
        lines(layout, task.message, "CHECKMARK" if task.state == DONE else "INFO")


def _draw_running(layout: Any, task: Task) -> None:
    compat.progress(layout, task.fraction or 0.0, bar_text(task))
    row = layout.row(align=True)
    row.label(text=times(task), icon="SORTTIME")
    row.operator("omniaudio.cancel", icon="CANCEL")


def bar_text(task: Task) -> str:
    """What is being done, and how much of it is."""
    if task.fraction is None:
        return f"{task.stage} ..."
    return f"{task.stage} {100 * task.fraction:.0f} %"


def times(task: Task) -> str:
    """Since it began, and what is left."""
    text = f"{clock(task.seconds)} gone"
    return text if task.eta is None else f"{text}, {clock(task.eta)} left"


def clock(seconds: float) -> str:
    """12 s or 2:05 min."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02d} min"
