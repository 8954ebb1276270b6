"""What to do about a file, from what it claims and what its sound shows: one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omniaudio_studio.delivery.inspecting import SoundFindings
    from omniaudio_studio.foa.guess import Guess
    from omniaudio_studio.media.claims import Claims, SoundClaim

_NAMES = {
    "ambix": "AmbiX (W Y Z X, SN3D)",
    "fuma": "FuMa (W X Y Z, W at -3 dB)",
    "n3d": "N3D (W Y Z X)",
    "wxyz": "W X Y Z with SN3D weights",
}
_EMPTY = -60.0  # dB below W
_CLIPPED = 10  # samples: decoders of lossy sound overshoot now and then
_LATE = 0.02  # seconds: less is not told
_ISO = ("mov", "mp4")


def advice(claims: Claims, track: SoundClaim | None, sound: SoundFindings | None) -> Iterator[str]:
    """Lines for people, the gravest first."""
    yield from claims.doubts
    if track is None or sound is None:
        yield "no sound: omniaudio generate makes a field from the pictures"
    else:
        yield from _of_levels(track, sound)
        if sound.guess is not None:
            yield from _of_field(track, sound, sound.guess)
        else:
            yield (
                f"{track.channels} channel{'s' if track.channels > 1 else ''}, no sound field: "
                "omniaudio spatialize places it on the sphere"
            )
        yield from _of_container(claims, track, sound)
    yield from _of_pictures(claims)


def _of_levels(track: SoundClaim, sound: SoundFindings) -> Iterator[str]:
    if sound.seconds == 0:
        yield "no sound could be decoded: the track is empty or damaged"
    elif max(sound.peaks) <= -100:
        yield "the sound is silent"
    if sound.not_numbers:
        yield f"{sound.not_numbers} samples are no numbers, or absurd: export the sound again"
    if sound.clipped >= _CLIPPED:
        yield f"{sound.clipped} samples are at full scale: the sound is clipped"
    if sound.low_only and track.ambisonic is None and track.channels >= 4:
        which = ", ".join(map(str, sound.low_only))
        yield (
            f"channel {which} has nothing above 200 Hz, as a channel of low-frequency effects: "
            "the layout is one of loudspeakers"
        )


def _of_field(track: SoundClaim, sound: SoundFindings, guess: Guess) -> Iterator[str]:
    if guess.kind == "silent":
        return
    if guess.kind == "mono":
        yield "only W has sound: nothing has a direction"
        return
    if guess.kind == "speakers":
        surely = "look" if guess.sure else "may be loudspeaker channels: they look"
        yield (
            f"the channels {surely} as if panned between loudspeakers (quad or the like): none is "
            "the sum of all; check by ear before delivering them as ambisonics"
        )
    elif guess.kind == "unrelated":
        yield "the channels have nothing in common: diffuse sound, or no sound field"
    elif guess.convention is not None:
        yield from _of_convention(track, guess, guess.convention)
    third = track.convention not in ("fuma", "wxyz") if track.convention else None
    if third is None:
        third = guess.convention not in ("fuma", "wxyz")
    empty = guess.levels[1 if third else 2]
    if guess.kind == "field" and empty < _EMPTY:
        yield "Z is empty: a planar field; nothing is heard from above or below"
    if sound.bed is False:
        yield "the head-locked stereo is silent"


def _of_convention(track: SoundClaim, guess: Guess, found: str) -> Iterator[str]:
    read_as = track.convention or "ambix"
    looks = f"it looks like {_NAMES[found]}" + ("" if guess.sure else ", which is not certain")
    # SA3D puts W X Y Z in order before the weights are looked at.
    if found == read_as:
        if track.convention is None:
            yield f"nothing says which convention this is; {looks}, and it is read so"
    elif guess.sure:
        said = f"the file states {_NAMES[read_as]} ({track.ambisonic})" if track.ambisonic else ""
        yield f"{said or 'nothing says which convention this is'}, but {looks}: " + (
            f"listen to it with omniaudio binaural --convention {found}"
        )
    elif track.convention is None:
        yield (
            f"nothing says which convention this is; {looks}: if left, right, front sound wrong, "
            f"listen with omniaudio binaural --convention {found}"
        )


def _of_container(claims: Claims, track: SoundClaim, sound: SoundFindings) -> Iterator[str]:
    iso = any(name in claims.container for name in _ISO)
    field = sound.guess is not None and sound.guess.kind in ("field", "mono")
    if iso and track.channels >= 4 and field and track.ambisonic is None:
        yield "players take it for loudspeaker channels (no SA3D): omniaudio deliver writes it anew"
    if track.layout.startswith("quad") and field and track.codec == "aac":
        yield 'AAC of the layout "quad": some players play left and right alike; deliver it anew'
    if track.channels >= 4 and field and track.rate != 48000:
        yield f"{track.rate} Hz: YouTube asks for 48000, to which omniaudio deliver converts"
    if len(claims.sounds) > 1 and claims.pictures:
        yield (
            f"{len(claims.sounds)} sound tracks, of which number {track.number} is read; "
            "YouTube asks for one"
        )
    late = (track.start or 0.0) - (claims.start or 0.0)
    if late > _LATE:
        yield f"the sound starts {late:.2f} s after the file does; it is read in step"


def _of_pictures(claims: Claims) -> Iterator[str]:
    for picture in claims.pictures[:1]:
        seen = picture.spherical
        if seen is None:
            if abs(picture.width / max(picture.height, 1) - 2) < 0.02:
                yield "twice as wide as high but no 360 metadata: players show it flat"
            return
        if seen.version == 1:
            yield "360 metadata of version 1 only (XML), which some players no longer read"
        if seen.yaw or seen.pitch or seen.roll:
            yield (
                f"the pictures are to be turned by yaw {seen.yaw:g}, pitch {seen.pitch:g}, roll "
                f"{seen.roll:g} degrees; sound belongs to the pictures as they are stored"
            )
