"""Bundles are found by name, in the order that is written down."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import platformdirs
import pytest

from omniaudio_studio.bundles.discovery import (
    find_bundle,
    list_bundles,
    scan_bundles,
    search_folders,
)
from omniaudio_studio.errors import BundleError, MissingFileError
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A folder of the environment's variable and the user's data folder."""
    environment, data = tmp_path / "env", tmp_path / "data"
    environment.mkdir()
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(environment))
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *a, **k: str(data))
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *a, **k: str(tmp_path / "cache"))
    return environment, data / "bundles"


def test_by_path(tmp_path: Path, places: object) -> None:
    folder = make_tiny_bundle(tmp_path / "here")
    assert find_bundle(folder).folder == folder
    assert find_bundle(str(folder)).folder == folder
    with pytest.raises(MissingFileError, match="no bundle at"):
        find_bundle(tmp_path / "none")


def test_by_name_first_place_first(places: tuple[Path, Path]) -> None:
    environment, data = places
    later = make_tiny_bundle(data / "mine", name="mine", rng_seed=1)
    assert find_bundle("mine").folder == later
    first = make_tiny_bundle(environment / "mine", name="mine")
    assert find_bundle("mine").folder == first


def test_by_the_name_in_the_manifest(places: tuple[Path, Path]) -> None:
    folder = make_tiny_bundle(places[0] / "some-folder", name="inner")
    assert find_bundle("inner").folder == folder


def test_the_environment_may_name_the_bundle_itself(
    tmp_path: Path, places: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tiny_bundle(tmp_path / "self", name="itself")
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(folder))
    assert find_bundle("self").folder == folder
    assert find_bundle("itself").folder == folder


def test_zips_are_found(places: tuple[Path, Path], tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "raw", name="packed")
    with zipfile.ZipFile(places[0] / "packed.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    assert find_bundle("packed").path == places[0] / "packed.zip"
    assert "packed" in [bundle.name for bundle in list_bundles()]


def test_an_unknown_name_lists_the_known(places: tuple[Path, Path]) -> None:
    make_tiny_bundle(places[0] / "alpha", name="alpha")
    with pytest.raises(MissingFileError, match=r"no model bundle named 'beta'; known: .*alpha"):
        find_bundle("beta")


def test_broken_ones_are_listed_with_their_problem(places: tuple[Path, Path]) -> None:
    make_tiny_bundle(places[0] / "good", name="good")
    bad = places[0] / "bad"
    bad.mkdir()
    (bad / "bundle.json").write_text("{}")
    (places[0] / "not-a-bundle").mkdir()
    found = {item.path.name: item for item in scan_bundles()}
    assert found["good"].bundle is not None
    assert found["bad"].bundle is None
    assert "schema" in (found["bad"].problem or "")
    assert "not-a-bundle" not in found
    assert "bad" not in [bundle.name for bundle in list_bundles()]
    with pytest.raises(BundleError):
        find_bundle("bad")


def test_altered_files_are_noticed_by_default(places: tuple[Path, Path]) -> None:
    folder = make_tiny_bundle(places[0] / "x", name="x")
    (folder / "dit.onnx").write_bytes(b"other")
    with pytest.raises(BundleError):
        find_bundle("x")
    assert find_bundle("x", verify=False).name == "x"


def test_a_checkout_has_its_models_folder() -> None:
    root = Path(__file__).resolve().parents[2]
    assert root / "models" in search_folders()
    assert root / "omniaudio_studio" / "_models" in search_folders()


def test_no_runtime_is_imported() -> None:
    code = (
        "import sys, omniaudio_studio.bundles.discovery, omniaudio_studio.bundles.manifest;"
        "print([m for m in ('onnxruntime', 'onnx', 'av', 'torch', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_search_folder_that_cannot_be_looked_into_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tiny_bundle(tmp_path / "here" / "tiny")
    refused = str(tmp_path / ("n" * 300))
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", os.pathsep.join([refused, str(tmp_path / "here")]))
    assert find_bundle("tiny").name == "tiny"
    found = scan_bundles()
    assert [item.problem for item in found if str(item.path) == refused] == [
        f"cannot look into {refused}: File name too long"
    ]
    assert "tiny" in [item.bundle.name for item in found if item.bundle is not None]
