"""What the panels show, drawn into a recorder: Blender without a window draws nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.blender.conftest import DEMO


class Layout:
    """Stands for Blender's layout: it checks what it is given, and keeps the words."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def __getattr__(self, name: str) -> Any:
        if name in ("row", "column", "box", "split", "grid_flow", "column_flow"):
            return lambda **_: Layout(self.said)
        if name in ("separator", "template_list", "separator_spacer", "panel"):
            return lambda *_, **__: None
        raise AttributeError(name)

    def label(self, text: str = "", icon: str = "NONE") -> None:
        self.said.append(text)

    def prop(self, data: Any, name: str, **_: Any) -> None:
        assert name in data.bl_rna.properties, name
        self.said.append(name)

    def operator(self, name: str, text: str = "", **_: Any) -> Any:
        import bpy

        group, _, verb = name.partition(".")
        kind = getattr(getattr(bpy.ops, group), verb).get_rna_type()
        self.said.append(f"[{text or kind.name}]")
        return SimpleNamespace()

    def progress(self, factor: float, type: str, text: str) -> None:
        assert 0.0 <= factor <= 1.0
        self.said.append(f"{text} |{factor:.2f}|")


@pytest.fixture
def draw(blender: Any, scene: Any) -> Callable[[str], list[str]]:
    """Draws a panel by its name as Blender would; returns what it said."""

    def drawn(name: str) -> list[str]:
        panel = getattr(blender.types, name)
        said: list[str] = []
        context = blender.context
        assert panel.poll(context)
        panel.draw(SimpleNamespace(layout=Layout(said)), context)
        return said

    return drawn


PLACES = ("sequencer", "viewport", "scene", "world")


@pytest.mark.parametrize("place", PLACES)
def test_every_panel_draws_without_anything_there(
    blender: Any, draw: Callable[[str], list[str]], place: str
) -> None:
    names = [name for name in dir(blender.types) if name.startswith(f"OMNIAUDIO_PT_{place}")]
    assert len(names) == 7
    for name in names:
        assert draw(name), name


def test_the_main_panel_says_what_is_missing(draw: Callable[[str], list[str]]) -> None:
    said = draw("OMNIAUDIO_PT_sequencer")
    assert "[Generate Spatial Audio]" in said
    assert "no movie strip is active" in " ".join(said)


def test_the_main_panel_shows_the_clip_and_the_settings(
    draw: Callable[[str], list[str]], movie: Any, scene: Any
) -> None:
    scene.omniaudio.range = "FRAMES"
    said = draw("OMNIAUDIO_PT_sequencer")
    assert DEMO.name in said
    for name in (
        "bundle",
        "use_cfg",
        "seed",
        "use_steps",
        "takes",
        "range",
        "yaw",
        "front_view",
        "mix",
    ):
        assert name in said
    assert {"first_frame", "last_frame"} <= set(said)


def test_few_steps_are_offered_with_a_model_that_has_them(
    draw: Callable[[str], list[str]], movie: Any, scene: Any, saved: Path
) -> None:
    from blender_addon import catalogue, generation

    row = {
        "name": "quick", "title": "Quick", "path": "/models/quick", "problem": None,
        "sampler": {"cfg": 4.0, "steps": 24}, "reflow": None, "spatializer": False,
    }  # fmt: skip
    scene.omniaudio.bundle = "quick"
    before = catalogue.bundles()
    try:
        catalogue.take([row])
        said = draw("OMNIAUDIO_PT_sequencer")
        assert "sampler" not in said and "24 (the model's)" in said
        catalogue.take([{**row, "reflow": {"graph": "dit_few", "steps": 6, "cfg": [1, 9]}}])
        assert "sampler" in draw("OMNIAUDIO_PT_sequencer")
        scene.omniaudio.sampler = "reflow"
        said = draw("OMNIAUDIO_PT_sequencer")
        assert "sampler" in said and "6 (the model's)" in said
        catalogue.take([row])  # what was chosen can be left
        assert "sampler" in draw("OMNIAUDIO_PT_sequencer")
    finally:
        catalogue.take(before or [])
    assert generation.plan(scene, movie).requests[0].sampler == "reflow"


