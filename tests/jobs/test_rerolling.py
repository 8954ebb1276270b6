"""A part of a take is rolled again: the rest stays to the bit, and nothing clicks at the joins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.rerolling import Part, plan_part, splice
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import reproduction
from omniaudio_studio.media.wav import write_wav

RATE = 48_000


def field(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture
def base(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    request = GenerateRequest(
        small_clip, tmp_path / "base.wav", bundle=str(tiny_bundle), device="cpu", yaw=20.0
    )
    run_request(request)
    return request


def again(base: GenerateRequest, **changes: Any) -> GenerateRequest:
    values: dict[str, Any] = {
        "output": base.output.with_name("again.wav"),
        "base_take": base.output,
        "base_range": (0.75, 1.25),
        "seed": 99,
    }
    return replace(base, **{**values, **changes})


def test_only_the_range_is_new(base: GenerateRequest) -> None:
    request = again(base)
    result = run_request(request)
    old, new = field(base.output), field(request.output)
    assert new.shape == old.shape
    first, end = round(0.70 * RATE), round(1.30 * RATE)  # with the fades
    np.testing.assert_array_equal(new[:, :first], old[:, :first])
    np.testing.assert_array_equal(new[:, end:], old[:, end:])
    inside = slice(round(0.75 * RATE), round(1.25 * RATE))
    assert np.mean(np.abs(new[:, inside] - old[:, inside])) > 1e-4
    assert result.takes[0].samples == old.shape[1]


def test_it_can_be_made_again_as_long_as_the_base_is_there(
    base: GenerateRequest, tmp_path: Path
) -> None:
    request = again(base, rate=RATE)
    run_request(request)
    expected = reproduction(tmp_path / "again.json", output=tmp_path / "third.wav")
    run_request(expected.request, expected=expected)
    assert (tmp_path / "third.wav").read_bytes() == request.output.read_bytes()
    write_wav(base.output, np.zeros((4, 96000), np.float32), RATE)
    expected = reproduction(tmp_path / "again.json", output=tmp_path / "fourth.wav")
    with pytest.raises(MediaError, match="not the earlier take"):
        run_request(expected.request, expected=expected)


@pytest.mark.parametrize("base_range", [(0.0, 0.5), (1.5, 2.0), (0.0, 2.0), (0.01, 1.99)])
def test_a_range_may_touch_the_ends(base: GenerateRequest, base_range: tuple[float, float]) -> None:
    run_request(again(base, base_range=base_range))
    assert soundfile.info(base.output.with_name("again.wav")).frames == 96000


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"base_range": (1.0, 2.5)}, OptionError, "not within"),
        ({"start": 0.5, "base_range": (0.6, 1.0)}, MediaError, "not a take of this range"),
        ({"rate": 44100}, MediaError, "not a take of this range"),
        ({"loudness": -23.0}, OptionError, "level"),
    ],
)
def test_what_does_not_fit_is_refused(
    base: GenerateRequest, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run_request(again(base, **changes))
    assert not base.output.with_name("again.wav").exists()


def test_a_take_that_was_levelled_gets_a_part_of_its_level(
    base: GenerateRequest, tmp_path: Path
) -> None:
    loud = replace(base, output=tmp_path / "loud.wav", loudness=-40.0)
    gain = run_request(loud).takes[0].gain_db
    assert gain != 0.0
    plain = again(base)
    run_request(plain)
    levelled = replace(again(base, base_take=loud.output), output=tmp_path / "levelled.wav")
    assert run_request(levelled).takes[0].gain_db == pytest.approx(gain)
    inside = slice(round(0.75 * RATE), round(1.25 * RATE))
    np.testing.assert_allclose(
        field(levelled.output)[:, inside],
        field(plain.output)[:, inside] * 10 ** (gain / 20),
        rtol=1e-4,
        atol=1e-7,
    )


def test_joins_keep_a_steady_sound_s_level(tmp_path: Path) -> None:
    """Two unrelated noises of one level: no dip and no bump where they meet."""
    rng = np.random.default_rng(0)
    old = rng.standard_normal((4, 2 * RATE)).astype(np.float32) * 0.1
    new = rng.standard_normal((4, RATE)).astype(np.float32) * 0.1
    write_wav(tmp_path / "old.wav", old, RATE)
    write_wav(tmp_path / "new.wav", new, RATE)
    part = Part(first=RATE // 2, samples=RATE, fade_in=2400, fade_out=2400)
    target = tmp_path / "out.wav"
    splice(tmp_path / "old.wav", tmp_path / "new.wav", target, part, "float32", lambda: None)
    out = field(target)
    frames = 20 * np.log10(np.sqrt(np.mean(out[0].reshape(-1, 1200) ** 2, axis=1)))
    assert np.ptp(frames) < 1.5


def test_the_plan_keeps_fades_within_the_take(base: GenerateRequest) -> None:
    part = plan_part(again(base, base_range=(0.02, 1.0)), 96000)
    assert (part.first, part.fade_in, part.fade_out) == (0, 960, 2400)
    assert part.samples == 48000 + 2400
