"""Freed memory is kept where the C library can do so."""

from __future__ import annotations

import platform
import sys

import pytest

from omniaudio_studio.training import memory
from omniaudio_studio.training.memory import keep_freed_memory


def test_kept_with_the_gnu_library_only(monkeypatch: pytest.MonkeyPatch) -> None:
    gnu = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    assert keep_freed_memory() == gnu
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
    monkeypatch.undo()
    monkeypatch.setattr(memory.sys, "platform", "win32")
    assert not keep_freed_memory()