def test_while_it_generates_there_is_a_bar_and_a_way_out(
    draw: Callable[[str], list[str]], scene: Any, movie: Any, saved: Path, tiny_bundle: Path
) -> None:
    from blender_addon import generation
    from blender_addon.jobs import runner

    scene.omniaudio.bundle = str(tiny_bundle)
    plan = generation.plan(scene, movie)
    task = runner.start("test", scene, generation.steps(plan), generation.outputs(plan))
    assert "[Cancel]" in draw("OMNIAUDIO_PT_sequencer")
    task.stage, task.fraction, task.eta = "sampling", 0.25, 61.0
    said = draw("OMNIAUDIO_PT_sequencer")
    assert "sampling 25 % |0.25|" in said
    assert any("1:01 min left" in line for line in said)
    assert "[Generate Spatial Audio]" not in said
    runner.wait(task)
    said = draw("OMNIAUDIO_PT_sequencer")
    assert "[Generate Spatial Audio]" in said
    assert "demo-take1.wav" in " ".join(said)
    assert "[demo-take1]" in draw("OMNIAUDIO_PT_sequencer_takes")


def test_another_frame_rate_comes_with_its_remedy(
    draw: Callable[[str], list[str]], blender: Any, scene: Any, movie: Any, saved: Path
) -> None:
    scene.render.fps = 25
    with pytest.raises(RuntimeError):
        blender.ops.omniaudio.generate()
    said = draw("OMNIAUDIO_PT_sequencer")
    assert "[Set the Scene to the Clip's Frame Rate]" in said
    assert "would not keep in step" in " ".join(said)


def test_too_many_crashes_come_with_advice(
    draw: Callable[[str], list[str]], movie: Any, blender: Any
) -> None:
    from blender_addon.jobs import MOST_CRASHES, runner

    runner.crashes = MOST_CRASHES
    said = draw("OMNIAUDIO_PT_sequencer")
    assert "[Try Again]" in said and "[Show Log]" in said
    assert "3 times in a row" in " ".join(said)


def test_a_takes_strip_shows_what_made_it(
    draw: Callable[[str], list[str]],
    blender: Any,
    scene: Any,
    movie: Any,
    saved: Path,
    tiny_bundle: Path,
) -> None:
    settings = scene.omniaudio
    settings.bundle, settings.seed, settings.yaw = str(tiny_bundle), 11, math.radians(30)
    blender.ops.omniaudio.generate()
    strip = next(s for s in scene.sequence_editor.strips_all if s.omniaudio.role == "BINAURAL")
    scene.sequence_editor.active_strip = strip
    said = " ".join(draw("OMNIAUDIO_PT_strip"))
    assert "seed 11" in said
    assert "made on CPU" in said and "front is at +30.0 degrees" in said
    assert "[Deliver Take...]" in said
    (saved / "demo-take1.wav").unlink()
    assert "its file is missing" in " ".join(draw("OMNIAUDIO_PT_strip"))


def test_the_strip_panel_is_for_clips_and_takes_alone(blender: Any, scene: Any) -> None:
    panel = blender.types.OMNIAUDIO_PT_strip
    assert not panel.poll(blender.context)
    extent = {"frame_end": 20} if blender.app.version < (5, 0) else {"length": 10}
    strip = scene.sequence_editor_create().strips.new_effect(
        name="colour", type="COLOR", channel=1, frame_start=10, **extent
    )
    scene.sequence_editor.active_strip = strip
    assert not panel.poll(blender.context)


def test_an_object_shows_its_sound(
    draw: Callable[[str], list[str]], blender: Any, scene: Any
) -> None:
    item = blender.data.objects.new("bee", None)
    scene.collection.objects.link(item)
    blender.context.view_layer.objects.active = item
    said = draw("OMNIAUDIO_PT_object")
    assert {"is_source", "file", "volume", "delay", "use_distance", "rolloff"} <= set(said)
    blender.ops.omniaudio.mark_source()
    assert item.omniaudio.is_source
    assert "bee" in draw("OMNIAUDIO_PT_scene_objects")


def test_an_object_shows_what_else_it_can_be(
    draw: Callable[[str], list[str]], blender: Any, scene: Any
) -> None:
    item = blender.data.objects.new("singer", None)
    scene.collection.objects.link(item)
    blender.context.view_layer.objects.active = item
    assert draw("OMNIAUDIO_PT_object_own") == ["carries_sound", "share", "stem"]
    assert draw("OMNIAUDIO_PT_object_hint") == ["is_hint", "strength", "hint_range"]
    mine = item.omniaudio
    mine.carries_sound, mine.is_hint, mine.hint_range = True, True, "FRAMES"
    assert draw("OMNIAUDIO_PT_object_hint")[-2:] == ["hint_first", "hint_last"]
    assert "singer (hint)" in draw("OMNIAUDIO_PT_scene_objects")
    said = draw("OMNIAUDIO_PT_scene_own")
    assert said == ["place_method", "recording", "width", "max_sources"]
    scene.omniaudio.place_method = "given"
    assert draw("OMNIAUDIO_PT_scene_own")[-1] == "singer"
    mine.carries_sound = False
    assert "mark one" in " ".join(draw("OMNIAUDIO_PT_scene_own"))


