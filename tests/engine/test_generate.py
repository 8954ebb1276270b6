"""From a clip to sound: against a plain re-implementation, and by what must never change."""

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.engine.generate import GenerationResult, Generator
from omniaudio_studio.engine.noise import initial_noise
from omniaudio_studio.engine.plan import GenerationSettings
from omniaudio_studio.engine.progress import Progress
from omniaudio_studio.errors import BundleError, Cancelled, MediaError, OptionError
from omniaudio_studio.jobs.request import Segment
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.panorama.views import normalise
from tests.support.material import material
from tests.support.slow_bundle import make_slow_bundle
from tests.support.small_clip import make_small_clip
from tests.support.tiny_bundle import make_tiny_bundle

Array = np.ndarray


@pytest.fixture(scope="module")
def generator(bundle: Bundle) -> Generator:
    return Generator(bundle, "cpu")


def generated(generator: Generator, info: ClipInfo, **settings: Any) -> list[Array]:
    takes = settings.get("takes", 1)
    blocks: list[list[Array]] = [[] for _ in range(takes)]
    result = generator.generate(
        info, GenerationSettings(**settings), [block.append for block in blocks]
    )
    sounds = [np.concatenate(block, axis=1) for block in blocks]
    for sound in sounds:
        assert sound.shape == (4, result.samples)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
    return sounds


def plain(bundle: Bundle, info: ClipInfo, seed: int, cfg: float, steps: int) -> Array:
    """The contract written out once more, as simply as it can be: one shot, nothing streamed."""
    graphs = {
        name: onnxruntime.InferenceSession(
            str(bundle.graph(name)), providers=["CPUExecutionProvider"]
        )
        for name in bundle.manifest.graphs
    }
    views = [view.view for view in bundle.manifest.views]
    samples = round(info.duration * 48_000)
    total = -(-samples // 3840)
    starts = [0]
    while starts[-1] + 24 < total:
        starts.append(min(starts[-1] + 20, total - 24))
    latents = np.zeros((8, 0), dtype=np.float32)
    for start in starts:
        second = start / 12.5
        frames = [second + k / 8 for k in range(int(np.ceil(24 / 12.5 * 8)))]
        pictures = list(iter_views(info, frames, views))
        seen = {
            view.name: graphs["vision"].run(
                None, {"frames": normalise(np.stack([p[view.name] for p in pictures]), view)}
            )[0][None]
            for view in views
        }
        local, spread = graphs["conditioner"].run(["local", "global_"], seen)
        there = np.arange(24) / 12.5
        local = np.stack(
            [np.interp(there, np.arange(len(frames)) / 8, column) for column in local[0].T], axis=1
        )[None].astype(np.float32)
        noise = initial_noise(seed, start, 24, 8)
        overlap = latents.shape[1] - start
        context = np.zeros((1, 8, 24), dtype=np.float32)
        mask = np.zeros((1, 1, 24), dtype=np.float32)
        context[0, :, :overlap] = latents[:, start:]
        mask[0, 0, :overlap] = 1
        x = noise[None].copy()
        for step in range(steps):
            t, following = 1 - step / steps, 1 - (step + 1) / steps
            x[0, :, :overlap] = (1 - t) * latents[:, start:] + t * noise[:, :overlap]
            shared = {
                "x": x, "t": np.full(1, t, dtype=np.float32), "global_": spread,
                "context": context, "context_mask": mask,
            }  # fmt: skip
            (c,) = graphs["dit"].run(None, {**shared, "local": local})
            (u,) = graphs["dit"].run(None, {**shared, "local": np.zeros_like(local)})
            x = x + np.float32(following - t) * (u + np.float32(cfg) * (c - u))
        latents = np.concatenate([latents, x[0, :, overlap:]], axis=1)
    return graphs["vae_decoder"].run(None, {"z": latents[None]})[0][0, :, :samples]


def test_against_the_contract_written_out(
    bundle: Bundle, generator: Generator, clip: ClipInfo
) -> None:
    (sound,) = generated(generator, clip, seed=11, cfg=2.5, steps=3)
    expected = plain(bundle, clip, 11, 2.5, 3)
    assert sound.shape == expected.shape
    np.testing.assert_allclose(sound, expected, atol=1e-5)
    assert sound.std() > 0.01


def test_equal_seeds_equal_bits(bundle: Bundle, generator: Generator, clip: ClipInfo) -> None:
    (first,) = generated(generator, clip, seed=5)
    (second,) = generated(generator, clip, seed=5)
    (fresh,) = generated(Generator(bundle, "cpu"), clip, seed=5)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, fresh)
    (other,) = generated(generator, clip, seed=6)
    assert np.abs(first - other).max() > 0.01


