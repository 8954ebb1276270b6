"""The evaluation of spatialized recordings, against methods whose answers are known."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.scene import scene_rng
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, MissingFileError, OptionError
from omniaudio_studio.evaluation import spatialize
from omniaudio_studio.evaluation.scenes import draw_pair
from omniaudio_studio.evaluation.spatialize import evaluate_spatialize, first_order, mean_gains
from omniaudio_studio.evaluation.spatialize_report import GROUPS, ROWS, Report
from omniaudio_studio.media.audio import read_audio
from omniaudio_studio.media.probe import probe
from omniaudio_studio.media.wav import write_wav
from tests.support.tiny_bundle import make_tiny_bundle

pytest.importorskip("ot")
pytest.importorskip("scipy")


@pytest.fixture(autouse=True)
def small_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spatialize, "PRIOR_SCENES", 4)


@pytest.fixture(scope="module")
def report() -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spatialize, "PRIOR_SCENES", 4)
        return evaluate_spatialize(count=2, seconds=1.5, seed=1, methods=())


COMPARISONS = [name for name in ROWS if name not in spatialize.METHODS]


def test_the_rows_are_there_and_in_order(report):
    assert list(report.rows) == list(GROUPS)
    for methods in report.rows.values():
        assert list(methods) == COMPARISONS
        for values in methods.values():
            for value in values.values():
                assert value.count == 2 and value.low <= value.mean <= value.high


def test_the_true_field_is_exact_but_for_reflections(report):
    for group in ("moving", "still"):
        truth = {name: value.mean for name, value in report.rows[group]["truth"].items()}
        assert truth["angle"] < 0.2
        for name in ("stft", "env", "lsd", "emd_clip", "emd_1", "emd_5"):
            assert truth[name] == 0
        for window in ("clip", "1", "5"):
            assert truth[f"cc_{window}"] == pytest.approx(1)
            assert truth[f"auc_{window}"] == 1
    assert report.rows["pair"]["truth"]["found"].mean == 1


def test_w_alone_is_at_chance(report):
    for group in ("moving", "still"):
        mono = {name: value.mean for name, value in report.rows[group]["mono"].items()}
        assert mono["angle"] == np.pi / 2
        # W at a mean square of 1: one plane wave's Y, Z and X have a third of it each.
        assert mono["stft"] == pytest.approx(1 / 3, rel=0.2)
        assert mono["cc_1"] == 0 and mono["auc_1"] == 0.5 and mono["emd_1"] > 0.1
    assert report.rows["pair"]["mono"]["found"].mean == 0
    assert report.rows["pair"]["front"]["found"].mean == 0  # one peak is not two


def test_it_is_plain_data_and_tables(report):
    data = json.loads(json.dumps(report.as_dict()))
    assert data["rows"]["moving"]["mono"]["angle"]["count"] == 2
    assert [scene["kind"] for scene in data["scenes"]] == ["moving", "still", "pair"] * 2
    assert len(data["settings"]["prior"]) == 3 and data["speed"] == {}
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.table())
    text = console.export_text()
    assert f"{report.rows['still']['front']['angle'].mean:.3f}" in text
    assert all(ROWS[name] in text for name in COMPARISONS)
    assert max(map(len, text.splitlines())) <= 80


def test_it_repeats_itself(report):
    """The same settings give the same numbers; a part of the scenes is the same part."""
    again = evaluate_spatialize(count=1, seconds=1.5, seed=1, methods=())
    assert again.scenes == report.scenes[:3]


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The job replaced by one that answers with the true field; what it was handed is kept."""
    truths, seen = [], []
    real = spatialize.render_foa

    def remember(scene, library):
        truths.append(real(scene, library))
        return truths[-1]

    def answer(engine, method, clip, recording, output):
        info = probe(clip)
        sound, rate = read_audio(recording)
        seen.append({"method": method, "audio": info.audio, "w": sound, "rate": rate})
        np.testing.assert_array_equal(sound[0], truths[-1][0])  # the recording is W, bit for bit
        # As the job does: as long as the picture, here half a frame longer than the scene.
        longer = np.pad(truths[-1], ((0, 0), (0, 1000)))
        write_wav(output, longer, rate)
        sidecar = output.with_suffix(".json")
        sidecar.write_text("{}")
        return SimpleNamespace(wav=output, sidecar=sidecar, confidence=0.5, sources=(1, 2))

    monkeypatch.setattr(spatialize, "render_foa", remember)
    monkeypatch.setattr(spatialize, "_spatialize", answer)
    return seen


