"""Sound in step with the picture, and sound fields of every container."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.media.audio import FoaReader, iter_audio, read_audio, read_foa
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import PROPERTY, make_clip
from tests.support.material import material

RATE = 48000


def clicks(seconds: float, *times: float, channels: int = 2) -> np.ndarray:
    """Short bursts that begin at ``times``, over a whisper that keeps lossy codecs honest."""
    rng = np.random.default_rng(0)
    sound = 1e-3 * rng.standard_normal((channels, round(seconds * RATE)))
    for time in times:
        at = round(time * RATE)
        sound[:, at : at + 48] += 0.8
    return sound


def onset(samples: np.ndarray, rate: int) -> float:
    """Seconds at which the loudest burst begins."""
    power = np.convolve(np.abs(samples[0]), np.ones(rate // 1000), "valid")
    return float(power.argmax()) / rate


CONTAINERS: list[tuple[str, str, dict[str, Any]]] = [
    ("mp4", "aac", {}),
    ("mov", "pcm_s16le", {}),
    ("mkv", "flac", {}),
    ("mkv", "aac", {}),
    ("webm", "libopus", {"codec": "libvpx-vp9"}),
    ("ts", "aac", {"format": "mpegts"}),
    ("mp4", "aac", {"options": {"movflags": "frag_keyframe+delay_moov"}}),
]


@pytest.mark.parametrize("suffix, codec, more", CONTAINERS)
@pytest.mark.parametrize("sound_start, picture_start", [(0, 0), (0.4, 0), (0, 0.4)])
def test_a_click_stays_at_its_flash(
    tmp_path: Path,
    suffix: str,
    codec: str,
    more: dict[str, Any],
    sound_start: float,
    picture_start: float,
) -> None:
    """Where either begins later, the first picture is zero and silence or a cut makes up for it."""
    shown = [Fraction(picture_start) + Fraction(k, 30) for k in range(150)]
    path = make_clip(
        tmp_path / f"clip.{suffix}",
        shown,
        sound=clicks(5, 3.5),
        sound_start=sound_start,
        sound_codec=codec,
        **more,
    )
    info = probe(path)
    flash = 3.5 + sound_start - picture_start
    sound, rate = read_audio(info, None, 0, info.duration)
    assert sound.shape == (2, info.samples(rate))
    assert onset(sound, rate) == pytest.approx(flash, abs=0.002)
    other, rate = read_audio(path, 44100, 0, info.duration)
    assert (rate, other.shape[1]) == (44100, info.samples(44100))
    assert onset(other, rate) == pytest.approx(flash, abs=0.002)
    late, _ = read_audio(info, RATE, 2.7, 2.0)
    assert late.shape == (2, 96000)
    assert onset(late, RATE) + 2.7 == pytest.approx(flash, abs=0.002)


@settings(PROPERTY, max_examples=15)
@given(
    start=st.floats(0, 3),
    duration=st.floats(0, 3),
    rate=st.sampled_from([None, 8000, 44100, 96000]),
    block=st.integers(1, 30_000),
)
def test_ranges_of_any_length(
    tmp_path: Path, start: float, duration: float, rate: int | None, block: int
) -> None:
    path = tmp_path / "a.wav"
    if not path.exists():
        write_wav(path, np.random.default_rng(1).normal(0, 0.1, (2, 2 * RATE)), RATE)
    blocks = list(iter_audio(path, rate, start, duration, block))
    assert all(b.shape[1] == block for b in blocks[:-1])
    assert all(b.dtype == np.float32 for b in blocks)
    got = sum(b.shape[1] for b in blocks)
    assert got == round(duration * (rate or RATE))
    if rate is None and got:
        whole = soundfile.read(path, dtype="float32")[0].T
        at = round(start * RATE)
        there = whole[:, at : at + got]
        joined = np.concatenate(blocks, axis=1)
        np.testing.assert_array_equal(joined[:, : there.shape[1]], there)
        assert not joined[:, there.shape[1] :].any()  # silence behind the end


def test_a_range_sounds_as_it_does_in_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.random.default_rng(1).normal(0, 0.1, (4, 10 * 44100)), 44100)
    whole, _ = read_audio(path, RATE)
    assert whole.shape == (4, 10 * RATE)
    for start in (0.0, 0.5, 3.25, 7.0):
        part, _ = read_audio(path, RATE, start, 2.0)
        at = round(start * RATE)
        np.testing.assert_allclose(part, whole[:, at : at + 2 * RATE], atol=2e-4)


def test_a_hole_in_the_track_is_silence(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", RATE)
        stream.layout = "mono"
        for begin in (0, 3):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, RATE), 8192, np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = begin * RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound, _ = read_audio(path)
    assert sound.shape == (1, 4 * RATE)
    np.testing.assert_array_equal(
        np.round(sound[0, :: RATE // 2], 3), [0.25, 0.25, 0, 0, 0, 0, 0.25, 0.25]
    )


def test_rounded_timestamps_make_no_clicks(tmp_path: Path) -> None:
    """Matroska's milliseconds are not a whole number of samples at 44.1 kHz."""
    wave = np.round(field(44100)[:2] * 32767) / 32767
    path = make_clip(
        tmp_path / "clip.mkv",
        [Fraction(0)],
        sound=wave,
        sound_rate=44100,
        sound_codec="pcm_s16le",
    )
    read, rate = read_audio(path)
    assert rate == 44100
    np.testing.assert_allclose(read, wave, atol=1e-4)


