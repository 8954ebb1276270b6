"""The evaluation of a bundle, with a bundle whose answers are known."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, MissingFileError, OptionError
from omniaudio_studio.evaluation.starter import job
from omniaudio_studio.evaluation.starter.report import GROUPS, METHODS, Report
from omniaudio_studio.evaluation.starter.run import evaluate_starter
from omniaudio_studio.evaluation.starter.subject import Subject
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def report(bundle: Path) -> Report:
    return evaluate_starter(bundle, count=5, seconds=2.0, seed=1, parts=["directions"])


def test_the_rows_are_there_and_in_order(report):
    assert list(report.rows) == list(METHODS)
    for groups in report.rows.values():
        assert groups["all"].count == 5
        assert groups["still"].count + groups["moving"].count == 5
        assert groups["clip"].count == groups["still"].count
        for name in GROUPS:
            assert 0 <= groups[name].low <= groups[name].mean <= groups[name].high <= np.pi


def test_the_true_field_is_right_and_random_weights_are_not(report):
    assert report.rows["truth"]["all"].mean < 0.15
    assert report.rows["generated"]["all"].mean > 0.5
    assert report.rows["reconstruction"]["all"].mean > 0.3


def test_always_in_front_is_best_in_the_frontal_view(report):
    front = report.rows["front"]
    assert front["inside"].mean < np.radians(60) < np.radians(90) < front["outside"].mean


def test_it_is_plain_data_and_a_table(report):
    data = json.loads(json.dumps(report.as_dict()))
    assert data["rows"]["generated"]["all"]["count"] == 5
    assert data["settings"]["steps"] > 0 and data["settings"]["cfg"] >= 0
    assert len(data["scenes"]) == 5 and data["speed"] > 0
    assert data["provider"] == "CPUExecutionProvider"
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.table())
    text = console.export_text()
    assert f"{report.rows['generated']['all'].mean:.3f}" in text
    assert all(name in text for name in METHODS.values())
    assert max(map(len, text.splitlines())) <= 80


def test_it_repeats_itself(bundle, report):
    """The same settings give the same numbers; a part of the scenes is the same part."""
    again = evaluate_starter(bundle, count=2, seconds=2.0, seed=1, parts=["directions"])
    assert again.scenes == report.scenes[:2]


def test_the_front_view_can_be_turned(bundle, report):
    """Other pictures for the model, other sound; the true field stays."""
    turned = evaluate_starter(
        bundle, count=2, seconds=2.0, seed=1, parts=["directions"], front=120.0
    )
    assert turned.settings["front"] == 120.0
    for one, other in zip(turned.scenes, report.scenes[:2], strict=True):
        assert one["scores"]["truth"] == other["scores"]["truth"]
        assert one["scores"]["generated"] != other["scores"]["generated"]


def test_a_perfect_generator_scores_as_the_truth(bundle, monkeypatch):
    """With the engine's answer replaced by the true field, its row becomes the truth's."""
    truths = []
    real = job.render_foa

    def remember(scene, library):
        truths.append(real(scene, library))
        return truths[-1]

    monkeypatch.setattr(job, "render_foa", remember)
    monkeypatch.setattr(Subject, "make", lambda *_: truths[-1])
    monkeypatch.setattr(Subject, "rate", 48000)
    report = evaluate_starter(bundle, count=3, seconds=2.0, parts=["directions"])
    assert report.rows["generated"] == report.rows["truth"]


def test_without_an_encoder_there_is_no_reconstruction(bundle, tmp_path):
    path = make_tiny_bundle(tmp_path / "tiny")
    manifest = json.loads((path / "bundle.json").read_text())
    del manifest["graphs"]["vae_encoder"], manifest["files"]["vae_encoder.onnx"]
    (path / "vae_encoder.onnx").unlink()
    (path / "bundle.json").write_text(json.dumps(manifest))
    report = evaluate_starter(path, count=1, seconds=1.0, parts=["directions"])
    assert list(report.rows) == ["truth", "generated", "random", "front", "mono"]
    with pytest.raises(OptionError, match="encoder"):
        evaluate_starter(path, count=1, seconds=1.0, parts=["vae"])


def test_progress_and_cancel(bundle):
    seen = []
    token = CancelToken()

    def progress(item):
        seen.append((item.done, item.total))
        if item.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        evaluate_starter(
            bundle, count=4, seconds=1.0, parts=["directions"], progress=progress, cancel=token
        )
    assert seen == [(1, 4), (2, 4)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seconds": 0.2}, "seconds is 0.2"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"motion": "fast"}, "still, moving, mixed"),
        ({"cfg": float("inf")}, "CFG|cfg"),
        ({"steps": -1}, "steps"),
    ],
)
def test_bad_options_are_one_clear_line(bundle, options, message):
    with pytest.raises(OptionError, match=message):
        evaluate_starter(bundle, **{"count": 1, "seconds": 1.0, "parts": ["directions"], **options})


def test_missing_material_is_one_clear_line(bundle, tmp_path):
    with pytest.raises(MissingFileError, match="--sounds"):
        evaluate_starter(bundle, sounds=tmp_path / "none", count=1, seconds=1.0)
