"""The tagger that ships with the evaluation: names the class of a sound.

A graph of a few hundred thousand weights beside this file (`tagger.md` says what it was trained
on). ONNX Runtime and NumPy run it; its spectrogram is part of the graph.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omniaudio_studio.errors import BundleError, MissingFileError

PATH = Path(__file__).with_name("tagger.onnx")

LEAST_SECONDS = 0.5  # what is shorter is followed by silence


class Tagger:
    """A tagger, loaded.

    Parameters
    ----------
    path
        A graph as `omniaudio train tagger` writes it: ``sound`` (1, n) -> ``scores`` (1, classes),
        with the names of the classes, the sample rate and the samples per frame in its metadata.

    Attributes
    ----------
    classes
        Names, in the order of the scores.

    Raises
    ------
    MissingFileError, BundleError
        If there is no such file, or it is no tagger.
    """

    def __init__(self, path: Path = PATH) -> None:
        from omniaudio_studio.engine.devices import quiet_runtime

        if not path.is_file():
            raise MissingFileError(f"no tagger at {path}; train one with: omniaudio train tagger")
        runtime = quiet_runtime()
        try:
            self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            notes = self._session.get_modelmeta().custom_metadata_map
            self.classes: tuple[str, ...] = tuple(json.loads(notes["classes"]))
            self.rate, self._frame = int(notes["sample_rate"]), int(notes["frame"])
        except Exception as error:  # the runtime's own errors have no common base
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BundleError(
                f"{path} is no tagger ({reason}); train one with: omniaudio train tagger"
            ) from error

    def scores(self, signal: ArrayLike, rate: int) -> NDArray[np.float64]:
        """Probabilities of the classes, adding up to 1.

        Parameters
        ----------
        signal : array_like, shape (n,)
            W, or any single channel. Its level does not matter.
        rate : int
            Samples per second; resampled where the tagger's own differs.
        """
        sound = np.asarray(signal, np.float32)
        if sound.ndim != 1:
            raise ValueError(f"expected one channel, found shape {sound.shape}")
        if rate != self.rate:
            import soxr

            sound = soxr.resample(sound, rate, self.rate, quality="HQ")
        frames = -(-max(sound.size, round(LEAST_SECONDS * self.rate)) // self._frame)
        padded = np.zeros((1, frames * self._frame), np.float32)
        padded[0, : sound.size] = sound
        raw = self._session.run(["scores"], {"sound": padded})[0][0].astype(np.float64)
        powers = np.exp(raw - raw.max())
        return powers / powers.sum()

    def name(self, signal: ArrayLike, rate: int) -> str:
        """The likeliest class; parameters as those of :meth:`scores`."""
        return self.classes[int(self.scores(signal, rate).argmax())]
