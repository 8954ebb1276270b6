"""Generate sound for REAPER's selected item beside REAPER: one short step per tick of its clock."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omniaudio_studio.errors import OmniAudioError, OptionError
from omniaudio_studio.jobs import environments, protocol
from omniaudio_studio.jobs.client import WorkerClient
from omniaudio_studio.jobs.outputs import next_output
from omniaudio_studio.jobs.protocol import Event
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.reaper.host import Reaper, SelectedItem

CHANNELS = 4
CAPTIONS = ["Model (name or folder)", "Seed", "Guidance (empty: the model's)"]
DEFAULTS = ["starter", "0", ""]
KEYS = ["model", "seed", "guidance"]
CANCEL = "delete this track to cancel"
# Play rates are decimals in REAPER: this far from 1 is meant.
_RATE = 1e-6
# A variable that is empty is not set, for Python; REAPER's own would mislead another Python.
_OTHER_PYTHONS = {"PYTHONHOME": "", "PYTHONPATH": ""}


def begin(functions: Mapping[str, Any], script: str) -> Action | None:
    """Ask what is to be generated for the selected item, and start; None if that cannot be.

    Parameters
    ----------
    functions : mapping
        The script's namespace, with REAPER's functions in it.
    script : str
        Where the script lies: its environment runs the worker where it is one.
    """
    reaper = Reaper(functions)
    try:
        return _begin(reaper, Path(script))
    except OmniAudioError as error:
        reaper.tell(str(error))
        return None


def _begin(reaper: Reaper, script: Path) -> Action | None:
    item = reaper.selected_item()
    if item is None:
        raise OptionError("no item with a file is selected; select a 360 video and try again")
    if abs(item.rate - 1) > _RATE:
        raise OptionError(
            f"the item plays {item.rate:g} times as fast as it was recorded; set its play rate to "
            "1, or glue it first"
        )
    python = find_python(reaper, script)
    before = [reaper.kept(key) or value for key, value in zip(KEYS, DEFAULTS, strict=True)]
    answers = reaper.ask(CAPTIONS, before)
    if answers is None:
        return None
    made = request(item, answers, reaper.media_folder())
    for key, value in zip(KEYS, answers, strict=True):
        reaper.keep(key, value)
    client = WorkerClient(python, log=log_file(), environment=_OTHER_PYTHONS)
    try:
        return Action(reaper, client, item, made)
    except BaseException:
        client.close()
        raise


def find_python(reaper: Reaper, script: Path) -> Path:
    """The Python that runs the worker: the script's own environment, the one that was named
    before, one that has left word, or one that the user names now.

    Raises
    ------
    OptionError
        If there is none.
    """
    for folder in script.resolve().parents:
        if (folder / "pyvenv.cfg").is_file() and (own := environments.python_of(folder)):
            return own
    named = reaper.kept("python")
    if named and (kept := environments.python_of(Path(named))):
        return kept
    if found := environments.find():
        return found[0]
    answer = reaper.ask(["Environment with OmniAudio Studio"], [""])
    python = environments.python_of(Path(answer[0])) if answer and answer[0] else None
    if python is None:
        raise OptionError(
            "no Python with OmniAudio Studio was found; start the desktop app once, or name the "
            "folder of its virtual environment when you are asked for it"
        )
    reaper.keep("python", str(python))
    return python


def request(item: SelectedItem, answers: list[str], folder: Path | None) -> GenerateRequest:
    """What is to be generated, into the project's media folder or beside the clip.

    Raises
    ------
    OptionError
        If an answer is none.
    """
    model, seed, guidance = answers
    length = item.length
    if item.source_length > 0:
        # An item that goes on after its file repeats it.
        length = min(length, item.source_length - item.offset)
    made = GenerateRequest(
        clip=item.file,
        output=item.file.with_suffix(".wav"),
        bundle=model or DEFAULTS[0],
        seed=int(_number("seed", seed or DEFAULTS[1])),
        cfg=_number("guidance", guidance) if guidance else None,
        start=max(0.0, item.offset),
        duration=length,
    )
    place = folder if folder is not None and folder.is_dir() else item.file.parent
    output = next_output(place, item.file.stem, made, lambda path: False)
    return replace(made, output=output).validate()


def _number(what: str, text: str) -> float:
    try:
        return float(text) if what == "guidance" else int(text)
    except ValueError:
        raise OptionError(f"the {what} must be a number, found {text!r}; leave it empty") from None


def log_file() -> Path:
    """Where the worker's own words go."""
    return Path(tempfile.gettempdir()) / f"omniaudio-reaper-{os.getpid()}.log"


