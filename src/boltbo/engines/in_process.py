"""One run after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from boltbo.engines.base import R, T


class InProcess:
    """One item after the other, here."""

    in_process = True

    def map(self, function: Callable[[T], R], items: Iterable[T], tick: Callable[[], None]) -> Iterator[R]:
        for item in items:
            yield function(item)
            tick()
