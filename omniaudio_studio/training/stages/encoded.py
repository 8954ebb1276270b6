"""Latents and features of what a flow is trained on, excerpt by excerpt, out of encoded shards."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.bundles.resample import resampling_matrix
from omniaudio_studio.errors import MediaError
from omniaudio_studio.training.data.shards import open_shards

Array = NDArray[np.float32]


class Excerpt(NamedTuple):
    """``mean`` and ``std`` (C, T) of the latents, features by name (S, ...), and the matrix (T, S)
    that brings features to the latents' times (None where there are no features)."""

    mean: Array
    std: Array
    features: dict[str, Array]
    to_latents: Array | None


class EncodedClips:
    """Clips of one length in a folder that `data.encode` wrote.

    Parameters
    ----------
    folder
    channels
        Latent channels that are expected.
    features
        Names of the features that are expected of each picture; none for sound alone.
    whole
        Excerpts are whole clips (the paper's networks, whose splines are tied to both ends).

    Raises
    ------
    MissingFileError, MediaError
        If there are no finished shards, or they were encoded by other networks.
    """

    def __init__(
        self, folder: Path, channels: int, features: tuple[str, ...], *, whole: bool = False
    ) -> None:
        self._shards = open_shards(folder)
        if self._shards.channels != channels:
            raise MediaError(
                f"{folder} holds latents of {self._shards.channels} channels, expected {channels}: "
                "encode it with the networks of this preset"
            )
        missing = [name for name in features if name not in self._shards.fields]
        if missing:
            held = ", ".join(n for n in self._shards.fields if n not in ("mean", "std")) or "none"
            raise MediaError(
                f"{folder} holds no features {', '.join(missing)} of pictures (found: {held}): "
                "encode it with the networks of this preset, from material with pictures"
            )
        self._features, self._whole = features, whole
        #: Latent frames of a clip.
        self.longest = int(self._shards.fields["mean"][1])

    def __len__(self) -> int:
        return len(self._shards)

    def sizes(self, name: str) -> tuple[int, ...]:
        """Shape of a feature, ``(S, ...)``."""
        return self._shards.fields[name]

    def most(self, wanted: int) -> int:
        """Latent frames of an excerpt that is to have ``wanted``."""
        return self.longest if self._whole else min(wanted, self.longest)

    def draw_length(self, most: int, rng: np.random.Generator) -> int:
        """``most``, and less now and then, since a clip can be shorter than a window."""
        if not self._whole and rng.random() < 0.2:
            return int(rng.integers(max(2, most // 4), most + 1))
        return most

    def draw(self, length: int, rng: np.random.Generator) -> Excerpt:
        """Any excerpt of a length that `draw_length` gave."""
        index, start = int(rng.integers(len(self))), rng.random()
        return self.whole(index) if self._whole else self.excerpt(index, start, length)

    def excerpt(self, index: int, start: float, length: int) -> Excerpt:
        """``length`` latent frames; ``start`` in 0..1 is from the first to the last possible place.

        Features are interpolated in a straight line, and the last is held, as generating does
        (`bundles.resample`, "linear"). Those of all excerpts of a length have one shape.
        """
        arrays = self._read(index)
        begin = min(int(start * (self.longest - length + 1)), self.longest - length)
        there = slice(begin, begin + length)
        mean, std = arrays["mean"][:, there], arrays["std"][:, there]
        if not self._features:
            return Excerpt(mean, std, {}, None)
        frames = self.sizes(self._features[0])[0]
        rate, latent_rate = self._shards.feature_rate, self._shards.latent_rate
        assert rate is not None
        wanted = min(frames, int(np.ceil(length / latent_rate * rate)) + 1)
        first = min(int(begin / latent_rate * rate), frames - wanted)
        times = (begin + np.arange(length)) / latent_rate * rate - first
        low = np.clip(np.floor(times).astype(int), 0, wanted - 1)
        high = np.minimum(low + 1, wanted - 1)
        part = np.clip(times - low, 0, 1)
        matrix = np.zeros((length, wanted), np.float32)
        matrix[np.arange(length), low] += 1 - part
        matrix[np.arange(length), high] += part
        seen = slice(first, first + wanted)
        return Excerpt(mean, std, {n: arrays[n][seen] for n in self._features}, matrix)

    def whole(self, index: int) -> Excerpt:
        """All of a clip, features by a natural spline with aligned ends (`bundles.resample`)."""
        arrays = self._read(index)
        features = {name: arrays[name] for name in self._features}
        matrix = None
        if features:
            frames = self.sizes(self._features[0])[0]
            matrix = resampling_matrix("spline-aligned", self.longest, frames, 1.0, 1.0)
        return Excerpt(arrays["mean"], arrays["std"], features, matrix)

    def _read(self, index: int) -> dict[str, Array]:
        sample = self._shards[index]
        return {n: sample[n].astype(np.float32) for n in ("mean", "std", *self._features)}
