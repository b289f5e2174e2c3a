"""Trust-region Bayesian optimization: TuRBO-1.

Eriksson, Pearce, Gardner, Turner, Poloczek, "Scalable global optimization via local Bayesian optimization" (NeurIPS
2019), written from the paper. A Gaussian process is searched only in a box around the best point; the box grows after
successes and shrinks after failures; below a least length the search begins anew elsewhere. Differences, and why:

- Whatever was told counts as the first region's initial points: a language model's proposals are worth more than
  space-filling ones, which are asked only for what is missing to `initial`, at the start and after each restart.
- The model may use observations from outside the region: a restart forgets where the search was, not what it learnt.
- Successes and failures are counted over the optimizer's own candidates, whatever the batch size.
- A sampled point differs from the centre in 1 to 20 coordinates (log-uniform in expectation; the paper: about 20). Where
  one coordinate is a whole decision, as in a plan, 20 at once leave little of a good centre; it helped on smooth
  functions of 20 variables too.
- Points stand for texts, and many points may stand for one: candidates are decoded from the best sampled value on until
  a new text comes, and where a region has none left, twice its length is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from boltbo.optimizers import gp
from boltbo.optimizers.base import BoxOptimizer
from boltbo.optimizers.surrogate import Surrogate
from boltbo.problem import FloatArray, InvalidCandidate, SearchSpace, Status

if TYPE_CHECKING:
    from boltbo.optimizers.deep_kernel import DeepKernel

FIRST_ITERATIONS, NEXT_ITERATIONS = 20, 10
REFIT_SHARE = 0.1
LEAST_GAIN = 1e-3
PERTURBED = 20


class Turbo(BoxOptimizer):
    """Thompson sampling in a trust region of [0, 1]^d.

    Args:
        space: Candidates as points of the box.
        seed: Of every random choice.
        initial: Points that a region starts from; default: the lesser of 2 d and 20.
        candidates: Points at which the posterior is sampled; more help a little and cost with the cube.
        max_points: Observations that the model uses, those nearest to the centre.
        success_tolerance: Successful batches in a row before the region doubles.
        failure_tolerance: Failed candidates in a row before it halves; default: max(4, d), at most 32.
        length: The region's first, least and greatest side length.
        surrogate: `exact`, a Gaussian process of at most `max_points`, or `deep`, the variational one on learnt features,
            whose costs do not grow with the cube of these (needs torch).

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
        success_tolerance: int = 3,
        failure_tolerance: int | None = None,
        length: tuple[float, float, float] = (0.8, 0.5**7, 1.6),
        surrogate: str = "exact",
    ) -> None:
        super().__init__(space, seed=seed)
        d = space.dim
        self.initial = min(2 * d, 20) if initial is None else initial
        self.candidates = candidates
        self.max_points = max_points
        self.success_tolerance = success_tolerance
        self.failure_tolerance = min(32, max(4, d)) if failure_tolerance is None else failure_tolerance
        self.first_length, self.least_length, self.greatest_length = length
        for name in ("initial", "candidates", "max_points", "success_tolerance", "failure_tolerance"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 < self.least_length <= self.first_length <= self.greatest_length:
            raise ValueError(
                f"length must be (first, least, greatest) with 0 < least <= first <= greatest, got {length}"
            )
        self._theta = gp.initial_theta(d)
        self._fitted_at = 0  # size of the history at the last fit of the hyperparameters
        self._region_start = 0
        self._length = self.first_length
        self._successes = self._failures = 0
        self._model: Surrogate | None = None
        if surrogate not in ("exact", "deep"):
            raise ValueError(f"surrogate must be 'exact' or 'deep', got {surrogate!r}")
        self._deep = self._deep_kernel(seed) if surrogate == "deep" else None

    # --- the trust region -------------------------------------------------------------------------------------------

    def _learn(self, start: int, asked: int) -> None:
        self._model = None
        before = self.history.best(self._region_start, start)
        if asked == 0 or before is None or self._missing(start) > 0:
            return  # initial points are neither successes nor failures
        best, old = self.history.best(self._region_start), self.history.values[before]
        if best is not None and self.history.values[best] < old - LEAST_GAIN * abs(old):
            self._successes, self._failures = self._successes + 1, 0
        else:
            self._successes, self._failures = 0, self._failures + asked
        if self._successes >= self.success_tolerance:
            self._length, self._successes = min(2.0 * self._length, self.greatest_length), 0
        elif self._failures >= self.failure_tolerance:
            self._length, self._failures = self._length / 2.0, 0
        if self._length < self.least_length:
            self._length, self._successes, self._failures = self.first_length, 0, 0
            self._region_start = len(self.history)

    def _missing(self, size: int) -> int:
        """How many initial points the region still lacked when the history had this size."""
        return self.initial - (size - self._region_start)

    def _rankings(self, n: int, attempt: int) -> Iterable[FloatArray]:
        centre = self.history.best(self._region_start)
        missing = self._missing(len(self.history)) - len(self._pending)
        filling = n if centre is None else min(n, max(0, missing))
        if filling:
            yield from self._space_filling(filling)
        if centre is None or filling == n:
            return
        n -= filling
        with self._timed("fit"):
            model = self._fitted(centre)
        with self._timed("acquire"):
            length = min(self._length * 2.0**attempt, self.greatest_length)
            points = self._perturbed(self.history.X[centre], length)
            values = model.posterior.sample(points, n, self._rng)
            order = np.argsort(values, axis=1, kind="stable")
        for row in order:
            yield points[row]

    def _space_filling(self, n: int) -> Iterable[FloatArray]:
        """A Latin hypercube of `n` points, each the head of a list of uniform ones in case its text is known."""
        strata = np.array([self._rng.permutation(n) for _ in range(self.space.dim)]).T
        for row in (strata + self._rng.random(strata.shape)) / n:
            yield np.vstack([row, self._rng.random((15, self.space.dim))])

    def _perturbed(self, centre: FloatArray, length: float) -> FloatArray:
        """Candidate points, shape (candidates, d): the centre with a few coordinates drawn anew from the region.

        Side lengths follow the lengthscales, their product is length^d (the paper's section 2).
        """
        d = self.space.dim
        weights = np.exp(self._theta[:d] - self._theta[:d].mean())
        low = np.clip(centre - weights * length / 2.0, 0.0, 1.0)
        high = np.clip(centre + weights * length / 2.0, 0.0, 1.0)
        points = low + (high - low) * self._rng.random((self.candidates, d))
        expected = min(d, PERTURBED) ** self._rng.random((len(points), 1))
        mask = self._rng.random(points.shape) < expected / d
        mask[np.arange(len(mask)), self._rng.integers(d, size=len(mask))] = True
        return np.where(mask, points, centre)

    # --- the model --------------------------------------------------------------------------------------------------

    def limit(self, candidate: str) -> float | None:
        """See `base.Limiting`: BayesQO's rule; None as long as fewer points were told than a region starts from."""
        best = self.history.best()
        if best is None or len(self.history) < self.initial:
            return None
        centre = self.history.best(self._region_start)
        try:
            point = np.clip(np.asarray(self.space.encode(candidate), dtype=float), 0.0, 1.0)
        except InvalidCandidate:
            return None
        with self._timed("acquire"):
            model = self._surrogate(best if centre is None else centre)
            return model.limit(point, float(self.history.values[best]))

    def _fitted(self, centre: int) -> Surrogate:
        """The model of everything told; hyperparameters follow once a tenth of the history is new."""
        model = self._surrogate(centre)
        size = len(self.history)
        if size - self._fitted_at >= max(1.0, REFIT_SHARE * size):
            self._theta = model.fit(NEXT_ITERATIONS if self._fitted_at else FIRST_ITERATIONS)
            self._fitted_at = size
        return model

    def _surrogate(self, centre: int) -> Surrogate:
        """The model with the hyperparameters of the last fit."""
        if self._model is None:
            self._model = self._made(*self._data(centre))
        return self._model

    def _made(self, X: FloatArray, values: FloatArray, censored: Any) -> Surrogate:
        if self._deep is None:
            return Surrogate(self._theta, X, values, censored)
        from boltbo.optimizers.deep_kernel import DeepSurrogate

        return DeepSurrogate(self._deep, X, values, censored)

    def _deep_kernel(self, seed: int) -> DeepKernel:
        try:
            from boltbo.optimizers.deep_kernel import DeepKernel
        except ImportError as error:
            raise ValueError("the deep surrogate needs torch: pip install 'boltbo[compact]'") from error
        return DeepKernel(self.space.dim, seed=seed)

    def _data(self, centre: int) -> tuple[FloatArray, FloatArray, Any]:
        """Points, values and where these are bounds, of the `max_points` nearest to the centre in lengthscales.

        An infeasible point is taken to be no better than the median: without a word about it the sampler would come
        back to its neighbours for ever.
        """
        X, values = self.history.X, self.history.values
        complete, infeasible = self.history.having(Status.COMPLETE), self.history.having(Status.INFEASIBLE)
        values[infeasible] = np.median(values[complete])
        if len(X) > self.max_points:
            scaled = (X - X[centre]) * np.exp(-self._theta[:-2])
            near = np.sort(np.argsort((scaled * scaled).sum(axis=1), kind="stable")[: self.max_points])
            X, values, complete = X[near], values[near], complete[near]
        return X, values, ~complete

    # --- state ------------------------------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        return {
            "theta": self._theta.tolist(),
            "fitted_at": self._fitted_at,
            "region_start": self._region_start,
            "length": self._length,
            "successes": self._successes,
            "failures": self._failures,
            **({} if self._deep is None else {"deep": self._deep.state()}),
        }

    def _restore_own(self, state: dict[str, Any]) -> None:
        self._theta = np.array(state["theta"], dtype=float)
        self._fitted_at, self._region_start = int(state["fitted_at"]), int(state["region_start"])
        self._length = float(state["length"])
        self._successes, self._failures = int(state["successes"]), int(state["failures"])
        self._model = None
        if self._deep is not None:
            self._deep.restore(state["deep"])
