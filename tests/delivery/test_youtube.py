"""The file to upload: which one, how it stands to the rules, and a bed that does not turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.delivery.mkv import write_mkv
from omniaudio_studio.delivery.mov import write_mov
from omniaudio_studio.delivery.soundtrack import as_24_bits
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.youtube import write_youtube, youtube_ending
from omniaudio_studio.delivery.youtube_rules import check_youtube
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.foa.convention import Foa
from omniaudio_studio.media.ambisonics import read_ambisonics
from omniaudio_studio.media.audio import read_audio, read_foa
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.delivery.muxed import RATE, clip_of, from_all_sides, packets_of, pink, source_of
from tests.support.material import material


@pytest.fixture(scope="module")
def field() -> Foa:
    return from_all_sides(1.5)


@pytest.fixture(scope="module")
def h264(tmp_path_factory: pytest.TempPathFactory, field: Foa) -> DeliverySource:
    folder = tmp_path_factory.mktemp("h264")
    return source_of(clip_of(folder / "clip.mp4", 1.5), field, folder)


@pytest.fixture(scope="module")
def vp9(tmp_path_factory: pytest.TempPathFactory, field: Foa) -> DeliverySource:
    folder = tmp_path_factory.mktemp("vp9")
    return source_of(clip_of(folder / "clip.webm", 1.5, codec="libvpx-vp9"), field, folder)


@pytest.fixture
def bed(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A second of stereo, shorter than the clip."""
    sound = np.stack([pink(RATE, 8), 0.5 * pink(RATE, 9)]).astype(np.float32)
    write_wav(tmp_path / "bed.wav", sound, RATE)
    return tmp_path / "bed.wav", sound


def missed(path: Path) -> list[str]:
    return [str(finding) for finding in check_youtube(path) if not finding.met]


def test_h264_goes_into_the_master(h264: DeliverySource, field: Foa, tmp_path: Path) -> None:
    assert h264.clip is not None
    assert youtube_ending(h264.clip) == ".mov"
    result = write_youtube(h264, tmp_path / "a.mov")
    assert result.video.sound == "PCM, 24 bits"
    assert [finding for finding in result.findings if not finding.met] == []
    found, _ = read_foa(tmp_path / "a.mov")
    np.testing.assert_array_equal(found, (as_24_bits(field) / 2.0**23).astype(np.float32))


def test_a_real_clip_with_a_recorded_field(tmp_path: Path) -> None:
    """A camera's clip with a microphone's field; its own sound, mono AAC, makes room."""
    clip = probe(material("clips/ricoh_360_mono_40s.mp4"))
    recording = material("ambisonics/real_foa_wxyz_1.ogg")
    source = DeliverySource(recording, clip, convention="fuma")
    result = write_youtube(source, tmp_path / "a.mov")
    assert [finding for finding in result.findings if not finding.met] == []
    assert packets_of(tmp_path / "a.mov") == packets_of(clip.path)
    field = np.concatenate(list(source.blocks_in_clip(RATE, clip.samples(RATE))), axis=1)
    found, _ = read_foa(tmp_path / "a.mov")
    np.testing.assert_array_equal(found, (as_24_bits(field) / 2.0**23).astype(np.float32))


def test_vp9_goes_into_an_mp4(vp9: DeliverySource, tmp_path: Path) -> None:
    assert vp9.clip is not None
    assert youtube_ending(vp9.clip) == ".mp4"
    result = write_youtube(vp9, tmp_path / "a.mp4")
    assert result.video.sound == "AAC, 512 kb/s"
    # AAC's delay is taken off by an edit list, and WebM does not tell how many pictures it has.
    assert missed(tmp_path / "a.mp4") == [
        "advice: the index in front (fast start) (no)",
        "advice: no edit lists (2 tracks with one)",
    ]
    with pytest.raises(OptionError, match=r"expected a name that ends with \.mp4"):
        write_youtube(vp9, tmp_path / "a.mov")


