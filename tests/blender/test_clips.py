"""Which clip a scene means, and whether Blender plays it at its own speed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from omniaudio_studio.errors import MissingFileError, OptionError
from tests.blender.conftest import DEMO, add_movie


def test_the_active_movie_strip(movie: Any, scene: Any) -> None:
    from blender_addon import clips, compat

    compat.set_handles(movie, 15, 147)
    source = clips.find(scene, movie)
    assert source.kind == "STRIP"
    assert source.clip == DEMO
    assert (source.content_start, source.content_frames) == (10.0, 144)
    assert (source.left, source.right, source.fps) == (15, 147, 24.0)


def test_the_only_movie_is_meant_where_nothing_is_active(movie: Any, scene: Any) -> None:
    from blender_addon import clips

    assert clips.find(scene, None).name == movie.name
    add_movie(scene, DEMO, 400)
    with pytest.raises(OptionError, match="no movie strip is active"):
        clips.find(scene, None)


def test_without_any_clip_it_says_what_to_do(scene: Any) -> None:
    from blender_addon import clips

    with pytest.raises(OptionError, match="add the 360 clip to the sequencer"):
        clips.find(scene, None)
    scene.omniaudio.source = "WORLD"
    with pytest.raises(OptionError, match="shows no environment texture"):
        clips.find(scene, None)


def test_a_missing_movie(movie: Any, scene: Any, tmp_path: Path) -> None:
    from blender_addon import clips

    movie.filepath = str(tmp_path / "gone.mp4")
    with pytest.raises(MissingFileError, match=r"missing.*gone\.mp4.*Find Missing Files"):
        clips.find(scene, movie)


def test_an_image_sequence_says_what_to_do(scene: Any, blender: Any, tmp_path: Path) -> None:
    from blender_addon import clips

    picture = tmp_path / "0001.png"
    image = blender.data.images.new("picture", 8, 4)
    image.filepath_raw, image.file_format = str(picture), "PNG"
    image.save()
    strip = scene.sequence_editor_create().strips.new_image(
        name="frames", filepath=str(picture), channel=1, frame_start=1
    )
    with pytest.raises(OptionError, match=r"image sequence.*render it to a movie"):
        clips.find(scene, strip)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda strip: setattr(strip, "use_reverse_frames", True), "played backwards"),
        (lambda strip: setattr(strip, "use_flip_x", True), "swaps left and right"),
        (lambda strip: setattr(strip, "use_flip_y", True), "upside down"),
    ],
)
def test_what_sound_cannot_follow_is_refused(
    movie: Any, scene: Any, change: Callable[[Any], None], words: str
) -> None:
    from blender_addon import clips

    change(movie)
    with pytest.raises(OptionError, match=words):
        clips.find(scene, movie)


def test_a_speed_effect_is_refused(movie: Any, scene: Any, blender: Any) -> None:
    from blender_addon import clips

    # 5.0 takes a length in place of an end.
    extent = {"frame_end": 154} if blender.app.version < (5, 0) else {"length": 144}
    scene.sequence_editor.strips.new_effect(
        name="speed", type="SPEED", channel=2, frame_start=10, input1=movie, **extent
    )
    with pytest.raises(OptionError, match="speed effect"):
        clips.find(scene, movie)


def test_another_frame_rate_is_refused_with_the_one_that_mends_it(movie: Any, scene: Any) -> None:
    from blender_addon import clips

    scene.render.fps = 30
    with pytest.raises(clips.TimingError, match=r"4\.80 s .* 6\.00 s .*24 fps first") as caught:
        clips.check_timing(clips.find(scene, movie), 6.0, 24.0)
    assert caught.value.fps == 24
    clips.set_fps(scene, caught.value.fps)
    clips.check_timing(clips.find(scene, movie), 6.0, 24.0)


@pytest.mark.parametrize("fps", [23.976, 24.0, 25.0, 29.97, 30.0, 47.952, 50.0, 59.94, 60.0])
def test_a_frame_rate_becomes_blenders(scene: Any, fps: float) -> None:
    from blender_addon import clips

    rate = clips.rational(fps)
    clips.set_fps(scene, rate)
    assert clips.scene_fps(scene) == pytest.approx(float(rate), rel=1e-6)
    assert float(rate) == pytest.approx(fps, rel=1e-4)


def test_the_frame_rates_of_television() -> None:
    from blender_addon import clips

    assert clips.rational(29.97003) == Fraction(30000, 1001)
    assert clips.rational(29.9701) == Fraction(30000, 1001)  # an average over milliseconds
    assert clips.rational(23.976) == Fraction(24000, 1001)
    assert clips.rational(30.0) == 30
    assert clips.rational(12.5) == Fraction(25, 2)


def test_a_strip_that_keeps_the_movies_own_speed(scene: Any, clips_module: Any) -> None:
    """ "Adjust Playback Rate": 180 frames of a scene of 30 fps for 6 s at 24 fps."""
    source = clips_module.Source("STRIP", DEMO, "demo", 10.0, 180, 10, 190, 30.0)
    clips_module.check_timing(source, 6.0, 24.0)


@pytest.fixture
def clips_module(blender: Any) -> Any:
    from blender_addon import clips

    return clips


@pytest.mark.parametrize(("own", "scene_fps"), [(29.97003, 30.0), (23.976, 24.0), (59.94, 60.0)])
def test_television_in_a_scene_of_whole_frames_is_refused(
    clips_module: Any, own: float, scene_fps: float
) -> None:
    """Five minutes that would be 0.3 s out of step at their end."""
    frames = round(300 * own)
    source = clips_module.Source("STRIP", DEMO, "demo", 1.0, frames, 1, 1 + frames, scene_fps)
    with pytest.raises(clips_module.TimingError) as caught:
        clips_module.check_timing(source, 300.0, own)
    assert float(caught.value.fps) == pytest.approx(own, rel=1e-5)


def test_another_length_at_the_clips_own_frame_rate_has_no_such_remedy(clips_module: Any) -> None:
    source = clips_module.Source("STRIP", DEMO, "demo", 1.0, 288, 1, 289, 24.0)
    with pytest.raises(clips_module.TimingError, match="its speed was changed") as caught:
        clips_module.check_timing(source, 6.0, 24.0)
    assert caught.value.fps is None


def test_a_hard_cut_movie_keeps_its_place(movie: Any, scene: Any) -> None:
    """The strip begins with the clip's frame 24; its first picture would be 24 frames earlier."""
    from blender_addon import clips, compat

    name = next(name for name in compat._TRIM_START if name in movie.bl_rna.properties)
    setattr(movie, name, 24)
    source = clips.find(scene, movie)
    clips.check_timing(source, 6.0, 24.0)
    assert source.content_start == compat.content_start(movie) - 24
    assert source.content_frames == 144


def test_a_meta_that_mirrors_is_refused(movie: Any, scene: Any) -> None:
    from blender_addon import clips

    meta = scene.sequence_editor.strips.new_meta(name="meta", channel=3, frame_start=10)
    movie.move_to_meta(meta)
    meta.use_flip_x = True
    with pytest.raises(OptionError, match="swaps left and right"):
        clips.find(scene, movie)


def test_a_movie_in_a_meta_strip(movie: Any, scene: Any) -> None:
    from blender_addon import clips, compat

    meta = scene.sequence_editor.strips.new_meta(name="meta", channel=3, frame_start=10)
    movie.move_to_meta(meta)
    source = clips.find(scene, movie)
    assert source.name == movie.name
    assert compat.siblings(scene, movie) == meta.strips
