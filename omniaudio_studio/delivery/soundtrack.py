"""The sound of a video file: what it is encoded as, and the encoder at work."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet

RATE = 48_000
"""Samples a second of what players and YouTube take."""


@dataclass(frozen=True)
class SoundFormat:
    """How sound is stored.

    Parameters
    ----------
    name : str
        For people.
    codec : str
        libav's encoder.
    layout : str
        libav's channel layout. AAC keeps the order of the channels in "4.0" alone: in a "quad",
        players mix left and right alike.
    samples : {"s32", "flt", "fltp"}
        What the encoder takes.
    bit_rate : int, optional
        Bits a second; None where the codec loses nothing.
    options : tuple of (str, str)
        For the encoder.
    """

    name: str
    codec: str
    layout: str
    samples: str
    bit_rate: int | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def lossless(self) -> bool:
        """Whether what is decoded is what was written, in 24 bits."""
        return self.bit_rate is None


PCM_FIELD = SoundFormat("PCM, 24 bits", "pcm_s24le", "ambisonic 1", "s32")
PCM_BED = SoundFormat("PCM, 24 bits", "pcm_s24le", "ambisonic 1+stereo", "s32")
"""With two channels of head-locked stereo behind the field's four."""
FLAC_FIELD = SoundFormat("FLAC, 24 bits", "flac", "4.0", "s32")
# libav cuts AAC off at 20 kHz by itself; its slower coders are worse at this rate.
AAC_FIELD = SoundFormat(
    "AAC, 512 kb/s", "aac", "4.0", "fltp", 512_000, (("aac_coder", "fast"), ("cutoff", "22000"))
)
# With a variable rate, quiet channels would bring a file under the rate that YouTube asks for.
_OPUS = (("mapping_family", "2"), ("vbr", "off"))
OPUS_FIELD = SoundFormat("Opus, 512 kb/s", "libopus", "ambisonic 1", "flt", 512_000, _OPUS)
OPUS_BED = SoundFormat("Opus, 768 kb/s", "libopus", "ambisonic 1+stereo", "flt", 768_000, _OPUS)
# Without intensity stereo, which would give one ear the other's sound.
AAC_STEREO = SoundFormat(
    "AAC, 320 kb/s", "aac", "stereo", "fltp", 320_000, (("aac_coder", "fast"), ("aac_is", "0"))
)


class SoundTrack:
    """Encodes sound into a stream of an output, from time 0 on.

    Parameters
    ----------
    container : OutputContainer
        Not yet started.
    form : SoundFormat
    rate : int
        Samples a second.

    Attributes
    ----------
    samples : int
        Per channel, taken so far.
    beyond : int
        Values beyond full scale so far: 24 bits hold full scale in their place, and players cut
        them off elsewhere.
    """

    def __init__(self, container: OutputContainer, form: SoundFormat, rate: int) -> None:
        from av.stream import Disposition

        self.form, self.rate = form, rate
        self.samples = self.beyond = 0
        stream: Any = container.add_stream(form.codec, rate, options=dict(form.options))
        stream.layout = form.layout
        stream.format = form.samples
        if form.bit_rate is not None:
            stream.bit_rate = form.bit_rate
        stream.disposition = Disposition.default
        self._stream = stream

    def encode(self, block: NDArray[np.float32]) -> list[Packet]:
        """The packets that ``block``, float32 (channels, n), completes; full scale is 1."""
        import av

        self.beyond += int(np.count_nonzero(np.abs(block) > 1))
        data: NDArray[Any] = block if self.form.samples.endswith("p") else block.T.reshape(1, -1)
        if self.form.samples == "s32":
            data = as_24_bits(data) << 8
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(data), format=self.form.samples, layout=self.form.layout
        )
        frame.sample_rate = self.rate
        frame.time_base = Fraction(1, self.rate)
        frame.pts = self.samples
        self.samples += block.shape[1]
        packets: list[Packet] = self._stream.encode(frame)
        return packets

    def finish(self) -> list[Packet]:
        """The packets that the encoder still holds."""
        packets: list[Packet] = self._stream.encode(None)
        return packets


def as_24_bits(samples: NDArray[np.float32]) -> NDArray[np.int32]:
    """Whole numbers -2**23 .. 2**23 - 1 nearest to float samples, as `media.wav` writes them."""
    scaled = np.rint(samples.astype(np.float64) * 2**23)
    return np.clip(scaled, -(2**23), 2**23 - 1).astype(np.int32)