def test_short_blocks_of_vorbis_make_no_clicks(tmp_path: Path) -> None:
    """Clicks make the encoder change to short blocks, whose times in Ogg libav guesses wrongly."""
    rate = 44_100
    sound = 0.1 * np.sin(np.arange(4 * rate) / 20)
    sound[:: rate // 7] = 0.9
    path = tmp_path / "a.ogg"
    soundfile.write(path, sound, rate, format="OGG", subtype="VORBIS")
    expected = soundfile.read(path, dtype="float32")[0]
    read, _ = read_audio(path)
    assert read.shape[1] >= len(expected)
    np.testing.assert_allclose(read[0, : len(expected)], expected, atol=1e-4)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_formats(tmp_path: Path, subtype: str) -> None:
    wave = np.linspace(-0.9, 0.9, 999)
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype=subtype)
    sound, _ = read_audio(tmp_path / "a.wav")
    np.testing.assert_allclose(sound[0], wave, atol=0.008 if subtype == "PCM_U8" else 4e-5)


def field(samples: int = RATE) -> np.ndarray:
    """Four channels that no exchange leaves unnoticed."""
    rng = np.random.default_rng(3)
    tones = np.sin(np.outer([300, 500, 800, 1300], 2 * np.pi * np.arange(samples) / RATE))
    return (0.2 * tones + 1e-3 * rng.standard_normal(tones.shape)).astype(np.float32)


@pytest.mark.parametrize("convention", ["ambix", "fuma", "wxyz", "n3d"])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_fields_in_every_convention(tmp_path: Path, convention: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, from_ambix(field(), convention).T, RATE)
    read, rate = read_foa(path, convention)
    assert rate == RATE and read.dtype == np.float32
    error = np.abs(read - field()).max()
    assert error < (0.05 if suffix == "ogg" else 1e-3)


