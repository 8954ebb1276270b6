"""What cannot be delivered: one clear line, and nothing half-written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from omniaudio_studio.delivery.mkv import write_mkv
from omniaudio_studio.delivery.mov import write_mov
from omniaudio_studio.delivery.mp4 import write_mp4
from omniaudio_studio.delivery.muxing import mux
from omniaudio_studio.delivery.soundtrack import AAC_FIELD, FLAC_FIELD, PCM_FIELD
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.webm import write_webm
from omniaudio_studio.errors import (
    Cancelled,
    MediaError,
    OptionError,
    OutputError,
    OutputExistsError,
)
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.delivery.muxed import RATE, clip_of, from_all_sides, packets_of, pictures, source_of
from tests.media.clips import make_clip

ALL = [(write_mov, "a.mov"), (write_mp4, "a.mp4"), (write_webm, "b.mp4"), (write_mkv, "a.mkv")]


@pytest.fixture(scope="module")
def field() -> Foa:
    return from_all_sides(1.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_of(tmp_path_factory.mktemp("clip") / "clip.mp4", 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where outputs go; whatever else is left there is a failure."""
    made = tmp_path / "out"
    made.mkdir()
    yield made
    assert not [path for path in made.iterdir() if ".part" in path.name]


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text and ".part" not in text
    return text


def test_a_source_without_a_clip(field: Foa, tmp_path: Path) -> None:
    write_wav(tmp_path / "field.wav", field, RATE)
    for write, name in ALL:
        with pytest.raises(OptionError, match="shows the clip's picture; give the clip") as error:
            write(DeliverySource(tmp_path / "field.wav"), tmp_path / name)
        one_line(error)


def test_the_wrong_ending(clip: Path, field: Foa, tmp_path: Path) -> None:
    source = source_of(clip, field, tmp_path)
    for write, name in ALL:
        with pytest.raises(OptionError, match="expected a name that ends with"):
            write(source, tmp_path / f"{name}.avi")


@pytest.mark.parametrize(("write", "name"), ALL)
def test_the_output_is_an_input(field: Foa, tmp_path: Path, write: Any, name: str) -> None:
    clip = clip_of(tmp_path / "clip.mp4", 0.5)
    same = clip.rename(tmp_path / name)
    before = same.read_bytes()
    source = source_of(same, field, tmp_path)
    with pytest.raises(OptionError, match="is an input too; choose another name") as error:
        write(source, same, overwrite=True)
    one_line(error)
    linked = tmp_path / f"link{same.suffix}"
    os.link(same, linked)
    with pytest.raises(OptionError, match="is an input too"):
        write(source, linked, overwrite=True)
    with pytest.raises(OutputExistsError):
        write(source, same)
    assert same.read_bytes() == before


def test_a_read_only_input_is_enough(clip: Path, field: Foa, folder: Path, tmp_path: Path) -> None:
    clip.chmod(0o400)
    try:
        source = source_of(clip, field, tmp_path)
        source.field.chmod(0o400)
        for write, name in ALL:
            write(source, folder / name)
    finally:
        clip.chmod(0o600)
    assert packets_of(folder / "a.mov") == packets_of(clip)


def test_a_container_that_cannot_hold_the_video(field: Foa, folder: Path, tmp_path: Path) -> None:
    vp9 = source_of(clip_of(tmp_path / "vp9.webm", 0.5, codec="libvpx-vp9"), field, tmp_path)
    with pytest.raises(OptionError, match=r"\.mov cannot hold the vp9 of .*\.mp4.*\.webm can"):
        write_mov(vp9, folder / "a.mov")
    lossless = clip_of(tmp_path / "ffv1.mkv", 0.5, codec="ffv1")
    archive = source_of(lossless, field, tmp_path)
    with pytest.raises(OptionError, match=r"\.mov cannot hold the ffv1 of .*\.mkv can"):
        write_mov(archive, folder / "a.mov")
    write_mkv(archive, folder / "a.mkv")
    assert pictures(folder / "a.mkv")[3][1] == 3


