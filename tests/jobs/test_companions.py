"""What goes beside a WAV is refused before any work where a library for it is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from omniaudio_studio.errors import MissingDependencyError
from omniaudio_studio.jobs.deliver import run_deliver
from omniaudio_studio.jobs.deliver_request import DeliverRequest
from omniaudio_studio.jobs.request import GenerateRequest
from omniaudio_studio.jobs.run import run_request

WITH_PLOT = ("wav", "plot")


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_a_plot_without_matplotlib_is_refused_before_generating(
    no_matplotlib: None, small_clip: Path, tmp_path: Path
) -> None:
    request = GenerateRequest(clip=small_clip, output=tmp_path / "a.wav", deliverables=WITH_PLOT)
    with pytest.raises(MissingDependencyError, match=r"Matplotlib.*leave the plot out"):
        run_request(request, started=lambda folder: pytest.fail("work had begun"))
    assert not list(tmp_path.iterdir())


def test_a_plot_without_matplotlib_is_refused_before_delivering(
    no_matplotlib: None, tmp_path: Path
) -> None:
    # The field is not even looked for.
    request = DeliverRequest(
        field=tmp_path / "none.wav", output=tmp_path / "a.wav", deliverables=WITH_PLOT
    )
    with pytest.raises(MissingDependencyError, match=r"Matplotlib.*leave the plot out"):
        run_deliver(request)
    assert not list(tmp_path.iterdir())
