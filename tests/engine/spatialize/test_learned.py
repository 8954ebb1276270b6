"""Sources found by the spatializer that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.bundles.discovery import find_bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.engine.spatialize.learned import _windows, find_learned
from omniaudio_studio.errors import BundleError, Cancelled
from omniaudio_studio.files import file_sha256
from omniaudio_studio.foa.encoding import direction_vector
from omniaudio_studio.foa.placement import Placement
from omniaudio_studio.media.probe import probe

DEMO = Path(__file__).parents[3] / "omniaudio_studio" / "assets" / "demo.mp4"


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return find_bundle("starter")


def angle(directions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((directions * vectors).sum(axis=-1), -1, 1)))


def test_the_sample_clips_dog_and_helicopter_are_found(starter: Bundle) -> None:
    told: list[Progress] = []
    info = probe(DEMO)
    found = find_learned(
        info, DEMO, starter, "cpu", start=0.0, duration=6.0, max_sources=2, progress=told.append
    )
    placement = found.placement
    part = placement.times / 6.0
    dog = direction_vector(np.full_like(part, np.radians(58)), np.radians(-12)).T
    flight = np.radians(-150 + 150 * part), np.radians(18 + 10 * np.sin(np.pi * part))
    helicopter = direction_vector(*flight).T
    errors = np.array(
        [
            [np.median(angle(line, truth)) for truth in (dog, helicopter)]
            for line in placement.directions
        ]
    )
    assert errors.min(axis=0).max() < 15
    assert errors[:, 0].argmin() != errors[:, 1].argmin()
    assert found.confidence > 0.5
    assert placement.shares.sum(axis=0).max() <= 1 + 1e-5
    assert told[-1].done == told[-1].total == 6.0
    again = find_learned(info, DEMO, starter, "cpu", start=0.0, duration=6.0, max_sources=2)
    np.testing.assert_array_equal(again.placement.shares, placement.shares)


def test_a_clip_that_was_seen_is_not_looked_at_again(
    starter: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNIAUDIO_CACHE", str(tmp_path))
    monkeypatch.delenv("OMNIAUDIO_FEATURE_CACHE")
    info = probe(DEMO)

    def found() -> Placement:
        return find_learned(
            info, DEMO, starter, "cpu",
            start=0.0, duration=1.0, max_sources=2, clip_sha256=lambda: file_sha256(DEMO),
        ).placement  # fmt: skip

    first = found()
    monkeypatch.setattr("omniaudio_studio.media.frames.decode_video", None)
    again = found()
    np.testing.assert_array_equal(again.shares, first.shares)
    np.testing.assert_array_equal(again.directions, first.directions)


def test_a_part_is_placed_in_the_clips_own_time(starter: Bundle) -> None:
    found = find_learned(probe(DEMO), DEMO, starter, "cpu", start=2.0, duration=3.0, max_sources=3)
    assert found.placement.times[0] == pytest.approx(2.0 + 0.5 / 24)
    assert found.placement.times[-1] == pytest.approx(5.0 - 0.5 / 24)


def test_it_can_be_cancelled(starter: Bundle) -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        find_learned(
            probe(DEMO),
            DEMO,
            starter,
            "cpu",
            start=0.0,
            duration=6.0,
            max_sources=3,
            progress=lambda _: token.cancel(),
            cancel=token,
        )


def test_a_bundle_without_a_spatializer_is_refused_in_one_line(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="has no spatializer; use the starter"):
        find_learned(
            probe(DEMO),
            DEMO,
            find_bundle(str(tiny_bundle)),
            "cpu",
            start=0.0,
            duration=6.0,
            max_sources=3,
        )


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    """Features that change a little from picture to picture."""
    steps = 0.1 * np.random.default_rng(seed).standard_normal((count, 4, 2))
    return [np.asarray(row, np.float32) for row in np.cumsum(steps, axis=0)]


def test_windows_overlap_by_a_quarter_and_cover_everything() -> None:
    seen = pictures(75)
    windows = list(_windows(iter(seen), 32))
    assert [(len(cells), again) for cells, again in windows] == [(32, 0), (32, 8), (27, 8)]
    joined = np.concatenate([cells[again:] for cells, again in windows])
    np.testing.assert_array_equal(joined, np.stack(seen))


def test_no_window_reaches_over_a_cut() -> None:
    seen = pictures(20) + [picture + 50 for picture in pictures(30, 1)]
    windows = list(_windows(iter(seen), 32))
    assert [(len(cells), again) for cells, again in windows] == [(20, 0), (30, 0)]


@pytest.mark.parametrize("count", [1, 31, 32, 33])
def test_short_clips_are_one_window_or_two(count: int) -> None:
    windows = list(_windows(iter(pictures(count)), 32))
    assert sum(len(cells) - again for cells, again in windows) == count
    assert len(windows) == (2 if count == 33 else 1)
