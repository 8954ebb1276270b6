"""Spherical metadata of Matroska and WebM."""

from __future__ import annotations

import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from omniaudio_studio.errors import MediaError
from omniaudio_studio.media import marking, matroska
from omniaudio_studio.media.matroska import mark_in_place, projection_type, read_spherical
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.spherical import SphericalBoxes, spherical_boxes
from omniaudio_studio.media.spherical import read_spherical as read_boxes
from tests.media.clips import make_clip

SHOWN = [Fraction(k, 30) for k in range(10)]
TURNED = SphericalBoxes("equirectangular", "top-bottom", 30.5, -10.0, 2.25, details=bytes(20))


def clip(path: Path) -> Path:
    codec = "libx264" if path.suffix == ".mkv" else "libvpx-vp9"
    return make_clip(
        path,
        SHOWN,
        codec=codec,
        encoder={} if codec == "libx264" else {"cpu-used": "8"},
        sound=np.zeros((2, 16000), np.float32),
        sound_codec="libopus",
    )


def contents(path: Path) -> list[tuple[str, int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(p.stream.type, p.pts, bytes(p)) for p in container.demux() if p.size]


def remuxed(path: Path, target: Path, **options: str) -> Path:
    with av.open(str(path)) as reader, av.open(str(target), "w", options=options) as writer:
        streams = {s.index: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                writer.mux(packet)
    return target


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_marked_in_place(tmp_path: Path, suffix: str) -> None:
    path = clip(tmp_path / f"a.{suffix}")
    assert read_spherical(path) is None
    before, packets = path.read_bytes(), contents(path)
    mark_in_place(path, TURNED)
    after = path.read_bytes()
    assert len(after) == len(before)
    # From the tags on, which stand behind the tracks, nothing has changed.
    tags = before.index(b"\x12\x54\xc3\x67", 200)
    assert after[tags:] == before[tags:]
    assert contents(path) == packets
    assert read_spherical(path) == TURNED
    info = probe(path)
    assert (info.projection_source, info.stereo, info.yaw) == ("metadata", "top-bottom", 30.5)
    # Again: replaced, and the room that is not needed any more stays free.
    mark_in_place(path, SphericalBoxes("equirectangular", "mono"))
    assert read_spherical(path) == SphericalBoxes("equirectangular", "mono", details=bytes(20))
    assert path.read_bytes()[tags:] == before[tags:]
    assert contents(path) == packets


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_contents_and_checksums_stay_true(tmp_path: Path, suffix: str) -> None:
    """Every place in the list of contents holds what the list says, every CRC-32 is right."""
    path = clip(tmp_path / f"a.{suffix}")
    mark_in_place(path, TURNED)
    data = path.read_bytes()
    with path.open("rb") as file:
        row = list(matroska._head(file))
    places = {element.start - row[0].start: element.name for element in row}
    (contents,) = (element for element in row if element.name == 0x114D9B74)
    listed = {}
    for seek in matroska._row(data, contents.body, contents.end):
        said = {e.name: data[e.body : e.end] for e in matroska._row(data, seek.body, seek.end)}
        if said.keys() == {0x53AB, 0x53AC}:
            listed[int.from_bytes(said[0x53AC], "big")] = int.from_bytes(said[0x53AB], "big")
    assert listed.keys() & places.keys() == {
        place for place, name in places.items() if name in (0x1549A966, 0x1654AE6B, 0x1254C367)
    }
    assert all(places[place] == name for place, name in listed.items() if place in places)
    checked = [e for e in row if data[e.body : e.body + 2] == b"\xbf\x84"]
    assert len(checked) == (4 if suffix == "mkv" else 0)
    for element in checked:
        body = data[element.body : element.end]
        assert zlib.crc32(body[6:]) == int.from_bytes(body[2:6], "little")


def test_between_the_containers(tmp_path: Path) -> None:
    """What an MP4 says, a mesh too, is what Matroska says, and back."""
    mp4 = make_clip(tmp_path / "a.mp4", SHOWN)
    details = bytes(4) + b"some mesh"
    for said in (
        TURNED,
        replace(TURNED, projection="cubemap", stereo="left-right", details=bytes(12)),
        replace(TURNED, projection="mesh", stereo="mono", details=details),
    ):
        marking.mark_in_place(mp4, said.as_boxes())
        mkv = clip(tmp_path / "a.mkv")
        found = read_boxes(mp4)
        assert found is not None
        mark_in_place(mkv, found)
        assert read_spherical(mkv) == said
        again = read_spherical(mkv)
        assert again is not None and again.as_boxes() == said.as_boxes()


def test_libav_takes_metadata_along_itself(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", SHOWN)
    marking.mark_in_place(source, spherical_boxes("left-right", yaw=30))
    path = remuxed(source, tmp_path / "b.mkv")
    found = read_spherical(path)
    assert found is not None
    assert (found.projection, found.stereo, found.yaw) == ("equirectangular", "left-right", 30)


def test_no_room(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv")
    before = path.read_bytes()
    with pytest.raises(MediaError, match="no room for"):
        mark_in_place(path, replace(TURNED, projection="mesh", details=bytes(500)))
    assert path.read_bytes() == before
    other = make_clip(tmp_path / "a.mp4", SHOWN)
    with pytest.raises(MediaError, match="no Matroska"):
        mark_in_place(other, TURNED)
    sound = tmp_path / "s.mkv"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", 48000)
        stream.layout = "mono"
        frame = av.AudioFrame(format="s16", layout="mono", samples=100)
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match="no video track"):
        mark_in_place(sound, TURNED)


def test_what_makes_no_sense_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    for data in (
        b"",
        b"\x18\x53\x80\x67",
        bytes(50),
        b"\xff" * 50,
        b"\x18\x53\x80\x67\xff\x76\x71",
        b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x16\x54\xae\x6b\x01" + b"\xff" * 7,
    ):
        path.write_bytes(data)
        assert read_spherical(path) is None and projection_type(path) is None
