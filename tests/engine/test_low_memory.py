"""One graph at a time in memory: which and in what order, and never another sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.engine import describe, graphs, memory
from omniaudio_studio.engine.devices import ProviderChoice, choose_provider
from omniaudio_studio.engine.encoding import Surroundings
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.graphs import Graphs
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.media.probe import ClipInfo
from tests.support.tiny_bundle import make_tiny_bundle

CPU = choose_provider("cpu")


def generated(
    generator: Generator, info: ClipInfo, around: Surroundings | None = None, **settings: Any
) -> np.ndarray:
    blocks: list[list[np.ndarray]] = [[] for _ in range(settings.get("takes", 1))]
    reports: list[str] = []
    result = generator.generate(
        info,
        GenerationSettings(**settings),
        [own.append for own in blocks],
        lambda report: reports.append(report.stage),
        around=around,
    )
    assert result.low_memory == settings.get("low_memory", False)
    assert reports[-1] == "decoding"
    return np.stack([np.concatenate(own, axis=1) for own in blocks])


@pytest.mark.parametrize(
    "settings",
    [
        {"takes": 2, "seed": 3},  # five windows
        {"segments": (Segment(2.1, seed=9, cfg=1.0), Segment(2.3)), "takes": 2},
        {"start": 1.0, "duration": 0.05},
        {"fronts": ((0.0, 1.0),), "duration": 2.0},
    ],
)
def test_the_same_sound_to_the_bit(
    bundle: Bundle, clip: ClipInfo, settings: dict[str, Any]
) -> None:
    generator = Generator(bundle, "cpu")
    plain = generated(generator, clip, **settings)
    np.testing.assert_array_equal(generated(generator, clip, low_memory=True, **settings), plain)
    np.testing.assert_array_equal(generated(generator, clip, **settings), plain)
    assert plain.std() > 1e-3


def test_surroundings_are_kept(bundle: Bundle, clip: ClipInfo) -> None:
    rng = np.random.default_rng(0)
    around = Surroundings(*(rng.standard_normal((2, 8, 3), dtype=np.float32)))
    generator = Generator(bundle, "cpu")
    plain = generated(generator, clip, around)
    np.testing.assert_array_equal(generated(generator, clip, around, low_memory=True), plain)
    assert np.abs(plain - generated(generator, clip)).max() > 1e-3


def test_one_graph_at_a_time_in_the_declared_order(
    bundle: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    alive: set[int] = set()
    most = 0

    class Counted(Session):
        def __init__(self, path: Path, *args: Any, **options: Any) -> None:
            nonlocal most
            loads.append(path.stem)
            super().__init__(path, *args, **options)
            alive.add(id(self))
            most = max(most, len(alive))

        def __del__(self) -> None:
            alive.discard(id(self))

    monkeypatch.setattr(graphs, "Session", Counted)
    generator = Generator(bundle, "cpu")
    assert len(generator.plan(clip, GenerationSettings()).window_times) >= 2
    segments = (Segment(3.0, seed=1),)
    generated(generator, clip, low_memory=True, takes=2, segments=segments)
    assert loads == ["vision", "conditioner", "dit", "vae_decoder"]
    assert most == 1
    # All of them together again, where it is not asked for.
    loads.clear()
    generated(generator, clip, segments=segments)
    assert sorted(loads) == ["conditioner", "dit", "vae_decoder", "vision"]
    assert most == 4


def test_a_card_without_room(
    bundle: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = Graphs(bundle, CPU).needed_bytes()
    files = bundle.manifest.files
    kept = ("vision", "conditioner", "dit", "vae_decoder")
    assert needed == sum(files[f"{name}.onnx"].bytes for name in kept)
    assert not Graphs(bundle, CPU).too_large()  # nobody says what is free
    for short, expected in ((1, True), (0, False)):
        free = needed + graphs.ROOM_BYTES - short
        monkeypatch.setattr(graphs, "free_bytes", lambda device, free=free: free)
        monkeypatch.setattr(describe, "free_bytes", lambda device, free=free: free)
        assert Graphs(bundle, CPU).too_large() is expected
        (row,) = [
            row for row in describe.describe_engine(CPU, [bundle]) if row["part"] == "low memory"
        ]
        assert row["on"] is expected
        generator = Generator(bundle, "cpu")
        for _ in range(2):  # what is loaded takes no more
            result = generator.generate(
                clip, GenerationSettings(duration=1.0), [lambda block: None]
            )
            assert result.low_memory is expected


def test_weights_beside_a_graph_count(tmp_path: Path) -> None:
    folder = make_tiny_bundle(tmp_path / "beside")
    plain = Graphs(load_bundle(folder), CPU).needed_bytes()
    (folder / "dit.onnx.data").write_bytes(bytes(1000))
    make_tiny_bundle(folder)  # its manifest names every file of the folder
    bundle = load_bundle(folder)
    assert "dit.onnx.data" in bundle.manifest.files
    assert Graphs(bundle, CPU).needed_bytes() == plain + 1000


def test_what_is_free_is_asked_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.free_bytes("cpu") is None
    free = memory.free_bytes("cuda")
    assert free is None or free > 0

    def missing(windows: str, other: str) -> Any:
        raise OSError("no such library")

    monkeypatch.setattr(memory, "_library", missing)
    assert memory.free_bytes("cuda") is None


def test_the_request_says_it() -> None:
    request = GenerateRequest(Path("a.mp4"), Path("a.wav"), low_memory=True).validate()
    assert GenerationSettings.from_request(request).low_memory
    assert GenerateRequest.from_dict(request.as_dict()) == request


def test_what_is_on_is_told_with_a_reason(bundle: Bundle) -> None:
    rows = describe.describe_engine(CPU, [bundle])
    assert [row["part"] for row in rows] == [
        "provider", "I/O binding", "CUDA graphs", "16-bit graphs", "low memory", "graph cache",
        "threads", "arena",
    ]  # fmt: skip
    assert all(row["why"] for row in rows)
    on = {row["part"] for row in rows if row["on"]}
    assert on == {"provider", "threads", "arena"}
    half = load_bundle(bundle.folder)
    object.__setattr__(half.manifest, "precision", "fp16, fp32 in norms")
    assert [r["on"] for r in describe.describe_engine(CPU, [half]) if "16" in r["part"]] == [True]
    # A provider that is not there is a reason, no error.
    cuda = ProviderChoice("cuda", "CUDAExecutionProvider", "")
    if describe.recording_problem(cuda) is not None:
        (row,) = [r for r in describe.describe_engine(cuda) if r["part"] == "CUDA graphs"]
        assert not row["on"]
