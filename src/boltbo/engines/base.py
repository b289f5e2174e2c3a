"""The engine's door: where the runs of a stage happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Applies a function to items, in any order.

    The items are ids of runs and the function opens the storage by its URL, so that an engine may run it anywhere; a function
    that is called twice for one run pays for nothing twice.
    """

    @property
    def in_process(self) -> bool:
        """Whether `map` calls the function in this process: then it is handed what is open here, and need not be pickled."""
        ...

    def map(self, function: Callable[[T], R], items: Iterable[T], tick: Callable[[], None]) -> Iterator[R]:
        """The results as they come; `tick` is called every now and then while it waits.

        Raises:
            Exception: The first one that the function raised; whatever else was running has been stopped.
        """
        ...
