"""What scenes are made of: sounds, panoramas and sprites, from folders or drawn procedurally."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.datasets import procedural
from omniaudio_studio.datasets.conditioning import RATE, decode, level, tidy
from omniaudio_studio.datasets.solids import SOLID, solid
from omniaudio_studio.errors import MediaError, MissingFileError, OptionError

__all__ = ["IMAGE_SUFFIXES", "RATE", "SOUND_SUFFIXES", "MaterialLibrary"]

SOUND_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".m4a", ".aac", ".wma"}
)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
_MAX_PANORAMA_WIDTH = 4096
_PROCEDURAL = "procedural"

Value = TypeVar("Value", bound="NDArray[Any] | list[NDArray[np.float32]]")


class MaterialLibrary:
    """Sounds by class, panoramas and sprites by class.

    Parts without a folder are procedural. Everything that is drawn has a *key* (a path relative to
    its folder, or ``procedural:<class>:<number>``), and the same key always gives the same
    material, so that a scene is known by its keys alone. Listings are sorted: the order in which a
    file system answers does not matter.

    Parameters
    ----------
    sounds
        Folder with one folder of audio files per class, or None.
    panoramas
        Folder with equirectangular images, or None.
    sprites
        Folder with one folder of PNGs with alpha per class, or None.
    folds
        Only sounds of these folds: files named ``<fold>-...`` as in ESC-50. None takes all.
    panorama_names
        Only panoramas of these stems. None takes all.

    Raises
    ------
    MissingFileError
        If a folder is not there or holds nothing usable.
    OptionError
        If sounds and sprites have no class in common, or a name in ``panorama_names`` is unknown
        or stands without ``panoramas``.
    """

    def __init__(
        self,
        sounds: Path | None = None,
        panoramas: Path | None = None,
        sprites: Path | None = None,
        folds: Sequence[int] | None = None,
        panorama_names: Sequence[str] | None = None,
    ) -> None:
        if panorama_names is not None and panoramas is None:
            raise OptionError("panorama names choose among --panoramas; give that folder, too")
        self.sounds = sounds
        self.panoramas = panoramas
        self.sprites = sprites
        self._sound_files = (
            _by_class(sounds, SOUND_SUFFIXES, "sounds", None if folds is None else tuple(folds))
            if sounds
            else {}
        )
        self._sprite_files = _by_class(sprites, IMAGE_SUFFIXES, "sprites", None) if sprites else {}
        self._panorama_files = _panorama_files(panoramas, panorama_names) if panoramas else ()
        self.classes: tuple[str, ...] = self._common_classes()
        self._make_caches()

    def __getstate__(self) -> dict[str, Any]:
        """Worker processes get the listing, not the caches."""
        return {
            "sounds": self.sounds,
            "panoramas": self.panoramas,
            "sprites": self.sprites,
            "_sound_files": self._sound_files,
            "_sprite_files": self._sprite_files,
            "_panorama_files": self._panorama_files,
            "classes": self.classes,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_caches()

    def _make_caches(self) -> None:
        self._sound_cache: dict[str, NDArray[np.float32]] = {}
        self._drawn_cache: _Cache[NDArray[np.float32]] = _Cache(16)
        self._panorama_cache: _Cache[NDArray[np.uint8]] = _Cache(24)
        self._scaled_cache: _Cache[NDArray[np.uint8]] = _Cache(96)
        self._sprite_cache: _Cache[NDArray[np.uint8]] = _Cache(512)
        self._mip_cache: _Cache[list[NDArray[np.float32]]] = _Cache(512)

    @property
    def listing(self) -> str:
        """Hash of the names of everything that can be drawn: the same for the same choice of files,
        wherever the folders lie."""
        names = (self._sound_files, self._panorama_files, self._sprite_files)
        return hashlib.sha256(repr(names).encode()).hexdigest()

    def _common_classes(self) -> tuple[str, ...]:
        heard, seen = set(self._sound_files), set(self._sprite_files)
        if heard and seen:
            common = heard & seen
            if not common:
                raise OptionError(
                    f"{self.sounds} and {self.sprites} have no class in common "
                    f"({', '.join(sorted(heard))} against {', '.join(sorted(seen))}); "
                    "name the class folders alike"
                )
            return tuple(sorted(common))
        return tuple(sorted(heard or seen)) or procedural.SOUND_CLASSES

    # Sounds

    def draw_sound(self, name: str, rng: np.random.Generator) -> str:
        """Key of a random sound of class ``name``."""
        files = self._sound_files.get(name)
        if files:
            return files[int(rng.integers(len(files)))]
        return f"{_PROCEDURAL}:{name}:{int(rng.integers(2**31))}"

    def recordings(self, name: str) -> list[Path]:
        """Files of class ``name``, sorted; none for procedural sounds."""
        return [_inside(self.sounds, key, "sounds") for key in self._sound_files.get(name, ())]

    def load_sound(self, key: str) -> NDArray[np.float32]:
        """The sound of a key: mono at 48 kHz, trimmed, levelled; read-only, kept in memory.

        Returns
        -------
        ndarray, float32, shape (samples,)
            Without silence at its ends or pauses above half a second; levelled as
            :func:`~omniaudio_studio.datasets.conditioning.level` says.
        """
        drawn = _procedural_key(key)
        if drawn:
            # Endless in number: only the last few are kept.
            return self._drawn_cache.get(
                key, lambda: level(tidy(procedural.sound(*drawn, rate=RATE)))
            )
        found = self._sound_cache.get(key)
        if found is None:
            found = level(tidy(decode(_inside(self.sounds, key, "sounds"))))
            found.setflags(write=False)
            self._sound_cache[key] = found
        return found

    def sound(self, name: str, rng: np.random.Generator) -> NDArray[np.float32]:
        """A random sound of class ``name``, float32 mono at 48 kHz."""
        return self.load_sound(self.draw_sound(name, rng))

    def preload(self) -> None:
        """Decode every sound now (about 1 MB each), for example before processes are forked."""
        for name in self.classes:
            for key in self._sound_files.get(name, ()):
                self.load_sound(key)

    # Panoramas

    def draw_panorama(self, rng: np.random.Generator, procedural_share: float = 0.0) -> str:
        """Key of a random panorama; a procedural sky with probability ``procedural_share``."""
        index, share, number = rng.integers(2**31), rng.random(), rng.integers(2**31)
        if self._panorama_files and share >= procedural_share:
            return self._panorama_files[int(index) % len(self._panorama_files)]
        return f"{_PROCEDURAL}:sky:{int(number)}"

    def load_panorama(self, key: str) -> NDArray[np.uint8]:
        """The panorama of a key: equirectangular RGB, uint8, (height, width, 3); read-only."""

        def make() -> NDArray[np.uint8]:
            drawn = _procedural_key(key)
            if drawn:
                return procedural.sky(drawn[1], 1024, 512)
            return _read_image(_inside(self.panoramas, key, "panoramas"), "RGB")

        return self._panorama_cache.get(key, make)

    def scaled_panorama(self, key: str, width: int, height: int) -> NDArray[np.uint8]:
        """:meth:`load_panorama` at another size, averaged over areas where it shrinks."""
        drawn = _procedural_key(key)
        if drawn and width <= 512:
            # Drawn small at once: training sees each procedural sky only a few times.
            return self._scaled_cache.get(
                (key, width, height),
                lambda: _resize(procedural.sky(drawn[1], 320, 160), width, height),
            )
        return self._scaled_cache.get(
            (key, width, height), lambda: _resize(self.load_panorama(key), width, height)
        )

    def panorama(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A random panorama, equirectangular RGB uint8 (height, width, 3)."""
        return self.load_panorama(self.draw_panorama(rng))

    # Sprites

    def draw_sprite(self, name: str, rng: np.random.Generator) -> str:
        """Key of a random sprite of class ``name``; a rendered object for the class `SOLID`."""
        files = self._sprite_files.get(name)
        if files:
            return files[int(rng.integers(len(files)))]
        return f"{_PROCEDURAL}:{name}:{int(rng.integers(2**31))}"

    def load_sprite(self, key: str) -> NDArray[np.uint8]:
        """The sprite of a key: square RGBA, uint8, (side, side, 4); read-only."""

        def make() -> NDArray[np.uint8]:
            drawn = _procedural_key(key)
            if drawn and drawn[0] == SOLID and SOLID not in self.classes:
                return solid(drawn[1], 128)
            if drawn:
                return procedural.sprite(*drawn, 256)
            return _square(_read_image(_inside(self.sprites, key, "sprites"), "RGBA"))

        return self._sprite_cache.get(key, make)

    def sprite_levels(self, key: str) -> list[NDArray[np.float32]]:
        """The sprite with premultiplied alpha in falling sizes, each half of the one before.

        Returns
        -------
        list of ndarray, float32, shape (side, side, 4)
            RGB in 0..255 times alpha, alpha in 0..1; sides of the original down to 8 pixels.
        """

        def make() -> list[NDArray[np.float32]]:
            import cv2

            image = self.load_sprite(key).astype(np.float32)
            image[..., 3] /= 255
            image[..., :3] *= image[..., 3:]
            levels = [image]
            while levels[-1].shape[0] >= 16:
                side = levels[-1].shape[0] // 2
                levels.append(
                    np.asarray(
                        cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA),
                        np.float32,
                    )
                )
            return levels

        return self._mip_cache.get(key, make)

    def sprite(self, name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A random sprite of class ``name``, square RGBA uint8 (side, side, 4)."""
        return self.load_sprite(self.draw_sprite(name, rng))


class _Cache(Generic[Value]):
    """The last ``limit`` values made, by key; safe between threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Any, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        arrays: list[NDArray[Any]] = value if isinstance(value, list) else [value]
        for array in arrays:
            array.setflags(write=False)
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._limit:
                self._values.popitem(last=False)
        return value


def _by_class(
    folder: Path, suffixes: frozenset[str], what: str, folds: tuple[int, ...] | None
) -> dict[str, tuple[str, ...]]:
    """Keys of the files of every class folder, sorted."""
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is not a folder; --{what} holds one folder per class")
    found: dict[str, tuple[str, ...]] = {}
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() or entry.name.startswith("."):
            continue
        keys = tuple(
            f"{entry.name}/{path.name}"
            for path in sorted(entry.iterdir())
            if path.suffix.lower() in suffixes
            and not path.name.startswith(".")
            and (folds is None or _fold(path.name) in folds)
        )
        if keys:
            found[entry.name] = keys
    if not found:
        of_folds = f" of folds {', '.join(map(str, folds))}" if folds is not None else ""
        raise MissingFileError(
            f"{folder} holds no {what}{of_folds}; expected <class>/<file> with one of "
            f"{', '.join(sorted(suffixes))}"
        )
    return found


def _fold(name: str) -> int | None:
    """Fold of an ESC-50 file name (``<fold>-<clip>-<take>...``)."""
    match = re.match(r"(\d+)-", name)
    return int(match.group(1)) if match else None


def _panorama_files(folder: Path, names: Sequence[str] | None) -> tuple[str, ...]:
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is not a folder; --panoramas holds images")
    found = {
        path.stem: path.name
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    }
    if names is not None:
        missing = sorted(set(names) - set(found))
        if missing:
            raise OptionError(
                f"{folder} has no panorama {', '.join(missing)}; it has {', '.join(sorted(found))}"
            )
        found = {name: found[name] for name in sorted(set(names))}
    if not found:
        raise MissingFileError(f"{folder} holds no images; put equirectangular panoramas there")
    return tuple(found.values())


def _procedural_key(key: str) -> tuple[str, int] | None:
    """Class and number of a procedural key, None for a file's key."""
    match = re.fullmatch(rf"{_PROCEDURAL}:(.*):(\d+)", key)
    return (match.group(1), int(match.group(2))) if match else None


def _inside(folder: Path | None, key: str, what: str) -> Path:
    """Path of a file's key; a key never leads out of its folder."""
    if folder is None:
        raise MissingFileError(f"the scene names {key}, but no {what} folder was given")
    parts = Path(key).parts
    path = folder.joinpath(*parts)
    if Path(key).is_absolute() or ".." in parts:
        raise MediaError(f"the scene names {key}, which leads out of {folder}; correct the scene")
    if not path.is_file():
        raise MissingFileError(f"{path} is not there; give the {what} that the scene was made with")
    return path


def _read_image(path: Path, mode: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            converted = image.convert(mode)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be read as an image; remove or replace it") from error
    if converted.width > _MAX_PANORAMA_WIDTH:
        height = max(1, round(converted.height * _MAX_PANORAMA_WIDTH / converted.width))
        converted = converted.resize((_MAX_PANORAMA_WIDTH, height), Image.Resampling.BOX)
    return np.array(converted, np.uint8)


def _square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad to a square with transparent pixels, the picture in the middle."""
    height, width = image.shape[:2]
    if height == width:
        return image
    side = max(height, width)
    square = np.zeros((side, side, image.shape[2]), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square


def _resize(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    import cv2

    if image.shape[:2] == (height, width):
        return image
    shrinks = width < image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
