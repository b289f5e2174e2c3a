"""Local latent space Bayesian optimization: a trust region in a latent space that is learnt along.

Maus, Jones, Moore, Kusner, Bradshaw, Gardner, "Local latent space Bayesian optimization over structured inputs" (NeurIPS
2022). TuRBO with the deep kernel searches the box of an `AdaptiveSpace`. Every few steps space and kernel are trained together
on the best and the latest observations; then all observations are encoded anew (*re-centring*), and the search goes on around
the place where the best candidate lies now.

An update is a function of the seed and of the observations until then, so that a restart only has to know when updates were
made: it makes them again, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from boltbo.domain import AdaptiveSpace
from boltbo.latent.deep_kernel import DeepKernel
from boltbo.latent.deep_surrogate import DeepSurrogate
from boltbo.latent.deep_training import Bound
from boltbo.latent.deep_turbo import DeepTurbo
from boltbo.optimizers.box.turbo import FIRST_ITERATIONS
from boltbo.optimizers.history import RememberedHistory
from boltbo.problem import FloatArray, Observation, Status
from boltbo.system.threads import one_torch_thread

TOP, LATEST = 100, 100
"""Numbers of the best and of the latest observations that an update is made of."""

MAX_POINTS = 5000
"""The most observations that the model uses by default: the deep kernel can afford more than an exact process."""

RANK = 0.1
"""The observation of rank r among n has the weight 1 / (RANK n + r): Tripp, Daxberger, Hernández-Lobato (2020)."""


class LolBO(DeepTurbo):
    """Trust-region Bayesian optimization in a box that adapts to the run.

    Args:
        space: The box to begin with, which is never changed.
        seed: Seed of every random choice.
        update_every: Number of batches asked between updates of the space.
        options: Options of `Turbo`.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, space: AdaptiveSpace, *, seed: int, update_every: int = 10, **options: Any) -> None:
        super().__init__(space, seed=seed, **{"max_points": MAX_POINTS, **options})
        if update_every < 1:
            raise ValueError(f"update_every must be at least 1, got {update_every}")
        self.update_every = update_every
        self.timings["update"] = 0.0
        self._first, self._adapted, self._seed = space, space, seed
        self._empty()
        self._observations: list[Observation] = []
        self._updates: list[int] = []  # the number of observations at each update
        self._batches = 0  # batches asked since the last update

    # --- ask, tell --------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> list[str]:
        if self._batches >= self.update_every and self._missing(len(self.history)) <= 0:
            with self._timed("update"):
                self._updates.append(len(self._observations))
                self._update()
                self._batches = 0
        return super().ask(n)

    def tell(self, observations: Sequence[Observation]) -> None:
        self._observations += observations
        super().tell(observations)

    def _learn(self, start: int, asked: int) -> None:
        super()._learn(start, asked)
        self._batches += asked > 0

    # --- updates ----------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        """Train space and kernel together on the observations, then encode all of these anew."""
        if self.history.best() is None:
            return
        seed = int(np.random.default_rng([self._seed, len(self._observations)]).integers(2**31))
        rows, values, complete = self._chosen()
        kernel = DeepKernel(self.space.dim, seed=seed)
        # one thread: the order of sums, so the last bits, depend on the number of threads
        with threadpool_limits(1), one_torch_thread():
            surrogate = DeepSurrogate(kernel, self.history.X[rows], values, ~complete)
            surrogate.fit(FIRST_ITERATIONS)
            guide = Bound(kernel, *surrogate.data)
            candidates = [self.history.candidates[i] for i in rows]
            self._adapted = self._adapted.adapted(candidates, _weights(values), guide, seed)
            self.space, self._kernel, self._model = self._adapted, kernel, None
            self._empty()
            self.history.extend(self._observations)
        self._refits.at = len(self.history)

    def _chosen(self) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.bool_]]:
        """The places in the history that an update is made of, complete ones first, their values, and which are complete.

        Infeasible candidates are taken to be no better than the median.
        """
        values, complete = self.history.values, self.history.having(Status.COMPLETE)
        values[np.isnan(values)] = np.median(values[complete])
        latest = range(max(0, len(values) - LATEST), len(values))
        rows = np.array(sorted({*self.history.top(TOP), *latest}))
        rows = rows[np.argsort(~complete[rows], kind="stable")]
        return rows, values[rows], complete[rows]

    # --- state ------------------------------------------------------------------------------------------------------

    def _empty(self) -> None:
        self.history: RememberedHistory = RememberedHistory(self.space)

    def restore(self, state: dict[str, Any], observations: Sequence[Observation]) -> None:
        self._seed, self._adapted = int(state["seed"]), self._first
        self.space = self._first
        self._updates = [int(n) for n in state["updates"]]
        for n in self._updates:
            self._observations = list(observations[:n])
            self._empty()
            self.history.extend(self._observations)
            self._update()
        self._observations = list(observations)
        super().restore(state, observations)

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "seed": self._seed, "updates": list(self._updates), "batches": self._batches}

    def _restore_own(self, state: dict[str, Any]) -> None:
        super()._restore_own(state)
        self._batches = int(state["batches"])


def _weights(values: FloatArray) -> FloatArray:
    """The weights of values by rank, the largest for the lowest value; their sum is 1."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    weights = 1.0 / (RANK * len(values) + rank)
    return np.asarray(weights / weights.sum())
