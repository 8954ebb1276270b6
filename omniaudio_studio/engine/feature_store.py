"""Features of pictures on disk, so that a second seed, in another process too, needs no picture.

One feature is kept for each moment of a clip: what it depends on is the clip's content, how the
sphere lies in it, the view with its front, the moment, the vision graph and what ran it. The
features of a picture do not depend on what else is in its batch (`engine.features` runs batches of
one size), so that a part of the clip, or one with other moments in between, takes what is there.

A file holds up to :data:`PART_BYTES` of one view's features as they were made: an ``.npz`` with
``times`` (microseconds), ``fronts`` (radians), ``rows`` (which feature is shown then) and
``features`` (float32). It is never changed, so that any number of processes may read, write and
trim; the checksums of the zip tell a damaged one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio import __version__
from omniaudio_studio.bundles.bundle import Bundle
from omniaudio_studio.bundles.parts import BundleView
from omniaudio_studio.engine.devices import ProviderChoice
from omniaudio_studio.errors import OmniAudioError, OptionError
from omniaudio_studio.files import written_whole
from omniaudio_studio.places import cache_folder, trim_folder

if TYPE_CHECKING:
    from omniaudio_studio.media.probe import ClipInfo

Array = NDArray[np.float32]
Moment = tuple[int, float]
"""Microseconds from the clip's first frame, and the azimuth in radians that was the front."""

SIZE_VARIABLE = "OMNIAUDIO_FEATURE_CACHE"
"""Most gigabytes (10^9 bytes) that are kept; 0 keeps nothing."""

DEFAULT_GIGABYTES = 4.0
PART_BYTES = 8 << 20

_VERSION = 1  # of the files, and of how pictures become what the graph sees
_LOADED = 4  # parts of each view in memory at once
_PATIENCE = 20.0  # seconds of looking after which what was seen is written, whole part or not
_DEPENDS_ON = ("av", "cv2", "numpy", "onnxruntime")  # what decodes, draws and looks
_SUFFIX = ".npz"
_BESIDE = {"path", "warnings", "audio", "projection_source"}  # of ClipInfo: not about its pictures


def folder() -> Path:
    """Where features are kept."""
    return cache_folder("features")


def limit() -> int:
    """Most bytes that are kept, as the environment says.

    Raises
    ------
    OptionError
        If it says no number.
    """
    text = os.environ.get(SIZE_VARIABLE, "").strip()
    try:
        gigabytes = float(text) if text else DEFAULT_GIGABYTES
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes <= 1e6:
        raise OptionError(
            f"{SIZE_VARIABLE} must be a number of gigabytes from 0 (keep nothing) to 1000000, "
            f"found {text!r}"
        )
    return round(gigabytes * 1e9)


def usage() -> tuple[int, int]:
    """Files that are kept, and their bytes."""
    sizes = []
    with suppress(OSError):
        for path in folder().iterdir():
            with suppress(OSError):
                sizes.append(path.stat().st_size)
    return len(sizes), sum(sizes)


def clear() -> None:
    """Remove everything that is kept."""
    with suppress(OSError):
        trim_folder(folder(), 0)


def tower(bundle: Bundle, key: str) -> str:
    """Identity of a vision graph: a hash of the hashes of its files."""
    manifest = bundle.manifest
    files = {name: entry.sha256 for name, entry in manifest.files_of(key).items()}
    return _digest([manifest.graphs[key], files])


@dataclass(frozen=True)
class ClipFeatures:
    """What is kept of one clip, as a bundle sees it on one provider.

    Parameters
    ----------
    info
        The clip.
    bundle, provider
        Whose vision graphs, and what runs them.
    sha256
        Gives the clip's SHA-256, and may wait for it. It is not asked before anything is looked at
        where nothing is kept of a clip of that many bytes.
    """

    info: ClipInfo
    bundle: Bundle
    provider: ProviderChoice
    sha256: Callable[[], str]

    def known(self, views: Sequence[BundleView], moments: Sequence[Moment]) -> Known:
        """What is kept of these moments; to be closed by the caller."""
        known = Known([view.name for view in views], moments)
        own = self._size
        kept = [path for path in _files() if path.name.startswith(own)]
        for view in views if kept else ():
            own = self.stem(view)
            known.look_in([path for path in kept if path.name.startswith(own)], view.name)
        return known

    def keeper(self, views: Sequence[BundleView]) -> Keeper:
        """Takes what is new."""
        return Keeper(self, {view.name: view for view in views})

    def stem(self, view: BundleView) -> str:
        """What the names of a view's files begin with."""
        assert view.graph is not None
        info = self.info.as_dict()
        key = [
            _VERSION,
            self.sha256(),
            {name: value for name, value in info.items() if name not in _BESIDE},
            asdict(view.view),
            tower(self.bundle, view.graph),
            self.provider.provider,
            # Another version may round differently.
            [__version__, *(import_module(name).__version__ for name in _DEPENDS_ON)],
        ]
        return f"{self._size}{_digest(key)[:32]}-"

    @property
    def _size(self) -> str:
        return f"{Path(self.info.path).stat().st_size:x}-"


def kept_features(
    info: ClipInfo, bundle: Bundle, provider: ProviderChoice, sha256: Callable[[], str]
) -> ClipFeatures | None:
    """What is kept of a clip (see :class:`ClipFeatures`); None where nothing is to be kept.

    Raises
    ------
    OptionError
        If the limit in the environment is no number.
    """
    return ClipFeatures(info, bundle, provider, sha256) if limit() else None


