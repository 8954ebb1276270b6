"""The mixer's output, sample by sample, without a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniaudio_studio.foa.binaural import BinauralRenderer, default_filters, head_rotation
from tests.qt.sound.offline import EDGE, FADE, RATE, Offline, write

RISE = (0.5 - 0.5 * np.cos(np.pi * np.arange(EDGE) / EDGE)).astype(np.float32)


def noise(channels: int, seconds: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal((channels, round(seconds * RATE)))).astype(np.float32)


def sine(seconds: float, hertz: float, amplitude: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[None]


def test_a_field_is_what_the_renderer_makes_of_it_to_the_bit(tmp_path: Path) -> None:
    field = noise(4, 1.0)
    offline = Offline(1.0)
    offline.add(write(tmp_path / "a.wav", field), "field")
    offline.mixer.play()
    head = head_rotation(0.7, -0.2, 0.1)
    heard = offline.run(RATE // 2, 256, head)
    edged = field.copy()
    edged[:, :EDGE] *= RISE
    renderer = BinauralRenderer(default_filters(RATE), 4096)
    expected = np.empty_like(heard)
    for at in range(0, heard.shape[1], 256):
        stop = min(at + 256, heard.shape[1])
        renderer.process(edged[:, at:stop], expected[:, at:stop], head)
    np.testing.assert_array_equal(heard, expected)
    assert offline.mixer.starved == 0


def test_plain_and_mono_are_heard_as_they_are(tmp_path: Path) -> None:
    stereo, field = noise(2, 0.5, 1), noise(4, 0.5, 2)
    for sound, kind, expected in (
        (stereo, "plain", stereo),
        (stereo[:1], "plain", stereo[[0, 0]]),
        (field, "mono", field[[0, 0]]),
    ):
        offline = Offline(0.5)
        offline.add(write(tmp_path / "a.wav", sound), kind)
        offline.mixer.play()
        heard = offline.run(20_000)
        np.testing.assert_array_equal(heard[:, EDGE:], expected[:, EDGE:20_000])


def test_gain_and_volume(tmp_path: Path) -> None:
    offline = Offline(1.0)
    offline.add(write(tmp_path / "a.wav", noise(2, 1.0)), "plain", gain_db=-6.0)
    offline.mixer.set_volume(0.5)
    offline.mixer.play()
    heard = offline.run(10_000)
    np.testing.assert_allclose(
        heard[:, 256:], noise(2, 1.0)[:, 256:10_000] * 10 ** (-6 / 20) / 2, rtol=1e-5
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(blocks=st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_block_sizes_do_not_matter(tmp_path: Path, blocks: list[int]) -> None:
    def play(sizes: list[int]) -> np.ndarray:
        offline = Offline(0.6)
        offline.add(path, "plain")
        offline.mixer.set_loop((4001, 12_345))
        offline.mixer.play()
        return offline.run(40_000, sizes)

    path = tmp_path / "a.wav"
    if not path.exists():
        write(path, noise(2, 0.6))
    np.testing.assert_allclose(play(blocks), play([256]), atol=1e-6)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(start=st.integers(0, 20_000), length=st.integers(960, 20_000), block=st.integers(64, 1024))
def test_a_loop_repeats_to_the_sample(tmp_path: Path, start: int, length: int, block: int) -> None:
    path = tmp_path / "a.wav"
    sound = noise(2, 1.0)
    if not path.exists():
        write(path, sound)
    offline = Offline(1.0)
    offline.add(path, "plain")
    loop = (start, start + length)
    offline.mixer.set_loop(loop)
    offline.mixer.jump(offline.tracks[0], start, 1)
    offline.mixer.play()
    heard = offline.run(3 * length + FADE, block)
    for turn in range(3):
        at = turn * length
        skip = EDGE if turn == 0 else FADE
        np.testing.assert_array_equal(
            heard[:, at + skip : at + length], sound[:, start + skip : start + length]
        )
        # The seam: the old one fades out under the new one.
        if turn:
            rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(FADE) / FADE)
            stop = start + length
            after = np.zeros((2, FADE))
            after[:, : max(0, min(FADE, RATE - stop))] = sound[:, stop : stop + FADE]
            expected = sound[:, start : start + FADE] * rise + after * (1 - rise)
            np.testing.assert_allclose(heard[:, at : at + FADE], expected, atol=1e-6)


def test_a_loop_of_whole_periods_has_no_seam(tmp_path: Path) -> None:
    offline = Offline(2.0)
    offline.add(write(tmp_path / "a.wav", sine(2.0, 100.0)), "plain")
    offline.mixer.set_loop((4800, 4800 + 480 * 20))
    offline.mixer.play()
    heard = offline.run(80_000)[0]
    expected = np.resize(sine(2.0, 100.0)[0], 80_000)
    np.testing.assert_allclose(heard[EDGE:], expected[EDGE:], atol=1e-5)
    seams = [turn for turn in offline.turns if turn[1] == pytest.approx(0.1)]
    assert [turn[0] for turn in seams[:3]] == [14_400, 24_000, 33_600]


def test_choosing_another_source_has_no_gap_and_no_step(tmp_path: Path) -> None:
    offline = Offline(2.0)
    offline.add(write(tmp_path / "a.wav", np.full((2, 2 * RATE), 0.5)), "plain")
    other = offline.add(write(tmp_path / "b.wav", np.full((2, 2 * RATE), 0.25)), "plain")
    offline.mixer.play()
    offline.run(9600)
    offline.reader.select(other)
    heard = offline.run(9600)[0]
    assert heard[0] == 0.5 and heard[-1] == 0.25
    changing = np.flatnonzero((heard < 0.5) & (heard > 0.25))
    assert changing[-1] - changing[0] < FADE
    assert np.all(np.diff(heard) <= 0) and np.abs(np.diff(heard)).max() < 0.25 * 2 / FADE * 1.6


@pytest.mark.parametrize("kinds", [("field", "field"), ("field", "mono"), ("plain", "mono")])
def test_the_same_sound_crossfades_into_itself(tmp_path: Path, kinds: tuple[str, str]) -> None:
    """Also between the buses, and while choices come faster than fades."""
    field = np.repeat(sine(2.0, 250.0), 4, axis=0)
    path = write(tmp_path / "a.wav", field if "field" in kinds else field[:1])
    offline, still = Offline(2.0), Offline(2.0)
    for one in (offline, still):
        one.add(path, kinds[0])
        one.add(path, kinds[1])
        one.mixer.play()
    first = []
    for turn in range(40):
        offline.reader.select(offline.tracks[turn % 2])
        first.append(offline.run(300))
    heard = np.hstack(first)[:, FADE:]
    if kinds == ("field", "mono"):
        # Not the same sound in the ears: but never louder than the louder one, never a click.
        peak = max(np.abs(heard).max() for heard in (still.run(12_000), offline.run(12_000)))
        assert np.abs(heard).max() < 1.05 * peak
        assert np.abs(np.diff(heard)).max() < 0.06
    else:
        np.testing.assert_allclose(heard, still.run(12_000)[:, FADE:], atol=1e-5)


def test_seeking_does_not_click_and_arrives(tmp_path: Path) -> None:
    offline = Offline(10.0)
    offline.add(write(tmp_path / "a.wav", sine(10.0, 50.0)), "plain")
    offline.mixer.play()
    parts = [offline.run(5000)]
    for serial, target in enumerate((7.003, 1.507, 9.0, 0.2), 1):
        offline.reader.seek(round(target * RATE), serial)
        parts.append(offline.run(5000))
        assert offline.mixer.serial == serial
        assert offline.mixer.position == round(target * RATE) + 5000
        assert offline.turns[-1][1:] == (pytest.approx(target), 1.0, serial)
    heard = np.hstack(parts)[0]
    # A sine of 50 Hz moves by 0.0033 a sample; a fade of 10 ms adds at most 0.0033.
    assert np.abs(np.diff(heard)).max() < 0.008
    assert offline.mixer.starved == 0


def test_pause_and_play_again(tmp_path: Path) -> None:
    offline = Offline(2.0)
    offline.add(write(tmp_path / "a.wav", np.ones((2, 2 * RATE)) * 0.5), "plain")
    assert not offline.run(1000).any()
    offline.mixer.play()
    offline.run(4800)
    offline.mixer.pause()
    closing = offline.run(4800)[0]
    assert np.all(np.diff(closing[: EDGE + 10]) <= 0) and not closing[EDGE:].any()
    position = offline.mixer.position
    assert offline.turns[-1][1:3] == (position / RATE, 0.0)
    offline.run(4800)
    assert offline.mixer.position == position
    # Again in the middle of the edges: the level goes on from where it was.
    offline.mixer.play()
    heard = [offline.run(100)]
    offline.mixer.pause()
    heard.append(offline.run(60))
    offline.mixer.play()
    heard.append(offline.run(1000))
    level = np.hstack(heard)[0]
    assert np.abs(np.diff(level)).max() < 0.5 * np.pi / 2 / EDGE * 1.1
    assert level[-1] == 0.5


def test_the_end_stops(tmp_path: Path) -> None:
    offline = Offline(0.5)
    offline.add(write(tmp_path / "a.wav", np.ones((2, RATE)) * 0.5), "plain")
    offline.mixer.play()
    heard = offline.run(RATE)[0]
    assert offline.mixer.ended and not offline.mixer.playing
    assert offline.mixer.position == RATE // 2
    assert not heard[RATE // 2 :].any() and heard[RATE // 2 - EDGE - 1] == 0.5
    # Back while the end fades: it goes on.
    offline.mixer.ended = False
    offline.reader.seek(RATE // 2 - EDGE - 256, 1)
    offline.reader.play()
    offline.run(256 + 100)
    offline.reader.seek(0, 2)
    heard = offline.run(4800)[0]
    assert offline.mixer.playing and heard[-1] == 0.5


@pytest.mark.parametrize("rate", [RATE, 44_100])
@pytest.mark.parametrize("start", [0.25, -0.25])
def test_a_file_lies_where_it_starts(tmp_path: Path, start: float, rate: int) -> None:
    time = np.arange(rate) / rate
    path = write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 100 * time)[None], rate)
    offline = Offline(3.0)
    offline.add(path, "plain", start=start)
    offline.mixer.play()
    heard = offline.run(2 * RATE)[0]
    expected = np.zeros(2 * RATE)
    first = round(start * RATE)
    whole = sine(1.0, 100.0)[0]
    expected[max(first, 0) : first + RATE] = whole[max(-first, 0) :]
    quiet = 0 if rate == RATE else 300  # a resampled file rings where it begins and ends
    for edge in (max(first, 0), first + RATE):
        heard[edge - quiet : edge + quiet] = expected[edge - quiet : edge + quiet] = 0
    np.testing.assert_allclose(heard[EDGE:], expected[EDGE:], atol=1e-4)


def test_a_field_is_turned_into_the_picture(tmp_path: Path) -> None:
    """The file's front lies 90 degrees to the left in the picture."""
    from omniaudio_studio.foa.encoding import encode_plane_wave

    signal = noise(1, 0.5)[0]
    turned, given = Offline(0.5), Offline(0.5)
    given.add(write(tmp_path / "a.wav", encode_plane_wave(signal, np.pi / 2, 0.0)), "field")
    turned.add(
        write(tmp_path / "b.wav", encode_plane_wave(signal, 0.0, 0.0)), "field", yaw=np.pi / 2
    )
    for offline in (given, turned):
        offline.mixer.play()
    np.testing.assert_allclose(turned.run(10_000), given.run(10_000), atol=1e-5)