def test_takes_are_the_next_seeds(generator: Generator, clip: ClipInfo) -> None:
    takes = generated(generator, clip, seed=2**64 - 1, takes=3)
    for take, seed in zip(takes, (2**64 - 1, 0, 1), strict=True):
        np.testing.assert_array_equal(take, generated(generator, clip, seed=seed)[0])


def test_settings_matter(generator: Generator, clip: ClipInfo) -> None:
    """No option is parsed and ignored."""
    (base,) = generated(generator, clip)
    for change in ({"cfg": 1.0}, {"cfg": 0.0}, {"steps": 9}, {"feature_rate": 2.0}, {"seed": 1}):
        (other,) = generated(generator, clip, **change)
        assert np.abs(base - other).max() > 1e-4, change


def test_the_picture_matters(generator: Generator, clip: ClipInfo, tmp_path: Path) -> None:
    still = probe(make_small_clip(tmp_path / "s.mp4", seconds=7.0, fps=1.0))
    difference = np.abs(generated(generator, clip)[0] - generated(generator, still)[0])
    assert difference.max() > 1e-3


@pytest.mark.parametrize(
    ("start", "duration"), [(0.0, None), (1.0, 2.5), (3.3, None), (6.9, 0.05), (0.0, 1 / 48_000)]
)
def test_lengths_to_the_sample(
    generator: Generator, clip: ClipInfo, start: float, duration: float | None
) -> None:
    (sound,) = generated(generator, clip, start=start, duration=duration)
    length = clip.duration - start if duration is None else duration
    assert sound.shape[1] == pytest.approx(length * 48_000, abs=0.51)


def test_very_short_clips(generator: Generator, tmp_path: Path) -> None:
    info = probe(make_small_clip(tmp_path / "one.mp4", seconds=0.1, sound=False))
    (sound,) = generated(generator, info)
    assert sound.shape[1] == info.samples(48_000) == 4800


def test_odd_rates(tmp_path: Path, clip: ClipInfo) -> None:
    """44.1 kHz and a latent rate that is no round number."""
    folder = make_tiny_bundle(tmp_path / "odd", sample_rate=44_100, hops=(32, 64))
    (sound,) = generated(Generator(load_bundle(folder), "cpu"), clip, start=0.7)
    assert sound.shape[1] == round(clip.duration * 44_100) - round(0.7 * 44_100)


def test_bundles_without_context(tmp_path: Path, clip: ClipInfo) -> None:
    bundle = load_bundle(make_tiny_bundle(tmp_path / "plain", context=False))
    assert generated(Generator(bundle, "cpu"), clip)[0].std() > 0.01


def test_channel_order_and_drop_come_from_the_manifest(tmp_path: Path, clip: ClipInfo) -> None:
    base = generated(Generator(load_bundle(make_tiny_bundle(tmp_path / "a")), "cpu"), clip)[0]
    turned = load_bundle(make_tiny_bundle(tmp_path / "b", channel_order="WXYZ"))
    sound = generated(Generator(turned, "cpu"), clip)[0]
    np.testing.assert_array_equal(sound, base[[0, 2, 3, 1]])
    both = load_bundle(
        make_tiny_bundle(tmp_path / "c", guidance={"drop": ["local", "global_"], "rescale": 0.0})
    )
    assert np.abs(generated(Generator(both, "cpu"), clip)[0] - base).max() > 1e-4


