"""``omniaudio binaural``."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.foa.binaural import render_binaural
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.wav import WavWriter, write_wav
from tests.media.sofa_files import write_sofa
from tests.support.command_line import COMMAND, environment, names, omniaudio
from tests.support.material import material


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """Half a second of noise from the left, at 44.1 kHz."""
    sound = 0.2 * np.random.default_rng(0).standard_normal(22050).astype(np.float32)
    path = tmp_path / "field.wav"
    write_wav(path, encode_plane_wave(sound, np.pi / 2, 0.0), 44100)
    return path


def loudness(path: Path) -> np.ndarray:
    samples, _ = read_audio(path)
    assert samples.shape[0] == 2
    return 10 * np.log10(np.mean(samples.astype(np.float64) ** 2, axis=1))


def test_output_and_record(field: Path, tmp_path: Path) -> None:
    out = tmp_path / "ears.wav"
    ran = omniaudio("binaural", field, "-o", out)
    assert ran.code == 0, ran.err
    assert "KEMAR" in ran.out
    assert names(tmp_path) == {"field.wav", "ears.wav", "ears.json"}
    samples, rate = read_audio(out)
    assert rate == 44100
    given, _ = read_audio(field)
    np.testing.assert_allclose(samples, render_binaural(given, 44100), atol=1e-6)
    left, right = loudness(out)
    assert left > right + 6
    record = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["output"]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert record["field"]["sha256"] == hashlib.sha256(field.read_bytes()).hexdigest()
    assert "Gardner" in record["filters"]["citation"]


def test_the_record_makes_it_again(field: Path, tmp_path: Path) -> None:
    out = tmp_path / "ears.wav"
    pytest.importorskip("h5py")
    sofa = write_sofa(tmp_path / "me.sofa")
    track = tmp_path / "head.csv"
    track.write_text("0,0,0,0\n0.4,90,10,5\n")
    ran = omniaudio("binaural", field, "-o", out, "--track", track, "--hrtf", sofa)
    assert ran.code == 0, ran.err
    before = out.read_bytes()
    record = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["filters"]["name"] == "two cardioids"
    assert record["track"]["sha256"] == hashlib.sha256(track.read_bytes()).hexdigest()
    out.unlink()
    again = omniaudio(*record["command"][1:], "--overwrite")
    assert again.code == 0, again.err
    assert out.read_bytes() == before


def test_the_head_turns_and_a_track_is_followed(field: Path, tmp_path: Path) -> None:
    ahead, turned, tracked = (tmp_path / f"{name}.wav" for name in ("ahead", "turned", "tracked"))
    (tmp_path / "head.csv").write_text("time,yaw,pitch,roll\n0,0,0,0\n0.25,0,0,0\n0.25,180,0,0\n")
    for out, options in (
        (ahead, []),
        (turned, ["--yaw", "90"]),
        (tracked, ["--track", tmp_path / "head.csv"]),
    ):
        assert omniaudio("binaural", field, "-o", out, *options).code == 0
    left, right = loudness(turned)
    assert abs(left - right) < 0.5  # looked at
    samples, _ = read_audio(tracked)
    early, late = (
        10 * np.log10(np.mean(part.astype(np.float64) ** 2, axis=1))
        for part in (samples[:, :11000], samples[:, 11500:])
    )
    assert early[0] > early[1] + 6
    assert late[1] > late[0] + 6


def test_conventions(field: Path, tmp_path: Path) -> None:
    given, rate = read_audio(field)
    write_wav(tmp_path / "fuma.wav", from_ambix(given, "fuma"), rate)
    ran = omniaudio("binaural", tmp_path / "fuma.wav", "-o", tmp_path / "out.wav",
                    "--convention", "fuma", "--json")  # fmt: skip
    assert ran.code == 0
    assert json.loads(ran.out)["convention"] == "fuma"
    samples, _ = read_audio(tmp_path / "out.wav")
    np.testing.assert_allclose(samples, render_binaural(given, rate), atol=1e-6)


def test_json_is_pure_and_says_the_peak(tmp_path: Path) -> None:
    loud = np.zeros((4, 4800), np.float32)
    loud[0] = 2.0 * np.sin(np.arange(4800) * 0.1)
    write_wav(tmp_path / "loud.wav", loud, 48000)
    ran = omniaudio("binaural", tmp_path / "loud.wav", "-o", tmp_path / "out.wav", "--json")
    result = json.loads(ran.out)
    samples, _ = read_audio(tmp_path / "out.wav")
    assert result["peak"] == pytest.approx(float(np.abs(samples).max()))
    assert result["samples"] == 4800
    assert "above full scale" in ran.err


def test_real_field(tmp_path: Path) -> None:
    """A recording whose sound comes from 39 degrees left; then with the head turned round.

    From 1 to 4 kHz: wind and rumble below are about equal in both ears.
    """
    ogg = material("ambisonics/real_foa_wxyz_1.ogg")
    louder = {}
    for yaw in ("0", "180"):
        out = tmp_path / f"yaw{yaw}.wav"
        ran = omniaudio("binaural", ogg, "-o", out, "--convention", "wxyz", "--yaw", yaw)
        assert ran.code == 0, ran.err
        samples, rate = read_audio(out)
        power = np.abs(np.fft.rfft(samples, axis=1)) ** 2
        place = np.fft.rfftfreq(samples.shape[1], 1 / rate)
        left, right = power[:, (place > 1000) & (place < 4000)].sum(axis=1)
        louder[yaw] = 10 * np.log10(left / right)
    assert louder["0"] > 1
    assert louder["180"] < -1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.wav", "-o", "out.wav"], "none.wav"),
        (["field.wav"], "--output"),
        (["field.wav", "-o", "out.mp3"], "written as .wav"),
        (["field.wav", "-o", "no/out.wav"], "does not exist"),
        (["field.wav", "-o", "field.wav", "--overwrite"], "is an input too"),
        (["field.wav", "-o", "out.wav", "--yaw", "nan"], "--yaw must be in degrees"),
        (["field.wav", "-o", "out.wav", "--yaw", "9", "--track", "head.csv"], "leave --yaw"),
        (["field.wav", "-o", "out.wav", "--track", "none.csv"], "none.csv"),
        (["field.wav", "-o", "out.wav", "--track", "head.csv"], "head.csv, line 2"),
        (["field.wav", "-o", "out.wav", "--hrtf", "none.sofa"], "none.sofa"),
        (["field.wav", "-o", "out.wav", "--hrtf", "head.csv"], "no SOFA file"),
        (["field.wav", "-o", "out.wav", "--convention", "b"], "convention b"),
        (["stereo.wav", "-o", "out.wav"], "has 2 channels"),
        (["empty.wav", "-o", "out.wav"], "holds no samples"),
        (["broken.wav", "-o", "out.wav"], "NaN or infinite"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    arguments: list[str], said: str, field: Path, tmp_path: Path
) -> None:
    (tmp_path / "head.csv").write_text("0,0,0,0\n1,x,0,0\n")
    write_wav(tmp_path / "stereo.wav", np.zeros((2, 100), np.float32), 48000)
    write_wav(tmp_path / "empty.wav", np.zeros((4, 0), np.float32), 48000)
    broken = bytearray(field.read_bytes())
    broken[-4000:-3996] = np.float32(np.nan).tobytes()
    (tmp_path / "broken.wav").write_bytes(broken)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    ran = omniaudio("binaural", *arguments, cwd=tmp_path)
    assert ran.code == 2
    assert len(ran.error_lines) == 1
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_what_exists_is_kept_unless_asked(field: Path, tmp_path: Path) -> None:
    for name in ("out.wav", "out.json"):
        kept = tmp_path / name
        kept.write_text("mine")
        ran = omniaudio("binaural", field, "-o", tmp_path / "out.wav")
        assert ran.code == 2
        assert "--overwrite" in ran.err
        assert kept.read_text() == "mine"
        kept.unlink()
    (tmp_path / "out.wav").write_text("mine")
    assert omniaudio("binaural", field, "-o", tmp_path / "out.wav", "--overwrite").code == 0
    assert loudness(tmp_path / "out.wav").size == 2


def test_interrupt_leaves_nothing_and_progress_has_an_estimate(tmp_path: Path) -> None:
    """A quarter of an hour of silence; stopped as soon as it is under way."""
    long = tmp_path / "long.wav"
    with WavWriter(long, 48000, 4) as writer:
        for _ in range(90):
            writer.write(np.zeros((4, 480000), np.float32))
    process = subprocess.Popen(
        [*COMMAND, "binaural", str(long), "-o", str(tmp_path / "out.wav")],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "binaural" in first
    assert "left" in first
    limit = time.monotonic() + 20
    while not any(name.endswith(".part.wav") for name in names(tmp_path)):
        assert time.monotonic() < limit
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert names(tmp_path) == {"long.wav"}
    process.stderr.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Ten minutes of field, 460 MB as float32."""
    long = tmp_path / "long.wav"
    with WavWriter(long, 48000, 4) as writer:
        for _ in range(60):
            writer.write(np.zeros((4, 480000), np.float32))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from omniaudio_studio.cli.app import run\n"
        "print(run(sys.argv[1:]))\n"
        "print(Path('/proc/self/status').read_text())\n"
    )
    ran = subprocess.run(
        [COMMAND[0], "-c", code, "binaural", str(long), "-o", str(tmp_path / "out.wav")],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=200,
    )
    assert "\n0\n" in ran.stdout
    # NumPy, libsndfile and libav among them. The peak in kB.
    peak = next(line for line in ran.stdout.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 200_000
