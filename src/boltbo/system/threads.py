"""How many threads torch works on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TRY_S, KEEP_S = 0.5, 15.0
"""How long a number of threads is tried, and how long the faster one is kept before the other is tried again"""


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Small networks are faster so, and the last bits of sums depend on how many there are."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def torch_threads_by_load() -> Iterator[Callable[[float], None]]:
    """All threads or one, whichever is faster at the moment; call what is yielded after each piece of work with its size.

    Threads within an operation wait for one another at its end. Beside another busy process one of them is always off its
    core, and two threads on two cores are several times slower than one.
    """
    import torch

    most = torch.get_num_threads()
    if most == 1:
        yield lambda size: None
        return
    try:
        yield _Choice((most, 1), torch.set_num_threads, time.monotonic).done
    finally:
        torch.set_num_threads(most)


class _Choice:
    """Tries two numbers of threads in turn, and keeps the faster one for a while."""

    def __init__(self, numbers: tuple[int, int], use: Callable[[int], None], clock: Callable[[], float]) -> None:
        self.use = use
        self.clock = clock
        self.rates: dict[int, float] = {}
        self.now, self.other = numbers
        self.seconds = self.size = self.began = 0.0
        self._begin(TRY_S)

    def done(self, size: float) -> None:
        self.size += size
        took = self.clock() - self.began
        if took < self.seconds:
            return
        self.rates[self.now] = self.size / took
        if self.other not in self.rates or self.seconds == KEEP_S:
            self._swap()
            self._begin(TRY_S)
            return
        if self.rates[self.other] > self.rates[self.now]:
            self._swap()
        self._begin(KEEP_S)

    def _swap(self) -> None:
        self.now, self.other = self.other, self.now

    def _begin(self, seconds: float) -> None:
        self.seconds, self.size = seconds, 0.0
        self.use(self.now)
        self.began = self.clock()
