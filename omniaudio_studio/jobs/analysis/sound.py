"""The clip's own sound as a WAV that can be played from anywhere in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.convention import to_ambix
from omniaudio_studio.jobs.analysis.cache import cached
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.audio import iter_audio
from omniaudio_studio.media.loudness import LoudnessMeter
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import WavWriter

RATE = 48_000


def answer(context: Context, path: str) -> dict[str, Any]:
    """A float32 WAV at 48 kHz, aligned to the picture and as long as it.

    ``channels`` is 1, 2 or (``ambisonic``, AmbiX) 4; more channels are mixed down to two; the
    loudness is in LUFS, of the mean of the channels (of W of a field), None for silence.

    Raises
    ------
    MediaError
        If the clip has no sound.
    """
    info = probe(path)
    if info.audio is None:
        raise MediaError(f"{Path(path).name} has no sound of its own")
    ambisonic = info.audio.ambisonic and info.audio.channels >= 4
    samples = info.samples(RATE)

    def make(file: Path) -> dict[str, Any]:
        channels = 4 if ambisonic else min(info.audio.channels, 2) if info.audio else 1
        meter = LoudnessMeter(RATE)
        done = 0
        with WavWriter(file, RATE, channels, "float32") as writer:
            for block in iter_audio(info, RATE, 0.0, info.duration, 1 << 16):
                context.cancel.check()
                if ambisonic:
                    block = to_ambix(block[:4], "ambix")
                elif block.shape[0] > 2:
                    block = block[:2] if block.shape[0] == 3 else _folded(block)
                writer.write(block)
                meter.push(block[0] if ambisonic else block.mean(axis=0))
                done += block.shape[1]
                context.progress(done / max(samples, 1))
        loudness = meter.integrated()
        return {
            "channels": channels,
            "ambisonic": ambisonic,
            "loudness": loudness if loudness > float("-inf") else None,
        }

    wav, facts = cached("sound", Path(path), ".wav", make)
    return {**facts, "wav": str(wav), "rate": RATE, "samples": samples}


def _folded(block: Any) -> Any:
    """Left and right of a surround layout: even channels left, odd right, at equal power."""
    left, right = block[0::2], block[1::2]
    import numpy as np

    pair = [left.sum(axis=0) / left.shape[0] ** 0.5, right.sum(axis=0) / right.shape[0] ** 0.5]
    return np.stack(pair).astype(np.float32)
