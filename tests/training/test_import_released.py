"""The import as a whole: bundles that give the released code's numbers, and every way to refuse."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.bundles.discovery import scan_bundles
from omniaudio_studio.engine.decoding import ChunkedDecoder, decode
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import BundleError, OutputError, OutputExistsError
from omniaudio_studio.evaluation.parity import check_bundle
from omniaudio_studio.media.probe import probe
from omniaudio_studio.training.importers import released as importer
from omniaudio_studio.training.importers.released import Imported, ImportOrder, import_released
from omniaudio_studio.training.quantising import quantise
from tests.support.local_server import serving
from tests.support.released_weights import CHECKPOINT, DEAD_VALUES, REFERENCE, TOWER, write_hub
from tests.support.small_clip import make_small_clip

pytestmark = pytest.mark.timeout(900)  # exporting waits for whatever else runs


def silent(*_: object) -> None:
    pass


def order(out: Path, **changes: object) -> ImportOrder:
    return replace(ImportOrder(out=out, name="narrow", precision="fp32"), **changes)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hub(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def imported(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    out = tmp_path_factory.mktemp("bundles") / "narrow"
    return import_released(hub, order(out, command="tests"), silent, silent)


def test_the_graphs_give_the_numbers_of_the_released_code(imported: Imported) -> None:
    gaps = {gap.name: gap for gap in check_bundle(load_bundle(imported.path), REFERENCE)}
    assert set(gaps) == {
        "dit.v_cond", "dit.v_cfg", "sample.latents", "sample.audio", "vae.stats", "vae.decoded",
    }  # fmt: skip
    for gap in gaps.values():
        assert gap.within, gap


def test_other_weights_do_not(imported: Imported, tmp_path: Path) -> None:
    for name in ("dit.npz", "tolerances.json"):
        (tmp_path / name).write_bytes((REFERENCE / name).read_bytes())
    with np.load(tmp_path / "dit.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "dit.npz", **{**arrays, "v_cond": arrays["v_cond"] * 1.01})
    gaps = check_bundle(load_bundle(imported.path), tmp_path)
    assert [gap.within for gap in gaps] == [False, True]


def test_the_manifest_says_what_it_is(imported: Imported) -> None:
    manifest = load_bundle(imported.path).manifest
    assert imported.unused == DEAD_VALUES
    assert manifest.licence.id == "Apache-2.0 AND CC-BY-NC-4.0"
    assert not manifest.licence.commercial and not manifest.demonstration
    assert (manifest.window.length, manifest.latent.hop, manifest.sample_rate) == (215, 2048, 44100)
    assert manifest.decoder.context == 10
    assert manifest.guidance.drop == ("local",)
    assert manifest.features.resampling == "spline-aligned"
    assert [(view.name, view.view.fit, view.view.rule) for view in manifest.views] == [
        ("equirect", "pad-square", "pixel-centre"),
        ("front", "stretch", "released-120"),
    ]


@pytest.mark.parametrize("chunk", [1, 5, 16])
def test_decoding_lets_go_of_surroundings_and_gives_the_same(
    imported: Imported, chunk: int
) -> None:
    bundle = load_bundle(imported.path)
    session = Session(bundle.graph("vae_decoder"), choose_provider("cpu"))
    hop, context = bundle.manifest.latent.hop, bundle.manifest.decoder.context
    z = np.random.default_rng(2).standard_normal((64, 40), dtype=np.float32)
    whole = decode(session, z[None], 0, 0, hop)[0]
    with np.load(REFERENCE / "vae.npz") as file:
        plain = decode(session, file["z"], 0, 0, hop)
        np.testing.assert_allclose(
            plain[:, :, : file["decoded"].shape[2]], file["decoded"], atol=1e-5
        )
    made = []
    for decoded in (context, 2):
        decoder = ChunkedDecoder(
            lambda z, before, after: decode(session, z, before, after, hop), decoded, chunk
        )
        made.append(np.concatenate([*decoder.push(z), *decoder.finish()], axis=1))
    np.testing.assert_allclose(made[0], whole, atol=1e-5 * whole.std())
    # It can fail: with less around, seams differ.
    assert np.abs(made[1] - whole).max() > 1e-3 * whole.std()


def test_surroundings_are_gone_before_the_last_layers(imported: Imported, tmp_path: Path) -> None:
    model = onnx.load(load_bundle(imported.path).graph("vae_decoder"))
    upsamplings = [node for node in model.graph.node if node.op_type == "ConvTranspose"]
    last = upsamplings[-1].output[0].removesuffix(".whole")
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None)
    )
    onnx.save(model, tmp_path / "watched.onnx")
    session = Session(tmp_path / "watched.onnx", choose_provider("cpu"))
    z = np.random.default_rng(2).standard_normal((1, 64, 25), dtype=np.float32)
    for before, after in ((10, 10), (0, 10), (10, 0)):
        made = session.run({"z": z, "context": np.array([before, after])})
        own = (25 - before - after) * 2048
        # The last convolution sees 3 frames to either side, the three units before it 39.
        sides = 42 * ((before > 0) + (after > 0))
        assert (made["audio"].shape[2], made[last].shape[2]) == (own, own + sides)


def test_products_in_8_bits_are_near(imported: Imported, tmp_path: Path) -> None:
    source = load_bundle(imported.path)
    path = tmp_path / "dit.onnx"
    path.write_bytes(source.graph("dit").read_bytes())
    session = Session(path, choose_provider("cpu"))
    rng = np.random.default_rng(3)
    width = session.inputs["global_"][1]
    feeds = {
        "x": rng.standard_normal((2, 64, 40), dtype=np.float32),
        "t": np.full(2, 0.4, np.float32),
        "local": rng.standard_normal((2, 40, width), dtype=np.float32),
        "global_": rng.standard_normal((2, width), dtype=np.float32),
    }
    exact = session.run(feeds)["v"]
    before = path.stat().st_size
    assert quantise(path, width) >= 4
    rounded = Session(path, choose_provider("cpu")).run(feeds)["v"]
    gap = np.sqrt(np.mean((rounded - exact) ** 2)) / exact.std()
    assert 1e-4 < gap < 0.05
    assert path.stat().st_size < 0.6 * before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["dit.onnx"]


def test_it_generates(imported: Imported, tmp_path: Path) -> None:
    clip = probe(make_small_clip(tmp_path / "clip.mp4"))
    blocks: list[np.ndarray] = []
    generator = Generator(load_bundle(imported.path), "cpu")
    result = generator.generate(clip, GenerationSettings(steps=2), [blocks.append])
    sound = np.concatenate(blocks, axis=1)
    assert sound.shape == (4, result.samples)
    assert np.isfinite(sound).all() and sound.std() > 0


def test_a_place_that_is_taken_is_left_alone(hub: Path, imported: Imported, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="--overwrite"):
        import_released(hub, order(imported.path), silent, silent)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="it is a file"):
        import_released(hub, order(tmp_path / "file"), silent, silent)


def test_a_full_disk_is_noticed_before_the_first_byte(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda place: usage)
    with pytest.raises(OutputError, match=r"and 0\.0 GB are free"):
        import_released(hub, order(tmp_path / "new"), silent, silent)
    assert not list(tmp_path.iterdir())


def test_what_fails_or_was_killed_leaves_no_half_bundle(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / ".new.importing"
    left.mkdir()
    (left / "dit.onnx").write_bytes(b"half")

    def broken(released: object, tower: object, out: Path, **_: object) -> None:
        assert not (out / "dit.onnx").exists()  # what the killed import left is gone
        (out / "vision.onnx").write_bytes(b"half")
        raise BundleError("no")

    monkeypatch.setattr(importer, "convert", broken)
    with pytest.raises(BundleError):
        import_released(hub, order(tmp_path / "new"), silent, silent)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("OMNIAUDIO_BUNDLES", str(tmp_path))
    assert not [found for found in scan_bundles() if tmp_path in found.path.parents]


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers every question with one status, as the hub does where something is not given out."""

    status = 404
    code = "RepoNotFound"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("X-Error-Code", self.code)
        self.send_header("X-Error-Message", "no")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[tuple[type[_Hub], str]]:
    class Own(_Hub):
        pass

    with serving(Own) as endpoint:
        yield Own, endpoint


