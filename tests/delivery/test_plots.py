"""Plots: drawn for any measurement, whole or not at all, with things where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omniaudio_studio.delivery.measure import measure_blocks
from omniaudio_studio.delivery.plots import plot_measurement
from omniaudio_studio.errors import OutputError, OutputExistsError
from omniaudio_studio.foa.encoding import encode_plane_wave

RATE = 8000


def measured(azimuth: float, seconds: float = 3.0):  # type: ignore[no-untyped-def]
    signal = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    return measure_blocks([encode_plane_wave(signal, azimuth, 0.2)], RATE, 0.5)


def test_left_is_drawn_on_the_left(tmp_path: Path) -> None:
    """The anglegram's brightest column is left of the middle for a source on the left."""
    centres = {}
    for name, azimuth in (("left", np.pi / 2), ("right", -np.pi / 2)):
        png = tmp_path / f"{name}.png"
        plot_measurement(measured(azimuth), png, dpi=60)
        with Image.open(png) as image:
            pixels = np.asarray(image.convert("L"), dtype=float)
        height, width = pixels.shape
        # Inside the anglegram's axes (its frame lies at 7.5 % to 55 % of the width).
        gram = pixels[int(0.6 * height) : int(0.88 * height), int(0.09 * width) : int(0.53 * width)]
        centres[name] = np.argmax(gram.mean(axis=0)) / gram.shape[1]
    assert centres["left"] == pytest.approx(0.25, abs=0.08)
    assert centres["right"] == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.7])
def test_short_and_empty_fields(tmp_path: Path, seconds: float) -> None:
    png = tmp_path / "plot.png"
    plot_measurement(measured(0.3, seconds), png, dpi=40)
    with Image.open(png) as image:
        assert image.size == (440, 340)


def test_silence(tmp_path: Path) -> None:
    png = tmp_path / "plot.png"
    plot_measurement(measure_blocks([np.zeros((4, RATE), np.float32)], RATE), png, dpi=40)
    assert png.stat().st_size > 1000


def test_a_long_field_has_no_more_rows_than_the_picture(tmp_path: Path) -> None:
    found = measure_blocks([np.full((4, RATE), 0.1, np.float32)] * 30, RATE, 0.01)
    assert len(found.fine) == 15000
    plot_measurement(found, tmp_path / "plot.png", dpi=40)


def test_existing_plots_are_kept(tmp_path: Path) -> None:
    png = tmp_path / "plot.png"
    png.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        plot_measurement(measured(0), png, dpi=40)
    assert png.read_bytes() == b"mine"
    plot_measurement(measured(0), png, overwrite=True, dpi=40)
    assert png.read_bytes()[1:4] == b"PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]


def test_unwritable(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        plot_measurement(measured(0), tmp_path / "no" / "plot.png")


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from omniaudio_studio.delivery.measure import measure_blocks\n"
        "from omniaudio_studio.delivery.plots import plot_measurement\n"
        "assert 'matplotlib' not in sys.modules\n"
        "found = measure_blocks([np.ones((4, 100), np.float32)], 100)\n"
        f"plot_measurement(found, Path({str(tmp_path / 'plot.png')!r}), dpi=40)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
