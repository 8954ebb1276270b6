"""A recording that was placed is a take like others, but for what has no meaning for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from omniaudio_studio.errors import OptionError
from omniaudio_studio.jobs.spatialize import run_spatialize
from omniaudio_studio.jobs.spatialize_request import DirectedSource, SpatializeRequest
from qt_app.models.settings import ClipSettings
from qt_app.models.take import read_take, reroll
from qt_app.models.take_words import describe, facts, spoken
from qt_app.sources.thinning import taken_over


@pytest.fixture(scope="module")
def wav(small_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Placed by hand: from ahead to the left."""
    path = tmp_path_factory.mktemp("placed") / "walk-placed-take1.wav"
    source = DirectedSource("dog", ((0.0, 0.0, 0.0, 1.0), (1.0, 90.0, 10.0, 0.5)))
    run_spatialize(
        SpatializeRequest(small_clip, path, method="given", sources=(source,), width=0.1, yaw=5.0)
    )
    return path


def test_its_sidecar_is_read(wav: Path, small_clip: Path) -> None:
    take = read_take(wav.with_suffix(".json"))
    assert take is not None and take.placed
    assert (take.wav, take.request.clip, take.cfg, take.steps) == (wav, small_clip, None, None)
    assert take.seconds == pytest.approx(2.0, abs=0.1)
    assert take.sources[0].name == "dog"
    assert facts(take) == ["My markers", "1 source"]
    assert "Placed sound: my markers, 1 source" in describe(take)
    assert "my markers" in spoken(take)
    assert " spatialize --from " in take.command()


def test_its_settings_place_it_again(wav: Path, small_clip: Path) -> None:
    take = read_take(wav.with_suffix(".json"))
    assert take is not None
    settings = ClipSettings().changed(**take.settings())
    again = settings.placing(small_clip, wav)
    assert again == take.request


def test_its_directions_become_sources(wav: Path) -> None:
    take = read_take(wav.with_suffix(".json"))
    assert take is not None
    (source,) = taken_over(take.sources)
    assert source.points == ((0.0, 0.0, 0.0, 1.0), (1.0, 90.0, 10.0, 0.5))
    assert source.confidence == ()  # given, not found


def test_no_part_of_it_can_be_generated_again(wav: Path, tmp_path: Path) -> None:
    take = read_take(wav.with_suffix(".json"))
    assert take is not None
    with pytest.raises(OptionError, match="place it again"):
        reroll(take, 0.0, 1.0, 7, tmp_path / "out.wav")


def test_a_damaged_sidecar_is_said(wav: Path, tmp_path: Path) -> None:
    sidecar = tmp_path / "bad.json"
    sidecar.write_text(
        wav.with_suffix(".json").read_text().replace('"confidence"', '"certainty"', 1)
    )
    with pytest.raises(OptionError, match=r"bad\.json is damaged: confidence is missing"):
        read_take(sidecar)
