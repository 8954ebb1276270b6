"""Initial noise that depends on the seed and the place in the clip, and on nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEEDS = 2**64


def initial_noise(seed: int, first_frame: int, frames: int, channels: int) -> NDArray[np.float32]:
    """Standard normal noise for consecutive latent frames.

    Frame f draws from a Philox-4x64-10 generator [1]_ with the key (seed, f). Pairs of its raw
    64-bit words become uniforms in (0, 1) and those become pairs of normals by the transform of Box
    and Muller [2]_. Nothing is left to a library's choice of algorithm for normals, so the numbers
    stay the same for every NumPy version, device, batch and window.

    Parameters
    ----------
    seed
        Any integer; taken modulo 2^64.
    first_frame
        Absolute latent frame of the first column, counted from the clip's start; modulo 2^64.
    frames, channels
        Size of the result, each at least 0.

    Returns
    -------
    ndarray
        float32 (channels, frames), mean 0, variance 1.

    References
    ----------
    .. [1] Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    .. [2] Box and Muller, "A note on the generation of random normal deviates", 1958.
    """
    pairs = (channels + 1) // 2
    raw = np.empty((frames, 2 * pairs), dtype=np.uint64)
    for index in range(frames):
        key = np.array([seed % SEEDS, (first_frame + index) % SEEDS], dtype=np.uint64)
        raw[index] = np.random.Philox(key=key).random_raw(2 * pairs)
    # The upper 53 bits, moved to the middle of their cell: never 0, whose logarithm is infinite.
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log(uniform[:, :pairs]))
    angle = 2.0 * np.pi * uniform[:, pairs:]
    normal = np.empty((frames, 2 * pairs))
    normal[:, 0::2] = radius * np.cos(angle)
    normal[:, 1::2] = radius * np.sin(angle)
    return np.ascontiguousarray(normal[:, :channels].T.astype(np.float32))


def take_seed(seed: int, take: int) -> int:
    """Seed of take ``take`` (from 0): seed + take, around at 2^64."""
    return (seed + take) % SEEDS
