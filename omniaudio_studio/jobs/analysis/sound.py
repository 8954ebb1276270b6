"""The clip's own sound as a WAV that can be played from anywhere in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError
from omniaudio_studio.jobs.analysis.cache import cached
from omniaudio_studio.jobs.analysis.levels import loudness_facts
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.ambisonics import read_ambisonics
from omniaudio_studio.media.audio import iter_audio
from omniaudio_studio.media.container import audio_stream, open_input
from omniaudio_studio.media.loudness import LoudnessMeter
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.wav import WavWriter

RATE = 48_000
_BLOCK = 1 << 16
_CENTRE = 0.5**0.5

Array = NDArray[np.float32]


def answer(context: Context, path: str) -> dict[str, Any]:
    """A float32 WAV at 48 kHz, sample 0 at the first picture, as long as the pictures.

    ``channels`` is 1, 2, or (``ambisonic``: AmbiX) 4; other layouts are mixed down to stereo.
    ``loudness`` and ``level`` as in `levels.loudness_facts`.

    Raises
    ------
    MediaError
        If the clip has no sound.
    """
    # The file first: what was made before is found without opening the clip.
    wav, facts = cached("sound", Path(path), ".wav", lambda file: _make(context, path, file))
    return {**facts, "wav": str(wav), "rate": RATE}


def _make(context: Context, path: str, file: Path) -> dict[str, Any]:
    info = probe(path)
    if info.audio is None:
        raise MediaError(f"{Path(path).name} has no sound of its own")
    mix, ambisonic = _mix(info)
    channels, wanted = len(mix), info.samples(RATE)
    straight = mix.shape[0] == mix.shape[1] and bool((mix == np.eye(len(mix))).all())
    meter = LoudnessMeter(RATE, 2 if channels == 2 else 1)
    with WavWriter(file, RATE, channels, "float32") as writer:
        track = {"channels": _most(info), "number": _number(info)}
        for block in iter_audio(info, RATE, 0.0, info.duration, _BLOCK, **track):
            context.cancel.check()
            if not np.isfinite(block).all():
                block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
            if not straight:
                block = mix @ block
            writer.write(block)
            meter.push(block[0] if ambisonic else block)
            context.progress(writer.frames / max(wanted, 1))
    return {
        "channels": channels,
        "ambisonic": ambisonic,
        "samples": writer.frames,
        "seconds": writer.frames / RATE,
        **loudness_facts(meter, channels),
    }


def _most(info: ClipInfo) -> int:
    """Channels that a track is preferred for: a field where the clip says that it has one."""
    return 4 if info.audio is not None and info.audio.ambisonic else 0


def _number(info: ClipInfo) -> int:
    """The track that is marked as a field; 0 for none."""
    if info.audio is None or not info.audio.ambisonic:
        return 0
    boxes = read_ambisonics(info.path)
    return 0 if boxes is None else boxes.number


def _mix(info: ClipInfo) -> tuple[Array, bool]:
    """Matrix from the track's channels to those of the WAV, and whether those are a field."""
    with open_input(info.path) as container:
        stream = audio_stream(container, channels=_most(info), number=_number(info))
        assert stream is not None  # the clip has sound
        names = [channel.name for channel in stream.layout.channels] or ["?"] * stream.channels
    count = len(names)
    if info.audio is not None and info.audio.ambisonic and count >= 4:
        boxes = read_ambisonics(info.path)
        order = (0, 1, 2, 3) if boxes is None else boxes.tracks[:4]
        if max(order) >= count:
            raise MediaError(f"{info.path}: its SA3D box names channels that its sound has not")
        return np.eye(count, dtype=np.float32)[list(order)], True
    if count <= 2:
        return np.eye(count, dtype=np.float32), False
    return downmix(names), False


def downmix(names: list[str]) -> Array:
    """Stereo of loudspeaker channels (2, channels), by libav's names for them.

    Front channels as they are, centre and surround at -3 dB, no low-frequency effects (ITU-R
    BS.775), all scaled so that full scale stays full scale.
    """
    mix = np.zeros((2, len(names)), np.float32)
    for column, name in enumerate(names):
        if name.startswith("LFE"):
            continue
        weight = 1.0 if name in ("FL", "FR") else _CENTRE
        # FLC and FRC stand between the centre and the left or right.
        left, right = name.rstrip("C").endswith("L"), name.rstrip("C").endswith("R")
        if left or not right:
            mix[0, column] = weight
        if right or not left:
            mix[1, column] = weight
    return np.asarray(mix / max(1.0, float(mix.sum(axis=1).max())), np.float32)
