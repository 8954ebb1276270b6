"""The Typer application, and what happens to errors on their way to the user."""

from __future__ import annotations

import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from omniaudio_studio import __version__
from omniaudio_studio.cli import (
    batch,
    binaural,
    cache,
    dataset,
    deliver,
    demo,
    doctor,
    evaluate,
    generate,
    gui,
    inspect,
    models,
    scenes,
    spatialize,
    training,
)
from omniaudio_studio.errors import OmniAudioError

app = typer.Typer(
    name="omniaudio",
    help="Spatial sound for 360 video, generated from the picture on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_UNEXPECTED = 70  # EX_SOFTWARE of sysexits: a fault of the program, not of the input


def _version(wanted: bool) -> None:
    if wanted:
        print(f"omniaudio {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of an error.")
    ] = False,
) -> None:
    """Spatial sound for 360 video, generated from the picture on your own machine."""
    if debug:
        os.environ["OMNIAUDIO_DEBUG"] = "1"


app.command("generate")(generate.generate)
app.command("batch")(batch.batch)
app.command("spatialize")(spatialize.spatialize)
app.command("deliver")(deliver.deliver)
app.command("demo")(demo.demo)
app.command("gui")(gui.gui)
app.command("probe")(inspect.probe)
app.command("inspect")(inspect.inspect)
app.command("measure")(inspect.measure)
app.command("binaural")(binaural.binaural)
app.command("doctor")(doctor.doctor)
app.command("cache")(cache.cache)
app.add_typer(models.app, name="models")
app.add_typer(scenes.app, name="scenes")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(dataset.app, name="dataset")
app.command("train")(training.train)
app.command("export")(training.export)

# Typer's usage errors; taken from a public name, since the module they live in has moved.
_UsageError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code. No error leaves as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = app(
            args=None if arguments is None else list(arguments),
            prog_name="omniaudio",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except OmniAudioError as error:
        if os.environ.get("OMNIAUDIO_DEBUG"):
            traceback.print_exc()
        say(str(error))
        return error.exit_code
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help text
            print(error.format_message())  # type: ignore[attr-defined]
            return 2
        say(f"{error.format_message()} (see omniaudio --help)")  # type: ignore[attr-defined]
        return 2
    except typer.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        say("stopped")
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get("OMNIAUDIO_DEBUG"):
            traceback.print_exc()
            return _UNEXPECTED
        message = textwrap.shorten(str(error), 200, placeholder=" ...")
        say(f"unexpected {type(error).__name__}: {message}; details are in {_write_log()}")
        return _UNEXPECTED


def say(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    print(f"omniaudio: {' '.join(message.split())}", file=sys.stderr, flush=True)


def _write_log() -> str:
    """Append the current traceback to the log file; returns where, or why not."""
    import datetime
    from pathlib import Path

    import platformdirs

    try:
        folder = Path(platformdirs.user_log_dir("omniaudio-studio", appauthor=False))
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "omniaudio.log"
        with log.open("a", encoding="utf-8") as file:
            now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            file.write(f"--- {now} omniaudio {__version__}: {sys.argv}\n{traceback.format_exc()}\n")
        return str(log)
    except OSError as error:
        return f"no log, since it cannot be written ({error}); run again with --debug"
