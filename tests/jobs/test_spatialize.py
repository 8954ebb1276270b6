"""Recordings put on the sphere: bits, directions, companions, sidecars, refusals."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import (
    Cancelled,
    MediaError,
    MissingFileError,
    OptionError,
    OutputExistsError,
)
from omniaudio_studio.files import file_sha256
from omniaudio_studio.foa.arcs import GreatCircleTrack
from omniaudio_studio.foa.binaural import render_binaural
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.direction_files import read_directions
from omniaudio_studio.jobs.spatialize import run_spatialize
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest
from omniaudio_studio.jobs.spatialize_sidecar import respatialization
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip
from tests.support.command_line import names
from tests.support.material import material
from tests.support.small_clip import make_small_clip

RATE = 48_000
SECONDS = 2.0
TIMES = [k / 10 for k in range(20)]
# Uneven, as a phone's.
UNEVEN = [0.0, 0.03, 0.2, 0.21, 0.5, 0.9, 1.0, 1.3, 1.31, 1.32, 1.7, 1.95]

MOVING = DirectedSource(
    "bird",
    ((0.25, 120.0, 0.0, 1.0), (1.0, -150.0, 50.0, 1.0), (1.75, -20.0, -30.0, 1.0)),
)
LEFT = DirectedSource("car", ((0.0, 90.0, 0.0, 1.0),))


def noise(channels: int, seconds: float = SECONDS, seed: int = 0) -> np.ndarray:
    """In sixteen bits, exactly."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-9000, 9000, (channels, round(seconds * RATE))) / 32768).astype(np.float32)


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of two seconds: mono, stereo, mute, and of uneven times."""
    folder = tmp_path_factory.mktemp("clips")
    lossless: dict[str, Any] = {"sound_codec": "pcm_s16le", "rate": 10}
    make_clip(folder / "mono.mkv", TIMES, sound=noise(1), **lossless)
    make_clip(folder / "stereo.mkv", TIMES, sound=noise(2), **lossless)
    make_clip(folder / "mute.mkv", TIMES, rate=10)
    make_clip(folder / "uneven.mkv", UNEVEN, sound=noise(1), last=0.05, **lossless)
    make_clip(folder / "one.mkv", [0.0], sound=noise(1), last=2.0, **lossless)
    return folder


@pytest.fixture
def request_(clips: Path, tmp_path: Path) -> SpatializeRequest:
    (tmp_path / "out").mkdir()
    return SpatializeRequest(
        clips / "mono.mkv", tmp_path / "out" / "out.wav", method="given", sources=(LEFT,)
    )


@pytest.mark.parametrize("subtype", ["float32", "pcm24"])
@pytest.mark.parametrize("clip", ["mono", "stereo", "uneven"])
def test_w_is_the_recording_bit_for_bit(
    request_: SpatializeRequest, clips: Path, clip: str, subtype: str
) -> None:
    """Also turned, spread, out of uneven pictures, and where it moves."""
    half = DirectedSource("half", ((0.0, 40.0, 10.0, 0.5),))
    wanted = replace(
        request_, clip=clips / f"{clip}.mkv", sources=(half,), subtype=subtype, yaw=33.0, width=1.0
    )
    result = run_spatialize(wanted)
    sound = noise(2 if clip == "stereo" else 1)
    w = read(request_.output)[0]
    middle = sound[0] if clip != "stereo" else (sound[0] + sound[1]) * np.float32(0.5)
    assert w.tobytes() == middle.tobytes()
    assert (result.samples, result.rate) == (round(SECONDS * RATE), RATE)
    assert result.warnings == ()
    assert names(request_.output.parent) == {"out.wav", "out.json"}


def test_the_field_comes_from_where_it_was_said(request_: SpatializeRequest) -> None:
    """Within half a degree, at every moment of a path over the sphere's back."""
    run_spatialize(replace(request_, sources=(MOVING,)))
    sound = read(request_.output)
    times, azimuth, elevation, _ = np.array(MOVING.points).T
    track = GreatCircleTrack(times, direction_vector(np.radians(azimuth), np.radians(elevation)).T)
    for when in np.arange(0.01, SECONDS - 0.01, 0.02):
        begin = round((when - 0.005) * RATE)
        found = direction_vector(*direction_of_arrival(sound[:, begin : begin + 480]))
        cosine = float(found @ track.at([when])[0])
        assert math.degrees(math.acos(min(1.0, cosine))) < 0.5