def test_a_bed_that_does_not_turn(
    h264: DeliverySource, field: Foa, bed: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, stereo = bed
    write_youtube(h264, tmp_path / "a.mov", head_locked=path)
    assert missed(tmp_path / "a.mov") == []
    told = read_ambisonics(tmp_path / "a.mov")
    assert told is not None and told.head_locked and told.tracks == (0, 1, 2, 3)
    sound, _ = read_audio(tmp_path / "a.mov")
    expected = np.concatenate([field, np.pad(stereo, ((0, 0), (0, field.shape[1] - RATE)))])
    np.testing.assert_array_equal(sound, (as_24_bits(expected) / 2.0**23).astype(np.float32))
    # Readers of fields leave it out.
    assert read_foa(tmp_path / "a.mov")[0].shape[0] == 4


@pytest.mark.parametrize("which", ["h264", "vp9"])
def test_a_bed_in_an_mp4(
    request: pytest.FixtureRequest,
    field: Foa,
    bed: tuple[Path, np.ndarray],
    tmp_path: Path,
    which: str,
) -> None:
    path, stereo = bed
    result = write_youtube(request.getfixturevalue(which), tmp_path / "a.mp4", head_locked=path)
    assert result.video.sound == "Opus, 768 kb/s"
    assert all(text.startswith("advice") for text in missed(tmp_path / "a.mp4"))
    sound, _ = read_audio(tmp_path / "a.mp4")
    expected = np.concatenate([field, np.pad(stereo, ((0, 0), (0, field.shape[1] - RATE)))])
    sound = sound[:, : expected.shape[1]]
    # Each channel is nearest to what was put in it.
    likeness = np.abs(np.corrcoef(np.concatenate([expected[4:], sound[4:]]))[:2, 2:])
    assert likeness[0, 0] > 0.98 and likeness[1, 1] > 0.98
    assert likeness[0, 1] < 0.1 and likeness[1, 0] < 0.1
    error = 10 * np.log10(np.sum(expected**2) / np.sum((expected - sound) ** 2))
    assert error > 15


def test_mono_is_heard_on_both_sides_and_surround_is_refused(
    h264: DeliverySource, tmp_path: Path
) -> None:
    voice = pink(RATE, 5)[None].astype(np.float32)
    write_wav(tmp_path / "voice.wav", voice, RATE)
    write_youtube(h264, tmp_path / "a.mov", head_locked=tmp_path / "voice.wav")
    sound, _ = read_audio(tmp_path / "a.mov")
    np.testing.assert_array_equal(sound[4], sound[5])
    assert np.abs(sound[4, :RATE] - voice[0]).max() < 2e-7
    write_wav(tmp_path / "six.wav", np.zeros((6, 100), np.float32), RATE)
    with pytest.raises(MediaError, match="has 6 channels; head-locked sound is stereo or mono"):
        write_youtube(h264, tmp_path / "b.mov", head_locked=tmp_path / "six.wav")
    with pytest.raises(OptionError, match="is an input too"):
        same = tmp_path / "voice.mov"
        (tmp_path / "voice.wav").rename(same)
        write_youtube(h264, same, head_locked=same, overwrite=True)
    assert not (tmp_path / "b.mov").exists()


def test_what_is_missed_is_listed(h264: DeliverySource, tmp_path: Path) -> None:
    """Each rule fails for a file that breaks it."""
    write_mov(h264, tmp_path / "plain.mov")
    data = (tmp_path / "plain.mov").read_bytes()
    for box, rule in ((b"SA3D", "SA3D metadata"), (b"sv3d", "spherical metadata")):
        (tmp_path / "a.mov").write_bytes(data.replace(box, b"free"))
        assert [rule in text for text in missed(tmp_path / "a.mov")] == [True]
    write_mkv(h264, tmp_path / "a.mkv")
    lines = "\n".join(missed(tmp_path / "a.mkv"))
    assert "MISSED: PCM in MOV, AAC in MP4 or MOV, or Opus in MP4 (flac in .mkv)" in lines
    assert "MISSED: SA3D metadata" in lines
    clip = clip_of(tmp_path / "stereo.mp4", 0.5, sound=np.zeros((2, 24_000), np.float32))
    lines = "\n".join(missed(clip))
    assert "MISSED: four channels W Y Z X" in lines
    assert "MISSED: at least 256 kb/s" in lines
    silent = clip_of(tmp_path / "silent.mp4", 0.5)
    assert any(text.startswith("MISSED: a single sound track (0)") for text in missed(silent))
    two = source_of(clip, np.zeros((4, 100), np.float32), tmp_path)
    write_mov(two, tmp_path / "two.mov", own_sound=True)
    assert missed(tmp_path / "two.mov") == [
        "MISSED: a single sound track (2)",
        "advice: no edit lists (3 tracks with one)",  # the kept sound's delay is hidden
    ]
