"""The camera's own sound under the generated field: where, how loud, from when on, and ducking."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.earlier_take import EarlierTake
from omniaudio_studio.jobs.mixing import Recording, Stream
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import reproduction
from omniaudio_studio.jobs.treatment import MixedField, Treatment, asked_for, treatment_of
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.wav import write_wav
from tests.support.small_clip import make_small_clip
from tests.support.tiny_bundle import make_tiny_bundle

RATE = 48_000
SAMPLES = 2 * RATE


def sound(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def noise(samples: int, seed: int = 0, gain: float = 0.1) -> np.ndarray:
    return (gain * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def wave(azimuth: float, elevation: float = 0.0, samples: int = SAMPLES) -> np.ndarray:
    return encode_plane_wave(noise(samples), np.radians(azimuth), np.radians(elevation))


@pytest.fixture(scope="session")
def info(small_clip: Path) -> ClipInfo:
    return probe(small_clip)


@pytest.fixture
def request_(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(small_clip, tmp_path / "out.wav", bundle=str(tiny_bundle), device="cpu")


@pytest.fixture
def field_file(tmp_path: Path) -> Path:
    """A recording on the sphere: 90 degrees to the left."""
    path = tmp_path / "field.wav"
    write_wav(path, wave(90.0), RATE)
    return path


def with_sidecar(path: Path, kind: str = "omniaudio-spatialization", **request: Any) -> Path:
    path.with_suffix(".json").write_text(json.dumps({"kind": kind, "request": request}))
    return path


def mixed(
    info: ClipInfo,
    treatment: Treatment,
    start: float = 0.0,
    rate: int = RATE,
    samples: int = SAMPLES,
) -> Recording:
    return Recording(info, rate, start, samples, treatment)


def bed(recording: Recording, first: int = 0, samples: int = SAMPLES) -> np.ndarray:
    stream = recording.bed(first, samples)
    assert stream is not None
    return stream.read(samples)


def test_a_stream_is_read_in_pieces_of_any_length() -> None:
    whole = np.arange(20, dtype=np.float32).reshape(2, 10)
    stream = Stream(iter([whole[:, :3], whole[:, 3:4], whole[:, 4:]]), 2)
    parts = [stream.read(count) for count in (0, 2, 5, 1, 6)]
    np.testing.assert_array_equal(np.hstack(parts)[:, :10], whole)
    np.testing.assert_array_equal(np.hstack(parts)[:, 10:], 0)


def test_a_field_is_mixed_in_sample_for_sample(
    request_: GenerateRequest, field_file: Path, tmp_path: Path
) -> None:
    run_request(request_)
    both = replace(request_, output=tmp_path / "both.wav", mix=0.5, mix_field=field_file)
    assert run_request(both).warnings == ()
    plain, camera = sound(request_.output), sound(field_file)
    np.testing.assert_array_equal(sound(both.output), plain + np.float32(0.5) * camera)


def test_energy_and_direction_of_two_waves_mixed(info: ClipInfo, tmp_path: Path) -> None:
    """Unrelated plane waves of equal level, front and left: energies add up, 45 degrees between."""
    path = tmp_path / "left.wav"
    write_wav(path, encode_plane_wave(noise(SAMPLES, 1), np.pi / 2, 0.0), RATE)
    total = wave(0.0) + bed(mixed(info, Treatment(mix=1.0, field=MixedField(path))))
    assert np.mean(total[0] ** 2) == pytest.approx(0.02, rel=0.01)
    azimuth, elevation = np.degrees(direction_of_arrival(total))
    assert azimuth == pytest.approx(45.0, abs=0.5)
    assert elevation == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize(
    ("written", "yaw", "found"),
    [(0.0, 0.0, 90.0), (0.0, 30.0, 60.0), (50.0, 0.0, 140.0), (50.0, 30.0, 110.0)],
)
def test_a_field_lies_in_the_clip_s_axes_and_turns_with_the_take(
    info: ClipInfo, field_file: Path, written: float, yaw: float, found: float
) -> None:
    """A file made with a yaw is turned back by it first."""
    with_sidecar(field_file, yaw=written, start=0.0)
    treatment = Treatment(yaw=yaw, mix=1.0, field=MixedField.of(field_file))
    azimuth, _ = direction_of_arrival(bed(mixed(info, treatment)))
    assert np.degrees(azimuth) == pytest.approx(found, abs=0.01)


@pytest.mark.parametrize("start", [0.0, 0.5, 1.25])
@pytest.mark.parametrize("begun", [0.0, 0.75])
def test_a_field_s_time_is_the_clip_s(
    info: ClipInfo, field_file: Path, start: float, begun: float
) -> None:
    """Its first sample is at the clip's first frame, or where the range began that it is of."""
    with_sidecar(field_file, yaw=0.0, start=begun)
    treatment = Treatment(mix=1.0, field=MixedField.of(field_file))
    samples = round(0.6 * RATE)
    lead = round((begun - start) * RATE)
    clip_long = np.zeros((4, 4 * RATE), np.float32)
    place = round(begun * RATE)
    clip_long[:, place : place + SAMPLES] = sound(field_file)
    wanted = clip_long[:, round(start * RATE) :][:, :samples]
    recording = mixed(info, treatment, start, samples=samples)
    np.testing.assert_array_equal(bed(recording, 0, samples), wanted)
    np.testing.assert_array_equal(bed(recording, 1000, 500), wanted[:, 1000:1500])
    assert len(recording.warnings) == (lead > 0)


