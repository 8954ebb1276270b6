"""The command line: ``omniaudio VERB``. Thin: each verb calls one function of the core.

Nothing heavy is imported until a verb runs, so that ``omniaudio --help`` answers at once.
"""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``omniaudio`` console script."""
    from omniaudio_studio.cli.app import run

    raise SystemExit(run())
