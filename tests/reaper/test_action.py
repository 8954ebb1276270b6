"""The action for REAPER: a stand-in for REAPER's functions, a real worker, real sound.

REAPER itself does not run here; what its functions take and return is as `reaper_python.py` has it.
"""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs import environments
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.reaper import action, host
from omniaudio_studio.reaper.action import Action, begin, find_python, progress_text
from omniaudio_studio.reaper.host import Reaper
from tests.reaper.recorder import Item, Recorder, Track

PATIENCE = 60.0  # seconds, for a loaded machine
SCRIPT = Path(action.__file__).with_name("omniaudio_generate_spatial_audio_for_selected_item.py")
TICK = 0.03


@pytest.fixture
def video(small_clip: Path, tmp_path: Path) -> Item:
    """A second from the middle of a clip of two, at 10 s of the project."""
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(small_clip.read_bytes())
    return Item(str(clip), position=10.0, length=1.0, offset=0.5, source_length=2.0)


@pytest.fixture
def reaper(video: Item, tmp_path: Path) -> Recorder:
    """Three tracks, the clip on the second; media lie in a folder of their own."""
    (tmp_path / "media").mkdir()
    made = Recorder(
        Track("Music"),
        Track("Video", items=[video]),
        Track("Voice"),
        folder=str(tmp_path / "media"),
    )
    made.selected = [video]
    return made


@pytest.fixture
def started() -> Iterator[list[Action]]:
    """Actions to be closed, whatever happens."""
    actions: list[Action] = []
    yield actions
    for one in actions:
        one.close()


