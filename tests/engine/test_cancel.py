"""Stopping: from a thread, from a signal, before and after."""

from __future__ import annotations

import threading

import pytest

from omniaudio_studio.engine.cancel import CancelToken, run_interruptibly
from omniaudio_studio.errors import Cancelled


def test_a_token() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    assert token.cancelled
    with pytest.raises(Cancelled) as caught:
        token.check()
    assert caught.value.exit_code == 130


def test_callbacks_run_once_and_can_be_taken_off() -> None:
    token, calls = CancelToken(), []
    token.on_cancel(lambda: calls.append("a"))
    remove = token.on_cancel(lambda: calls.append("b"))
    remove()
    remove()
    token.cancel()
    token.cancel()
    assert calls == ["a"]
    token.on_cancel(lambda: calls.append("late"))
    assert calls == ["a", "late"]


def test_a_callback_may_use_the_token() -> None:
    token = CancelToken()
    remove = token.on_cancel(lambda: None)
    token.on_cancel(remove)
    token.on_cancel(token.cancel)
    token.cancel()


def test_the_main_thread_waits_for_a_helper_others_do_not() -> None:
    names = [run_interruptibly(lambda: threading.current_thread().name, lambda: None)]
    worker = threading.Thread(
        target=lambda: names.append(
            run_interruptibly(lambda: threading.current_thread().name, lambda: None)
        ),
        name="worker",
    )
    worker.start()
    worker.join()
    assert names[0] != threading.main_thread().name
    assert names[1] == "worker"


def test_errors_come_through() -> None:
    def fail() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        run_interruptibly(fail, lambda: None)
