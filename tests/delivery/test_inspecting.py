"""What files claim against what they sound like."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from omniaudio_studio.cli.app import run
from omniaudio_studio.delivery.inspecting import inspect_file
from omniaudio_studio.errors import Cancelled, MediaError, MissingFileError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.media.ambisonics import ambisonics_box
from omniaudio_studio.media.marking import mark_in_place
from omniaudio_studio.media.spherical import spherical_boxes
from omniaudio_studio.media.wav import write_wav
from tests.foa.test_guess import field, quad
from tests.media.clips import make_clip
from tests.support.material import material

RATE = 48_000
SHOWN = [Fraction(k, 10) for k in range(20)]


def video(path: Path, sound: np.ndarray, **more: object) -> Path:
    codec = "aac" if path.suffix == ".mp4" else "pcm_s24le"
    return make_clip(path, SHOWN, rate=10, sound=sound, sound_codec=codec, **more)  # type: ignore[arg-type]


def advice(path: Path) -> str:
    return "\n".join(inspect_file(path).advice)


def test_a_delivered_video_needs_no_advice(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mov", field(2))
    mark_in_place(path, spherical_boxes("left-right"), ambisonics_box())
    found = inspect_file(path)
    (picture,), (sound,) = found.claims.pictures, found.claims.sounds
    assert picture.spherical is not None
    assert (picture.spherical.projection, picture.spherical.stereo) == (
        "equirectangular",
        "left-right",
    )
    assert (sound.ambisonic, sound.order, sound.convention) == ("SA3D", 1, "ambix")
    assert sound.positions == (0, 1, 2, 3) and not sound.head_locked
    assert found.sound is not None and found.sound.guess is not None
    assert (found.sound.guess.kind, found.sound.guess.convention) == ("field", "ambix")
    assert found.sound.whole and found.sound.seconds == pytest.approx(4)
    assert found.advice == ()


def test_levels_are_those_of_the_signal(tmp_path: Path) -> None:
    sound = np.zeros((4, RATE), np.float32)
    sound[0] = 0.5 * np.sign(np.sin(np.arange(RATE) / 10))
    sound[1, 100] = 0.25
    sound[2, :20] = 1.0
    write_wav(tmp_path / "a.wav", sound, RATE)
    found = inspect_file(tmp_path / "a.wav").sound
    assert found is not None
    assert found.peaks == pytest.approx((-6.02, -12.04, 0.0, -120.0), abs=0.01)
    assert found.levels[0] == pytest.approx(-6.02, abs=0.01)
    assert found.clipped == 20
    assert "20 samples are at full scale" in advice(tmp_path / "a.wav")


def test_fuma_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, from_ambix(field(1), "fuma"), RATE)
    assert "omniaudio binaural --convention fuma" in advice(path)
    # The same in a video whose SA3D says otherwise.
    path = video(tmp_path / "a.mov", from_ambix(field(1), "fuma"))
    mark_in_place(path, spherical_boxes(), ambisonics_box())
    said = advice(path)
    assert "the file states AmbiX" in said and "looks like FuMa" in said


def test_what_players_would_get_wrong(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", field(2))
    said = advice(path)
    assert "no SA3D" in said and "no 360 metadata" in said
    path = video(tmp_path / "b.mov", quad(1))
    mark_in_place(path, sound=ambisonics_box())
    assert "panned between loudspeakers" in advice(path)


def test_empty_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for kept, words in (
        ((), "the sound is silent"),
        ((0,), "only W has sound"),
        ((0, 1, 3), "Z is empty"),
    ):
        sound = np.zeros((4, 4 * RATE), np.float32)
        sound[list(kept)] = field(3)[list(kept)]
        write_wav(path, sound, RATE)
        assert words in advice(path)


def test_low_frequency_effects(tmp_path: Path) -> None:
    """5.1 with its fourth channel below 100 Hz."""
    sound = np.random.default_rng(0).standard_normal((6, 2 * RATE)).astype(np.float32) * 0.1
    sound[3] = 0.1 * np.sin(2 * np.pi * 60 * np.arange(2 * RATE) / RATE)
    write_wav(tmp_path / "a.wav", sound, RATE)
    found = inspect_file(tmp_path / "a.wav")
    assert found.sound is not None and found.sound.low_only == (4,)
    assert "channel 4 has nothing above 200 Hz" in "\n".join(found.advice)


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, field(2), RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 8 + 16 * 1000
    data[at : at + 12] = struct.pack("<3f", np.nan, np.inf, 1e30)
    path.write_bytes(data)
    found = inspect_file(path)
    assert found.sound is not None and found.sound.not_numbers == 3
    assert found.sound.guess is not None and found.sound.guess.kind == "field"
    assert "3 samples are no numbers" in "\n".join(found.advice)


def test_head_locked_stereo(tmp_path: Path) -> None:
    for bed, words in ((0.2, ""), (0.0, "the head-locked stereo is silent")):
        sound = np.concatenate([field(2), np.full((2, 4 * RATE), bed)])
        path = tmp_path / "a.mov"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s24le", RATE)
            stream.layout = "6.0"
            data = np.round(sound * 2**31 * 0.9).astype(np.int32).T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), "s32", "6.0")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        mark_in_place(path, sound=ambisonics_box(head_locked=True))
        found = inspect_file(path)
        assert found.claims.sounds[0].head_locked
        assert found.sound is not None and found.sound.bed is bool(bed)
        assert words in "\n".join(found.advice)


def test_long_files_are_heard_in_parts(tmp_path: Path) -> None:
    """Ten minutes that are silent but for the last five seconds."""
    path = tmp_path / "a.wav"
    sound = np.zeros((4, 600 * 8000), np.float32)
    sound[:, -5 * 8000 :] = 0.1
    write_wav(path, sound, 8000)
    found = inspect_file(path).sound
    assert found is not None and not found.whole
    assert found.seconds == pytest.approx(120)
    assert max(found.peaks) == pytest.approx(-20, abs=0.1)


def test_opus_family_2_and_its_projection(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", RATE, options={"mapping_family": "2"})
        stream.layout = "ambisonic 1"
        stream.bit_rate = 512_000
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(field(2).T.reshape(1, -1), np.float32), "flt", "ambisonic 1"
        )
        frame.sample_rate = RATE
        resampler = av.AudioResampler(frame_size=960)
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    (sound,) = inspect_file(path).claims.sounds
    assert (sound.ambisonic, sound.order) == ("Opus mapping family 2", 1)


def test_an_unknown_box_is_a_doubt_not_an_error(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", field(2))
    mark_in_place(path, spherical_boxes(), ambisonics_box())
    data = bytearray(path.read_bytes())
    data[data.index(b"SA3D") + 4] = 7
    path.write_bytes(data)
    assert "SA3D box is of an unknown kind" in advice(path)


def test_what_cannot_be_inspected(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        inspect_file(tmp_path / "none.wav")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(MediaError, match="text"):
        inspect_file(tmp_path / "a.txt")
    silent = make_clip(tmp_path / "a.mp4", SHOWN[:2])
    assert "no sound: omniaudio generate" in advice(silent)

    class Stop:
        def check(self) -> None:
            raise Cancelled("stopped")

    write_wav(tmp_path / "a.wav", field(2), RATE)
    with pytest.raises(Cancelled):
        inspect_file(tmp_path / "a.wav", Stop())


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = video(tmp_path / "a.mov", field(2), metadata={"comment": "made by hand"})
    mark_in_place(path, spherical_boxes(yaw=20), ambisonics_box())
    assert run(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    for words in ("equirectangular", "yaw 20", "order 1, ambix (by SA3D)", "looks like"):
        assert words in said
    assert run(["inspect", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["claims"]["sounds"][0]["ambisonic"] == "SA3D"
    assert data["claims"]["pictures"][0]["spherical"]["yaw"] == 20
    assert data["sound"]["guess"]["convention"] == "ambix"
    assert len(data["advice"]) == 1
    assert run(["inspect", str(tmp_path / "none.mov")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_recording(capsys: pytest.CaptureFixture[str]) -> None:
    found = inspect_file(material("ambisonics/real_foa_wxyz_1.ogg"))
    assert found.sound is not None and found.sound.guess is not None
    assert found.sound.guess.convention == "fuma"
    said = "\n".join(found.advice)
    assert "--convention fuma" in said and "Z is empty" in said
