"""The manifest: read, written, and refused with the field's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omniaudio_studio.bundles.manifest import Manifest, load_manifest, write_manifest
from omniaudio_studio.bundles.parts import ReflowPart, SpatializerPart
from omniaudio_studio.errors import BundleError, MissingFileError
from tests.support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def data(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "bundle.json").read_text())


def test_round_trip(folder: Path, data: dict[str, Any]) -> None:
    manifest = load_manifest(folder)
    assert Manifest.from_dict(manifest.to_dict()) == manifest
    assert Manifest.from_dict(json.loads(manifest.to_json())) == manifest
    assert manifest.to_dict() == data


def test_a_view_without_a_graph_is_told_by_null(data: dict[str, Any]) -> None:
    del data["graphs"]["vision"]
    del data["views"][0]["graph"]  # nothing said is the usual graph
    data["views"][1]["graph"] = None
    with pytest.raises(BundleError, match=r"graphs\.vision: expected the name of an ONNX file"):
        Manifest.from_dict(data)
    data["views"][0]["graph"] = None
    manifest = Manifest.from_dict(data)
    assert not manifest.sees
    assert manifest.vision_graphs == ()
    assert [view["graph"] for view in manifest.to_dict()["views"]] == [None, None]
    assert Manifest.from_dict(json.loads(manifest.to_json())) == manifest


def test_the_contracts_example_is_read() -> None:
    digest = "0" * 64
    names = ("vision", "conditioner", "dit", "vae_decoder", "vae_encoder")
    text = {
        "schema": 1, "name": "starter", "title": "Starter", "version": "1",
        "licence": {"id": "CC-BY-3.0", "name": "CC BY 3.0", "commercial": True, "notice": "n"},
        "demonstration": True,
        "provenance": {"data": ["a"], "command": "c", "created": "2026-11-20", "software": "s"},
        "sample_rate": 44100,
        "latent": {"rate": 21.533203125, "hop": 2048, "channels": 64},
        "window": {"length": 215, "overlap": 24},
        "views": [
            {"name": "video_360", "kind": "equirect", "width": 224, "height": 224,
             "fit": "pad-square"},
            {"name": "video_fov", "kind": "perspective", "fov": 120, "width": 224, "height": 224,
             "rule": "released-120"},
        ],
        "features": {"rate": 8, "resampling": "spline-aligned"},
        "sampler": {"cfg": 3.0, "steps": 24, "schedule": "linear"},
        "guidance": {"drop": ["local"], "rescale": 0.0},
        "channel_order": "WYZX",
        "decoder": {"context": 10, "chunk": 64},
        "precision": "fp32",
        "graphs": {name: f"{name}.onnx" for name in names},
        "files": {f"{name}.onnx": {"sha256": digest, "bytes": 1} for name in names},
    }  # fmt: skip
    manifest = Manifest.from_dict(text)
    assert manifest.window_seconds == pytest.approx(215 * 2048 / 44100)
    assert [view.name for view in manifest.views] == ["video_360", "video_fov"]
    assert {view.graph for view in manifest.views} == {"vision"}
    assert manifest.sees and manifest.vision_graphs == ("vision",)
    assert not Manifest.from_dict(
        {**text, "licence": {"id": "x", "commercial": False}}
    ).licence.notice


WRONG: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", "../evil"),
    ("name", None),
    ("licence", None),
    ("licence.commercial", "yes"),
    ("demonstration", 1),
    ("sample_rate", 0),
    ("sample_rate", 48000.5),
    ("sample_rate", True),
    ("latent.rate", -1),
    ("latent.rate", float("nan")),
    ("latent.rate", float("inf")),
    ("latent.rate", 10**400),
    ("latent.rate", 13.0),
    ("latent.hop", 0),
    ("latent.channels", "8"),
    ("window.length", 1),
    ("window.overlap", 24),
    ("window.overlap", -1),
    ("views", []),
    ("views", "equirect"),
    ("views[0].kind", "mercator"),
    ("views[0].width", 0),
    ("views[0].std", [1, 1]),
    ("views[0].std", [1, 1, 0]),
    ("views[0].mean", [1, 1, float("nan")]),
    ("views[0].rule", "other"),
    ("views[1].fov", 180),
    ("views[1].fov", "wide"),
    ("views[1].name", "equirect"),
    ("features.rate", 0),
    ("features.resampling", "sinc"),
    ("sampler.cfg", float("inf")),
    ("sampler.cfg", -1),
    ("sampler.steps", 0),
    ("sampler.schedule", "cosine"),
    ("guidance.drop", "local"),
    ("guidance.rescale", 1.5),
    ("channel_order", "WXYQ"),
    ("channel_order", "WYZXW"),
    ("decoder.context", -1),
    ("decoder.chunk", 0),
    ("graphs.dit", None),
    ("graphs.dit", ""),
    ("graphs.dit", "../dit.onnx"),
    ("graphs.dit", "/etc/dit.onnx"),
    ("graphs.dit", "C:\\dit.onnx"),
    ("graphs.dit", "a\\..\\dit.onnx"),
    ("graphs.dit", "dit.pkl"),
    ("graphs.dit", "unlisted.onnx"),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda v: str(v)[:24])
def test_a_wrong_field_is_named_in_one_line(data: dict[str, Any], field: str, value: Any) -> None:
    place: Any = data
    *parents, last = field.replace("[", ".").replace("]", "").split(".")
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    place[last] = value
    with pytest.raises(BundleError) as caught:
        Manifest.from_dict(data, "x/bundle.json")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("x/bundle.json")
    # Rules about several fields may name the list or the file instead of its item.
    assert any(part in message for part in (field, parents[0] if parents else last, "unlisted"))
    assert caught.value.exit_code == 2


def with_spatializer(data: dict[str, Any]) -> dict[str, Any]:
    """The tiny bundle's data with a section and a graph for recordings."""
    data["graphs"]["spatializer"] = "spatializer.onnx"
    data["files"]["spatializer.onnx"] = {"sha256": "0" * 64, "bytes": 1}
    data["spatializer"] = {
        "view": data["views"][0]["name"], "ratio": 3, "edges": [50.0, 100, 18000.0],
        "window": 0.08, "sources": 3, "length": 64,
    }  # fmt: skip
    return data