def test_a_part_is_that_of_the_whole(request_: SpatializeRequest, tmp_path: Path) -> None:
    """Directions count from the clip's first frame."""
    whole = replace(request_, sources=(MOVING,), output=tmp_path / "whole.wav")
    run_spatialize(whole)
    result = run_spatialize(replace(request_, sources=(MOVING,), start=0.7, duration=0.9))
    assert result.samples == 43_200
    np.testing.assert_array_equal(read(request_.output), read(whole.output)[:, 33_600:76_800])


def test_yaw_makes_a_direction_the_front(request_: SpatializeRequest) -> None:
    run_spatialize(replace(request_, yaw=90.0, rate=44_100))
    sound = read(request_.output)
    assert sound.shape == (4, 88_200)
    np.testing.assert_allclose(sound[3], sound[0], atol=1e-6)
    np.testing.assert_allclose(sound[1:3], 0.0, atol=1e-6)


def test_another_recording(request_: SpatializeRequest, clips: Path, tmp_path: Path) -> None:
    """At its own rate; too short or too long by so much."""
    audio = tmp_path / "audio.wav"
    for seconds, said in ((1.25, "ends 0.75 s before the clip"), (3.5, "1.50 s longer")):
        write_wav(audio, noise(1, seconds / 2), RATE // 2)
        result = run_spatialize(
            replace(request_, clip=clips / "mute.mkv", audio=audio, overwrite=True)
        )
        assert (result.samples, result.rate) == (RATE, RATE // 2)
        w, own = read(request_.output)[0], read(audio)
        have = min(w.size, own.size)
        assert w[:have].tobytes() == own[:have].tobytes()
        assert not w[have:].any()
        assert len(result.warnings) == 1
        assert said in result.warnings[0]


def test_what_does_not_fit_is_told(request_: SpatializeRequest, tmp_path: Path) -> None:
    audio = tmp_path / "loud.wav"
    write_wav(audio, 8 * noise(1), RATE)
    result = run_spatialize(replace(request_, audio=audio))
    assert result.peak == pytest.approx(np.abs(read(audio)).max())
    assert "so is the recording's" in result.warnings[0]
    result = run_spatialize(replace(request_, audio=audio, subtype="pcm24", overwrite=True))
    assert result.peak == 1.0
    assert "were clipped" in result.warnings[0]


@pytest.fixture
def everything(request_: SpatializeRequest, small_clip: Path, tmp_path: Path) -> SpatializeRequest:
    """A range, a stem, a turned front, and all that may lie beside the WAV."""
    (tmp_path / "in").mkdir()
    write_wav(tmp_path / "in" / "audio.wav", noise(2), RATE)
    write_wav(tmp_path / "in" / "bird.wav", noise(1, 1.0, seed=1), RATE)
    stem = replace(MOVING, file=tmp_path / "in" / "bird.wav", start=0.25)
    return replace(
        request_,
        clip=small_clip,
        audio=tmp_path / "in" / "audio.wav",
        sources=(stem, DirectedSource("rest", ((0.0, 0.0, 0.0, 0.25), (2.0, 45.0, 0.0, 0.75)))),
        start=0.5,
        yaw=-30.0,
        deliverables=("wav", "binaural", "overlay", "plot"),
    )


def test_everything_appears_together(everything: SpatializeRequest) -> None:
    stages: dict[str, list[Any]] = {}
    folders: list[Path] = []
    result = run_spatialize(
        everything,
        progress=lambda report: stages.setdefault(report.stage, []).append(report),
        started=folders.append,
    )
    out = everything.output.parent
    assert names(out) == {"out.wav", "out.json", "out.binaural.wav", "out.overlay.mp4", "out.png"}
    assert list(stages) == ["sound", "binaural", "overlay"]
    for reports in stages.values():
        assert reports[-1].done == pytest.approx(reports[-1].total)
        assert reports[-1].eta == pytest.approx(0.0)
    assert folders[0].parent == out
    assert not folders[0].exists()
    assert probe(result.files["overlay"]).duration == pytest.approx(1.5, abs=0.01)
    expected = render_binaural(read(result.wav), RATE)
    np.testing.assert_allclose(read(result.files["binaural"]), expected, atol=1e-6)
    data = json.loads((out / "out.json").read_text(encoding="utf-8"))
    assert data["kind"] == "omniaudio-spatialization"
    assert data["output"]["sha256"] == result.sha256 == file_sha256(out / "out.wav")
    assert data["files"] == [
        {"deliverable": name, "name": made.name, "sha256": file_sha256(made)}
        for name, made in result.files.items()
    ]
    assert list(result.files) == ["binaural", "overlay", "plot"]
    assert everything.audio is not None
    stem = everything.sources[0].file
    assert stem is not None
    files = (everything.clip, everything.audio, stem)
    assert [item["sha256"] for item in data["inputs"]] == [file_sha256(path) for path in files]
    assert SpatializeRequest.from_dict(data["request"]) == everything
    assert data["sources"][0]["points"] == [list(point) for point in MOVING.points]
    assert data["sources"][0]["confidence"] == [1.0, 1.0, 1.0]
    assert read_directions(out / "out.json") == everything.sources
    plain = result.as_dict()
    assert plain["kind"] == "spatialize"
    assert json.loads(json.dumps(plain)) == plain


def test_only_the_sound_alone_is_turned(everything: SpatializeRequest, tmp_path: Path) -> None:
    """The picture keeps its own front: its sound is that of a file that was not turned."""
    straight = replace(everything, yaw=0.0, output=tmp_path / "straight.wav")
    a, b = run_spatialize(everything), run_spatialize(straight)
    turned = rotate_yaw(read(b.wav), math.radians(30.0))
    np.testing.assert_allclose(read(a.wav), turned, atol=1e-6)
    from omniaudio_studio.media.audio import read_audio

    # AAC may round the one ten-millionth that turning back leaves.
    drawn = [read_audio(made.files["overlay"])[0] for made in (a, b)]
    np.testing.assert_allclose(*drawn, atol=2e-3)


@pytest.mark.parametrize(
    "changes", [{}, {"rate": 44100, "subtype": "pcm24"}, {"width": 1.0, "seed": 7}]
)
def test_the_sidecar_makes_the_same_bits_again(
    everything: SpatializeRequest, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run_spatialize(replace(everything, deliverables=("wav", "binaural"), **changes))
    expected = respatialization(everything.output.with_suffix(".json"), output=tmp_path / "b.wav")
    result = run_spatialize(expected.request, expected=expected)
    assert (tmp_path / "b.wav").read_bytes() == everything.output.read_bytes()
    again = (tmp_path / "b.binaural.wav").read_bytes()
    assert again == everything.output.with_name("out.binaural.wav").read_bytes()
    assert not [line for line in result.warnings if "bits" in line]
    other = replace(expected, output="0" * 64, sound=None)
    result = run_spatialize(replace(expected.request, overwrite=True), expected=other)
    assert "differs in its bits" in result.warnings[-1]


def test_moved_files_are_found_beside_the_sidecar_and_others_are_refused(
    everything: SpatializeRequest, tmp_path: Path
) -> None:
    run_spatialize(replace(everything, deliverables=("wav",)))
    out = everything.output.parent
    assert everything.audio is not None
    stem = everything.sources[0].file
    assert stem is not None
    for path in (everything.audio, stem):
        path.rename(out / path.name)
    expected = respatialization(out / "out.json", output=tmp_path / "again.wav")
    run_spatialize(expected.request, expected=expected)
    assert (tmp_path / "again.wav").read_bytes() == everything.output.read_bytes()
    write_wav(out / "audio.wav", noise(1), RATE)
    with pytest.raises(MediaError, match=r"audio\.wav is not the recording that"):
        run_spatialize(replace(expected.request, overwrite=True), expected=expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ('{"kind": "omniaudio-sidecar", "schema_version": 1}', "beside a spatialized .wav"),
        ('{"kind": "omniaudio-spatialization", "schema_version": 9}', "schema version 9"),
        ('{"kind": "omniaudio-spatialization", "schema_version": 1}', "request"),
    ],
)
def test_what_is_no_sidecar_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(OptionError, match=said):
        respatialization(tmp_path / "a.json")


def test_an_incomplete_sidecar_is_refused(request_: SpatializeRequest) -> None:
    run_spatialize(request_)
    sidecar = request_.output.with_suffix(".json")
    data = json.loads(sidecar.read_text(encoding="utf-8"))
    for broken in ({**data, "inputs": []}, {**data, "output": {}}):
        sidecar.write_text(json.dumps(broken))
        with pytest.raises(OptionError, match="is incomplete"):
            respatialization(sidecar)


def mute(request: SpatializeRequest) -> SpatializeRequest:
    return replace(request, clip=request.clip.with_name("mute.mkv"))


def silent(request: SpatializeRequest) -> SpatializeRequest:
    path = request.output.parent.parent / "silent.wav"
    write_wav(path, np.zeros((1, RATE), np.float32), RATE)
    return replace(request, audio=path)


def a_field(request: SpatializeRequest) -> SpatializeRequest:
    path = request.output.parent.parent / "field.wav"
    write_wav(path, noise(4), RATE)
    return replace(request, audio=path)


def a_picture_of_sound(request: SpatializeRequest) -> SpatializeRequest:
    path = request.output.parent.parent / "still.png"
    path.write_bytes(PICTURE)
    return replace(request, clip=path, audio=request.clip)


def sound_alone(request: SpatializeRequest) -> SpatializeRequest:
    path = request.output.parent.parent / "alone.wav"
    write_wav(path, noise(1), RATE)
    return replace(request, clip=path)


def nothing_moves(request: SpatializeRequest) -> SpatializeRequest:
    clip = request.clip.with_name("one.mkv")
    return replace(request, clip=clip, method="automatic", sources=())


def flat(request: SpatializeRequest) -> SpatializeRequest:
    clip = request.output.parent.parent / "flat.mkv"
    make_clip(clip, TIMES, size=(64, 48), rate=10, sound=noise(1), sound_codec="pcm_s16le")
    return replace(request, clip=clip, method="automatic", sources=())


def flat_overlay(request: SpatializeRequest) -> SpatializeRequest:
    wanted = flat(request)
    return replace(wanted, method="given", sources=(LEFT,), deliverables=("wav", "overlay"))


def past_the_end(request: SpatializeRequest) -> SpatializeRequest:
    return replace(request, start=2.5)


def too_long(request: SpatializeRequest) -> SpatializeRequest:
    return replace(request, start=1.0, duration=1.5)


def missing_stem(request: SpatializeRequest) -> SpatializeRequest:
    return replace(request, sources=(replace(LEFT, file=Path("no.wav")),))


def missing_recording(request: SpatializeRequest) -> SpatializeRequest:
    return replace(request, audio=Path("no.wav"))


def recording_as_output(request: SpatializeRequest) -> SpatializeRequest:
    path = request.output.parent.parent / "audio.wav"
    write_wav(path, noise(1), RATE)
    return replace(request, audio=path, output=path, overwrite=True)


PICTURE = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x01\x08\x00\x00\x00\x00\xd1"
    b"l\xd2\x9a\x00\x00\x00\x0bIDATx\x9cc`\xf8\x0f\x00\x01\x02\x01\x00\xb0\x8a\x03\xfa\x00\x00"
    b"\x00\x00IEND\xaeB`\x82"
)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (mute, MediaError, "no sound of its own to place; use omniaudio generate, or give --audio"),
        (silent, MediaError, "is silent from 0 s to 2 s"),
        (a_field, MediaError, "looks like a sound field already"),
        (a_picture_of_sound, MediaError, "still"),
        (sound_alone, MediaError, "no moving picture"),
        (nothing_moves, MediaError, "is a still picture: nothing in it moves with the sound"),
        (flat, MediaError, "is a flat video .* --hfov"),
        (flat_overlay, MediaError, "is a flat video"),
        (past_the_end, OptionError, "starts at 2.5 s, but the clip is 2.000 s"),
        (too_long, OptionError, "ends at 2.500 s"),
        (missing_stem, MissingFileError, "the sound of car"),
        (missing_recording, MissingFileError, "the recording"),
        (recording_as_output, OptionError, "also an input"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    request_: SpatializeRequest,
    change: Callable[[SpatializeRequest], SpatializeRequest],
    error: type[Exception],
    said: str,
) -> None:
    wrong = change(request_)
    before = names(request_.output.parent.parent)
    with pytest.raises(error, match=said) as caught:
        run_spatialize(wrong)
    assert "\n" not in str(caught.value)
    assert names(request_.output.parent) == set()
    assert names(request_.output.parent.parent) == before


def test_given_directions_need_no_sphere(request_: SpatializeRequest) -> None:
    """The picture is a clock then: flat, or of one picture only."""
    wanted = replace(flat(request_), method="given", sources=(LEFT,))
    assert run_spatialize(wanted).samples == 2 * RATE
    one = replace(request_, clip=request_.clip.with_name("one.mkv"), overwrite=True)
    assert run_spatialize(one).samples == 2 * RATE


def test_existing_files_are_refused_untouched(everything: SpatializeRequest) -> None:
    for name in ("out.wav", "out.json", "out.binaural.wav", "out.overlay.mp4", "out.png"):
        there = everything.output.with_name(name)
        there.write_text("mine")
        with pytest.raises(OutputExistsError, match=name):
            run_spatialize(everything)
        assert there.read_text() == "mine"
        there.unlink()
    assert names(everything.output.parent) == set()


@pytest.mark.parametrize("stage", ["sound", "overlay", "binaural"])
def test_cancelling_leaves_nothing(everything: SpatializeRequest, stage: str) -> None:
    token = CancelToken()
    everything.output.write_text("old")

    def stop(report: Any) -> None:
        if report.stage == stage:
            token.cancel()

    with pytest.raises(Cancelled):
        run_spatialize(replace(everything, overwrite=True), progress=stop, cancel=token)
    assert names(everything.output.parent) == {"out.wav"}
    assert everything.output.read_text() == "old"


def test_memory_is_flat(tmp_path: Path) -> None:
    """What Python holds at its peak does not follow the clip's length."""
    peaks = []
    for seconds in (10.0, 100.0):
        clip = make_small_clip(tmp_path / f"{seconds}.mp4", seconds, fps=1.0, width=32, height=16)
        half = DirectedSource("half", ((0.0, 40.0, 10.0, 0.5),))
        request = SpatializeRequest(
            clip, tmp_path / f"{seconds}.wav", method="given", sources=(MOVING, half)
        )
        tracemalloc.start()
        run_spatialize(request)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_a_real_clip(tmp_path: Path) -> None:
    """The camera's mono sound, sample for sample in W."""
    from omniaudio_studio.media.audio import read_audio

    clip = material("clips/ricoh_360_mono_40s.mp4")
    result = run_spatialize(
        SpatializeRequest(
            clip, tmp_path / "out.wav", method="given", sources=(MOVING,), start=5.0, duration=3.0
        )
    )
    own, rate = read_audio(clip, None, 5.0, 3.0)
    assert result.rate == rate
    assert read(result.wav)[0].tobytes() == own[0].tobytes()
