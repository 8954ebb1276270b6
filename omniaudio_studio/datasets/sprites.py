"""Pictures of sounding things, rasterised from Iconify JSON packages of emoji.

An Iconify package (``npm pack @iconify-json/noto`` and the like) holds one ``icons.json`` with the
SVG body of every icon. The result is one folder per class of PNGs with alpha, as
:class:`~omniaudio_studio.datasets.library.MaterialLibrary` reads them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import (
    MediaError,
    MissingDependencyError,
    MissingFileError,
    OptionError,
    OutputError,
)
from omniaudio_studio.files import reason, written_whole

CLASSES: Mapping[str, tuple[str, ...]] = {
    "dog_bark": ("dog", "dog-face", "guide-dog", "service-dog", "poodle"),
    "rain": (
        "cloud-with-rain",
        "umbrella-with-rain-drops",
        "cloud-with-lightning-and-rain",
        "sun-behind-rain-cloud",
    ),
    "sea_waves": ("water-wave",),
    "baby_cry": ("baby", "loudly-crying-face", "crying-face", "baby-light", "baby-medium-dark"),
    "clock_tick": (
        "alarm-clock",
        "mantelpiece-clock",
        "timer-clock",
        "watch",
        "stopwatch",
        "twelve-oclock",
    ),
    "sneeze": ("sneezing-face",),
    "helicopter": ("helicopter",),
    "chainsaw": ("carpentry-saw", "axe", "saw"),
    "rooster": ("rooster", "chicken"),
    "fire_crackling": ("fire",),
}
"""Icon names of each sound class; those that a package lacks are left out."""


def build_sprites(
    icons_json: Path,
    out: Path,
    size: int = 256,
    classes: Mapping[str, Sequence[str]] = CLASSES,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Rasterise the icons of every class of one package.

    Each picture is cropped to what is drawn and centred in a square, so that the middle of the
    square is the middle of the thing.

    Parameters
    ----------
    icons_json
        ``icons.json`` of an Iconify package.
    out
        Folder that receives ``<class>/<package>-<icon>.png``; made where it is missing.
    size
        Side of the squares in pixels, 16 to 4096.
    classes
        Icon names of each class.
    overwrite
        Draw pictures that are there already again; otherwise they are kept.

    Returns
    -------
    list of Path
        Every picture of the package, in the order of ``classes``.

    Raises
    ------
    MissingFileError, MediaError
        If ``icons_json`` is not there or is no Iconify package, or holds none of the icons.
    MissingDependencyError
        Without the ``datasets`` extra.
    OutputError
        If ``out`` cannot be written.
    """
    if not 16 <= size <= 4096:
        raise OptionError(f"size is {size}; a sprite's side is 16 to 4096 pixels")
    package = _load(icons_json)
    prefix = str(package.get("prefix", icons_json.parent.name))
    written: list[Path] = []
    for name, icons in classes.items():
        for icon in icons:
            svg = _svg(package, icon)
            if svg is None:
                continue
            path = out / name / f"{prefix}-{icon}.png"
            written.append(path)
            if path.exists() and not overwrite:
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"cannot write into {out}: {reason(error)}") from error
            data = _rasterise(svg, size)
            with written_whole(path, overwrite=True) as temporary:
                temporary.write_bytes(data)
    if not written:
        raise MediaError(
            f"{icons_json} holds none of the icons of the classes {', '.join(classes)}; "
            "use an emoji package such as @iconify-json/noto"
        )
    return written


def _load(icons_json: Path) -> dict[str, Any]:
    """Read an Iconify package, checked for the parts that are used."""
    if not icons_json.is_file():
        raise MissingFileError(
            f"{icons_json} is not there; get one with `npm pack @iconify-json/noto` and unpack it"
        )
    try:
        package = json.loads(icons_json.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MediaError(f"{icons_json} is not JSON ({error}); give an icons.json") from error
    if not isinstance(package, dict) or not isinstance(package.get("icons"), dict):
        raise MediaError(f"{icons_json} has no `icons`; give the icons.json of an Iconify package")
    return package


def _svg(package: Mapping[str, Any], icon: str) -> str | None:
    """One icon as an SVG document, or None where the package lacks it."""
    icons, aliases = package["icons"], package.get("aliases", {})
    seen: set[str] = set()
    while icon not in icons:
        alias = aliases.get(icon)
        # An alias that turns or flips its parent is another picture: not needed here.
        if alias is None or icon in seen or {"rotate", "hFlip", "vFlip"} & set(alias):
            return None
        seen.add(icon)
        icon = alias["parent"]
    entry = icons[icon]
    box = [
        entry.get(key, package.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    ]
    view = " ".join(str(value) for value in box)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{view}" width="{box[2]}" height="{box[3]}">{entry["body"]}</svg>'
    )


def _rasterise(svg: str, size: int) -> bytes:
    """PNG (RGBA, size x size) of an SVG, cropped to what is drawn and centred."""
    try:
        import resvg_py
    except ImportError as error:
        raise MissingDependencyError(
            "drawing sprites needs resvg-py; run: pip install omniaudio-studio[datasets]"
        ) from error
    from PIL import Image

    drawn = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=2 * size, height=2 * size))
    image = Image.open(io.BytesIO(drawn)).convert("RGBA")
    box = image.getchannel("A").point(lambda value: 255 if value > 8 else 0).getbbox()
    if box is not None:
        image = image.crop(box)
    side = round(max(image.size) * 1.04)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    result = io.BytesIO()
    square.resize((size, size), Image.Resampling.LANCZOS).save(result, "PNG", optimize=True)
    return result.getvalue()
