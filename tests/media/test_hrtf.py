"""Personal filters from SOFA files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingDependencyError, MissingFileError
from omniaudio_studio.foa.binaural import BinauralFilters, default_filters, render_binaural
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.media.hrtf import cached_hrtf, load_hrtf
from tests.media.sofa_files import grid, write_sofa

KEMAR = Path("/usr/share/libmysofa/MIT_KEMAR_normal_pinna.sofa")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "omniaudio-studio" / "hrtf"


def levels(filters: BinauralFilters, azimuth: float) -> np.ndarray:
    """dB in both ears of noise from there (degrees)."""
    sound = np.random.default_rng(0).standard_normal(filters.rate // 4).astype(np.float32)
    ears = render_binaural(
        encode_plane_wave(sound, np.radians(azimuth), 0.0), filters.rate, filters=filters
    )
    return 10 * np.log10(np.mean(ears.astype(np.float64) ** 2, axis=1))


def test_a_file_becomes_filters(tmp_path: Path) -> None:
    filters = load_hrtf(write_sofa(tmp_path / "me.sofa", rate=44100.0))
    assert filters.rate == 44100
    assert filters.taps.shape == (2, 4, 235)
    assert (filters.name, filters.licence, filters.citation) == ("two cardioids", "CC0", "a test")
    left, right = levels(filters, 90.0)
    assert 6 < left - right < 20  # cardioids of 1.0 and 0.2, 14 dB apart
    left, right = levels(filters, 0.0)
    assert abs(left - right) < 0.1


@pytest.mark.parametrize(
    "layout",
    [
        {"cartesian": True},
        {"view": (0.0, 1.0, 0.0)},
        {"view": (-1.0, 1.0, 0.0), "cartesian": True},
        {"ears_swapped": True},
        {"without": ("ListenerView", "ListenerUp", "ReceiverPosition", "ListenerPosition")},
    ],
)
def test_files_laid_out_otherwise_give_the_same(tmp_path: Path, layout: dict[str, Any]) -> None:
    plain = load_hrtf(write_sofa(tmp_path / "plain.sofa"))
    other = load_hrtf(write_sofa(tmp_path / "other.sofa", **layout))
    np.testing.assert_allclose(other.taps, plain.taps, atol=2e-4)


def test_delays_kept_apart_are_put_back(tmp_path: Path) -> None:
    plain = load_hrtf(write_sofa(tmp_path / "plain.sofa"))
    apart = load_hrtf(write_sofa(tmp_path / "apart.sofa", separate_delays=True))
    # The delay common to all directions is nobody's business: it moves all by a part of a sample.
    a, b = (np.abs(np.fft.rfft(each.taps, 512))[..., 4:200] for each in (apart, plain))
    assert np.abs(20 * np.log10(a[:, 0] / b[:, 0])).max() < 0.5
    early = [
        np.angle(
            np.sum(
                np.fft.rfft(each.taps[:, :2].sum(axis=1), 512)[0, 4:10]
                * np.conj(np.fft.rfft(each.taps[:, :2].sum(axis=1), 512)[1, 4:10])
            )
        )
        for each in (apart, plain)
    ]
    assert early[0] == pytest.approx(early[1], abs=0.02)
    assert early[0] > 0.2


def test_another_rate(tmp_path: Path) -> None:
    path = write_sofa(tmp_path / "me.sofa", rate=44100.0)
    filters = load_hrtf(path, rate=48000)
    assert filters.rate == 48000
    assert filters.taps.shape == (2, 4, 256)
    own = np.abs(np.fft.rfft(load_hrtf(path).taps[0, 0], 4410))[30:1500]
    changed = np.abs(np.fft.rfft(filters.taps[0, 0], 4800))[30:1500]
    assert np.abs(20 * np.log10(own / changed)).max() < 0.5


@pytest.mark.skipif(not KEMAR.exists(), reason="Debian's libmysofa1 is not installed")
def test_kemar_as_a_personal_file_is_the_default() -> None:
    personal, default = load_hrtf(KEMAR, rate=48000), default_filters()
    scale = np.abs(default.taps).max()
    assert np.abs(personal.taps - default.taps).max() < 0.02 * scale
    mirrored = load_hrtf(KEMAR, rate=48000, symmetric=True)
    np.testing.assert_allclose(mirrored.taps, default.taps, atol=1e-5 * scale)


def test_a_personal_file_differs_from_the_default(tmp_path: Path) -> None:
    personal = load_hrtf(write_sofa(tmp_path / "me.sofa"))
    default = default_filters()
    assert np.abs(personal.taps - default.taps).max() > 0.05
    for filters in (personal, default):  # but level and sides are alike
        left, right = levels(filters, 60.0)
        assert left > right + 3
        assert abs(np.mean(levels(filters, 60.0))) < 4.0


def flat() -> np.ndarray:
    return np.array([(az, 0.0) for az in range(0, 360, 5)]).T


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"attributes": {"Conventions": "netCDF"}}, "no SOFA file"),
        ({"attributes": {"SOFAConventions": "SimpleFreeFieldHRTF"}}, "SimpleFreeFieldHRTF"),
        ({"attributes": {"SOFAConventions": "MultiSpeakerBRIR"}}, "MultiSpeakerBRIR"),
        ({"directions": grid()[:, ::7]}, "12 directions"),
        ({"directions": flat()}, "above and below"),
        ({"without": ("Data.IR",)}, "Data.IR"),
        ({"without": ("SourcePosition",)}, "SourcePosition"),
        ({"without": ("Data.SamplingRate",)}, "Data.SamplingRate"),
        ({"damage": {"Data.IR": np.zeros((84, 2, 256))}}, "silent"),
        ({"damage": {"Data.IR": np.full((84, 2, 256), np.nan)}}, "not finite"),
        ({"damage": {"Data.IR": np.ones((84, 1, 256))}}, "two ears"),
        ({"damage": {"Data.IR": np.ones((84, 2))}}, "two ears"),
        ({"damage": {"SourcePosition": np.ones((5, 3))}}, "SourcePosition"),
        ({"damage": {"SourcePosition": np.full((84, 3), np.inf)}}, "not finite"),
        ({"damage": {"SourcePosition": np.zeros((84, 3))}}, "inside the head"),
        ({"damage": {"Data.SamplingRate": np.array([44100.0, 48000.0])}}, "one sample rate"),
        ({"damage": {"Data.Delay": np.zeros((7, 2))}}, "Data.Delay"),
        ({"damage": {"ListenerView": np.zeros((1, 3))}}, "ListenerView"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, how: dict[str, Any], said: str) -> None:
    path = write_sofa(tmp_path / "bad.sofa", **how)
    with pytest.raises(MediaError, match=said) as caught:
        load_hrtf(path)
    assert "\n" not in str(caught.value)
    assert "bad.sofa" in str(caught.value)


def test_files_that_are_no_sofa(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    with pytest.raises(MissingFileError):
        load_hrtf(tmp_path / "none.sofa")
    text = tmp_path / "text.sofa"
    text.write_text("hello")
    with pytest.raises(MediaError, match="no SOFA file"):
        load_hrtf(text)
    whole = write_sofa(tmp_path / "whole.sofa").read_bytes()
    (tmp_path / "cut.sofa").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"cut\.sofa"):
        load_hrtf(tmp_path / "cut.sofa")
    with pytest.raises((MissingFileError, MediaError)):
        load_hrtf(tmp_path)


def test_without_the_extra_the_message_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sofa(tmp_path / "me.sofa")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"omniaudio-studio\[hrtf\]"):
        load_hrtf(path)


def test_the_cache_goes_by_content(tmp_path: Path, cache: Path) -> None:
    path = write_sofa(tmp_path / "me.sofa")
    kept = cached_hrtf(path)
    assert kept.parent == cache
    np.testing.assert_array_equal(BinauralFilters.load(kept).taps, load_hrtf(path).taps)
    made = kept.stat().st_ino
    same = tmp_path / "renamed.sofa"
    path.rename(same)
    assert cached_hrtf(same) == kept
    assert kept.stat().st_ino == made  # not made again
    other = cached_hrtf(write_sofa(tmp_path / "me.sofa", rate=44100.0))
    assert other != kept
    assert {file.name for file in cache.iterdir()} == {kept.name, other.name}


def test_a_damaged_cache_is_made_again(tmp_path: Path, cache: Path) -> None:
    path = write_sofa(tmp_path / "me.sofa")
    kept = cached_hrtf(path)
    kept.write_bytes(kept.read_bytes()[:100])
    assert cached_hrtf(path) == kept
    assert BinauralFilters.load(kept).rate == 48000


def test_the_cache_stays_small(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omniaudio_studio.media.hrtf._KEPT", 2)
    cache.mkdir(parents=True)
    for age in range(4):
        old = cache / f"{age}.npz"
        old.write_bytes(b"")
        os.utime(old, (1000 + age, 1000 + age))
    kept = cached_hrtf(write_sofa(tmp_path / "me.sofa"))
    assert {file.name for file in cache.iterdir()} == {kept.name, "3.npz"}


def test_a_bad_file_leaves_nothing_in_the_cache(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(MediaError):
        cached_hrtf(write_sofa(tmp_path / "bad.sofa", directions=flat()))
    assert not cache.exists() or not list(cache.iterdir())
