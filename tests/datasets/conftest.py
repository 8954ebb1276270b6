"""A small library of known material, and scenes of one known source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omniaudio_studio.datasets.description import Background, Look, Scene, Source
from omniaudio_studio.datasets.envelope import arrange, follow
from omniaudio_studio.datasets.library import RATE, MaterialLibrary
from omniaudio_studio.media.wav import write_wav

SECONDS = 2.0


@pytest.fixture(scope="session")
def material_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds of two classes (folds 1 and 2), a grey panorama and a white-disk sprite of each."""
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(0)
    t = np.arange(4 * RATE) / RATE
    sounds = {
        "noise/1-a.wav": 0.1 * rng.standard_normal(4 * RATE),
        "noise/2-b.wav": 0.1 * rng.standard_normal(4 * RATE),
        "tone/1-a.wav": 0.2 * np.sin(2 * np.pi * 440 * t),
        "tone/2-b.wav": 0.2 * np.sin(2 * np.pi * 880 * t),
    }
    for name, data in sounds.items():
        path = root / "sounds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, data.astype(np.float32), RATE)
    axis = np.arange(128) - 63.5
    disk = np.hypot(axis[None], axis[:, None]) < 63
    rgba = np.full((128, 128, 4), 255, np.uint8)
    rgba[..., 3] = 255 * disk
    for name in ("noise", "tone"):
        folder = root / "sprites" / name
        folder.mkdir(parents=True)
        Image.fromarray(rgba).save(folder / "disk.png")
    quarter = np.full((64, 64, 4), 255, np.uint8)
    quarter[:32, :32, 1:3] = 0  # red in the upper left
    Image.fromarray(quarter).save(root / "sprites" / "noise" / "quarter.png")
    (root / "panoramas").mkdir()
    Image.fromarray(np.full((64, 128, 3), 40, np.uint8)).save(root / "panoramas" / "grey.png")
    # A ramp over the columns shows which way a panorama was turned.
    ramp = np.repeat(np.arange(128, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    Image.fromarray(ramp).save(root / "panoramas" / "ramp.png")
    return root


@pytest.fixture(scope="session")
def library(material_folder: Path) -> MaterialLibrary:
    return MaterialLibrary(
        material_folder / "sounds", material_folder / "panoramas", material_folder / "sprites"
    )


@pytest.fixture(scope="session")
def one_source(library: MaterialLibrary) -> Callable[..., Scene]:
    """Makes a scene of one dry source of noise; times, azimuth and elevation in degrees."""

    def make(
        azimuth: float | np.ndarray = 0.0,
        elevation: float | np.ndarray = 0.0,
        times: np.ndarray | None = None,
        on: float = 0.0,
        off: float = SECONDS,
        size: float = 30.0,
        **changes: object,
    ) -> Scene:
        events = ((on, 0.0, off - on),)
        dry = arrange(library.load_sound("noise/1-a.wav"), events, round(SECONDS * RATE))
        options: dict[str, object] = {
            "gain_db": -6.0,
            "distance": 2.0,
            "look": Look("noise/disk.png", float(np.radians(size))),
            "pulse": 0.5,
            "bounce": 0.0,
            "tilt": 0.0,
            "stays": False,
        }
        options.update(changes)
        source = Source(
            name="noise",
            sound="noise/1-a.wav",
            events=events,
            on=on,
            off=off,
            times=np.zeros(1) if times is None else times,
            azimuth=np.radians(np.atleast_1d(np.asarray(azimuth, float))),
            elevation=np.radians(np.atleast_1d(np.asarray(elevation, float))),
            envelope=follow(dry, SECONDS),
            **options,  # type: ignore[arg-type]
        )
        return Scene(SECONDS, (source,), Background("grey.png"))

    return make
