"""The field and its clip as a REAPER project: tracks, items, markers, a master of four channels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.cancel import Cancel
from omniaudio_studio.delivery.events import Event, find_events
from omniaudio_studio.delivery.reaper_project import Item, Track, project
from omniaudio_studio.delivery.source import DeliverySource
from omniaudio_studio.delivery.wav import write_field
from omniaudio_studio.files import folder_written_whole
from omniaudio_studio.foa.convention import Foa

SUFFIX = ".reaper"
CHANNELS = 4

_NOTES = """The sound field is first-order AmbiX: four channels W Y Z X, SN3D.
The master has four channels and no decoder. To listen on headphones, put a binaural decoder for \
first-order AmbiX on the master's FX chain (the IEM Plug-in Suite and SPARTA have free ones); \
without one you hear W on the left and Y on the right.
To export the mix as a sound field, render the master to four channels with its FX bypassed.
A video's own sound is turned down; its item's volume brings it back.
The markers are moments at which something begins to sound, and where."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class ReaperResult:
    """What was written.

    Attributes
    ----------
    project : Path
        The ``.rpp``.
    sound : Path or None
        A WAV beside it, where the field's own file does not fit the picture or is no AmbiX WAV.
    events : tuple of Event
        One marker each.
    """

    project: Path
    sound: Path | None
    events: tuple[Event, ...]


def write_reaper(
    source: DeliverySource,
    output: Path,
    *,
    home: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> ReaperResult:
    """Write a folder with the project; media are named by their paths relative to it.

    The field's own file is used where it is an AmbiX WAV of four channels in the picture's frame.
    Otherwise the field is written into the folder as it is in that frame, 32-bit float.

    Parameters
    ----------
    output : Path
        The folder, as ``walk.reaper``; the project in it is ``walk.rpp``. It appears whole or not
        at all.
    home : Path, optional
        Where the folder will lie in the end, if it is brought there afterwards; a field that lies
        beside ``output`` will then lie beside ``home``.
    progress, cancel
        As for `delivery.wav.write_wav`.

    Raises
    ------
    MissingFileError, MediaError
        If the field cannot be read.
    OutputError
        If the folder cannot be written, or is there already.
    Cancelled
        If ``cancel`` said so.
    """
    final = output if home is None else home
    stem = final.stem if final.suffix == SUFFIX else final.name
    rate, clip = source.rate(), source.clip
    samples = source.length(rate, cancel) if clip is None else clip.samples(rate)
    with folder_written_whole(output, overwrite=overwrite) as folder:
        sound: Path | None = None
        if _fits(source):
            name, begin = _relative(source.field, output, final), source.clip_start
            length = source.length(rate, cancel) / rate
            events = _events(source, rate, samples, progress, cancel)
        else:
            sound, name = folder / f"{stem}.wav", f"{stem}.wav"
            begin, length = 0.0, samples / rate
            write_field(
                source,
                sound,
                rate=rate,
                samples=samples,
                in_clip=clip is not None,
                progress=_part(progress, 0.0),
                cancel=cancel,
            )
            events = _events(source, rate, samples, _part(progress, 0.5), cancel)
        before = max(0.0, -begin)  # of the field, before the clip begins
        field = Item("WAVE", name, max(0.0, begin), length - before, offset=before)
        tracks = [Track("Sound field (AmbiX)", CHANNELS, field)]
        if clip is not None:
            seen = _relative(clip.path, output, final)
            tracks.append(Track("Video", 2, Item("VIDEO", seen, 0.0, clip.duration, heard=False)))
        notes = _NOTES
        if source.provenance is not None:
            notes = f"{source.provenance.sentence()}\n{notes}"
        markers = [(event.time, event.words()) for event in events]
        text = project(stem, rate, CHANNELS, tracks, markers, notes)
        (folder / f"{stem}.rpp").write_bytes(text.encode("utf-8", "replace"))
    beside = None if sound is None else output / sound.name
    return ReaperResult(output / f"{stem}.rpp", beside, tuple(events))


def _fits(source: DeliverySource) -> bool:
    """Whether the field's own file can lie on the track."""
    import soundfile

    from omniaudio_studio.media.audio import FoaReader

    if source.clip is not None and source.yaw % 360:
        return False
    with FoaReader(source.field, source.convention) as reader:
        if reader.convention != "ambix":
            return False
    try:
        found = soundfile.info(str(source.field))
    except soundfile.SoundFileError:
        return False
    return found.format in ("WAV", "WAVEX", "RF64") and found.channels == CHANNELS


def _events(
    source: DeliverySource,
    rate: int,
    samples: int,
    progress: Progress | None,
    cancel: Cancel | None,
) -> list[Event]:
    read = source.blocks if source.clip is None else source.blocks_in_clip

    def told() -> Iterator[Foa]:
        done = 0
        for block in read(rate, samples, cancel=cancel):
            yield block
            done += block.shape[1]
            if progress is not None:
                progress(done / samples)

    return find_events(told(), rate)


def _part(progress: Progress | None, begun: float) -> Progress | None:
    """One half of the work."""
    return None if progress is None else lambda share: progress(begun + share / 2)


def _relative(file: Path, output: Path, final: Path) -> str:
    """How a project in the folder ``final`` names a file; with slashes, which REAPER reads on every
    system. Absolute where there is no way from one to the other (another drive)."""
    beside = file.absolute().parent == output.absolute().parent
    place = final.absolute().parent / file.name if beside else file.absolute()
    try:
        return Path(os.path.relpath(place, final.absolute())).as_posix()
    except ValueError:
        return place.as_posix()
