"""Boxes put into files: everything else stays as it is."""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, OutputExistsError
from omniaudio_studio.media.ambisonics import Ambisonics, ambisonics_box, read_ambisonics
from omniaudio_studio.media.boxes import SPHERICAL_V1, box, boxes_in, top_boxes, tracks
from omniaudio_studio.media.marking import mark_in_place, patch
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.spherical import read_spherical, spherical_boxes
from tests.media.clips import make_clip

SHOWN = [Fraction(k, 30) for k in range(30)]
PLAIN = (0.0, 0.0, 0.0, 0.0)


def clip(path: Path, movflags: str = "") -> Path:
    path.write_bytes(made(path.suffix, movflags))
    return path


@cache
def made(suffix: str, movflags: str) -> bytes:
    """A clip of one second with four channels of noise."""
    with TemporaryDirectory() as folder:
        path = make_clip(
            Path(folder) / f"a{suffix}",
            SHOWN,
            size=(64, 48),
            options={"movflags": movflags} if movflags else {},
            sound=0.1 * np.random.default_rng(0).standard_normal((4, 48000)),
            sound_codec="pcm_s24le" if suffix == ".mov" else "aac",
        )
        return path.read_bytes()


def contents(path: Path) -> list[tuple[str, int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(p.stream.type, p.pts, bytes(p)) for p in container.demux() if p.size]


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("movflags", ["", "faststart", "frag_keyframe+empty_moov"])
def test_a_copy_keeps_everything_else(tmp_path: Path, suffix: str, movflags: str) -> None:
    """With the index in front the media data move, and their offsets with them."""
    source = clip(tmp_path / f"a.{suffix}", movflags)
    before = source.read_bytes()
    target = tmp_path / f"b.{suffix}"
    patch(source, target, spherical_boxes("top-bottom", yaw=45.0), ambisonics_box())
    assert source.read_bytes() == before
    info = probe(target)
    assert (info.projection, info.stereo, info.yaw) == ("equirectangular", "top-bottom", 45.0)
    assert info.audio is not None and info.audio.ambisonic
    assert read_ambisonics(target) == Ambisonics(1, False, (0, 1, 2, 3), 2)
    assert contents(target) == contents(source)
    # Once more replaces what is there.
    again = tmp_path / f"c.{suffix}"
    patch(target, again, spherical_boxes("mono"), ambisonics_box())
    assert (probe(again).stereo, probe(again).yaw) == ("mono", 0.0)
    for name in (b"sv3d", b"st3d", b"SA3D"):
        assert again.read_bytes().count(name) == 1
    assert again.stat().st_size == target.stat().st_size
    assert contents(again) == contents(source)


def test_fragments_that_count_from_the_start(tmp_path: Path) -> None:
    """Fragments may give their place from the file's start; so does their index at the end."""
    from omniaudio_studio.media.marking import _shift_fragment

    header = struct.pack(">IIQ", 0x000001, 1, 5000)
    moof = bytearray(box(b"moof", box(b"traf", box(b"tfhd", header))))
    _shift_fragment(moof, 1000, 77)
    assert struct.unpack_from(">Q", moof, 32) == (5077,)
    for version, code, lengths in ((0, ">II3B", 0), (1, ">QQBHI", 0b000111)):
        rows = b"".join(struct.pack(code, k, 900 + 200 * k, 1, 1, 1) for k in range(3))
        fields = struct.pack(">B3xIII", version, 1, lengths, 3)
        mfra = bytearray(box(b"mfra", box(b"tfra", fields + rows)))
        _shift_fragment(mfra, 1000, 77)
        step = struct.calcsize(code)
        places = [struct.unpack_from(code, mfra, 32 + k * step)[1] for k in range(3)]
        assert places == [900, 1177, 1377]


def test_an_index_moves_to_the_end_where_offsets_would_overflow(tmp_path: Path) -> None:
    """A 32-bit table whose last chunk is at the edge of 4 GiB: the file is sparse."""
    source, target = clip(tmp_path / "a.mp4", "faststart"), tmp_path / "b.mp4"
    data = bytearray(source.read_bytes())
    with source.open("rb") as file:
        rows = list(top_boxes(file))
    moov = next(row for row in rows if row.kind == b"moov")
    table = tracks(data[moov.start : moov.end]).__next__().offsets[0]
    at = moov.start + table.body + 8
    edge = (1 << 32) - 20
    struct.pack_into(">I", data, at, edge)
    # The last box has no size: it reaches to the end, which is no more where it was.
    last = rows[-1]
    assert last.kind == b"mdat"
    struct.pack_into(">I", data, last.start, 0)
    source.write_bytes(data)
    patch(source, target, spherical_boxes())
    with target.open("rb") as file:
        found = list(top_boxes(file))
    assert [row.kind for row in found] == [
        b"free" if row.kind == b"moov" else row.kind for row in rows
    ] + [b"moov"]
    moved = target.read_bytes()
    index = found[-1]
    where = tracks(moved[index.start : index.end]).__next__().offsets[0]
    assert struct.unpack_from(">I", moved, index.start + where.body + 8) == (edge,)
    assert read_spherical(target) is not None


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_in_place_nothing_but_the_index_changes(tmp_path: Path, suffix: str) -> None:
    path = clip(tmp_path / f"a.{suffix}")
    before, packets = path.read_bytes(), contents(path)
    with path.open("rb") as file:
        index = list(top_boxes(file))[-1]
    mark_in_place(path, spherical_boxes(pitch=-10), ambisonics_box())
    assert path.read_bytes()[: index.start] == before[: index.start]
    assert contents(path) == packets
    assert read_ambisonics(path) is not None
    found = read_spherical(path)
    assert found is not None and found.pitch == -10


def test_in_place_with_room_behind_the_index(tmp_path: Path) -> None:
    """Reserved space lets the index stand in front and grow all the same."""
    path = clip(tmp_path / "a.mp4")
    roomy = tmp_path / "b.mp4"
    with av.open(str(path)) as reader, av.open(str(roomy), "w", options={"moov_size": "9000"}) as w:
        streams = {s.index: w.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                w.mux(packet)
    size, packets = roomy.stat().st_size, contents(roomy)
    mark_in_place(roomy, spherical_boxes(), ambisonics_box())
    assert roomy.stat().st_size == size
    assert contents(roomy) == packets
    assert read_ambisonics(roomy) is not None and read_spherical(roomy) is not None
    with roomy.open("rb") as file:
        assert [row.kind for row in top_boxes(file)][:3] == [b"ftyp", b"moov", b"free"]


def test_head_locked_stereo(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    mark_in_place(path, sound=ambisonics_box(head_locked=True))
    assert read_ambisonics(path) == Ambisonics(1, True, (0, 1, 2, 3), 2)
    expected = bytes([0, 0x80, 0, 0, 0, 1, 0, 0, 0, 0, 0, 6]) + struct.pack(">6I", *range(6))
    assert box(b"SA3D", expected) in path.read_bytes()


@pytest.mark.parametrize(
    "named, tracks",
    [
        ((0, 1, 2, 3), (0, 1, 2, 3)),
        ((0, 2, 3, 1), (0, 2, 3, 1)),  # W X Y Z in the RFC's own example
        ((0, 3, 1, 2), (0, 2, 3, 1)),  # W X Y Z by the RFC's text, and as libav writes it
        ((1, 0, 2, 3), (1, 0, 2, 3)),
        ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3)),
        ((4, 5, 0, 1, 2, 3), (2, 3, 4, 5)),  # L R W Y Z X in the RFC's example
    ],
)
def test_channel_maps(tmp_path: Path, named: tuple[int, ...], tracks: tuple[int, ...]) -> None:
    path = clip(tmp_path / "a.mp4")
    locked = 0x80 if len(named) == 6 else 0
    fields = struct.pack(">BBIBBI", 0, locked, 1, 0, 0, len(named))
    mark_in_place(path, sound=box(b"SA3D", fields + struct.pack(f">{len(named)}I", *named)))
    found = read_ambisonics(path)
    assert found is not None and found.tracks == tracks


@pytest.mark.parametrize(
    "payload, words",
    [
        (struct.pack(">BBIBBI4I", 1, 0, 1, 0, 0, 4, 0, 1, 2, 3), "unknown kind"),
        (struct.pack(">BBIBBI4I", 0, 0, 1, 0, 1, 4, 0, 1, 2, 3), "unknown kind"),
        (struct.pack(">BBIBBI4I", 0, 0, 1, 0, 0, 4, 0, 1, 2, 2), "channel map"),
        (struct.pack(">BBIBBI4I", 0, 0, 2, 0, 0, 4, 0, 1, 2, 3), "channel map"),
        (struct.pack(">BBIBBI4I", 0, 0, 2**32 - 1, 0, 0, 4, 0, 1, 2, 3), "channel map"),
        (struct.pack(">BBIBBI", 0, 0, 1, 0, 0, 2**32 - 1), "too short"),
        (b"\0\0", "cut off"),
    ],
)
def test_maps_that_make_no_sense(tmp_path: Path, payload: bytes, words: str) -> None:
    path = clip(tmp_path / "a.mp4")
    mark_in_place(path, sound=box(b"SA3D", payload))
    with pytest.raises(MediaError, match=words):
        read_ambisonics(path)


def test_any_projection_is_passed_on_as_it_stands(tmp_path: Path) -> None:
    """A cube map or a mesh is not understood, and kept all the same."""
    for kind, name in ((b"cbmp", "cubemap"), (b"mshp", "mesh"), (b"equi", "equirectangular")):
        path, other = clip(tmp_path / "a.mp4"), clip(tmp_path / "b.mov")
        details = bytes(4) + bytes(range(1, 17))
        boxes = spherical_boxes("left-right", yaw=12.5, roll=-3.0)
        boxes = boxes.replace(box(b"equi", bytes(20)), box(kind, details))
        mark_in_place(path, boxes)
        found = read_spherical(path)
        assert found is not None and (found.projection, found.details) == (name, details)
        mark_in_place(other, found.as_boxes())
        assert read_spherical(other) == found


def test_metadata_of_version_1(tmp_path: Path) -> None:
    """Read where nothing newer is there, and silenced when something newer is written."""
    path = clip(tmp_path / "a.mp4")
    xml = "".join(
        f"<GSpherical:{name}>{value}</GSpherical:{name}>"
        for name, value in {
            "Spherical": "true",
            "ProjectionType": " equirectangular\n",
            "StereoMode": "left-right",
            "InitialViewHeadingDegrees": 90,
            "InitialViewPitchDegrees": -5,
            "CroppedAreaImageWidthPixels": 1000,
            "CroppedAreaImageHeightPixels": 800,
            "FullPanoWidthPixels": 2000,
            "FullPanoHeightPixels": 1000,
            "CroppedAreaLeftPixels": 500,
            "CroppedAreaTopPixels": 150,
        }.items()
    )
    data = bytearray(path.read_bytes())
    moov, trak = data.index(b"moov") - 4, data.index(b"trak") - 4
    uuid = box(b"uuid", SPHERICAL_V1 + xml.encode())
    (size,) = struct.unpack_from(">I", data, trak)
    data[trak + size : trak + size] = uuid
    for at in (moov, trak):
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + len(uuid))
    path.write_bytes(data)
    found = read_spherical(path)
    assert found is not None
    assert (found.projection, found.stereo, found.version) == ("equirectangular", "left-right", 1)
    assert (found.yaw, found.pitch, found.roll) == (90, -5, 0)
    assert found.bounds == pytest.approx((0.15, 0.05, 0.25, 0.25))
    size = path.stat().st_size
    mark_in_place(path, spherical_boxes())
    found = read_spherical(path)
    assert found is not None and (found.version, found.stereo, found.bounds) == (2, "mono", PLAIN)
    assert uuid[8:] in path.read_bytes() and uuid not in path.read_bytes()
    assert path.stat().st_size == size + len(spherical_boxes())


