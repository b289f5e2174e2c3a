"""Local latent space Bayesian optimization: a trust region in a latent space that is learnt along.

Maus, Jones, Moore, Kusner, Bradshaw, Gardner, "Local latent space Bayesian optimization over structured inputs" (NeurIPS
2022). TuRBO with the deep kernel searches the box of an `AdaptiveSpace`. Every few steps space and kernel are trained together
on the best and the latest observations; then everything told is encoded anew (*re-centring*), and the search goes on around
the place where the best candidate lies now.

An update is a function of the seed and of what was told until then, so that a restart needs no more than to know when
updates were made: it makes them again, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from boltbo.domain import AdaptiveSpace
from boltbo.latent.deep_kernel import Bound, DeepKernel, DeepSurrogate
from boltbo.latent.deep_turbo import DeepTurbo
from boltbo.optimizers.box.turbo import FIRST_ITERATIONS
from boltbo.optimizers.history import RememberedHistory
from boltbo.problem import FloatArray, Observation, Status
from boltbo.system.threads import one_torch_thread

TOP, LATEST = 100, 100
"""Observations that an update is made of: the best and the latest ones."""

MAX_POINTS = 5000
"""Observations that the model uses, unless told otherwise: the deep kernel can afford more than an exact process."""

RANK = 0.1
"""The weight of the observation of rank r among n is 1 / (RANK n + r): Tripp, Daxberger, Hernández-Lobato (2020)."""


class LolBO(DeepTurbo):
    """Trust-region BO in a box that suits itself to the run.

    Args:
        space: The box to begin with; never changed.
        seed: Of every random choice.
        update_every: Batches of its own between updates of the space.
        options: Those of `Turbo`.

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
        self._told: list[Observation] = []
        self._updates: list[int] = []  # how many observations had been told at each
        self._batches = 0  # of its own since the last one

    # --- ask, tell --------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> list[str]:
        if self._batches >= self.update_every and self._missing(len(self.history)) <= 0:
            with self._timed("update"):
                self._updates.append(len(self._told))
                self._update()
                self._batches = 0
        return super().ask(n)

    def tell(self, observations: Sequence[Observation]) -> None:
        self._told += observations
        super().tell(observations)

    def _learn(self, start: int, asked: int) -> None:
        super()._learn(start, asked)
        self._batches += asked > 0

    # --- updates ----------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        """Space and kernel learn together from what was told; then all of it is encoded anew."""
        if self.history.best() is None:
            return
        seed = int(np.random.default_rng([self._seed, len(self._told)]).integers(2**31))
        rows, values, complete = self._chosen()
        kernel = DeepKernel(self.space.dim, seed=seed)
        with (
            threadpool_limits(1),
            one_torch_thread(),
        ):  # the order of sums, so the last bits, depend on the number of threads
            surrogate = DeepSurrogate(kernel, self.history.X[rows], values, ~complete)
            surrogate.fit(FIRST_ITERATIONS)
            guide = Bound(kernel, *surrogate.data)
            candidates = [self.history.candidates[i] for i in rows]
            self._adapted = self._adapted.adapted(candidates, _weights(values), guide, seed)
            self.space, self._deep, self._model = self._adapted, kernel, None
            self._empty()
            self.history.extend(self._told)
        self._refits.at = len(self.history)

    def _chosen(self) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.bool_]]:
        """The places in the history that an update is made of, complete ones first, their values, and which are complete.

        Infeasible ones are taken to be no better than the median.
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
            self._told = list(observations[:n])
            self._empty()
            self.history.extend(self._told)
            self._update()
        self._told = list(observations)
        super().restore(state, observations)

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "seed": self._seed, "updates": list(self._updates), "batches": self._batches}

    def _restore_own(self, state: dict[str, Any]) -> None:
        super()._restore_own(state)
        self._batches = int(state["batches"])


def _weights(values: FloatArray) -> FloatArray:
    """By rank, the lowest value first; sum 1."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    weights = 1.0 / (RANK * len(values) + rank)
    return np.asarray(weights / weights.sum())
