"""A part of a take is rolled again: the rest stays to the bit, and the part agrees with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from omniaudio_studio.bundles.bundle import Bundle, load_bundle
from omniaudio_studio.bundles.manifest import Manifest
from omniaudio_studio.engine.plan import GenerationSettings, plan_generation
from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.jobs.earlier_take import EarlierTake
from omniaudio_studio.jobs.request import GenerateRequest, Segment
from omniaudio_studio.jobs.rerolling import Part, Reroll, held, plan_part
from omniaudio_studio.jobs.run import run_request
from omniaudio_studio.jobs.sidecar import reproduction
from omniaudio_studio.jobs.splicing import splice
from omniaudio_studio.media.probe import ClipInfo, probe
from omniaudio_studio.media.wav import write_wav
from tests.support.small_clip import make_small_clip
from tests.support.tiny_bundle import make_tiny_bundle

RATE = 48_000


def field(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture
def base(small_clip: Path, tiny_bundle: Path, tmp_path: Path) -> GenerateRequest:
    request = GenerateRequest(
        small_clip, tmp_path / "base.wav", bundle=str(tiny_bundle), device="cpu", yaw=20.0
    )
    run_request(request)
    return request


def again(base: GenerateRequest, **changes: Any) -> GenerateRequest:
    values: dict[str, Any] = {
        "output": base.output.with_name("again.wav"),
        "base_take": base.output,
        "base_range": (0.75, 1.25),
        "seed": 99,
    }
    return replace(base, **{**values, **changes})


@pytest.mark.parametrize("subtype", ["float32", "pcm24"])
def test_only_the_range_is_new(base: GenerateRequest, subtype: str) -> None:
    base = replace(base, subtype=subtype, overwrite=True)
    run_request(base)
    request = again(base)
    result = run_request(request)
    old, new = field(base.output), field(request.output)
    assert new.shape == old.shape
    first, end = round(0.75 * RATE), round(1.25 * RATE)
    np.testing.assert_array_equal(new[:, :first], old[:, :first])
    np.testing.assert_array_equal(new[:, end:], old[:, end:])
    inside = slice(round(0.80 * RATE), round(1.20 * RATE))
    assert np.mean(np.abs(new[:, inside] - old[:, inside])) > 1e-4
    assert result.takes[0].samples == old.shape[1]
    assert result.warnings == ()


def test_it_can_be_made_again_as_long_as_the_base_is_there(
    base: GenerateRequest, tmp_path: Path
) -> None:
    request = again(base, rate=RATE)
    run_request(request)
    expected = reproduction(tmp_path / "again.json", output=tmp_path / "third.wav")
    run_request(expected.request, expected=expected)
    assert (tmp_path / "third.wav").read_bytes() == request.output.read_bytes()
    write_wav(base.output, np.zeros((4, 96000), np.float32), RATE)
    expected = reproduction(tmp_path / "again.json", output=tmp_path / "fourth.wav")
    with pytest.raises(MediaError, match="not the earlier take"):
        run_request(expected.request, expected=expected)


@pytest.mark.parametrize("base_range", [(0.0, 0.5), (1.5, 2.0), (0.0, 2.0), (0.01, 1.99)])
def test_a_range_may_touch_the_ends(base: GenerateRequest, base_range: tuple[float, float]) -> None:
    result = run_request(again(base, base_range=base_range))
    assert soundfile.info(base.output.with_name("again.wav")).frames == 96000
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"base_range": (1.0, 2.5)}, OptionError, "not within"),
        ({"start": 0.5, "base_range": (0.6, 1.0)}, MediaError, "not a take of this range"),
        ({"rate": 44100}, MediaError, "not a take of this range"),
        ({"loudness": -23.0}, OptionError, "level"),
    ],
)
def test_what_does_not_fit_is_refused(
    base: GenerateRequest, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run_request(again(base, **changes))
    assert not base.output.with_name("again.wav").exists()


def test_a_take_that_was_levelled_gets_a_part_of_its_level(
    base: GenerateRequest, tmp_path: Path
) -> None:
    loud = replace(base, output=tmp_path / "loud.wav", loudness=-40.0)
    gain = run_request(loud).takes[0].gain_db
    assert gain != 0.0
    plain = again(base)
    run_request(plain)
    levelled = replace(again(base, base_take=loud.output), output=tmp_path / "levelled.wav")
    assert run_request(levelled).takes[0].gain_db == pytest.approx(gain)
    inside = slice(round(0.75 * RATE), round(1.25 * RATE))
    np.testing.assert_allclose(
        field(levelled.output)[:, inside],
        field(plain.output)[:, inside] * 10 ** (gain / 20),
        rtol=1e-4,
        atol=1e-7,
    )


def test_joins_keep_a_steady_sound_s_level(small_clip: Path, tmp_path: Path) -> None:
    """Two unrelated noises of one level: no dip and no bump where they meet."""
    rng = np.random.default_rng(0)
    old = rng.standard_normal((4, 2 * RATE)).astype(np.float32) * 0.1
    new = rng.standard_normal((4, RATE)).astype(np.float32) * 0.1
    write_wav(tmp_path / "old.wav", old, RATE)
    write_wav(tmp_path / "new.wav", new, RATE)
    request = GenerateRequest(small_clip, tmp_path / "out.wav", base_take=tmp_path / "old.wav")
    take = EarlierTake(request, probe(small_clip), 2 * RATE)
    part = Part(RATE // 2, 3 * RATE // 2, 2400, 2400, first=RATE // 2, seconds=1.0)
    target = tmp_path / "out.wav"
    splice(Reroll(take, part), tmp_path / "new.wav", target, "float32", lambda: None)
    out = field(target)
    frames = 20 * np.log10(np.sqrt(np.mean(out[0].reshape(-1, 1200) ** 2, axis=1)))
    assert np.ptp(frames) < 1.5


def test_fades_lie_within_the_range(base: GenerateRequest) -> None:
    part = plan_part(again(base, base_range=(0.5, 1.0)), 96000)
    assert (part.begin, part.end, part.fade_in, part.fade_out) == (24000, 48000, 2400, 2400)
    assert (part.first, part.samples, part.seconds) == (24000, 24000, 0.5)
    short = plan_part(again(base, base_range=(0.5, 0.52)), 96000)
    assert (short.fade_in, short.fade_out) == (240, 240)
    whole = plan_part(again(base, base_range=(0.0, 2.0)), 96000)
    assert (whole.fade_in, whole.fade_out) == (0, 0)


@pytest.fixture
def faithful(small_clip: Path, tmp_path: Path) -> GenerateRequest:
    """A take of a model that gives back exactly what it encodes, of a steady random field."""
    bundle = make_tiny_bundle(tmp_path / "bundle", faithful=True, stationary=True)
    request = GenerateRequest(small_clip, tmp_path / "base.wav", bundle=str(bundle), device="cpu")
    run_request(request)
    return request


def disagreement(old: np.ndarray, new: np.ndarray, begin: float, end: float) -> float:
    """How far two sounds are apart between two times, against the level of the first."""
    there = slice(round(begin * RATE), round(end * RATE))
    return float(np.std(new[:, there] - old[:, there]) / np.std(old[:, there]))


def test_the_part_agrees_with_the_take_at_both_seams(faithful: GenerateRequest) -> None:
    """On the take's own latent grid the fades are between equal sounds; between them all is new."""
    request = again(faithful, base_range=(0.67, 1.25))
    assert run_request(request).warnings == ()
    old, new = field(faithful.output), field(request.output)
    assert disagreement(old, new, 0.67, 0.72) < 1e-4
    assert disagreement(old, new, 1.20, 1.25) < 1e-4
    for first in range(9, 15):
        assert disagreement(old, new, first * 0.08, (first + 1) * 0.08) > 0.3


