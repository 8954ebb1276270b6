"""``omniaudio train`` and ``omniaudio export``: make a model bundle. Needs the extra "train"."""

from __future__ import annotations

import typer

app = typer.Typer()


def train() -> None:
    """Train one stage."""


def export() -> None:
    """Export a bundle."""
