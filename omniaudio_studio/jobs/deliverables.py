"""What can be made of a sound field, by name: the same choice in every front end. Standard library.

A new deliverable is a row here, and a function in `jobs.writers` that has it written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from omniaudio_studio.errors import OptionError


@dataclass(frozen=True)
class Deliverable:
    """One kind of file that a field can leave as.

    Parameters
    ----------
    name
        As requests, command lines and sidecars have it.
    label, description
        A few words, and one line, for people.
    short
        A word or two, where there is little room.
    endings
        What follows the stem of the WAV's name. Where there are several, the clip decides.
    clip
        Whether it shows the clip: "no", "may" where there is one, or "must".
    needs_sources
        Whether it is made of sounds that were placed.
    head
        Whether it can follow the head's movements.
    folder
        Whether it is a folder.
    work
        How long it takes, where an overlay of the same clip takes 1, for shares of a progress bar;
        measured for 40 s of 640 x 322 and for 6 s of 1024 x 512.
    """

    name: str
    label: str
    description: str
    endings: tuple[str, ...]
    short: str
    clip: str = "no"
    needs_sources: bool = False
    head: bool = False
    folder: bool = False
    work: float = 0.03

    def paths(self, wav: Path) -> tuple[Path, ...]:
        """Where it may lie beside a WAV."""
        return tuple(wav.with_name(wav.stem + ending) for ending in self.endings)


_ROWS = (
    Deliverable(
        "wav",
        "Sound field (WAV)",
        "The field as AmbiX WAV, four channels: W Y Z X.",
        (".wav",),
        "WAV",
    ),
    Deliverable(
        "fuma",
        "FuMa WAV",
        "The field as FuMa WAV, W X Y Z, for tools that take nothing else.",
        (".fuma.wav",),
        "FuMa WAV",
    ),
    Deliverable(
        "mov",
        "Upload master (MOV)",
        "The clip with the field as PCM, nothing lost: the master for uploads.",
        (".360.mov",),
        "MOV",
        clip="must",
    ),
    Deliverable(
        "mp4",
        "360 video (MP4)",
        "The clip with the field as AAC, for players.",
        (".360.mp4",),
        "MP4",
        clip="must",
        work=0.07,
    ),
    Deliverable(
        "webm",
        "360 video (WebM)",
        "The clip with the field as Opus: WebM for VP9 and AV1, MP4 for other codecs.",
        (".360.webm", ".opus.mp4"),
        "WebM",
        clip="must",
        work=0.07,
    ),
    Deliverable(
        "mkv",
        "Archive (MKV)",
        "The clip with the field as FLAC, nothing lost, for archives.",
        (".360.mkv",),
        "MKV",
        clip="must",
    ),
    Deliverable(
        "youtube",
        "YouTube",
        "The file to upload to YouTube, checked against its rules.",
        (".youtube.mov", ".youtube.mp4"),
        "YouTube",
        clip="must",
    ),
    Deliverable(
        "binaural",
        "For headphones",
        "A stereo WAV for headphones.",
        (".binaural.wav",),
        "Binaural",
        head=True,
    ),
    Deliverable(
        "binaural-video",
        "Video for headphones",
        "The clip with stereo for headphones, for players that know no ambisonics.",
        (".binaural.mp4",),
        "Binaural MP4",
        clip="must",
        head=True,
        work=0.06,
    ),
    Deliverable(
        "adm",
        "ADM (BW64)",
        "The field as ADM file, for broadcast and audio workstations.",
        (".adm.wav",),
        "ADM",
    ),
    Deliverable(
        "reaper",
        "REAPER project",
        "A folder with a REAPER project: field, clip, and markers where something begins to sound.",
        (".reaper",),
        "REAPER",
        clip="may",
        folder=True,
    ),
    Deliverable(
        "overlay",
        "Overlay video",
        "The clip with the sound's energy drawn over it (MP4).",
        (".overlay.mp4",),
        "Overlay",
        clip="must",
        work=1.0,
    ),
    Deliverable(
        "plot",
        "Plot",
        "A picture of direction and level over time (PNG).",
        (".png",),
        "Plot",
        work=0.15,
    ),
    Deliverable(
        "stems",
        "Stems",
        "A folder with a mono WAV and a track (CSV) of each sound that was placed.",
        (".stems",),
        "Stems",
        needs_sources=True,
        folder=True,
    ),
)

DELIVERABLES: dict[str, Deliverable] = {row.name: row for row in _ROWS}
"""By name, in the order in which they are offered and made."""

BESIDE = tuple(name for name in DELIVERABLES if name != "wav")
"""Those that lie beside the WAV."""

OFFERED = tuple(name for name in BESIDE if not DELIVERABLES[name].needs_sources)
"""Those that can be made of any field, as a take's, which holds no placed sounds."""

_VIDEO = (".mov", ".mp4", ".webm", ".mkv")
_VIDEO_ENDINGS = tuple(ending for row in _ROWS for ending in row.endings if ending.endswith(_VIDEO))


def ordered(names: Collection[str]) -> tuple[str, ...]:
    """Names of the table in its order, each once; what it does not know comes last."""
    known = tuple(name for name in DELIVERABLES if name in names)
    return known + tuple(dict.fromkeys(name for name in names if name not in DELIVERABLES))


def check_needs(names: Iterable[str], *, clip: bool, sources: bool) -> None:
    """Refuse what cannot be made for want of a clip or of placed sounds.

    Raises
    ------
    OptionError
        One line that names the deliverable.
    """
    for name in names:
        row = DELIVERABLES[name]
        if row.clip == "must" and not clip:
            raise OptionError(
                f"the deliverable {name} shows the clip's picture; give the clip, or leave {name} "
                "out"
            )
        if row.needs_sources and not sources:
            raise OptionError(
                f"the deliverable {name} is made of placed sounds, and there are none; give "
                f"sources, or leave {name} out"
            )


def made_of(video: str) -> str | None:
    """The stem of the WAV that a video's name says it was made of; None for any other name.

    What this program made is no clip to begin with.
    """
    for ending in _VIDEO_ENDINGS:
        if video.lower().endswith(ending):
            return video[: -len(ending)]
    return None
