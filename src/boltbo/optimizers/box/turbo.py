"""Trust-region Bayesian optimization: TuRBO-1.

Eriksson, Pearce, Gardner, Turner, Poloczek, "Scalable global optimization via local Bayesian optimization" (NeurIPS
2019), written from the paper. A Gaussian process is searched only in a box around the best point; the box grows after
successes and shrinks after failures; below a least length the search begins anew elsewhere. Differences, and why:

- All observations told count as the first region's initial points: a language model's proposals are worth more than
  space-filling ones, which only fill up the region's points to `initial`, at the start and after each restart.
- The model may use observations from outside the region: a restart moves the search, but forgets no observation.
- Successes and failures are counted over the optimizer's own candidates, whatever the batch size.
- A sampled point differs from the centre in 1 to 20 coordinates (log-uniform in expectation; the paper: about 20). Where
  one coordinate is a whole decision, as in a plan, 20 at once leave little of a good centre; it helped on smooth
  functions of 20 variables too.
- Half of the sampled points are around other good points, drawn into the region, and some are crossed with another, so
  that good parts of two points come together. It helped on recorded query plans and did no harm on smooth functions.
- Constraints that only the oracle sees are modelled as in SCBO (`feasibility.py`): while nothing feasible is known, the region
  lies around what breaks them least.
- Points stand for texts, and many points may stand for one: candidates are decoded from the best sampled value on until
  a new text comes, and where a region has none left, twice its length is tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltbo.domain import SearchSpace
from boltbo.optimizers.base import BoxOptimizer
from boltbo.optimizers.region import Region, better
from boltbo.optimizers.surrogates import hyperparameters
from boltbo.optimizers.surrogates.feasibility import Feasibility, observed
from boltbo.optimizers.surrogates.refits import Refits
from boltbo.optimizers.surrogates.surrogate import Surrogate
from boltbo.problem import FloatArray, Status

FIRST_ITERATIONS, NEXT_ITERATIONS = 50, 20
PERTURBED = 20
PARENTS, CROSSED, TAKEN = 24, 0.2, 0.3
"""Good points that are perturbed besides the centre; the share of points crossed, and the share of their coordinates."""


class Turbo(BoxOptimizer):
    """An optimizer by Thompson sampling in a trust region of [0, 1]^d.

    Args:
        space: Candidates as points of the box.
        seed: Seed of every random choice.
        initial: Points that a region starts from; default: the lesser of 2 d and 20.
        candidates: Points at which the posterior is sampled; more help a little and cost with the cube.
        max_points: The most observations that the model uses: those nearest to the centre.
        success_tolerance: Successful batches in a row before the region doubles.
        failure_tolerance: Failed candidates in a row before it halves; default: max(4, d), at most 32.
        length: The region's first, least and greatest side length.

    Raises:
        ValueError: An option is out of range.
    """

    attempts = 4

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        initial: int | None = None,
        candidates: int = 1000,
        max_points: int = 500,
        success_tolerance: int = 10,
        failure_tolerance: int | None = None,
        length: tuple[float, float, float] = (0.8, 0.5**7, 1.6),
    ) -> None:
        super().__init__(space, seed=seed)
        d = space.dim
        self.initial = min(2 * d, 20) if initial is None else initial
        self.candidates = candidates
        self.max_points = max_points
        for name in ("initial", "candidates", "max_points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        failures = min(32, max(4, d)) if failure_tolerance is None else failure_tolerance
        self.region = Region(length, success_tolerance, failures)
        self._theta = hyperparameters.initial_theta(d)
        self._refits = Refits(FIRST_ITERATIONS, NEXT_ITERATIONS)
        self._thetas: list[FloatArray] = []  # hyperparameters of the constraints' processes
        self._model: Surrogate | None = None

    # --- the trust region -------------------------------------------------------------------------------------------

    def _learn(self, start: int, asked: int) -> None:
        self._model = None
        before = self._merit(start)
        if asked == 0 or before is None or self._missing(start) > 0:
            return  # initial points are neither successes nor failures
        now = self._merit(None)
        assert now is not None
        self.region.learn(now[0] < before[0] or better(now[1], before[1]), asked, len(self.history))

    def _merit(self, stop: int | None) -> tuple[int, float] | None:
        """The merit of the centre when the history ended at `stop`: (0, its value), or (1, its violation)."""
        centre = self._centre(stop)
        if centre is None:
            return None
        value = self.history.values[centre]
        return (0, float(value)) if np.isfinite(value) else (1, _violation(self.history.constraints[centre]))

    def _centre(self, stop: int | None = None) -> int | None:
        """The region's best point; as long as none is feasible, the one that breaks the constraints least."""
        best = self.history.best(self.region.start, stop)
        if best is not None:
            return best
        broken = [i for i in range(len(self.history))[self.region.start : stop] if self.history.constraints[i]]
        return min(broken, key=lambda i: _violation(self.history.constraints[i]), default=None)

    def _missing(self, size: int) -> int:
        """Number of initial points that the region still lacked when the history had this size."""
        return self.initial - (size - self.region.start)

    def _rankings(self, n: int, attempt: int) -> Iterable[FloatArray]:
        centre = self._centre()
        missing = self._missing(len(self.history)) - len(self._pending)
        filling = n if centre is None else min(n, max(0, missing))
        if filling:
            yield from self._space_filling(filling)
        if centre is None or filling == n:
            return
        n -= filling
        with self._timed("fit"):
            refit = self._refits.due(len(self.history))
            model, feasibility = self._fitted(centre, refit), self._feasibility(centre, refit)
        with self._timed("acquire"):
            length = min(self.region.size * 2.0**attempt, self.region.greatest)
            points = self._perturbed(centre, length)
            values = np.zeros((n, len(points))) if model is None else model.posterior.sample(points, n, self._rng)
            violations = np.zeros_like(values) if feasibility is None else feasibility.violations(points, n, self._rng)
            order = np.lexsort((values, violations), axis=1)
        for row in order:
            yield points[row]

    def _space_filling(self, n: int) -> Iterable[FloatArray]:
        """A Latin hypercube of `n` points, each the head of a list of uniform ones in case its text is known."""
        strata = np.array([self._rng.permutation(n) for _ in range(self.space.dim)]).T
        for row in (strata + self._rng.random(strata.shape)) / n:
            yield np.vstack([row, self._rng.random((15, self.space.dim))])

    def _perturbed(self, centre: int, length: float) -> FloatArray:
        """Candidate points, shape (candidates, d): good ones with a few coordinates drawn anew from the region.

        Side lengths follow the lengthscales, their product is length^d (the paper's section 2).
        """
        d, middle = self.space.dim, self.history.X[centre]
        weights = np.exp(self._theta[:d] - self._theta[:d].mean())
        low = np.clip(middle - weights * length / 2.0, 0.0, 1.0)
        high = np.clip(middle + weights * length / 2.0, 0.0, 1.0)
        origins = np.clip(self._origins(middle), low, high)
        points = low + (high - low) * self._rng.random(origins.shape)
        expected = min(d, PERTURBED) ** self._rng.random((len(points), 1))
        mask = self._rng.random(points.shape) < expected / d
        mask[np.arange(len(mask)), self._rng.integers(d, size=len(mask))] = True
        return np.where(mask, points, origins)

    def _origins(self, middle: FloatArray) -> FloatArray:
        """The points that are perturbed, shape (candidates, d): half are the centre, half other good points, some crossed."""
        n, d = self.candidates, self.space.dim
        top = self.history.top(PARENTS, self.region.start)
        parents = self.history.X[top] if top else middle[None]
        odds = 0.5 ** np.arange(len(parents))
        first, second = self._rng.choice(len(parents), size=(2, n), p=odds / odds.sum())
        origins = parents[first]
        origins[: n // 2] = middle
        crossed = (self._rng.random((n, 1)) < CROSSED) & (self._rng.random((n, d)) < TAKEN)
        return np.asarray(np.where(crossed, parents[second], origins))

    # --- the model --------------------------------------------------------------------------------------------------

    def _fitted(self, centre: int, refit: int) -> Surrogate | None:
        """The model of every value told; None while no complete value is known."""
        if self.history.best() is None:
            return None
        model = self._surrogate(centre)
        if refit:
            self._theta = model.fit(refit)
        return model

    def _feasibility(self, centre: int, refit: int) -> Feasibility | None:
        """The model of the constraints; None where none was ever broken."""
        C = observed(self.history.constraints, self.history.having(Status.INFEASIBLE))
        if C is None:
            return None
        near = self._near(centre, np.asarray(~np.isnan(C).any(axis=1)))
        model = Feasibility(self._thetas, self.history.X[near], C[near])
        if refit or not self._thetas:
            self._thetas = model.fit(refit or FIRST_ITERATIONS)
        return model

    def _surrogate(self, centre: int) -> Surrogate:
        """The model with the hyperparameters of the last fit."""
        if self._model is None:
            self._model = self._new_surrogate(*self._data(centre))
        return self._model

    def _new_surrogate(self, X: FloatArray, values: FloatArray, censored: Any) -> Surrogate:
        return Surrogate(self._theta, X, values, censored)

    def _data(self, centre: int) -> tuple[FloatArray, FloatArray, Any]:
        """The `max_points` observations nearest to the centre in lengthscales: points, values, and which values are bounds."""
        near = self._near(centre, ~self.history.having(Status.INFEASIBLE))
        return self.history.X[near], self.history.values[near], ~self.history.having(Status.COMPLETE)[near]

    def _near(self, centre: int, among: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The places of the `max_points` observations nearest to the centre in lengthscales, in the order of telling."""
        places, X = np.flatnonzero(among), self.history.X
        if len(places) <= self.max_points:
            return places
        scaled = (X[places] - X[centre]) * np.exp(-self._theta[: self.space.dim])
        nearest = np.argsort((scaled * scaled).sum(axis=1), kind="stable")[: self.max_points]
        return np.sort(places[nearest])

    # --- state ------------------------------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        return {
            "theta": self._theta.tolist(),
            "fitted_at": self._refits.at,
            "thetas": [theta.tolist() for theta in self._thetas],
            "region": self.region.state(),
        }

    def _restore_own(self, state: dict[str, Any]) -> None:
        self._theta = np.array(state["theta"], dtype=float)
        self._thetas = [np.array(theta, dtype=float) for theta in state["thetas"]]
        self._refits.at = int(state["fitted_at"])
        self.region.restore(state["region"])
        self._model = None


def _violation(constraints: Sequence[float]) -> float:
    return sum(max(c, 0.0) for c in constraints)
