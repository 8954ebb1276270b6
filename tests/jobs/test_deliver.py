"""Whole deliveries: bits, placed sounds, companions, sidecars, refusals."""

from __future__ import annotations

import json
import math
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
from omniaudio_studio.foa.binaural import render_binaural
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.placed import SPEED_OF_SOUND, PlacedPath
from omniaudio_studio.jobs.deliver import BLOCK, run_deliver
from omniaudio_studio.jobs.deliver_request import DeliverRequest, PlacedSource
from omniaudio_studio.jobs.delivery_sidecar import redelivery
from omniaudio_studio.media.loudness import integrated_loudness
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav

RATE = 48000
SECONDS = 3.0


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture
def field(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    write_wav(folder / "field.wav", noise(4, round(SECONDS * RATE)), RATE)
    return folder / "field.wav"


@pytest.fixture
def bird(field: Path) -> PlacedSource:
    """Two seconds of noise that begin at half a second, 2 m to the left."""
    path = field.with_name("bird.wav")
    write_wav(path, noise(2 * RATE), RATE)
    return PlacedSource(path, "bird", 0.5, ((0.0, 0.0, 2.0, 0.0, 1.0),))


@pytest.fixture
def request_(field: Path, tmp_path: Path) -> DeliverRequest:
    (tmp_path / "out").mkdir()
    return DeliverRequest(field, tmp_path / "out" / "out.wav")


@pytest.mark.parametrize(
    ("where", "first", "count"),
    [
        ({}, 0, 144_000),
        ({"start": 0.7}, 33_600, 110_400),
        ({"start": 1.23456, "duration": 0.5}, 59_259, 24_000),
    ],
)
def test_where_nothing_is_done_the_bits_are_the_field_s(
    request_: DeliverRequest, field: Path, where: dict[str, float], first: int, count: int
) -> None:
    result = run_deliver(replace(request_, **where))
    np.testing.assert_array_equal(
        read(request_.output).view(np.uint32),
        read(field)[:, first : first + count].view(np.uint32),
    )
    assert (result.samples, result.rate, result.gain_db) == (count, RATE, 0.0)
    assert result.peak == pytest.approx(np.abs(read(request_.output)).max())
    assert result.duration == count / RATE
    assert result.sha256 == file_sha256(request_.output)
    assert result.warnings == ()
    assert names(request_.output.parent) == {"out.wav", "out.json"}


def test_a_field_that_says_nothing_is_what_it_is_said_to_be(
    request_: DeliverRequest, field: Path
) -> None:
    """FuMa's order is W X Y Z, and its W is 3 dB lower."""
    run_deliver(replace(request_, convention="fuma"))
    w, x, y, z = read(field)
    np.testing.assert_allclose(
        read(request_.output), np.stack([w * math.sqrt(2), y, z, x]), atol=1e-6
    )
    # The same where the field stays as it is, and after another start from the sidecar.
    beside = replace(request_, output=field, convention="fuma", deliverables=("fuma",))
    run_deliver(beside)
    np.testing.assert_allclose(read(field.with_name("field.fuma.wav")), [w, x, y, z], atol=1e-6)
    again = redelivery(request_.output.with_suffix(".json"), overwrite=True)
    assert again.request.convention == "fuma"


def test_a_placed_sound_is_added_to_the_field(
    request_: DeliverRequest, field: Path, bird: PlacedSource
) -> None:
    """Its own field, begun at its time, whatever part is delivered."""
    run_deliver(replace(request_, sources=(bird,)))
    added = read(request_.output) - read(field)
    begin = RATE // 2
    wanted = 0.5 * noise(2 * RATE)  # 2 m away
    np.testing.assert_allclose(added[0, begin:][: 2 * RATE], wanted, atol=1e-6)
    np.testing.assert_allclose(added[1, begin:][: 2 * RATE], wanted, atol=1e-6)
    np.testing.assert_allclose(added[2:], 0.0, atol=1e-6)
    assert np.abs(added[:, :begin]).max() == 0.0
    whole = read(request_.output)
    part = replace(request_, sources=(bird,), start=1.3, duration=1.0, overwrite=True)
    run_deliver(part)
    np.testing.assert_allclose(read(request_.output), whole[:, 62_400 : 62_400 + RATE], atol=1e-7)


def test_sources_need_no_field(request_: DeliverRequest, bird: PlacedSource) -> None:
    alone = replace(request_, field=None, duration=4.0, sources=(replace(bird, start=-1.0),))
    result = run_deliver(alone)
    assert result.samples == 4 * RATE
    sound = read(request_.output)
    np.testing.assert_allclose(sound[0, :RATE], 0.5 * noise(2 * RATE)[RATE:], atol=1e-6)
    assert not sound[:, RATE:].any()


def test_a_source_may_be_repeated_and_of_another_rate(
    request_: DeliverRequest, bird: PlacedSource
) -> None:
    times = np.arange(11025) / 44100  # a quarter of a second of 400 Hz: whole periods
    write_wav(bird.file, np.sin(2 * np.pi * 400 * times), 44100)
    source = replace(bird, start=0.0, loop=True, rolloff=0.0)
    run_deliver(replace(request_, field=None, duration=2.0, sources=(source,)))
    sound = read(request_.output)[0]
    wanted = np.sin(2 * np.pi * 400 * np.arange(2 * RATE) / RATE)
    assert np.sqrt(np.mean((sound - wanted) ** 2)) < 0.02


def test_a_source_passes_by_with_delay(request_: DeliverRequest, bird: PlacedSource) -> None:
    """Heard where it is within half a degree; the file's blocks make no difference."""
    times = np.linspace(0.0, 3.0, 61)
    points = tuple((float(t), 4.0, 6.0 - 4.0 * float(t), 1.0, 1.0) for t in times)
    source = replace(bird, start=0.0, points=points, delay=True)
    run_deliver(replace(request_, field=None, duration=3.0, sources=(source,)))
    sound = read(request_.output)
    assert sound.shape[1] > BLOCK
    path = PlacedPath(points, RATE, delay=True)
    padded = np.zeros(path.before + 3 * RATE + path.after, np.float32)
    padded[path.before : path.before + 2 * RATE] = noise(2 * RATE)
    np.testing.assert_allclose(sound, path.encode(padded, 0), atol=1e-6)
    silent = int(np.flatnonzero(np.abs(sound[0]) > 1e-3)[0])
    assert silent == pytest.approx(math.hypot(4, 6, 1) / SPEED_OF_SOUND * RATE, abs=16)
    for when in (0.3, 1.0, 1.9):
        begin = round((when - 0.01) * RATE)
        found = direction_vector(*direction_of_arrival(sound[:, begin : begin + 960]))
        truth = np.array([4.0, 6.0 - 4.0 * when, 1.0])
        cosine = float(found @ truth / np.linalg.norm(truth))
        assert math.degrees(math.acos(min(1.0, cosine))) < 0.5


def test_a_loudness_is_reached_and_what_was_added_counts(
    request_: DeliverRequest, bird: PlacedSource
) -> None:
    result = run_deliver(replace(request_, sources=(bird,), loudness=-30.0))
    assert result.gain_db < -1.0
    assert integrated_loudness(request_.output) == pytest.approx(-30.0, abs=0.1)
    assert result.peak == pytest.approx(np.abs(read(request_.output)).max(), rel=1e-5)


def test_what_does_not_fit_is_told(request_: DeliverRequest, bird: PlacedSource) -> None:
    loud = replace(bird, points=((0.0, 0.5, 0.0, 0.0, 20.0),))
    result = run_deliver(replace(request_, sources=(loud,)))
    assert result.peak > 2.0
    assert "above full scale" in result.warnings[0]
    result = run_deliver(replace(request_, sources=(loud,), subtype="pcm24", overwrite=True))
    assert result.peak == 1.0
    assert "were clipped" in result.warnings[0]
    assert soundfile.info(request_.output).subtype == "PCM_24"


def test_the_binaural_file_follows_the_head(request_: DeliverRequest) -> None:
    """Its times are the field's: they move with the part."""
    head = ((0.0, 0.0, 0.0, 0.0), (1.0, 90.0, 10.0, 0.0), (2.0, 90.0, 10.0, -20.0))
    wanted = replace(
        request_, start=0.5, deliverables=("wav", "binaural"), head=head, subtype="pcm24"
    )
    result = run_deliver(wanted)
    assert result.files["binaural"] == request_.output.with_name("out.binaural.wav")
    times, *angles = np.array(head).T
    track = (times - 0.5, *np.radians(angles))
    expected = render_binaural(read(request_.output), RATE, track=track)
    np.testing.assert_allclose(read(result.files["binaural"]), expected, atol=1e-6)
    still = render_binaural(read(request_.output), RATE)
    assert np.abs(expected - still).max() > 0.01


@pytest.fixture
def everything(request_: DeliverRequest, small_clip: Path, bird: PlacedSource) -> DeliverRequest:
    return replace(
        request_,
        start=0.5,
        sources=(bird,),
        clip=small_clip,
        clip_start=0.25,
        deliverables=("wav", "binaural", "overlay", "plot"),
    )


def test_everything_appears_together(everything: DeliverRequest) -> None:
    stages: dict[str, list[Any]] = {}
    folders: list[Path] = []
    result = run_deliver(
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
    # The clip has 2 s, of which 0.75 s lie before the part.
    assert probe(result.files["overlay"]).duration == pytest.approx(1.25, abs=0.1)
    assert "ends 1.25 s before the sound" in result.warnings[0]
    data = json.loads((out / "out.json").read_text(encoding="utf-8"))
    assert data["kind"] == "omniaudio-delivery"
    assert data["output"]["sha256"] == file_sha256(out / "out.wav")
    assert data["files"] == [
        {"deliverable": name, "name": made.name, "sha256": file_sha256(made)}
        for name, made in result.files.items()
    ]
    assert list(result.files) == ["binaural", "overlay", "plot"]
    assert everything.field is not None
    assert everything.clip is not None
    files = (everything.field, everything.clip, everything.sources[0].file)
    assert [item["sha256"] for item in data["inputs"]] == [file_sha256(path) for path in files]
    assert DeliverRequest.from_dict(data["request"]).start == 0.5
    plain = result.as_dict()
    assert plain["kind"] == "deliver"
    assert json.loads(json.dumps(plain)) == plain


@pytest.mark.parametrize(
    "changes",
    [{}, {"rate": 44100, "subtype": "pcm24"}, {"loudness": -23.0}, {"field": None, "duration": 2}],
)
def test_the_sidecar_delivers_the_same_bits_again(
    everything: DeliverRequest, tmp_path: Path, changes: dict[str, Any]
) -> None:
    moving = replace(
        everything.sources[0],
        points=((0.0, 1.0, 2.0, 0.0, 1.0), (2.0, -9.0, 2.0, 1.0, 0.4)),
        delay=True,
        loop=True,
    )
    heard = {"deliverables": ("wav", "binaural"), "clip": None}
    run_deliver(replace(everything, sources=(moving,), **heard, **changes))
    sidecar = everything.output.with_suffix(".json")
    expected = redelivery(sidecar, output=tmp_path / "again.wav")
    result = run_deliver(expected.request, expected=expected)
    assert (tmp_path / "again.wav").read_bytes() == everything.output.read_bytes()
    again = (tmp_path / "again.binaural.wav").read_bytes()
    assert again == everything.output.with_name("out.binaural.wav").read_bytes()
    assert not [line for line in result.warnings if "bits" in line]
    assert "[0.0, 1.0, 2.0, 0.0, 1.0]," in sidecar.read_text(encoding="utf-8")  # a path can be read


def test_moved_files_are_found_beside_the_sidecar_and_others_are_refused(
    request_: DeliverRequest, bird: PlacedSource, tmp_path: Path
) -> None:
    run_deliver(replace(request_, sources=(bird,)))
    assert request_.field is not None
    out = request_.output.parent
    for path in (request_.field, bird.file):
        path.rename(out / path.name)
    expected = redelivery(out / "out.json", output=tmp_path / "again.wav")
    run_deliver(expected.request, expected=expected)
    assert (tmp_path / "again.wav").read_bytes() == request_.output.read_bytes()
    write_wav(out / "bird.wav", noise(RATE), RATE)
    with pytest.raises(MediaError, match="is not the sound of bird that"):
        run_deliver(replace(expected.request, overwrite=True), expected=expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ('{"kind": "omniaudio-sidecar", "schema_version": 1}', "beside a delivered .wav"),
        ('{"kind": "omniaudio-delivery", "schema_version": 9}', "schema version 9"),
        ('{"kind": "omniaudio-delivery", "schema_version": 1}', "request"),
    ],
)
def test_what_is_no_sidecar_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(OptionError, match=said):
        redelivery(tmp_path / "a.json")


def test_an_incomplete_sidecar_is_refused(request_: DeliverRequest) -> None:
    run_deliver(request_)
    sidecar = request_.output.with_suffix(".json")
    data = json.loads(sidecar.read_text(encoding="utf-8"))
    for broken in ({**data, "inputs": []}, {**data, "output": {}}):
        sidecar.write_text(json.dumps(broken))
        with pytest.raises(OptionError, match="is incomplete"):
            redelivery(sidecar)


def missing_field(request: DeliverRequest) -> DeliverRequest:
    return replace(request, field=Path("no.wav"))


def stereo_field(request: DeliverRequest) -> DeliverRequest:
    assert request.field is not None
    write_wav(request.field, noise(2, RATE), RATE)
    return request


def nan_field(request: DeliverRequest) -> DeliverRequest:
    assert request.field is not None
    sound = noise(4, RATE)
    sound[2, 40_000] = np.nan
    soundfile.write(request.field, sound.T, RATE, subtype="FLOAT")
    return request


def missing_sound(request: DeliverRequest) -> DeliverRequest:
    return replace(request, sources=(replace(request.sources[0], file=Path("no.wav")),))


def sound_that_is_none(request: DeliverRequest) -> DeliverRequest:
    request.sources[0].file.write_text("no sound")
    return request


def part_past_the_end(request: DeliverRequest) -> DeliverRequest:
    return replace(request, start=3.5, clip=None, deliverables=("wav", "plot"))


def clip_past_its_end(request: DeliverRequest) -> DeliverRequest:
    return replace(request, clip_start=7.0)


def before_the_clip(request: DeliverRequest) -> DeliverRequest:
    return replace(request, clip_start=-0.75)


def flat_clip(request: DeliverRequest) -> DeliverRequest:
    return replace(request, projection="flat")


def input_as_output(request: DeliverRequest) -> DeliverRequest:
    return replace(request, output=request.sources[0].file, overwrite=True)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (missing_field, MissingFileError, "the sound field"),
        (stereo_field, MediaError, "2 channels"),
        (nan_field, MediaError, "NaN or infinite values at 0.833 s"),
        (missing_sound, MissingFileError, "the sound of bird"),
        (sound_that_is_none, MediaError, "bird.wav"),
        (part_past_the_end, OptionError, "starts at 3.5 s"),
        (clip_past_its_end, OptionError, "which lasts 2.000 s"),
        (before_the_clip, OptionError, "begins at -0.250 s .* change clip_start"),
        (flat_clip, OptionError, "field of view"),
        (input_as_output, OptionError, "also an input"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    everything: DeliverRequest,
    change: Callable[[DeliverRequest], DeliverRequest],
    error: type[Exception],
    said: str,
) -> None:
    wrong = change(everything)
    with pytest.raises(error, match=said) as caught:
        run_deliver(wrong)
    assert "\n" not in str(caught.value)
    assert names(everything.output.parent) == set()
    assert names(everything.output.parent.parent / "in") == {"field.wav", "bird.wav"}


def test_existing_files_are_refused_untouched(everything: DeliverRequest) -> None:
    for name in ("out.wav", "out.json", "out.binaural.wav", "out.overlay.mp4", "out.png"):
        there = everything.output.with_name(name)
        there.write_text("mine")
        with pytest.raises(OutputExistsError, match=name):
            run_deliver(everything)
        assert there.read_text() == "mine"
        there.unlink()
    assert names(everything.output.parent) == set()


@pytest.mark.parametrize("stage", ["sound", "overlay", "binaural"])
def test_a_cancelled_delivery_leaves_nothing(everything: DeliverRequest, stage: str) -> None:
    token = CancelToken()
    everything.output.write_text("old")

    def stop(report: Any) -> None:
        if report.stage == stage:
            token.cancel()

    with pytest.raises(Cancelled):
        run_deliver(replace(everything, overwrite=True), progress=stop, cancel=token)
    assert names(everything.output.parent) == {"out.wav"}
    assert everything.output.read_text() == "old"


def test_a_loop_of_nothing_is_stopped_too(request_: DeliverRequest, bird: PlacedSource) -> None:
    """While a source is looked through, not only between the field's blocks."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        run_deliver(replace(request_, sources=(replace(bird, loop=True),)), cancel=token)
    assert names(request_.output.parent) == set()
