"""Sound files as fields: pseudo-FOA, conventions, rates, and what is found wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.foa.convention import from_ambix
from omniaudio_studio.foa.encoding import encode_plane_wave, stereo_fold_down
from omniaudio_studio.training.data.excerpt import Excerpt, Form
from omniaudio_studio.training.data.listening import Parts
from omniaudio_studio.training.data.sound_source import SoundSource, made_field
from tests.support.material import material
from tests.training.data.conftest import RATE, noise, write

FORM = Form(RATE, 3840, 1.0, 8.0, ())


def read(source: SoundSource, form: Form = FORM) -> dict[str, list[Excerpt | str]]:
    return {name: list(source.excerpts(i, form)) for i, name in enumerate(source.names)}


def test_mono_and_stereo_become_the_same_field_of_the_same_level() -> None:
    sound = noise(0.1)
    mono, stereo = made_field(sound[None]), made_field(np.stack([sound, sound]))
    np.testing.assert_allclose(mono, stereo, atol=1e-7)
    np.testing.assert_allclose(mono[0], sound, atol=1e-7)
    assert not mono[1:].any()
    sides = np.stack([noise(0.1, 1), noise(0.1, 2)])
    np.testing.assert_allclose(stereo_fold_down(made_field(sides)) * 2, sides, atol=1e-7)


def test_a_sound_on_the_left_comes_from_the_left() -> None:
    sound = noise(0.1)
    field = made_field(np.stack([sound, 0 * sound]))
    np.testing.assert_allclose(field, encode_plane_wave(sound / 2, np.pi / 2, 0.0), atol=1e-7)


def test_a_field_is_taken_in_its_convention(tmp_path: Path) -> None:
    field = encode_plane_wave(noise(1.0), 0.7, 0.4)
    write(tmp_path / "field.wav", list(from_ambix(field, "fuma")))
    (excerpt,) = read(SoundSource(tmp_path, convention="fuma"))["field.wav"]
    assert isinstance(excerpt, Excerpt) and excerpt.kind == "foa"
    np.testing.assert_allclose(excerpt.foa, field[:, : FORM.samples], atol=1e-6)
    with pytest.raises(OptionError, match="convention maxn: expected auto or one of ambix"):
        SoundSource(tmp_path, convention="maxn")


def test_files_are_cut_into_whole_excerpts_at_the_encoders_rate(tmp_path: Path) -> None:
    rate = 44_100
    tone = np.sin(2 * np.pi * 440 * np.arange(round(2.6 * rate)) / rate).astype(np.float32) / 4
    write(tmp_path / "tone.wav", [tone], rate)
    given = read(SoundSource(tmp_path))["tone.wav"]
    assert [each.start for each in given if isinstance(each, Excerpt)] == [0.0, 1.0]
    second = given[1]
    assert isinstance(second, Excerpt)
    times = 1 + np.arange(FORM.samples) / RATE
    np.testing.assert_allclose(second.foa[0], np.sin(2 * np.pi * 440 * times) / 4, atol=1e-4)


def test_a_turned_sound_moves_the_other_way(tmp_path: Path) -> None:
    sound = noise(1.0)
    write(tmp_path / "field.wav", list(encode_plane_wave(sound, 1.0, 0.3)))
    form = Form(RATE, 3840, 1.0, 8.0, (), yaws=3)
    for excerpt in read(SoundSource(tmp_path), form)["field.wav"]:
        assert isinstance(excerpt, Excerpt)
        expected = encode_plane_wave(sound[: form.samples], 1.0 - excerpt.yaw, 0.3)
        np.testing.assert_allclose(excerpt.foa, expected, atol=1e-6)


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_what_is_wrong_with_one_second_spoils_no_other(tmp_path: Path, rate: int) -> None:
    sound = noise(4.0, rate=rate)
    sound[rate + 2000] = np.nan
    sound[2 * rate : 3 * rate] = np.clip(30 * sound[2 * rate : 3 * rate], -1, 1)
    write(tmp_path / "mixed.wav", [sound], rate)
    first, broken, clipped, last = read(SoundSource(tmp_path))["mixed.wav"]
    assert broken == "1 s: holds samples that are no numbers"
    assert isinstance(clipped, str) and clipped.startswith("2 s: is clipped: ")
    for excerpt in (first, last):
        assert isinstance(excerpt, Excerpt) and np.isfinite(excerpt.foa).all()
    sound[np.isnan(sound)] = 0
    if rate == RATE:
        assert isinstance(last, Excerpt)
        assert np.array_equal(last.foa[0], sound[3 * rate :][: FORM.samples])


def flat(sound: np.ndarray) -> str | None:
    ((_, problem),) = Parts(iter([sound[None].astype(np.float32)]), RATE, RATE, 1, len(sound))
    return problem


def test_loud_is_not_clipped() -> None:
    times = np.arange(RATE) / RATE
    for frequency in (50, 440, 5000):
        sine = np.round(32767 * np.sin(2 * np.pi * frequency * times)) / 32768
        assert flat(sine) is None
        assert flat(np.clip(1.5 * sine, -1, 1)) is not None
    assert flat(8 * noise(1.0)) is None  # beyond full scale, as floats may be
    assert flat(np.clip(8 * noise(1.0), -1, 1)) is not None


def test_flat_tops_are_found_across_blocks() -> None:
    sound = np.ones((1, 1000), np.float32)
    whole = dict(enumerate(Parts(iter([sound]), RATE, RATE, 1, 1000)))
    cut = dict(enumerate(Parts(iter(np.split(sound, 500, axis=1)), RATE, RATE, 1, 1000)))
    assert whole[0][1] == cut[0][1] == "is clipped: 99.9 % of it stands still at full scale"


def test_lists_choose_files(good_sounds: Path, tmp_path: Path) -> None:
    listed = tmp_path / "train.csv"
    listed.write_text("name,class\nhum/1,hum\nwide.wav,rain\n# remark\nnowhere,none\n")
    source = SoundSource(good_sounds, listed)
    assert source.names == ("hum/1.wav", "rain/wide.wav")
    assert source.left_out() == [("nowhere", "is in the list, but not in the folder")]
    listed.write_text("\n")
    with pytest.raises(MediaError, match="names no clip"):
        SoundSource(good_sounds, listed)


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no file to encode"):
        SoundSource(tmp_path)
    with pytest.raises(MissingFileError, match="no folder"):
        SoundSource(tmp_path / "nowhere")


def test_real_recordings_become_fields() -> None:
    source = SoundSource(material("audio/esc10"))
    form = Form(RATE, 3840, 4.0, 8.0, ())
    made = source.excerpts(source.names.index("rooster/1-26806-A.ogg"), form)
    excerpt = next(made)
    assert isinstance(excerpt, Excerpt)
    assert (excerpt.kind, excerpt.classes) == ("pseudo", ("rooster",))
    assert excerpt.foa.shape == (4, 192_000) and np.abs(excerpt.foa[0]).max() > 0.05
