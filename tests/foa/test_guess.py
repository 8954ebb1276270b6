"""What four channels look like."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from omniaudio_studio.foa.convention import from_ambix, to_ambix
from omniaudio_studio.foa.encoding import encode_plane_wave
from omniaudio_studio.foa.guess import FieldSigns, Guess
from tests.support.material import material

RATE = 48_000


def guessed(channels: np.ndarray, rate: float = RATE, block: int = 50_000) -> Guess:
    signs = FieldSigns(rate)
    for start in range(0, channels.shape[1], block):
        signs.push(channels[:, start : start + block])
    return signs.guess()


def noise(seed: int, count: int = 1, seconds: float = 4) -> np.ndarray:
    """Bursts that come and go, each row in its own rhythm."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(RATE * seconds)) / RATE
    rows = rng.standard_normal((count, len(time)))
    rhythm = rng.uniform(0.7, 2.5, (count, 1))
    return 0.1 * rows * np.clip(np.sin(2 * np.pi * rhythm * time + rng.uniform(0, 6)), 0, 1)


def field(seed: int = 0) -> np.ndarray:
    """AmbiX: three sources near the horizon all around, and diffuse sound 20 dB below."""
    rng = np.random.default_rng(seed)
    around = rng.uniform(0, 2 * math.pi) + np.array([0.0, 2.0, 4.0])
    total = np.zeros((4, 4 * RATE))
    for row, azimuth in zip(noise(seed, 3), around, strict=True):
        total += encode_plane_wave(row.astype(np.float32), azimuth, rng.uniform(-0.3, 0.3))
    diffuse = rng.standard_normal(total.shape) * 0.005
    return total + diffuse / np.array([1, 3, 3, 3])[:, None] ** 0.5


def quad(seed: int = 0) -> np.ndarray:
    """Three sources panned between four loudspeakers, and diffuse sound."""
    rng = np.random.default_rng(seed)
    places = np.radians([45, -45, 135, -135])
    total = rng.standard_normal((4, 4 * RATE)) * 0.005
    for row in noise(seed, 3):
        away = np.abs((places - rng.uniform(-3.1, 3.1) + math.pi) % (2 * math.pi) - math.pi)
        total += np.where(away < math.pi / 2, np.cos(away), 0)[:, None] * row
    return total


@pytest.mark.parametrize("convention", ["ambix", "fuma", "n3d"])
def test_encoded_fields(convention: str) -> None:
    ratio = {"ambix": 1.0, "fuma": 2.0, "n3d": 3.0}[convention]
    sure = 0
    for seed in range(4):
        found = guessed(from_ambix(field(seed), convention))
        assert (found.kind, found.convention) == ("field", convention)
        assert found.ratio == pytest.approx(ratio, rel=0.1)
        assert found.outside < 0.01 and found.opposed > 0.09
        sure += found.sure
    # Microphones make W weak too: N3D is certain only of sound without any diffuse part.
    assert sure >= 3 or convention == "n3d"


def test_loudspeaker_channels() -> None:
    for seed in range(4):
        found = guessed(quad(seed))
        assert (found.kind, found.convention) == ("speakers", None)


def test_an_empty_z_tells_the_order() -> None:
    flat = field()
    flat[2] = 0
    for convention in ("ambix", "fuma", "wxyz", "n3d"):
        found = guessed(from_ambix(flat, convention))
        assert (found.convention, found.sure) == (convention, convention != "n3d")
        empty = 1 if convention in ("ambix", "n3d") else 2
        assert found.levels[empty] < -60


def test_what_is_no_field() -> None:
    assert guessed(np.zeros((4, RATE))).kind == "silent"
    assert guessed(np.zeros((4, 10))).kind == "silent"
    alone = np.zeros((4, 4 * RATE))
    alone[0] = noise(1)[0]
    assert guessed(alone).kind == "mono"
    assert guessed(alone).levels == (-120.0,) * 3
    unrelated = np.random.default_rng(0).standard_normal((4, 4 * RATE))
    assert guessed(unrelated).kind == "unrelated"
    backwards = np.roll(alone, 2, axis=0)
    assert guessed(backwards).kind == "speakers"


def test_blocks_make_no_difference() -> None:
    whole = from_ambix(field(5), "fuma")
    one, other = guessed(whole, block=10**9), guessed(whole, block=777)
    assert (one.kind, one.convention, one.sure) == (other.kind, other.convention, other.sure)
    assert one.ratio == other.ratio
    np.testing.assert_allclose(one.levels, other.levels, atol=1e-4)


@pytest.mark.parametrize(
    "name, sure, ratio", [("real_foa_wxyz_1.ogg", True, 4.56), ("real_foa_wxyz_2.ogg", False, 2.09)]
)
def test_recordings(name: str, sure: bool, ratio: float) -> None:
    """W X Y Z with W at -3 dB, both of them; the second does not tell its order by its levels."""
    samples, rate = soundfile.read(material(f"ambisonics/{name}"), dtype="float32")
    found = guessed(samples.T, rate)
    assert (found.kind, found.convention, found.sure) == ("field", "fuma", sure)
    assert found.ratio == pytest.approx(ratio, rel=0.05)
    turned = guessed(to_ambix(samples.T, "fuma"), rate)
    assert (turned.kind, turned.convention) == ("field", "ambix")
