"""Whether the sound is still in step with the frames. Plain numbers, no bpy."""

from __future__ import annotations

from collections import deque

LIMIT = 0.04  # seconds off on average: lips and hands are seen to be off from there on
JUMP = 0.2  # seconds off at once: the playhead was moved, or began again
# Frames the average is taken over: the device reads whole buffers of up to 43 ms, so that a single
# position says little.
FRAMES = 8


class Sync:
    """Watches how far the sound is off, frame by frame."""

    def __init__(self) -> None:
        self._off: deque[float] = deque(maxlen=FRAMES)

    def lost(self, off: float) -> bool:
        """Whether the sound has to be moved to where the frames are.

        Parameters
        ----------
        off : float
            Seconds by which the sound is ahead at this frame.
        """
        self._off.append(off)
        mean = sum(self._off) / len(self._off)
        lost = abs(off) > JUMP or (len(self._off) == FRAMES and abs(mean) > LIMIT)
        if lost:
            self._off.clear()
        return lost

    def reset(self) -> None:
        """Forget the frames so far: the sound was moved."""
        self._off.clear()