def test_a_shorter_file_is_followed_by_silence(tmp_path: Path) -> None:
    offline = Offline(1.0)
    offline.add(write(tmp_path / "a.wav", np.ones((2, 10_000)) * 0.5), "plain")
    offline.mixer.play()
    heard = offline.run(30_000)[0]
    assert heard[9999] == 0.5 and not heard[10_000:].any()
    assert offline.mixer.playing and not offline.problems


def test_no_source_runs_silently() -> None:
    offline = Offline(1.0)
    offline.reader.set_tracks([], None)
    offline.reader.play()
    assert not offline.run(4800).any()
    assert offline.mixer.position == 4800


@pytest.mark.parametrize("rate", [44_100, 96_000, 32_000, 22_050, 47_999])
def test_other_rates_are_resampled_without_seams(tmp_path: Path, rate: int) -> None:
    time = np.arange(2 * rate) / rate
    path = write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 997 * time)[None], rate)
    offline = Offline(2.0)
    offline.add(path, "plain")
    offline.mixer.play()
    heard = offline.run(80_000)[0]
    expected = sine(2.0, 997.0)[0, :80_000]
    inside = slice(2000, None)
    assert np.abs(heard[inside] - expected[inside]).max() < 3e-5
    assert offline.mixer.starved == 0