def test_a_spatializer_is_read_and_written(data: dict[str, Any]) -> None:
    assert Manifest.from_dict(data).spatializer is None and "spatializer" not in data
    manifest = Manifest.from_dict(with_spatializer(data))
    part = manifest.spatializer
    assert part == SpatializerPart("equirect", 3, (50.0, 100.0, 18000.0), 0.08, 3, 64)
    assert Manifest.from_dict(json.loads(manifest.to_json())) == manifest
    assert manifest.to_dict() == data


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("view", "front", "spatializer.view: expected equirect, found 'front'"),
        ("view", None, "spatializer.view: expected a text, found nothing"),
        ("ratio", 0, "spatializer.ratio: expected a whole number from 1 to 64, found 0"),
        ("edges", [50], "two or more ascending finite numbers from 0, found a list of 1"),
        ("edges", [50, 50], "spatializer.edges: expected two or more ascending finite numbers"),
        ("edges", [-1, 50], "spatializer.edges: expected two or more ascending finite numbers"),
        ("edges", [1, float("nan")], "spatializer.edges: expected two or more ascending"),
        ("edges", [1, 10**400], "spatializer.edges: expected two or more ascending"),
        ("edges", [1, "2"], "spatializer.edges: expected two or more ascending"),
        ("edges", "wide", "spatializer.edges: expected two or more ascending"),
        ("window", 0, "spatializer.window: expected a finite number above 0 and at most 10"),
        ("sources", 0, "spatializer.sources: expected a whole number from 1 to 16, found 0"),
        ("length", 0.5, "spatializer.length: expected a whole number from 1 to"),
    ],
)
def test_a_wrong_spatializer_is_named(
    data: dict[str, Any], field: str, value: Any, said: str
) -> None:
    with_spatializer(data)["spatializer"][field] = value
    with pytest.raises(BundleError) as caught:
        Manifest.from_dict(data, "x")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_spatializer_is_a_graph_and_a_section(data: dict[str, Any]) -> None:
    with_spatializer(data)
    without = {**data, "graphs": {k: v for k, v in data["graphs"].items() if k != "spatializer"}}
    with pytest.raises(BundleError, match=r"graphs.spatializer: expected the name of an ONNX file"):
        Manifest.from_dict(without)
    with pytest.raises(BundleError, match=r"spatializer: expected an object, for the graph"):
        Manifest.from_dict({**data, "spatializer": None})


