"""Icons become centred squares with alpha, one folder per class."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from omniaudio_studio.datasets.library import MaterialLibrary
from omniaudio_studio.datasets.sprites import CLASSES, build_sprites
from omniaudio_studio.errors import MediaError, MissingFileError, OptionError

pytest.importorskip("resvg_py")

PACKAGE = {
    "prefix": "test",
    "width": 32,
    "height": 32,
    "icons": {
        # A red bar, low and to the left of its box.
        "bar": {"body": '<rect x="2" y="20" width="16" height="8" fill="#f00"/>'},
        "wide": {"body": '<rect width="64" height="32" fill="#0f0"/>', "width": 64},
    },
    "aliases": {"rod": {"parent": "bar"}, "turned": {"parent": "bar", "rotate": 1}},
}


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "icons.json"
    path.write_text(json.dumps(PACKAGE))
    return path


def test_icons_are_cropped_centred_and_sorted_by_class(package, tmp_path):
    out = tmp_path / "sprites"
    classes = {"a": ("bar", "missing"), "b": ("rod", "turned", "wide")}
    made = build_sprites(package, out, 64, classes)
    assert [str(p.relative_to(out)) for p in made] == [
        "a/test-bar.png",
        "b/test-rod.png",
        "b/test-wide.png",
    ]
    image = np.array(Image.open(made[0]))
    assert image.shape == (64, 64, 4)
    alpha = image[..., 3] / 255
    rows, columns = np.nonzero(alpha > 0.5)
    assert (rows.mean(), columns.mean()) == pytest.approx((31.5, 31.5), abs=0.6)
    assert np.ptp(columns) > 56 and 26 < np.ptp(rows) < 34  # two to one, as drawn
    assert (image[32, 32] == (255, 0, 0, 255)).all()
    library = MaterialLibrary(sprites=out)
    assert library.classes == ("a", "b")


def test_what_is_there_is_kept_unless_told_otherwise(package, tmp_path):
    classes = {"a": ("bar",)}
    (path,) = build_sprites(package, tmp_path / "out", 64, classes)
    path.write_bytes(b"mine")
    build_sprites(package, tmp_path / "out", 64, classes)
    assert path.read_bytes() == b"mine"
    build_sprites(package, tmp_path / "out", 64, classes, overwrite=True)
    assert Image.open(path).size == (64, 64)


def test_bad_packages_are_one_clear_line(package, tmp_path):
    with pytest.raises(MissingFileError, match="npm pack"):
        build_sprites(tmp_path / "none.json", tmp_path / "out")
    with pytest.raises(MediaError, match="none of the icons of the classes"):
        build_sprites(package, tmp_path / "out", classes=CLASSES)
    with pytest.raises(OptionError, match="16 to 4096"):
        build_sprites(package, tmp_path / "out", size=2)
    package.write_text("{")
    with pytest.raises(MediaError, match="not JSON"):
        build_sprites(package, tmp_path / "out")
    package.write_text('{"icons": 3}')
    with pytest.raises(MediaError, match="no `icons`"):
        build_sprites(package, tmp_path / "out")
    assert not (tmp_path / "out").exists()
