"""A request's hints in what is written: in the clip's time and axes, and within a part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.foa.direction import angular_error, direction_of_arrival
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.jobs.hinting import hints_outside, pulled_field
from omniaudio_studio.jobs.request import GenerateRequest, Hint
from omniaudio_studio.jobs.rerolling import plan_part
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import reproduction
from omniaudio_studio.jobs.writing import TakeWriter

RATE = 48_000


def sound(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def seconds(begin: float, end: float, rate: int = RATE) -> slice:
    return slice(round(begin * rate), round(end * rate))


@pytest.fixture
def request_(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(small_clip, tmp_path / "out.wav", bundle=str(tiny_bundle), device="cpu")


def written(request: GenerateRequest, azimuth: float, source_rate: int, samples: int) -> np.ndarray:
    """A plane wave in place of what a model makes, on its way to the file."""
    signal = np.random.default_rng(0).standard_normal(round(samples / request.rate * source_rate))
    wave = encode_plane_wave(0.1 * signal, np.radians(azimuth), 0.0)
    with TakeWriter(
        request.output,
        source_rate=source_rate,
        rate=request.rate,
        samples=samples,
        pulled=pulled_field(request, source_rate, request.start),
        yaw=np.radians(request.yaw),
    ) as writer:
        for at in range(0, wave.shape[1], 7000):
            writer(wave[:, at : at + 7000])
        writer.finish()
    return sound(request.output)


def degrees_off(foa: np.ndarray, azimuth: float, elevation: float) -> float:
    found = direction_of_arrival(foa)
    return float(np.degrees(angular_error(*found, np.radians(azimuth), np.radians(elevation))))


@pytest.mark.parametrize("yaw", [0.0, 40.0])
@pytest.mark.parametrize("rates", [(48_000, 48_000), (16_000, 44_100)])
def test_a_hint_is_in_the_clip_s_time_and_axes(
    request_: GenerateRequest, yaw: float, rates: tuple[int, int]
) -> None:
    """60 degrees away, in a range that starts late, turned and resampled: within 2 degrees."""
    request = replace(
        request_, start=5.0, yaw=yaw, rate=rates[1], hints=(Hint(5.5, 7.0, 70.0, 0.0, 1.0),)
    )
    out = written(request, 10.0, rates[0], 2 * rates[1])
    assert out.shape == (4, 2 * rates[1])
    assert degrees_off(out[:, seconds(0.05, 0.45, rates[1])], 10.0 - yaw, 0.0) < 0.1
    assert degrees_off(out[:, seconds(0.8, 1.7, rates[1])], 70.0 - yaw, 0.0) < 2.0


def test_no_strength_is_no_hint_to_the_bit(request_: GenerateRequest, tmp_path: Path) -> None:
    run_request(request_)
    weak = replace(request_, output=tmp_path / "weak.wav", hints=(Hint(0, 2, 90, 0, 0.0),))
    assert pulled_field(weak, RATE, 0.0) is None
    run_request(weak)
    assert weak.output.read_bytes() == request_.output.read_bytes()


def test_outside_of_its_range_a_take_is_the_same_to_the_bit(
    request_: GenerateRequest, tmp_path: Path
) -> None:
    """Through the engine, for every take; W is the same all over, and so is the energy."""
    run_request(replace(request_, takes=2))
    hinted = replace(
        request_,
        output=tmp_path / "hinted.wav",
        takes=2,
        hints=(Hint(0.5, 1.5, -120.0, 20.0, 1.0),),
    )
    assert run_request(hinted).warnings == ()
    for index in range(2):
        plain, out = sound(request_.take_output(index)), sound(hinted.take_output(index))
        np.testing.assert_array_equal(out[0], plain[0])
        for part in (seconds(0.0, 0.5), seconds(1.5, 2.0)):
            np.testing.assert_array_equal(out[:, part], plain[:, part])
        np.testing.assert_allclose(
            np.sum(out[1:] ** 2, axis=0), np.sum(plain[1:] ** 2, axis=0), rtol=1e-4, atol=1e-9
        )


def test_the_sidecar_makes_a_hinted_sound_again(request_: GenerateRequest, tmp_path: Path) -> None:
    hints = (Hint(0.2, 1.5, -120.0, 20.0, 0.9), Hint(1.0, 2.0, 60.0, 0.0))
    run_request(replace(request_, hints=hints))
    expected = reproduction(tmp_path / "out.json", output=tmp_path / "again.wav")
    assert expected.request.hints == hints
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "again.wav").read_bytes() == request_.output.read_bytes()


def test_a_hint_outside_of_the_range_is_told(request_: GenerateRequest) -> None:
    hints = (Hint(0.0, 1.0, 0, 0), Hint(0.5, 1.1, 0, 0), Hint(1.9, 3.0, 0, 0), Hint(2.0, 3.0, 0, 0))
    told = hints_outside(replace(request_, start=1.0, hints=hints), 1.0)
    assert [line.partition(" (")[0] for line in told] == ["hint 1", "hint 4"]
    (warning,) = run_request(replace(request_, hints=hints[3:])).warnings
    assert "hint 1 (2 to 3 s) is not within the 0 to 2 s generated" in warning


@pytest.mark.parametrize(
    ("base_range", "pulled"),
    [((0.5, 1.5), (0.5, 1.5)), ((0.0, 1.0), (0.25, 1.0)), ((1.0, 2.0), (1.0, 1.75))],
)
def test_in_a_part_rolled_again_hints_begin_and_end_within_it(
    request_: GenerateRequest, base_range: tuple[float, float], pulled: tuple[float, float]
) -> None:
    """So that the part agrees with the take at its seams; the lead-in is left alone."""
    request = replace(
        request_, base_take=Path("take.wav"), base_range=base_range,
        hints=(Hint(0.25, 1.75, 70.0, 0.0, 1.0),),
    )  # fmt: skip
    part = plan_part(request, 2 * RATE)
    field = pulled_field(request, RATE, 0.0, part)
    assert field is not None
    wave = encode_plane_wave(np.random.default_rng(0).standard_normal(2 * RATE), 0.0, 0.0)
    out = np.concatenate([field.push(wave), field.finish()], axis=1)
    changed = np.flatnonzero((out != wave).any(axis=0)) / RATE
    assert changed[0] == pytest.approx(pulled[0], abs=0.01)
    assert changed[-1] == pytest.approx(pulled[1], abs=0.01)
    middle = out[:, seconds(sum(pulled) / 2 - 0.1, sum(pulled) / 2 + 0.1)]
    assert degrees_off(middle, 70.0, 0.0) < 0.5


def test_a_part_without_hints_in_it_is_left_alone(request_: GenerateRequest) -> None:
    request = replace(
        request_, base_take=Path("take.wav"), base_range=(0.5, 1.0), hints=(Hint(1.5, 2, 0, 0),)
    )
    assert pulled_field(request, RATE, 0.0, plan_part(request, 2 * RATE)) is None
