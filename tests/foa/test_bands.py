"""A sound in bands and frames."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.foa.bands import BandAnalysis, BandFrames, band_matrix, mel_edges
from omniaudio_studio.foa.encoding import direction_vector, encode_plane_wave

RATE = 48_000
EDGES = mel_edges(20, 50.0, 18_000.0)


def analysed(sound: np.ndarray, blocks: list[int], frames: int | None = None) -> BandFrames:
    analysis = BandAnalysis(RATE, EDGES, 24.0, 0.08, len(np.atleast_2d(sound)))
    parts, place = [], 0
    for block in blocks:
        parts.append(analysis.push(sound[..., place : place + block]))
        place += block
    parts += [analysis.push(sound[..., place:]), analysis.finish(frames)]
    return BandFrames(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("energy", "across", "power")
        )
    )


def test_energies_add_up_to_the_mean_square() -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    total = analysed(sound, []).energy.sum(axis=1)
    assert total[5:-5].mean() == pytest.approx(float(np.mean(sound**2)), rel=0.01)


def test_a_tone_is_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    energy = analysed(tone, []).energy[8:-8]
    band = int(np.searchsorted(EDGES, 1000.0)) - 1
    np.testing.assert_allclose(energy[:, band], 0.5, rtol=1e-3)
    assert np.delete(energy, band, axis=1).max() < 0.005


def test_blocks_make_no_difference() -> None:
    sound = np.random.default_rng(1).standard_normal((4, RATE + 17)).astype(np.float32)
    once, often = analysed(sound, []), analysed(sound, [1, 0, 999, 20_000, 5])
    np.testing.assert_allclose(once.energy, often.energy, rtol=1e-5)
    np.testing.assert_allclose(once.across, often.across, atol=1e-6)


def test_a_plane_waves_intensity_points_where_it_comes_from() -> None:
    sound = np.random.default_rng(2).standard_normal(RATE).astype(np.float32)
    frames = analysed(encode_plane_wave(sound, 2.0, -0.4), [])
    density = (frames.energy + frames.power.sum(axis=2)) / 2
    vectors = frames.across[..., [2, 0, 1]] / density[..., None]
    expected = direction_vector(2.0, -0.4)
    np.testing.assert_allclose(vectors, np.broadcast_to(expected, vectors.shape), atol=1e-5)


def test_as_many_frames_as_asked_for() -> None:
    sound = np.ones(RATE, np.float32)
    assert len(analysed(sound, [])) == 24
    assert len(analysed(sound, [], 30)) == 30
    assert analysed(sound, [], 30).energy[28:].max() == 0


def test_frames_are_around_their_middles() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[round(10.5 / 24 * RATE)] = 1
    energy = analysed(sound, []).energy.sum(axis=1)
    assert int(np.argmax(energy)) == 10
    assert energy[9] == pytest.approx(energy[11], rel=1e-6)


def test_every_bin_is_in_one_band_and_no_band_is_empty() -> None:
    matrix = band_matrix(np.fft.rfftfreq(256, 1 / RATE), EDGES)
    assert (matrix.sum(axis=1) >= 1).all()
    assert (matrix.sum(axis=0) >= 1).all()


@pytest.mark.parametrize("edges", [[100.0], [100.0, 100.0], [200.0, 100.0]])
def test_edges_ascend(edges: list[float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        band_matrix(np.arange(5.0), edges)