def test_a_file_that_vanishes_is_silence_and_one_message(tmp_path: Path) -> None:
    offline = Offline(10.0)
    path = write(tmp_path / "a.wav", np.ones((2, 10 * RATE)) * 0.5)
    offline.add(path, "plain")
    offline.mixer.play()
    offline.run(4800)
    data = path.read_bytes()
    path.unlink()
    heard = offline.run(3 * RATE)
    assert not heard[:, 2 * RATE :].any() and offline.mixer.playing
    assert offline.problems == ["a.wav is no longer there; silence is played in its place"]
    path.write_bytes(data)
    offline.tracks[0]._again = 0.0
    assert offline.run(2 * RATE)[0, -1] == 0.5


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("text.wav", b"no sound at all", "plain"),
        ("empty.wav", b"", "plain"),
        ("absent.wav", None, "field"),
        ("stereo.wav", np.zeros((2, 100)), "field"),
    ],
)
def test_what_cannot_be_played_says_so_in_a_line(
    tmp_path: Path, name: str, content: object, kind: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write(path, np.asarray(content))
    offline = Offline(1.0)
    offline.add(path, kind)
    offline.mixer.play()
    assert not offline.run(20_000).any()
    assert len(offline.problems) == 1 and name in offline.problems[0]
    assert "\n" not in offline.problems[0]


def test_damaged_samples_do_not_last(tmp_path: Path) -> None:
    field = noise(4, 0.5)
    field[:, 5000:5010] = np.nan
    field[2, 6000] = np.inf
    offline = Offline(0.5)
    offline.add(write(tmp_path / "a.wav", field), "field")
    offline.mixer.play()
    heard = offline.run(20_000)
    assert np.isfinite(heard).all() and np.abs(heard[:, 10_000:]).max() > 0.1


def test_other_filters_fade_in(tmp_path: Path) -> None:
    offline = Offline(1.0)
    offline.add(write(tmp_path / "a.wav", np.repeat(sine(1.0, 250.0), 4, axis=0)), "field")
    offline.mixer.play()
    before = offline.run(9600)
    offline.mixer.set_renderer(BinauralRenderer(default_filters(RATE), 4096))
    after = offline.run(9600)
    still = Offline(1.0)
    still.add(tmp_path / "a.wav", "field")
    still.mixer.play()
    same = still.run(19_200)
    # The new filters know nothing of what came before: their first 256 samples are a start.
    np.testing.assert_allclose(np.hstack([before, after])[:, 10_200:], same[:, 10_200:], atol=1e-6)
    assert np.abs(np.diff(np.hstack([before, after])[:, EDGE:])).max() < 0.06


def test_meters_show_the_file_whatever_the_gain(tmp_path: Path) -> None:
    offline = Offline(4.0)
    field = np.vstack([sine(4.0, 480.0, a) for a in (0.5, 0.25, 0.125, 0.0)])
    offline.add(write(tmp_path / "a.wav", field), "field", gain_db=-12.0)
    offline.mixer.play()
    offline.run(3 * RATE)
    np.testing.assert_allclose(offline.mixer.peak[:4], [0.5, 0.25, 0.125, 0.0], rtol=0.01)
    np.testing.assert_allclose(
        offline.mixer.rms[:4], np.array([0.5, 0.25, 0.125, 0.0]) / np.sqrt(2), rtol=0.02
    )
    assert offline.mixer.peak[4:].min() > 0.01


def test_a_callback_makes_nothing_that_stays(tmp_path: Path) -> None:
    import tracemalloc

    offline = Offline(30.0)
    offline.add(write(tmp_path / "a.wav", noise(4, 30.0)), "field")
    offline.mixer.set_loop((0, 20_000))
    offline.mixer.play()
    out = np.zeros((2, 256), np.float32)
    offline.run(RATE)
    offline.read()
    head = np.eye(3)
    tracemalloc.start()
    try:
        for _ in range(30):
            offline.mixer.render(out, head)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(300):
            offline.mixer.render(out, head)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 3000  # turns of the loop are kept by this test
    assert peak - before < 20_000  # views, numbers and NumPy's own small change
