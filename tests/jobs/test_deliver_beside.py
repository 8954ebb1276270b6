"""More is made of a field that is there: beside it, told of in its sidecar, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.delivery.provenance import PROGRAM
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import Cancelled, OptionError, OutputError, OutputExistsError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.jobs.deliver import run_deliver
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.field_clip import clip_of
from omniaudio_studio.jobs.recovery import settle
from omniaudio_studio.jobs.sidecar import reproduction
from omniaudio_studio.jobs.writers import WRITERS, Made, Order
from omniaudio_studio.media.wav import write_wav

RATE = 48_000
TAKE = {
    "kind": "omniaudio-sidecar",
    "schema_version": 1,
    "request": {
        "clip": "/gone/clip.mp4",
        "output": "/gone/take.wav",
        "start": 0.5,
        "yaw": 20.0,
        "projection": "equirectangular",
        "seed": 7,
        "schema_version": 1,
    },
    "resolved": {"cfg": 2.0},
    "clip": {"name": "clip.mp4", "sha256": "0"},
    "bundle": {
        "name": "tiny",
        "version": "1",
        "licence": "CC-BY-NC-4.0",
        "commercial": False,
        "sha256": "0",
    },
    "output": {"sha256": "0", "samples": RATE, "rate": RATE},
    "software": {"omniaudio": "0.1"},
    "provider": {"name": "CPUExecutionProvider"},
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A second of noise and the sidecar of a take, without "files" as older ones are."""
    wav = tmp_path / "take.wav"
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, RATE))
    write_wav(wav, noise.astype(np.float32), RATE)
    wav.with_suffix(".json").write_text(json.dumps(TAKE))
    return wav


@pytest.fixture
def request_(take: Path) -> DeliverRequest:
    return DeliverRequest(take, take, deliverables=("binaural",))


def told(wav: Path) -> list[tuple[str, str]]:
    data = json.loads(wav.with_suffix(".json").read_text(encoding="utf-8"))
    for entry in data["files"]:
        assert entry["sha256"] == file_sha256(wav.with_name(entry["name"]))
    return [(entry["deliverable"], entry["name"]) for entry in data["files"]]


def test_one_after_the_other_lies_beside_the_take(request_: DeliverRequest, take: Path) -> None:
    before, made = take.read_bytes(), take.with_suffix(".json").stat().st_mtime_ns
    result = run_deliver(request_)
    assert (result.wav, result.samples, result.rate) == (take, RATE, RATE)
    assert result.sha256 == file_sha256(take)
    assert result.problems == ()
    assert any("forbids commercial use" in line for line in result.warnings)
    run_deliver(replace(request_, deliverables=("plot",)))
    assert names(take.parent) == {"take.wav", "take.json", "take.binaural.wav", "take.png"}
    assert told(take) == [("binaural", "take.binaural.wav"), ("plot", "take.png")]
    # Made again it is told of once, and the rest of the sidecar is as it was.
    run_deliver(replace(request_, overwrite=True))
    assert sorted(told(take)) == [("binaural", "take.binaural.wav"), ("plot", "take.png")]
    data = json.loads(take.with_suffix(".json").read_text(encoding="utf-8"))
    assert {name: data[name] for name in TAKE} == TAKE
    assert reproduction(take.with_suffix(".json")).request.seed == 7
    assert take.read_bytes() == before
    assert take.with_suffix(".json").stat().st_mtime_ns == made  # lists of takes go by it