@pytest.mark.parametrize(("own", "rate"), [(48_000, 44_100), (44_100, 48_000), (16_000, 48_000)])
def test_a_field_at_another_rate_keeps_its_time_and_level(
    info: ClipInfo, tmp_path: Path, own: int, rate: int
) -> None:
    path = tmp_path / "other.wav"
    tone = [np.sin(2 * np.pi * 700 * np.arange(4 * r) / r).astype(np.float32) for r in (own, rate)]
    write_wav(path, encode_plane_wave(tone[0], 1.0, 0.2), own)
    recording = mixed(info, Treatment(mix=1.0, field=MixedField(path)), 1.5, rate, 2 * rate)
    begin = round(1.5 * rate)
    wanted = encode_plane_wave(tone[1], 1.0, 0.2)[:, begin : begin + 2 * rate]
    np.testing.assert_allclose(bed(recording, 0, 2 * rate), wanted, atol=1e-3)
    np.testing.assert_allclose(bed(recording, rate, 500), wanted[:, rate : rate + 500], atol=1e-3)


def test_a_field_that_ends_early_is_followed_by_silence_and_that_is_told(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    short = tmp_path / "short.wav"
    write_wav(short, wave(90.0, samples=RATE), RATE)
    run_request(request_)
    both = replace(request_, output=tmp_path / "both.wav", mix=1.0, mix_field=short)
    (warning,) = run_request(both).warnings
    assert "short.wav ends 1.00 s before" in warning
    np.testing.assert_array_equal(sound(both.output)[:, RATE:], sound(request_.output)[:, RATE:])


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 9])
def test_what_has_not_four_channels_is_refused(
    request_: GenerateRequest, tmp_path: Path, channels: int
) -> None:
    path = tmp_path / "other.wav"
    write_wav(path, np.zeros((channels, RATE), np.float32), RATE)
    with pytest.raises(MediaError, match=f"has {channels} channels; a field to mix in has four"):
        run_request(replace(request_, mix=1.0, mix_field=path))
    assert not request_.output.exists()


def test_what_is_no_sound_or_missing_or_an_output_is_refused(
    request_: GenerateRequest, tmp_path: Path, field_file: Path
) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(MediaError, match="cannot be read as a field"):
        run_request(replace(request_, mix=1.0, mix_field=text))
    with pytest.raises(MissingFileError, match="the field to mix in"):
        run_request(replace(request_, mix=1.0, mix_field=tmp_path / "no.wav"))
    before = field_file.read_bytes()
    with pytest.raises(OptionError, match="also an input"):
        run_request(
            replace(request_, mix=1.0, mix_field=field_file, output=field_file, overwrite=True)
        )
    assert field_file.read_bytes() == before
    broken = wave(0.0)
    broken[1, 5000] = np.nan
    with soundfile.SoundFile(text, "w", RATE, 4, "FLOAT") as file:
        file.write(broken.T)
    with pytest.raises(MediaError, match=r"text\.wav holds NaN"):
        run_request(replace(request_, mix=1.0, mix_field=text))


