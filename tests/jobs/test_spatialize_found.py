"""Recordings whose directions are found in the picture: from the clip to the files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import BundleError, Cancelled
from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.jobs.spatialize import run_spatialize
from omniaudio_studio.jobs.spatialize_request import SpatializeRequest
from omniaudio_studio.jobs.spatialize_sidecar import respatialization
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.video import VideoWriter
from tests.support.command_line import names

RATE, FPS, SECONDS = 48_000, 12, 8.0
AZIMUTH = 60.0


def make_barking_clip(path: Path, *, moving: bool = True) -> None:
    """Noise in bursts and, before still scenery, a patch at the left that shakes with them."""
    width, height = 192, 96
    rng = np.random.default_rng(0)
    frames = round(SECONDS * FPS)
    on = np.repeat(rng.random(frames // 4) < 0.5, 4)
    gate = np.repeat(on, RATE // FPS).astype(np.float32)
    sound = 0.2 * rng.standard_normal(gate.size).astype(np.float32) * (gate + 0.003)
    scenery = rng.integers(30, 150, (height // 8, width // 8, 3), np.uint8)
    scenery = scenery.repeat(8, axis=0).repeat(8, axis=1)
    middle = round((0.5 - AZIMUTH / 360) * width)
    with VideoWriter(path, width, height, FPS, audio_rate=RATE, audio_channels=1) as writer:
        for number in range(frames):
            image = scenery.copy()
            shift = (number % 2) * 6 - 3 if moving and on[number] else 0
            image[40:56, middle - 8 + shift : middle + 8 + shift] = (240, 200, 40)
            writer.write_frame(image)
            begin = number * RATE // FPS
            writer.write_audio(sound[None, begin : begin + RATE // FPS])


@pytest.fixture(scope="module")
def barking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "barking.mp4"
    make_barking_clip(path)
    return path


@pytest.fixture
def request_(barking: Path, tmp_path: Path) -> SpatializeRequest:
    (tmp_path / "out").mkdir()
    return SpatializeRequest(barking, tmp_path / "out" / "out.wav", max_sources=1)


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


def test_what_moves_with_the_sound_is_where_it_comes_from(
    request_: SpatializeRequest, tmp_path: Path
) -> None:
    """The sidecar says where, how sure that is, and makes the same bits again."""
    stages: list[str] = []
    result = run_spatialize(request_, progress=lambda report: stages.append(report.stage))
    assert list(dict.fromkeys(stages)) == ["picture", "sound"]
    sound = read(request_.output)
    assert sound[0].tobytes() == read_audio(request_.clip)[0][0].tobytes()
    azimuth, elevation = direction_of_arrival(sound)
    assert abs(math.degrees(azimuth) - AZIMUTH) < 15
    assert abs(math.degrees(elevation)) < 15
    (source,) = result.sources
    assert 0.0 < result.confidence <= 1.0
    sidecar = request_.output.with_suffix(".json")
    data = json.loads(sidecar.read_text(encoding="utf-8"))
    assert (data["method"], data["confidence"]) == ("automatic", result.confidence)
    assert [tuple(point) for point in data["sources"][0]["points"]] == list(source.points)
    expected = respatialization(sidecar, output=tmp_path / "again.wav")
    again = run_spatialize(expected.request, expected=expected)
    assert (tmp_path / "again.wav").read_bytes() == request_.output.read_bytes()
    assert again.warnings == result.warnings


def test_where_nothing_fits_the_recording_stays_in_w(tmp_path: Path) -> None:
    """And that is said."""
    clip = tmp_path / "still.mp4"
    make_barking_clip(clip, moving=False)
    result = run_spatialize(SpatializeRequest(clip, tmp_path / "out.wav", width=0.0))
    assert result.sources == ()
    assert result.confidence < 0.1
    assert any("confidence" in line for line in result.warnings)
    sound = read(result.wav)
    assert sound[0].any()
    assert np.abs(sound[1:]).max() < 1e-6


def test_cancelling_while_the_picture_is_looked_at(request_: SpatializeRequest) -> None:
    token = CancelToken()

    def stop(report: Any) -> None:
        if report.stage == "picture":
            token.cancel()

    with pytest.raises(Cancelled):
        run_spatialize(request_, progress=stop, cancel=token)
    assert names(request_.output.parent) == set()


def test_a_bundle_without_a_spatializer_is_refused(
    request_: SpatializeRequest, tiny_bundle: Path
) -> None:
    wanted = replace(request_, method="learned", bundle=str(tiny_bundle))
    with pytest.raises(BundleError, match="has no spatializer") as caught:
        run_spatialize(wanted)
    assert "\n" not in str(caught.value)
    assert names(request_.output.parent) == set()
