"""How long views take; not part of the tests.

    pytest benchmarks/bench_panorama.py --benchmark-enable

The two views of a small model must cost about a millisecond each, since they are made eight times
for every second of film.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omniaudio_studio.panorama.area import area_remap
from omniaudio_studio.panorama.conversions import dual_fisheye_to_equirect, eac_to_equirect
from omniaudio_studio.panorama.equirect import Equirect
from omniaudio_studio.panorama.perspective import Perspective
from omniaudio_studio.panorama.views import View, ViewRenderer, normalise

EQUIRECT = View("equirect", "equirect", 160, 80)
FRONT = View("front", "perspective", 96, 96, fov=120)
RELEASED = View("fov", "perspective", 224, 224, rule="released-120")
PADDED = View("padded", "equirect", 224, 224, fit="pad-square")
EAC = View("eac", "eac", 192, 128)


def picture(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("view", [EQUIRECT, FRONT, RELEASED, PADDED, EAC], ids=lambda v: v.name)
@pytest.mark.parametrize("size", [(640, 320), (1920, 960), (3840, 1920)], ids=str)
def test_view(benchmark: Any, view: View, size: tuple[int, int]) -> None:
    benchmark(ViewRenderer(view, source_size=size), picture(*size))


@pytest.mark.parametrize(
    ("name", "size"),
    [("eac", (1920, 1080)), ("cubemap", (1920, 1280)), ("dual-fisheye", (1920, 960))],
)
@pytest.mark.parametrize("view", [EQUIRECT, FRONT], ids=lambda v: v.name)
def test_other_sources(benchmark: Any, view: View, name: str, size: tuple[int, int]) -> None:
    benchmark(ViewRenderer(view, name, size), picture(*size))


@pytest.mark.parametrize(
    ("make", "size"), [(eac_to_equirect, (1920, 1080)), (dual_fisheye_to_equirect, (1920, 960))]
)
def test_whole_frames(benchmark: Any, make: Any, size: tuple[int, int]) -> None:
    benchmark(make(size, (1920, 960)).apply, picture(*size))


def test_building_a_map(benchmark: Any) -> None:
    benchmark(lambda: area_remap.__wrapped__(Equirect(1920, 960), Perspective(96, 96, 120)))


def test_normalise(benchmark: Any) -> None:
    benchmark(normalise, np.zeros((80, 80, 160, 3), np.uint8), EQUIRECT)
