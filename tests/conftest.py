"""Clips and bundles that several folders of tests use; each is made once per run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.small_clip import make_small_clip

# How long one example takes says nothing on a machine that others load.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

#: Fixtures of the whole run that take minutes: the tests that share one stay in one process.
_COSTLY = {"debug_run", "debug_bundle"}
#: A device that plays: whoever listens to it needs the machine.
_PLAYING = {"pulse"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests: a file's stay together, and those of a costly fixture."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        costly = fixtures & _COSTLY
        group = "the debug run" if costly else "/".join(item.path.parts[-2:])
        item.add_marker(pytest.mark.xdist_group(group))
        if fixtures & _PLAYING:
            item.add_marker(pytest.mark.keeps_time)


@pytest.fixture(scope="session", autouse=True)
def _nothing_seen_is_kept() -> Iterator[None]:
    """No test is served by another one's look at a clip; those about the cache switch it on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMNIAUDIO_FEATURE_CACHE", "0")
        yield


@pytest.fixture(scope="session")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 360 video with a tone."""
    return make_small_clip(tmp_path_factory.mktemp("clip") / "small.mp4")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose graphs run in milliseconds."""
    from tests.support.tiny_bundle import make_tiny_bundle

    return make_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def slow_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose DiT takes many seconds."""
    from tests.support.slow_bundle import make_slow_bundle

    return make_slow_bundle(tmp_path_factory.mktemp("bundles") / "slow")
