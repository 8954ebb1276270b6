"""Stage `tagger`: names classes of sounds, so that an evaluation can tell what was generated.

It is trained on what scenes play: recordings from anywhere on, again and again, with reflections
and noise. A few hundred recordings are little, so that they are
varied in every way that keeps their class: time, speed, timbre, two at once, parts of the
spectrogram masked (D. Park et al., "SpecAugment", Interspeech 2019). A mixture has its parts'
shares of both classes (Y. Tokozume et al., "Learning from between-class examples for deep sound
recognition", ICLR 2018).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.datasets.envelope import arrange
from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.errors import OptionError
from omniaudio_studio.files import written_whole
from omniaudio_studio.training.checkpoint import load_average
from omniaudio_studio.training.export import GraphCheck, GraphPart, write_graph
from omniaudio_studio.training.networks.tagger import Tagger, TaggerConfig, tagging_loss
from omniaudio_studio.training.presets import StageSetup
from omniaudio_studio.training.task import Arrays, Losses, Task

Sound = NDArray[np.float32]

SETUP = StageSetup(steps=800, batch=24, length=256, rate=2e-3, warmup=50, ema=0.995)
"""What the shipped tagger was trained with; ``length`` in its frames: 3.4 s."""

MIXED = 0.5  # of the samples have two sounds
PAUSING = 0.4  # of the sounds are followed by up to two seconds of silence
NOISY = 0.6
REFLECTED = 0.5
SPEED = 0.12  # largest change of speed, and so of pitch
TIMBRE_DB = 5.0  # largest gain or loss of an octave or so
BLURRED = 0.5  # of the samples' spectrograms are smoothed, as what autoencoders make is
MASKED_BANDS, MASKED_FRAMES = 12, 40  # longest mask


class TaggerTask(Task):
    """Trains a `Tagger` on the sounds of a library; lengths are in its frames.

    Raises
    ------
    OptionError
        If the library has fewer than two classes.
    """

    def __init__(self, library: MaterialLibrary, setup: StageSetup) -> None:
        if len(library.classes) < 2:
            raise OptionError(
                "a tagger tells classes apart: expected sounds of two or more, found "
                f"{', '.join(library.classes)}"
            )
        torch.manual_seed(setup.seed)  # the first weights
        network = Tagger(TaggerConfig(len(library.classes)))
        super().__init__(network)
        self.network = network
        self.library = library
        self._frames = setup.length

    def row(self, plan: Any, rng: np.random.Generator) -> Arrays:
        """``sound`` float32 (samples,), ``shares`` (classes,), ``blur`` (), 0..1, and ``bands`` and
        ``frames``: 0 where the spectrogram is masked."""
        config = self.network.config
        samples = self._frames * config.frame
        shares = np.zeros(config.classes, np.float32)
        sound = np.zeros(samples, np.float32)
        share = float(rng.uniform(0.3, 1.0)) if rng.random() < MIXED else 1.0
        for part in (share, 1.0 - share):
            if part > 0:
                index = int(rng.integers(config.classes))
                one = played(self.library, self.library.classes[index], rng, samples)
                sound += np.float32(part) * one
                shares[index] += part
        return {
            "sound": disturbed(sound, rng),
            "shares": shares,
            "blur": np.asarray(rng.uniform(0, 1) if rng.random() < BLURRED else 0, np.float32),
            "bands": _mask(config.bands, MASKED_BANDS, rng),
            "frames": _mask(self._frames, MASKED_FRAMES, rng),
        }

    def losses(self, batch: dict[str, Tensor]) -> Losses:
        """Cross-entropy, and how often the class with the largest share is named ("right")."""
        network = self.network
        with torch.no_grad():
            levels = network.levels(network.spectrum.fast(batch["sound"]).abs() ** 2)
            smooth = functional.avg_pool2d(levels, (5, 3), 1, (2, 1), count_include_pad=False)
            levels = torch.lerp(levels, smooth, batch["blur"][:, None, None])
            levels = levels * batch["frames"][:, :, None] * batch["bands"][:, None, :]
        scores = network.classify(levels)
        loss = tagging_loss(scores, batch["shares"])
        right = (scores.argmax(1) == batch["shares"].argmax(1)).float().mean()
        return {"loss": loss, "right": right.detach()}


def played(library: MaterialLibrary, name: str, rng: np.random.Generator, samples: int) -> Sound:
    """A sound of a class as scenes play it: float32 (samples,) at a root mean square of 0.1.

    Short ones again and again with pauses, long ones from anywhere on; a fifth of all begin late or
    end early.
    """
    sound = library.sound(name, rng)
    if rng.random() < PAUSING:
        # As recordings have them; the library shortens pauses.
        sound = np.concatenate([sound, np.zeros(int(rng.uniform(0, 2) * RATE), np.float32)])
    sound = _at_speed(sound, float(rng.uniform(1 - SPEED, 1 + SPEED)))
    length, seconds = sound.size / RATE, samples / RATE
    offset, pause = float(rng.uniform(0, length)), float(rng.uniform(0, 0.5))
    start, stop = 0.0, seconds
    if rng.random() < 0.2:
        start, stop = seconds * np.sort(rng.uniform(0, 1, 2) * [0.5, 1.0])
        stop = max(float(stop), float(start) + 0.3 * seconds)
    events = []
    while start < stop:
        heard = min(length - offset, stop - start)
        events.append((float(start), offset, float(heard)))
        start, offset = start + heard + (pause if length <= 3 else 0.0), 0.0
    out = arrange(sound, events, samples)
    power = float(np.mean(out**2))
    return out * np.float32(0.1 / np.sqrt(power)) if power > 1e-8 else out


def disturbed(sound: Sound, rng: np.random.Generator) -> Sound:
    """The sound with another timbre, in a room, in noise: float32, the same length."""
    size = 1 << (sound.size - 1).bit_length()
    spectrum = np.fft.rfft(sound, size)
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 20.0)
    corners = np.geomspace(60, 16000, 6)
    gains = rng.uniform(-1, 1, 6) * rng.uniform(0, TIMBRE_DB)
    spectrum *= 10 ** (np.interp(np.log(frequency), np.log(corners), gains) / 20)
    if rng.random() < REFLECTED:
        for delay in rng.uniform(0.002, 0.05, int(rng.integers(1, 6))):
            strength = rng.uniform(0.1, 0.5) * rng.choice([-1.0, 1.0])
            spectrum = spectrum * (1 + strength * np.exp(-2j * np.pi * frequency * delay))
    if rng.random() < NOISY:
        noise = rng.standard_normal((spectrum.size, 2)) @ np.array([1, 1j])
        noise *= (np.maximum(frequency, 40) / 1000) ** (rng.uniform(-6, 0) / 6.02)
        level = np.linalg.norm(spectrum) / np.linalg.norm(noise)
        spectrum = spectrum + noise * level * 10 ** (-rng.uniform(15, 50) / 20)
    return np.fft.irfft(spectrum, size)[: sound.size].astype(np.float32)


def load_tagger(classes: int, checkpoint: Path) -> Tagger:
    """The averaged weights of a checkpoint."""
    network = Tagger(TaggerConfig(classes)).eval().requires_grad_(False)
    load_average(checkpoint, network)
    return network


def export_tagger(tagger: Tagger, classes: tuple[str, ...], path: Path) -> list[GraphCheck]:
    """Write the graph: ``sound`` [B, F * frame] -> ``scores`` [B, classes], weights in 16 bits.

    Its metadata hold the names of the classes, the sample rate and the samples per frame.

    Raises
    ------
    BundleError
        If the graph does not agree with torch.
    """
    import onnx

    config = tagger.config
    generator = torch.Generator().manual_seed(1)
    example = 0.1 * torch.randn(2, 150 * config.frame, generator=generator)
    part = GraphPart(
        path.stem,
        tagger,
        {"sound": example},
        ["scores"],
        {"sound": {0: "B", 1: f"{config.frame}*F"}},
        1e-3,
    )
    with written_whole(path, overwrite=True) as temporary:
        checks = write_graph(part, temporary, half=True, say=lambda _: None)
        model = onnx.load(str(temporary))
        notes = {
            "classes": json.dumps(list(classes)),
            "sample_rate": str(config.sample_rate),
            "frame": str(config.frame),
        }
        onnx.helper.set_model_props(model, notes)
        onnx.save(model, str(temporary))
    return checks


def _at_speed(sound: Sound, speed: float) -> Sound:
    """The sound played faster or slower, by linear interpolation."""
    return np.interp(np.arange(0, sound.size - 1, speed), np.arange(sound.size), sound).astype(
        np.float32
    )


def _mask(size: int, longest: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Ones, and zeros where one stretch of up to ``longest`` is masked."""
    mask = np.ones(size, np.float32)
    length = int(rng.integers(0, min(longest, size // 2) + 1))
    start = int(rng.integers(0, size - length + 1))
    mask[start : start + length] = 0
    return mask
