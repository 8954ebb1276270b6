"""Questions answered with real looks at files, in the test's own process and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.media.probe import probe


class Answers:
    """Keeps questions until :meth:`answer`; probes files for real.

    Parameters
    ----------
    template
        A probed clip whose facts stand for every file; each file is probed itself where None.
    """

    def __init__(self, template: Path | None = None) -> None:
        self.open: list[tuple[int, str, dict[str, Any], Callable, Callable | None]] = []
        self.counts: Counter[str] = Counter()
        self.most_open = 0
        self.cancelled: list[int] = []
        self._tickets = 0
        self._template = None if template is None else probe(template).as_dict()

    def ask(
        self,
        task: str,
        done: Callable[[Any], None],
        failed: Callable[[str], None] | None = None,
        *,
        priority: int = 0,
        progress: Callable[..., None] | None = None,
        **parameters: Any,
    ) -> int:
        self._tickets += 1
        self.counts[task] += 1
        self.open.append((self._tickets, task, parameters, done, failed))
        self.most_open = max(self.most_open, len(self.open))
        return self._tickets

    def cancel(self, ticket: int) -> None:
        self.cancelled.append(ticket)
        self.open = [question for question in self.open if question[0] != ticket]

    def asked(self) -> list[tuple[str, str]]:
        """(task, file name) of what waits for an answer."""
        return [(task, Path(p.get("path", "")).name) for _, task, p, _, _ in self.open]

    def answer(self, task: str | None = None) -> int:
        """Answer what is open now, and what that leads to; returns how many."""
        number = 0
        while True:
            ready = [q for q in self.open if task is None or q[1] == task]
            if not ready:
                return number
            question = ready[0]
            self.open.remove(question)
            self._answer(*question[1:])
            number += 1

    def _answer(
        self, task: str, parameters: dict[str, Any], done: Callable, failed: Callable | None
    ) -> None:
        try:
            answer = self._look(task, parameters)
        except OmniAudioError as error:
            if failed is not None:
                failed(str(error))
        else:
            done(answer)

    def _look(self, task: str, parameters: dict[str, Any]) -> Any:
        if task == "thumbnail":
            return {"image": parameters["path"] + ".jpg"}
        if task == "shots":
            from omniaudio_studio.engine.shots import find_shots

            info = probe(parameters["path"], parameters["projection"], parameters["stereo"])
            return {"starts": [shot.start for shot in find_shots(info)]}
        assert task == "probe", task
        if self._template is not None:
            return {**self._template, "path": parameters["path"]}
        info = probe(parameters["path"], parameters["projection"], parameters["stereo"])
        return info.as_dict()


def make_flat_clip(path: Path) -> Path:
    """A second of video in a shape that no sphere has."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for _ in range(12):
            image = np.full((90, 160, 3), 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def told(model: object) -> list[str]:
    """What a model's ``notice`` has said since the test opened it."""
    return model.told  # type: ignore[attr-defined]