def command(endpoint: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "hf"),
        "OMNIAUDIO_CACHE": str(folder / "cache"),
    }
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [
            *(sys.executable, "-m", "omniaudio_studio", "models", "import", "omniaudio"),
            *("--out", str(folder / "new"), "--precision", "fp32", *options),
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, "RepoNotFound", "is not on the hub any more (404)"),
        (403, "GatedRepo", "accept its terms on https://huggingface.co/OmniAudio"),
        (403, "", "the hub refuses OmniAudio/OmniAudio360V2SA (answer 403)"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    answering: tuple[type[_Hub], str], tmp_path: Path, status: int, code: str, told: str
) -> None:
    handler, endpoint = answering
    handler.status, handler.code = status, code
    done = command(endpoint, tmp_path, "--accept-licences")
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_no_network_is_one_line(tmp_path: Path) -> None:
    done = command("http://127.0.0.1:9", tmp_path, "--accept-licences")
    assert done.returncode == 2
    assert "the hub cannot be reached" in done.stderr and "Traceback" not in done.stderr


def test_licences_are_shown_first(hub: Path) -> None:
    assert (hub / CHECKPOINT).is_dir() and (hub / TOWER).is_dir()
    assert [item.licence for item in importer.repositories(True)] == ["Apache-2.0", "CC-BY-NC-4.0"]
    assert [item.commercial for item in importer.repositories(True)] == [True, False]