def test_shots(generator: Generator, clip: ClipInfo) -> None:
    cut = 3.3
    (one,) = generated(generator, clip, seed=1)
    (shots,) = generated(generator, clip, seed=1, segments=(Segment(cut, seed=8, cfg=1.0),))
    at = round(cut * 48_000)
    # Before the cut, all but the last latents around it follow the same windows.
    np.testing.assert_allclose(shots[:, :48_000], one[:, :48_000], atol=1e-6)
    assert np.abs(shots[:, at + 4800 :] - one[:, at + 4800 :]).max() > 0.01
    # A shot is what it would be as a range of its own, once the fade is over.
    (alone,) = generated(generator, clip, seed=8, cfg=1.0, start=cut)
    np.testing.assert_allclose(shots[:, at + 1440 :], alone[:, 1440:], atol=1e-5)
    # No click: at the cut the sound does not jump more than elsewhere.
    steps = np.abs(np.diff(shots, axis=1))
    assert steps[:, at - 10 : at + 10].max() <= steps.max()
    assert steps[:, at - 1].max() < 0.3


def level(sound: Array) -> float:
    return float(10 * np.log10(np.mean(sound**2)))


def test_seams_of_a_stationary_sound_cannot_be_heard_in_its_level(tmp_path: Path) -> None:
    bundle = load_bundle(make_tiny_bundle(tmp_path / "even", stationary=True))
    info = probe(make_small_clip(tmp_path / "long.mp4", seconds=40.0, fps=1.0, sound=False))
    generator = Generator(bundle, "cpu")
    windows = generator.plan(info, GenerationSettings()).shots[0].windows
    (sound,) = generated(generator, info)
    differences = []
    for window in windows[1:-1]:
        seam = (window.start + window.overlap) * 3840
        near = level(sound[:, seam - 9600 : seam + 9600])
        around = level(sound[:, seam - 38_400 : seam + 38_400])
        differences.append(near - around)
    assert len(differences) > 15
    assert abs(np.mean(differences)) < 0.5
    assert np.abs(differences).max() < 1.5


def test_progress_reaches_the_end(generator: Generator, clip: ClipInfo) -> None:
    reports: list[Progress] = []
    sink: list[Array] = []
    result = generator.generate(clip, GenerationSettings(), [sink.append], reports.append)
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(reports[-1].total) == pytest.approx(clip.duration)
    assert {report.stage for report in reports} == {"loading", "frames", "sampling", "decoding"}
    assert reports[-1].eta == 0.0
    assert isinstance(result, GenerationResult)
    assert result.windows == 5
    assert sum(result.stages.values()) <= result.seconds


def test_sound_streams_while_later_windows_wait(generator: Generator, clip: ClipInfo) -> None:
    """The first block leaves long before the last frame is seen."""
    events: list[str] = []
    generator.close()
    generator.generate(
        clip, GenerationSettings(),
        [lambda block: events.append("sound")], lambda report: events.append(report.stage),
    )  # fmt: skip
    assert events.index("sound") < len(events) - 1 - events[::-1].index("frames")


def test_memory_is_flat(tmp_path: Path, generator: Generator) -> None:
    """What Python holds at its peak does not follow the clip's length."""
    peaks = []
    for seconds in (20.0, 200.0):
        info = probe(
            make_small_clip(tmp_path / f"{seconds}.mp4", seconds, fps=1.0, width=32, height=16,
                            sound=False)
        )  # fmt: skip
        generator.close()
        generator.load()
        tracemalloc.start()
        generator.generate(info, GenerationSettings(steps=1), [lambda block: None])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize("when", ["frames", "sampling", "decoding"])
