"""Requests whose clip was seen before, here or elsewhere, and those with given features."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import (
    BundleError,
    Cancelled,
    MediaError,
    MissingFileError,
    OptionError,
)
from omniaudio_studio.jobs.queued_request import with_absolute_paths
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import reproduction
from tests.support.command_line import environment, omniaudio
from tests.support.tiny_bundle import FEATURES, without_vision

# The same program, where looking at a picture is an error.
BLIND = """
import sys
from omniaudio_studio.engine import generate
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.media import frames

def never(*arguments, **more):
    raise AssertionError("a picture was looked at")

frames.decode_video = never
run = Session.run

def seen(self, *arguments, **more):
    return never() if self.path.name == "vision.onnx" else run(self, *arguments, **more)

Session.run = seen

from omniaudio_studio.cli.app import run as command

sys.exit(command(sys.argv[1:]))
"""


@pytest.fixture
def request_(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    return GenerateRequest(small_clip, tmp_path / "out.wav", bundle=str(tiny_bundle), device="cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, switched on."""
    monkeypatch.setenv("OMNIAUDIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OMNIAUDIO_FEATURE_CACHE")
    return tmp_path / "cache" / "features"


def test_another_process_looks_at_nothing_for_another_seed_or_cfg(
    request_: GenerateRequest, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(*options: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", BLIND, "generate", str(request_.clip), "--device", "cpu"]
        words += ["--bundle", request_.bundle, "-o", str(tmp_path / "again.wav"), *options]
        return subprocess.run(
            [*words, "--overwrite"], env=environment(), capture_output=True, text=True, timeout=120
        )

    refused = blind()
    assert refused.returncode != 0
    assert "a picture was looked at" in refused.stderr
    run_request(replace(request_, seed=1))
    assert len(list(cache.iterdir())) == 2  # one for each view
    for options, changes in ((["--seed", "2"], {"seed": 2}), (["--cfg", "3"], {"cfg": 3.0})):
        made = blind(*options)
        assert made.returncode == 0, made.stderr
        with monkeypatch.context() as patch:
            patch.setenv("OMNIAUDIO_FEATURE_CACHE", "0")
            run_request(replace(request_, output=tmp_path / "plain.wav", overwrite=True, **changes))
        assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "plain.wav").read_bytes()


def test_a_part_rolled_again_and_a_sidecar_look_at_nothing_that_was_seen(
    request_: GenerateRequest, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    original = Session.run

    def counted(self: Session, *args: Any, **kwargs: Any) -> Any:
        runs.append(self.path.name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Session, "run", counted)
    run_request(request_)
    assert "vision.onnx" in runs
    runs.clear()
    expected = reproduction(tmp_path / "out.json", output=tmp_path / "again.wav")
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "again.wav").read_bytes() == request_.output.read_bytes()
    part = replace(
        request_,
        output=tmp_path / "part.wav",
        seed=9,
        base_take=request_.output,
        base_range=(0.0, 1.0),
    )
    run_request(part)
    assert "dit.onnx" in runs
    assert "vision.onnx" not in runs


def test_a_job_that_is_stopped_keeps_nothing_half(request_: GenerateRequest, cache: Path) -> None:
    token = CancelToken()

    def stop(report: Any) -> None:
        if report.done > 0:
            token.cancel()

    with pytest.raises(Cancelled):
        run_request(request_, progress=stop, cancel=token)
    assert not cache.exists() or not list(cache.glob(".*"))
    run_request(request_)


def given(folder: Path, seed: int = 0, **changes: Any) -> Path:
    rng = np.random.default_rng(seed)
    path = folder / "features.npz"
    values = {
        name: rng.standard_normal((16, FEATURES)).astype(np.float32)
        for name in ("equirect", "front")
    }
    np.savez(path, **{**values, **changes})
    return path


def test_a_bundle_without_vision_takes_features_and_the_sidecar_names_them(
    request_: GenerateRequest, tmp_path: Path, tiny_bundle: Path
) -> None:
    blind = without_vision(load_bundle(tiny_bundle), tmp_path / "blind")
    wanted = replace(request_, bundle=str(blind.path))
    with pytest.raises(BundleError, match="has no vision graph: give the features of the clip"):
        run_request(wanted)
    features = given(tmp_path)
    wanted = replace(wanted, features=features)
    run_request(wanted)
    data = json.loads((tmp_path / "out.json").read_text())
    assert data["request"]["features"] == str(features)
    assert data["features"]["name"] == "features.npz"
    expected = reproduction(tmp_path / "out.json", output=tmp_path / "again.wav")
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "again.wav").read_bytes() == wanted.output.read_bytes()
    # Other features are another sound.
    given(tmp_path, seed=1)
    with pytest.raises(MediaError, match=r"features\.npz does not hold the features that .*out\.j"):
        run_request(replace(expected.request, overwrite=True), expected=expected)
    run_request(replace(wanted, output=tmp_path / "other.wav"))
    assert (tmp_path / "other.wav").read_bytes() != wanted.output.read_bytes()
    features.unlink()
    with pytest.raises(MissingFileError, match=r"features\.npz"):
        run_request(replace(wanted, output=tmp_path / "gone.wav"))