class Known:
    """Features of some of the moments that are wanted.

    Parameters
    ----------
    views
        Names; a moment is known where all of them are.
    moments
        What is wanted.
    """

    def __init__(self, views: Sequence[str], moments: Sequence[Moment]) -> None:
        self._wanted = set(moments)
        self._places: dict[str, dict[Moment, tuple[_Part, int]]] = {name: {} for name in views}
        self._loaded: OrderedDict[_Part, Array] = OrderedDict()

    def look_in(self, paths: Sequence[Path], view: str) -> None:
        """Open those files of a view that hold something; drop those that are none."""
        places = self._places[view]
        for path in paths:
            if len(places) == len(self._wanted):
                return
            try:
                part = _Part(path)
            except OSError:
                continue  # gone, or not to be read now
            except _BROKEN:
                _drop(path)
                continue
            hits = [moment for moment in part.rows if moment in self._wanted]
            hits = [moment for moment in hits if moment not in places]
            try:
                if hits:
                    # Now, while the pictures can still be looked at: a damaged file is found out by
                    # reading it. It stays open, so that nobody's trimming takes it away.
                    self._features(part)
            except _BROKEN:
                hits = []
                part.close()
                _drop(path)
            places.update({moment: (part, part.rows[moment]) for moment in hits})
            if hits:
                with suppress(OSError):
                    os.utime(path)  # what is used stays longest
            else:
                part.close()

    def __contains__(self, moment: Moment) -> bool:
        return all(moment in places for places in self._places.values())

    def __getitem__(self, moment: Moment) -> dict[str, Array]:
        """Features by view."""
        found = {}
        for view, places in self._places.items():
            part, row = places[moment]
            found[view] = self._features(part)[row].copy()
        return found

    def _features(self, part: _Part) -> Array:
        if part not in self._loaded:
            self._loaded[part] = part.features()
            if len(self._loaded) > _LOADED * len(self._places):
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(part)
        return self._loaded[part]

    def close(self) -> None:
        """Let go of the files."""
        for part in {part for places in self._places.values() for part, _ in places.values()}:
            part.close()


class _Part:
    """One file, open. Its table is in memory, its features are read when they are wanted.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile
        If it is damaged, or no such file.
    """

    def __init__(self, path: Path) -> None:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("no table of features")
        self._file = file
        try:
            columns = [file[name].tolist() for name in ("times", "fronts", "rows")]
            self.rows: dict[Moment, int] = {
                (time, front): row for time, front, row in zip(*columns, strict=True)
            }
        except BaseException:
            self.close()
            raise

    def features(self) -> Array:
        """All rows, float32."""
        features = self._file["features"]
        if features.dtype != np.float32 or not 0 <= max(self.rows.values()) < len(features):
            raise ValueError("no features")
        return np.asarray(features)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


_BROKEN = (
    ValueError, KeyError, TypeError, EOFError, MemoryError, OSError, RuntimeError,
    zipfile.BadZipFile,
)  # fmt: skip


def _drop(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


@dataclass
class _Waiting:
    """Features of a view that are not written yet."""

    moments: list[Moment] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    features: list[Array] = field(default_factory=list)


class Keeper:
    """Writes new features. Whatever the system refuses costs the cache, never the work.

    Parameters
    ----------
    kept
        Where they belong.
    views
        By name.
    """

    def __init__(self, kept: ClipFeatures, views: Mapping[str, BundleView]) -> None:
        self._kept, self._views = kept, views
        self._clip = _state(kept.info.path)
        self._waiting = {name: _Waiting() for name in views}
        self._last: Mapping[str, Array] | None = None
        self._since = time.monotonic()
        self._written: list[Path] = []
        self._stopped = False

    def add(self, moment: Moment, features: Mapping[str, Array]) -> None:
        """Take the features of a moment, by view; the same object again is the same picture."""
        if self._stopped:
            return
        again = features is self._last
        self._last = features
        for name, waiting in self._waiting.items():
            if not again or not waiting.features:
                waiting.features.append(features[name])
            waiting.moments.append(moment)
            waiting.rows.append(len(waiting.features) - 1)
            if len(waiting.features) * features[name].nbytes >= PART_BYTES:
                self._write(name)

    def pause(self) -> None:
        """Write what took long to see: whoever stops the work now does not lose it."""
        if time.monotonic() - self._since > _PATIENCE:
            self.finish()

    def finish(self) -> None:
        """Write the rest."""
        for name in self._waiting:
            self._write(name)
        self._since = time.monotonic()

    def discard(self) -> None:
        """Keep nothing of all this."""
        self._stopped = True
        for path in self._written:
            _drop(path)

    def _write(self, name: str) -> None:
        waiting, self._waiting[name] = self._waiting[name], _Waiting()
        if self._stopped or not waiting.moments:
            return
        try:
            stem = self._kept.stem(self._views[name])
            if _state(self._kept.info.path) != self._clip:
                raise OSError("the clip has changed since it was looked at")
            home = folder()
            home.mkdir(parents=True, exist_ok=True)
            path = home / f"{stem}{secrets.token_hex(6)}{_SUFFIX}"
            with written_whole(path) as temporary:
                np.savez(
                    temporary,
                    times=np.array([time for time, _ in waiting.moments], np.int64),
                    fronts=np.array([front for _, front in waiting.moments], np.float64),
                    rows=np.array(waiting.rows, np.int64),
                    features=np.stack(waiting.features).astype(np.float32, copy=False),
                )
            self._written.append(path)
            trim_folder(home, limit())
        except (OmniAudioError, OSError):
            self._stopped = True


def _state(path: Path) -> tuple[int, int]:
    """Tells a file from its later self."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


def _files() -> list[Path]:
    """All files that are kept, latest first: they are likeliest to hold what is wanted."""
    found = []
    with suppress(OSError):
        for path in folder().iterdir():
            if path.suffix == _SUFFIX and not path.name.startswith("."):
                with suppress(OSError):
                    found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
