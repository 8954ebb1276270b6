"""Sound in: a clip's track aligned to its pictures, and first-order ambisonics from any file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from omniaudio_studio.errors import MediaError, OptionError
from omniaudio_studio.media.ambisonics import Ambisonics, read_ambisonics
from omniaudio_studio.media.blocks import regrouped, resampled, silence, without
from omniaudio_studio.media.container import (
    Damage,
    audio_stream,
    check_file,
    decode_audio,
    decode_video,
    open_input,
    video_streams,
)
from omniaudio_studio.media.probe import ClipInfo

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from omniaudio_studio.foa.convention import Convention

# A track may run this far off its timestamps (rounded to a millisecond in Matroska) before
# silence is put in or sound is cut out.
_DRIFT = 0.01
# Where Vorbis changes between short and long blocks inside a page of Ogg, libav's times are off by
# 448 samples and right again two packets later.
_VORBIS_DRIFT = 0.025
# The resampler starts this many seconds early, so that a range sounds as it does in the whole
# clip. A whole second is a whole number of samples at every rate.
_PREROLL = 1
# Below this many seconds decoding from the start costs less than a seek that may miss.
_SEEK_FROM = 2.0
# How far before the wanted time to aim, one try after another (seconds). Codecs need a few packets
# to settle after a seek.
_SEEK_MARGINS = (0.5, 5.0, 30.0)


def iter_audio(
    path: str | Path | ClipInfo,
    rate: int | None = None,
    start: float = 0.0,
    duration: float | None = None,
    block: int = 16384,
    *,
    channels: int = 0,
    number: int = 0,
) -> Iterator[np.ndarray]:
    """Sound of a file, aligned to the video's time zero, block by block in flat memory.

    Sample 0 of ``start = 0`` is the presentation time of the first picture (of the first sound
    where there are no pictures). Where the track has nothing, there is silence.

    Parameters
    ----------
    path : str, Path or ClipInfo
    rate : int, optional
        Samples a second wanted; the track's own by default.
    start, duration : float
        Seconds. Without a duration the sound is given to its end.
    block : int
        Samples per channel of every block but the last.
    channels : int
        Where a file has several tracks, one with at least so many channels is preferred.
    number : int
        The track of that number (libav's ``stream.id``) goes before; 0 for none.

    Yields
    ------
    float32 array (channels, n)
        Together exactly ``round(duration * rate)`` samples where a duration is given.

    Raises
    ------
    MissingFileError, MediaError
        If there is no sound that can be read.
    OptionError
        If the range makes no sense.
    """
    if not (math.isfinite(start) and start >= 0):
        raise OptionError(f"start {start}: expected seconds from 0 on")
    if duration is not None and not (math.isfinite(duration) and duration >= 0):
        raise OptionError(f"duration {duration}: expected seconds from 0 on")
    file = path.path if isinstance(path, ClipInfo) else Path(path)
    zero = path.start_time if isinstance(path, ClipInfo) else _time_zero(file, channels, number)
    with open_input(file) as container:
        stream = _sound(file, container, channels, number)
        own = stream.rate
        if rate is None or rate == own:
            natural = _aligned(file, container, stream, zero, start, duration)
            count = None if duration is None else round(duration * own)
            yield from regrouped(natural, stream.channels, block, count)
            return
        early = start - _PREROLL
        length = None if duration is None else duration + 2 * _PREROLL
        natural = _aligned(file, container, stream, zero, early, length)
        changed = resampled(natural, own, rate, stream.channels)
        count = None if duration is None else round(duration * rate)
        yield from regrouped(without(changed, rate * _PREROLL), stream.channels, block, count)


def read_audio(
    path: str | Path | ClipInfo,
    rate: int | None = None,
    start: float = 0.0,
    duration: float | None = None,
) -> tuple[np.ndarray, int]:
    """Sound of a file, aligned to the video's time zero, as one array.

    Returns
    -------
    float32 array (channels, n), int
        The samples and their rate; see `iter_audio`.
    """
    file = path.path if isinstance(path, ClipInfo) else Path(path)
    with open_input(file) as container:
        stream = _sound(file, container)
        own, channels = stream.rate, stream.channels
    blocks = list(iter_audio(path, rate, start, duration))
    empty = np.zeros((channels, 0), np.float32)
    return np.concatenate([empty, *blocks], axis=1), rate or own


def _sound(
    file: Path, container: InputContainer, channels: int = 0, number: int = 0
) -> AudioStream:
    stream = audio_stream(container, channels=channels, number=number)
    if stream is None or not stream.rate:
        raise MediaError(f"{file} has no sound that can be read")
    return stream


def _time_zero(file: Path, channels: int, number: int) -> float:
    """Presentation time of the first picture, or of the first sound where there is none."""
    with open_input(file) as container:
        for stream in video_streams(container)[:1]:
            picture = next(decode_video(container, stream, Damage()), None)
            if picture is not None:
                return float(picture.time)
    with open_input(file) as container:
        track = _sound(file, container, channels, number)
        sound = next(decode_audio(container, track, Damage()), None)
        return 0.0 if sound is None or sound.pts is None else float(sound.time or 0.0)


def _aligned(
    file: Path,
    container: InputContainer,
    stream: AudioStream,
    zero: float,
    start: float,
    duration: float | None,
) -> Iterator[np.ndarray]:
    """The track at its own rate from ``zero + start`` on, holes filled with silence.

    With a duration, never more samples than it holds; fewer where the track ends before.
    """
    rate, channels = stream.rate, stream.channels
    wanted = math.inf if duration is None else math.ceil(duration * rate)
    vorbis = stream.codec_context.name == "vorbis"
    tolerance = round((_VORBIS_DRIFT if vorbis else _DRIFT) * rate)
    given = 0  # samples given out; the next one stands at (zero + start) + given / rate
    anchored = False
    for frame in _decoded_from(file, container, stream, zero + start):
        samples = _as_float(frame)
        if frame.rate != rate or samples.shape[0] != channels:
            raise MediaError(
                f"{file}: its sound changes rate or channels on the way; convert it to one first"
            )
        time = frame.time if frame.pts is not None else None
        place = given if time is None else round((time - zero - start) * rate)
        if not anchored or abs(place - given) > tolerance:
            # Short of wanted: what lies behind the range is of no interest.
            yield from silence(channels, min(place, wanted) - given)
            given = max(given, min(place, wanted))  # type: ignore[assignment]
            samples = samples[:, max(0, given - place) :]
        if samples.shape[1]:
            anchored = True
        if given + samples.shape[1] > wanted:
            samples = samples[:, : int(wanted - given)]
        given += samples.shape[1]
        if samples.shape[1]:
            yield samples
        if given >= wanted:
            return


def _decoded_from(
    file: Path, container: InputContainer, stream: AudioStream, time: float
) -> Iterator[AudioFrame]:
    """Decoded sound from a little before ``time`` (seconds in the file's clock) on."""
    import av.error

    assert stream.time_base is not None
    rank = container.streams.audio.index(stream)
    begin = float((stream.start_time or 0) * stream.time_base)
    for margin in _SEEK_MARGINS:
        if time - margin <= begin + _SEEK_FROM:
            break
        try:
            container.seek(math.floor((time - margin) / stream.time_base), stream=stream)
        except av.error.FFmpegError:
            continue
        frames = decode_audio(container, stream, Damage())
        first = next(frames, None)
        # A seek that lands behind its target would pass for silence.
        if first is not None and first.time is not None and first.time <= time:
            yield first
            yield from frames
            return
    with open_input(file) as again:
        yield from decode_audio(again, again.streams.audio[rank], Damage())


def _as_float(frame: AudioFrame) -> np.ndarray:
    """Samples of a decoded frame as float32 (channels, n), full scale at 1."""
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - 128) / 128
    if data.dtype in (np.int16, np.int32):
        return (data / 2.0 ** (8 * data.dtype.itemsize - 1)).astype(np.float32)
    return data.astype(np.float32)


class FoaReader:
    """Read first-order ambisonics of any file as AmbiX, in flat memory.

    WAV, FLAC, Ogg and the like are read by libsndfile; other containers by libav.

    Parameters
    ----------
    path : str or Path
    convention : str
        One of `foa.convention.CONVENTIONS`, or "auto": what the file itself states (see
        :mod:`~omniaudio_studio.media.stated`), else AmbiX.

    Attributes
    ----------
    rate : int
        Samples a second.
    frames : int or None
        Samples per channel, None where only reading on would tell.
    convention : str
        The one that is converted from.

    Raises
    ------
    MissingFileError, MediaError
        If the file cannot be read, or does not have the channels of ambisonics.
    OptionError
        If the convention is not known.
    """

    def __init__(self, path: str | Path, convention: str = "auto") -> None:
        from omniaudio_studio.foa.convention import CONVENTIONS
        from omniaudio_studio.media.stated import stated_convention

        if convention != "auto" and convention not in CONVENTIONS:
            raise OptionError(
                f"convention {convention}: expected auto or one of {', '.join(CONVENTIONS)}"
            )
        self.path = Path(path)
        check_file(self.path)
        self._file: Any = None
        self._container: InputContainer | None = None
        self._boxes: Ambisonics | None = None
        ambisonic = self._open()
        self._check_channels(ambisonic)
        stated = stated_convention(self.path) if convention == "auto" else None
        self.convention: Convention = (
            convention if convention != "auto" else "ambix" if stated is None else stated.convention  # type: ignore[assignment]
        )

    def _open(self) -> bool:
        """Open with whichever library reads the file; True if it says that it is ambisonics."""
        import soundfile

        try:
            self._file = soundfile.SoundFile(self.path)
        except soundfile.LibsndfileError:
            self._container = open_input(self.path)
            try:
                self._boxes = read_ambisonics(self.path)
                stream = _sound(self.path, self._container, 4, self._number)
            except MediaError:
                self.close()
                raise
            self.rate, self._channels = stream.rate, stream.channels
            self.frames: int | None = None
            return self._boxes is not None or stream.layout.name.startswith("ambisonic")
        self.rate, self._channels = self._file.samplerate, self._file.channels
        self.frames = self._file.frames
        return False

    @property
    def _number(self) -> int:
        return 0 if self._boxes is None else self._boxes.number

    def _check_channels(self, ambisonic: bool) -> None:
        order = math.isqrt(self._channels) - 1
        whole = (order + 1) ** 2 == self._channels and order >= 1
        # With two more channels, a head-locked stereo bed comes with the field.
        bed = self._channels == 6 and ambisonic
        beyond = self._boxes is not None and max(self._boxes.tracks[:4]) >= self._channels
        if beyond or not (whole or bed):
            self.close()
            raise MediaError(
                f"{self.path} has {self._channels} channels; first-order ambisonics has four "
                "(W, Y, Z, X)"
            )

    def blocks(self, size: int = 65536, first: int = 0) -> Iterator[np.ndarray]:
        """The field from sample ``first`` on, float32 (4, n), n = ``size`` but in the last block.

        Channels of higher orders and head-locked ones are left out.
        """
        from omniaudio_studio.foa.convention import to_ambix

        read = self._from_container if self._file is None else self._from_file
        source = read(size, first)
        for samples in source:
            yield to_ambix(np.ascontiguousarray(samples), self.convention)

    def _from_file(self, size: int, first: int) -> Iterator[np.ndarray]:
        import soundfile

        self._file.seek(min(first, self._file.frames))
        while True:
            try:
                samples = self._file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise MediaError(f"{self.path} is damaged: {error}; copy it again") from error
            if not len(samples):
                return
            yield samples.T[:4]

    def _from_container(self, size: int, first: int) -> Iterator[np.ndarray]:
        # Which channel of the track holds W, Y, Z, X.
        order = [0, 1, 2, 3] if self._boxes is None else [*self._boxes.tracks[:4]]
        for samples in iter_audio(
            self.path, start=first / self.rate, block=size, channels=4, number=self._number
        ):
            yield samples[order]

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        for opened in (self._file, self._container):
            if opened is not None:
                opened.close()

    def __enter__(self) -> FoaReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_foa(path: str | Path, convention: str = "auto") -> tuple[np.ndarray, int]:
    """First-order ambisonics of a WAV, FLAC or Ogg file, or of a video's track.

    Parameters
    ----------
    path : str or Path
    convention : str
        As for `FoaReader`.

    Returns
    -------
    float32 array (4, n), int
        AmbiX (W, Y, Z, X; SN3D), and samples a second.
    """
    with FoaReader(path, convention) as reader:
        blocks = list(reader.blocks())
        empty = np.zeros((4, 0), np.float32)
        return np.concatenate([empty, *blocks], axis=1), reader.rate
