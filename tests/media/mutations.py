"""Files broken at random, and everything that reads or marks containers let loose on them.

`main` is for a process of its own, whose memory and time are its own too.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from omniaudio_studio.errors import OmniAudioError
from omniaudio_studio.media import marking, matroska, spherical
from omniaudio_studio.media.ambisonics import ambisonics_box, read_ambisonics
from omniaudio_studio.media.boxes import edits, read_moov, top_boxes, tracks
from omniaudio_studio.media.stated import stated_convention

_NAMES = (
    b"moov trak mdia minf stbl stsd stco co64 hdlr tkhd mvhd edts elst avc1 mp4a moof traf tfhd "
    b"mfra tfra sidx uuid free mdat SA3D sv3d st3d proj prhd equi chan wave data chna bext ds64"
).split() + [bytes.fromhex(name) for name in ("18538067", "114d9b74", "1654ae6b", "7670", "53b8")]
_SIZES = (0, 1, 7, 8, 9, 15, 16, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A copy of a file with one to eight things wrong, most of them in its boxes."""
    broken = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        if len(broken) < 32:
            break
        last = len(broken) - 16
        names = [at for name in _NAMES if 4 <= (at := broken.find(name)) < last]
        at = int(rng.choice(names)) if names and rng.random() < 0.7 else -1
        kind = rng.integers(9)
        if at < 0:
            at = int(rng.integers(4, last))
        if kind == 0:  # one bit
            broken[at + int(rng.integers(-4, 12))] ^= 1 << int(rng.integers(8))
        elif kind == 1:  # a size
            struct.pack_into(">I", broken, at - 4, int(rng.choice(_SIZES)))
        elif kind == 2:  # a size of 64 bits
            struct.pack_into(">I", broken, at - 4, 1)
            long = int(rng.choice([0, 8, 16, 2**32, 2**63 - 1])) + int(rng.integers(0, 64))
            struct.pack_into(">Q", broken, at + 4, long)
        elif kind == 3:  # a size a little off
            (size,) = struct.unpack_from(">I", broken, at - 4)
            struct.pack_into(">I", broken, at - 4, (size + int(rng.integers(-20, 20))) % 2**32)
        elif kind == 4:  # another name
            broken[at : at + 4] = _NAMES[int(rng.integers(len(_NAMES)))]
        elif kind == 5:  # cut off
            del broken[int(rng.integers(len(broken))) :]
        elif kind == 6:  # something twice, inside itself
            length = int(rng.integers(8, 600))
            broken[at + 4 : at + 4] = broken[at - 4 : at - 4 + length]
        elif kind == 7:  # something gone
            del broken[at - 4 : at - 4 + int(rng.integers(1, 64))]
        else:  # noise
            length = int(rng.integers(1, 32))
            broken[at : at + length] = rng.bytes(length)
    return bytes(broken)


def everything(path: Path, folder: Path) -> dict[str, Callable[[], object]]:
    """All that is done to a container, by name; none of it may change ``path`` but the last two."""
    said = spherical.SphericalBoxes("equirectangular", "top-bottom", 10.0)
    boxes, sound, out = said.as_boxes(), ambisonics_box(), folder / "out.mp4"

    def lists() -> object:
        moov = read_moov(path)
        return [] if moov is None else [edits(moov, track) for track in tracks(moov)]

    def outermost() -> object:
        with path.open("rb") as file:
            return list(top_boxes(file))

    return {
        "top_boxes": outermost,
        "edits": lists,
        "read_spherical": lambda: spherical.read_spherical(path),
        "read_ambisonics": lambda: read_ambisonics(path),
        "stated_convention": lambda: stated_convention(path),
        "matroska": lambda: (matroska.read_spherical(path), matroska.projection_type(path)),
        "patch": lambda: marking.patch(path, out, boxes, sound, overwrite=True),
        "patch picture": lambda: marking.patch(path, out, boxes, overwrite=True),
        "mark": lambda: marking.mark_in_place(path, boxes, sound),
        "mark matroska": lambda: matroska.mark_in_place(path, replace(said, yaw=-20.0)),
    }


def main(folder: str | Path, count: int, seed: int, sources: Sequence[str | Path]) -> None:
    """Break the files ``count`` times in all, and print how many calls had an answer.

    Raises
    ------
    AssertionError
        If an input was changed, or an error is not one line.
    Exception
        What else but a clear error left a function; the file is kept as ``fell.*``.
    """
    folder = Path(folder)
    rng = np.random.default_rng(seed)
    originals = [(Path(source).suffix, Path(source).read_bytes()) for source in sources]
    done = 0
    for number in range(count):
        suffix, data = originals[number % len(originals)]
        path = folder / f"broken{suffix}"
        broken = mutated(data, rng)
        path.write_bytes(broken)
        for name, work in everything(path, folder).items():
            if path.read_bytes() != broken and not name.startswith("mark"):
                raise AssertionError(f"{name} changed its input (number {number})")
            try:
                work()
                done += 1
            except OmniAudioError as error:
                if "\n" in str(error):
                    raise AssertionError(f"{name}: {error!r} is not one line") from error
            except Exception:
                print(f"{name} fell over number {number} of seed {seed}", file=sys.stderr)
                (folder / f"fell{suffix}").write_bytes(broken)
                raise
    print(done)
