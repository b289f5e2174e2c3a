"""The protocol of an optimizer, and the common part of the built-in ones.

An optimizer works on one task. It sees candidates as points of a box through a `SearchSpace` (`BoxOptimizer`) or as
strings of symbols through a `StringSpace` (`strings.StringOptimizer`), learns from observations wherever they come from,
and never proposes a candidate twice. Everything it does next is a function of the observations that it was told and of
`state()`, so that a run that was cut short goes on exactly as it would have.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from boltbo.domain import SearchSpace
from boltbo.optimizers.history import BoxHistory, History
from boltbo.problem import FloatArray, Observation

Ranking = TypeVar("Ranking")
"""The ranking of a subclass of `AskTell`: points of a box, or texts."""

FALLBACK_TRIES = 8
DECODED = 256
"""The most points of a ranking that are decoded: where the best are all known texts, it is time to look further away."""


@runtime_checkable
class Optimizer(Protocol):
    """An optimizer of one task that is asked for candidates and told observations.

    `contract.check_optimizer` tries a class against all of this.
    """

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent so far, by activity (`fit`, `acquire`, `decode`)."""
        ...

    def ask(self, n: int) -> list[str]:
        """Up to `n` new candidates, as the space writes them; fewer only if the space seems exhausted.

        Over a `StringSpace`, which knows neighbours alone, there is nothing to ask before a candidate was told.
        """
        ...

    def tell(self, observations: Sequence[Observation]) -> None:
        """Learn from observations; the candidates need not be ones that were asked."""
        ...

    def state(self) -> dict[str, Any]:
        """What `restore` needs beyond the observations; it survives JSON."""
        ...

    def restore(self, state: dict[str, Any], observations: Sequence[Observation]) -> None:
        """Go on from `state`, taken when exactly `observations` had been told, bit for bit.

        Raises:
            ValueError: `state` is no state of such an optimizer.
        """
        ...


class AskTell(ABC, Generic[Ranking]):
    """The common part of the built-in optimizers: duplicates, generator, state, timings.

    A subclass ranks what it would ask next (`_rankings`), learns from a batch (`_learn`), and says which of its attributes
    must survive a restart (`_own_state`, `_restore_own`).

    Args:
        seed: Seed of the generator that makes every random choice.
    """

    def __init__(self, *, seed: int) -> None:
        self.timings: dict[str, float] = {"fit": 0.0, "acquire": 0.0, "decode": 0.0}
        self._rng = np.random.default_rng(seed)
        self._pending: dict[str, None] = {}  # in the order of asking; a set would not be reproducible

    history: History

    @staticmethod
    def feasible(candidate: str) -> bool:
        """Whether a candidate may be asked at all, as far as the domain can tell beforehand; see `problem.Constrained`."""
        return True

    # --- for subclasses ---------------------------------------------------------------------------------------------

    @abstractmethod
    def _rankings(self, n: int, attempt: int) -> Iterable[Ranking]:
        """`n` rankings, each best first; one candidate is taken from each.

        `attempt` counts up from 0 while rankings come up empty of new candidates: look further away each time.
        """

    attempts = 1
    """Number of times that `_rankings` is tried before `_anything`."""

    @abstractmethod
    def _anything(self, n: int, attempt: int) -> Iterable[Ranking]:
        """Rankings as of `_rankings`, but from anywhere in the space: they are used when nothing better is new."""

    @abstractmethod
    def _texts(self, ranking: Ranking) -> Iterable[str]:
        """The candidates of a ranking, best first."""

    @abstractmethod
    def _empty(self) -> None:
        """Forget the history."""

    def _learn(self, start: int, asked: int) -> None:
        """Learn from the places `start:` of the history, which are new; this optimizer asked for `asked` of them itself."""

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _restore_own(self, state: dict[str, Any]) -> None:
        pass

    # --- ask, tell, state, restore ----------------------------------------------------------------------------------

    def ask(self, n: int) -> list[str]:
        chosen: list[str] = []
        for attempt in range(self.attempts):
            if len(chosen) < n:
                chosen += self._first_new(self._rankings(n - len(chosen), attempt))
        for attempt in range(FALLBACK_TRIES):
            if len(chosen) < n:
                chosen += self._first_new(self._anything(n - len(chosen), attempt))
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
        if state.keys() != self.state().keys():
            raise ValueError(f"this is no state of {type(self).__name__}")
        self._empty()
        self.history.extend(observations)
        self._rng.bit_generator.state = state["generator"]
        self._pending = dict.fromkeys(state["pending"])
        self.timings = dict(state["timings"])
        self._restore_own(state)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _first_new(self, rankings: Iterable[Ranking]) -> list[str]:
        """The first candidate of each ranking that was neither told nor asked; a ranking without one is passed over."""
        chosen = []
        for ranking in rankings:
            candidate = next((c for c in self._texts(ranking) if self._is_new(c)), None)
            if candidate is not None:
                self._pending[candidate] = None
                chosen.append(candidate)
        return chosen

    def _is_new(self, candidate: str) -> bool:
        return candidate not in self.history.seen and candidate not in self._pending and self.feasible(candidate)

    @contextmanager
    def _timed(self, activity: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[activity] += time.perf_counter() - start


class BoxOptimizer(AskTell[FloatArray]):
    """The common part of optimizers over a box; a ranking is an array of points, shape (any, d).

    Args:
        space: Candidates as points of [0, 1]^d and back.
        seed: Seed of the generator that makes every random choice.
    """

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        super().__init__(seed=seed)
        self.space = space
        self.history: BoxHistory = BoxHistory(space)
        self._decoded: dict[bytes, str] = {}

    def _empty(self) -> None:
        self.history = BoxHistory(self.space)

    def _anything(self, n: int, attempt: int) -> Iterable[FloatArray]:
        return (self._rng.random((DECODED, self.space.dim)) for _ in range(n))

    def ask(self, n: int) -> list[str]:
        self._decoded.clear()
        return super().ask(n)

    def _texts(self, ranking: FloatArray) -> Iterator[str]:
        """The texts of a ranking, decoded in growing chunks: mostly the first point or two will do, and decoding may be dear.

        The rankings of one `ask` hold the same points, each of which is decoded once.
        """
        ranking = ranking[:DECODED]
        start, size = 0, 2
        while start < len(ranking):
            chunk = ranking[start : start + size]
            keys = [point.tobytes() for point in chunk]
            new = [i for i, key in enumerate(keys) if key not in self._decoded]
            if new:
                with self._timed("decode"):
                    texts = self.space.decode(chunk[new])
                self._decoded |= {keys[i]: text for i, text in zip(new, texts, strict=True)}
            yield from (self._decoded[key] for key in keys)
            start, size = start + size, size * 4
