"""Real windows on a screen of their own, a real (null) sound device, a user folder per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.display import start_display
from tests.support.pulse import NullSink, missing_pulse

# Before any test of this folder makes a QApplication.
_NO_DISPLAY = start_display()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a screen every test in here is skipped, with the reason."""
    if _NO_DISPLAY is None:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=_NO_DISPLAY))


@pytest.fixture(autouse=True)
def user_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data, cache, config and log folders, empty and of this test alone."""
    home = tmp_path / "user"
    for name, folder in {
        "XDG_DATA_HOME": "data",
        "XDG_CACHE_HOME": "cache",
        "XDG_CONFIG_HOME": "config",
        "XDG_STATE_HOME": "state",
    }.items():
        (home / folder).mkdir(parents=True)
        monkeypatch.setenv(name, str(home / folder))
    return home


@pytest.fixture(scope="session")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NullSink]:
    """One daemon for all tests of the run."""
    reason = missing_pulse()
    if reason is not None:
        pytest.skip(reason)
    sink = NullSink(tmp_path_factory.mktemp("pulse"))
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def null_sink(pulse: NullSink, monkeypatch: pytest.MonkeyPatch) -> NullSink:
    """The null sink, for this process and the ones it starts."""
    for name, value in pulse.environment.items():
        monkeypatch.setenv(name, value)
    return pulse
