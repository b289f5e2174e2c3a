"""The model on which a trust region is searched: a warp of the objective, sites for the bounds, a Gaussian process."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.optimizers.surrogates.censored import sites
from boltbo.optimizers.surrogates.warp import Warp
from boltbo.problem import FloatArray

BEYOND_WORST = 0.5
"""How far above the worst complete observation a bound may count, in standard deviations."""


class Surrogate:
    """A posterior over the warped objective; a pure function of its arguments.

    Args:
        theta: Log-hyperparameters of `gp`, shape (d + 2,).
        X: Points, shape (n, d).
        values: Objectives, or lower bounds where censored; shape (n,).
        censored: Whether each value is a bound, shape (n,). At least one is none.
    """

    def __init__(self, theta: FloatArray, X: FloatArray, values: FloatArray, censored: NDArray[np.bool_]) -> None:
        best, worst = float(values[~censored].min()), float(values[~censored].max())
        # Bounds count in the scale: where most observations are bounds, the complete ones are the good tail alone, and to
        # standardise that would leave the model no room above it. But they are capped: a bound of a minute among values of
        # milliseconds would squash these.
        self.warp = Warp.fit(np.where(censored, np.minimum(values, worst + (worst - best)), values))
        targets = self.warp(values)
        # A lower bound stays one when it is lowered, and far beyond the worst value seen it would only bend the model.
        targets[censored] = np.minimum(targets[censored], targets[~censored].max() + BEYOND_WORST)
        order = np.argsort(censored, kind="stable")  # complete observations first
        self._X = X[order]
        self._complete = int((~censored).sum())
        self._y, self._bounds = targets[order][: self._complete], targets[order][self._complete :]
        self.condition(theta)

    def fit(self, iterations: int) -> FloatArray:
        """Move the hyperparameters towards their most probable values; returns them.

        With bounds, hyperparameters and sites take turns, twice. At a fixed point of expectation propagation the
        evidence does not change with the sites to first order (Rasmussen & Williams, 2006, section 5.5.2), so the turns
        climb it.
        """
        for _ in range(2 if len(self._bounds) else 1):
            self.condition(self._improved(iterations))
        return self.theta

    def condition(self, theta: FloatArray) -> None:
        """Compute the posterior for these hyperparameters."""
        self.theta = theta
        complete_points, censored_points = self._X[: self._complete], self._X[self._complete :]
        posterior = self._given(complete_points, self._y)
        self._targets, self._variances = self._y, None
        if len(censored_points):
            means, variances = sites(*posterior.joint(censored_points), self._bounds, float(np.exp(theta[-1])))
            self._targets = np.concatenate([self._y, means])
            self._variances = np.concatenate([np.full(self._complete, np.nan), variances])
            posterior = self._given(self._X, self._targets, self._variances)
        self.posterior = posterior

    def _improved(self, iterations: int) -> FloatArray:
        """Hyperparameters a few steps more probable for the targets as they stand."""
        return hyperparameters.fit(self.theta, self._X, self._targets, self._variances, iterations=iterations)

    def _given(self, X: FloatArray, y: FloatArray, variances: FloatArray | None = None) -> gp.Posterior:
        """The process given data, for the present hyperparameters."""
        return gp.Posterior(self.theta, X, y, variances)