def test_a_container_that_cannot_hold_the_clips_own_sound(
    field: Foa, folder: Path, tmp_path: Path
) -> None:
    sound = np.zeros((2, RATE // 2), np.float32)
    clip = clip_of(tmp_path / "clip.mkv", 0.5, sound=sound, sound_codec="tta")
    with pytest.raises(OptionError, match=r"\.mov cannot hold the tta of .*\.mkv"):
        write_mov(source_of(clip, field, tmp_path), folder / "a.mov", own_sound=True)
    write_mov(source_of(clip, field, tmp_path), folder / "a.mov")


def test_no_sound_of_its_own_and_five_tracks(
    clip: Path, field: Foa, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(MediaError, match="has no sound of its own that could be kept") as error:
        write_mov(source_of(clip, field, tmp_path), folder / "a.mov", own_sound=True)
    one_line(error)
    five = tmp_path / "five.mkv"
    with av.open(str(clip)) as source, av.open(str(five), "w") as target:
        copied = target.add_stream_from_template(source.streams.video[0], opaque=True)
        heard = [target.add_stream("pcm_s16le", RATE, layout="stereo") for _ in range(5)]
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copied
                target.mux(packet)
        for number, stream in enumerate(heard):
            level = np.full((1, 2 * RATE), 1000 * (number + 1), np.int16)
            frame = av.AudioFrame.from_ndarray(level, format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            target.mux(stream.encode(frame))
    for write, name in ALL:
        write(source_of(five, field, tmp_path), folder / name)
        with av.open(str(folder / name)) as found:
            assert len(found.streams.audio) == 1
    write_mkv(source_of(five, field, tmp_path), folder / "kept.mkv", own_sound=True)
    with av.open(str(folder / "kept.mkv")) as found:
        assert [stream.channels for stream in found.streams.audio] == [4, 2]
        own = next(found.decode(found.streams.audio[1]))
    assert int(own.to_ndarray()[0, 0]) == 1000


def test_times_that_jump_ahead(field: Foa, folder: Path, tmp_path: Path) -> None:
    """A hole of twenty seconds: the pictures keep their times, the sound goes on underneath."""
    times = [Fraction(k, 30) + (20 if k >= 15 else 0) for k in range(30)]
    clip = make_clip(tmp_path / "clip.mp4", times)
    source = source_of(clip, field, tmp_path)
    for write, name in ALL:
        write(source, folder / name)
        shown = pictures(folder / name)
        assert [time for time, _ in shown] == pytest.approx([float(t) for t in times], abs=1e-3)
    assert source.clip is not None
    assert read_foa(folder / "a.mov")[0].shape[1] == source.clip.samples(RATE)


def test_times_that_jump_back(clip: Path, field: Foa, folder: Path, tmp_path: Path) -> None:
    """As in recordings put together end to end: a copy has no place for what comes again."""
    source = source_of(clip, field, tmp_path)
    broken = tmp_path / "clip.ts"
    with av.open(str(clip)) as first, av.open(str(broken), "w", format="mpegts") as target:
        copied = target.add_stream_from_template(first.streams.video[0], opaque=True)
        packets = [p for p in first.demux(first.streams.video[0]) if p.size]
        for packet in packets:
            packet.stream = copied
            target.mux(packet)
    # libav writes no such file: the second one is put behind the first.
    broken.write_bytes(broken.read_bytes() * 2)
    source = source_of(broken, field, tmp_path)
    with pytest.raises(MediaError, match=r"the times of its video jump back at .* s") as error:
        write_mov(source, folder / "a.mov")
    one_line(error)
    assert not list(folder.iterdir())


def test_a_fragmented_mp4(clip: Path, field: Foa, folder: Path, tmp_path: Path) -> None:
    fragmented = tmp_path / "fragmented.mp4"
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(clip)) as source, av.open(str(fragmented), "w", options=options) as target:
        copied = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copied
                target.mux(packet)
    assert b"moof" in fragmented.read_bytes()
    for write, name in ALL:
        write(source_of(fragmented, field, tmp_path), folder / name)
        assert packets_of(folder / name) == packets_of(clip)
        assert b"moof" not in (folder / name).read_bytes()
        assert pictures(folder / name)[0] == (0.0, 0)


def test_a_truncated_clip_is_delivered_as_far_as_it_goes(
    field: Foa, folder: Path, tmp_path: Path
) -> None:
    whole = clip_of(tmp_path / "whole.mkv", 3.0, size=(128, 64), image=None)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    source = source_of(cut, field, tmp_path)
    assert source.clip is not None and 1 < source.clip.duration < 2.9
    write_mov(source, folder / "a.mov")
    found = probe(folder / "a.mov")
    assert found.duration == pytest.approx(source.clip.duration, abs=0.05)
    assert read_foa(folder / "a.mov")[0].shape[1] == source.clip.samples(RATE)


class After:
    """Stops at the given look."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("stopped")


@pytest.mark.parametrize(("write", "name"), ALL)
def test_cancel_leaves_nothing(
    clip: Path, field: Foa, folder: Path, tmp_path: Path, write: Any, name: str
) -> None:
    source = source_of(clip, field, tmp_path)
    for looks in (0, 1, 7, 30):
        with pytest.raises(Cancelled):
            write(source, folder / name, cancel=After(looks))
        assert not list(folder.iterdir())
    (folder / name).write_bytes(b"of before")
    with pytest.raises(Cancelled):
        write(source, folder / name, overwrite=True, cancel=After(10))
    assert (folder / name).read_bytes() == b"of before"


@pytest.mark.skipif(sys.platform != "linux", reason="no limit on the size of files")
@pytest.mark.parametrize(("write", "name"), ALL)
def test_no_room_leaves_nothing(
    clip: Path, field: Foa, folder: Path, tmp_path: Path, write: Any, name: str
) -> None:
    import resource

    source = source_of(clip, field, tmp_path)
    write(source, tmp_path / name)
    size = (tmp_path / name).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (100, size // 3, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*: File too large") as error:
                write(source, folder / name)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        one_line(error)
        assert not list(folder.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told(clip: Path, field: Foa, tmp_path: Path) -> None:
    source = source_of(clip, field, tmp_path)
    assert source.clip is not None
    for name, form in (("a.mov", PCM_FIELD), ("a.mp4", AAC_FIELD), ("a.mkv", FLAC_FIELD)):
        (tmp_path / name).symlink_to("/dev/full")
        with pytest.raises(OutputError, match="the disk is full; free some space") as error:
            mux(source.clip, tmp_path / name, form, RATE, source.blocks_in_clip(RATE, RATE))
        one_line(error)


def test_a_clip_that_lasts_no_time(clip: Path, field: Foa, folder: Path, tmp_path: Path) -> None:
    source = source_of(clip, field, tmp_path)
    assert source.clip is not None
    still = replace(source, clip=replace(source.clip, duration=0.0))
    with pytest.raises(MediaError, match="lasts no time; give a clip of at least two pictures"):
        write_mov(still, folder / "a.mov")


def test_progress_rises_to_one(clip: Path, field: Foa, folder: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    write_mov(source_of(clip, field, tmp_path), folder / "a.mov", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 5


def test_a_field_that_cannot_be_read(clip: Path, folder: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "stereo.wav", np.zeros((2, 100), np.float32), RATE)
    with pytest.raises(MediaError, match="has 2 channels"):
        write_mov(DeliverySource(tmp_path / "stereo.wav", probe(clip)), folder / "a.mov")
    bad = np.zeros((4, RATE), np.float32)
    write_wav(tmp_path / "bad.wav", bad, RATE)
    data = bytearray((tmp_path / "bad.wav").read_bytes())
    data[-400:] = np.full(100, np.nan, "<f4").tobytes()
    (tmp_path / "bad.wav").write_bytes(data)
    with pytest.raises(MediaError, match="NaN or infinite"):
        write_mov(DeliverySource(tmp_path / "bad.wav", probe(clip)), folder / "a.mov")
    assert not list(folder.iterdir())
