"""Sound becomes latents, and a range is held to what lies around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.bundles.bundle import load_bundle
from omniaudio_studio.engine.decoding import ChunkedDecoder
from omniaudio_studio.engine.encoding import Surroundings, encode
from omniaudio_studio.engine.generate import Generator
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.errors import BundleError
from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.media.probe import ClipInfo
from tests.support.tiny_bundle import make_tiny_bundle

HOP = 3840


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    folder = tmp_path_factory.mktemp("faithful") / "bundle"
    return Generator(load_bundle(make_tiny_bundle(folder, faithful=True)), "cpu")


@pytest.fixture
def latents(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What goes into the decoder, in the order of its making."""
    seen: list[np.ndarray] = []
    push = ChunkedDecoder.push

    def watched(self: ChunkedDecoder, values: np.ndarray) -> Iterator[np.ndarray]:
        seen.append(values.copy())
        return push(self, values)

    monkeypatch.setattr(ChunkedDecoder, "push", watched)
    return seen


def some(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((8, count)).astype(np.float32)


def generate(
    generator: Generator, clip: ClipInfo, around: Surroundings | None, **settings: object
) -> np.ndarray:
    blocks: list[np.ndarray] = []
    values = GenerationSettings(seed=4, **settings)  # type: ignore[arg-type]
    generator.generate(clip, values, [blocks.append], around=around)
    return np.concatenate(blocks, axis=1)


def test_channels_are_put_into_the_encoder_s_order() -> None:
    sound = np.arange(8, dtype=np.float32).reshape(4, 2)  # W Y Z X
    latent = encode(lambda audio: audio[:, :, :1], sound, "WXYZ")
    assert latent[:, 0].tolist() == [0, 6, 2, 4]


def test_an_encoded_take_is_its_latents(
    generator: Generator, clip: ClipInfo, latents: list[np.ndarray]
) -> None:
    sound = generate(generator, clip, None, duration=4.0)
    made = np.concatenate(latents, axis=1)
    np.testing.assert_allclose(generator.encode(sound[:, : 50 * HOP]), made[:, :50], atol=1e-4)


@pytest.mark.parametrize("frames", [20, 60])  # one window, and several
def test_both_ends_are_what_they_are_held_to_to_the_bit(
    generator: Generator, clip: ClipInfo, latents: list[np.ndarray], frames: int
) -> None:
    around = Surroundings(before=some(4), after=some(3, 1))
    sound = generate(generator, clip, around, duration=frames * HOP / 48_000)
    made = np.concatenate(latents, axis=1)
    assert made.shape == (8, frames)
    np.testing.assert_array_equal(made[:, :4], around.before)
    np.testing.assert_array_equal(made[:, -3:], around.after)
    assert not np.isclose(made[:, 4:8], around.before).any(axis=0).all()
    # What lies between knows of both.
    latents.clear()
    free = generate(generator, clip, None, duration=frames * HOP / 48_000)
    assert np.abs(np.concatenate(latents, axis=1)[:, 4] - made[:, 4]).max() > 1e-3
    assert np.abs(np.concatenate(latents, axis=1)[:, -4] - made[:, -4]).max() > 1e-3
    latents.clear()
    np.testing.assert_array_equal(
        generate(generator, clip, around, duration=frames * HOP / 48_000), sound
    )
    assert not np.array_equal(free, sound)


def test_a_range_with_cuts_is_held_in_its_first_and_its_last_shot(
    generator: Generator, clip: ClipInfo, latents: list[np.ndarray]
) -> None:
    around = Surroundings(before=some(4), after=some(3, 1))
    cuts = (Segment(1.0), Segment(2.03))
    generate(generator, clip, around, segments=cuts, duration=2.03 + 16 * HOP / 48_000)
    first, middle, last = latents
    np.testing.assert_array_equal(first[:, :4], around.before)
    np.testing.assert_array_equal(last[:, 13:16], around.after)
    latents.clear()
    generate(generator, clip, None, segments=cuts, duration=2.03 + 16 * HOP / 48_000)
    np.testing.assert_array_equal(latents[1], middle)


def test_a_bundle_without_an_encoder_cannot_encode(tmp_path: Path) -> None:
    names = ("vision", "conditioner", "dit", "vae_decoder")
    bundle = make_tiny_bundle(tmp_path / "b", graphs={name: f"{name}.onnx" for name in names})
    blind = Generator(load_bundle(bundle), "cpu")
    with pytest.raises(BundleError, match="no graph 'vae_encoder'"):
        blind.encode(np.zeros((4, HOP), np.float32))


def test_an_encoder_of_another_hop_is_refused(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "b", latent={"rate": 25.0, "hop": 1920, "channels": 8})
    with pytest.raises(BundleError, match="expected a result of shape"):
        Generator(load_bundle(bundle), "cpu").encode(np.zeros((4, 2 * HOP), np.float32))