def test_a_sound_track_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        for layout in ("stereo", "4.0"):
            stream = container.add_stream("pcm_s24le", 48000)
            stream.layout = layout
        for stream in container.streams.audio:
            frame = av.AudioFrame(format="s32", layout=stream.layout.name, samples=480)
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
    mark_in_place(path, sound=ambisonics_box(), sound_track=2)
    found = read_ambisonics(path)
    assert found is not None and found.number == 2
    with pytest.raises(MediaError, match="no sound track number 3"):
        mark_in_place(path, sound=ambisonics_box(), sound_track=3)
    with pytest.raises(MediaError, match="no video track"):
        mark_in_place(path, spherical_boxes())


def test_what_is_refused(tmp_path: Path) -> None:
    mkv = make_clip(tmp_path / "a.mkv", [Fraction(0)])
    with pytest.raises(MediaError, match="no MP4 or MOV"):
        patch(mkv, tmp_path / "b.mp4", spherical_boxes())
    whole = make_clip(tmp_path / "a.mp4", [Fraction(0)])
    before = whole.read_bytes()
    with pytest.raises(MediaError, match="its own source"):
        patch(whole, whole, spherical_boxes(), overwrite=True)
    with pytest.raises(MediaError, match="no sound track"):
        patch(whole, tmp_path / "b.mp4", sound=ambisonics_box())
    front = make_clip(tmp_path / "g.mp4", [Fraction(0)], options={"movflags": "faststart"})
    with pytest.raises(MediaError, match="at the end"):
        mark_in_place(front, spherical_boxes())
    assert not (tmp_path / "b.mp4").exists()
    (tmp_path / "b.mp4").write_text("mine")
    with pytest.raises(OutputExistsError):
        patch(whole, tmp_path / "b.mp4", spherical_boxes())
    assert (tmp_path / "b.mp4").read_text() == "mine"
    assert whole.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "a.mp4", "b.mp4", "g.mp4"]


def test_boxes_end_where_they_make_no_sense() -> None:
    good = box(b"good", b"1234")
    long = struct.pack(">I4sQ", 1, b"long", 20) + b"5678"
    for rest in (b"", b"\0\0\0\0", b"\0\0\0\0none", b"\0\0\0\7tiny", b"\0\0\1\0wide"):
        data = good + long + rest
        assert [inner.kind for inner in boxes_in(data, 0, len(data))] == [b"good", b"long"]
