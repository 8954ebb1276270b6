"""A flat clip with its camera's direction, from the command line to the sound field."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from omniaudio_studio.foa.direction import direction_of_arrival
from omniaudio_studio.media.frames import iter_views, sample_times
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.video import VideoWriter
from omniaudio_studio.panorama.views import View
from tests.support.command_line import names, omniaudio

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "omniaudio_studio" / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def dog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut out of the sample clip: the dog that barks at 58 degrees, 22 right of the middle."""
    path = tmp_path_factory.mktemp("flat") / "dog.mp4"
    view = View("cut", "perspective", 480, 360, fov=90, yaw=80)
    with VideoWriter(path, 480, 360, 12, spherical=False) as writer:
        for picture in iter_views(probe(DEMO), sample_times(0, 4, 12), [view]):
            writer.write_frame(picture["cut"])
    return path


@pytest.mark.skipif(
    not (ROOT / "models" / "starter").is_dir(), reason="models/starter is not in this tree"
)
@pytest.mark.parametrize(("camera", "azimuth"), [("90,0", 68), ("-90,0", -112)])
def test_it_sounds_where_the_camera_saw_it(
    dog: Path, tmp_path: Path, camera: str, azimuth: float
) -> None:
    target = tmp_path / "out.wav"
    ran = omniaudio(
        "generate", dog, "-o", target, "--device", "cpu",
        "--projection", "flat", "--hfov", "90", "--camera", camera,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    field = soundfile.read(target, dtype="float32")[0].T
    found, elevation = np.degrees(direction_of_arrival(field)[:2])
    assert abs((found - azimuth + 180) % 360 - 180) < 25
    assert abs(elevation - -12) < 20


def test_generate_and_batch_take_the_camera(dog: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    placed = ("--bundle", tiny_bundle, "--projection", "flat", "--hfov", "90", "--duration", "1")
    target = tmp_path / "one.wav"
    ran = omniaudio("generate", dog, "-o", target, *placed, "--camera=-30,10", "--overlay")
    assert ran.code == 0, ran.err
    sidecar = json.loads((tmp_path / "one.json").read_text())
    assert sidecar["request"]["hfov"] == 90
    assert sidecar["request"]["camera"] == [-30, 10]
    overlay = probe(tmp_path / "one.overlay.mp4")
    assert (overlay.projection, overlay.width, overlay.height) == ("equirectangular", 1508, 754)

    ran = omniaudio("generate", "--from", tmp_path / "one.json", "-o", tmp_path / "again.wav")
    assert ran.code == 0, ran.err
    assert (tmp_path / "again.wav").read_bytes() == target.read_bytes()

    ran = omniaudio("batch", dog, "--out", tmp_path / "all", *placed, "--camera", "-30,10")
    assert ran.code == 0, ran.err
    assert (tmp_path / "all" / "dog.wav").read_bytes() == target.read_bytes()

    ran = omniaudio("generate", dog, "-o", tmp_path / "other.wav", *placed)
    assert ran.code == 0, ran.err
    assert (tmp_path / "other.wav").read_bytes() != target.read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--projection", "flat"], "hfov"),
        (["--hfov", "90"], 'for the projection "flat"'),
        (["--projection", "flat", "--hfov", "180"], "hfov"),
        (["--projection", "flat", "--hfov", "90", "--camera", "30"], "--camera"),
        (["--projection", "flat", "--hfov", "90", "--camera", "30,nan"], "camera"),
        (["--projection", "flat", "--hfov", "90", "--camera", "30,-95"], "camera elevation"),
        ([], "--projection flat --hfov 90 --camera AZ,EL"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    dog: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    ran = omniaudio("generate", dog, "-o", tmp_path / "out.wav", *options)
    assert ran.code == 2
    assert len(ran.error_lines) == 1
    assert said in ran.error_lines[0]
    assert names(tmp_path) == set()