def test_a_bundle_with_vision_looks_at_nothing_where_features_are_given(
    request_: GenerateRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any) -> Any:
        raise AssertionError("a picture was looked at")

    monkeypatch.setattr("omniaudio_studio.media.frames.decode_video", never)
    run_request(replace(request_, features=given(tmp_path)))
    run_request(replace(request_, features=given(tmp_path), front=0.0, overwrite=True))
    with pytest.raises(AssertionError, match="looked at"):
        run_request(replace(request_, overwrite=True))


def test_requests_carry_features(request_: GenerateRequest) -> None:
    request = replace(request_, features=Path("f.npz"))
    again = GenerateRequest.from_json(request.to_json())
    assert again == request
    assert GenerateRequest.from_json(request_.to_json()).features is None
    absolute = with_absolute_paths(request)
    assert isinstance(absolute, GenerateRequest)
    assert absolute.features == Path.cwd() / "f.npz"
    for front in ("auto", 30.0):
        with pytest.raises(OptionError, match="views that look straight ahead; leave front out"):
            replace(request, front=front).validate()
    for front in (None, 0.0, 360.0):
        replace(request, front=front).validate()
    with pytest.raises(OptionError, match="features must be a path"):
        replace(request, features=3).validate()  # type: ignore[arg-type]


def test_the_command_line(request_: GenerateRequest, tmp_path: Path, cache: Path) -> None:
    words = ["generate", request_.clip, "--bundle", request_.bundle, "--device", "cpu"]
    shown = json.loads(omniaudio("cache", "--json").out)
    assert (shown["files"], shown["bytes"]) == (0, 0)
    assert (shown["folder"], shown["limit_bytes"]) == (str(cache), 4_000_000_000)
    for name in ("feature-fps", "feature-rate"):  # two names of one option
        made = omniaudio(*words, f"--{name}", "4", "-o", tmp_path / f"{name}.wav")
        assert made.code == 0, made.err
    assert (tmp_path / "feature-fps.wav").read_bytes() == (
        tmp_path / "feature-rate.wav"
    ).read_bytes()
    assert json.loads((tmp_path / "feature-fps.json").read_text())["request"]["feature_rate"] == 4
    assert json.loads(omniaudio("cache", "--json").out)["files"] == 2
    text = omniaudio("cache", OMNIAUDIO_FEATURE_CACHE="1.5").out
    assert "MB of at most 1.5 GB in" in text
    assert omniaudio("cache", "--clear").out.startswith("0.0 MB of at most 4 GB in ")
    assert list(cache.iterdir()) == []
    wrong = omniaudio("cache", OMNIAUDIO_FEATURE_CACHE="much")
    assert wrong.code == 2
    assert wrong.error_lines == [
        "omniaudio: OMNIAUDIO_FEATURE_CACHE must be a number of gigabytes from 0 (keep nothing) to "
        "1000000, found 'much'"
    ]
    features = given(tmp_path)
    made = omniaudio(*words, "--features", features, "-o", tmp_path / "given.wav")
    assert made.code == 0, made.err
    bad = omniaudio(*words, "--features", request_.clip, "-o", tmp_path / "bad.wav")
    assert bad.code == 2
    assert "is no .npz file of arrays" in bad.error_lines[0]
    assert not (tmp_path / "bad.wav").exists()
