"""Bundles that are incomplete, altered or not what they say: one clear line each."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omniaudio_studio.bundles.archive import unpack
from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.bundles.manifest import write_manifest
from omniaudio_studio.bundles.paths import safe_name
from omniaudio_studio.errors import BundleError, OutputError
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "tiny")


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "bundle.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_whole_bundle_loads(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.name == "tiny"
    assert bundle.graph("dit") == (folder / "dit.onnx").resolve()
    assert len(bundle.sha256) == 64
    assert load_bundle(folder / "bundle.json").folder == folder
    with pytest.raises(BundleError, match="no graph 'spatializer'"):
        bundle.graph("spatializer")


def test_the_identity_follows_the_content(folder: Path, tmp_path: Path) -> None:
    same = make_tiny_bundle(tmp_path / "same")
    other = make_tiny_bundle(tmp_path / "other", rng_seed=1)
    assert load_bundle(same).sha256 == load_bundle(folder).sha256
    assert load_bundle(other).sha256 != load_bundle(folder).sha256


def test_a_wrong_hash(folder: Path) -> None:
    graph = folder / "dit.onnx"
    content = bytearray(graph.read_bytes())
    content[-1] ^= 1
    graph.write_bytes(bytes(content))
    assert "dit.onnx was altered" in refused(folder)


def test_a_wrong_size(folder: Path) -> None:
    with (folder / "vision.onnx").open("ab") as stream:
        stream.write(b"x")
    assert "vision.onnx: expected" in refused(folder)


def test_a_missing_graph(folder: Path) -> None:
    (folder / "vae_decoder.onnx").unlink()
    assert "the graph 'vae_decoder' (vae_decoder.onnx) is missing" in refused(folder)


def test_a_file_that_nothing_lists(folder: Path) -> None:
    (folder / "dit.onnx.data").write_bytes(b"weights")
    assert "dit.onnx.data is not in its manifest" in refused(folder)


def test_notes_and_hidden_files_may_change(folder: Path) -> None:
    (folder / "README.md").write_text("edited")
    (folder / ".DS_Store").write_bytes(b"x")
    load_bundle(folder)


def test_pickles_are_never_loaded(folder: Path) -> None:
    (folder / "weights.pkl").write_bytes(pickle.dumps([1]))
    assert "pickled code, which is never loaded" in refused(folder)


def test_a_graph_that_is_no_onnx_file(folder: Path) -> None:
    (folder / "dit.txt2").write_bytes((folder / "dit.onnx").read_bytes())
    data = json.loads((folder / "bundle.json").read_text())
    data["graphs"]["dit"] = "dit.txt2"
    write_manifest(folder, data)
    assert "graphs.dit: expected an .onnx file" in refused(folder)


@pytest.mark.parametrize(
    "name", ["../x.onnx", "/x.onnx", "a/../../x.onnx", "C:/x.onnx", "a\\b.onnx", "./x.onnx", "a//b"]
)
def test_a_path_that_leaves_its_folder(folder: Path, name: str) -> None:
    def change(data: dict[str, Any]) -> None:
        data["graphs"]["dit"] = name
        data["files"][name] = data["files"]["dit.onnx"]

    edit(folder, change)
    assert "leaves its folder" in refused(folder)


def test_a_link_that_leaves_its_folder(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.onnx"
    (folder / "dit.onnx").rename(outside)
    try:
        (folder / "dit.onnx").symlink_to(outside)
    except OSError:
        pytest.skip("no links on this machine")
    assert "is a link that leaves the bundle's folder" in refused(folder)


def test_names_that_stay() -> None:
    for name in ("a.onnx", "sub/a.onnx", "a..b.onnx", "..a/b.onnx"):
        assert safe_name(name, "b", "f") == name


def zipped(folder: Path, path: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, prefix + file.name)
    return path


@pytest.mark.parametrize("prefix", ["", "tiny/"])
def test_a_zip_is_a_bundle(folder: Path, tmp_path: Path, prefix: str) -> None:
    path = zipped(folder, tmp_path / "tiny.zip", prefix)
    bundle = load_bundle(path, cache=tmp_path / "cache")
    assert bundle.path == path
    assert bundle.sha256 == load_bundle(folder).sha256
    assert bundle.graph("dit").read_bytes() == (folder / "dit.onnx").read_bytes()
    # Unpacked once; a cache that was altered is unpacked again.
    before = bundle.graph("dit").stat().st_mtime_ns
    again = load_bundle(path, cache=tmp_path / "cache")
    assert again.folder == bundle.folder
    assert again.graph("dit").stat().st_mtime_ns == before
    bundle.graph("dit").write_bytes(b"evil")
    load_bundle(path, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob(".*.part"))


def test_a_zip_writes_only_what_its_manifest_lists(folder: Path, tmp_path: Path) -> None:
    path = zipped(folder, tmp_path / "tiny.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped.onnx", b"x")
        archive.writestr("/absolute.onnx", b"x")
        archive.writestr("extra.onnx", b"x")
    bundle = load_bundle(path, cache=tmp_path / "deep" / "cache")
    assert sorted(file.name for file in bundle.folder.iterdir()) == sorted(
        file.name for file in folder.iterdir()
    )
    assert not list(tmp_path.rglob("escaped.onnx"))


def test_a_zip_whose_manifest_leaves_the_folder(folder: Path, tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["files"]["../escaped.onnx"] = data["files"]["dit.onnx"]

    edit(folder, change)
    path = zipped(folder, tmp_path / "tiny.zip")
    with pytest.raises(BundleError, match="leaves its folder"):
        load_bundle(path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_zip_that_unpacks_to_more_than_it_lists(folder: Path, tmp_path: Path) -> None:
    (folder / "dit.onnx").write_bytes(bytes(1 << 22))
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    with pytest.raises(BundleError, match="holds more than the"):
        unpack(path, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_zip_with_an_altered_file(folder: Path, tmp_path: Path) -> None:
    graph = folder / "dit.onnx"
    content = bytearray(graph.read_bytes())
    content[-1] ^= 1
    graph.write_bytes(bytes(content))
    with pytest.raises(BundleError, match="was altered"):
        load_bundle(zipped(folder, tmp_path / "t.zip"), cache=tmp_path / "cache")


def test_broken_zips(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(BundleError, match="no readable zip"):
        load_bundle(path, cache=tmp_path / "cache")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("something.txt", "x")
    with pytest.raises(BundleError, match="no model bundle"):
        load_bundle(path, cache=tmp_path / "cache")
    (folder / "dit.onnx").unlink()
    with pytest.raises(BundleError, match=r"has no dit\.onnx, which its manifest lists"):
        load_bundle(zipped(folder, path), cache=tmp_path / "cache")


@pytest.mark.skipif(os.name == "nt", reason="a file cannot stand for a folder everywhere")
def test_a_cache_that_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot unpack"):
        load_bundle(zipped(folder, tmp_path / "t.zip"), cache=tmp_path / "file" / "cache")
