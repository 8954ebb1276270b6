"""What an evaluation asks besides directions, with fields whose answers are known."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.errors import OptionError, OutputExistsError
from omniaudio_studio.evaluation.starter import measures
from omniaudio_studio.evaluation.starter.kinds import IMPULSE, PAIR, draw_scenes
from omniaudio_studio.evaluation.starter.measures import Field
from omniaudio_studio.evaluation.starter.plot import plot_guidance
from omniaudio_studio.evaluation.starter.report import Report
from omniaudio_studio.evaluation.starter.run import evaluate_starter
from omniaudio_studio.evaluation.starter.subject import Subject
from omniaudio_studio.foa.rotation import rotate_yaw
from tests.support.tiny_bundle import make_tiny_bundle

pytest.importorskip("scipy")
RATE = 48000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def report(bundle: Path) -> Report:
    """All parts of one short scene of each kind, and the bundle itself as an ablation."""
    return evaluate_starter(
        bundle,
        count=1,
        seconds=2.0,
        few=GenerationSettings(steps=2),
        guidance=(1.0, 2.0),
        ablations={"same": bundle, "other": bundle},
    )


def drawn(kind: str):
    library = MaterialLibrary()
    scene = next(draw_scenes(library, (kind,), 1, 4.0, 5, "still"))[2]
    return scene, render_foa(scene, library)


def test_both_sources_are_found_in_the_true_field_and_not_where_it_is_turned():
    scene, truth = drawn(PAIR)
    turned = rotate_yaw(truth, np.radians(90)).astype(np.float32)
    fields = {"truth": Field(truth, RATE), "turned": Field(turned, RATE)}
    scores = measures.pairs(scene, fields, np.random.default_rng(0))
    assert scores["truth"] == {"two": 1.0}
    assert scores["turned"] == scores["mono"] == scores["front"] == {"two": 0.0}


def test_onsets_are_heard_in_the_true_field_and_not_where_it_is_late():
    scene, truth = drawn(IMPULSE)
    late = np.roll(truth, round(0.3 * RATE), axis=1)
    scores = measures.onsets(scene, {"truth": Field(truth, RATE), "late": Field(late, RATE)})
    assert scores["truth"]["onset"] == 1.0
    assert scores["late"]["onset"] < 0.5
    assert scores["truth"]["onset_chance"] < 0.7


def test_levels_are_against_the_true_one():
    truth = np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32)
    fields = {m: Field(g * truth, RATE) for m, g in (("truth", 1), ("half", 0.5), ("none", 0))}
    scores = measures.levels(fields)
    assert scores["truth"]["level"] == pytest.approx(0)
    assert scores["half"]["level"] == pytest.approx(-6.02, abs=0.01)
    assert scores["none"]["level"] == measures.QUIETEST


def test_another_rate_is_compared_at_the_true_one():
    import soxr

    t = np.arange(RATE) / RATE
    truth = np.tile(0.1 * np.sin(2 * np.pi * 1000 * t), (4, 1)).astype(np.float32)
    other = soxr.resample(truth.T, RATE, 44100).T.astype(np.float32)
    scores = measures.mel({"truth": Field(truth, RATE), "other": Field(other, 44100)})
    assert scores["other"]["mel"] < 0.5


def test_every_part_has_its_rows(report):
    rows = report.rows
    assert report.settings["parts"] == ["directions", "two", "onset", "vae", "few", "guidance"]
    for method in ("truth", "reconstruction", "generated", "ablation same"):
        assert {"all", "two", "onset", "onset_chance", "level"} <= set(rows[method])
    assert set(rows["mono"]) >= {"all", "two"}
    assert {"mel", "all"} <= set(rows["opus"]) and {"mel", "all"} <= set(rows["phase"])
    assert rows["truth"]["mel"].mean == 0 < rows["phase"]["mel"].mean < rows["opus"]["mel"].mean
    assert report.bits["latents"] > 0 and report.bits["opus"] > 0
    assert [scale for scale, _ in report.guidance()] == [1.0, 2.0]
    assert rows["few"]["all"].mean != rows["generated"]["all"].mean
    assert report.settings["few"]["steps"] == 2
    assert "class" not in rows["generated"]  # procedural sounds: the tagger knows recordings


def test_an_ablation_is_measured_on_the_same_scenes(report):
    """The same bundle under another name has the same numbers."""
    for name, value in report.rows["generated"].items():
        assert report.rows["ablation same"][name] == value == report.rows["ablation other"][name]


def test_looking_once_gives_what_the_engine_gives(bundle, tmp_path):
    from omniaudio_studio.engine.generate import Generator
    from omniaudio_studio.evaluation.scenes import open_bundle, write_clip
    from omniaudio_studio.media.probe import probe

    scene, _ = drawn(IMPULSE)
    clip = tmp_path / "clip.mp4"
    write_clip(scene, MaterialLibrary(), clip, None)
    info, settings = probe(clip), GenerationSettings(seed=3, fronts=((0.0, 1.0),))
    subject = Subject(bundle, "cpu", None)
    made = subject.make(info, subject.look(info, settings), settings)
    blocks: list[np.ndarray] = []
    Generator(open_bundle(bundle), "cpu").generate(info, settings, [blocks.append])
    np.testing.assert_array_equal(made, np.concatenate(blocks, axis=1))


def test_it_is_plain_data_and_tables(report):
    assert json.loads(json.dumps(report.as_dict()))["rows"]["opus"]["mel"]["count"] == 1
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.table())
    text = console.export_text()
    for title in ("Angular error", "Sources", "VAE alone", "sampler", "Guidance", "Ablations"):
        assert title in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_guidance_curve_is_drawn_once(report, tmp_path):
    from PIL import Image

    target = tmp_path / "guidance.png"
    plot_guidance(report, target)
    with Image.open(target) as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 50
    with pytest.raises(OutputExistsError):
        plot_guidance(report, target)


@pytest.mark.parametrize(
    ("parts", "message"),
    [(["direction"], "directions, two"), ([], "one part"), (["class"], "recordings")],
)
def test_parts_that_cannot_be_are_one_line(bundle, parts, message):
    with pytest.raises(OptionError, match=message):
        evaluate_starter(bundle, count=1, seconds=1.0, parts=parts)
