"""What jobs share that make one WAV and what lies beside it: all together, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from omniaudio_studio.engine.cancel import CancelToken
from omniaudio_studio.errors import MediaError
from omniaudio_studio.files import file_sha256
from omniaudio_studio.jobs.outputs import TakeFiles
from omniaudio_studio.jobs.staging import Staging, check_distinct, require_file

Report = Callable[[Any], None]
Inputs = Sequence[tuple[str, Path]]
"""What each file that a job reads is, in a user's words, and where."""


class Written(Protocol):
    """What a job made: its WAV (or the field, where it wrote none), sidecar and other files."""

    @property
    def wav(self) -> Path: ...
    @property
    def sidecar(self) -> Path: ...
    @property
    def files(self) -> Mapping[str, Path]: ...


Result = TypeVar("Result", bound=Written)


def run_staged(
    files: TakeFiles,
    inputs: Inputs,
    work: Callable[[Staging, Future[list[str]]], Result],
    *,
    overwrite: bool,
    cancel: CancelToken,
    started: Callable[[Path], None] | None = None,
) -> Result:
    """Let ``work`` write every file into a staging folder; bring all into place, or none.

    Parameters
    ----------
    work
        Takes the staging folder, and the SHA-256 of the inputs in their order, which are found
        beside the work: reading large files once more takes a while.
    started
        Called with the folder of temporary files once it is made.

    Raises
    ------
    OmniAudioError
        One line; nothing is left behind, and existing outputs are untouched.
    Cancelled
        Likewise.
    """
    for what, path in inputs:
        require_file(path, what)
    check_distinct(files.all(), [path for _, path in inputs])
    stop_hashing = CancelToken()
    cancel.on_cancel(stop_hashing.cancel)
    updated = (files.sidecar,) if files.in_place else ()
    with (
        Staging(
            files.all(), overwrite=overwrite, updated=updated, folders=files.folders()
        ) as staging,
        ThreadPoolExecutor(1) as pool,
    ):
        if started is not None:
            started(staging.folder)
        # A sidecar that is there knows what its field was made of.
        known = files.in_place and files.sidecar.exists()
        read = [] if known else [path for _, path in inputs]
        hashing = pool.submit(_hashes, read, stop_hashing)
        try:
            result = work(staging, hashing)
            cancel.check()
        except BaseException:
            stop_hashing.cancel()
            raise
        wav = (result.wav,) if files.writes_wav else ()
        staging.commit([*wav, result.sidecar, *result.files.values()])
    return result


def _hashes(paths: Sequence[Path], cancel: CancelToken) -> list[str]:
    """SHA-256 of each; a file that is named several times is read once."""
    known = {path: file_sha256(path, cancel) for path in dict.fromkeys(paths)}
    return [known[path] for path in paths]


def check_inputs(
    inputs: Inputs, found: Sequence[str], before: Sequence[str], sidecar: Path, verb: str
) -> None:
    """Refuse to make a sidecar's sound again from other files: it would be another sound.

    Parameters
    ----------
    found, before
        SHA-256 of the inputs now, and as the sidecar has them.
    verb
        What to do instead, "without --from".

    Raises
    ------
    MediaError
        One line that names the file.
    """
    for (what, path), now, then in zip(inputs, found, before, strict=True):
        if now != then:
            raise MediaError(
                f"{path} is not {what} that {sidecar} was made with (its hash differs); put the "
                f"right one back, or {verb} without --from"
            )


def same_sound(sha256: str, sound: str, expected_sha256: str, expected_sound: str | None) -> bool:
    """Whether a WAV holds the samples that a sidecar tells of.

    Parameters
    ----------
    sha256, sound
        Of the file, and of its samples alone.
    expected_sha256, expected_sound
        As the sidecar has them; one that does not know the samples' tells of the file.
    """
    return sound == expected_sound if expected_sound and sound else sha256 == expected_sha256


def other_bits(sidecar: Path) -> str:
    """What is to be told where a sound was made again and came out differently."""
    return (
        f"the sound differs in its bits from the one that {sidecar} names: another version of a "
        "library, or another processor, rounds differently"
    )
