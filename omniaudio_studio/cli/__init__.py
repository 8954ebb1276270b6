"""The command line: ``omniaudio VERB``. Thin: each verb calls one function of the core.

Nothing heavy is imported until a verb runs, so that ``omniaudio --help`` answers at once.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``omniaudio`` console script."""
    try:
        from omniaudio_studio.cli.app import run

        code = run()
    except KeyboardInterrupt:  # while the program was still starting
        code = 130
    raise SystemExit(code)
