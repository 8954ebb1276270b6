"""A folder of 360 clips with first-order sound: what is taken, what is left out, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr

from omniaudio_studio.datasets.make import make_scenes
from omniaudio_studio.errors import MediaError, MissingFileError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.audio import read_foa
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.media.wav import write_wav
from omniaudio_studio.training.spatial_excerpts import ClipExcerpts
from omniaudio_studio.training.spatial_set import build_spatial_set, measure_field
from omniaudio_studio.training.spatial_vision import PanoramaVision, bundle_vision
from tests.support.material import material
from tests.training.bright import apart, brightest

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"
RATE = 48_000


@pytest.fixture(scope="module")
def vision() -> PanoramaVision:
    # (At the rate of the clips below, whatever the starter's own is.)
    return replace(bundle_vision(STARTER, threads=1), rate=8.0)


def noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (0.1 * rng.standard_normal(round(RATE * seconds))).astype(np.float32)


def from_left(seconds: float) -> np.ndarray:
    return encode_plane_wave(noise(seconds), math.pi / 2, 0.0)


def write_clip(path: Path, seconds: float, sound: np.ndarray | None = None) -> Path:
    """Eight pictures per second, each brighter than the one before; (channels, n) of sound."""
    channels = 1 if sound is None else len(sound)
    audio_rate = None if sound is None else RATE
    with VideoWriter(
        path, 128, 64, 8, audio_rate=audio_rate, audio_channels=channels, crf=0
    ) as writer:
        for number in range(round(8 * seconds)):
            writer.write_frame(np.full((64, 128, 3), 10 + 8 * number, np.uint8))
            if sound is not None:
                writer.write_audio(sound[:, number * 6000 : (number + 1) * 6000])
    return path


def excerpts(
    folder: Path, vision: PanoramaVision, seconds: float = 1.0, said: list[str] | None = None
) -> ClipExcerpts:
    say: Callable[[str], None] = (lambda _: None) if said is None else said.append
    return ClipExcerpts(folder, vision, seconds, say)


def test_a_clip_is_cut_into_excerpts_of_picture_and_sound(
    tmp_path: Path, vision: PanoramaVision
) -> None:
    write_clip(tmp_path / "a.mp4", 2.5)
    field = from_left(2.5)
    write_wav(tmp_path / "a.wav", field, RATE)
    source = excerpts(tmp_path, vision)
    assert (len(source), source.frames) == (2, 8)
    for number, (frames, sound) in enumerate(source.read(0)):
        view = vision.view
        assert frames.shape == (8, view.height, view.width, 3) and frames.dtype == np.uint8
        levels = frames.mean(axis=(1, 2, 3))
        np.testing.assert_allclose(levels, 10 + 8 * (8 * number + np.arange(8)), atol=1.5)
        np.testing.assert_array_equal(sound, field[:, number * RATE : (number + 1) * RATE])


def test_the_track_of_the_video_itself(tmp_path: Path, vision: PanoramaVision) -> None:
    write_clip(tmp_path / "a.mp4", 1.0, from_left(1.0))
    clips = build_spatial_set(tmp_path / "set", excerpts(tmp_path, vision), vision)
    assert len(clips) == 1
    # AAC: what is loud enough comes from the left.
    vectors = clips.vectors[0].astype(np.float32)
    weight = 10.0 ** clips.energy[0].astype(np.float32)[..., None]
    mean = (vectors * weight).sum(axis=(0, 1)) / weight.sum()
    np.testing.assert_allclose(mean, [0, 1, 0], atol=0.1)


def test_scenes_on_disk_are_clips(tmp_path: Path, vision: PanoramaVision) -> None:
    """What `omniaudio scenes make` writes: the sound comes from where the scene says."""
    (folder,) = make_scenes(
        tmp_path, 1, 1.0, 7, (1, 1), "still", width=160, fps=8.0, reflections=0.0, ambience=0.0
    )
    clips = build_spatial_set(tmp_path / "set", excerpts(tmp_path, vision), vision)
    (source,) = json.loads((folder / "scene.json").read_text())["sources"]
    track = source["track"]
    azimuth, elevation = (math.radians(track[name][0]) for name in ("azimuth", "elevation"))
    expected = np.array(
        [
            math.cos(azimuth) * math.cos(elevation),
            math.sin(azimuth) * math.cos(elevation),
            math.sin(elevation),
        ]
    )
    weight = 10.0 ** clips.energy[0].astype(np.float64)[..., None]
    mean = (clips.vectors[0] * weight).sum(axis=(0, 1)) / weight.sum()
    assert apart(mean / np.linalg.norm(mean), expected)[0] < 3


def test_what_cannot_be_used_is_told(tmp_path: Path, vision: PanoramaVision) -> None:
    write_clip(tmp_path / "good.mp4", 1.0)
    write_wav(tmp_path / "good.foa.wav", from_left(1.0), RATE)
    write_clip(tmp_path / "mono.mp4", 1.0, noise(1.0)[None])
    write_clip(tmp_path / "mute.mp4", 1.0)
    write_clip(tmp_path / "short.mp4", 0.5)
    write_clip(tmp_path / "silent.mp4", 1.0)
    write_wav(tmp_path / "silent.wav", np.zeros((4, RATE), np.float32), RATE)
    write_clip(tmp_path / "plain.mp4", 1.0)
    write_wav(tmp_path / "plain.wav", from_left(1.0) * np.array([[1], [0], [0], [0]]), RATE)
    write_clip(tmp_path / "cut.mp4", 1.0)
    write_wav(tmp_path / "cut.wav", from_left(0.5), RATE)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    said: list[str] = []
    assert len(excerpts(tmp_path, vision, said=said)) == 1
    assert len(said) == 7 and all("\n" not in line for line in said)
    for name, reason in (
        ("broken.mp4", ""),
        ("cut.wav", "is shorter than the 1 s of an excerpt"),
        ("mono.mp4", "has 1 channels; first-order ambisonics has four"),
        ("mute.mp4", "has no sound that can be read"),
        ("plain.wav", "is silent, or holds W alone"),
        ("short.mp4", "lasts 0.50 s, an excerpt 1 s: too short"),
        ("silent.wav", "is silent, or holds W alone"),
    ):
        (line,) = (line for line in said if name in line)
        assert line.startswith("left out: ") and reason in line


def test_silent_parts_are_left_out(tmp_path: Path, vision: PanoramaVision) -> None:
    write_clip(tmp_path / "a.mp4", 3.0)
    field = from_left(3.0)
    field[:, RATE : 2 * RATE] = 0
    write_wav(tmp_path / "a.wav", field, RATE)
    source = excerpts(tmp_path, vision)
    assert len(source) == 2
    (_, (frames, sound)) = source.read(0)
    np.testing.assert_array_equal(sound, field[:, 2 * RATE :])
    assert frames[0].mean() == pytest.approx(10 + 8 * 16, abs=1.5)


def test_reading_can_begin_anywhere(tmp_path: Path, vision: PanoramaVision) -> None:
    for name, seconds in (("a", 2.0), ("b", 1.0), ("c", 2.0)):
        write_clip(tmp_path / f"{name}.mp4", seconds)
        write_wav(tmp_path / f"{name}.wav", from_left(seconds), RATE)
    source = excerpts(tmp_path, vision)
    whole = list(source.read(0))
    assert len(whole) == len(source) == 5
    for first in range(1, 6):
        rest = list(source.read(first))
        assert len(rest) == 5 - first
        for found, expected in zip(rest, whole[first:], strict=True):
            assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])


def test_folders_without_clips_are_one_line(tmp_path: Path, vision: PanoramaVision) -> None:
    with pytest.raises(MissingFileError, match=r"^no folder .*: name one with 360 clips$"):
        excerpts(tmp_path / "none", vision)
    with pytest.raises(MediaError, match=r"holds no video \(\.m4v, \.mkv, .*first-order sound$"):
        excerpts(tmp_path, vision)
    write_clip(tmp_path / "a.mp4", 1.0)
    write_clip(tmp_path / "b.mp4", 1.0)
    with pytest.raises(MediaError) as caught:
        excerpts(tmp_path, vision)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: none of its 2 videos can be trained on; the first: ")
    assert "\n" not in message


def test_a_recorded_field_in_another_convention(tmp_path: Path, vision: PanoramaVision) -> None:
    """A real recording (W X Y Z) beside a clip, as B-format says it: FuMa, 44.1 kHz."""
    field, rate = read_foa(material("ambisonics/real_foa_wxyz_1.ogg"), "wxyz")
    assert rate == 44100
    field = field[:, : 3 * rate]
    write_clip(tmp_path / "a.mp4", 3.0)
    path = tmp_path / "a.wav"
    write_wav(path, from_ambix(field, "fuma"), rate)
    data = bytearray(path.read_bytes())
    at = data.index(b"fmt ") + 8 + 24
    data[at + 2 : at + 16] = bytes.fromhex("00002107d3118644c8c1ca000000")
    path.write_bytes(data)
    clips = build_spatial_set(tmp_path / "set", excerpts(tmp_path, vision), vision)
    assert len(clips) == 3
    sound = soxr.resample(field.T, rate, RATE).T.astype(np.float32)
    for number in range(3):
        energy, vectors = measure_field(sound[:, number * RATE : (number + 1) * RATE], 24, 24.0)
        loud = energy > energy.max() - 5
        np.testing.assert_allclose(clips.energy[number][loud], energy[loud], atol=0.01)
        np.testing.assert_allclose(clips.vectors[number][loud], vectors[loud], atol=0.01)
    lengths = np.linalg.norm(clips.vectors.astype(np.float32), axis=-1)
    assert lengths.max() < 1.01 and lengths.mean() > 0.05


def test_a_seen_and_heard_disk(tmp_path: Path, vision: PanoramaVision) -> None:
    """Picture and sound agree about left and right: a bright patch on the left is heard there."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[26:38, 26:38] = 255  # a quarter from the left edge: azimuth +90 degrees
    with VideoWriter(tmp_path / "a.mp4", 128, 64, 8, crf=0) as writer:
        for _ in range(8):
            writer.write_frame(picture)
    write_wav(tmp_path / "a.wav", from_left(1.0), RATE)
    ((frames, sound),) = excerpts(tmp_path, vision).read(0)
    _, vectors = measure_field(sound, 24, 24.0)
    heard = vectors.mean(axis=(0, 1))
    assert apart(brightest(frames[0], front=False), heard / np.linalg.norm(heard))[0] < 3
