"""What an optimizer is, and what the built-in ones share.

An optimizer works on one task. It sees candidates as points of a box through a `SearchSpace`, learns from observations
wherever they come from, and never proposes a candidate twice. Everything it does next is a function of what it was told
and of `state()`, so that a run that was cut short goes on exactly as it would have.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from boltbo.optimizers.history import History
from boltbo.problem import FloatArray, Observation, SearchSpace

FALLBACK_TRIES = 8
FALLBACK_POINTS = 256


@runtime_checkable
class Optimizer(Protocol):
    """Single-task, ask and tell. `contract.check_optimizer` tries a class against all of this."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent so far, by activity (`fit`, `acquire`, `decode`)."""
        ...

    def ask(self, n: int) -> list[str]:
        """Up to `n` new candidates, as `space.decode` writes them; fewer only if the space seems exhausted."""
        ...

    def tell(self, observations: Sequence[Observation]) -> None:
        """Learn from observations; the candidates need not be ones that were asked."""
        ...

    def state(self) -> dict[str, Any]:
        """What `restore` needs beyond the observations. Survives JSON."""
        ...

    def restore(self, state: dict[str, Any], observations: Sequence[Observation]) -> None:
        """Go on from `state`, taken when exactly `observations` had been told, bit for bit."""
        ...


@runtime_checkable
class Limiting(Protocol):
    """An optimizer that can say when to stop an evaluation early."""

    def limit(self, candidate: str) -> float | None:
        """The value from which on it would know enough about the candidate; None: no opinion.

        Never below the best value told. Changes nothing that `ask` or `state` depend on.
        """
        ...


class BoxOptimizer(ABC):
    """The common part of optimizers over a box: history, duplicates, generator, state, timings.

    A subclass says which points it would like (`_rankings`), what it learns from a batch (`_learn`), and what of its
    own must survive a restart (`_own_state`, `_restore_own`).

    Args:
        space: Candidates as points of [0, 1]^d and back.
        seed: Of the generator that makes every random choice.
    """

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        self.space = space
        self.history = History(space)
        self.timings: dict[str, float] = {"fit": 0.0, "acquire": 0.0, "decode": 0.0}
        self._rng = np.random.default_rng(seed)
        self._pending: dict[str, None] = {}  # in the order of asking; a set would not be reproducible

    # --- for subclasses ---------------------------------------------------------------------------------------------

    @abstractmethod
    def _rankings(self, n: int, attempt: int) -> Iterable[FloatArray]:
        """`n` lists of points, each of shape (any, d) and best first; one candidate is taken from each.

        `attempt` counts up from 0 while lists come up empty of new candidates: look further away each time.
        """

    attempts = 1
    """How often `_rankings` is tried before uniform points of the box."""

    def _learn(self, start: int, asked: int) -> None:  # noqa: B027  (a subclass may have nothing to learn)
        """Points `start:` of the history are new; `asked` of the observations were this optimizer's own wishes."""

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _restore_own(self, state: dict[str, Any]) -> None:  # noqa: B027  (nor anything of its own to restore)
        pass

    # --- ask, tell, state, restore ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[str]:
        chosen: list[str] = []
        for attempt in range(self.attempts):
            if len(chosen) < n:
                chosen += self._first_new(self._rankings(n - len(chosen), attempt))
        for _ in range(FALLBACK_TRIES):
            if len(chosen) < n:
                anywhere = (self._rng.random((FALLBACK_POINTS, self.space.dim)) for _ in range(n - len(chosen)))
                chosen += self._first_new(anywhere)
        return chosen

    def tell(self, observations: Sequence[Observation]) -> None:
        start = len(self.history)
        asked = sum((o.asked or o.candidate) in self._pending for o in observations)
        self.history.extend(observations)
        for o in observations:
            self._pending.pop(o.asked or o.candidate, None)
        self._learn(start, asked)

    def state(self) -> dict[str, Any]:
        return {
            "generator": self._rng.bit_generator.state,
            "pending": list(self._pending),
            "timings": dict(self.timings),
            **self._own_state(),
        }

    def restore(self, state: dict[str, Any], observations: Sequence[Observation]) -> None:
        self.history = History(self.space)
        self.history.extend(observations)
        self._rng.bit_generator.state = state["generator"]
        self._pending = dict.fromkeys(state["pending"])
        self.timings = dict(state["timings"])
        self._restore_own(state)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _first_new(self, rankings: Iterable[FloatArray]) -> list[str]:
        """The first candidate of each ranking that was neither told nor asked; nothing for a ranking without one.

        Decodes in growing chunks: mostly the first point or two will do, and decoding may be dear.
        """
        chosen = []
        for points in rankings:
            candidate = next((c for c in self._decode(points) if self._is_new(c)), None)
            if candidate is not None:
                self._pending[candidate] = None
                chosen.append(candidate)
        return chosen

    def _decode(self, points: FloatArray) -> Iterator[str]:
        start, size = 0, 2
        while start < len(points):
            with self._timed("decode"):
                texts = self.space.decode(points[start : start + size])
            yield from texts
            start, size = start + size, size * 4

    def _is_new(self, candidate: str) -> bool:
        return candidate not in self.history.seen and candidate not in self._pending

    @contextmanager
    def _timed(self, activity: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[activity] += time.perf_counter() - start
