"""What a method costs on a new task: CPU seconds of each ask, beside what its fit took (`SharedSurrogate.cost`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from boltbo.optimizers import Optimizer
from boltbo.problem import Observation


@dataclass(frozen=True, slots=True)
class Searched:
    """A search: everything told, in order, and the CPU seconds of each ask and the tell before it."""

    observations: tuple[Observation, ...]
    cpu_seconds: tuple[float, ...]


def search(
    optimizer: Optimizer,
    initial: Sequence[Observation],
    calls: int,
    score: Callable[[str], Observation],
    *,
    enough: Callable[[], bool] = lambda: False,
) -> Searched:
    """Tell the initial data, then ask, score and tell one candidate at a time, on one thread.

    Args:
        optimizer: Any; told nothing yet.
        initial: Observations to start from, the same for every method that is compared.
        calls: Oracle calls beyond these, fewer if the space is exhausted.
        score: The oracle.
        enough: Asked before each call; True ends the search.
    """
    told, cpu = list(initial), []
    with threadpool_limits(1):
        new = list(initial)
        for _ in range(calls):
            if enough():
                break
            began = time.process_time()
            optimizer.tell(new)
            asked = optimizer.ask(1)
            cpu.append(time.process_time() - began)
            if not asked:
                break
            new = [score(asked[0])]
            told += new
    return Searched(tuple(told), tuple(cpu))