def test_what_is_there_is_refused(request_: DeliverRequest, take: Path) -> None:
    take.with_name("take.binaural.wav").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"take\.binaural\.wav"):
        run_deliver(request_)
    take.with_name("take.binaural.wav").unlink()
    take.with_suffix(".json").write_text("[]")
    with pytest.raises(OptionError, match=r"take\.json is no sidecar of a sound field"):
        run_deliver(request_)
    assert take.with_suffix(".json").read_text() == "[]"
    assert names(take.parent) == {"take.wav", "take.json"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": 0.5}, "start is for the WAV"),
        ({"loudness": -23.0}, "loudness is for the WAV"),
        ({"subtype": "pcm24"}, "subtype is for the WAV"),
        ({"field": None}, "without a field"),
    ],
)
def test_nothing_can_be_done_to_a_field_that_stays(
    request_: DeliverRequest, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        replace(request_, **changes).validate()


def test_a_field_of_unknown_origin_gets_a_sidecar(request_: DeliverRequest, take: Path) -> None:
    take.with_suffix(".json").unlink()
    result = run_deliver(request_)
    assert result.warnings == ()
    data = json.loads(take.with_suffix(".json").read_text(encoding="utf-8"))
    assert data["kind"] == "omniaudio-delivery"
    assert told(take) == [("binaural", "take.binaural.wav")]


def seen_by(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Order]:
    """The orders that a deliverable's function got."""
    orders: list[Order] = []

    def note(order: Order, path: Path, final: Path) -> Made:
        orders.append(order)
        path.write_text(path.name)
        return Made()

    monkeypatch.setitem(WRITERS, name, note)
    return orders


def test_provenance_is_stated_unless_it_is_not_wanted(
    request_: DeliverRequest, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = seen_by(monkeypatch, "binaural")
    run_deliver(request_)
    hidden = run_deliver(replace(request_, provenance=False, overwrite=True))
    assert any("forbids commercial use" in line for line in hidden.warnings)
    stated, silent = (order.source.provenance for order in orders)
    assert stated is not None
    assert (stated.seed, stated.bundle, stated.software) == (7, "tiny", f"{PROGRAM} 0.1")
    assert silent is None
    assert orders[0].source.field == take
    assert orders[0].seconds == 1.0


def broken(order: Order, path: Path, final: Path) -> Made:
    path.write_text("half")
    raise OutputError(f"cannot write {path}: the disk is full")


def faulty(order: Order, path: Path, final: Path) -> Made:
    path.mkdir()
    raise ZeroDivisionError("division by zero")


def test_what_cannot_be_made_names_itself_and_the_rest_is_there(
    request_: DeliverRequest, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WRITERS, "plot", broken)
    both = replace(request_, deliverables=("binaural", "plot"))
    result = run_deliver(both)
    where = take.with_name("take.png")
    assert result.problems == (f"plot was not written: cannot write {where}: the disk is full",)
    assert list(result.files) == ["binaural"]
    assert names(take.parent) == {"take.wav", "take.json", "take.binaural.wav"}
    assert told(take) == [("binaural", "take.binaural.wav")]
    monkeypatch.setitem(WRITERS, "plot", faulty)
    result = run_deliver(replace(both, overwrite=True))
    assert "plot was not written: unexpected ZeroDivisionError" in result.problems[0]
    assert names(take.parent) == {"take.wav", "take.json", "take.binaural.wav"}
    # With a WAV of its own that stays, too; where nothing at all was made, it is an error.
    out = take.parent / "out"
    out.mkdir()
    whole = run_deliver(replace(request_, output=out / "a.wav", deliverables=("wav", "plot")))
    assert len(whole.problems) == 1
    assert names(out) == {"a.wav", "a.json"}
    with pytest.raises(OutputError, match="plot was not written"):
        run_deliver(replace(request_, output=out / "b.wav", deliverables=("plot",)))
    assert names(out) == {"a.wav", "a.json"}


def test_a_cancelled_one_leaves_the_take_as_it_was(request_: DeliverRequest, take: Path) -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        run_deliver(request_, progress=lambda _: token.cancel(), cancel=token)
    assert names(take.parent) == {"take.wav", "take.json"}
    assert json.loads(take.with_suffix(".json").read_text()) == TAKE


def test_what_became_of_an_interrupted_one_is_known(request_: DeliverRequest, take: Path) -> None:
    assert settle(request_, None, 0.0) is None
    result = run_deliver(request_).as_dict()
    found = settle(request_, None, 0.0)
    assert found is not None
    for name in ("files", "wav", "sidecar", "samples", "rate", "duration", "kind", "problems"):
        assert found[name] == result[name], name
    assert settle(replace(request_, deliverables=("plot",)), None, 0.0) is None
    take.with_name("take.binaural.wav").write_text("another")
    assert settle(request_, None, 0.0) is None


def test_the_clip_is_known_by_the_sidecars(take: Path, tmp_path: Path) -> None:
    of_take = {"clip": Path("/gone/clip.mp4"), "clip_start": 0.5, "yaw": 20.0}
    found = clip_of(take)
    assert {name: found[name] for name in of_take} == of_take
    assert found["projection"] == "equirectangular"
    # A part of it begins later in the clip, and a clip beside it is the one.
    (tmp_path / "clip.mp4").write_text("")
    part = tmp_path / "part.wav"
    run_deliver(DeliverRequest(take, part, start=0.25, duration=0.5))
    found = clip_of(part)
    assert (found["clip"], found["clip_start"]) == (tmp_path / "clip.mp4", 0.75)
    assert found["yaw"] == 20.0
    assert clip_of(tmp_path / "none.wav") == {}
    (tmp_path / "other.json").write_text('{"kind": "x", "request": 3}')
    assert clip_of(tmp_path / "other.wav") == {}
