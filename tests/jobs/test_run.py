"""Whole requests through real (tiny) graphs: files, sidecars, reproduction, refusals."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import (
    BundleError,
    Cancelled,
    MediaError,
    MissingFileError,
    OptionError,
    OutputExistsError,
)
from omniaudio_studio.foa.binaural import render_binaural
from omniaudio_studio.jobs.outputs import take_files
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.jobs.run import open_generator, run_request, with_shots
from omniaudio_studio.jobs.sidecar import reproduction
from tests.support.tiny_bundle import make_tiny_bundle


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def request_(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(small_clip, tmp_path / "out.wav", bundle=str(tiny_bundle), device="cpu")


def test_a_clip_becomes_a_sound_field_as_long_as_itself(request_: GenerateRequest) -> None:
    reports: list[Progress] = []
    result = run_request(request_, progress=reports.append)
    info = soundfile.info(request_.output)
    assert (info.frames, info.channels, info.samplerate) == (96000, 4, 48000)
    assert info.subtype == "FLOAT"
    assert np.any(soundfile.read(request_.output)[0])
    assert result.takes[0].samples == 96000
    assert result.duration == 2.0
    assert result.provider == "CPUExecutionProvider"
    assert result.demonstration
    assert reports[-1].done == pytest.approx(reports[-1].total)
    assert names(request_.output.parent) == {"out.wav", "out.json"}


def test_the_sidecar_says_how_it_was_made(request_: GenerateRequest) -> None:
    run_request(replace(request_, seed=7, yaw=30.0))
    data = json.loads((request_.output.parent / "out.json").read_text())
    assert data["kind"] == "omniaudio-sidecar"
    assert data["schema_version"] == 1
    assert data["request"]["seed"] == 7
    assert data["clip"]["sha256"] == sha256(request_.clip)
    assert data["output"]["sha256"] == sha256(request_.output)
    assert data["bundle"]["sha256"] == sha256(Path(request_.bundle) / "bundle.json")
    assert data["bundle"]["demonstration"] is True
    assert data["provider"] == {"name": "CPUExecutionProvider", "reason": "asked for"}
    assert data["software"]["omniaudio"]
    assert data["resolved"]["steps"] == 4
    assert data["resolved"]["cfg"] == 2.0
    assert GenerateRequest.from_dict(data["request"]).yaw == 30.0


def test_the_same_seed_is_the_same_sound_and_another_is_another(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    sounds = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run_request(replace(request_, output=tmp_path / f"{name}.wav", seed=seed))
        sounds.append(soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0])
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert np.mean(np.abs(sounds[0] - sounds[2])) > 1e-4


def test_little_memory_is_the_same_sound_and_told(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    plain = run_request(replace(request_, takes=2))
    little = run_request(
        replace(request_, takes=2, output=tmp_path / "little.wav", low_memory=True)
    )
    assert [take.sha256 for take in little.takes] == [take.sha256 for take in plain.takes]
    data = json.loads((tmp_path / "little-take2.json").read_text())
    assert data["request"]["low_memory"] is True
    # What an earlier sound was made with can be made with little memory, too.
    again = reproduction(tmp_path / "out.json", overwrite=True, changes={"low_memory": True})
    assert again.request.low_memory
    assert not run_request(again.request, expected=again).warnings


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"start": 0.31, "duration": 1.234, "yaw": -40.0, "rate": 44100, "subtype": "pcm24"},
        {"loudness": -30.0, "mix": 0.3, "cfg": 3.5, "steps": 2, "feature_rate": 5.0},
        {"segments": (Segment(0.0, cfg=1.0), Segment(1.0, seed=9)), "takes": 2},
    ],
)
def test_the_sidecar_reproduces_the_sound_bit_for_bit(
    request_: GenerateRequest, tmp_path: Path, changes: dict[str, Any]
) -> None:
    request = replace(request_, seed=3, **changes)
    run_request(request)
    for files in take_files(request):
        again = tmp_path / "again.wav"
        expected = reproduction(files.sidecar, output=again, overwrite=True)
        result = run_request(expected.request, expected=expected)
        assert again.read_bytes() == files.wav.read_bytes()
        assert result.warnings == ()


def test_few_steps_are_told_of_and_reproduced(request_: GenerateRequest, tmp_path: Path) -> None:
    bundle = str(make_tiny_bundle(tmp_path / "few", few=True))
    segments = (Segment(0.0, cfg=1.5), Segment(1.0, seed=9))
    request = replace(request_, bundle=bundle, sampler="reflow", segments=segments)
    run_request(request)
    sidecar = request.output.with_suffix(".json")
    data = json.loads(sidecar.read_text())
    assert (data["request"]["sampler"], data["request"]["steps"]) == ("reflow", None)
    assert (data["resolved"]["steps"], data["resolved"]["cfg"]) == (3, 2.0)
    again = tmp_path / "again.wav"
    expected = reproduction(sidecar, output=again, overwrite=True)
    assert run_request(expected.request, expected=expected).warnings == ()
    assert again.read_bytes() == request.output.read_bytes()
    with pytest.raises(OptionError, match="the bundle 'tiny' has no sampler reflow"):
        run_request(replace(request_, sampler="reflow", overwrite=True))


def test_a_take_for_headphones_is_its_binaural_rendering(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    wanted = replace(request_, deliverables=("wav", "binaural"), takes=2, yaw=50.0, rate=44100)
    result = run_request(wanted)
    assert names(tmp_path) == {
        "out.wav", "out.json", "out.binaural.wav",
        "out-take2.wav", "out-take2.json", "out-take2.binaural.wav",
    }  # fmt: skip
    for take in result.takes:
        field, rate = soundfile.read(take.wav, dtype="float32")
        ears, ears_rate = soundfile.read(take.files["binaural"], dtype="float32")
        assert (ears_rate, ears.shape) == (rate, (88200, 2))
        np.testing.assert_allclose(ears, render_binaural(field.T, rate).T, atol=1e-6)
    expected = reproduction(result.takes[1].sidecar, output=tmp_path / "again.wav")
    run_request(expected.request, expected=expected)
    again, before = tmp_path / "again.binaural.wav", tmp_path / "out-take2.binaural.wav"
    assert again.read_bytes() == before.read_bytes()


def test_a_loudness_that_peaks_forbid_is_told(request_: GenerateRequest) -> None:
    assert run_request(replace(request_, loudness=-40.0)).warnings == ()
    loud = run_request(replace(request_, loudness=-1.0, overwrite=True))
    assert len(loud.warnings) == 1
    assert "LUFS, not the -1 asked for" in loud.warnings[0]
    assert "-1 dBTP" in loud.warnings[0]


def test_takes_have_seeds_and_files_of_their_own(request_: GenerateRequest, tmp_path: Path) -> None:
    result = run_request(replace(request_, takes=3, seed=10))
    assert names(tmp_path) == {
        "out.wav", "out.json", "out-take2.wav", "out-take2.json", "out-take3.wav", "out-take3.json",
    }  # fmt: skip
    assert [take.seed for take in result.takes] == [10, 11, 12]
    run_request(replace(request_, seed=12, output=tmp_path / "single.wav"))
    assert (tmp_path / "single.wav").read_bytes() == (tmp_path / "out-take3.wav").read_bytes()


def test_a_range_is_exact_to_the_sample(request_: GenerateRequest) -> None:
    run_request(replace(request_, start=0.5, duration=1.23456))
    assert soundfile.info(request_.output).frames == round(1.23456 * 48000)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": 2.0}, "starts at 2 s"),
        ({"start": 100.0}, "starts at 100 s"),
        ({"duration": 2.5}, "ends at 2.500 s"),
        ({"start": 1.5, "duration": 1.0}, "ends at 2.500 s"),
        ({"segments": (Segment(5.0),)}, "shot 1 starts at 5 s"),
    ],
)
def test_a_range_past_the_end_is_refused(
    request_: GenerateRequest, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        run_request(replace(request_, **changes))
    assert names(tmp_path) == set()


def test_an_existing_output_or_sidecar_is_refused_untouched(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    for name in ("out.wav", "out.json"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputExistsError, match=name):
            run_request(request_)
        assert names(tmp_path) == {name}
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


def test_overwrite_replaces_all_of_it(request_: GenerateRequest, tmp_path: Path) -> None:
    (tmp_path / "out.wav").write_text("old")
    (tmp_path / "out.json").write_text("old")
    run_request(replace(request_, overwrite=True))
    assert soundfile.info(request_.output).frames == 96000
    assert names(tmp_path) == {"out.wav", "out.json"}


def test_the_clip_cannot_be_the_output(tiny_bundle: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"a clip")
    with pytest.raises(OptionError, match="also an input"):
        run_request(GenerateRequest(clip, clip, bundle=str(tiny_bundle), overwrite=True))
    assert clip.read_bytes() == b"a clip"


def test_a_cancelled_job_leaves_nothing(request_: GenerateRequest, tmp_path: Path) -> None:
    token = CancelToken()
    (tmp_path / "out.wav").write_text("old")

    def stop(progress: Progress) -> None:
        if progress.stage == "sampling":
            token.cancel()

    with pytest.raises(Cancelled):
        run_request(replace(request_, overwrite=True), progress=stop, cancel=token)
    assert names(tmp_path) == {"out.wav"}
    assert (tmp_path / "out.wav").read_text() == "old"


def test_the_camera_s_sound_is_under_the_field(request_: GenerateRequest, tmp_path: Path) -> None:
    run_request(request_)
    run_request(replace(request_, output=tmp_path / "mixed.wav", mix=1.0))
    plain = soundfile.read(request_.output, dtype="float32")[0]
    mixed = soundfile.read(tmp_path / "mixed.wav", dtype="float32")[0]
    np.testing.assert_array_equal(mixed[:, 1:], plain[:, 1:])
    bed = mixed[4800:-4800, 0] - plain[4800:-4800, 0]
    # The clip's tone: 440 Hz of amplitude 0.25.
    times = np.arange(4800, 96000 - 4800) / 48000
    tone = np.sin(2 * np.pi * 440 * times)
    assert np.mean(bed * tone) * 2 == pytest.approx(0.25, abs=0.01)


def test_a_silent_clip_has_nothing_to_mix(tiny_bundle: Path, tmp_path: Path) -> None:
    from tests.support.small_clip import make_small_clip

    clip = make_small_clip(tmp_path / "silent.mp4", seconds=1.0, sound=False)
    request = GenerateRequest(clip, tmp_path / "out.wav", bundle=str(tiny_bundle), mix=0.5)
    with pytest.raises(MediaError, match="no sound of its own"):
        run_request(request)
    assert names(tmp_path) == {"silent.mp4"}


def test_another_clip_or_bundle_is_not_taken_for_the_sidecar_s(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    from tests.support.small_clip import make_small_clip
    from tests.support.tiny_bundle import make_tiny_bundle

    run_request(request_)
    other = make_small_clip(tmp_path / "other.mp4", seconds=1.5)
    expected = reproduction(tmp_path / "out.json", clip=other, output=tmp_path / "again.wav")
    with pytest.raises(MediaError, match="not the clip"):
        run_request(expected.request, expected=expected)

    bundle = make_tiny_bundle(tmp_path / "bundle", rng_seed=1)
    expected = reproduction(
        tmp_path / "out.json", output=tmp_path / "again.wav", changes={"bundle": str(bundle)}
    )
    with pytest.raises(BundleError, match="its hash differs"):
        run_request(expected.request, expected=expected)
    assert not (tmp_path / "again.wav").exists()


def test_a_clip_that_has_moved_is_found_beside_the_sidecar(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    clip = Path(shutil.copy(request_.clip, first / "clip.mp4"))
    run_request(replace(request_, clip=clip, output=first / "out.wav"))
    second = first.rename(tmp_path / "second")
    expected = reproduction(second / "out.json", output=second / "again.wav")
    run_request(expected.request, expected=expected)
    assert (second / "again.wav").read_bytes() == (second / "out.wav").read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "no sidecar"),
        ('{"schema": 1}', "no sidecar"),
        ('{"kind": "omniaudio-sidecar", "schema_version": 9}', "schema version 9"),
        ('{"kind": "omniaudio-sidecar", "schema_version": 1}', "request"),
    ],
)
def test_what_is_no_sidecar_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=said):
        reproduction(path)


def test_a_missing_sidecar_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        reproduction(tmp_path / "no.json")


def test_a_warm_generator_is_kept_while_it_serves(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    from tests.support.tiny_bundle import make_tiny_bundle

    first = open_generator(request_)
    first.load()
    assert open_generator(request_, first) is first
    assert first.graphs.loaded
    other = make_tiny_bundle(tmp_path / "other", rng_seed=1)
    second = open_generator(replace(request_, bundle=str(other)), first)
    assert second is not first
    assert not first.graphs.loaded  # two bundles are never in memory at once
    make_tiny_bundle(tmp_path / "other", rng_seed=2)
    assert open_generator(replace(request_, bundle=str(other)), second) is not second


def test_shots_come_from_a_file(request_: GenerateRequest, tmp_path: Path) -> None:
    file = tmp_path / "shots.json"
    file.write_text('[{"start": 0, "cfg": 1.5}, {"start": 1.0, "seed": 4}]')
    assert with_shots(request_, str(file)).segments == (
        Segment(0, cfg=1.5),
        Segment(1.0, seed=4),
    )


def test_an_existing_output_is_refused_before_the_clip_is_searched_for_cuts(
    request_: GenerateRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_.output.with_suffix(".json").write_text("mine")
    searched: list[object] = []
    monkeypatch.setattr(
        "omniaudio_studio.engine.shots.find_shots", lambda info, **_: searched.append(info) or []
    )
    with pytest.raises(OutputExistsError):
        with_shots(request_, "auto")
    assert searched == []
    with_shots(replace(request_, overwrite=True), "auto")
    assert len(searched) == 1
