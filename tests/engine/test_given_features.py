"""Features from a file: which feature a moment takes, what is refused, and the same sound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.features import stream_features, window_times
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.given_features import (
    GivenFeatures,
    check_given,
    load_features,
)
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.errors import BundleError, MediaError, MissingFileError, OmniAudioError
from omniaudio_studio.media.probe import ClipInfo
from tests.support.tiny_bundle import FEATURES, without_vision

Array = np.ndarray


def arrays(count: int = 20, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        name: rng.standard_normal((count, FEATURES)).astype(np.float32)
        for name in ("equirect", "front")
    }
    values.update(changes)
    return {name: value for name, value in values.items() if value is not None}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "features.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_a_moment_takes_the_last_feature_that_is_not_after_it() -> None:
    values = np.arange(10, dtype=np.float32)[:, None]
    given = GivenFeatures(Path("f.npz"), 4.0, {"view": values})
    times = [np.array([0.0, 0.1, 0.25, 0.4999]), np.array([0.3, 0.5, 2.2, 2.25, 99.0])]
    first, second = given.windows(times)
    np.testing.assert_array_equal(first["view"][:, 0], [0, 0, 1, 1])
    np.testing.assert_array_equal(second["view"][:, 0], [1, 2, 8, 9, 9])
    # Sums of binary fractions fall a little short of their feature's time.
    for rate in (8.0, 12.5, 29.97):
        exact = GivenFeatures(Path("f.npz"), rate, {"view": np.arange(4000.0)[:, None]})
        (seen,) = exact.windows([7 / 3 + np.arange(3000) / rate - 7 / 3])
        np.testing.assert_array_equal(seen["view"][:, 0], np.arange(3000))


def test_progress_counts_each_moment_once() -> None:
    given = GivenFeatures(Path("f.npz"), 8.0, {"view": np.zeros((9, 1), np.float32)})
    counts: list[int] = []
    windows = [window_times(start, 2.0, 8.0) for start in (0.0, 1.0, 2.5)]
    list(given.windows(windows, counts.append))
    assert counts == [16, 8, 12]
    list(given.windows(windows))  # nobody has to be told


def test_the_rate_is_the_file_s_or_the_bundle_s(bundle: Bundle, tmp_path: Path) -> None:
    assert load_features(written(tmp_path), bundle.manifest).rate == 8.0
    for rate in (2, 2.5, np.float32(2.5)):
        given = load_features(written(tmp_path, rate=rate), bundle.manifest)
        assert given.rate == float(rate)


def test_half_floats_are_taken_as_they_are(bundle: Bundle, tmp_path: Path) -> None:
    half = arrays()["front"].astype(np.float16)
    given = load_features(written(tmp_path, front=half), bundle.manifest)
    assert given.views["front"].dtype == np.float32
    np.testing.assert_array_equal(given.views["front"], half.astype(np.float32))


def test_given_features_make_the_sound_that_a_look_makes(
    bundle: Bundle, clip: ClipInfo, tmp_path: Path
) -> None:
    blind = without_vision(bundle, tmp_path / "blind")
    settings = GenerationSettings(seed=3, steps=2, duration=1.92)
    looker = Generator(bundle, "cpu")
    (window,) = looker.plan(clip, settings).window_times
    (seen,) = stream_features(
        clip,
        [window],
        bundle.manifest.views,
        lambda graph, frames: looker_vision(bundle, frames),
    )
    path = tmp_path / "seen.npz"
    np.savez(path, **seen)

    def sound(generator: Generator, **kwargs: Any) -> Array:
        blocks: list[Array] = []
        generator.generate(clip, settings, [blocks.append], **kwargs)
        return np.concatenate(blocks, axis=1)

    expected = sound(looker)
    for other in (bundle, blind):
        given = load_features(path, other.manifest)
        np.testing.assert_array_equal(sound(Generator(other, "cpu"), given=given), expected)
    changed = GivenFeatures(path, 8.0, {name: value + 1 for name, value in seen.items()})
    assert np.abs(sound(Generator(blind, "cpu"), given=changed) - expected).max() > 1e-3
    with pytest.raises(BundleError, match="has no vision graph: give the features"):
        sound(Generator(blind, "cpu"))


def looker_vision(bundle: Bundle, frames: Array) -> Array:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(bundle.graph("vision")), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"frames": frames})[0])


def test_a_bundle_that_sees_needs_nothing(bundle: Bundle, tmp_path: Path) -> None:
    check_given(bundle.manifest, False)
    blind = without_vision(bundle, tmp_path / "blind")
    check_given(blind.manifest, True)
    with pytest.raises(BundleError) as caught:
        check_given(blind.manifest, False)
    assert "--features FILE.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"front": None}, "has no array 'front'; expected one for each view"),
        ({"front": np.zeros((20, 12))}, "expected float16 or float32, found float64"),
        ({"front": np.zeros((20, 12), np.int32)}, "found int32"),
        ({"front": np.zeros(20, np.float32)}, r"expected the shape \(S, ...\)"),
        ({"front": np.float32(1)}, "found a number"),
        ({"front": np.zeros((0, 12), np.float32)}, r"one feature or more, found \(0, 12\)"),
        ({"front": np.full((20, 12), np.nan, np.float32)}, "values that are not finite"),
        ({"front": np.full((20, 12), np.inf, np.float16)}, "values that are not finite"),
        ({"rate": 0.0}, "rate: expected one number above 0"),
        ({"rate": np.nan}, "rate: expected one number above 0"),
        ({"rate": [8.0, 8.0]}, "rate: expected one number above 0"),
        ({"rate": "8"}, "rate: expected one number above 0"),
    ],
)
def test_wrong_arrays_are_one_line(
    bundle: Bundle, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(OmniAudioError, match=said) as caught:
        load_features(written(tmp_path, **changes), bundle.manifest)
    assert "\n" not in str(caught.value)


def test_pickled_arrays_are_refused_and_not_run(bundle: Bundle, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(mark)
    with pytest.raises(MediaError, match="holds Python objects, which are not read"):
        load_features(written(tmp_path, front=trap), bundle.manifest)
    assert not mark.exists()


def test_other_files_are_one_line(bundle: Bundle, tmp_path: Path) -> None:
    manifest = bundle.manifest
    path = tmp_path / "f.npz"
    with pytest.raises(MissingFileError, match="no features at"):
        load_features(path, manifest)
    for content in (b"", b"text, and long enough to be looked into", b"PK\x03\x04 broken"):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"is no \.npz file of arrays"):
            load_features(path, manifest)
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 12), np.float32))
    with pytest.raises(MediaError, match="is a single array"):
        load_features(path, manifest)
    whole = written(tmp_path).read_bytes()
    for cut in (len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:cut])
        with pytest.raises(MediaError, match=r"is no \.npz file of arrays"):
            load_features(path, manifest)
    flipped = bytearray(whole)
    flipped[400] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(MediaError, match="equirect is damaged"):
        load_features(path, manifest)
    with pytest.raises(MissingFileError, match="cannot read"):
        load_features(tmp_path, manifest)


def test_features_of_another_model_are_one_line(
    bundle: Bundle, clip: ClipInfo, tmp_path: Path
) -> None:
    for shape, found in (((20, 13), r"\(20, 13\)"), ((20, 4, 12), r"\(20, 4, 12\)")):
        path = written(tmp_path, front=np.zeros(shape, np.float32))
        given = load_features(path, bundle.manifest)
        with pytest.raises(MediaError, match=rf"front: expected the shape \(S, 12\).*{found}"):
            Generator(bundle, "cpu").generate(
                clip, GenerationSettings(), [lambda block: None], given=given
            )
