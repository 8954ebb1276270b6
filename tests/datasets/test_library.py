"""Libraries read folders, choose by fold and name, and fall back on procedural material."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image

from omniaudio_studio.datasets import procedural
from omniaudio_studio.datasets.conditioning import ACTIVE_RMS, PEAK, level, tidy
from omniaudio_studio.datasets.library import RATE, MaterialLibrary
from omniaudio_studio.datasets.scene import sample_scene, scene_rng
from omniaudio_studio.datasets.sound import render_foa
from omniaudio_studio.errors import MediaError, MissingFileError, OptionError
from omniaudio_studio.media.wav import write_wav
from tests.support.material import material


def test_without_folders_everything_is_procedural():
    library = MaterialLibrary()
    assert library.classes == procedural.SOUND_CLASSES
    rng = np.random.default_rng(0)
    for name in library.classes:
        sound = library.sound(name, rng)
        assert sound.dtype == np.float32 and sound.size > RATE
        assert np.abs(sound).max() <= PEAK
        sprite = library.sprite(name, rng)
        assert sprite.shape == (256, 256, 4) and sprite[..., 3].max() == 255
        assert 0.3 < (sprite[..., 3] > 128).mean() < 0.9
        assert not sprite[0, 0, 3]
    sky = library.panorama(rng)
    assert sky.shape == (512, 1024, 3) and sky.dtype == np.uint8


def test_keys_give_the_same_material_every_time():
    rng = np.random.default_rng(1)
    one, two = MaterialLibrary(), MaterialLibrary()
    for name in one.classes:
        key = one.draw_sound(name, rng)
        np.testing.assert_array_equal(one.load_sound(key), two.load_sound(key))
        key = one.draw_sprite(name, rng)
        np.testing.assert_array_equal(one.load_sprite(key), two.load_sprite(key))
    key = one.draw_panorama(rng)
    np.testing.assert_array_equal(one.load_panorama(key), two.load_panorama(key))


def test_procedural_sounds_and_sprites_differ_by_class_and_number():
    sounds = {procedural.sound(n, k).tobytes() for n in procedural.SOUND_CLASSES for k in (0, 1)}
    assert len(sounds) == 12
    sprites = {procedural.sprite(n, 3).tobytes() for n in procedural.SOUND_CLASSES}
    assert len(sprites) == 6
    # Any other name works too, and names of the library's folders have stable pictures.
    assert procedural.sound("dog_bark", 5).size == procedural.sound("dog_bark", 6).size


def test_skies_meet_at_the_seam_and_are_alike_at_every_size():
    for number in range(6):
        sky = procedural.sky(number, 512, 256).astype(int)
        # The step across the seam is like the steps beside it.
        seam = np.abs(sky[:, 0] - sky[:, -1]).mean()
        inside = np.abs(np.diff(sky[:, 1:-1], axis=1)).mean()
        assert seam < 2.5 * inside + 2
        small = procedural.sky(number, 128, 64)
        reduced = sky.reshape(64, 4, 128, 4, 3).mean(axis=(1, 3))
        assert np.abs(reduced - small).mean() < 8


def test_classes_are_those_that_both_folders_have(material_folder, tmp_path):
    library = MaterialLibrary(material_folder / "sounds", None, material_folder / "sprites")
    assert library.classes == ("noise", "tone")
    (tmp_path / "tone").mkdir()
    Image.new("RGBA", (20, 10), (255, 0, 0, 255)).save(tmp_path / "tone" / "a.PNG")
    library = MaterialLibrary(material_folder / "sounds", None, tmp_path)
    assert library.classes == ("tone",)
    sprite = library.sprite("tone", np.random.default_rng(0))
    assert sprite.shape == (20, 20, 4)  # padded to a square
    assert sprite[10, 10, 3] == 255 and sprite[2, 10, 3] == 0
    (tmp_path / "tone").rename(tmp_path / "other")
    with pytest.raises(OptionError, match="no class in common"):
        MaterialLibrary(material_folder / "sounds", None, tmp_path)


def test_folds_choose_files(material_folder):
    folder = material_folder / "sounds"
    rng = np.random.default_rng(0)
    for fold, file in ((1, "1-a.wav"), (2, "2-b.wav")):
        library = MaterialLibrary(folder, folds=(fold,))
        assert {library.draw_sound("tone", rng) for _ in range(8)} == {f"tone/{file}"}
    both = MaterialLibrary(folder)
    assert len({both.draw_sound("tone", rng) for _ in range(20)}) == 2
    with pytest.raises(MissingFileError, match="no sounds of folds 7"):
        MaterialLibrary(folder, folds=(7,))


def test_panoramas_by_name(material_folder):
    folder = material_folder / "panoramas"
    library = MaterialLibrary(panoramas=folder, panorama_names=["ramp"])
    rng = np.random.default_rng(0)
    assert {library.draw_panorama(rng) for _ in range(8)} == {"ramp.png"}
    assert any(library.draw_panorama(rng, 0.5).startswith("procedural:") for _ in range(20))
    with pytest.raises(OptionError, match="no panorama nowhere; it has grey, ramp"):
        MaterialLibrary(panoramas=folder, panorama_names=["nowhere"])
    with pytest.raises(OptionError, match="give that folder"):
        MaterialLibrary(panorama_names=["ramp"])


def test_sounds_are_decoded_once_resampled_and_read_only(tmp_path):
    t = np.arange(2 * 16000) / 16000
    (tmp_path / "beep").mkdir()
    stereo = np.stack([np.sin(2 * np.pi * 1000 * t)] * 2).astype(np.float32) * 0.3
    write_wav(tmp_path / "beep" / "a.wav", stereo, 16000)
    library = MaterialLibrary(tmp_path)
    sound = library.load_sound("beep/a.wav")
    assert sound is library.load_sound("beep/a.wav")
    assert not sound.flags.writeable
    assert sound.size == pytest.approx(2 * RATE, abs=RATE // 20)
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.argmax(spectrum) * RATE / sound.size == pytest.approx(1000, abs=2)


def test_sounds_come_in_any_format_that_ffmpeg_knows(tmp_path):
    import av

    (tmp_path / "beep").mkdir()
    path = tmp_path / "beep" / "a.m4a"
    tone = (0.3 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = MaterialLibrary(tmp_path).load_sound("beep/a.m4a")
    assert sound.size == pytest.approx(RATE, abs=RATE // 10)
    assert np.argmax(np.abs(np.fft.rfft(sound))) * RATE / sound.size == pytest.approx(500, abs=2)


def test_tidy_trims_ends_and_shortens_pauses():
    sound = np.zeros(5 * RATE, np.float32)
    rng = np.random.default_rng(0)
    sound[RATE : round(1.5 * RATE)] = 0.1 * rng.standard_normal(RATE // 2)
    sound[3 * RATE : round(3.5 * RATE)] = 0.1 * rng.standard_normal(RATE // 2)
    result = tidy(sound)
    assert result.size / RATE == pytest.approx(1.35, abs=0.05)
    assert np.abs(result[: RATE // 50]).max() > 0.05
    middle = result[round(0.57 * RATE) : round(0.77 * RATE)]
    assert not middle.any()
    with pytest.raises(MediaError, match="silent"):
        tidy(np.zeros(RATE, np.float32))
    assert tidy(np.full(7, 0.5, np.float32)).size > 0


def test_level_is_common_and_clicks_keep_under_the_peak():
    rng = np.random.default_rng(0)
    noise = level(3e-3 * rng.standard_normal(RATE).astype(np.float32))
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(ACTIVE_RMS, rel=0.02)
    gappy = np.zeros(RATE, np.float32)
    gappy[: RATE // 2] = 0.5 * rng.standard_normal(RATE // 2)
    half = level(gappy)
    assert np.sqrt(np.mean(half[: RATE // 2] ** 2)) == pytest.approx(ACTIVE_RMS, rel=0.03)
    clicks = np.zeros(RATE, np.float32)
    clicks[::4800] = 0.9
    assert 0.5 < np.abs(level(clicks)).max() <= PEAK


def test_workers_get_the_listing_without_the_caches(library):
    rng = np.random.default_rng(0)
    for name in library.classes:
        library.sound(name, rng)
        library.sprite_levels(library.draw_sprite(name, rng))
    data = pickle.dumps(library)
    assert len(data) < 10_000
    again = pickle.loads(data)
    a, b = (sample_scene(scene_rng(0, 0), item, 1.0) for item in (library, again))
    assert a.to_json() == b.to_json()
    np.testing.assert_array_equal(render_foa(a, library), render_foa(b, again))


def test_preload_decodes_everything(material_folder):
    library = MaterialLibrary(material_folder / "sounds")
    library.preload()
    assert len(library._sound_cache) == 4


def test_sprite_levels_keep_the_mean(library):
    levels = library.sprite_levels("noise/quarter.png")
    assert [image.shape[0] for image in levels] == [64, 32, 16, 8]
    for image in levels[1:]:
        np.testing.assert_allclose(image.mean(axis=(0, 1)), levels[0].mean(axis=(0, 1)), rtol=1e-3)


def test_bad_folders_and_files_are_one_clear_line(tmp_path, material_folder):
    with pytest.raises(MissingFileError, match="is not a folder; --sounds"):
        MaterialLibrary(tmp_path / "nothing")
    with pytest.raises(MissingFileError, match="is not a folder; --panoramas"):
        MaterialLibrary(panoramas=tmp_path / "nothing")
    with pytest.raises(MissingFileError, match="holds no sounds"):
        MaterialLibrary(tmp_path)
    with pytest.raises(MissingFileError, match="holds no images"):
        MaterialLibrary(panoramas=tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "text.wav").write_text("no sound")
    write_wav(tmp_path / "x" / "silent.wav", np.zeros(RATE, np.float32), RATE)
    (tmp_path / "picture.png").write_text("no picture")
    library = MaterialLibrary(tmp_path, tmp_path)
    with pytest.raises(MediaError, match=r"text\.wav cannot be read as audio"):
        library.load_sound("x/text.wav")
    with pytest.raises(MediaError, match=r"silent\.wav is silent"):
        library.load_sound("x/silent.wav")
    with pytest.raises(MediaError, match=r"picture\.png cannot be read as an image"):
        library.load_panorama("picture.png")
    with pytest.raises(MediaError, match="leads out of"):
        library.load_sound("../../etc/passwd")
    with pytest.raises(MissingFileError, match="is not there"):
        library.load_sound("x/gone.wav")
    with pytest.raises(MissingFileError, match="no sounds folder"):
        MaterialLibrary().load_sound("x/gone.wav")


def test_esc_recordings_have_folds_and_a_common_level():
    library = MaterialLibrary(material("audio/esc10"), folds=(4,))
    assert len(library.classes) == 10
    rng = np.random.default_rng(0)
    for name in library.classes:
        key = library.draw_sound(name, rng)
        assert key.startswith(f"{name}/4-")
        sound = library.load_sound(key)
        assert 0.2 < sound.size / RATE < 8
        assert 0.03 < np.sqrt(np.mean(sound**2)) < 0.15 or name == "clock_tick"
