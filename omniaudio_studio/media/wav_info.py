"""The ``LIST`` chunk ``INFO`` of WAV files: what any player shows of a file.

Source: IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991),
"LIST chunk" and "INFO list": texts end with a zero and are padded to even lengths.
"""

from __future__ import annotations

import struct

COMMENT, SOFTWARE = b"ICMT", b"ISFT"


def info_chunk(texts: dict[bytes, str]) -> tuple[bytes, bytes]:
    """Name and content of the chunk, as `media.wav.WavWriter` takes them; UTF-8."""
    parts = [b"INFO"]
    for name, text in texts.items():
        value = text.encode() + b"\0"
        parts.append(struct.pack("<4sI", name, len(value)) + value + b"\0" * (len(value) % 2))
    return b"LIST", b"".join(parts)