def test_settings_that_only_some_need(
    draw: Callable[[str], list[str]], scene: Any, movie: Any
) -> None:
    settings = scene.omniaudio
    rare = {"front_azimuth", "mix_field", "hfov", "camera_azimuth", "camera_elevation"}
    places = ("OMNIAUDIO_PT_sequencer", "OMNIAUDIO_PT_sequencer_output")
    assert not rare & {name for place in places for name in draw(place)}
    settings.front_view, settings.bed, settings.projection = "ANGLE", "PLACED", "flat"
    assert rare <= {name for place in places for name in draw(place)}


def test_placing_is_offered_and_refused_in_the_panel(
    draw: Callable[[str], list[str]], scene: Any, movie: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon import clips, probing

    said = draw("OMNIAUDIO_PT_sequencer")
    assert said.index("[Place the Clip's Own Sound]") == 1 + said.index("[Generate Spatial Audio]")
    assert "no sound of its own" not in " ".join(said)
    monkeypatch.setitem(probing._sound, clips.of_strip(scene, movie).clip, False)
    assert "demo.mp4 has no sound of its own to place" in " ".join(draw("OMNIAUDIO_PT_sequencer"))


def test_no_panel_opens_a_file_or_starts_a_process(
    draw: Callable[[str], list[str]],
    blender: Any,
    scene: Any,
    movie: Any,
    camera: Any,
    saved: Path,
    tiny_bundle: Path,
) -> None:
    scene.omniaudio.bundle, scene.omniaudio.place_method = str(tiny_bundle), "given"
    camera.omniaudio.carries_sound = camera.omniaudio.is_hint = True
    camera.omniaudio.is_source = True
    opened: list[str] = []
    watched = ("open", "os.listdir", "os.scandir", "subprocess.Popen")
    watching = False

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in watched:
            opened.append(f"{event} {arguments[0]}")

    sys.addaudithook(hear)
    names = [name for name in dir(blender.types) if name.startswith("OMNIAUDIO_PT_")]
    blender.context.view_layer.objects.active = camera
    for name in names:
        draw(name)  # the first time modules may be loaded
    watching = True
    try:
        for name in names:
            draw(name)
        with pytest.raises(OSError):
            (saved / "nothing").read_bytes()
    finally:
        watching = False
    assert len(opened) == 1 and "nothing" in opened[0]


def test_the_preferences_tell_of_the_runtime(blender: Any) -> None:
    preferences = blender.context.preferences.addons["blender_addon"].preferences
    assert blender.ops.omniaudio.test_runtime() == {"FINISHED"}
    said: list[str] = []
    stand_in = SimpleNamespace(
        layout=Layout(said),
        runtime=preferences.runtime,
        environment=preferences.environment,
        bl_rna=preferences.bl_rna,
    )
    type(preferences).draw(stand_in, blender.context)
    text = "\n".join(said)
    assert "version: OmniAudio Studio" in text
    assert "device: CPUExecutionProvider" in text
    assert "model: starter - Starter" in text


def test_a_runtime_that_is_not_there(blender: Any, tmp_path: Path) -> None:
    preferences = blender.context.preferences.addons["blender_addon"].preferences
    before = preferences.environment
    preferences.environment = str(tmp_path)
    try:
        with pytest.raises(RuntimeError, match="there is no Python in"):
            blender.ops.omniaudio.test_runtime()
    finally:
        preferences.environment = before


def test_the_desktop_apps_environment_is_found_by_itself(
    blender: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blender_addon import runtime
    from omniaudio_studio.errors import OptionError
    from omniaudio_studio.jobs import environments
    from tests.blender.conftest import main_python

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError, match="start the desktop app once"):
        runtime.separate("")
    environments.announce(main_python())
    assert runtime.separate("").python == Path(main_python())


def test_the_field_for_the_model_offers_bundles(blender: Any, scene: Any) -> None:
    from blender_addon import catalogue, questions

    catalogue.take(questions.wait_for("bundles"))
    assert ("starter", "Starter") in catalogue.search_bundles(scene.omniaudio, None, "")
    assert catalogue.search_bundles(scene.omniaudio, None, "no such") == []
