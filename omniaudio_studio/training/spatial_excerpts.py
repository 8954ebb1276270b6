"""Where the spatializer's excerpts come from: stored scenes, or 360 clips with their sound field.

Every source gives panorama frames and first-order sound of the same length, one excerpt after
another, from any excerpt on, so that building can stop and go on.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omniaudio_studio.errors import MediaError, MissingFileError, OmniAudioError
from omniaudio_studio.media.audio import FoaReader
from omniaudio_studio.media.blocks import regrouped, resampled
from omniaudio_studio.media.frames import iter_views
from omniaudio_studio.media.probe import ClipInfo, probe, require_360
from omniaudio_studio.training.scenes import SceneSet
from omniaudio_studio.training.spatial_vision import PanoramaVision, check_same_rate

#: Samples per second of every sound.
RATE = 48_000
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm"})
#: Mean square of W, below which an excerpt teaches nothing (-80 dB relative to full scale).
QUIET = 1e-8
#: Power of Y, Z and X over W's, below which four channels hold no directions.
PLAIN = 1e-4

#: Frames, uint8 (S, H, W, 3), and sound, float32 (4, L) at 48 kHz.
Excerpt = tuple[NDArray[np.uint8], NDArray[np.float32]]


class Excerpts(Protocol):
    """A source of excerpts of ``frames`` pictures each."""

    @property
    def frames(self) -> int: ...

    def __len__(self) -> int: ...

    def listing(self) -> dict[str, Any]:
        """What the excerpts are made of, as plain data: another listing is another set."""
        ...

    def read(self, first: int) -> Iterator[Excerpt]:
        """The excerpts from number ``first`` on."""
        ...


class SceneExcerpts:
    """Each stored scene as one excerpt; its pictures are reduced where the vision's are smaller by
    a whole factor.

    Raises
    ------
    MediaError
        If their pictures are not those that the vision looks at.
    """

    def __init__(self, scenes: SceneSet, vision: PanoramaVision) -> None:
        check_same_rate(vision, scenes.feature_rate, "the scenes are")
        height, width = scenes.equirect.shape[2:4]
        factor = max(1, width // vision.view.width)
        if (width, height) != (factor * vision.view.width, factor * vision.view.height):
            raise MediaError(
                f"the scenes' panoramas are {width} x {height}, the bundle {vision.bundle!r} looks "
                f"at {vision.view.width} x {vision.view.height}; train from --clips"
            )
        self._scenes, self._factor = scenes, factor
        self.frames = scenes.equirect.shape[1]

    def __len__(self) -> int:
        return len(self._scenes)

    def listing(self) -> dict[str, Any]:
        # Where every source is at any time: no two sets of scenes agree in it.
        digest = hashlib.sha256(np.ascontiguousarray(self._scenes.sources).tobytes()).hexdigest()
        return {"scenes": len(self), "sources": digest}

    def read(self, first: int) -> Iterator[Excerpt]:
        for index in range(first, len(self)):
            pictures = reduced(self._scenes.equirect[index], self._factor)
            yield pictures, self._scenes.foa[index].astype(np.float32)


def reduced(pictures: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Pictures (S, H, W, 3) with the mean of ``factor`` x ``factor`` pixels in place of each."""
    if factor == 1:
        return pictures
    count, height, width, _ = pictures.shape
    shape = (count, height // factor, factor, width // factor, factor, 3)
    return np.round(pictures.reshape(shape).mean(axis=(2, 4))).astype(np.uint8)


@dataclass(frozen=True)
class _Clip:
    """A video, the file that its sound field is in, and which of its excerpts sound."""

    info: ClipInfo
    sound: Path
    excerpts: tuple[int, ...]


class ClipExcerpts:
    """A folder of 360 clips with first-order sound, cut into excerpts that sound.

    A clip is a video whose own track has four channels, or one with ``NAME.foa.wav`` or
    ``NAME.wav`` beside it, or with ``foa.wav`` in its folder, as `omniaudio scenes make` writes
    them. The sound's channel order is what the file says, else AmbiX. Subfolders are searched too.

    Parameters
    ----------
    folder
        Of the clips.
    vision
        Gives the view and the frames per second.
    seconds
        Length of an excerpt.
    say
        Called with one line for each clip that is left out, and why.

    Raises
    ------
    MissingFileError, MediaError
        If there is no such folder, or no clip that can be used.
    """

    def __init__(
        self,
        folder: Path,
        vision: PanoramaVision,
        seconds: float,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not folder.is_dir():
            raise MissingFileError(f"no folder {folder}: name one with 360 clips")
        self._folder, self._view, self._rate, self._say = folder, vision.view, vision.rate, say
        self.frames = max(1, round(seconds * vision.rate))
        self._samples = round(self.frames / vision.rate * RATE)
        videos = [path for path in sorted(folder.rglob("*")) if self._is_video(path)]
        if not videos:
            raise MediaError(
                f"{folder} holds no video ({', '.join(sorted(VIDEO_SUFFIXES))}); name a folder of "
                "360 clips with first-order sound"
            )
        self._clips: list[_Clip] = []
        reasons = []
        for path in videos:
            try:
                self._clips.append(self._usable(path))
            except OmniAudioError as error:
                reasons.append(str(error))
                say(f"left out: {error}")
        if not self._clips:
            raise MediaError(
                f"{folder}: none of its {len(videos)} videos can be trained on; "
                f"the first: {reasons[0]}"
            )

    def __len__(self) -> int:
        return sum(len(clip.excerpts) for clip in self._clips)

    def listing(self) -> dict[str, Any]:
        """Names and sizes of the files, and which of their excerpts are taken."""

        def named(path: Path) -> list[Any]:
            return [path.relative_to(self._folder).as_posix(), path.stat().st_size]

        clips = [
            [*named(clip.info.path), *named(clip.sound), list(clip.excerpts)]
            for clip in self._clips
        ]
        return {"clips": clips, "frames": self.frames}

    def read(self, first: int) -> Iterator[Excerpt]:
        for clip in self._clips:
            wanted = clip.excerpts[first:]
            first = max(0, first - len(clip.excerpts))
            if wanted:
                yield from self._read(clip, wanted)

    def _read(self, clip: _Clip, wanted: tuple[int, ...]) -> Iterator[Excerpt]:
        length = self.frames / self._rate
        times = [
            number * length + frame / self._rate
            for number in wanted
            for frame in range(self.frames)
        ]
        views = iter_views(clip.info, times, [self._view], on_warning=self._say)
        fields = enumerate(self._fields(clip.sound))
        for number in wanted:
            frames = np.stack(
                [shown[self._view.name] for shown in itertools.islice(views, self.frames)]
            )
            field = next((field for index, field in fields if index == number), None)
            if field is None:  # it was there when the clip was listed
                raise MediaError(f"{clip.sound} has changed while it was read; run this again")
            yield frames, field

    def _fields(self, path: Path) -> Iterator[NDArray[np.float32]]:
        """The whole sound in parts of one excerpt, the last one shorter, at 48 kHz."""
        with FoaReader(path) as reader:
            blocks = reader.blocks()
            if reader.rate != RATE:
                blocks = resampled(blocks, reader.rate, RATE, 4)
            yield from regrouped(blocks, 4, self._samples, None)

    def _usable(self, path: Path) -> _Clip:
        """The clip; one line of error where it cannot be trained on."""
        info = require_360(probe(path))
        length = self.frames / self._rate
        # The last picture lasts on, and beyond the sound there is silence: half a frame less is
        # no hindrance.
        most = math.floor((info.duration + 0.5 / self._rate) / length)
        if most == 0:
            raise MediaError(
                f"{path} lasts {info.duration:.2f} s, an excerpt {length:g} s: too short"
            )
        sound, sounding, whole = self._sounding(path, most)
        if not whole:
            raise MediaError(f"the sound of {sound} is shorter than the {length:g} s of an excerpt")
        if not sounding:
            raise MediaError(f"{sound} is silent, or holds W alone: it has no directions")
        return _Clip(info, sound, tuple(sounding))

    def _sounding(self, path: Path, most: int) -> tuple[Path, list[int], int]:
        """File of the field, numbers of its excerpts that sound from somewhere, and of how many."""
        sound = self._field_of(path)
        sounding, whole = [], 0
        for number, field in enumerate(itertools.islice(self._fields(sound), most)):
            if field.shape[1] < self._samples - 0.5 * RATE / self._rate:
                break
            whole += 1
            power = np.mean(np.square(field, dtype=np.float64), axis=1)
            if not np.isfinite(power).all():
                raise MediaError(f"{sound} holds samples that are no numbers; write it again")
            if power[0] >= QUIET and power[1:].sum() >= PLAIN * power[0]:
                sounding.append(number)
        return sound, sounding, whole

    def _field_of(self, path: Path) -> Path:
        """The first file that holds a sound field: beside the video, else the video itself."""
        beside = [path.with_suffix(".foa.wav"), path.with_suffix(".wav"), path.parent / "foa.wav"]
        problem: OmniAudioError | None = None
        for sound in [*(other for other in beside if other.is_file()), path]:
            try:
                FoaReader(sound).close()
                return sound
            except OmniAudioError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def _is_video(self, path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(self._folder).parts)
        return path.suffix.lower() in VIDEO_SUFFIXES and not hidden and path.is_file()
