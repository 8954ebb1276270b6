"""Results that one thread makes while another works with those before."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from omniaudio_studio.engine.spatialize.ahead import ahead
from omniaudio_studio.errors import MediaError


class Numbers:
    """Counts to ``most``; knows how far it came, in which threads, and whether it was closed."""

    def __init__(self, most: int, error: Exception | None = None) -> None:
        self.made = 0
        self.threads: set[int] = set()
        self.closed = threading.Event()
        self._most, self._error = most, error

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self._most):
                self.threads.add(threading.get_ident())
                self.made = number + 1
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.threads.add(threading.get_ident())
            self.closed.set()


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [0, 1, 100])
def test_everything_comes_in_order_from_one_other_thread(count: int) -> None:
    numbers = Numbers(count)
    with ahead(iter(numbers), depth=3) as results:
        assert list(results) == list(range(count))
    assert len(numbers.threads) == 1
    assert threading.get_ident() not in numbers.threads


def test_an_error_comes_after_what_came_before() -> None:
    seen = []
    source = iter(Numbers(20, MediaError("the clip ends too soon")))
    with pytest.raises(MediaError, match="too soon"), ahead(source, depth=2) as results:
        for number in results:
            seen.append(number)
    assert seen == list(range(20))


def test_it_is_never_more_than_its_depth_ahead() -> None:
    numbers = Numbers(200)
    with ahead(iter(numbers), depth=4) as results:
        for number in results:
            # Those that wait, the one in the thread's hands, and the one that is here.
            assert numbers.made <= number + 1 + 4 + 1


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_leaving_early_closes_the_source_in_its_thread(taken: int) -> None:
    numbers = Numbers(10**9)
    with pytest.raises(KeyError), ahead(iter(numbers), depth=2) as results:
        for _ in range(taken):
            next(results)
        raise KeyError
    assert numbers.closed.is_set()
    assert len(numbers.threads) == 1
    assert numbers.made < 20
