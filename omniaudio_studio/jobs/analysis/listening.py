"""A field as streams that a mixer turns with the head, for hosts that play sound themselves."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, OutputError
from omniaudio_studio.files import mark_temporary, remove_temporary
from omniaudio_studio.foa.binaural_filters import default_filters
from omniaudio_studio.foa.convention import CHANNELS
from omniaudio_studio.foa.head_streams import STREAMS, HeadStreams
from omniaudio_studio.jobs.analysis import cache
from omniaudio_studio.jobs.analysis.tasks import Context
from omniaudio_studio.media.audio import FoaReader

SUFFIX = ".flac"
_BLOCK = 1 << 16
_LEVEL = 0.25  # of FLAC's effort: more makes the files hardly smaller
_ROOM = 1.0001  # over the largest sample that is possible, for rounding
_PEAKS = 0.1  # of the work: looking for them reads the file, no more


def answer(context: Context, path: str, convention: str = "ambix") -> dict[str, Any]:
    """Ten stereo FLAC files, 24 bits, of the field's rate and length, sample 0 at its sample 0.

    See `foa.head_streams`: the ears' sound for the head's orientation H is the sum over
    ``streams`` of ``gain`` x H[axis of ``field``, axis of ``head``] x ``file``; that of W comes
    with ``gain`` alone. The filters are the ones that ship.

    Parameters
    ----------
    convention
        Of the channels, see `FoaReader`.

    Returns
    -------
    dict
        ``streams``: ``file``, ``gain``, ``head`` and ``field`` (channels) of each, in the order of
        `foa.head_streams.STREAMS`; ``rate``, ``samples``.

    Raises
    ------
    MissingFileError, MediaError
        If the field cannot be read, or is written while it is read.
    OutputError
        If the streams cannot be kept.
    """
    source = Path(path)
    identity = cache.file_identity(source)
    filters = hashlib.sha256(default_filters().taps.tobytes()).hexdigest()[:16]
    streams = []
    with ExitStack() as stack:
        making = _Making(context, source, convention, stack)
        for number, (head, field) in enumerate(STREAMS):
            file, facts = cache.cached(
                "listening",
                source,
                SUFFIX,
                partial(making.give, number),
                stream=head + field,
                convention=convention,
                filters=filters,
            )
            streams.append({"file": str(file), "gain": facts["gain"], "head": head, "field": field})
    if cache.file_identity(source) != identity:
        raise MediaError(f"{source} was written while it was read; try again")
    if not all(Path(stream["file"]).is_file() for stream in streams):
        _too_long(source)
    return {"streams": streams, "rate": facts["rate"], "samples": facts["samples"]}


class _Making:
    """Makes all the streams in one pass, once the first that is missing is asked for.

    They wait in the cache folder under temporary names: with the rest of the half-written files
    there, they go where a killed process leaves them.
    """

    def __init__(self, context: Context, source: Path, convention: str, stack: ExitStack) -> None:
        self._context, self._source, self._convention = context, source, convention
        self._stack = stack
        self._files: list[Path] = []
        self._facts: list[dict[str, Any]] = []

    def give(self, number: int, file: Path) -> dict[str, Any]:
        """Move one stream to its place; returns ``gain``, ``rate`` and ``samples``."""
        if not self._files:
            self._files = [self._temporary() for _ in STREAMS]
            self._make()
        self._files[number].replace(file)
        return self._facts[number]

    def _temporary(self) -> Path:
        path = cache.folder() / f".listening-{secrets.token_hex(6)}.part{SUFFIX}"
        mark_temporary(path)
        self._stack.callback(remove_temporary, path)
        return path

    def _make(self) -> None:
        with FoaReader(self._source, self._convention) as reader, ExitStack() as stack:
            streaming = HeadStreams(default_filters(reader.rate))
            peaks, samples = self._peaks(reader)
            if samples == 0:
                raise MediaError(f"{self._source} is empty; expected at least one sample")
            # Each file uses the full scale: none clips, and a faint field keeps its bits.
            gains = np.where(peaks > 0, peaks * streaming.bounds * _ROOM, 1.0)
            scales = (1 / gains).astype(np.float32)[:, None, None]
            writers = [stack.enter_context(_Flac(file, reader.rate)) for file in self._files]
            # Encoding takes most of the time, and libsndfile lets other threads run.
            pool = stack.enter_context(ThreadPoolExecutor(len(writers)))
            for block in reader.blocks(_BLOCK):
                self._context.cancel.check()
                streams = streaming.process(_finite(block)) * scales
                for _ in pool.map(_Flac.write, writers, streams):
                    pass
                self._check_room()
                done = writers[0].samples / max(samples, 1)
                self._context.progress(_PEAKS + (1 - _PEAKS) * min(done, 1.0))
            self._facts = [
                {"gain": float(gain), "rate": reader.rate, "samples": samples} for gain in gains
            ]
        if writers[0].samples != samples:
            raise MediaError(f"{self._source} was written while it was read; try again")

    def _peaks(self, reader: FoaReader) -> tuple[NDArray[np.float64], int]:
        """The largest magnitude in each stream's channel of the field, and the field's length."""
        peaks, samples = np.zeros(4), 0
        for block in reader.blocks(_BLOCK):
            self._context.cancel.check()
            np.maximum(peaks, np.abs(_finite(block)).max(axis=1), out=peaks)
            samples += block.shape[1]
            if reader.frames:
                self._context.progress(_PEAKS * min(samples / reader.frames, 1.0))
        return peaks[[CHANNELS.index(field) for _, field in STREAMS]], samples

    def _check_room(self) -> None:
        if sum(file.stat().st_size for file in self._files) > cache.MAX_BYTES:
            _too_long(self._source)


class _Flac:
    """One stereo file that is being written."""

    def __init__(self, path: Path, rate: int) -> None:
        import soundfile

        self._path, self.samples = path, 0
        self._errors = (soundfile.LibsndfileError, AssertionError, OSError)
        try:
            self._file = soundfile.SoundFile(
                path, "w", rate, 2, "PCM_24", format="FLAC", compression_level=_LEVEL
            )
        except self._errors as error:
            raise self._refused() from error

    def write(self, ears: NDArray[np.float32]) -> None:
        """Append (2, n)."""
        try:
            self._file.write(np.ascontiguousarray(ears.T))
        except self._errors as error:  # soundfile asserts that everything was taken
            raise self._refused() from error
        self.samples += ears.shape[1]

    def _refused(self) -> OutputError:
        free = shutil.disk_usage(self._path.parent).free / 1e9
        return OutputError(
            f"cannot write into the cache folder {self._path.parent}, where {free:.1f} GB are "
            "free; free some space"
        )

    def __enter__(self) -> _Flac:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._check_end()
        except self._errors as error:
            if kind is None:
                raise self._refused() from error

    def _check_end(self) -> None:
        """The encoder's last samples are written at the end, where libsndfile hides a full disk."""
        import soundfile

        with soundfile.SoundFile(self._path) as written:
            written.seek(max(self.samples - 1, 0))
            if len(written.read(1)) != min(self.samples, 1):
                raise self._refused()


def _finite(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """A bad sample in one place must not take the whole sound away."""
    if np.isfinite(block).all():
        return block
    return np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)


def _too_long(source: Path) -> None:
    raise OutputError(
        f"{source.name} is too long for the preview that turns: its streams take more than "
        f"{cache.MAX_BYTES / 2**30:g} GB; listen to the binaural file"
    )
