"""Pictures that are copied: the same packets at the same times, with all that is said of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from omniaudio_studio.delivery.mkv import write_mkv
from omniaudio_studio.delivery.mov import write_mov
from omniaudio_studio.delivery.mp4 import write_mp4
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.webm import write_webm
from omniaudio_studio.errors import MediaError
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media import matroska
from omniaudio_studio.media.ambisonics import read_ambisonics
from omniaudio_studio.media.audio import read_audio, read_foa
from omniaudio_studio.media.boxes import child, read_moov, top_boxes, tracks
from omniaudio_studio.media.marking import mark_in_place
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.spherical import SphericalBoxes, read_spherical, spherical_boxes
from omniaudio_studio.media.wav import write_wav
from tests.delivery.muxed import (
    MADE,
    RATE,
    clip_of,
    from_all_sides,
    packets_of,
    pictures,
    pink,
    source_of,
    with_edits,
)

ALL = [(write_mov, "a.mov"), (write_mp4, "a.mp4"), (write_webm, "b.mp4"), (write_mkv, "a.mkv")]


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    return from_all_sides(2.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with B-frames: the first packets are decoded before time 0."""
    return clip_of(tmp_path_factory.mktemp("clip") / "clip.mp4", 2.0)


def shows_the_same(found: Path, clip: Path, tolerance: float = 1e-9) -> None:
    """Picture by picture, from the first one on."""
    start = pictures(clip)[0][0]
    expected = [(time - start, number) for time, number in pictures(clip)]
    shown = pictures(found)
    assert [number for _, number in shown] == [number for _, number in expected]
    times = [time - shown[0][0] for time, _ in shown]
    np.testing.assert_allclose(times, [time for time, _ in expected], atol=tolerance)


@pytest.mark.parametrize(("write", "name"), ALL)
def test_packets_are_copied(
    clip: Path, field: np.ndarray, tmp_path: Path, write: Any, name: str
) -> None:
    before = clip.read_bytes()
    source = source_of(clip, field, tmp_path)
    write(source, tmp_path / name)
    assert packets_of(tmp_path / name) == packets_of(clip)
    # Matroska's clock has milliseconds.
    shows_the_same(tmp_path / name, clip, 6e-4 if name.endswith("mkv") else 1e-9)
    found = probe(tmp_path / name)
    assert found.start_time == 0
    assert found.duration == pytest.approx(2.0, abs=2e-3)
    assert clip.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "field.wav"])


