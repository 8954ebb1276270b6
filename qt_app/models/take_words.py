"""Takes in words: for the list, for tooltips and for screen readers."""

from __future__ import annotations

import math

from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from qt_app.models.take import Take, TakeState

METHOD_WORDS = {
    "automatic": "Found in the picture",
    "learned": "Found by the model",
    "given": "My markers",
}


def loudness_text(loudness: float | None) -> str:
    """ "-23.0 LUFS", "silent", or nothing before it was measured."""
    if loudness is None:
        return ""
    return "silent" if loudness == -math.inf else f"{loudness:.1f} LUFS"


def badges(take: Take) -> list[tuple[str, str]]:
    """What must not be overlooked: (text, theme colour of its fill)."""
    found = []
    if take.state is TakeState.MISSING:
        found.append(("File is gone", "error fill"))
    if take.state is TakeState.CHANGED:
        found.append(("Changed since", "error fill"))
    if take.demonstration:
        found.append(("Demonstration", "info fill"))
    if take.commercial is False:
        found.append(("No commercial use", "warning fill"))
    return found


def facts(take: Take) -> list[str]:
    """What made it, in a few words each: seed and CFG, or how directions were had."""
    request = take.request
    if not isinstance(request, SpatializeRequest):
        return [f"Seed {take.seed}"] + ([] if take.cfg is None else [f"CFG {take.cfg:g}"])
    count = len(take.sources)
    number = "1 source" if count == 1 else f"{count} sources"
    how = METHOD_WORDS[request.method]
    if request.method == "given" or take.confidence is None:
        return [how, number]
    return [how, number, f"{100 * take.confidence:.0f} % sure"]


def part_text(take: Take) -> str:
    """ "3.0 to 7.5 s again", where a part was rolled again."""
    if isinstance(take.request, SpatializeRequest):
        return ""
    span = take.request.base_range
    return "" if span is None else f"{span[0]:.1f} to {span[1]:.1f} s again"


def describe(take: Take) -> str:
    """Everything that is known of a take, in lines, and what makes it again."""
    request = take.request
    lines = [
        str(take.wav),
        f"{take.bundle_title}: {', '.join(_details(take))}",
        f"{request.start:.2f} to {take.end:.2f} s of the clip, made {take.created:%Y-%m-%d %H:%M}",
    ]
    if take.demonstration:
        lines.append("Made by a demonstration model: it shows the way, not the quality to expect")
    if take.commercial is False:
        lines.append(f"The model's licence ({take.licence}) forbids commercial use")
    if (part := part_text(take)) and isinstance(request, GenerateRequest):
        lines.append(f"{part}; the rest is {request.base_take and request.base_take.name}")
    lines.append(
        {
            TakeState.UNCHECKED: "The file has not been compared with its sidecar yet",
            TakeState.MATCHES: "The file is as it was written",
            TakeState.CHANGED: "The file is no longer as it was written",
            TakeState.MISSING: "The sound file is gone; the command makes it again",
        }[take.state]
    )
    lines += [f"Note: {warning}" for warning in take.warnings]
    lines += ["Makes it again:", take.command()]
    return "\n".join(lines)


def spoken(take: Take) -> str:
    """A take in one sentence, for a screen reader."""
    parts = [take.title, *_lower(facts(take))]
    parts += [text for text, _ in badges(take)]
    parts += [name for name, on in (("starred", take.starred), ("kept", take.kept)) if on]
    if loudness := loudness_text(take.loudness):
        parts.append(loudness)
    return ", ".join(parts)


def _details(take: Take) -> list[str]:
    return _lower(facts(take)) + ([] if take.steps is None else [f"{take.steps} steps"])


def _lower(words: list[str]) -> list[str]:
    return [word if word.startswith("CFG") else word[:1].lower() + word[1:] for word in words]