def test_a_perfect_method_scores_as_the_truth(handed):
    report = evaluate_spatialize(count=1, seconds=1.0, methods=("automatic",))
    for methods in report.rows.values():
        assert list(methods)[:2] == ["truth", "automatic"]
        assert methods["automatic"] == methods["truth"]
    assert report.speed["automatic"] > 0
    assert report.scenes[0]["methods"] == {"automatic": {"confidence": 0.5, "sources": 2}}
    # It saw a picture without sound of its own, and W.
    assert [item["method"] for item in handed] == ["automatic"] * 3
    assert all(not item["audio"] and item["w"].shape == (1, 48000) for item in handed)


def test_the_learned_method_needs_its_graph(handed, tmp_path):
    plain = str(make_tiny_bundle(tmp_path / "tiny"))
    report = evaluate_spatialize(count=1, seconds=1.0, bundle=plain)
    assert report.settings["methods"] == ["automatic"]
    with pytest.raises(OptionError, match="no graph 'spatializer'"):
        evaluate_spatialize(count=1, seconds=1.0, methods=("learned",), bundle=plain)


def test_two_sources_are_far_apart_and_of_different_classes():
    library = MaterialLibrary()
    for index in range(4):
        scene = draw_pair(scene_rng(3, index), library, 1.0, (3, index))
        a, b = scene.sources
        assert a.name != b.name and not a.moving and not b.moving
        angle = np.arccos(a.vectors(np.zeros(1))[:, 0] @ b.vectors(np.zeros(1))[:, 0])
        assert angle >= np.radians(60)
        assert scene.seed == (3, index)


def test_the_prior_is_the_mean_direction(monkeypatch):
    """Sources that all lie straight above have that mean; those of the sampler nearly cancel."""
    library = MaterialLibrary()
    monkeypatch.setattr(spatialize, "PRIOR_SCENES", 8)
    assert np.linalg.norm(mean_gains(library, 1.0, 0)) < 0.7
    real = spatialize.sample_scene

    def above(*args):
        scene = real(*args)
        for source in scene.sources:
            source.elevation[:] = np.pi / 2
        return scene

    monkeypatch.setattr(spatialize, "sample_scene", above)
    np.testing.assert_allclose(mean_gains(library, 1.0, 0), [0, 0, 1], atol=1e-12)
    w = np.array([1.0, -2.0], np.float32)
    np.testing.assert_array_equal(
        first_order(w, [0.5, 0.25, 0]), [[1, -2], [0.25, -0.5], [0, 0], [0.5, -1]]
    )


def test_progress_and_cancel(monkeypatch):
    seen = []
    token = CancelToken()

    def progress(item):
        seen.append((item.done, item.total))
        if item.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        evaluate_spatialize(count=2, seconds=1.0, methods=(), progress=progress, cancel=token)
    assert seen == [(1, 6), (2, 6)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"methods": ("given",)}, "automatic, learned; found 'given'"),
    ],
)
def test_bad_options_are_one_clear_line(options, message):
    with pytest.raises(OptionError, match=message):
        evaluate_spatialize(**{"count": 1, "seconds": 1.0, **options})


def test_material_that_cannot_serve_is_one_clear_line(tmp_path):
    with pytest.raises(MissingFileError, match="--sounds"):
        evaluate_spatialize(sounds=tmp_path / "none", count=1, methods=())
    (tmp_path / "rain").mkdir()
    write_wav(tmp_path / "rain" / "4-a.wav", np.ones((1, 4800), np.float32), 48000)
    with pytest.raises(OptionError, match="two classes or more; found rain"):
        evaluate_spatialize(sounds=tmp_path, count=1, methods=())
