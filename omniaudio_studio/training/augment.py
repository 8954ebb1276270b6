"""Pictures in other light: what a stored picture looks like from sample to sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Brightness of the channels in a grey picture.
_GREY = np.full((3, 3), 1 / 3)


def relit(pictures: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Pictures (S, H, W, 3), all changed alike, as float32 in 0..1.

    Colours are mixed, saturated or paled, tinted, and stretched or flattened; some are blurred,
    some noisy.
    """
    import cv2

    saturation = rng.uniform(0.2, 1.5)
    mix = saturation * np.eye(3) + (1 - saturation) * _GREY
    mix = mix @ (np.eye(3) + rng.normal(0, 0.08, (3, 3)))
    if rng.random() < 0.1:
        mix = mix[rng.permutation(3)]
    contrast = rng.uniform(0.7, 1.3)
    mix = contrast * np.diag(rng.uniform(0.8, 1.2, 3)) @ mix
    shift = 0.5 - mix @ np.full(3, 0.5) + rng.uniform(-0.12, 0.12)
    change = np.concatenate([mix / 255, shift[:, None]], axis=1).astype(np.float32)
    flat = pictures.reshape(len(pictures), -1, 3).astype(np.float32)
    out = np.asarray(cv2.transform(flat, change), np.float32).reshape(pictures.shape)
    if rng.random() < 0.3:
        softness = rng.uniform(0.4, 1.1)
        out = np.stack([cv2.GaussianBlur(picture, (0, 0), softness) for picture in out])
    if rng.random() < 0.3:
        out += rng.uniform(0.01, 0.05) * rng.standard_normal(out.shape, np.float32)
    return out.clip(0, 1)
