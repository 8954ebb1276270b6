"""What a clip is: projection, stereo, duration; and what to say where it cannot be used."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.marking import mark_in_place
from omniaudio_studio.media.matroska import projection_type
from omniaudio_studio.media.probe import probe, require_360
from omniaudio_studio.media.spherical import spherical_boxes
from tests.media.clips import make_clip
from tests.support.material import material

STILL = [Fraction(0), Fraction(1, 2)]


def marked(path: Path, size: tuple[int, int] = (64, 48), **boxes: Any) -> Path:
    """A clip of a flat shape that says in ``sv3d`` and ``st3d`` that it is 360."""
    make_clip(path, STILL, size=size)
    mark_in_place(path, spherical_boxes(**boxes))
    return path


@pytest.mark.parametrize(
    "size, aspect, projection, stereo",
    [
        ((64, 32), None, "equirectangular", "mono"),
        ((640, 322), Fraction(161, 160), "equirectangular", "mono"),
        ((64, 64), None, "equirectangular", "top-bottom"),
        ((128, 32), None, "equirectangular", "left-right"),
        ((64, 64), Fraction(2), "equirectangular", "mono"),
        ((64, 36), None, "flat", "mono"),
        ((64, 48), None, "flat", "mono"),
        ((32, 64), None, "flat", "mono"),
        ((96, 64), None, "flat", "mono"),
    ],
)
def test_projection_from_the_shape(
    tmp_path: Path,
    size: tuple[int, int],
    aspect: Fraction | None,
    projection: str,
    stereo: str,
) -> None:
    info = probe(make_clip(tmp_path / "clip.mp4", STILL, size=size, aspect=aspect))
    assert (info.projection, info.projection_source, info.stereo) == (projection, "shape", stereo)
    assert (info.width, info.height) == size
    assert not info.has_metadata


@pytest.mark.parametrize("stereo", ["mono", "top-bottom", "left-right"])
def test_projection_from_the_metadata(tmp_path: Path, stereo: str) -> None:
    info = probe(marked(tmp_path / "clip.mp4", stereo=stereo, yaw=30.5, pitch=-10, roll=5))
    assert (info.projection, info.projection_source) == ("equirectangular", "metadata")
    assert (info.stereo, info.has_metadata) == (stereo, True)
    assert (info.yaw, info.pitch, info.roll) == (30.5, -10, 5)
    assert require_360(info) is info


def test_declared_beats_the_rest(tmp_path: Path) -> None:
    flat = make_clip(tmp_path / "flat.mp4", STILL, size=(64, 36))
    for name in ("equirectangular", "eac", "cubemap", "dual-fisheye"):
        info = probe(flat, projection=name)
        assert (info.projection, info.projection_source, info.stereo) == (name, "declared", "mono")
        require_360(info)
    round_ = marked(tmp_path / "round.mp4")
    assert probe(round_, projection="flat").projection == "flat"
    square = make_clip(tmp_path / "square.mp4", STILL, size=(64, 64))
    assert probe(square).eye_size == (64, 32)
    assert probe(square, stereo="mono").eye_size == (64, 64)
    assert probe(square, stereo="left-right").eye_size == (32, 64)
    assert probe(square, projection="cubemap").stereo == "mono"


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--projection mercator: expected auto, equirectangular"):
        probe(tmp_path / "any.mp4", projection="mercator")
    with pytest.raises(OptionError, match="--stereo both: expected auto, mono"):
        probe(tmp_path / "any.mp4", stereo="both")


def test_flat_says_how_to_declare_it(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "clip.mp4", STILL, size=(128, 72)))
    with pytest.raises(MediaError, match=r"flat video \(128 x 72.*--projection equirectangular"):
        require_360(info)


def test_half_spheres_and_crops(tmp_path: Path) -> None:
    """Bounds: top, bottom, left, right."""
    half = probe(marked(tmp_path / "half.mp4", bounds=(0, 0, 0.25, 0.25), stereo="left-right"))
    assert half.projection == "vr180"
    with pytest.raises(MediaError, match="VR180"):
        require_360(half)
    crop = probe(marked(tmp_path / "crop.mp4", bounds=(0.1, 0.1, 0, 0)))
    assert crop.projection == "cropped"
    with pytest.raises(MediaError, match="part of the sphere"):
        require_360(crop)


def test_mesh_projection_in_mp4(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", STILL)
    mark_in_place(path, spherical_boxes().replace(b"equi", b"mshp"))
    info = probe(path)
    assert (info.projection, info.projection_source) == ("mesh", "metadata")
    with pytest.raises(MediaError, match="mesh"):
        require_360(info)


def test_projection_in_matroska(tmp_path: Path) -> None:
    path = remuxed(marked(tmp_path / "clip.mp4", yaw=30.5, stereo="top-bottom"), "clip.mkv")
    assert projection_type(path) == 1
    info = probe(path)
    assert (info.projection, info.projection_source) == ("equirectangular", "metadata")
    assert (info.stereo, info.yaw) == ("top-bottom", 30.5)
    # ProjectionType, one byte long: a mesh.
    path.write_bytes(path.read_bytes().replace(b"\x76\x71\x81\1", b"\x76\x71\x81\3"))
    assert projection_type(path) == 3
    assert probe(path).projection == "mesh"


def test_right_eye_first(tmp_path: Path) -> None:
    """Matroska can say that the upper half is the right eye: the lower one is looked at then."""
    both = np.full((64, 64, 3), 40, np.uint8)
    both[32:] = 200
    path = make_clip(
        tmp_path / "clip.mkv",
        STILL,
        size=(64, 64),
        image=both,
        metadata={"stereo_mode": "bottom_top"},
    )
    info = probe(path)
    assert (info.projection, info.stereo, info.left_eye_first) == (
        "equirectangular",
        "top-bottom",
        False,
    )
    assert read_frame(info, 0).min() > 190


def test_first_version_of_the_metadata(tmp_path: Path) -> None:
    """Spherical Video V1: XML in a uuid box of the track, as many cameras still write it."""
    path = make_clip(tmp_path / "clip.mp4", STILL, size=(64, 48))
    xml = (
        b'<?xml version="1.0"?><rdf:SphericalVideo '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        b'xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">'
        b"<GSpherical:Spherical>true</GSpherical:Spherical>"
        b"<GSpherical:Stitched>true</GSpherical:Stitched>"
        b"<GSpherical:StitchingSoftware>x</GSpherical:StitchingSoftware>"
        b"<GSpherical:ProjectionType>equirectangular</GSpherical:ProjectionType>"
        b"<GSpherical:StereoMode>top-bottom</GSpherical:StereoMode></rdf:SphericalVideo>"
    )
    payload = bytes.fromhex("ffcc8263f8554a938814587a02521fdd") + xml
    box = struct.pack(">I4s", 8 + len(payload), b"uuid") + payload
    data = bytearray(path.read_bytes())
    moov, trak = data.index(b"moov") - 4, data.index(b"trak") - 4
    (size,) = struct.unpack_from(">I", data, trak)
    data[trak + size : trak + size] = box
    for at in (moov, trak):
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + len(box))
    path.write_bytes(data)
    info = probe(path)
    assert (info.projection, info.projection_source) == ("equirectangular", "metadata")
    assert info.stereo == "top-bottom"


def test_matroska_that_makes_no_sense_has_no_projection(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    for data in (
        b"",
        b"\x18\x53\x80\x67",
        bytes(50),
        b"\xff" * 50,
        b"\x18\x53\x80\x67\xff\x76\x71",
    ):
        path.write_bytes(data)
        assert projection_type(path) is None


def remuxed(path: Path, name: str, **options: str) -> Path:
    """The same packets in another file."""
    import av

    moved = path.with_name(name)
    with av.open(str(path)) as reader, av.open(str(moved), "w", options=options) as writer:
        streams = {s.index: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                writer.mux(packet)
    return moved


@pytest.mark.parametrize("name, maker", [("a.insv", "Insta360 Studio"), ("a.360", "GoPro Player")])
def test_camera_originals(tmp_path: Path, name: str, maker: str) -> None:
    path = make_clip(tmp_path / name, STILL, size=(64, 32), format="mp4", tracks=2)
    info = probe(path)
    assert info.projection == "camera-original"
    with pytest.raises(MediaError, match=f"not stitched yet; export .* in {maker}"):
        require_360(info)
    # Someone who knows better may say so.
    require_360(probe(path, projection="dual-fisheye"))


def test_two_tracks_under_any_name(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "clip.mp4", STILL, size=(64, 64), tracks=2))
    assert info.projection == "camera-original"
    with pytest.raises(MediaError, match="camera maker's app"):
        require_360(info)


@pytest.mark.parametrize("name", ["rectilinear", "fisheye", "unknown"])
def test_other_projections_are_named(tmp_path: Path, name: str) -> None:
    info = probe(make_clip(tmp_path / "clip.mp4", STILL))
    with pytest.raises(MediaError, match=name) as caught:
        require_360(replace(info, projection=name))
    assert "\n" not in str(caught.value)


def test_sound_and_json(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "clip.mp4",
        [Fraction(k, 25) for k in range(50)],
        rate=25,
        sound=np.zeros((2, 96000)),
    )
    info = probe(path)
    assert info.audio is not None
    assert (info.audio.codec, info.audio.rate, info.audio.channels) == ("aac", 48000, 2)
    assert not info.audio.ambisonic
    values = json.loads(json.dumps(info.as_dict()))
    assert values["path"] == str(path)
    assert values["audio"]["layout"] == "stereo"
    assert values["duration"] == info.duration == pytest.approx(2.0)
    assert info.fps == 25
    assert info.samples(48000) == 96000
    assert probe(make_clip(tmp_path / "silent.mp4", STILL)).audio is None


def test_real_clip() -> None:
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    assert (info.width, info.height) == (640, 322)
    assert (info.projection, info.stereo) == ("equirectangular", "mono")
    assert info.samples(48000) == 1_923_200  # 1202 pictures at 30 a second
    assert info.warnings == ()


def cut(path: Path, part: float) -> Path:
    data = path.read_bytes()
    shorter = path.with_name("cut-" + path.name)
    shorter.write_bytes(data[: int(len(data) * part)])
    return shorter


FORMS: dict[str, dict[str, Any]] = {
    "clip.mp4": {},
    "fragments.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "clip.mkv": {},
    "clip.webm": {"codec": "libvpx-vp9"},
    "clip.ts": {"format": "mpegts"},
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("sound", [False, True])
def test_truncated_clips_say_what_is_left(tmp_path: Path, name: str, sound: bool) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (32, 64, 3)).astype(np.uint8)
    heard = 0.1 * rng.standard_normal((2, 6 * 48000)) if sound else None
    more = {"sound_codec": "libopus"} if name.endswith("webm") else {}
    shown = [Fraction(k, 30) for k in range(180)]
    path = make_clip(
        tmp_path / name, shown, gop=10, image=noise, sound=heard, **more, **FORMS[name]
    )
    assert probe(path).duration == pytest.approx(6, abs=0.002)
    assert probe(path).warnings == ()
    if name == "clip.mp4":
        # As most published files have it, the index before the media data.
        path = remuxed(path, "moved.mp4", movflags="faststart")
    if sound and name not in ("clip.mp4", "fragments.mp4"):
        # The helper writes all sound behind all pictures there; a cut must reach the pictures.
        half, tenth = 0.3, 0.02
    else:
        half, tenth = 0.55, 0.06
    info = probe(cut(path, half))
    assert 1.0 < info.duration < 5.9
    (warning,) = info.warnings
    assert "truncated" in warning and f"{info.duration:.2f} s" in warning
    # What is promised can be had. (Of a picture cut in half, decoders may show a half.)
    decoded = last_picture(info.path) - info.start_time
    assert info.duration - 0.1 < decoded < info.duration + 0.05
    with pytest.raises(MediaError) as caught:
        probe(cut(path, tenth))
    assert "truncated" in str(caught.value) and "\n" not in str(caught.value)


def last_picture(path: Path) -> float:
    """Time of the last picture that decodes, by reading the whole file."""
    import av
    import av.error

    last = 0.0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        while True:
            try:
                for frame in container.decode(stream):
                    last = max(last, frame.time)
                return last
            except av.error.EOFError:
                return last
            except av.error.FFmpegError:
                continue


def test_short_but_whole_is_fine(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "clip.mp4", [Fraction(0)], rate=30))
    assert info.duration == pytest.approx(1 / 30, abs=1e-3)
    assert info.warnings == ()


def test_sound_longer_than_the_picture_is_no_truncation(tmp_path: Path) -> None:
    shown = [Fraction(k, 30) for k in range(60)]
    for name, codec in (("clip.mp4", "aac"), ("clip.mkv", "aac"), ("clip.ts", "aac")):
        path = make_clip(
            tmp_path / name,
            shown,
            sound=np.zeros((2, 5 * 48000)),
            sound_codec=codec,
            format="mpegts" if name.endswith("ts") else None,
        )
        info = probe(path)
        assert info.duration == pytest.approx(2, abs=0.002), name
        assert info.warnings == (), name


def test_a_container_as_long_as_its_sound_is_whole(tmp_path: Path) -> None:
    """Without tags of each track's length, Matroska promises only the longest one's."""
    shown = [Fraction(k, 30) for k in range(60)]
    path = make_clip(tmp_path / "clip.mkv", shown, sound=np.zeros((2, 5 * 48000)))
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"DURATIOX"))
    info = probe(path)
    assert info.duration == pytest.approx(2, abs=0.002)
    assert info.warnings == ()
    # The same file without the end of its sound falls short of the promise.
    (warning,) = probe(cut(path, 0.5)).warnings
    assert "truncated" in warning


def test_a_long_last_picture_counts(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "clip.mp4", [Fraction(0), Fraction(1)], last=1.5))
    assert info.duration == pytest.approx(2.5, abs=1e-3)


def test_probing_a_long_clip_reads_little(tmp_path: Path) -> None:
    """The end is asked from the last packets: what lies between may even be unreadable."""
    shown = [Fraction(k, 30) for k in range(900)]
    noise = np.random.default_rng(0).integers(0, 255, (32, 64, 3)).astype(np.uint8)
    path = make_clip(tmp_path / "clip.mp4", shown, gop=30, image=noise)
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from(">I", data, data.index(b"stco") + 12)
    end = data.index(b"moov")
    third = (end - start) // 3
    data[start + third : end - third] = bytes(end - start - 2 * third)
    path.write_bytes(data)
    assert probe(path).duration == pytest.approx(30, abs=1e-3)
