# ReaScript: Generate spatial audio for the selected item
#
# Load it where it lies (Actions > Show action list > New action > Load ReaScript): by its own place
# it finds the rest of OmniAudio Studio, and the environment that runs the models.
#
# Sound is made in a process of its own; REAPER's clock (defer) asks how far it is. The new track's
# name shows it; deleting the track cancels.
import sys
from pathlib import Path

from reaper_python import *  # type: ignore  # noqa: F403

REAPER = globals()  # where REAPER and the line above put its functions
NEEDED = (3, 11)
ACTION = None


def omniaudio_start() -> None:
    """Ask for what is wanted and start the worker."""
    global ACTION
    if sys.version_info < NEEDED:
        found = "{}.{}".format(*sys.version_info[:2])
        REAPER["RPR_ShowMessageBox"](
            f"REAPER runs Python {found}; OmniAudio Studio needs 3.11 or newer. Choose another one "
            "in Preferences > Plug-ins > ReaScript.",
            "OmniAudio Studio",
            0,
        )
        return
    # REAPER tells a script its own name, not as __file__.
    script = REAPER.get("__file__") or REAPER["RPR_get_action_context"]()[1]
    package = str(Path(script).resolve().parents[2])
    if package not in sys.path:
        sys.path.append(package)
    from omniaudio_studio.reaper.action import begin

    ACTION = begin(REAPER, script)


def omniaudio_step() -> None:
    """Called by REAPER about thirty times a second while sound is made."""
    if ACTION is not None and ACTION.step():
        REAPER["RPR_defer"]("omniaudio_step()")
    else:
        omniaudio_end()


def omniaudio_end() -> None:
    """The action is over, or REAPER closes."""
    if ACTION is not None:
        ACTION.close()


REAPER["RPR_atexit"]("omniaudio_end()")
omniaudio_start()
omniaudio_step()
