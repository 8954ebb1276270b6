"""How loud a sound is: as a meter says, and as one compares."""

from __future__ import annotations

import math
from typing import Any

from omniaudio_studio.media.loudness import LoudnessMeter


def loudness_facts(meter: LoudnessMeter, channels: int) -> dict[str, Any]:
    """``loudness`` and ``level`` in LUFS, each None for silence or less than 0.4 s.

    ``loudness`` is BS.1770's: of W as a mono signal, of a mono file, or of both channels of a
    stereo file together. ``level`` is what sounds are matched by: what one ear gets. A mono signal
    and a field's W reach both ears, while BS.1770 counts them once, so stereo with the same signal
    left and right is 10 lg 2 = 3 dB louder to the meter than mono and yet sounds the same.

    Ends the measuring.
    """
    loudness = meter.integrated()
    if not math.isfinite(loudness):
        return {"loudness": None, "level": None}
    both = 10 * math.log10(2) if channels == 2 else 0.0
    return {"loudness": loudness, "level": loudness - both}
