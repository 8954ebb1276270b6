"""Overlays of real little videos: length, picture, sound, metadata, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.delivery.overlay import OverlayProgress, write_overlay
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, MediaError, OptionError, OutputExistsError
from omniaudio_studio.foa.convention import Foa, from_ambix
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.frames import read_frame
from omniaudio_studio.media.marking import mark_in_place
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.spherical import spherical_boxes
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.media.wav import write_wav
from tests.support.material import material

RATE = 48000
WIDTH, HEIGHT, FPS, SECONDS = 128, 64, 15, 4


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipInfo:
    """Grey, a little brighter every second; its pose says 30 degrees."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoWriter(path, WIDTH, HEIGHT, FPS, spherical=False, crf=10) as writer:
        for k in range(FPS * SECONDS):
            writer.write_frame(np.full((HEIGHT, WIDTH, 3), 60 + 20 * (k // FPS), np.uint8))
    mark_in_place(path, spherical_boxes(yaw=30, pitch=-5))
    return probe(path)


def sources() -> Foa:
    """Left in the first second, silence in the second, right below in the third, then silence."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(SECONDS * RATE)
    second = np.arange(SECONDS * RATE) // RATE
    return encode_plane_wave(noise * (second == 0), np.pi / 2, 0) + encode_plane_wave(
        noise * (second == 2), -np.pi / 2, -0.5
    )


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("field") / "field.wav"
    write_wav(path, sources(), RATE)
    return path


def painted_at(info: ClipInfo, time: float, grey: int) -> tuple[float, float] | None:
    """Where a picture departs most from ``grey``, as fractions of width and height."""
    picture = read_frame(info, time).astype(float)
    # The paint is red and yellow; the picture is grey.
    colour = picture[..., 0] - picture[..., 2]
    assert abs(np.median(picture) - grey) < 12
    if colour.max() < 40:
        return None
    v, u = np.nonzero(colour > 0.8 * colour.max())
    return float(u.mean() + 0.5) / picture.shape[1], float(v.mean() + 0.5) / picture.shape[0]


def test_a_whole_overlay(clip: ClipInfo, field: Path, tmp_path: Path) -> None:
    output = tmp_path / "overlay.mp4"
    reports: list[OverlayProgress] = []
    write_overlay(clip, field, output, progress=reports.append)
    found = probe(output)
    assert (found.width, found.height, found.fps) == (WIDTH, HEIGHT, FPS)
    assert found.duration == pytest.approx(SECONDS, abs=1e-3)
    assert found.projection == "equirectangular"
    assert found.has_metadata
    assert (found.yaw, found.pitch) == pytest.approx((30, -5))
    assert found.audio is not None
    assert (found.audio.codec, found.audio.channels, found.audio.rate) == ("aac", 2, RATE)

    left = painted_at(found, 0.5, 60)
    assert left == pytest.approx((0.25, 0.5), abs=0.06)
    assert painted_at(found, 1.5, 80) is None
    right = painted_at(found, 2.5, 100)
    assert right == pytest.approx((0.75, 0.5 + 0.5 / np.pi), abs=0.08)
    assert painted_at(found, 3.5, 120) is None

    stereo, _ = read_audio(output)
    power = np.sqrt(np.mean(stereo[:, : SECONDS * RATE].reshape(2, SECONDS, RATE) ** 2, axis=2))
    assert power[0, 0] > 10 * power[1, 0]
    assert power[1, 2] > 3 * power[0, 2]
    assert power[0, 0] == pytest.approx(0.2, rel=0.15)
    assert np.all(power[:, [1, 3]] < 0.01)

    done = [report.done for report in reports]
    assert done == sorted(done)
    assert reports[-1].done == reports[-1].total == pytest.approx(SECONDS)
    assert reports[-1].eta == 0
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


def test_a_range_lines_up(clip: ClipInfo, tmp_path: Path) -> None:
    """A field made for --start 1.5 --duration 1.7 begins there."""
    part = sources()[:, round(1.5 * RATE) : round(3.2 * RATE)]
    write_wav(tmp_path / "part.wav", part, RATE)
    for name, duration in (("by field", None), ("declared", 1.7)):
        output = tmp_path / f"{name}.mp4"
        write_overlay(clip, tmp_path / "part.wav", output, start=1.5, duration=duration)
        found = probe(output)
        assert found.duration == pytest.approx(1.7, abs=1 / FPS)
        assert painted_at(found, 0.3, 80) is None
        assert painted_at(found, 1.0, 100) == pytest.approx((0.75, 0.66), abs=0.08)
        assert painted_at(found, 1.65, 120) is None
        stereo, _ = read_audio(output, duration=1.7)
        assert np.abs(stereo[:, : round(0.45 * RATE)]).max() < 0.05
        assert np.abs(stereo[:, round(0.6 * RATE) : round(1.4 * RATE)]).max() > 0.2


def test_a_turned_field_is_turned_back(clip: ClipInfo, tmp_path: Path) -> None:
    """Delivered with yaw = +90 degrees, what was on the left is at the front of the file."""
    delivered = rotate_yaw(sources(), -np.pi / 2)
    write_wav(tmp_path / "delivered.wav", delivered, RATE)
    output = tmp_path / "overlay.mp4"
    write_overlay(clip, tmp_path / "delivered.wav", output, yaw=np.pi / 2, duration=1.0)
    assert painted_at(probe(output), 0.5, 60) == pytest.approx((0.25, 0.5), abs=0.06)
    stereo, _ = read_audio(output)
    assert np.mean(stereo[0] ** 2) > 50 * np.mean(stereo[1] ** 2)


@pytest.mark.parametrize(("rate", "convention"), [(44100, "fuma"), (96000, "ambix"), (8000, "n3d")])
def test_other_rates_and_conventions(
    clip: ClipInfo, tmp_path: Path, rate: int, convention: str
) -> None:
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    wav = tmp_path / "field.wav"
    write_wav(wav, from_ambix(encode_plane_wave(tone, np.pi / 2, 0), convention), rate)
    output = tmp_path / "overlay.mp4"
    write_overlay(clip, wav, output, convention=convention)
    found = probe(output)
    assert found.duration == pytest.approx(1.0, abs=0.01)
    assert painted_at(found, 0.5, 60) == pytest.approx((0.25, 0.5), abs=0.06)
    stereo, played = read_audio(output)
    assert played == (44100 if rate == 44100 else 48000)
    assert stereo.shape[1] / played == pytest.approx(1.0, abs=0.03)
    assert np.sqrt(np.mean(stereo[0] ** 2)) == pytest.approx(0.2 * np.sqrt(0.5), rel=0.1)


def test_one_eye_of_stereo_and_odd_sizes(tmp_path: Path, field: Path) -> None:
    path = tmp_path / "stereo.mp4"
    with VideoWriter(path, 130, 130, 10, spherical=False) as writer:
        for _ in range(10):
            picture = np.full((130, 130, 3), 60, np.uint8)
            picture[65:] = 200
            writer.write_frame(picture)
    mark_in_place(path, spherical_boxes("top-bottom"))
    info = probe(path)
    assert info.stereo == "top-bottom"
    output = tmp_path / "overlay.mp4"
    write_overlay(info, field, output, max_width=100)
    found = probe(output)
    assert (found.width, found.height, found.stereo) == (100, 50, "mono")
    assert painted_at(found, 0.5, 60) == pytest.approx((0.25, 0.5), abs=0.06)


def test_cancelled_overlays_leave_nothing(clip: ClipInfo, field: Path, tmp_path: Path) -> None:
    token = CancelToken()

    def stop(report: OverlayProgress) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        write_overlay(clip, field, tmp_path / "overlay.mp4", progress=stop, cancel=token)
    assert list(tmp_path.iterdir()) == []


def test_existing_overlays_are_kept(clip: ClipInfo, field: Path, tmp_path: Path) -> None:
    output = tmp_path / "overlay.mp4"
    output.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_overlay(clip, field, output)
    with pytest.raises(OptionError):
        write_overlay(clip, field, output, start=99, overwrite=True)
    assert output.read_bytes() == b"mine"
    write_overlay(clip, field, output, duration=0.2, overwrite=True)
    assert probe(output).duration == pytest.approx(0.2, abs=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


@pytest.mark.parametrize(
    "options",
    [
        {"start": -1.0},
        {"start": float("nan")},
        {"start": 4.0},
        {"start": 3.0, "duration": 1.5},
        {"duration": 0.0},
        {"duration": float("inf")},
    ],
)
def test_ranges_outside_the_clip(
    clip: ClipInfo, field: Path, tmp_path: Path, options: dict[str, float]
) -> None:
    with pytest.raises(OptionError, match="lasts 4"):
        write_overlay(clip, field, tmp_path / "overlay.mp4", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_fields_that_are_none(clip: ClipInfo, tmp_path: Path) -> None:
    import soundfile

    broken = np.zeros((RATE, 4), np.float32)
    broken[100] = np.inf
    soundfile.write(tmp_path / "broken.wav", broken, RATE, subtype="FLOAT")
    write_wav(tmp_path / "empty.wav", np.zeros((4, 0)), RATE)
    write_wav(tmp_path / "stereo.wav", np.zeros((2, RATE)), RATE)
    for name, match in (("broken", "NaN"), ("empty", "no samples"), ("stereo", "2 channels")):
        with pytest.raises(MediaError, match=match):
            write_overlay(clip, tmp_path / f"{name}.wav", tmp_path / "overlay.mp4")
    assert not list(tmp_path.glob("*.mp4"))
    assert not list(tmp_path.glob(".*"))


def test_flat_clips_lie_where_their_camera_looked(field: Path, tmp_path: Path) -> None:
    path = tmp_path / "flat.mp4"
    with VideoWriter(path, 160, 90, 10, spherical=False) as writer:
        for _ in range(5):
            writer.write_frame(np.full((90, 160, 3), 100, np.uint8))
    output = tmp_path / "overlay.mp4"
    with pytest.raises(MediaError, match="flat"):
        write_overlay(probe(path), field, output)
    assert not output.exists()
    placed = probe(path, "flat", hfov=80, camera=(-90, 0))
    write_overlay(placed, field, output)
    found = probe(output)
    # 160 pixels at tan 40 degrees to either side: 2 pi times 95.3 all around.
    assert (found.projection, found.width, found.height) == ("equirectangular", 600, 300)
    picture = read_frame(found, 0.2).astype(int)
    assert np.abs(picture[130:170, 400:500] - 100).max() < 12
    assert picture[:, 270:330].max() < 12
    # What sounds beside the picture shows on the black.
    assert (picture[140:160, 140:160, 0] > 100).all()


def test_a_real_clip(field: Path, tmp_path: Path) -> None:
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    output = tmp_path / "overlay.mp4"
    write_overlay(info, field, output, start=10, duration=1.0)
    found = probe(output)
    assert (found.width, found.height, found.fps) == (640, 322, 30)
    assert found.duration == pytest.approx(1.0, abs=1e-3)
    # Away from the paint the picture is the clip's own.
    ours, theirs = read_frame(found, 0.5).astype(int), read_frame(info, 10.5).astype(int)
    assert np.abs(ours - theirs)[:, 400:500].mean() < 6
    assert np.abs(ours - theirs)[120:200, 100:220].mean() > 30
