"""The preview in a Blender without a sound device: it says so, and leaves everything as it was.

What sounds is tested where Blender has a device: tests/blender_window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import soundfile

from blender_addon import preview
from blender_addon.preview import control, muting
from blender_addon.preview.streams import Refused, Streams
from blender_addon.preview.sync import FRAMES, JUMP, LIMIT, Sync
from omniaudio_studio.foa.head_streams import STREAMS

RATE = 48_000


pytestmark = pytest.mark.usefixtures("blender")


def sound(path: Path, channels: int) -> Path:
    soundfile.write(path, np.full((RATE, channels), 0.01), RATE, "FLOAT")
    return path


def take(folder: Path, key: str, clip: str = "clip") -> Any:
    """A take's two strips; returns the one for headphones."""
    scene = bpy.context.scene
    strips = (scene.sequence_editor or scene.sequence_editor_create()).strips
    field = strips.new_sound(f"{key} field", str(sound(folder / f"{key}.wav", 4)), 1, 1)
    heard = strips.new_sound(key, str(sound(folder / f"{key}.binaural.wav", 2)), 2, 1)
    for strip, role in ((field, "FOA"), (heard, "BINAURAL")):
        strip.omniaudio.role, strip.omniaudio.take, strip.omniaudio.clip = role, key, clip
    field.mute = True
    return heard


def strip(name: str) -> Any:
    return bpy.context.scene.sequence_editor.strips[name]


def start() -> str:
    """The line with which the operator refuses."""
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.omniaudio.preview_start()
    return str(caught.value).strip()


# Without a device


def test_without_a_take_it_says_what_to_do() -> None:
    assert start().endswith("there is no take to listen to; generate spatial audio first")
    assert not control.preview.running


def test_without_a_device_the_take_stays_heard(tmp_path: Path) -> None:
    heard = take(tmp_path, "one")
    assert bpy.context.preferences.system.audio_device == "None"
    line = start()
    assert "choose a device in Preferences > System > Sound" in line
    assert "strip for headphones" in line
    assert not control.preview.running
    assert not heard.mute
    assert not bpy.app.timers.is_registered(control._tick)


def test_the_device_itself_refuses_too(tmp_path: Path) -> None:
    file = sound(tmp_path / "stream.wav", 2)
    told = [{"file": str(file), "gain": 1.0, "head": a, "field": b} for a, b in STREAMS]
    with pytest.raises(Refused, match="no sound device here"):
        Streams(told)


def test_stop_is_safe_at_any_time(tmp_path: Path) -> None:
    assert bpy.ops.omniaudio.preview_stop() == {"FINISHED"}
    take(tmp_path, "one")
    assert bpy.ops.omniaudio.preview_stop() == {"FINISHED"}
    assert not strip("one").mute


def test_handlers_and_buttons_go_with_the_addon() -> None:
    def ours() -> list[str]:
        return [name for name in control._HANDLERS for _ in _of_preview(name)]

    assert ours() == list(control._HANDLERS)
    preview.unregister()
    assert not ours()
    assert not hasattr(bpy.types, "OMNIAUDIO_OT_preview_start")
    preview.register()
    assert ours() == list(control._HANDLERS)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert ours() == list(control._HANDLERS)


def _of_preview(name: str) -> list[Any]:
    handlers = getattr(bpy.app.handlers, name)
    return [handler for handler in handlers if handler.__module__ == control.__name__]


def test_the_panel_says_why_it_ended(tmp_path: Path) -> None:
    from tests.blender.test_panels import Layout

    def drawn() -> list[str]:
        said: list[str] = []
        preview.draw(Layout(said), bpy.context)
        return said

    take(tmp_path, "one")
    assert drawn() == ["preview_from", "[Listen with the View]"]
    control.preview.stop("the preview ended: its take is gone")
    assert drawn()[2:] == ["the preview ended: its take is gone"]
    control.preview.stop()
    assert drawn() == ["preview_from", "[Listen with the View]"]


# Strips that are muted meanwhile


def test_what_was_muted_is_heard_again(tmp_path: Path) -> None:
    heard = take(tmp_path, "one")
    muting.mute(bpy.context.scene, "one")
    assert heard.mute
    muting.release()
    assert not heard.mute
    heard.mute = True  # the user's own doing
    muting.mute(bpy.context.scene, "one")
    muting.release()
    assert heard.mute


def test_another_take_that_was_chosen_stays_the_one_that_is_heard(tmp_path: Path) -> None:
    take(tmp_path, "one")
    take(tmp_path, "two")
    take(tmp_path, "other", clip="another clip")
    scene = bpy.context.scene
    bpy.ops.omniaudio.choose_take(key="one")
    muting.mute(scene, "one")
    bpy.ops.omniaudio.choose_take(key="two")
    muting.release()
    assert (strip("one").mute, strip("two").mute) == (True, False)
    muting.mute(scene, "two")
    bpy.ops.omniaudio.choose_take(key="other")
    muting.release()
    assert (strip("one").mute, strip("two").mute, strip("other").mute) == (True, False, False)


def scene_in(path: Path) -> Any:
    """The scene in a file, as it lies there: nothing is opened."""
    with bpy.data.libraries.load(str(path)) as (there, here):
        here.scenes = there.scenes
    return here.scenes[0]


def test_a_saved_file_does_not_know_of_it(tmp_path: Path) -> None:
    take(tmp_path, "one")
    muting.mute(bpy.context.scene, "one")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"), copy=True)
    saved = scene_in(tmp_path / "saved.blend").sequence_editor.strips["one"]
    assert not saved.mute
    assert muting._MARK not in saved


def test_what_was_saved_behind_its_back_is_put_right(tmp_path: Path) -> None:
    """An automatic save calls no handler."""
    take(tmp_path, "one")
    muting.mute(bpy.context.scene, "one")
    bpy.data.libraries.write(str(tmp_path / "auto.blend"), {bpy.context.scene})
    muting.release()
    scene = scene_in(tmp_path / "auto.blend")
    assert scene.sequence_editor.strips["one"].mute
    control.preview.settle()
    assert not scene.sequence_editor.strips["one"].mute


def test_an_undo_does_not_bring_the_silence_back(tmp_path: Path) -> None:
    take(tmp_path, "one")
    muting.mute(bpy.context.scene, "one")
    bpy.ops.ed.undo_push(message="while it sounds")
    control.preview.stop()
    muting.release()
    bpy.context.scene.frame_end = 77
    bpy.ops.ed.undo_push(message="afterwards")
    assert bpy.ops.ed.undo() == {"FINISHED"}
    assert bpy.context.scene.frame_end != 77
    assert not strip("one").mute


# In step with the frames


def test_in_step_nothing_is_moved() -> None:
    sync = Sync()
    # Whole buffers of 43 ms, read at a frame rate that does not fit.
    for frame in range(500):
        place = frame / 24
        read = np.floor(place / 0.0427) * 0.0427
        assert not sync.lost(read - place)


@pytest.mark.parametrize("off", [LIMIT * 1.1, -LIMIT * 1.1])
def test_a_drift_is_noticed_after_some_frames(off: float) -> None:
    sync = Sync()
    assert [sync.lost(off) for _ in range(2 * FRAMES)].index(True) == FRAMES - 1
    sync.reset()
    assert not any(sync.lost(off) for _ in range(FRAMES - 1))


def test_a_jump_is_noticed_at_once() -> None:
    sync = Sync()
    assert not sync.lost(0.0)
    assert sync.lost(JUMP * 1.01)
    assert sync.lost(-JUMP * 1.01)
    assert not sync.lost(0.0)
