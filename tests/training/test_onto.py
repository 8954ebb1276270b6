"""A spatializer added to a bundle: the rest of the bundle stays as it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.bundles.manifest import load_manifest
from omniaudio_studio.bundles.paths import sha256_of
from omniaudio_studio.errors import BundleError, OutputExistsError
from omniaudio_studio.training.export import Spatializing
from omniaudio_studio.training.networks.spatializer import Spatializer, SpatializerConfig
from omniaudio_studio.training.onto import add_spatializer
from omniaudio_studio.training.spatial_note import SpatializerNote

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"


@pytest.fixture(scope="module")
def spatializing() -> Spatializing:
    torch.manual_seed(0)
    config = SpatializerConfig(cells=16, stem=4, width=32)
    edges = tuple(float(edge) for edge in np.linspace(50, 18000, 41))
    sha256 = sha256_of(STARTER / "vision.onnx")
    note = SpatializerNote(config, "equirect", 8.0, edges, 0.08, 64, "starter", sha256)
    return Spatializing(Spatializer(config).eval().requires_grad_(False), note)


@pytest.mark.slow
@pytest.mark.timeout(900)  # exporting waits for whatever else runs
def test_a_bundles_graph_is_replaced_and_the_others_kept(
    spatializing: Spatializing, tmp_path: Path
) -> None:
    """Onto itself; onto another folder is the command's test."""
    before = load_manifest(STARTER)
    out = Path(shutil.copytree(STARTER, tmp_path / "out"))
    said: list[str] = []
    # Its origin is not told twice.
    told = before.provenance.data[:1]
    manifest, checks = add_spatializer(spatializing, out, out, data=told, say=said.append)
    assert [check.output for check in checks] == ["shares", "directions", "confidence"]
    assert len(said) == 3 and said[0].startswith("spatializer.shares: largest difference to torch")
    bundle = load_bundle(out, verify=True)
    assert bundle.manifest == manifest
    assert {n for n in manifest.files if manifest.files[n] != before.files[n]} == {
        "spatializer.onnx"
    }
    assert set(manifest.files) == set(before.files)
    part = manifest.spatializer
    assert part is not None
    assert (part.view, part.ratio, part.sources, part.length) == ("equirect", 3, 3, 64)
    assert part.edges == spatializing.note.edges
    assert told and manifest.provenance == before.provenance
    assert (manifest.name, manifest.licence) == (before.name, before.licence)
    assert (out / "README.md").read_text() == (STARTER / "README.md").read_text()

    # Another number of frames than it was exported with, down to one.
    session = onnxruntime.InferenceSession(
        str(bundle.graph("spatializer")), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(0)
    for frames in (1, 7, 64):
        cells = rng.standard_normal((1, frames, 200, 32)).astype(np.float32)
        sound = rng.uniform(-8, -2, (1, 3 * frames, 40)).astype(np.float32)
        shares, directions, confidence = (
            np.asarray(output) for output in session.run(None, {"equirect": cells, "sound": sound})
        )
        assert shares.shape == (1, 3, 40, 3 * frames)
        assert directions.shape == (1, 3, frames, 3) and confidence.shape == (1, 3, frames)
        assert shares.min() >= 0 and shares.sum(axis=1).max() < 1 + 1e-5
        np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1, atol=1e-4)
        assert confidence.min() > 0 and confidence.max() <= 1


def test_another_vision_is_refused(spatializing: Spatializing, tmp_path: Path) -> None:
    for note, whose in (
        (replace(spatializing.note, sha256="0" * 64), "the bundle 'starter'"),
        (replace(spatializing.note, view="other", bundle=""), "the run itself"),
    ):
        with pytest.raises(BundleError) as caught:
            add_spatializer(Spatializing(spatializing.network, note), STARTER, tmp_path / "out")
        assert str(caught.value) == (
            f"the spatializer was trained on the vision of {whose}, which is not that of the "
            f"bundle 'starter' in {STARTER}; train it with --bundle {STARTER}"
        )
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_left_alone(spatializing: Spatializing, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="already exists and is not empty"):
        add_spatializer(spatializing, STARTER, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_bundle_whose_other_graph_was_altered_is_not_signed(
    spatializing: Spatializing, tmp_path: Path
) -> None:
    """Writing the manifest anew would give an altered file a right hash."""
    bundle = Path(shutil.copytree(STARTER, tmp_path / "starter"))
    (bundle / "dit.onnx").write_bytes(b"altered")
    with pytest.raises(BundleError, match=r"dit\.onnx was altered"):
        add_spatializer(spatializing, bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    data = json.loads((bundle / "bundle.json").read_text())
    assert data["files"] == json.loads((STARTER / "bundle.json").read_text())["files"]