def test_cancelling_at_every_stage(generator: Generator, clip: ClipInfo, when: str) -> None:
    generator.close()
    token = CancelToken()

    def watch(report: Progress) -> None:
        if report.stage == when:
            token.cancel()

    with pytest.raises(Cancelled):
        generator.generate(clip, GenerationSettings(), [lambda b: None], watch, token)
    # Still good for the next one.
    assert generated(generator, clip, duration=1.0)[0].shape[1] == 48_000


@pytest.mark.keeps_time
def test_cancelling_inside_a_running_graph(tmp_path: Path, clip: ClipInfo) -> None:
    generator = Generator(load_bundle(make_slow_bundle(tmp_path / "slow")), "cpu")
    token = CancelToken()
    cancelled: list[float] = []

    def cancel() -> None:
        cancelled.append(time.monotonic())
        token.cancel()

    timer = threading.Timer(1.0, cancel)
    timer.start()
    with pytest.raises(Cancelled):
        generator.generate(clip, GenerationSettings(), [lambda b: None], None, token)
    assert time.monotonic() - cancelled[0] < 1.0


def test_wrong_calls(generator: Generator, clip: ClipInfo) -> None:
    with pytest.raises(OptionError, match="a sink for each of 2 takes, found 1"):
        generator.generate(clip, GenerationSettings(takes=2), [lambda b: None])
    with pytest.raises(OptionError, match="steps"):
        generator.generate(clip, GenerationSettings(steps=0), [lambda b: None])
    with pytest.raises(OptionError, match="range ends"):
        generator.samples(clip, GenerationSettings(start=5.0, duration=50.0))
    assert generator.samples(clip, GenerationSettings(start=5.0)) == 96_000


def test_graphs_that_break_the_contract(tmp_path: Path, clip: ClipInfo) -> None:
    swapped = make_tiny_bundle(
        tmp_path / "swapped",
        graphs={
            "vision": "vision.onnx", "conditioner": "conditioner.onnx", "dit": "vae_decoder.onnx",
            "vae_decoder": "dit.onnx",
        },
    )  # fmt: skip
    with pytest.raises(BundleError, match="expected an input 'x'"):
        Generator(load_bundle(swapped), "cpu").load()
    named = make_tiny_bundle(tmp_path / "named", guidance={"drop": ["locale"], "rescale": 0.0})
    with pytest.raises(BundleError, match=r"guidance\.drop: 'locale' is no input of the DiT"):
        Generator(load_bundle(named), "cpu").load()
    wide = make_tiny_bundle(tmp_path / "wide", latent={"rate": 12.5, "hop": 3840, "channels": 9})
    with pytest.raises(BundleError, match=r"latent\.channels: expected 8 as in the DiT, found 9"):
        Generator(load_bundle(wide), "cpu").load()
    short = make_tiny_bundle(tmp_path / "short", latent={"rate": 25.0, "hop": 1920, "channels": 8})
    with pytest.raises(BundleError, match="expected a result of shape"):
        generated(Generator(load_bundle(short), "cpu"), clip, duration=1.0)


def test_not_a_number_is_never_delivered(tmp_path: Path, clip: ClipInfo) -> None:
    """A model that diverges is said to, instead of writing a file that hurts."""
    bundle = load_bundle(
        make_tiny_bundle(tmp_path / "wild", guidance={"drop": ["local", "global_"]})
    )
    generator = Generator(bundle, "cpu")
    with pytest.raises(BundleError, match="not a number"):
        generated(generator, clip, cfg=3.4e38, duration=1.0)


def test_clips_that_vanish(generator: Generator, clip: ClipInfo, tmp_path: Path) -> None:
    gone = replace(clip, path=tmp_path / "gone.mp4")
    with pytest.raises((MediaError, FileNotFoundError)):
        generated(generator, gone)


def test_a_real_clip(generator: Generator) -> None:
    info = probe(material("clips/ricoh_360_mono_40s.mp4"))
    (sound,) = generated(generator, info)
    assert sound.shape[1] == round(info.duration * 48_000)
    (part,) = generated(generator, info, start=10.0, duration=7.5)
    assert part.shape[1] == 360_000
