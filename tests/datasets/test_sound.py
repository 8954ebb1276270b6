"""The sound field is the one that the scene describes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omniaudio_studio.datasets.description import Ambience, Room
from omniaudio_studio.datasets.library import RATE, MaterialLibrary
from omniaudio_studio.datasets.scene import sample_scene, scene_rng
from omniaudio_studio.datasets.sound import (
    SPEED_OF_SOUND,
    diffuse_noise,
    render_foa,
    source_signal,
)
from omniaudio_studio.foa.direction import angular_error, direction_of_arrival, direction_per_frame
from omniaudio_studio.foa.encoding import encode_moving, encode_plane_wave


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (90, 0), (-135, 40), (10, -80)])
def test_a_still_source_is_a_plane_wave(one_source, library, azimuth, elevation):
    scene = one_source(azimuth, elevation)
    signal = source_signal(scene.sources[0], library, scene.samples)
    expected = encode_plane_wave(signal, np.radians(azimuth), np.radians(elevation))
    np.testing.assert_allclose(render_foa(scene, library), expected, atol=1e-6)


def test_a_moving_source_is_heard_along_its_track(one_source, library):
    times = np.arange(41) / 20
    scene = one_source(150 + 60 * times, 30 * np.sin(times), times)
    source = scene.sources[0]
    foa = render_foa(scene, library)
    signal = source_signal(source, library, scene.samples)
    exact = encode_moving(signal, times, source.azimuth, source.elevation, RATE)
    assert np.abs(foa - exact).max() < 2e-4
    heard = direction_per_frame(foa, RATE, 0.1)
    for k in range(1, 19):
        azimuth, elevation = source.direction((k + 0.5) * 0.1)
        assert angular_error(heard.azimuth[k], heard.elevation[k], azimuth, elevation) < 0.01


def test_it_sounds_only_while_it_is_on(one_source, library):
    scene = one_source(45, 0, on=0.5, off=1.25)
    w = render_foa(scene, library)[0]
    assert not w[: RATE // 2].any()
    assert not w[round(1.25 * RATE) + 1 :].any()
    assert np.sqrt(np.mean(w[RATE // 2 : round(1.25 * RATE)] ** 2)) > 0.03


def test_gain_is_in_decibels(one_source, library):
    loud = render_foa(one_source(20, 10, gain_db=0.0), library)
    quiet = render_foa(one_source(20, 10, gain_db=-12.0), library)
    np.testing.assert_allclose(quiet, loud * 10 ** (-12 / 20), atol=1e-7)


def test_a_wall_sends_the_sound_back_from_its_mirror_image(one_source, library):
    dry = one_source(0, 0)
    room = Room((9, 5.0, 9, 9, 9, 9), (0, 0.5, 0, 0, 0, 0), smoothing=1)  # only the wall behind
    source = dry.sources[0]
    added = render_foa(replace(dry, room=room), library) - render_foa(dry, library)
    delay = round((2 * 5 + source.distance - source.distance) / SPEED_OF_SOUND * RATE)
    assert not added[:, :delay].any()
    signal = source_signal(source, library, dry.samples)
    gain = 0.5 * source.distance / (2 * 5 + source.distance)
    np.testing.assert_allclose(added[0, delay:], gain * signal[:-delay], atol=1e-6)
    azimuth, elevation = direction_of_arrival(added)
    assert angular_error(azimuth, elevation, np.pi, 0) < 1e-3


def test_reflections_of_a_moving_source_come_from_its_moving_image(one_source, library):
    times = np.arange(41) / 20
    dry = one_source(50 * times, 0 * times, times, distance=2.0)
    room = Room((9, 9, 4.0, 9, 9, 9), (0, 0, 0.6, 0, 0, 0), smoothing=9)  # the wall on the left
    added = render_foa(replace(dry, room=room), library) - render_foa(dry, library)
    heard = direction_per_frame(added, RATE, 0.1)
    for k in (5, 10, 15):
        x, y, z = 2.0 * dry.sources[0].vectors(np.array([(k + 0.5) * 0.1]))[:, 0]
        image = np.arctan2(8 - y, x)
        # The delay is the middle's: heard a little after it was sent.
        assert angular_error(heard.azimuth[k], heard.elevation[k], image, np.arctan(z)) < 0.05


def test_diffuse_noise_is_diffuse():
    noise = diffuse_noise(Ambience(-40.0, -3.0, 5), 3 * RATE)
    assert noise.shape == (4, 3 * RATE)
    power = np.mean(noise**2, axis=1)
    assert 10 * np.log10(power[0]) == pytest.approx(-40, abs=0.3)
    np.testing.assert_allclose(power[1:] / power[0], 1 / 3, rtol=0.1)
    correlation = np.corrcoef(noise)
    assert np.abs(correlation - np.eye(4)).max() < 0.1
    assert not np.array_equal(noise, diffuse_noise(Ambience(-40.0, -3.0, 6), 3 * RATE))


def test_level_is_sensible_and_nothing_clips():
    library = MaterialLibrary()
    for index in range(12):
        scene = sample_scene(scene_rng(4, index), library, 4.0, reflections=1.0, ambience=1.0)
        foa = render_foa(scene, library)
        assert foa.shape == (4, 4 * RATE)
        assert foa.dtype == np.float32
        assert np.abs(foa).max() < 1
        sounding = np.sqrt(np.mean(foa[0].reshape(-1, RATE // 20) ** 2, axis=1))
        assert -40 < 20 * np.log10(np.quantile(sounding, 0.9)) < -15


def test_other_rates_keep_length_and_direction(one_source, library):
    scene = one_source(-70, 20)
    foa = render_foa(scene, library, 44100)
    assert foa.shape == (4, round(2.0 * 44100))
    assert angular_error(*direction_of_arrival(foa), np.radians(-70), np.radians(20)) < 1e-3