def test_without_a_word_it_is_ambix(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", field(), RATE)
    np.testing.assert_array_equal(read_foa(tmp_path / "a.wav")[0], field())


def test_a_b_format_wav_says_that_it_is_fuma(tmp_path: Path) -> None:
    path = tmp_path / "a.amb"
    write_wav(path, from_ambix(field(), "fuma"), RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ") + 8 + 24
    assert data[at : at + 2] == b"\3\0"
    data[at + 2 : at + 16] = bytes.fromhex("00002107d3118644c8c1ca000000")
    path.write_bytes(data)
    np.testing.assert_allclose(read_foa(path)[0], field(), atol=1e-6)
    # Told otherwise, the file's own word does not count.
    assert np.abs(read_foa(path, "ambix")[0] - field()).max() > 0.1


def test_field_of_a_video(tmp_path: Path) -> None:
    """Four AAC channels in MP4 come back in their order, marked as ambisonics."""
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 64, 32, 30, audio_rate=RATE, audio_channels=4) as writer:
        for number in range(30):
            writer.write_frame(np.zeros((32, 64, 3), np.uint8))
            writer.write_audio(field()[:, number * 1600 : (number + 1) * 1600])
    info = probe(path)
    assert info.audio is not None and info.audio.ambisonic
    read, _ = read_foa(path)
    assert np.abs(read[:, 4000:40000] - field()[:, 4000:40000]).max() < 0.03
    # A channel map that says otherwise is followed.
    data = path.read_bytes()
    at = data.index(b"SA3D") + 16
    assert data[at : at + 16] == bytes.fromhex("00000000000000010000000200000003")
    turned = bytes.fromhex("00000001000000000000000200000003")
    path.write_bytes(data[:at] + turned + data[at + 16 :])
    np.testing.assert_array_equal(read_foa(path)[0], read[[1, 0, 2, 3]])


def test_an_unknown_kind_of_field_leaves_the_pictures_usable(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 64, 32, 30, audio_rate=RATE, audio_channels=4) as writer:
        for number in range(30):
            writer.write_frame(np.zeros((32, 64, 3), np.uint8))
            writer.write_audio(field()[:, number * 1600 : (number + 1) * 1600])
    data = bytearray(path.read_bytes())
    data[data.index(b"SA3D") + 4] = 7  # a version from the future
    path.write_bytes(data)
    info = probe(path)
    assert info.projection == "equirectangular"
    assert info.audio is not None and not info.audio.ambisonic
    with pytest.raises(MediaError, match="SA3D"):
        read_foa(path)


def test_higher_orders_give_their_first(tmp_path: Path) -> None:
    third = np.concatenate([field(), np.ones((12, RATE), np.float32)])
    write_wav(tmp_path / "a.wav", third, RATE)
    np.testing.assert_array_equal(read_foa(tmp_path / "a.wav")[0], field())


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_other_numbers_of_channels_are_no_field(tmp_path: Path, channels: int) -> None:
    write_wav(tmp_path / "a.wav", np.zeros((channels, 100)), RATE)
    with pytest.raises(MediaError, match=f"has {channels} channels"):
        read_foa(tmp_path / "a.wav")


def test_reader_streams(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", field(), RATE)
    with FoaReader(tmp_path / "a.wav") as reader:
        assert (reader.rate, reader.frames, reader.convention) == (RATE, RATE, "ambix")
        blocks = list(reader.blocks(7000))
        again = list(reader.blocks(7000))
    assert [b.shape for b in blocks] == [(4, 7000)] * 6 + [(4, 6000)]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), np.concatenate(again, axis=1))


def test_what_has_no_sound(tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "clip.mp4", [Fraction(0)])
    text = tmp_path / "a.wav"
    text.write_text("not sound")
    for path, error, words in (
        (silent, MediaError, "no sound"),
        (text, MediaError, "is text"),
        (tmp_path / "none.wav", MissingFileError, "no such file"),
        (tmp_path, MediaError, "is a folder"),
    ):
        with pytest.raises(error, match=words):
            read_audio(path)
        with pytest.raises(error, match=words):
            read_foa(path)


def test_ranges_and_conventions_that_make_no_sense(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", field(), RATE)
    for start, duration in ((-1.0, None), (float("nan"), 1.0), (0.0, -1.0), (0.0, float("inf"))):
        with pytest.raises(OptionError, match="expected seconds"):
            read_audio(tmp_path / "a.wav", None, start, duration)
    with pytest.raises(OptionError, match="expected auto"):
        read_foa(tmp_path / "a.wav", "furse")


def test_real_clip_to_the_sample() -> None:
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    sound, rate = read_audio(info, RATE, 0, info.duration)
    assert (rate, sound.shape) == (RATE, (1, 1_923_200))
    part, _ = read_audio(info, RATE, 10, 7.5)
    np.testing.assert_allclose(part, sound[:, 480_000:840_000], atol=1e-4)


def test_real_fields() -> None:
    """A recording whose channels are W X Y Z: read as such, its last two exchange places."""
    path = material("ambisonics/real_foa_wxyz_1.ogg")
    told, rate = read_foa(path, "wxyz")
    plain, _ = read_foa(path)
    assert rate == 44100 and told.shape == plain.shape
    np.testing.assert_array_equal(told[[0, 3, 1, 2]], plain)


def test_of_several_tracks_the_field_is_read(tmp_path: Path) -> None:
    """A stereo fold-down that comes first, and is the default, is what others play."""
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        for layout in ("stereo", "4.0"):
            stream = container.add_stream("pcm_f32le", RATE)
            stream.layout = layout
        for index, samples in enumerate((field()[:2], field())):
            stream = container.streams.audio[index]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T.reshape(1, -1)), "flt", stream.layout.name
            )
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    np.testing.assert_array_equal(read_foa(path)[0], field())
    assert read_audio(path)[0].shape == (2, RATE)
