"""One take: read from a sidecar that the engine wrote, and what can be made of it."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs import sidecar
from omniaudio_studio.jobs.request import MAX_SEED, Segment
from omniaudio_studio.jobs.run import run_request
from qt_app.models import take as takes
from qt_app.models.settings import ClipSettings
from qt_app.models.take import TakeState, free_name, grid, is_of_clip, read_take, reroll
from tests.qt.takes.conftest import Made
from tests.support.command_line import omniaudio


def test_the_sidecars_own_names() -> None:
    """Said twice, since the window does not import the worker's side."""
    assert (takes.KIND, takes.SCHEMA_VERSION) == (sidecar.KIND, sidecar.SCHEMA_VERSION)


def test_a_sidecar_as_the_engine_writes_it(made: Made) -> None:
    take = read_take(made.takes[1].with_suffix(".json"))
    assert take is not None
    assert (take.wav, take.seed, take.cfg, take.steps) == (made.takes[1], 6, 2.0, 2)
    assert (take.bundle, take.bundle_title) == ("small", "Small bundle")
    assert take.demonstration and take.commercial is False
    assert take.seconds == pytest.approx(2.0)
    assert take.request.segments == (Segment(1.0, seed=41),)
    assert is_of_clip(take, made.clip)


def test_what_is_no_sidecar(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("", "[]", "{}", '{"kind": "other"}', "\x00\x01", "[" * 5000):
        path.write_text(text)
        assert read_take(path) is None
    assert read_take(tmp_path / "none.json") is None
    path.write_text('{"kind": "omniaudio-sidecar"' + " " * takes.MAX_SIDECAR + "}")
    assert read_take(path) is None


@pytest.mark.parametrize("missing", ["request", "bundle", "resolved", "output"])
def test_a_damaged_sidecar_is_one_clear_line(made: Made, missing: str) -> None:
    path = made.takes[0].with_suffix(".json")
    data = json.loads(path.read_text())
    del data[missing]
    path.write_text(json.dumps(data))
    with pytest.raises(OptionError, match="damaged") as told:
        read_take(path)
    assert "\n" not in str(told.value) and path.name in str(told.value)


def test_another_version_says_so(made: Made) -> None:
    path = made.takes[0].with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(OptionError, match="another version"):
        read_take(path)


def test_a_clip_that_has_moved_is_known_by_its_name(made: Made, tmp_path: Path) -> None:
    take = read_take(made.takes[0].with_suffix(".json"))
    assert take is not None
    elsewhere = tmp_path / "moved" / made.clip.name
    assert not is_of_clip(take, elsewhere), "the one that is recorded is still there"
    gone = replace(take, request=replace(take.request, clip=tmp_path / "old" / made.clip.name))
    assert is_of_clip(gone, elsewhere)
    assert not is_of_clip(gone, tmp_path / "other.mp4")


def test_its_command_makes_the_same_sound(made: Made) -> None:
    take = read_take(made.takes[2].with_suffix(".json"))
    assert take is not None
    words = shlex.split(take.command())
    assert words[:2] == ["omniaudio", "generate"]
    done = omniaudio(*words[1:])
    assert done.code == 0, done.err
    again = Path(words[-1])
    assert again.read_bytes() == take.wav.read_bytes()


def test_settings_taken_over_make_the_same_request(made: Made) -> None:
    take = read_take(made.takes[1].with_suffix(".json"))
    assert take is not None
    settings = ClipSettings(seed=1, mix=0.5, output_folder=Path("/elsewhere"))
    settings = settings.changed(**take.settings())
    request = settings.request(take.request.clip, take.request.output)
    assert replace(request, device="cpu") == take.request
    assert settings.seed_locked and settings.output_folder == Path("/elsewhere")


def test_a_range_generated_again(made: Made) -> None:
    take = read_take(made.takes[0].with_suffix(".json"))
    assert take is not None
    output = made.takes[0].with_name("again.wav")
    request = reroll(take, 0.5, 1.2, 77, output)
    assert request.base_take == take.wav and request.base_range == (0.5, 1.2)
    assert request.seed == 77 and request.output == output and not request.overwrite
    assert request.segments == (Segment(1.0),), "a shot's own seed would make the old sound"
    import soundfile

    result = run_request(request)
    old, rate = soundfile.read(take.wav)
    new, _ = soundfile.read(result.takes[0].wav)
    first, last = round(0.4 * rate), round(1.3 * rate)
    assert (new[:first] == old[:first]).all() and (new[last:] == old[last:]).all()
    for begin, end in ((0.6, 0.95), (1.05, 1.2)):  # in both shots
        part = slice(round(begin * rate), round(end * rate))
        assert abs(new[part] - old[part]).max() > 1e-4


def test_a_range_is_cut_to_the_take(made: Made) -> None:
    take = read_take(made.takes[0].with_suffix(".json"))
    assert take is not None
    assert reroll(take, -3.0, 9.0, 1, Path("o.wav")).base_range == (0.0, pytest.approx(2.0))
    for start, end in ((2.5, 3.0), (1.0, 1.0), (1.5, 1.0)):
        with pytest.raises(OptionError, match="within the take"):
            reroll(take, start, end, 1, Path("o.wav"))
    with pytest.raises(OptionError, match="gone"):
        reroll(replace(take, state=TakeState.MISSING), 0.0, 1.0, 1, Path("o.wav"))


def test_free_names(tmp_path: Path) -> None:
    wav = tmp_path / "scene.wav"
    assert free_name(wav).name == "scene-take2.wav"
    (tmp_path / "scene-take2.wav").touch()
    assert free_name(wav).name == "scene-take3.wav"
    assert free_name(tmp_path / "scene-take2.wav").name == "scene-take3.wav"
    assert free_name(tmp_path / "scene-take1-take2.wav").name == "scene-take3.wav"
    promised = {tmp_path / "scene-take3.wav"}
    assert free_name(wav, lambda p: p.exists() or p in promised).name == "scene-take4.wav"


def test_a_grid() -> None:
    base = ClipSettings(seed=10, takes=3, shots=(Segment(1.0, seed=MAX_SEED), Segment(2.0, cfg=9)))
    made = grid(base, [10, 11, 10], [2.0, None])
    assert [(one.cfg, one.seed) for one in made] == [(2, 10), (2, 11), (None, 10), (None, 11)]
    assert all(one.takes == 1 for one in made)
    assert made[0].shots == base.shots
    assert made[1].shots == (Segment(1.0, seed=0), Segment(2.0, cfg=9)), "it wraps around"
    with pytest.raises(OptionError, match="at least one"):
        grid(base, [], [1.0])
    with pytest.raises(OptionError, match="at most 64"):
        grid(base, range(13), [1.0, 2, 3, 4, 5])
    with pytest.raises(OptionError, match="cfg"):
        grid(base, [1], [1000.0])


def test_words_for_seeds_and_cfg_values() -> None:
    assert takes.parse_seeds("3, 7-9 3") == [3, 7, 8, 9]
    assert takes.parse_seeds("") == []
    assert takes.parse_cfgs("3; 4.5,3") == [3.0, 4.5]
    for text in ("x", "-1", "9-3", "1-1000", str(MAX_SEED + 1), "1.5"):
        with pytest.raises(OptionError):
            takes.parse_seeds(text)
    with pytest.raises(OptionError):
        takes.parse_cfgs("3, high")


def test_a_clip_recorded_where_nobody_may_look_counts_as_moved(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = read_take(made.takes[0].with_suffix(".json"))
    assert take is not None
    forbidden = Path("/home/somebody/scene.mp4")
    real = os.stat

    def stat(path: object, *args: object, **named: object) -> object:
        if str(path) == str(forbidden):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "stat", stat)
    there = replace(take, request=replace(take.request, clip=forbidden))
    assert is_of_clip(there, tmp_path / "scene.mp4")
    assert not is_of_clip(there, tmp_path / "other.mp4")