def test_without_an_encoder_the_part_is_only_faded_in_and_that_is_told(
    faithful: GenerateRequest, tmp_path: Path
) -> None:
    names = ("vision", "conditioner", "dit", "vae_decoder")
    bundle = make_tiny_bundle(
        tmp_path / "blind", faithful=True, stationary=True, graphs={n: f"{n}.onnx" for n in names}
    )
    request = again(faithful, base_range=(0.67, 1.25), bundle=str(bundle))
    (warning,) = run_request(request).warnings
    assert "has no encoder" in warning
    old, new = field(faithful.output), field(request.output)
    np.testing.assert_array_equal(new[:, : round(0.67 * RATE)], old[:, : round(0.67 * RATE)])
    assert disagreement(old, new, 0.67, 0.72) > 0.3
    assert disagreement(old, new, 0.72, 1.20) > 0.3


def test_a_range_shorter_than_a_latent_is_only_faded_in(faithful: GenerateRequest) -> None:
    (warning,) = run_request(again(faithful, base_range=(0.7, 0.82))).warnings
    assert "too short" in warning


TREATED: dict[str, Any] = {"yaw": 70.0, "mix": 0.5, "loudness": -30.0}


def test_a_treated_take_is_heard_as_the_model_made_it(
    faithful: GenerateRequest, tmp_path: Path
) -> None:
    """Turned, mixed and levelled takes: the part agrees with them as with the plain one."""
    treated = replace(faithful, output=tmp_path / "treated.wav", **TREATED)
    gain = run_request(treated).takes[0].gain_db
    assert abs(gain) > 1
    plain = again(faithful, base_range=(0.67, 1.25), output=tmp_path / "a.wav")
    request = replace(
        treated, output=tmp_path / "b.wav", base_take=treated.output, base_range=(0.67, 1.25),
        loudness=None, seed=plain.seed,
    )  # fmt: skip
    assert run_request(request).warnings == ()
    old, new = field(treated.output), field(request.output)
    assert disagreement(old, new, 0.67, 0.72) < 1e-3
    assert disagreement(old, new, 1.20, 1.25) < 1e-3
    # The part itself is the plain take's part, treated.
    run_request(plain)
    take = EarlierTake(replace(request, base_take=request.output), probe(treated.clip), 96000)
    assert take.treatment.gain_db == pytest.approx(gain)
    np.testing.assert_allclose(take.as_made(0, 0, 96000, RATE), field(plain.output), atol=2e-5)


