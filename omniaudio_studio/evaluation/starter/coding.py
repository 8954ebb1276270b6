"""What a VAE is compared with: the same sound without its phase, and as an Opus stream."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets.conditioning import RATE
from omniaudio_studio.evaluation.starter.subject import Latents

Foa = NDArray[np.float32]

HOP = 480
WINDOW = 3 * HOP
ITERATIONS = 8
MOMENTUM = 0.9
"""As in the decoder of the project's own bundles (`training.networks.vae`)."""


def latent_bits(latents: Latents, seconds: float) -> float | None:
    """Information of latents in bits per second; None where the encoder tells no spread.

    A latent that is known as a normal distribution with mean m and spread s, where standard normal
    ones are expected, tells (m^2 + s^2 - 1) / 2 - ln s nats: what a sender must spend on it at
    least, and on average can come near (Harsha et al., "The communication complexity of
    correlation", 2010). Stored as they are, latents take more: 16 bits of each are
    16 x channels x rate.
    """
    if latents.spread is None:
        return None
    mean, spread = latents.mean.astype(np.float64), latents.spread.astype(np.float64)
    spread = np.maximum(spread, 1e-6)
    nats = 0.5 * (mean**2 + spread**2 - 1) - np.log(spread)
    return float(nats.sum() / np.log(2) / seconds)


def without_phase(foa: Foa) -> Foa:
    """A field whose spectra are the true ones, but for W's phase, which Griffin-Lim must find.

    An upper bound for decoders that make magnitudes and find the phase: no latent, no network. All
    channels are turned alike in every bin, so that their ratios stay exact. Iterations, momentum
    and windows are those of the project's own decoder; the first phase is random.

    Griffin and Lim, "Signal estimation from modified short-time Fourier transform", 1984, with the
    momentum of Perraudin et al., "A fast Griffin-Lim algorithm", 2013.

    Parameters
    ----------
    foa
        float32 (4, n) at 48 kHz.
    """
    samples = foa.shape[1]
    spectra = np.stack([_spectrum(channel) for channel in foa.astype(np.float64)])
    magnitude = np.abs(spectra[0])
    rng = np.random.default_rng(0)
    phase = np.exp(1j * rng.uniform(-np.pi, np.pi, magnitude.shape))
    before = phase
    for _ in range(ITERATIONS):
        found = _spectrum(_sound(magnitude * (phase + MOMENTUM * (phase - before))))
        before, phase = phase, found / np.maximum(np.abs(found), 1e-12)
    turn = phase * np.conj(spectra[0]) / np.maximum(magnitude, 1e-12)
    turn = np.where(magnitude > 1e-12, turn, 1)
    return np.stack([_sound(one * turn)[:samples] for one in spectra]).astype(np.float32)


def _spectrum(signal: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Windows of three hops, silence around the signal, (frames, bins)."""
    frames = -(-signal.size // HOP) + 2
    padded = np.zeros((frames + 2) * HOP)
    padded[2 * HOP : 2 * HOP + signal.size] = signal
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.fft.rfft(windows * _taper())


def _sound(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The inverse: overlap-add of windows; squared windows of three hops add up to 9/8."""
    pieces = np.fft.irfft(spectrum, WINDOW) * _taper() * (8 / 9)
    frames = len(pieces)
    out = np.zeros((frames + 2, HOP))
    for part in range(3):
        out[part : part + frames] += pieces[:, part * HOP : (part + 1) * HOP]
    return out.reshape(-1)[2 * HOP : -2 * HOP]


def _taper() -> NDArray[np.float64]:
    return np.hanning(WINDOW + 1)[:-1]


def opus_round_trip(foa: Foa, bits_per_second: float) -> tuple[Foa, float]:
    """A field through Opus and back, and the bits per second that the stream really has.

    Four mono streams (mapping family 255) at a quarter each, so that nothing is assumed of how
    channels belong together. The encoder goes no lower than about 4.7 kbit/s a channel.

    Parameters
    ----------
    foa
        float32 (4, n) at 48 kHz.
    bits_per_second
        Of all four together.
    """
    import av

    samples, size = foa.shape[1], 0
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as out:
        stream = out.add_stream(
            "libopus", rate=RATE, layout="quad", options={"mapping_family": "255"}
        )
        stream.bit_rate = max(2000, round(bits_per_second))
        packed = np.ascontiguousarray(np.clip(foa, -1, 1).T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="quad")
        frame.sample_rate, frame.pts = RATE, 0
        for given in (frame, None):
            for packet in stream.encode(given):
                size += packet.size
                out.mux(packet)
    file.seek(0)
    with av.open(file, "r") as back:
        blocks = [block.to_ndarray() for block in back.decode(audio=0)]
    decoded = np.zeros((4, samples), np.float32)
    sound = np.concatenate(blocks, axis=1)[:, :samples]
    decoded[:, : sound.shape[1]] = sound
    return decoded, 8 * size * RATE / samples
