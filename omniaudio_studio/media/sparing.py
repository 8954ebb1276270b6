"""Pictures that nobody asks for and no other picture is made from are not decoded."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_REORDER = 16
"""Packets after which, at the latest, comes the picture that is shown next (H.264 and HEVC)."""

Needed = Callable[[int, int | None], bool]
"""Whether a picture is wanted that is shown from one timestamp up to another; None: to the end."""


def sparing(packets: Iterator[Packet], stream: VideoStream, needed: Needed) -> Iterator[Packet]:
    """The same packets, with the decoder told before each whether its picture is needed.

    What is decoded is what it would be without: the decoder leaves out only pictures that no other
    refers to, and those of the first packets, and any whose timestamps are in doubt, it is told to
    keep. A decoder that cannot tell decodes all.

    Parameters
    ----------
    packets
        In the order of decoding, from a place where decoding can begin. Some are read ahead.
    stream
        Their stream; its decoder is given each packet before the next is asked for.
    needed
        Asked with timestamps in the stream's time base.
    """
    ahead: deque[Packet] = deque()
    known: list[int] = []  # sorted timestamps of the packets ahead and of as many before
    order: deque[int] = deque()  # the same in the order of decoding
    begun = 0

    def told(packet: Packet, ended: bool) -> Packet:
        nonlocal begun
        begun += 1
        keep = True
        if begun > _REORDER and packet.pts is not None:
            after = bisect.bisect_right(known, packet.pts)
            if after < len(known):
                keep = needed(packet.pts, known[after])
            elif ended:
                keep = needed(packet.pts, None)
        stream.codec_context.skip_frame = "DEFAULT" if keep else "NONREF"
        return packet

    for packet in packets:
        ahead.append(packet)
        if packet.pts is not None:
            bisect.insort(known, packet.pts)
            order.append(packet.pts)
            if len(order) > 3 * _REORDER:
                del known[bisect.bisect_left(known, order.popleft())]
        if len(ahead) > _REORDER:
            yield told(ahead.popleft(), False)
    while ahead:
        yield told(ahead.popleft(), True)
