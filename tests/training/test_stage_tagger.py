"""The tagger's stage: what it is shown, that it learns, and that its graph says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import BundleError, MissingFileError, OptionError
from omniaudio_studio.evaluation.tagging import Tagger as Runner
from omniaudio_studio.training.checkpoint import WeightAverage, save_checkpoint
from omniaudio_studio.training.networks.tagger import Tagger, TaggerConfig, tagging_loss
from omniaudio_studio.training.presets import StageSetup
from omniaudio_studio.training.stages.tagger import (
    TaggerTask,
    disturbed,
    export_tagger,
    load_tagger,
    played,
)

SETUP = StageSetup(steps=2, batch=2, length=32, warmup=1)


@pytest.fixture(scope="module")
def task() -> TaggerTask:
    return TaggerTask(MaterialLibrary(), SETUP)


def batch_of(task: TaggerTask, count: int) -> dict[str, torch.Tensor]:
    rows = [task.row(None, np.random.default_rng([7, k])) for k in range(count)]
    return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}


def test_a_row_is_its_generators_and_its_shares_add_up(task: TaggerTask) -> None:
    one, again = (task.row(None, np.random.default_rng(5)) for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
        assert one[name].dtype == np.float32
    assert one["sound"].shape == (32 * 640,)
    counts = set()
    for seed in range(12):
        shares = task.row(None, np.random.default_rng(seed))["shares"]
        assert shares.sum() == pytest.approx(1)
        counts.add(int((shares > 0).sum()))
    assert counts == {1, 2}


def test_what_is_played_has_one_level_and_is_as_long_as_asked(task: TaggerTask) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        name = task.library.classes[seed % len(task.library.classes)]
        sound = played(task.library, name, rng, 96000)
        assert sound.shape == (96000,)
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(0.1, rel=1e-3)
        changed = disturbed(sound, rng)
        assert changed.shape == sound.shape and changed.dtype == np.float32
        assert not np.allclose(changed, sound, atol=1e-3)


def test_a_loss_is_the_mean_of_its_samples(task: TaggerTask) -> None:
    """So that a batch may be drawn in parts."""
    task.module.eval()
    batch = batch_of(task, 4)
    whole = task.losses(batch)["loss"].item()
    parts = [
        task.losses({name: value[k : k + 2] for name, value in batch.items()})["loss"].item()
        for k in (0, 2)
    ]
    assert whole == pytest.approx(np.mean(parts), rel=1e-5)


def test_the_loss_is_least_where_shares_are_met() -> None:
    shares = torch.tensor([[0.7, 0.3, 0.0]])
    met = tagging_loss(torch.log(shares + 1e-9), shares).item()
    assert met == pytest.approx(-(0.7 * np.log(0.7) + 0.3 * np.log(0.3)), abs=1e-4)
    assert tagging_loss(torch.zeros(1, 3), shares).item() > met


def test_a_level_does_not_matter() -> None:
    network = Tagger(TaggerConfig(3)).eval()
    sound = 0.1 * torch.randn(1, 40 * 640)
    with torch.no_grad():
        torch.testing.assert_close(network(sound), network(0.05 * sound), atol=1e-3, rtol=1e-3)


def test_it_learns_a_few_samples() -> None:
    task = TaggerTask(MaterialLibrary(), SETUP)
    batch = batch_of(task, 4)
    optimizer = torch.optim.AdamW(task.module.parameters(), lr=3e-3)
    task.module.eval()  # no dropout: it is to fit these
    values = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = task.losses(batch)["loss"]
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.8 * values[0]


def test_the_graph_says_what_the_network_says(task: TaggerTask, tmp_path: Path) -> None:
    """Through the checkpoint and the file, at another length than it was exported with."""
    checkpoint, path = tmp_path / "tagger.ckpt", tmp_path / "tagger.onnx"
    average = WeightAverage(task.module, 0.5)
    save_checkpoint(checkpoint, {"average": average.state_dict()})
    classes = task.library.classes
    network = load_tagger(len(classes), checkpoint)
    export_tagger(network, classes, path)
    assert path.stat().st_size < 2_000_000
    runner = Runner(path)
    assert runner.classes == classes and runner.rate == 48000
    sound = (0.1 * np.random.default_rng(0).standard_normal(61 * 640)).astype(np.float32)
    with torch.no_grad():
        expected = torch.softmax(network(torch.from_numpy(sound)[None])[0], 0).numpy()
    np.testing.assert_allclose(runner.scores(sound, 48000), expected, atol=5e-3)
    assert list(tmp_path.iterdir()) != [] and not list(tmp_path.glob(".*"))


def test_one_class_is_nothing_to_tell_apart(tmp_path: Path) -> None:
    import soundfile

    (tmp_path / "dog").mkdir()
    soundfile.write(tmp_path / "dog" / "1-a.wav", np.ones(100), 48000)
    with pytest.raises(OptionError, match="dog"):
        TaggerTask(MaterialLibrary(tmp_path), SETUP)


def test_what_is_no_tagger_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="train tagger"):
        Runner(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="no tagger"):
        Runner(tmp_path / "bad.onnx")