def test_a_sidecar_that_makes_no_sense_is_said(field_file: Path) -> None:
    assert MixedField.of(field_file) == MixedField(field_file)
    for yaw in ("left", None, float("inf")):
        with_sidecar(field_file, yaw=yaw, start=0.0)
        with pytest.raises(OptionError, match=r"how field\.wav lies in the clip"):
            MixedField.of(field_file)
    with_sidecar(field_file, "something-else", yaw=20.0, start=1.0)
    assert MixedField.of(field_file) == MixedField(field_file)
    with_sidecar(field_file, yaw=20.0, start=1.0)
    assert MixedField.of(field_file) == MixedField(field_file, 20.0, 1.0)


def test_a_field_needs_no_sound_in_the_clip(
    tiny_bundle: Path, tmp_path: Path, field_file: Path
) -> None:
    clip = make_small_clip(tmp_path / "silent.mp4", sound=False)
    request = GenerateRequest(
        clip, tmp_path / "out.wav", bundle=str(tiny_bundle), device="cpu", mix=1.0, duck=6.0,
        mix_field=field_file,
    )  # fmt: skip
    run_request(request)
    with pytest.raises(MediaError, match="no sound of its own"):
        run_request(replace(request, mix_field=None, overwrite=True))


@pytest.mark.parametrize("own_field", [False, True])
def test_the_field_steps_back_under_a_steady_recording_in_all_channels_alike(
    request_: GenerateRequest, field_file: Path, tmp_path: Path, own_field: bool
) -> None:
    run_request(request_)
    changes: dict[str, Any] = {"mix": 0.5, "mix_field": field_file if own_field else None}
    under = replace(request_, output=tmp_path / "under.wav", **changes)
    run_request(under)
    duck = replace(under, output=tmp_path / "duck.wav", duck=6.0)
    run_request(duck)
    plain, camera = sound(request_.output), sound(under.output) - sound(request_.output)
    stepped = sound(duck.output) - camera
    # The clip's tone, or the noise, is steady: -6 dB from 0.2 s on.
    settled = slice(round(0.2 * RATE), -RATE // 10)
    np.testing.assert_allclose(stepped[:, settled], 10 ** (-6 / 20) * plain[:, settled], atol=2e-4)
    assert np.std(plain[:, settled]) > 1e-2


def test_the_field_returns_where_the_recording_ends(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    path = tmp_path / "half.wav"
    write_wav(path, wave(90.0, samples=RATE // 2), RATE)
    run_request(request_)
    duck = replace(request_, output=tmp_path / "duck.wav", mix=1.0, mix_field=path, duck=6.0)
    run_request(duck)
    gains = mixed(probe(duck.clip), asked_for(duck)).gains(0)
    assert gains is not None
    curve = gains.read(SAMPLES)[0]
    assert 20 * np.log10(curve[RATE // 4]) == pytest.approx(-6.0, abs=1e-2)
    assert 20 * np.log10(curve[-1]) == pytest.approx(-6.0 * np.exp(-1.5 / 0.3), abs=0.02)
    after = slice(RATE // 2, None)
    np.testing.assert_array_equal(
        sound(duck.output)[:, after], (sound(request_.output) * curve)[:, after]
    )


def test_gains_of_a_part_are_those_of_the_whole(info: ClipInfo, tmp_path: Path) -> None:
    path = tmp_path / "bursts.wav"
    bursts = wave(0.0) * (np.arange(SAMPLES) // 20_000 % 2)
    write_wav(path, bursts, RATE)
    recording = mixed(info, Treatment(mix=1.0, duck=12.0, field=MixedField(path)))
    whole, part = recording.gains(0), recording.gains(31_111)
    assert whole is not None
    assert part is not None
    every = whole.read(SAMPLES)
    assert every.min() < 0.3 < 0.9 < every.max()
    np.testing.assert_array_equal(part.read(9000), every[:, 31_111:40_111])


def test_without_ducking_nothing_is_multiplied(info: ClipInfo) -> None:
    assert mixed(info, Treatment(mix=1.0)).gains(0) is None
    assert mixed(info, Treatment()).bed(0, SAMPLES) is None


MIXED: dict[str, Any] = {"mix": 0.7, "duck": 9.0, "yaw": 25.0}


def test_the_sidecar_keeps_the_field_and_makes_the_sound_again(
    request_: GenerateRequest, field_file: Path, tmp_path: Path
) -> None:
    with_sidecar(field_file, yaw=10.0, start=0.25)
    request = replace(request_, mix_field=field_file, start=0.25, **MIXED)
    run_request(request)
    data = json.loads((tmp_path / "out.json").read_text())
    assert data["mix_field"] == {
        "path": str(field_file),
        "yaw": 10.0,
        "start": 0.25,
        "sha256": hashlib.sha256(field_file.read_bytes()).hexdigest(),
    }
    # How it lies is known without its own sidecar.
    field_file.with_suffix(".json").unlink()
    expected = reproduction(tmp_path / "out.json", output=tmp_path / "again.wav")
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "again.wav").read_bytes() == request.output.read_bytes()
    write_wav(field_file, wave(0.0), RATE)
    expected = reproduction(tmp_path / "out.json", output=tmp_path / "third.wav")
    with pytest.raises(MediaError, match="not the field that"):
        run_request(expected.request, expected=expected)
    assert not (tmp_path / "third.wav").exists()


@pytest.mark.parametrize("own_field", [False, True])
def test_a_mixed_and_ducked_take_is_brought_back_to_what_the_model_made(
    request_: GenerateRequest, field_file: Path, tmp_path: Path, own_field: bool
) -> None:
    run_request(request_)
    treated = replace(
        request_, output=tmp_path / "treated.wav", mix_field=field_file if own_field else None,
        loudness=-30.0, **MIXED,
    )  # fmt: skip
    run_request(treated)
    again = replace(
        treated, output=tmp_path / "again.wav", base_take=treated.output, base_range=(0.5, 1.0),
        loudness=None,
    )  # fmt: skip
    take = EarlierTake(again, probe(treated.clip), SAMPLES)
    made = sound(request_.output)
    np.testing.assert_allclose(take.as_made(0, 0, SAMPLES, RATE), made, atol=1e-5)
    np.testing.assert_allclose(
        take.as_made(20_000, 111, 30_000, RATE), made[:, 20_111:50_111], atol=1e-5
    )
    assert take.treatment == treatment_of(treated.output, treated)
    assert Treatment.from_dict(json.loads(json.dumps(take.treatment.as_dict()))) == take.treatment
    if own_field:
        write_wav(field_file, wave(0.0), RATE)
        assert "has changed since" in (take.obstacle or "")
        field_file.unlink()
        assert "is gone" in (take.obstacle or "")


@pytest.mark.parametrize("own_field", [False, True])
def test_a_part_agrees_with_a_mixed_and_ducked_take_at_its_seams(
    small_clip: Path, field_file: Path, tmp_path: Path, own_field: bool
) -> None:
    bundle = make_tiny_bundle(tmp_path / "bundle", faithful=True, stationary=True)
    take = GenerateRequest(
        small_clip, tmp_path / "take.wav", bundle=str(bundle), device="cpu",
        mix_field=field_file if own_field else None, **MIXED,
    )  # fmt: skip
    run_request(take)
    again = replace(
        take, output=tmp_path / "again.wav", base_take=take.output, base_range=(0.67, 1.25), seed=9
    )
    assert run_request(again).warnings == ()
    old, new = sound(take.output), sound(again.output)
    begin, end = round(0.67 * RATE), round(1.25 * RATE)
    np.testing.assert_array_equal(new[:, :begin], old[:, :begin])
    np.testing.assert_array_equal(new[:, end:], old[:, end:])
    for seam in (slice(begin, begin + 2400), slice(end - 2400, end)):
        assert np.std(new[:, seam] - old[:, seam]) < 1e-3 * np.std(old[:, seam])
    middle = slice(begin + 4800, end - 4800)
    assert np.std(new[:, middle] - old[:, middle]) > 0.1 * np.std(old[:, middle])


def test_a_part_of_another_mix_is_told(
    request_: GenerateRequest, field_file: Path, tmp_path: Path
) -> None:
    treated = replace(request_, mix_field=field_file, **MIXED)
    run_request(treated)
    again = replace(
        treated, output=tmp_path / "again.wav", base_take=treated.output, base_range=(0.5, 1.0)
    )
    told = run_request(replace(again, duck=3.0, mix_field=None)).warnings
    assert any("duck 9 of field.wav, its new part" in line for line in told)
    told = run_request(replace(again, overwrite=True)).warnings
    assert not any("do not agree" in line for line in told)


def test_takes_written_before_there_was_ducking_are_read() -> None:
    old = {"yaw": 20.0, "mix": 0.5, "gain_db": -3.0}
    assert Treatment.from_dict(old) == Treatment(20.0, 0.5, -3.0)
    assert Treatment.from_dict({**old, "mix": "much"}) is None
