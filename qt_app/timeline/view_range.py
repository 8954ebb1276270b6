"""Which part of the clip is on screen: times to pixels and back. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace

MIN_SECONDS_PER_PIXEL = 0.0005
"""The deepest zoom: a millisecond is two pixels."""


@dataclass(frozen=True)
class ViewRange:
    """A window on the clip.

    Use :meth:`fitted` to make the first one; every method keeps the window inside the clip.

    Parameters
    ----------
    duration
        Of the clip, seconds, at least 0.
    width
        Of the lanes, logical pixels, at least 1.
    start
        Time at the left edge, seconds.
    scale
        Seconds per pixel.
    """

    duration: float
    width: int
    start: float
    scale: float

    @classmethod
    def fitted(cls, duration: float, width: int) -> ViewRange:
        """The whole clip."""
        duration, width = max(0.0, duration), max(1, width)
        return cls(duration, width, 0.0, _widest(duration, width))

    @property
    def end(self) -> float:
        """Time at the right edge, seconds; beyond the clip where that is very short."""
        return self.start + self.width * self.scale

    @property
    def is_fitted(self) -> bool:
        """Whether the whole clip is on screen."""
        return self.scale >= _widest(self.duration, self.width)

    def time_at(self, x: float) -> float:
        """Seconds at pixel ``x`` (0: the left edge). Not limited to the clip."""
        return self.start + x * self.scale

    def x_at(self, time: float) -> float:
        """Pixel of a time; outside [0, width] when it is not on screen."""
        return (time - self.start) / self.scale

    def clip_time_at(self, x: float) -> float:
        """Seconds at pixel ``x``, inside the clip."""
        return min(max(self.time_at(x), 0.0), self.duration)

    def zoomed(self, factor: float, x: float) -> ViewRange:
        """Zoom in by ``factor`` (out below 1); the time under pixel ``x`` stays there.

        Zooming out near an end of the clip moves the picture so that nothing beyond is shown.
        """
        scale = self.scale / factor
        scale = min(max(scale, MIN_SECONDS_PER_PIXEL), _widest(self.duration, self.width))
        return replace(self, start=self.time_at(x) - x * scale, scale=scale)._inside()

    def scrolled(self, pixels: float) -> ViewRange:
        """Later by ``pixels``."""
        return replace(self, start=self.start + pixels * self.scale)._inside()

    def starting(self, start: float) -> ViewRange:
        """The same zoom, from ``start`` seconds on."""
        return replace(self, start=start)._inside()

    def showing(self, start: float, end: float) -> ViewRange:
        """Exactly ``start`` to ``end``, as far as the deepest zoom allows."""
        scale = max((end - start) / self.width, MIN_SECONDS_PER_PIXEL)
        scale = min(scale, _widest(self.duration, self.width))
        middle = (start + end) / 2
        return replace(self, start=middle - self.width * scale / 2, scale=scale)._inside()

    def resized(self, width: int) -> ViewRange:
        """For lanes of another width: the same zoom, or the whole clip if that was shown."""
        width = max(1, width)
        if self.is_fitted:
            return ViewRange.fitted(self.duration, width)
        scale = min(self.scale, _widest(self.duration, width))
        return replace(self, width=width, scale=scale)._inside()

    def contains(self, time: float) -> bool:
        """Whether a time is on screen."""
        return self.start <= time <= self.end

    def _inside(self) -> ViewRange:
        latest = max(0.0, self.duration - self.width * self.scale)
        return replace(self, start=min(max(self.start, 0.0), latest))


def _widest(duration: float, width: int) -> float:
    return max(duration / width, MIN_SECONDS_PER_PIXEL)
