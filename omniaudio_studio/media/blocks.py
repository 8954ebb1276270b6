"""Streams of sound: blocks, float32 (channels, n), one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def silence(channels: int, count: float) -> Iterator[np.ndarray]:
    """``count`` samples of nothing, in blocks that fit in memory."""
    while count > 0:
        part = int(min(count, 65536))
        yield np.zeros((channels, part), np.float32)
        count -= part


def resampled(
    blocks: Iterator[np.ndarray], own: int, rate: int, channels: int
) -> Iterator[np.ndarray]:
    """The blocks at another rate, their times kept: what the resampler holds back comes last."""
    import soxr

    resampler = soxr.ResampleStream(own, rate, channels, dtype="float32")
    for samples in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(samples.T)).reshape(-1, channels).T
    rest = resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    yield rest.reshape(-1, channels).T


def without(blocks: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """The blocks less their first ``count`` samples."""
    for samples in blocks:
        kept = samples[:, count:]
        count = max(0, count - samples.shape[1])
        if kept.shape[1]:
            yield kept


def regrouped(
    blocks: Iterator[np.ndarray], channels: int, size: int, count: int | None
) -> Iterator[np.ndarray]:
    """Blocks of ``size`` samples; cut, or filled up with silence, to ``count`` in all."""
    waiting: list[np.ndarray] = []
    held = given = 0

    def grouped(source: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        nonlocal waiting, held, given
        for samples in source:
            if count is not None:
                samples = samples[:, : count - given - held]
            waiting.append(samples)
            held += samples.shape[1]
            if held >= size:
                joined = np.concatenate(waiting, axis=1)
                for at in range(0, held - held % size, size):
                    given += size
                    yield np.ascontiguousarray(joined[:, at : at + size])
                waiting = [joined[:, held - held % size :]]
                held %= size
            if count is not None and given + held >= count:
                return

    yield from grouped(blocks)
    if count is not None:
        yield from grouped(silence(channels, count - given - held))
    if held:
        yield np.ascontiguousarray(np.concatenate(waiting, axis=1))
