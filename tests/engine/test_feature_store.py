"""Features on disk: equal to the bit, by content, bounded, and never in the way of the work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.engine import feature_store as store
from omniaudio_studio.engine import features as module
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.feature_store import ClipFeatures, kept_features
from omniaudio_studio.engine.features import stream_features, window_times
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import Cancelled, OptionError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.media import frames
from omniaudio_studio.media.probe import ClipInfo, probe
from tests.engine.test_features import LONG, Vision
from tests.support.small_clip import make_small_clip
from tests.support.tiny_bundle import make_tiny_bundle

Array = np.ndarray
Looked = tuple[list[dict[str, Array]], int]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, switched on."""
    monkeypatch.setenv("OMNIAUDIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(store.SIZE_VARIABLE)
    return tmp_path / "cache" / "features"


def kept(info: ClipInfo, bundle: Bundle, **changes: Any) -> ClipFeatures:
    values = {
        "info": info,
        "bundle": bundle,
        "provider": choose_provider("cpu"),
        "sha256": lambda: file_sha256(info.path),
        **changes,
    }
    return ClipFeatures(**values)


def look(
    info: ClipInfo, bundle: Bundle, windows: list[Array] = LONG, fronts: Any = None, **changes: Any
) -> Looked:
    """Features of each window, and how many batches were looked at for them."""
    vision, views = Vision(), bundle.manifest.views
    known = kept(info, bundle, **changes)
    seen = list(stream_features(info, windows, views, vision, kept=known, fronts=fronts))
    return seen, len(vision.sizes)


def assert_equal(one: list[dict[str, Array]], two: list[dict[str, Array]]) -> None:
    assert len(one) == len(two)
    for first, second in zip(one, two, strict=True):
        assert set(first) == set(second)
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows by one for each picture that is decoded for the views."""
    counts: list[float] = []
    original = frames.decode_video

    def counted(*args: Any) -> Iterator[Any]:
        for frame in original(*args):
            counts.append(frame.pts)
            yield frame

    monkeypatch.setattr(frames, "decode_video", counted)
    return counts


def test_a_second_run_decodes_nothing_and_gives_the_same_bits(
    bundle: Bundle, clip: ClipInfo, decoded: list[float]
) -> None:
    plain = list(stream_features(clip, LONG, bundle.manifest.views, Vision()))
    first, looked = look(clip, bundle)
    assert looked > 0
    decoded.clear()
    second, again = look(clip, bundle)
    assert (again, len(decoded)) == (0, 0)
    assert_equal(first, second)
    assert_equal(first, plain)


def test_a_part_is_served_and_only_what_is_new_is_looked_at(bundle: Bundle, clip: ClipInfo) -> None:
    whole = [window_times(0.0, 6.0, 8.0)]
    plain = list(stream_features(clip, whole, bundle.manifest.views, Vision()))
    assert look(clip, bundle, [window_times(2.0, 2.0, 8.0)])[1] == 2 * 2
    assert look(clip, bundle, [window_times(2.5, 1.0, 4.0)])[1] == 0
    # 48 moments, 16 of them known: before and after them, in batches of 8 for two views.
    seen, batches = look(clip, bundle, whole)
    assert batches == 2 * 4
    assert_equal(seen, plain)
    # Twice the rate: every other moment is known.
    double = [window_times(0.0, 6.0, 16.0)]
    plain = list(stream_features(clip, double, bundle.manifest.views, Vision()))
    seen, _ = look(clip, bundle, double)
    assert_equal(seen, plain)
    assert look(clip, bundle, double)[1] == 0


def test_one_view_is_known_for_others_who_look_at_it(bundle: Bundle, clip: ClipInfo) -> None:
    windows = [window_times(0.0, 2.0, 8.0)]
    look(clip, bundle, windows)
    vision = Vision()
    (result,) = stream_features(
        clip, windows, bundle.manifest.views[:1], vision, kept=kept(clip, bundle)
    )
    assert set(result) == {"equirect"}
    assert not vision.sizes


def test_content_counts_not_the_name(bundle: Bundle, clip: ClipInfo, tmp_path: Path) -> None:
    look(clip, bundle)
    copy = tmp_path / "another name.mp4"
    shutil.copyfile(clip.path, copy)
    assert look(probe(copy), bundle)[1] == 0
    make_small_clip(copy, seconds=6.9)
    assert look(probe(copy), bundle)[1] > 0


def other_weights(bundle: Bundle, folder: Path) -> Bundle:
    return load_bundle(make_tiny_bundle(folder, rng_seed=1))


def other_view(bundle: Bundle, folder: Path) -> Bundle:
    views = bundle.manifest.to_dict()["views"]
    views[0]["mean"] = [0.4, 0.5, 0.5]
    return load_bundle(make_tiny_bundle(folder, views=views))


def other_dit(bundle: Bundle, folder: Path) -> Bundle:
    return load_bundle(make_tiny_bundle(folder, context=False, name="same vision"))


@pytest.mark.parametrize(
    ("change", "same"), [(other_weights, False), (other_view, False), (other_dit, True)]
)
def test_the_tower_and_the_view_count_and_nothing_else_of_a_bundle(
    bundle: Bundle,
    clip: ClipInfo,
    tmp_path: Path,
    change: Callable[[Bundle, Path], Bundle],
    same: bool,
) -> None:
    look(clip, bundle)
    assert (look(clip, change(bundle, tmp_path / "other"))[1] == 0) is same


def test_weights_beside_the_graph_are_of_the_tower(bundle: Bundle) -> None:
    manifest = bundle.manifest
    entry = next(iter(manifest.files.values()))

    def tower(**files: str) -> str:
        more = {name.replace("_", "."): replace(entry, sha256=sha) for name, sha in files.items()}
        changed = replace(manifest, files={**manifest.files, **more})
        return store.tower(replace(bundle, manifest=changed), "vision")

    assert tower(dit_data="a") == tower(dit_onnx_data="b") == tower()
    assert len({tower(), tower(vision_onnx_data="a"), tower(vision_onnx_data="b")}) == 3
    assert tower(weights_bin="a") != tower()


def test_how_the_sphere_lies_and_what_runs_count(bundle: Bundle, clip: ClipInfo) -> None:
    look(clip, bundle)
    assert look(replace(clip, warnings=("told",)), bundle)[1] == 0
    assert look(replace(clip, stereo="top-bottom"), bundle)[1] > 0
    other = replace(choose_provider("cpu"), provider="AnotherExecutionProvider")
    assert look(clip, bundle, provider=other)[1] > 0


def test_features_of_other_fronts_are_not_taken_for_these(bundle: Bundle, clip: ClipInfo) -> None:
    windows = [window_times(0.0, 2.0, 8.0)]
    ahead, _ = look(clip, bundle, windows, [0.0])
    aside, batches = look(clip, bundle, windows, [1.0])
    assert batches > 0
    assert np.abs(ahead[0]["front"] - aside[0]["front"]).max() > 0.01
    for front, expected in ((0.0, ahead), (1.0, aside)):
        seen, batches = look(clip, bundle, windows, [front])
        assert batches == 0
        assert_equal(seen, expected)


def test_repeated_pictures_are_kept_once(bundle: Bundle, tmp_path: Path, home: Path) -> None:
    """Two frames a second under eight features a second: each picture serves four of them."""
    info = probe(make_small_clip(tmp_path / "slow.mp4", seconds=3.0, fps=2.0, sound=False))
    windows = [window_times(0.0, 3.0, 8.0)]
    first, _ = look(info, bundle, windows)
    for path in home.iterdir():
        with np.load(path) as file:
            assert (len(file["times"]), len(file["features"])) == (24, 6)
    assert_equal(look(info, bundle, windows)[0], first)


def test_long_runs_are_several_files(
    bundle: Bundle, clip: ClipInfo, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = list(stream_features(clip, LONG, bundle.manifest.views, Vision()))
    monkeypatch.setattr(store, "PART_BYTES", 10 * 6 * 4)
    monkeypatch.setattr(store, "_LOADED", 1)
    look(clip, bundle)
    assert len(list(home.iterdir())) >= 2 * 5
    seen, batches = look(clip, bundle)
    assert batches == 0
    assert_equal(seen, plain)


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-700] ^= 0xFF  # among the features, which are the last array
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("not features at all, but long enough to be looked into")


def other_arrays(path: Path) -> None:
    np.savez(path, times=np.arange(3))


def single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def pickled(path: Path) -> None:
    np.savez(path, times=np.array([{}]), fronts=[0.0], rows=[0], features=[0.0])


@pytest.mark.parametrize(
    "damage", [truncated, flipped, empty, text, other_arrays, single_array, pickled]
)
def test_what_is_damaged_or_foreign_is_dropped_and_made_anew(
    bundle: Bundle, clip: ClipInfo, home: Path, damage: Callable[[Path], None]
) -> None:
    first, looked = look(clip, bundle)
    hurt = sorted(home.iterdir())[0]
    damage(hurt)
    seen, batches = look(clip, bundle)
    assert batches == looked
    assert_equal(seen, first)
    assert not hurt.exists()
    assert look(clip, bundle)[1] == 0


def test_what_another_process_removes_meanwhile_is_no_loss(
    bundle: Bundle, clip: ClipInfo, home: Path
) -> None:
    first, _ = look(clip, bundle)
    vision = Vision()
    stream = stream_features(clip, LONG, bundle.manifest.views, vision, kept=kept(clip, bundle))
    seen = [next(stream)]
    store.clear()
    assert list(home.iterdir()) == []
    seen += stream
    assert not vision.sizes
    assert_equal(seen, first)


def test_the_least_recently_used_goes_first(
    bundle: Bundle, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [
        probe(make_small_clip(tmp_path / f"{n}.mp4", seconds=1 + n / 10, sound=False))
        for n in range(3)
    ]
    windows = [window_times(0.0, 1.0, 8.0)]
    for age, info in enumerate(clips[:2]):
        look(info, bundle, windows)
        for path in home.iterdir():
            os.utime(path, (1000 + age, path.stat().st_mtime - 100))
    one = store.usage()[1] / 2
    monkeypatch.setenv(store.SIZE_VARIABLE, str(2.5 * one / 1e9))
    assert look(clips[0], bundle, windows)[1] == 0  # used: the second is the oldest now
    look(clips[2], bundle, windows)
    assert store.usage()[1] <= 2.5 * one
    assert look(clips[0], bundle, windows)[1] == 0
    assert look(clips[1], bundle, windows)[1] > 0


def test_nothing_is_kept_where_that_is_asked_for(
    bundle: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = choose_provider("cpu")
    assert kept_features(clip, bundle, cpu, lambda: "") is not None
    monkeypatch.setenv(store.SIZE_VARIABLE, "0")
    assert kept_features(clip, bundle, cpu, lambda: "") is None
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv(store.SIZE_VARIABLE, wrong)
        with pytest.raises(OptionError, match="a number of gigabytes from 0") as caught:
            store.limit()
        assert "\n" not in str(caught.value)
    monkeypatch.setenv(store.SIZE_VARIABLE, "1.5")
    assert store.limit() == 1_500_000_000


def test_a_full_disk_loses_the_cache_and_nothing_else(
    bundle: Bundle, clip: ClipInfo, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = list(stream_features(clip, LONG, bundle.manifest.views, Vision()))

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        assert_equal(look(clip, bundle)[0], plain)
    assert list(home.iterdir()) == []
    shutil.rmtree(home.parent)
    home.parent.write_text("a file in the way")
    assert_equal(look(clip, bundle)[0], plain)


def test_a_clip_that_changes_while_it_is_seen_is_not_kept(
    bundle: Bundle, tmp_path: Path, home: Path
) -> None:
    path = make_small_clip(tmp_path / "c.mp4", seconds=2.0, sound=False)
    info = probe(path)

    def changed() -> str:
        digest = file_sha256(path)
        os.utime(path, (1, 1))
        return digest

    look(info, bundle, [window_times(0.0, 2.0, 8.0)], sha256=changed)
    assert not home.exists() or list(home.iterdir()) == []


def test_damage_is_told_again(bundle: Bundle, clip: ClipInfo, monkeypatch: Any, home: Path) -> None:
    original = module.iter_views

    def damaged(*args: Any, on_warning: Callable[[str], None], **kwargs: Any) -> Iterator[Any]:
        yield from original(*args, on_warning=on_warning, **kwargs)
        on_warning("3 damaged pictures")

    monkeypatch.setattr(module, "iter_views", damaged)
    monkeypatch.setattr(store, "PART_BYTES", 300)  # a part is written before the end
    for _ in range(2):
        told: list[str] = []
        list(
            stream_features(
                clip, LONG, bundle.manifest.views, Vision(),
                kept=kept(clip, bundle), on_warning=told.append,
            )
        )  # fmt: skip
        assert told == ["3 damaged pictures"]
        assert list(home.iterdir()) == []


def test_the_hash_is_not_waited_for_where_nothing_is_kept_of_such_a_clip(
    bundle: Bundle, clip: ClipInfo
) -> None:
    order: list[str] = []

    class Told(Vision):
        def __call__(self, graph: str, frames: Array) -> Array:
            order.append("look")
            return super().__call__(graph, frames)

    def hashed() -> str:
        order.append("hash")
        return file_sha256(clip.path)

    for _ in range(2):
        order.append("run")
        known = kept(clip, bundle, sha256=hashed)
        list(stream_features(clip, LONG, bundle.manifest.views, Told(), kept=known))
    first, second = order[1 : order.index("run", 1)], order[order.index("run", 1) + 1 :]
    assert first[0] == "look"
    assert "hash" in first
    assert set(second) == {"hash"}


def test_what_took_long_is_kept_though_the_rest_is_stopped(
    bundle: Bundle, clip: ClipInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PATIENCE", -1.0)
    views = bundle.manifest.views
    stream = stream_features(clip, LONG, views, Vision(), kept=kept(clip, bundle))
    next(stream)
    stream.close()
    assert look(clip, bundle, LONG[:1])[1] == 0
    assert look(clip, bundle)[1] > 0


def test_a_hash_that_is_stopped_stops_nothing_else(bundle: Bundle, clip: ClipInfo) -> None:
    def stopped() -> str:
        raise Cancelled("cancelled; nothing was written")

    plain = list(stream_features(clip, LONG, bundle.manifest.views, Vision()))
    assert_equal(look(clip, bundle, sha256=stopped)[0], plain)


def test_another_seed_decodes_no_frame_and_loads_no_vision(
    bundle: Bundle, clip: ClipInfo, decoded: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    loaded: list[str] = []
    run, load = Session.run, Session.__init__

    def counted(self: Session, *args: Any, **kwargs: Any) -> Any:
        runs.append(self.path.name)
        return run(self, *args, **kwargs)

    def told(self: Session, path: Path, *args: Any, **kwargs: Any) -> None:
        loaded.append(path.name)
        load(self, path, *args, **kwargs)

    monkeypatch.setattr(Session, "run", counted)
    monkeypatch.setattr(Session, "__init__", told)

    def sound(generator: Generator, **settings: Any) -> Array:
        blocks: list[Array] = []
        runs.clear()
        decoded.clear()
        generator.generate(
            clip,
            GenerationSettings(**settings),
            [blocks.append],
            clip_sha256=lambda: file_sha256(clip.path),
        )
        return np.concatenate(blocks, axis=1)

    sound(Generator(bundle, "cpu"), seed=1)
    assert len(decoded) > 50
    assert runs.count("vision.onnx") > 10
    assert "vision.onnx" in loaded
    loaded.clear()
    again = Generator(bundle, "cpu")
    for settings in ({"seed": 2}, {"seed": 1, "cfg": 3.0}, {"duration": 1.9}):
        here = sound(again, **settings)
        assert (len(decoded), runs.count("vision.onnx")) == (0, 0)
        assert "dit.onnx" in runs
        assert "vision.onnx" not in loaded
        fresh: list[Array] = []
        Generator(bundle, "cpu").generate(clip, GenerationSettings(**settings), [fresh.append])
        np.testing.assert_array_equal(here, np.concatenate(fresh, axis=1))
        loaded.clear()
