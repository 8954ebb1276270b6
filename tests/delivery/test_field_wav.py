"""Fields as WAV files, AmbiX and FuMa: bits, what they say, and nothing left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from omniaudio_studio.delivery.fuma import write_fuma
from omniaudio_studio.delivery.provenance import Provenance
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.wav import write_wav as deliver_wav
from omniaudio_studio.errors import Cancelled, OptionError, OutputError, OutputExistsError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.media.audio import FoaReader, read_foa
from omniaudio_studio.media.bext import read_bext
from omniaudio_studio.media.loudness import integrated_loudness
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.media.clips import make_clip

RATE = 48000
ORIGIN = Provenance("OmniAudio Studio 9", "generated", "tiny", "1", 7, 3.0, False, "NC-1")
WRITERS: list[Callable[..., Any]] = [deliver_wav, write_fuma]


def noise(samples: int = 2 * RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((4, samples))).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> DeliverySource:
    folder = tmp_path / "in"
    folder.mkdir()
    write_wav(folder / "take.wav", noise(), RATE)
    os.utime(folder / "take.wav", (1_769_868_359, 1_769_868_359))  # 2026-01-31 14:05:59 UTC
    return DeliverySource(folder / "take.wav", provenance=ORIGIN)


def test_the_samples_are_the_fields_own(source: DeliverySource, tmp_path: Path) -> None:
    result = deliver_wav(source, tmp_path / "a.wav")
    assert (result.rate, result.samples, result.clipped, result.warnings()) == (RATE, 96000, 0, [])
    read, rate = read_foa(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_array_equal(read, noise())
    assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"


def test_24_bits_are_rounded_once(source: DeliverySource, tmp_path: Path) -> None:
    deliver_wav(source, tmp_path / "a.wav", subtype="pcm24")
    words = soundfile.read(tmp_path / "a.wav", dtype="int32")[0].T >> 8
    np.testing.assert_array_equal(words, np.rint(noise().astype(np.float64) * 2**23))
    # Delivered again, the same words.
    again = replace(source, field=tmp_path / "a.wav")
    deliver_wav(again, tmp_path / "b.wav", subtype="pcm24")
    np.testing.assert_array_equal(
        soundfile.read(tmp_path / "b.wav", dtype="int32")[0].T >> 8, words
    )


def test_what_it_says(source: DeliverySource, tmp_path: Path) -> None:
    result = deliver_wav(source, tmp_path / "a.wav", subtype="pcm24")
    found = read_bext(tmp_path / "a.wav")
    assert found is not None and found.loudness is not None
    assert found.description == f"AmbiX W Y Z X (ACN, SN3D). {ORIGIN.sentence()}"
    assert "no commercial use" in found.description and "seed 7" in found.description
    assert found.originator == "OmniAudio Studio 9"
    # The field's file is as old as that; the same inputs give the same bytes.
    assert (found.date, found.time, found.time_reference) == ("2026-01-31", "14:05:59", 0)
    assert found.coding_history == "A=PCM,F=48000,W=24,T=OmniAudio Studio 9"
    own = integrated_loudness(noise()[0], RATE)
    assert found.loudness.integrated == pytest.approx(own, abs=0.01)
    assert found.loudness.true_peak == pytest.approx(result.loudness.true_peak, abs=0.005)
    deliver_wav(source, tmp_path / "b.wav", subtype="pcm24")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_without_provenance_it_says_only_what_its_channels_are(
    source: DeliverySource, tmp_path: Path
) -> None:
    deliver_wav(replace(source, provenance=None), tmp_path / "a.wav")
    found = read_bext(tmp_path / "a.wav")
    assert found is not None
    assert found.description == "AmbiX W Y Z X (ACN, SN3D)."
    assert (found.originator, found.date, found.time) == ("", "", "")
    assert b"OmniAudio" not in (tmp_path / "a.wav").read_bytes()


def test_the_clips_time_of_day(source: DeliverySource, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", [0, 0.5], bframes=0)
    with av.open(str(clip)) as old, av.open(str(tmp_path / "when.mkv"), "w") as new:
        new.metadata["creation_time"] = "2025-06-01T01:00:00Z"
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    placed = replace(source, clip=probe(tmp_path / "when.mkv"), clip_start=0.25)
    deliver_wav(placed, tmp_path / "a.wav")
    found = read_bext(tmp_path / "a.wav")
    assert found is not None
    assert (found.date, found.time) == ("2025-06-01", "01:00:00")
    assert found.time_reference == round(3600.25 * RATE)


def test_fuma_is_named_and_read_back_as_what_it_is(source: DeliverySource, tmp_path: Path) -> None:
    write_fuma(source, tmp_path / "a.fuma.wav")
    raw = soundfile.read(tmp_path / "a.fuma.wav", dtype="float32")[0].T
    np.testing.assert_array_equal(raw, from_ambix(noise(), "fuma"))
    np.testing.assert_allclose(raw[0], noise()[0] * 10 ** (-3.0103 / 20), rtol=1e-5)
    np.testing.assert_array_equal(raw[1], noise()[3])  # X comes second
    found = read_bext(tmp_path / "a.fuma.wav")
    assert found is not None and found.description.startswith("FuMa W X Y Z (W at -3 dB). ")
    with FoaReader(tmp_path / "a.fuma.wav") as reader:
        assert reader.convention == "fuma"
    np.testing.assert_allclose(read_foa(tmp_path / "a.fuma.wav")[0], noise(), atol=1e-7)
    with pytest.raises(OptionError, match=r"a\.fuma\.wav"):
        write_fuma(source, tmp_path / "a.wav")


def test_what_24_bits_cannot_hold_is_told(source: DeliverySource, tmp_path: Path) -> None:
    loud = noise(1000)
    loud[0, 10:13] = 1.5
    write_wav(tmp_path / "loud.wav", loud, RATE)
    result = deliver_wav(
        replace(source, field=tmp_path / "loud.wav"), tmp_path / "a.wav", subtype="pcm24"
    )
    assert result.clipped == 3
    assert result.warnings()[0].startswith("3 values were beyond full scale")


@pytest.mark.parametrize("write", WRITERS)
def test_what_fails_leaves_nothing(
    source: DeliverySource, tmp_path: Path, write: Callable[..., Any]
) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        write(source, out / "fuma.wav", cancel=SimpleNamespace(check=stop))
    assert not list(out.iterdir())
    (out / "fuma.wav").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write(source, out / "fuma.wav")
    assert (out / "fuma.wav").read_bytes() == b"mine"
    with pytest.raises(OutputError, match="does not exist"):
        write(source, tmp_path / "none" / "fuma.wav")


@pytest.mark.parametrize("write", WRITERS)
def test_progress_ends_at_one(
    source: DeliverySource, tmp_path: Path, write: Callable[..., Any]
) -> None:
    told: list[float] = []
    write(source, tmp_path / "fuma.wav", progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0


def test_what_the_system_refuses_half_way_is_said_and_taken_away(
    source: DeliverySource, tmp_path: Path
) -> None:
    """The system's own refusal, met half-way: files may be no longer than this."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, old[1]))
        with pytest.raises(OutputError, match=r"cannot write .*a\.wav"):
            deliver_wav(source, tmp_path / "a.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
