"""What other programs make of the files: VLC's ambisonic renderer, ffprobe, MediaInfo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import soundfile

from omniaudio_studio.delivery.mkv import write_mkv
from omniaudio_studio.delivery.mov import write_mov
from omniaudio_studio.delivery.mp4 import write_mp4
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.webm import write_webm
from tests.delivery.muxed import MADE, clip_of, from_all_sides, source_of

FILES = {
    "master.mov": (write_mov, "h264"),
    "players.mp4": (write_mp4, "h264"),
    "opus.mp4": (write_webm, "h264"),
    "opus.webm": (write_webm, "vp9"),
    "archive.mkv": (write_mkv, "h264"),
}
NOBODY = 65534  # VLC refuses to run as root


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each, where another user may read them."""
    folder = tmp_path_factory.mktemp("players")
    field = from_all_sides(2.0)
    sources: dict[str, DeliverySource] = {}
    for name, codec in (("h264", "libx264"), ("vp9", "libvpx-vp9")):
        suffix = ".mp4" if name == "h264" else ".webm"
        clip = clip_of(folder / f"clip-{name}{suffix}", 2.0, codec=codec)
        sources[name] = source_of(clip, field, folder)
    for name, (write, which) in FILES.items():
        write(sources[which], folder / name)
        (folder / name).chmod(0o644)
    for opened in (folder, folder.parent):
        opened.chmod(0o755)
    return folder


@pytest.mark.skipif(
    shutil.which("cvlc") is None, reason="VLC (vlc-bin, vlc-plugin-base) is missing"
)
@pytest.mark.keeps_time
@pytest.mark.parametrize("name", ["master.mov", "players.mp4", "opus.mp4", "opus.webm"])
def test_vlc_plays_them_with_its_ambisonic_renderer(files: Path, name: str) -> None:
    """Its log names the renderer, and what was on the left comes out on the left."""
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    # Folders of tests may be closed to others.
    with TemporaryDirectory() as made:
        shared = Path(made)
        shared.chmod(0o777)
        shutil.copy(files / name, shared / name)
        heard = shared / "heard.wav"
        ran = subprocess.run(
            [
                *("cvlc", "-vvv", "-I", "dummy", "--vout=vdummy", "--aout=afile"),
                *(f"--audiofile-file={heard}", "--audiofile-channels=2"),
                *("--run-time=1.5", "--play-and-exit", str(shared / name)),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
            **options,
        )
        sound, rate = soundfile.read(heard)
    assert 'using audio renderer module "spatialaudio"' in ran.stderr
    assert "Order: 1 4" in ran.stderr
    assert "48000 Hz Ambisonics" in ran.stderr
    # The field comes from the left for 0.4 s, then from the right.
    for first, sign in ((0.1, 1), (0.5, -1)):
        part = sound[round(first * rate) : round((first + 0.2) * rate)]
        left, right = np.mean(part**2, axis=0)
        assert sign * 10 * np.log10(left / right) > 6


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("name", FILES)
def test_ffprobe_agrees(files: Path, name: str) -> None:
    entries = "stream=codec_name,codec_type,channels,sample_rate,start_time:format_tags"
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries"]
    ran = subprocess.run(
        [*command, f"{entries}:stream_side_data", str(files / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    picture, sound = told["streams"]
    assert (sound["channels"], sound["sample_rate"]) == (4, "48000")
    # Opus in WebM begins with the encoder's delay, which players leave out.
    assert float(sound["start_time"]) == pytest.approx(0, abs=0.01)
    assert float(picture["start_time"]) == pytest.approx(0, abs=1e-3)
    projections = [d.get("projection") for d in picture["side_data_list"]]
    assert "equirectangular" in projections
    tags = {key.lower(): value for key, value in told["format"]["tags"].items()}
    assert tags["comment"] == MADE.sentence()


@pytest.mark.skipif(shutil.which("mediainfo") is None, reason="MediaInfo is not installed")
@pytest.mark.parametrize("name", FILES)
def test_mediainfo_agrees(files: Path, name: str) -> None:
    ran = subprocess.run(
        ["mediainfo", "--Output=JSON", "--Full", str(files / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    parts = {part["@type"]: part for part in json.loads(ran.stdout)["media"]["track"]}
    # Where it reads SA3D it gives both the track's number and that one.
    assert set(parts["Audio"]["Channels"].split(" / ")) == {"4"}
    assert parts["Audio"]["SamplingRate"] == "48000"
    assert float(parts["General"]["Duration"]) == pytest.approx(2.0, abs=0.03)
    assert parts["Audio"].get("Delay", "0") in ("0", "0.000")
    assert MADE.sentence() in ran.stdout
