"""360 clips with first-order sound: pictures and sound of the same seconds, turned together."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.training.data.clip_source import ClipSource
from omniaudio_studio.training.data.encode import encode
from omniaudio_studio.training.data.encoders import BundleEncoder
from omniaudio_studio.training.data.excerpt import Excerpt, Form
from omniaudio_studio.training.data.folder import find_split, kind_of
from omniaudio_studio.training.data.shards import open_shards
from omniaudio_studio.training.views import EQUIRECT, FRONT
from tests.training.bright import apart, brightest
from tests.training.data.conftest import RATE, noise, write

WIDTH, HEIGHT = 640, 320
FORM = Form(RATE, 3840, 1.0, 8.0, (EQUIRECT, FRONT))


def write_clip(path: Path, seconds: float, azimuth: float = 0.0) -> Path:
    """A white spot on black at an azimuth (radians), level with the eyes; no sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    column = round((math.pi - azimuth) / (2 * math.pi) * WIDTH)
    image[152:168, np.arange(column - 8, column + 8) % WIDTH] = 255
    with VideoWriter(path, WIDTH, HEIGHT, 8, crf=0) as writer:
        for _ in range(round(8 * seconds)):
            writer.write_frame(image)
    return path


def write_pair(folder: Path, stem: str, seconds: float, azimuth: float, kind: str) -> None:
    write_clip(folder / f"{stem}.mp4", seconds, azimuth)
    write(folder / f"{stem}{kind}", list(encode_plane_wave(noise(seconds), azimuth, 0.0)))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds from 40 degrees left, one from 100 degrees right, one whose sound is missing."""
    folder = tmp_path_factory.mktemp("sphere") / "videos"
    write_pair(folder, "530swnPWJrQ_17", 2.0, math.radians(40), ".wav")
    write_pair(folder, "530swnPWJrQ_5", 1.0, math.radians(-100), ".flac")
    write_clip(folder / "7ZVYcIsEeHo_130.mp4", 1.0)
    return folder


def read(source: ClipSource, name: str, form: Form) -> list[Excerpt]:
    given = list(source.excerpts(source.names.index(name), form))
    assert all(isinstance(each, Excerpt) for each in given)
    return given  # type: ignore[return-value]


def heard_from(foa: np.ndarray) -> float:
    """Azimuth of the mean intensity, radians."""
    w, y, _, x = foa.astype(float)
    return math.atan2((w * y).sum(), (w * x).sum())


def test_pictures_are_those_of_the_engine(clips: Path) -> None:
    name = "530swnPWJrQ_17.mp4"
    first, second = read(ClipSource(clips), name, FORM)
    assert (first.start, second.start) == (0.0, 1.0)
    assert second.foa.shape == (4, FORM.samples)
    shown = list(iter_views(probe(clips / name), 1 + np.arange(8) / 8, FORM.views))
    for view in ("equirect", "front"):
        assert np.array_equal(second.views[view], np.stack([each[view] for each in shown]))


@pytest.mark.parametrize("name", ["530swnPWJrQ_17.mp4", "530swnPWJrQ_5.mp4"])
def test_picture_and_sound_turn_by_the_same_angle(clips: Path, name: str) -> None:
    form = Form(RATE, 3840, 1.0, 8.0, FORM.views, yaws=12, seed=2)
    excerpts = read(ClipSource(clips), name, form)
    plain = excerpts[0]
    ahead = 0
    for excerpt in excerpts[:12]:
        columns = excerpt.yaw / (2 * math.pi) * WIDTH
        assert columns == pytest.approx(round(columns), abs=1e-9)
        azimuth = heard_from(excerpt.foa)
        # The sound comes from where the spot is, in the panorama and, where it is seen, ahead.
        direction = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
        assert apart(brightest(excerpt.views["equirect"][3], front=False), direction)[1] < 1.5
        if abs(azimuth) < 0.8:
            assert apart(brightest(excerpt.views["front"][3], front=True), direction)[1] < 1.5
            ahead += 1
        pixels = WIDTH // EQUIRECT.width
        if round(columns) % pixels == 0:  # a whole column of the view, too
            moved = np.roll(plain.views["equirect"], round(columns) // pixels, axis=2)
            assert np.array_equal(excerpt.views["equirect"], moved)
    assert len({excerpt.yaw for excerpt in excerpts[:12]}) == 12
    assert ahead >= 1


def test_clips_become_samples_and_a_clip_without_sound_is_listed(
    clips: Path, tiny_encoder: BundleEncoder, tmp_path: Path
) -> None:
    made = encode(ClipSource(clips), tiny_encoder, tmp_path / "out", seconds=1.0, yaws=2)
    shards = open_shards(made.folder)
    assert made.samples == len(shards) == 6
    assert made.skipped == [("7ZVYcIsEeHo_130.mp4", "has no sound that can be read")]
    assert shards.fields == {"mean": (8, 12), "std": (8, 12), "equirect": (8, 12), "front": (8, 12)}
    # The bundle's features, of the very pictures.
    form = Form(RATE, 3840, 1.0, 8.0, tiny_encoder.views, yaws=2)
    excerpts = read(ClipSource(clips), "530swnPWJrQ_17.mp4", form)
    for number, excerpt in enumerate(excerpts):
        features = tiny_encoder.pictures(excerpt.views)
        assert np.array_equal(shards[number]["front"], features["front"].astype(np.float16))
        assert shards.note(number)["yaw"] == pytest.approx(math.degrees(excerpt.yaw))


def test_lists_name_clips_by_stem_or_by_youtube_id(clips: Path) -> None:
    split = clips.parent / "split"
    split.mkdir(exist_ok=True)
    (split / "test.txt").write_text("530swnPWJrQ_5\nRbFEpkuFCjI_18\n")
    (split / "train.txt").write_text("530swnPWJrQ\n")
    assert find_split(clips, "test") == split / "test.txt"
    source = ClipSource(clips, find_split(clips, "test"))
    assert source.names == ("530swnPWJrQ_5.mp4",)
    assert source.left_out() == [("RbFEpkuFCjI_18", "is in the list, but not in the folder")]
    whole = ClipSource(clips, find_split(clips, "train"))
    assert whole.names == ("530swnPWJrQ_17.mp4", "530swnPWJrQ_5.mp4")
    with pytest.raises(MissingFileError, match="no list 'other'"):
        find_split(clips, "other")


def test_what_is_wrong_with_a_clip_is_said(tmp_path: Path) -> None:
    write_clip(tmp_path / "mono.mp4", 1.0)
    write(tmp_path / "mono.wav", [noise(1.0)])
    write_clip(tmp_path / "plain.mp4", 1.0)
    write(tmp_path / "plain.wav", [noise(1.0), *[np.zeros(RATE, np.float32)] * 3])
    write_pair(tmp_path, "short", 0.5, 0.0, ".wav")
    (tmp_path / "text.mp4").write_text("no video")
    source = ClipSource(tmp_path)
    said = {}
    for number, name in enumerate(source.names):
        try:
            said[name] = "".join(map(str, source.excerpts(number, FORM)))
        except MediaError as error:
            said[name] = str(error)
    assert "mono.wav has 1 channels; first-order ambisonics has four" in said["mono.mp4"]
    assert said["plain.mp4"] == "0 s: holds W alone: it has no directions"
    assert said["short.mp4"] == "lasts 0.50 s, an excerpt 1 s: too short"
    assert "is text, not video" in said["text.mp4"]


def test_options_are_checked_before_any_file_is_read(clips: Path) -> None:
    with pytest.raises(OptionError, match="projection round: expected auto, equirectangular"):
        ClipSource(clips, projection="round")
    with pytest.raises(OptionError, match="convention maxn"):
        ClipSource(clips, convention="maxn")


def test_a_folder_is_taken_for_what_it_holds(
    clips: Path, good_sounds: Path, untrained_run: Path
) -> None:
    assert kind_of(clips) == "sphere360"
    assert kind_of(good_sounds) == "sounds"
    assert kind_of(untrained_run / "scenes") == "scenes"