def test_a_take_at_another_rate_is_brought_back(faithful: GenerateRequest, tmp_path: Path) -> None:
    other = replace(faithful, output=tmp_path / "other.wav", rate=44_100, **TREATED)
    run_request(other)
    take = EarlierTake(
        replace(other, base_take=other.output, loudness=None), probe(other.clip), 88_200
    )
    made = field(faithful.output)
    # The stand-in's sound jumps from latent to latent: its very highest notes are cut off.
    for origin, first, count in ((0, 4800, 9600), (22_050, -4800, 57_600), (441, 7000, 3840)):
        begin = round(origin / 44_100 * RATE) + first
        heard = take.as_made(origin, first, count, RATE)
        wanted = made[:, begin : begin + count]
        assert heard.shape == wanted.shape
        assert np.std(heard - wanted) < 0.05 * np.std(wanted)
    assert not take.as_made(0, -9600, 4800, RATE).any()
    request = replace(
        other, output=tmp_path / "again.wav", base_take=other.output, base_range=(0.67, 1.25),
        loudness=None, seed=99,
    )  # fmt: skip
    assert run_request(request).warnings == ()
    old, new = field(other.output), field(request.output)
    begin, end = round(0.67 * 44_100), round(1.25 * 44_100)
    np.testing.assert_array_equal(new[:, :begin], old[:, :begin])
    np.testing.assert_array_equal(new[:, end:], old[:, end:])
    for there in (slice(begin, begin + 2205), slice(end - 2205, end)):
        assert np.std(new[:, there] - old[:, there]) < 0.05 * np.std(old[:, there])


def test_it_is_made_again_without_the_take_s_own_sidecar(
    faithful: GenerateRequest, tmp_path: Path
) -> None:
    treated = replace(faithful, output=tmp_path / "treated.wav", **TREATED)
    run_request(treated)
    request = replace(
        treated, output=tmp_path / "again.wav", base_take=treated.output, base_range=(0.5, 1.5),
        loudness=None, seed=5,
    )  # fmt: skip
    run_request(request)
    (tmp_path / "treated.json").unlink()
    expected = reproduction(tmp_path / "again.json", output=tmp_path / "third.wav")
    assert run_request(expected.request, expected=expected).warnings == ()
    assert (tmp_path / "third.wav").read_bytes() == request.output.read_bytes()


def test_a_take_of_another_yaw_is_told(base: GenerateRequest) -> None:
    (warning,) = run_request(again(base, yaw=0.0)).warnings
    assert "yaw 20" in warning


