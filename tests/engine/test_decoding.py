"""Chunked decoding equals decoding the whole."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.engine.decoding import ChunkedDecoder, decode
from omniaudio_studio.engine.devices import choose_provider
from omniaudio_studio.engine.sessions import Session
from omniaudio_studio.errors import BundleError

Array = np.ndarray
HOP = 3840


@pytest.fixture(scope="module")
def session(bundle: Bundle) -> Session:
    return Session(bundle.graph("vae_decoder"), choose_provider("cpu"))


def latents(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((8, count)).astype(np.float32)


def chunked(decoder: ChunkedDecoder, z: Array, sizes: Sequence[int]) -> Array:
    blocks: list[Array] = []
    at = 0
    for size in [*sizes, z.shape[1]]:
        blocks += decoder.push(z[:, at : at + size])
        at += size
    blocks += decoder.finish()
    return np.concatenate(blocks, axis=1)


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 90),
    chunk=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 40), max_size=5),
    workers=st.integers(1, 3),
)
def test_equal_to_the_whole(
    session: Session, count: int, chunk: int, sizes: list[int], workers: int
) -> None:
    z = latents(count)
    whole = session.run({"z": z[None]})["audio"][0]
    decoder = ChunkedDecoder(
        lambda z, before, after: decode(session, z, before, after, HOP), 3, chunk, workers=workers
    )
    parts = chunked(decoder, z, sizes)
    assert parts.shape == (4, count * HOP)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_too_little_context_is_heard(session: Session) -> None:
    """The test above can fail: without context the seams differ."""
    z = latents(40)
    whole = session.run({"z": z[None]})["audio"][0]
    decoder = ChunkedDecoder(lambda z, before, after: decode(session, z, before, after, HOP), 0, 10)
    assert np.abs(chunked(decoder, z, []) - whole).max() > 1e-3


def test_only_a_few_latents_are_held() -> None:
    widths: list[int] = []

    def silence(z: Array, before: int, after: int) -> Array:
        widths.append(z.shape[2])
        return np.zeros((1, 4, (z.shape[2] - before - after) * 2), dtype=np.float32)

    decoder = ChunkedDecoder(silence, 3, 10)
    given_out = 0
    for _ in range(100):
        for block in decoder.push(latents(7)):
            given_out += block.shape[1] // 2
    assert max(widths) == 16
    assert given_out >= 700 - 10 - 3
    given_out += sum(block.shape[1] // 2 for block in decoder.finish())
    assert given_out == 700


def test_parts_are_decoded_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=20)
    sizes: list[int] = []

    def one(z: Array, before: int, after: int) -> Array:
        together.wait()  # breaks where nobody else comes
        sizes.append(z.shape[2] - before - after)
        return z[:, :4, before : z.shape[2] - after]

    decoder = ChunkedDecoder(one, 2, 8, workers=2)
    z = latents(55)
    np.testing.assert_array_equal(chunked(decoder, z, [20, 13]), z[:4])
    # Rounds of two chunks, and the rest in two halves.
    assert sorted(sizes[:-2]) == [8] * (len(sizes) - 2) and sum(sizes) == 55
    assert abs(sizes[-1] - sizes[-2]) <= 1


def test_what_one_part_raises_is_raised() -> None:
    def one(z: Array, before: int, after: int) -> Array:
        raise BundleError("no")

    with pytest.raises(BundleError, match="no"):
        chunked(ChunkedDecoder(one, 2, 8, workers=2), latents(30), [])


def test_after_finishing_it_is_new(session: Session) -> None:
    decoder = ChunkedDecoder(lambda z, before, after: decode(session, z, before, after, HOP), 3, 8)
    first = chunked(decoder, latents(20), [])
    np.testing.assert_array_equal(chunked(decoder, latents(20), []), first)


@pytest.mark.parametrize("order", ["WYZX", "WXYZ", "XZYW"])
def test_channels_come_out_as_w_y_z_x(order: str) -> None:
    def numbered(z: Array, before: int, after: int) -> Array:
        values = {"W": 0.0, "Y": 1.0, "Z": 2.0, "X": 3.0}
        column = np.array([values[letter] for letter in order], dtype=np.float32)
        return np.repeat(column[None, :, None], z.shape[2] - before - after, axis=2)

    decoder = ChunkedDecoder(numbered, 0, 4, order)
    sound = chunked(decoder, latents(6), [])
    np.testing.assert_array_equal(sound[:, 0], [0, 1, 2, 3])


def test_nothing_in_nothing_out(session: Session) -> None:
    decoder = ChunkedDecoder(lambda z, before, after: decode(session, z, before, after, HOP), 3, 8)
    assert list(decoder.finish()) == []
