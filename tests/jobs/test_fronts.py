"""A request's front, from the clip to the sidecar and back; parts of takes made with it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.foa.rotation import rotate_yaw
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import reproduction
from tests.engine.test_front import FPS, hopping
from tests.support.lossless_clip import make_lossless_clip
from tests.support.tiny_bundle import make_tiny_bundle

RATE = 48_000


def field(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thing hops at the left, and after the cut behind on the right."""
    path = tmp_path_factory.mktemp("shots") / "clip.mov"
    return make_lossless_clip(path, hopping(90, 1.2) + hopping(-120, 1.2), FPS)


@pytest.fixture
def request_(two_shots: Path, tmp_path: Path) -> GenerateRequest:
    """Through a bundle whose encoder gives back the latents that were decoded."""
    bundle = make_tiny_bundle(tmp_path / "bundle", faithful=True, stationary=True)
    return GenerateRequest(
        two_shots,
        tmp_path / "out.wav",
        bundle=str(bundle),
        device="cpu",
        segments=(Segment(0.0), Segment(1.2)),
        front="auto",
    )


def test_the_sidecar_tells_each_shot_s_front_and_makes_the_sound_again(
    request_: GenerateRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_request(request_)
    data = json.loads((tmp_path / "out.json").read_text())
    assert data["request"]["front"] == "auto"
    (first, left), (second, right) = data["resolved"]["fronts"]
    assert (first, second) == (0.0, 1.2)
    assert [left, right] == pytest.approx([90, -120], abs=20)
    # Made again, it looks where it looked, whatever would be found now.
    monkeypatch.setattr("omniaudio_studio.engine.front.likely_front", None)
    expected = reproduction(tmp_path / "out.json", output=tmp_path / "again.wav")
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "again.wav").read_bytes() == request_.output.read_bytes()
    # The fronts count for the sound.
    run_request(replace(request_, front=None, output=tmp_path / "ahead.wav"))
    assert json.loads((tmp_path / "ahead.json").read_text())["resolved"]["fronts"] == []
    assert np.abs(field(tmp_path / "ahead.wav") - field(request_.output)).max() > 1e-3


@pytest.mark.parametrize("front", [30.0, -200.0])
def test_a_given_front_is_told_and_turned_back_before_the_yaw(
    request_: GenerateRequest, tmp_path: Path, front: float
) -> None:
    run_request(replace(request_, front=front))
    assert json.loads((tmp_path / "out.json").read_text())["resolved"]["fronts"] == [[0.0, front]]
    run_request(replace(request_, front=front, yaw=50.0, output=tmp_path / "yaw.wav"))
    expected = rotate_yaw(field(request_.output), math.radians(-50))
    np.testing.assert_allclose(field(tmp_path / "yaw.wav"), expected, atol=1e-6)


def disagreement(old: np.ndarray, new: np.ndarray, begin: float, end: float) -> float:
    """How far two sounds are apart between two times, against the level of the first."""
    there = slice(round(begin * RATE), round(end * RATE))
    return float(np.std(new[:, there] - old[:, there]) / np.std(old[:, there]))


@pytest.mark.parametrize("base_range", [(0.35, 0.85), (0.67, 1.73)])
@pytest.mark.parametrize("changes", [{}, {"yaw": 70.0}, {"front": 45.0}])
def test_a_part_rolled_again_hears_the_take_as_its_shots_see(
    request_: GenerateRequest,
    tmp_path: Path,
    changes: dict[str, Any],
    base_range: tuple[float, float],
) -> None:
    """Within one shot and across the cut, on the shots' own latent grids."""
    take = replace(request_, **changes)
    run_request(take)
    part = replace(
        take, output=tmp_path / "part.wav", base_take=take.output, base_range=base_range, seed=99
    )
    assert run_request(part).warnings == ()
    old, new = field(take.output), field(part.output)
    begin, end = base_range
    assert disagreement(old, new, begin, begin + 0.05) < 1e-3
    assert disagreement(old, new, end - 0.05, end) < 1e-3
    assert disagreement(old, new, begin + 0.1, end - 0.15) > 0.3
    # From its own sidecar, too.
    expected = reproduction(tmp_path / "part.json", output=tmp_path / "again.wav")
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "again.wav").read_bytes() == part.output.read_bytes()