def test_a_mov_begins_with_its_index_and_has_no_edit_list(
    clip: Path, field: np.ndarray, tmp_path: Path
) -> None:
    write_mov(source_of(clip, field, tmp_path), tmp_path / "a.mov")
    with (tmp_path / "a.mov").open("rb") as file:
        kinds = [row.kind for row in top_boxes(file)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    moov = read_moov(tmp_path / "a.mov")
    assert moov is not None
    assert [child(moov, track.box, b"edts") for track in tracks(moov)] == [None, None]
    # AAC needs one for the encoder's delay; its index stands in front all the same.
    write_mp4(source_of(clip, field, tmp_path), tmp_path / "a.mp4")
    with (tmp_path / "a.mp4").open("rb") as file:
        kinds = [row.kind for row in top_boxes(file)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")


@pytest.mark.parametrize(("write", "name"), ALL)
def test_what_is_said_of_the_sphere_is_kept(
    clip: Path, field: np.ndarray, tmp_path: Path, write: Any, name: str
) -> None:
    marked = tmp_path / "marked.mp4"
    marked.write_bytes(clip.read_bytes())
    mark_in_place(marked, spherical_boxes("top-bottom", yaw=30, pitch=-5, roll=2.5))
    wav = tmp_path / "field.wav"
    write_wav(wav, field, RATE)
    write(DeliverySource(wav, probe(marked), yaw=15.0), tmp_path / name)
    found = probe(tmp_path / name)
    assert (found.projection, found.projection_source) == ("equirectangular", "metadata")
    assert found.stereo == "top-bottom"
    assert (found.yaw, found.pitch, found.roll) == pytest.approx((30, -5, 2.5), abs=1e-4)


@pytest.mark.parametrize(("write", "name"), ALL)
def test_it_is_said_where_the_clip_is_silent(
    clip: Path, field: np.ndarray, tmp_path: Path, write: Any, name: str
) -> None:
    assert probe(clip).projection_source == "shape"
    write(source_of(clip, field, tmp_path), tmp_path / name)
    found = probe(tmp_path / name)
    assert (found.projection, found.stereo) == ("equirectangular", "mono")
    assert found.has_metadata
    if not name.endswith("mkv"):
        told = read_ambisonics(tmp_path / name)
        assert told is not None and told.tracks == (0, 1, 2, 3)


def test_metadata_go_from_matroska_to_mp4_and_back(
    clip: Path, field: np.ndarray, tmp_path: Path
) -> None:
    mkv = tmp_path / "clip.mkv"
    write_mkv(source_of(clip, field, tmp_path), mkv)
    matroska.mark_in_place(mkv, SphericalBoxes("equirectangular", "left-right", 10.0, 20.0, -30.0))
    write_mov(DeliverySource(tmp_path / "field.wav", probe(mkv)), tmp_path / "a.mov")
    found = read_spherical(tmp_path / "a.mov")
    assert found is not None
    assert (found.projection, found.stereo) == ("equirectangular", "left-right")
    assert (found.yaw, found.pitch, found.roll) == pytest.approx((10, 20, -30))


def test_a_flat_clip_is_not_called_a_sphere(field: np.ndarray, tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "flat.mp4", 1.0, size=(64, 48))
    write_wav(tmp_path / "field.wav", field, RATE)
    info = probe(clip, projection="flat", hfov=90)
    result = write_mov(DeliverySource(tmp_path / "field.wav", info), tmp_path / "a.mov")
    assert read_spherical(tmp_path / "a.mov") is None
    assert read_ambisonics(tmp_path / "a.mov") is not None
    assert any("no player shows it as a sphere" in note for note in result.notes)


@pytest.mark.parametrize(("write", "name"), ALL)
def test_an_edit_list_in_the_middle_of_a_group(
    field: np.ndarray, tmp_path: Path, write: Any, name: str
) -> None:
    """The clip begins at picture 15 of a group of 30 and lasts a second."""
    whole = clip_of(tmp_path / "whole.mp4", 2.0, gop=30)
    cut = with_edits(whole, tmp_path / "cut.mp4", [(1000, 6000 + 15 * 3000)])
    assert pictures(cut)[0] == (0.0, 15)
    source = source_of(cut, field, tmp_path)
    assert source.clip is not None and source.clip.duration == pytest.approx(1.0)
    result = write(source, tmp_path / name)
    shown = pictures(tmp_path / name)
    sound, _ = read_audio(tmp_path / name)
    if name.endswith("mkv"):
        # The pictures that only serve to decode show: the sound waits for the first wanted one.
        assert any("hidden by its edit list" in note for note in result.notes)
        begin = next(time for time, number in shown if number == 15)
        assert begin == pytest.approx(0.5, abs=1e-3)
        lead = round(begin * RATE)
        assert not sound[:, : lead - 60].any()
        expected = field[:, :4000]
        np.testing.assert_allclose(sound[:, lead : lead + 4000], expected, atol=1e-6)
    else:
        assert shown[0] == (0.0, 15)
        assert [number for _, number in shown[:30]] == [k % 24 for k in range(15, 45)]
        # A picture behind the end may show: others are decoded from it.
        assert len(shown) <= 32
        power = np.sum(sound[:, :4000] * field[:, :4000]) / np.sum(field[:, :4000] ** 2)
        assert power == pytest.approx(1.0, abs=0.1)


def test_an_edit_list_of_parts_that_begin_at_key_frames(field: np.ndarray, tmp_path: Path) -> None:
    whole = clip_of(tmp_path / "whole.mp4", 2.0, gop=30, bframes=0)
    cut = with_edits(whole, tmp_path / "cut.mp4", [(500, 0), (500, 30 * 3000)])
    expected = [*range(15), *(k % 24 for k in range(30, 45))]
    assert [number for _, number in pictures(cut)] == expected
    write_mov(source_of(cut, field, tmp_path), tmp_path / "a.mov")
    assert [number for _, number in pictures(tmp_path / "a.mov")] == expected


def test_an_edit_list_that_cannot_be_copied(field: np.ndarray, tmp_path: Path) -> None:
    whole = clip_of(tmp_path / "whole.mp4", 2.0, gop=30)
    cut = with_edits(whole, tmp_path / "cut.mp4", [(500, 6000), (500, 6000 + 40 * 3000)])
    with pytest.raises(MediaError, match="edit list begins a part between two key frames"):
        write_mov(source_of(cut, field, tmp_path), tmp_path / "a.mov")
    assert not (tmp_path / "a.mov").exists()


@pytest.mark.parametrize(("write", "name"), ALL)
def test_a_start_time_other_than_zero(
    field: np.ndarray, tmp_path: Path, write: Any, name: str
) -> None:
    late = clip_of(tmp_path / "clip.ts", 1.0, format="mpegts")
    source = source_of(late, field, tmp_path)
    assert source.clip is not None and source.clip.start_time > 0.05
    write(source, tmp_path / name)
    found = probe(tmp_path / name)
    assert found.start_time == 0
    shows_the_same(tmp_path / name, late, 1e-3)
    sound, _ = read_audio(tmp_path / name)
    fits = [np.sum(sound[0, 500 + d : 8500 + d] * field[0, 500:8500]) for d in range(-20, 21)]
    assert int(np.argmax(fits)) == 20


def test_times_that_vary_are_kept(field: np.ndarray, tmp_path: Path) -> None:
    from tests.media.clips import make_clip

    times = [Fraction(k * k, 400) for k in range(30)]
    clip = make_clip(tmp_path / "clip.mp4", times)
    for write, name in ALL:
        write(source_of(clip, field, tmp_path), tmp_path / name)
        shows_the_same(tmp_path / name, clip, 6e-4 if name.endswith("mkv") else 1e-9)


def test_sound_one_frame_longer_or_shorter(clip: Path, field: np.ndarray, tmp_path: Path) -> None:
    """The clip decides: what is missing is silence, what is too much is cut off."""
    frame = RATE // 30
    for samples in (2 * RATE + frame, 2 * RATE - frame):
        part = np.resize(field[0], samples).astype(np.float32)
        source = source_of(clip, encode_plane_wave(part, 0.3, 0).astype(np.float32), tmp_path)
        for write, name in ((write_mov, "a.mov"), (write_mkv, "a.mkv")):
            write(source, tmp_path / name, overwrite=True)
            found, _ = read_foa(tmp_path / name)
            assert found.shape[1] == 2 * RATE
            assert found[:, samples:].size == 0 or not found[:, samples:].any()
            assert found[0, min(samples, 2 * RATE) - 1] != 0


def test_rotation_chapters_and_tags_are_kept(clip: Path, field: np.ndarray, tmp_path: Path) -> None:
    told = tmp_path / "told.mp4"
    with av.open(str(clip)) as source, av.open(str(told), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        stream.set_display_rotation(180.0)
        stream.metadata["language"] = "fra"
        target.metadata.update(title="A walk", comment="By the lake", artist="Someone")
        clock = Fraction(1, 1000)
        target.set_chapters(
            [
                {"id": 1, "start": 0, "end": 700, "time_base": clock, "metadata": {"title": "In"}},
                {"id": 2, "start": 700, "end": 2000, "time_base": clock, "metadata": {}},
            ]
        )
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    for write, name in ALL:
        write(source_of(told, field, tmp_path), tmp_path / name)
        with av.open(str(tmp_path / name)) as found:
            tags = {key.lower(): value for key, value in found.metadata.items()}
            chapters = [
                (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
                for c in found.chapters()
                if c["time_base"] is not None
            ]
            picture = found.streams.video[0]
            rotation = next(found.decode(picture)).rotation
            language = picture.metadata.get("language")
        assert tags["title"] == "A walk"
        assert tags["artist"] == "Someone"
        assert tags["comment"] == f"{MADE.sentence()}. By the lake"
        assert tags["omniaudio_seed"] == "7"
        assert tags["omniaudio_model"] == "starter 3"
        assert [start for start, _ in chapters] == pytest.approx([0, 0.7])
        assert chapters[-1][1] == pytest.approx(2.0, abs=2e-3)
        if not name.endswith("mkv"):
            assert abs(rotation) == 180
        assert language in ("fra", "fre")


def test_what_was_told_of_an_earlier_sound_goes_with_it(
    clip: Path, field: np.ndarray, tmp_path: Path
) -> None:
    first = tmp_path / "first.mp4"
    write_mp4(source_of(clip, field, tmp_path), first)
    placed = Provenance("OmniAudio Studio 1.3", "placed")
    for write, name in ALL:
        write(source_of(first, field, tmp_path, provenance=placed), tmp_path / name)
        write(source_of(first, field, tmp_path, provenance=None), tmp_path / f"none-{name}")
        with av.open(str(tmp_path / name)) as found:
            tags = {key.lower(): value for key, value in found.metadata.items()}
        assert tags["comment"] == placed.sentence()
        assert tags["omniaudio_kind"] == "placed"
        assert "omniaudio_seed" not in tags and "omniaudio_model" not in tags
        with av.open(str(tmp_path / f"none-{name}")) as found:
            assert "omniaudio" not in str(found.metadata).lower()


def test_hevc_is_named_as_apples_players_want_it(field: np.ndarray, tmp_path: Path) -> None:
    clip = clip_of(
        tmp_path / "hevc.mp4", 0.5, codec="libx265", encoder={"x265-params": "log-level=0"}
    )
    for write, name in ((write_mov, "a.mov"), (write_mp4, "a.mp4")):
        write(source_of(clip, field, tmp_path), tmp_path / name)
        with av.open(str(tmp_path / name)) as found:
            assert found.streams.video[0].codec_context.codec_tag == "hvc1"
        shows_the_same(tmp_path / name, clip)


def test_long_tags_leave_room_for_the_index(clip: Path, field: np.ndarray, tmp_path: Path) -> None:
    told = tmp_path / "told.mp4"
    with (
        av.open(str(clip)) as source,
        av.open(str(told), "w", options={"movflags": "use_metadata_tags"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        target.metadata["xmp"] = "x" * 300_000
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    write_mov(source_of(told, field, tmp_path), tmp_path / "a.mov")
    with av.open(str(tmp_path / "a.mov")) as found:
        assert found.metadata["xmp"] == "x" * 300_000


def test_provenance_is_left_out_on_request(clip: Path, field: np.ndarray, tmp_path: Path) -> None:
    for write, name in ALL:
        write(source_of(clip, field, tmp_path, provenance=None), tmp_path / name)
        with av.open(str(tmp_path / name)) as found:
            tags = {key.lower(): value for key, value in found.metadata.items()}
        assert "comment" not in tags
        assert not any("omniaudio" in f"{key} {value}".lower() for key, value in tags.items())


def second_track(path: Path) -> np.ndarray:
    """The left channel of the second sound track, from the first picture on."""
    zero = pictures(path)[0][0]
    heard = np.zeros(3 * RATE, np.float32)
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[1]):
            at = round((float(frame.time or 0) - zero) * RATE)
            samples = frame.to_ndarray()[0, max(0, -at) :]
            heard[max(0, at) : max(0, at) + samples.size] = samples
    return heard


@pytest.mark.parametrize(("write", "name"), ALL)
def test_the_clips_own_sound_on_request(
    field: np.ndarray, tmp_path: Path, write: Any, name: str
) -> None:
    own = np.stack([pink(2 * RATE, 3), pink(2 * RATE, 4)]).astype(np.float32)
    clip = clip_of(tmp_path / "clip.mp4", 2.0, sound=own)
    source = source_of(clip, field, tmp_path)
    write(source, tmp_path / name)
    with av.open(str(tmp_path / name)) as found:
        assert [stream.channels for stream in found.streams.audio] == [4]
    write(source, tmp_path / name, own_sound=True, overwrite=True)
    with av.open(str(tmp_path / name)) as found:
        assert [stream.channels for stream in found.streams.audio] == [4, 2]
        copied = [bytes(p) for p in found.demux(found.streams.audio[1]) if p.size]
    with av.open(str(clip)) as before:
        assert copied == [bytes(p) for p in before.demux(before.streams.audio[0]) if p.size]
    # Its encoder's delay is hidden as before, to a millisecond in Matroska.
    heard = second_track(tmp_path / name)
    fits = [float(own[0, 500:40_500] @ heard[500 + d : 40_500 + d]) for d in range(-30, 31)]
    assert abs(int(np.argmax(fits)) - 30) <= (24 if name.endswith("mkv") else 0)
    # The field is what plays.
    back, _ = read_foa(tmp_path / name)
    assert np.sum(back[:, : 2 * RATE] * field) > 0.9 * np.sum(field**2)
    assert pictures(tmp_path / name)[0][0] == pytest.approx(0, abs=0.05)
