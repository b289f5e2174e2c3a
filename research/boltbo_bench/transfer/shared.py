"""What the shared-surrogate methods have in common: learnt once from finished tasks, then asked about a new one.

`fit` reads trajectories and learns; its cost is measured, for it is what grows with the number of tasks. `target` then gives
a model of the new task, a pure function of what the new task's run has told; `optimizer.optimizer_for` makes a single-task
optimizer with it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from threadpoolctl import threadpool_limits

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.problem import FloatArray, Trajectory
from boltbo.system.memory import peak_mib
from boltbo_bench.transfer.features import Features
from boltbo_bench.transfer.sources import STANDARDISATIONS, Scaler, Source, read

ITERATIONS = 40
"""L-BFGS steps of a process of one task's data"""


class Target(Protocol):
    """What is believed of the target task."""

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the standardised objective at points (m, F), shapes (m,)."""
        ...


class Plain:
    """A Gaussian process of one task's data alone: an expert, and what every method is without source tasks.

    Args:
        X: Points, shape (n, F).
        y: Standardised values, shape (n,).
    """

    def __init__(self, X: FloatArray, y: FloatArray, theta: FloatArray | None = None) -> None:
        self.theta = (
            hyperparameters.fit(hyperparameters.initial_theta(X.shape[1]), X, y, iterations=ITERATIONS)
            if theta is None
            else theta
        )
        self.posterior, self.X, self.y = gp.Posterior(self.theta, X, y), X, y

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.posterior.marginals(X)


@dataclass(frozen=True, slots=True)
class Cost:
    """What learning from the source tasks took: seconds, CPU seconds of this process, and the most memory that the process
    held until then, in MiB, None where the system does not say (to compare methods, run each in a process of its own)."""

    seconds: float
    cpu_seconds: float
    peak_mib: int | None


class SharedSurrogate(ABC):
    """A surrogate that many tasks share.

    Args:
        features: Candidates of all tasks as vectors of one length.
        points: Observations of each source task that are used, at most; the best half, the others at random.
        standardise: How each task's values are made comparable; see `sources`.
        seed: Of every random choice.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, features: Features, *, points: int = 50, standardise: str = "anchored", seed: int = 0) -> None:
        if points < 2:
            raise ValueError(f"points must be at least 2, got {points}")
        if standardise not in STANDARDISATIONS:
            raise ValueError(f"standardise must be one of {', '.join(STANDARDISATIONS)}, got {standardise!r}")
        self.features, self.points, self.standardise, self.seed = features, points, standardise, seed
        self.sources: list[Source] = []
        self.cost = Cost(0.0, 0.0, None)
        self._scaler: Scaler | None = None

    def fit(self, trajectories: Sequence[Trajectory]) -> Self:
        """Learn from finished tasks, from scratch; those with fewer than two values are passed over. Returns self."""
        wall, cpu = time.perf_counter(), time.process_time()
        found = read(trajectories, self.features, self.points, self.standardise, np.random.default_rng(self.seed))
        self._scaler = Scaler.over(np.vstack([s.X for s in found])) if found else None
        self.sources = [Source(s.task, self._scaler(s.X), s.y) for s in found] if self._scaler else []
        if self.sources:
            with threadpool_limits(1):
                self._learn()
        self.cost = Cost(time.perf_counter() - wall, time.process_time() - cpu, peak_mib())
        return self

    def target(self, X: FloatArray, y: FloatArray) -> Target:
        """What is believed of a new task given its own data; the same data give the same beliefs, bit for bit.

        Args:
            X: Features of its observations, shape (n, F), n >= 1.
            y: Their standardised values, shape (n,).
        """
        scaler = self._scaler or Scaler.over(X)
        own = self._target(scaler(X), y) if self.sources else Plain(scaler(X), y)
        return _Scaled(own, scaler)

    @abstractmethod
    def _learn(self) -> None:
        """Learn from `self.sources`, of which there is one at least."""

    @abstractmethod
    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        """As `target`, over scaled points."""


@dataclass(frozen=True, slots=True)
class _Scaled:
    own: Target
    scaler: Scaler

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.own.predict(self.scaler(X))