def with_reflow(data: dict[str, Any]) -> dict[str, Any]:
    """The tiny bundle's data with a section and a graph for few steps."""
    data["graphs"]["dit_few"] = "dit_few.onnx"
    data["files"]["dit_few.onnx"] = {"sha256": "0" * 64, "bytes": 1}
    data["reflow"] = {"graph": "dit_few", "steps": 6, "cfg": [1.0, 9.0]}
    return data


def test_few_steps_are_read_and_written(data: dict[str, Any]) -> None:
    plain = Manifest.from_dict(data)
    assert plain.reflow is None and "reflow" not in data
    assert [plain.dit_of(s) for s in ("euler", "reflow")] == ["dit", "dit"]
    manifest = Manifest.from_dict(with_reflow(data))
    assert manifest.reflow == ReflowPart("dit_few", 6, (1.0, 9.0))
    assert [manifest.dit_of(s) for s in ("euler", "reflow")] == ["dit", "dit_few"]
    assert [manifest.steps_of(s) for s in ("euler", "reflow")] == [4, 6]
    assert Manifest.from_dict(json.loads(manifest.to_json())) == manifest
    assert manifest.to_dict() == data


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("graph", "dit_less", "graphs.dit_less: expected the name of an ONNX file, found nothing"),
        ("graph", None, "reflow.graph: expected a text, found nothing"),
        ("steps", 0, "reflow.steps: expected a whole number from 1 to 1000, found 0"),
        ("cfg", [1, 2, 3], "reflow.cfg: expected two numbers, the least and the largest"),
        ("cfg", [9, 1], "reflow.cfg: expected two or more ascending finite numbers from 0"),
        ("cfg", [3, 9], "reflow.cfg: expected a range that sampler.cfg (2) is in"),
    ],
)
def test_wrong_few_steps_are_named(data: dict[str, Any], field: str, value: Any, said: str) -> None:
    with_reflow(data)["reflow"][field] = value
    with pytest.raises(BundleError) as caught:
        Manifest.from_dict(data, "x")
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("schema", [0, 2, "1", None, True])
def test_another_schema_is_refused_before_its_fields(schema: Any) -> None:
    with pytest.raises(BundleError, match=r"schema: expected 1, found .*update OmniAudio Studio"):
        Manifest.from_dict({"schema": schema})


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, "\x00\xff"])
def test_what_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError) as caught:
        load_manifest(tmp_path)
    assert "\n" not in str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no bundle at"):
        load_manifest(tmp_path / "none")
    with pytest.raises(BundleError, match="no model bundle"):
        load_manifest(tmp_path)


def test_a_missing_field_is_named(data: dict[str, Any]) -> None:
    for field in ("sample_rate", "latent", "window", "views", "features", "sampler", "decoder"):
        less = {key: value for key, value in data.items() if key != field}
        with pytest.raises(BundleError, match=field):
            Manifest.from_dict(less)


def test_writing_hashes_what_is_there_but_notes(folder: Path, tmp_path: Path) -> None:
    make_tiny_bundle(tmp_path)
    (tmp_path / "README.md").write_text("a card")
    (tmp_path / "dit.onnx.data").write_bytes(b"weights")
    written = write_manifest(tmp_path, load_manifest(tmp_path))
    assert set(written.files) == {*load_manifest(folder).files, "dit.onnx.data"}
    assert written.files["dit.onnx.data"].bytes == 7
    assert load_manifest(tmp_path) == written


def test_writing_without_a_graph_is_refused(tmp_path: Path) -> None:
    make_tiny_bundle(tmp_path)
    manifest = load_manifest(tmp_path)
    (tmp_path / "dit.onnx").unlink()
    with pytest.raises(BundleError, match=r"dit\.onnx"):
        write_manifest(tmp_path, manifest)