@pytest.fixture(autouse=True)
def this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker runs where the tests do, wherever the checkout lies."""
    monkeypatch.setattr(environments, "find", lambda: [Path(sys.executable)])


def begun(reaper: Recorder, started: list[Action]) -> Action:
    made = begin(reaper.functions, "/elsewhere/script.py")
    assert made is not None, reaper.messages
    started.append(made)
    return made


def until(one: Action, found: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end, "not within the time"
        one.step()
        time.sleep(TICK)


def test_sound_for_the_item_lands_on_a_track_of_four_channels_below_it(
    reaper: Recorder, video: Item, tiny_bundle: Path, tmp_path: Path, started: list[Action]
) -> None:
    reaper.answers = [f"{tiny_bundle},7,2.5"]
    one = begun(reaper, started)
    assert [track.name for track in reaper.tracks][0::3] == ["Music", "Voice"]
    assert "delete this track to cancel" in reaper.tracks[2].name
    until(one, lambda: one.over)
    assert reaper.messages == []
    track = reaper.tracks[2]
    assert (track.name, track.channels) == ("walk-take1 (AmbiX)", 4)
    (item,) = track.items
    assert item.file == str(tmp_path / "media" / "walk-take1.wav")
    assert (item.position, item.length, item.name) == (10.0, 1.0, "walk-take1.wav")
    info = soundfile.info(item.file)
    assert (info.frames, info.channels, info.samplerate) == (48000, 4, 48000)
    assert reaper.undo == ["begin", "Generate spatial audio"]
    # The names in between tell of stages and shares, each once.
    told = [name for name in reaper.names if " %" in name]
    assert told and len(set(told)) == len(told)
    assert "walk-take1.wav is there" in reaper.hints[-1]
    assert not one.step()
    # The same request makes the same sound elsewhere.
    other = GenerateRequest(
        Path(video.file),
        tmp_path / "other.wav",
        bundle=str(tiny_bundle),
        seed=7,
        cfg=2.5,
        start=0.5,
        duration=1.0,
    )
    run_request(other)
    np.testing.assert_array_equal(soundfile.read(item.file)[0], soundfile.read(other.output)[0])


def test_a_deleted_track_cancels(
    reaper: Recorder, slow_bundle: Path, tmp_path: Path, started: list[Action]
) -> None:
    reaper.answers = [f"{slow_bundle},0,"]
    one = begun(reaper, started)
    until(one, lambda: any("frames" in name for name in reaper.names))
    del reaper.tracks[2]
    until(one, lambda: one.over)
    assert [track.name for track in reaper.tracks] == ["Music", "Video", "Voice"]
    assert reaper.messages == [] and "cancelled" in reaper.hints[-1]
    assert not list((tmp_path / "media").iterdir())


def test_closing_reaper_ends_the_worker_and_leaves_nothing(
    reaper: Recorder, slow_bundle: Path, tmp_path: Path, started: list[Action]
) -> None:
    reaper.answers = [f"{slow_bundle},0,"]
    one = begun(reaper, started)
    until(one, lambda: any("frames" in name for name in reaper.names))
    one.close()
    assert not one._client.alive
    assert len(reaper.tracks) == 3
    assert not list((tmp_path / "media").iterdir())
    one.close()


def test_what_the_worker_refuses_is_shown_and_the_track_goes(
    reaper: Recorder, tmp_path: Path, started: list[Action]
) -> None:
    reaper.answers = [f"{tmp_path / 'no bundle'},0,"]
    one = begun(reaper, started)
    until(one, lambda: one.over)
    assert len(reaper.messages) == 1 and "no bundle" in reaper.messages[0]
    assert [track.name for track in reaper.tracks] == ["Music", "Video", "Voice"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.5}, "0.5 times as fast"),
        ({"file": ""}, "no item with a file is selected"),
    ],
)
def test_items_that_nothing_can_be_made_for(
    reaper: Recorder, video: Item, change: dict[str, Any], message: str
) -> None:
    for name, value in change.items():
        setattr(video, name, value)
    assert begin(reaper.functions, "script.py") is None
    assert message in reaper.messages[0]
    assert len(reaper.tracks) == 3 and not reaper.asked


@pytest.mark.parametrize(
    ("answer", "message"),
    [("starter,x,", "the seed must be a number"), ("starter,1,high", "guidance must be a number"),
     ("starter,-1,", "seed")],
)  # fmt: skip
def test_answers_that_are_none(reaper: Recorder, answer: str, message: str) -> None:
    reaper.answers = [answer]
    assert begin(reaper.functions, "script.py") is None
    assert message in reaper.messages[0]
    assert len(reaper.tracks) == 3 and not reaper.kept


def test_a_dialog_that_is_cancelled_changes_nothing(reaper: Recorder) -> None:
    reaper.answers = [None]
    assert begin(reaper.functions, "script.py") is None
    assert reaper.messages == [] and len(reaper.tracks) == 3 and not reaper.kept


def test_answers_are_offered_again(reaper: Recorder, tmp_path: Path, started: list[Action]) -> None:
    folder = tmp_path / "a, b"
    reaper.answers = [f"{folder},7,2.5", None]
    begun(reaper, started).close()
    assert begin(reaper.functions, "script.py") is None
    assert [values for _, values in reaper.asked] == ["starter,0,", f"{folder},7,2.5"]
    assert reaper.kept[host.SECTION, "model"] == str(folder)


def test_what_is_asked_for_of_an_item(video: Item, reaper: Recorder, tmp_path: Path) -> None:
    functions = Reaper(reaper.functions)
    video.length, video.offset = 5.0, 0.25  # it goes on after its file
    item = functions.selected_item()
    assert item is not None
    made = action.request(item, ["starter", "", ""], tmp_path / "gone")
    assert (made.start, made.duration) == (0.25, 1.75)
    assert made.output == tmp_path / "walk-take1.wav"  # beside the clip
    assert (made.seed, made.cfg, made.yaw) == (0, None, 0.0)
    (tmp_path / "media" / "walk-take1.json").write_text("{}")
    made = action.request(item, ["", "3", "1.5"], functions.media_folder())
    assert made.output == tmp_path / "media" / "walk-take2.wav"
    assert (made.bundle, made.seed, made.cfg) == ("starter", 3, 1.5)


def test_a_section_of_a_file_has_the_files_name(video: Item, reaper: Recorder) -> None:
    video.section = True
    item = Reaper(reaper.functions).selected_item()
    assert item is not None and item.file == Path(video.file)


def test_which_python_runs_the_worker(
    reaper: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = Reaper(reaper.functions)
    assert find_python(functions, tmp_path / "script.py") == Path(sys.executable)
    own = tmp_path / "env"
    (own / "bin").mkdir(parents=True)
    (own / "bin" / "python3").symlink_to(sys.executable)
    (own / "pyvenv.cfg").write_text("")
    script = own / "lib" / "python3.11" / "site-packages" / "omniaudio_studio" / "a.py"
    assert find_python(functions, script) == own / "bin" / "python3"
    # Nobody has left word: it is asked for once, and kept.
    monkeypatch.setattr(environments, "find", list)
    reaper.answers = [str(own)]
    assert find_python(functions, tmp_path / "script.py") == own / "bin" / "python3"
    assert find_python(functions, tmp_path / "script.py") == own / "bin" / "python3"
    assert len(reaper.asked) == 1
    reaper.kept.clear()
    for answer in (None, "", str(tmp_path / "none")):
        reaper.answers = [answer]
        with pytest.raises(OptionError, match="no Python with OmniAudio Studio"):
            find_python(functions, tmp_path / "script.py")


def test_progress_for_people() -> None:
    assert progress_text({"stage": "noise", "done": 3, "total": 12, "eta": 4.2}) == (
        "noise 25 %, 4 s left"
    )
    assert progress_text({"stage": "frames", "done": 0, "total": 0, "eta": None}) == "frames"


def test_the_script_as_reaper_runs_it(
    reaper: Recorder, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executed in a namespace without ``__file__``; what it defers is executed there, too."""
    functions = reaper.functions
    functions["RPR_get_action_context"] = lambda: (True, str(SCRIPT), 0, 0, 0, 0, 0)
    module = types.ModuleType("reaper_python")
    module.__dict__.update(functions)
    monkeypatch.setitem(sys.modules, "reaper_python", module)
    monkeypatch.setattr(sys, "path", list(sys.path))
    reaper.answers = [f"{tiny_bundle},1,"]
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(SCRIPT.read_text(encoding="utf-8"), str(SCRIPT), "exec"), space)
    assert reaper.at_exit == ["omniaudio_end()"]
    try:
        end = time.monotonic() + PATIENCE
        while reaper.deferred:
            assert time.monotonic() < end, "not within the time"
            exec(reaper.deferred.pop(0), space)
            time.sleep(TICK)
    finally:
        exec(reaper.at_exit[0], space)
    assert reaper.messages == []
    assert [track.name for track in reaper.tracks][2] == "walk-take1 (AmbiX)"
    assert not space["ACTION"]._client.alive


def test_an_old_python_is_told_so(reaper: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("reaper_python")
    module.__dict__.update(reaper.functions)
    monkeypatch.setitem(sys.modules, "reaper_python", module)
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    exec(compile(SCRIPT.read_text(encoding="utf-8"), str(SCRIPT), "exec"), {})
    assert "REAPER runs Python 3.8" in reaper.messages[0] and not reaper.deferred
