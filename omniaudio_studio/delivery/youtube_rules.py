"""What YouTube asks of a 360 video with spatial audio, and whether a file meets it.

Sources, pages of YouTube Help as copies read on 28 November 2026 have them: "Use spatial audio in
360-degree and VR videos" (support.google.com/youtube/answer/6395969) for what is required of the
sound, "Recommended upload encoding settings" (support.google.com/youtube/answer/1722171) for what
is advised of the container. What only YouTube can tell, such as a picture it does not like, is not
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omniaudio_studio.media.container import open_input, video_streams

if TYPE_CHECKING:
    from av.container import InputContainer

# Lowest rates in kb/s of the compressed codecs, without and with head-locked stereo; None where a
# codec is not listed. A rate that is measured over a file may miss its nominal value a little.
_RATES = {"aac": (256, None), "opus": (512, 768)}
_TOLERANCE = 0.97
_CONTAINERS = {"aac": (".mp4", ".mov"), "opus": (".mp4",), "pcm": (".mov",)}


@dataclass(frozen=True)
class Finding:
    """One rule, and how a file stands to it.

    Attributes
    ----------
    rule : str
    met : bool
    found : str
        What the file has.
    required : bool
        False for what is only advised.
    """

    rule: str
    met: bool
    found: str
    required: bool = True

    def __str__(self) -> str:
        mark = "ok" if self.met else ("MISSED" if self.required else "advice")
        return f"{mark}: {self.rule} ({self.found})"


def check_youtube(path: Path) -> tuple[Finding, ...]:
    """Look at a file that is to be uploaded.

    Raises
    ------
    MissingFileError, MediaError
        If it cannot be read.
    """
    with open_input(path) as container:
        return (*_sound(path, container), *_picture(path, container), *_container(path))


def _sound(path: Path, container: InputContainer) -> list[Finding]:
    from omniaudio_studio.media.ambisonics import read_ambisonics

    tracks = container.streams.audio
    findings = [Finding("a single sound track", len(tracks) == 1, f"{len(tracks)}")]
    if not tracks:
        return findings
    track: Any = tracks[0]
    told = read_ambisonics(path)
    bed = told is not None and told.head_locked
    wanted = 6 if bed else 4
    order = "nothing" if told is None else f"order {told.order}, channels {told.tracks}"
    codec = track.codec_context.name
    family = "pcm" if codec.startswith("pcm") else codec.removeprefix("lib")
    homes = _CONTAINERS.get(family, ())
    low = _RATES.get(family, (0, 0))[bed]
    rate = (track.codec_context.bit_rate or track.bit_rate or 0) / 1000
    findings += [
        Finding(
            "SA3D metadata: first order, AmbiX (ACN, SN3D)",
            told is not None and told.order == 1 and told.tracks == (0, 1, 2, 3),
            order,
        ),
        Finding(
            "four channels W Y Z X, or six with head-locked stereo behind them",
            track.channels == wanted,
            f"{track.channels}",
        ),
        Finding("48 kHz", track.rate == 48_000, f"{track.rate} Hz"),
        Finding(
            "PCM in MOV, AAC in MP4 or MOV, or Opus in MP4",
            path.suffix.lower() in homes and low is not None,
            f"{codec} in {path.suffix}" + (" with head-locked stereo" if bed else ""),
        ),
    ]
    if low:
        findings.append(
            Finding(f"at least {low} kb/s", rate >= low * _TOLERANCE, f"{rate:.0f} kb/s")
        )
    return findings


def _picture(path: Path, container: InputContainer) -> list[Finding]:
    from omniaudio_studio.media.spherical import read_spherical

    said = read_spherical(path)
    pictures = video_streams(container)
    findings = [
        Finding(
            "spherical metadata",
            said is not None and said.projection in ("equirectangular", "cubemap", "mesh"),
            "none" if said is None else said.projection,
        ),
        Finding("a single picture track", len(pictures) == 1, f"{len(pictures)}"),
    ]
    return findings


def _container(path: Path) -> list[Finding]:
    from omniaudio_studio.media.boxes import child, read_moov, top_boxes, tracks

    with path.open("rb") as file:
        rows = [row.kind for row in top_boxes(file)]
    front = b"moov" in rows and b"mdat" in rows and rows.index(b"moov") < rows.index(b"mdat")
    moov = read_moov(path)
    edited = [] if moov is None else [t for t in tracks(moov) if child(moov, t.box, b"edts")]
    return [
        Finding("the index in front (fast start)", front, "yes" if front else "no", False),
        Finding(
            "no edit lists",
            moov is not None and not edited,
            f"{len(edited)} tracks with one" if edited else "none",
            False,
        ),
    ]