class Action:
    """One generation, from its start to the item on its track.

    The progress is the new track's name. Deleting the track cancels the job.

    Parameters
    ----------
    reaper : Reaper
    client : WorkerClient
        Closed with the action.
    item : SelectedItem
    request : GenerateRequest

    Raises
    ------
    WorkerError
        If the worker cannot be started.
    """

    def __init__(
        self, reaper: Reaper, client: WorkerClient, item: SelectedItem, request: GenerateRequest
    ) -> None:
        self._reaper, self._client = reaper, client
        self._item, self._request = item, request
        self._job = client.submit(request)
        self._title = item.file.stem
        self._shown = ""
        self._cancelled = False
        self._over = False
        self._track = reaper.add_track(item.track, self._title, CHANNELS)
        self._show("starting")

    @property
    def over(self) -> bool:
        """Whether nothing is to be done any more."""
        return self._over

    def step(self) -> bool:
        """Do what has become due, in a few milliseconds; True while there is more to come."""
        if self._over:
            return False
        if not self._cancelled and not self._reaper.is_track(self._track):
            self._cancelled = True
            self._client.cancel(self._job)
            self._reaper.hint(f"{self._title}: cancelling")
        for event in self._client.poll(0.0):
            self._heard(event)
        return not self._over

    def close(self) -> None:
        """End the worker; a job that runs is given up, and its track goes. Safe to call twice."""
        if not self._over:
            self._finish()
            self._take_track_away()
        self._client.close()

    def _heard(self, event: Event) -> None:
        if event.job != self._job:
            return
        if event.kind == protocol.PROGRESS and not self._cancelled:
            self._show(progress_text(event.data))
        elif event.kind == protocol.DONE:
            self._done(event.data["result"])
        elif event.kind == protocol.ERROR:
            self._finish()
            self._take_track_away()
            self._reaper.tell(str(event.data["message"]))
        elif event.kind == protocol.CANCELLED:
            self._finish()
            self._take_track_away()
            self._reaper.hint(f"{self._title}: cancelled, nothing was written")

    def _done(self, result: Mapping[str, Any]) -> None:
        self._finish()
        wav = Path(result["takes"][0]["wav"])
        if not self._reaper.is_track(self._track):
            self._reaper.hint(f"{wav.name} was finished before it could be cancelled: {wav}")
            return
        self._reaper.rename(self._track, f"{wav.stem} (AmbiX)")
        self._reaper.add_item(self._track, wav, self._item.position, result["duration"])
        told = [*result["warnings"], *result["problems"]]
        if not result["commercial"]:
            told.append(
                f"the licence of {result['bundle_title']} forbids commercial use of this sound"
            )
        self._reaper.hint("; ".join([f"{wav.name} is there", *told]))

    def _finish(self) -> None:
        self._over = True

    def _take_track_away(self) -> None:
        if self._reaper.is_track(self._track):
            self._reaper.remove_track(self._track)

    def _show(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            self._reaper.rename(self._track, f"{self._title}: {text} ({CANCEL})")
            self._reaper.hint(f"{self._title}: {text}")


def progress_text(data: Mapping[str, Any]) -> str:
    """ "noise 40 %, 12 s left", as far as it is known."""
    total = data.get("total") or 0
    share = f" {100 * data.get('done', 0) / total:.0f} %" if total else ""
    eta = data.get("eta")
    left = f", {eta:.0f} s left" if eta is not None else ""
    return f"{data.get('stage', 'working')}{share}{left}"
