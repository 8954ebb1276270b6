"""Broken containers: a clear error or an answer, never a crash, a hang or much memory."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media import marking, matroska
from omniaudio_studio.media.ambisonics import ambisonics_box, read_ambisonics
from omniaudio_studio.media.boxes import MOOV_LIMIT, box, read_moov, top_boxes, tracks
from omniaudio_studio.media.spherical import SphericalBoxes, read_spherical, spherical_boxes
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip

ROOT = Path(__file__).parents[2]
SHOWN = [Fraction(k, 30) for k in range(3)]
MOST_MEMORY = 300 * 10**6


def make_sources(folder: Path) -> list[Path]:
    """A small file of every kind, marked."""
    sound = np.zeros((4, 4800), np.float32)
    made = [
        make_clip(folder / "plain.mp4", SHOWN, sound=sound),
        make_clip(folder / "front.mp4", SHOWN, sound=sound, options={"movflags": "faststart"}),
        make_clip(
            folder / "pieces.mp4",
            SHOWN,
            sound=sound,
            gop=1,
            options={"movflags": "frag_keyframe+empty_moov"},
        ),
        make_clip(folder / "master.mov", SHOWN, sound=sound, sound_codec="pcm_s24le"),
        make_clip(folder / "a.mkv", SHOWN, sound=sound, sound_codec="flac"),
        folder / "a.wav",
    ]
    for path in (made[0], made[3]):
        marking.mark_in_place(path, spherical_boxes("left-right"), ambisonics_box())
    matroska.mark_in_place(made[4], SphericalBoxes("equirectangular", "mono", 5.0))
    write_wav(made[5], sound, 48000)
    return made


def in_a_child(code: str) -> tuple[str, int]:
    """What a program printed, and the most memory it had, in bytes (0 where nobody says)."""
    status = "import sys\nif sys.platform == 'linux': print(open('/proc/self/status').read())\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{status}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    return done.stdout, 0 if peak is None else int(peak.group(1)) * 1024


def test_thousands_of_broken_files(tmp_path: Path) -> None:
    sources = [str(path) for path in make_sources(tmp_path)]
    work = tmp_path / "work"
    work.mkdir()
    code = f"from tests.media.mutations import main\nmain({str(work)!r}, 1200, 8, {sources})\n"
    out, peak = in_a_child(code)
    assert int(out.split()[0]) > 4000  # most calls have an answer: the files are not all rubbish
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("claimed", [MOOV_LIMIT + 1, 2**40, 2**63])
def test_an_index_larger_than_any(tmp_path: Path, claimed: int) -> None:
    """The file is sparse: nothing of it is read."""
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"moov", claimed))
    os.truncate(path, min(claimed + 32, 2**33))
    for work in (
        lambda: read_spherical(path),
        lambda: read_ambisonics(path),
        lambda: marking.patch(path, tmp_path / "b.mp4", spherical_boxes()),
        lambda: marking.mark_in_place(path, spherical_boxes()),
    ):
        with pytest.raises(MediaError, match=r"its index .* claims"):
            work()
    assert not (tmp_path / "b.mp4").exists()


def test_boxes_inside_themselves(tmp_path: Path) -> None:
    """A moov in a moov in a moov, and a row of boxes without an end."""
    path = tmp_path / "a.mp4"
    nested = b""
    for _ in range(5000):
        nested = box(b"moov", nested)
    path.write_bytes(nested)
    assert read_spherical(path) is None and read_ambisonics(path) is None
    moov = read_moov(path)
    assert moov is not None and list(tracks(moov)) == []
    tiny = box(b"free", b"") * 300_000
    path.write_bytes(box(b"moov", box(b"trak", tiny)))
    assert read_spherical(path) is None
    path.write_bytes(tiny + nested)
    with path.open("rb") as file:
        assert len(list(top_boxes(file))) == 1 << 18
    with pytest.raises(MediaError, match="more than 262144 outermost boxes"):
        marking.patch(path, tmp_path / "b.mp4", spherical_boxes())


def test_files_cut_off_anywhere(tmp_path: Path) -> None:
    """Cut at every 193rd byte: read, or refused in one line."""
    out = tmp_path / "b.mp4"
    for source in make_sources(tmp_path)[:5]:
        data = source.read_bytes()
        path = tmp_path / f"cut{source.suffix}"
        for end in range(0, len(data), 193):
            path.write_bytes(data[:end])
            read_spherical(path)
            matroska.read_spherical(path)
            try:
                marking.patch(path, out, spherical_boxes(), overwrite=True)
            except MediaError as error:
                assert "\n" not in str(error)


def test_a_large_index_takes_little_memory(tmp_path: Path) -> None:
    """An index as large as is read, most of it a table of chunks, in front of its media."""
    source = make_clip(tmp_path / "a.mp4", SHOWN, options={"movflags": "faststart"})
    data = source.read_bytes()
    with source.open("rb") as file:
        rows = {row.kind: row for row in top_boxes(file)}
    moov = bytearray(data[rows[b"moov"].start : rows[b"moov"].end])
    track = next(tracks(moov))
    (table,) = track.offsets
    more = MOOV_LIMIT - len(moov) - 100
    more -= more % 4
    struct.pack_into(">I", moov, table.body + 4, (table.size - table.header - 8 + more) // 4)
    for outer in (*track.around[:-1], table):
        (size,) = struct.unpack_from(">I", moov, outer.start)
        struct.pack_into(">I", moov, outer.start, size + more)
    path = tmp_path / "large.mp4"
    with path.open("wb") as writer:
        writer.write(data[: rows[b"moov"].start] + moov[: table.end])
        writer.write(struct.pack(">I", 2**20) * (more // 4))
        writer.write(moov[table.end :] + data[rows[b"moov"].end :])
    target = tmp_path / "b.mp4"
    code = (
        "from omniaudio_studio.media.marking import patch\n"
        "from omniaudio_studio.media.spherical import spherical_boxes\n"
        f"patch({str(path)!r}, {str(target)!r}, spherical_boxes())\n"
    )
    _, peak = in_a_child(code)
    assert peak < MOST_MEMORY
    with target.open("rb") as file:
        size = next(row.size for row in top_boxes(file) if row.kind == b"moov")
    assert size == len(moov) + more + len(spherical_boxes())
