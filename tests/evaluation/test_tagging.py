"""The tagger that ships: on real recordings that it has not been trained on, where they are."""

from __future__ import annotations

import numpy as np
import pytest

from omniaudio_studio.datasets.conditioning import RATE, decode
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.evaluation.tagging import PATH, Tagger
from tests.support.material import material


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


def test_it_is_small_and_knows_the_ten_classes(tagger):
    assert PATH.stat().st_size < 2_000_000
    assert len(tagger.classes) == 10 and "dog_bark" in tagger.classes
    assert tagger.rate == 48000


@pytest.mark.parametrize("samples", [0, 1000, 48000, 100_001])
def test_scores_are_probabilities_of_any_length(tagger, samples):
    sound = 0.1 * np.random.default_rng(0).standard_normal(samples)
    scores = tagger.scores(sound, RATE)
    assert scores.shape == (10,) and scores.min() >= 0
    assert scores.sum() == pytest.approx(1)


def test_level_and_rate_do_not_matter(tagger):
    import soxr

    sound = 0.1 * np.random.default_rng(1).standard_normal(2 * RATE)
    scores = tagger.scores(sound, RATE)
    np.testing.assert_allclose(tagger.scores(0.1 * sound, RATE), scores, atol=1e-3)
    other = soxr.resample(sound, RATE, 44100)
    np.testing.assert_allclose(tagger.scores(other, 44100), scores, atol=0.1)


def test_a_field_is_refused(tagger):
    with pytest.raises(ValueError, match="one channel"):
        tagger.scores(np.zeros((4, 100)), RATE)


def test_unseen_recordings_are_named(tagger):
    """Two of each class of the fold that was left out; chance is 10 %."""
    library = MaterialLibrary(material("audio/esc10"), folds=(4,))
    right = [
        tagger.name(decode(path), RATE) == name
        for name in library.classes
        for path in library.recordings(name)[:2]
    ]
    assert np.mean(right) >= 0.6
