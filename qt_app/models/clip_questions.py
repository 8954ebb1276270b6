"""What is asked about clips' files: few questions at a time, what is seen first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from qt_app.models.clip import Clip

MAX_ASKED = 4
THUMBNAIL_WIDTH = 320
PROBE, THUMBNAIL = "probe", "thumbnail"
# Above the analysis of sound and shots; what is on screen above the rest.
_PRIORITY, _SEEN_PRIORITY = 10, 20


class Asks(Protocol):
    """Somebody who looks at files elsewhere and answers in the window's thread."""

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
        """Ask; exactly one of ``done`` and ``failed`` is called later."""
        ...

    def cancel(self, ticket: int) -> None:
        """Take a question back."""
        ...


class ClipQuestions:
    """Asks for what clips are and how they look, :data:`MAX_ASKED` at a time.

    Parameters
    ----------
    analysis
        Who answers.
    clip
        The clip of an id, None where it is gone.
    answered
        Called with a clip, the question and its answer.
    refused
        Called with a clip, the question and a line.
    """

    def __init__(
        self,
        analysis: Asks,
        clip: Callable[[int], Clip | None],
        answered: Callable[[Clip, str, Any], None],
        refused: Callable[[Clip, str, str], None],
    ) -> None:
        self._analysis, self._clip = analysis, clip
        self._answered, self._refused = answered, refused
        self._later: deque[int] = deque()  # to be looked at, in the list's order
        self._seen: dict[int, None] = {}  # on screen, the newest last
        self._asked: dict[tuple[int, str], None] = {}
        self._hopeless: set[tuple[int, str]] = set()  # thumbnails that cannot be made
        self.closed = False

    @property
    def open(self) -> int:
        """Questions under way."""
        return len(self._asked)

    def look_at(self, ids: Iterable[int]) -> None:
        """These have to be looked at."""
        self._later.extend(ids)
        self.go_on()

    def seen(self, number: int) -> None:
        """This one is on screen: what it lacks comes first."""
        clip = self._clip(number)
        if clip is None or self._lacks(clip) is None:
            return
        self._seen.pop(number, None)
        self._seen[number] = None
        self.go_on()

    def is_asked(self, number: int) -> bool:
        """Whether it is being looked at just now."""
        return (number, PROBE) in self._asked

    def renew(self, number: int) -> None:
        """Its file is another one: what could not be made before may be now."""
        self._hopeless.discard((number, THUMBNAIL))

    def go_on(self) -> None:
        """Ask as much as may be asked at once."""
        while not self.closed and len(self._asked) < MAX_ASKED:
            clip, what, priority = self._next()
            if clip is None or what is None:
                return
            self._ask(clip, what, priority)

    def _next(self) -> tuple[Clip | None, str | None, int]:
        while self._seen:
            number, _ = self._seen.popitem()
            clip = self._clip(number)
            if clip is not None and (what := self._lacks(clip)) is not None:
                return clip, what, _SEEN_PRIORITY
        while self._later:
            clip = self._clip(self._later.popleft())
            if clip is not None and self._lacks(clip) == PROBE:
                return clip, PROBE, _PRIORITY
        return None, None, 0

    def _lacks(self, clip: Clip) -> str | None:
        if clip.problem_kind in ("missing", "unreadable"):
            return None
        what = PROBE if clip.info is None else THUMBNAIL if clip.thumbnail is None else None
        if what is None or (clip.id, what) in self._asked or (clip.id, what) in self._hopeless:
            return None
        return what

    def _ask(self, clip: Clip, what: str, priority: int) -> None:
        self._asked[clip.id, what] = None
        meant = self._meant(clip)
        settings = clip.settings
        parameters: dict[str, Any] = {"path": str(clip.path)}
        if what == PROBE:
            parameters |= {"projection": settings.projection, "stereo": settings.stereo}
        else:
            parameters |= {"width": THUMBNAIL_WIDTH}

        def come(tell: Callable[[Clip, str, Any], None], answer: Any) -> None:
            self._asked.pop((clip.id, what), None)
            now = self._clip(clip.id)
            if self.closed:
                return
            if now is not None and self._meant(now) == meant:
                if tell is self._refused and what == THUMBNAIL:
                    self._hopeless.add((clip.id, what))
                tell(now, what, answer)
            elif now is not None:  # it was about the file or projection of before
                self._later.appendleft(clip.id)
            self.go_on()

        refused = self._refused
        self._analysis.ask(
            what,
            lambda answer: come(self._answered, answer),
            lambda message: come(refused, message),
            priority=priority,
            **parameters,
        )

    @staticmethod
    def _meant(clip: Clip) -> tuple[Any, ...]:
        return clip.path, clip.stamp, clip.settings.projection, clip.settings.stereo