def test_a_bed_that_is_gone_cannot_be_taken_out(base: GenerateRequest, tmp_path: Path) -> None:
    mixed = replace(base, output=tmp_path / "mixed.wav", mix=0.5)
    run_request(mixed)
    silent = make_small_clip(tmp_path / "silent.mp4", sound=False)
    request = again(base, clip=silent, base_take=mixed.output)
    differs, gone = run_request(request).warnings
    assert "mix 0.5" in differs
    assert "mixed into it is not in the clip" in gone


seconds = st.floats(0, 20, allow_nan=False).map(lambda value: round(value, 3))


@given(
    base_range=st.tuples(seconds, seconds).filter(lambda pair: pair[1] - pair[0] > 0.005),
    cuts=st.lists(seconds, max_size=4, unique=True).map(sorted),
    rate=st.sampled_from([48_000, 44_100, 96_000, 8_000]),
    start=st.sampled_from([0.0, 1.2345]),
    hops=st.sampled_from([(64, 60), (32, 30)]),
)
@settings(max_examples=300, deadline=None)
def test_the_lead_in_and_lead_out_are_the_engine_s(
    base_range: tuple[float, float],
    cuts: list[float],
    rate: int,
    start: float,
    hops: tuple[int, int],
    grids: dict[tuple[int, int], Bundle],
    long_clip: ClipInfo,
) -> None:
    """What is held lies on the latent grids that the engine plans, and reaches over the fades."""
    manifest = grids[hops].manifest
    hop, out = manifest.latent.hop, manifest.sample_rate
    request = GenerateRequest(
        Path("c.mp4"), Path("o.wav"), start=start, duration=20.0, rate=rate,
        segments=tuple(Segment(start + cut) for cut in cuts), base_take=Path("b.wav"),
        base_range=(start + base_range[0], start + base_range[1]),
    ).validate()  # fmt: skip
    samples = 20 * rate
    alone = plan_part(request, samples)
    if (alone.end - alone.begin - alone.fade_in - alone.fade_out) / rate < hop / out:
        return
    part = held(alone, request, samples, manifest)
    plan = plan_generation(
        long_clip, part.settings(request, GenerationSettings.from_request(request)), manifest
    )
    first, last = plan.shots[0], plan.shots[-1]
    assert 0 <= part.first <= part.begin
    assert part.before <= manifest.window.overlap
    assert part.after <= manifest.window.overlap
    assert plan.samples / out >= part.samples / rate - 1.5 / out
    if part.before:
        held_to = part.first + part.before * hop * rate / out
        assert held_to == pytest.approx(part.begin + part.fade_in, abs=1)
        assert all(not part.first < cut * rate < part.begin - 1 for cut in cuts)
    if part.after:
        assert part.offset == plan.samples - last.samples
        assert last.samples % hop == 0
        held_from = last.samples - part.after * hop
        fade_out = (part.end - part.fade_out - part.first) * out / rate - part.offset
        assert held_from <= max(fade_out, 0) + 1
        assert last.samples + part.offset >= (part.end - part.first) * out / rate - 1
    if part.before and part.after and first is last:
        assert (part.before + part.after) * hop < last.samples


def test_a_cut_at_the_seam_starts_afresh(faithful: GenerateRequest) -> None:
    request = again(faithful, base_range=(0.8, 1.4), segments=(Segment(0.8), Segment(1.4)))
    part = held(plan_part(request, 96000), request, 96000, manifest_of(request))
    assert (part.before, part.after) == (0, 0)
    inside = replace(request, segments=(Segment(1.0),))
    part = held(plan_part(inside, 96000), inside, 96000, manifest_of(inside))
    assert part.before == 4
    # From the cut at 1.0 s: four latents to 1.32 s are new, four more are held.
    assert (part.offset, part.after) == (48000 - part.first, 4)
    result = run_request(inside)
    assert result.warnings == ()
    new, old = field(inside.output), field(faithful.output)
    np.testing.assert_array_equal(new[:, round(1.4 * RATE) :], old[:, round(1.4 * RATE) :])


def manifest_of(request: GenerateRequest) -> Manifest:
    return load_bundle(request.bundle).manifest


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], Bundle]:
    folder = tmp_path_factory.mktemp("grids")
    hops = [(64, 60), (32, 30)]
    return {pair: load_bundle(make_tiny_bundle(folder / str(pair), hops=pair)) for pair in hops}


@pytest.fixture(scope="module")
def long_clip(small_clip: Path) -> ClipInfo:
    return replace(probe(small_clip), duration=30.0)
