"""Constraints that only the oracle can see, by the rule of SCBO.

Eriksson and Poloczek, "Scalable constrained Bayesian optimization" (AISTATS 2021), written from the paper: each constraint
c_j(x) <= 0 has a Gaussian process of its own, over bilog(c) = sign(c) log(1 + |c|), which stretches the scale around 0.
From every process a function is drawn at all candidate points; those at which all constraints hold are ranked by the
objective and go before the others, which are ranked by their total violation. Where an observation only says that it was
infeasible, there is one constraint, -1 where there was a value and +1 where not (least-squares classification, Rasmussen &
Williams, 2006, section 6.5).

Notation:
    n, m, p     numbers of observations, of constraints, of candidate points
    C           observed values of the constraints, shape (n, m), NaN where none were observed
    violation   sum over the constraints of max(c, 0)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.problem import FloatArray


class Feasibility:
    """A model of the constraints; a pure function of its arguments.

    Args:
        thetas: Log-hyperparameters of each constraint's process, shape (d + 2,); as many as there are constraints, or none.
        X: Points, shape (n, d).
        C: The observed constraints, shape (n, m), without NaN; n is at least 1.
    """

    def __init__(self, thetas: Sequence[FloatArray], X: FloatArray, C: FloatArray) -> None:
        self._X, values = X, bilog(C)
        # scaled, not centred: zero must stay where it is
        self._values = values / np.maximum(np.sqrt((values * values).mean(axis=0)), 1e-12)
        self.thetas = list(thetas) or [hyperparameters.initial_theta(X.shape[1]) for _ in range(C.shape[1])]

    def fit(self, iterations: int) -> list[FloatArray]:
        """Move the hyperparameters towards their most probable values; returns them."""
        self.thetas = [
            hyperparameters.fit(theta, self._X, y, iterations=iterations)
            for theta, y in zip(self.thetas, self._values.T, strict=True)
        ]
        return self.thetas

    def violations(self, points: FloatArray, q: int, rng: np.random.Generator) -> FloatArray:
        """The total violation in `q` draws of all constraints at `points` (p, d); shape (q, p), 0 where feasible."""
        total = np.zeros((q, len(points)))
        for theta, y in zip(self.thetas, self._values.T, strict=True):
            total += np.maximum(gp.Posterior(theta, self._X, y).sample(points, q, rng), 0.0)
        return total


def bilog(C: FloatArray) -> FloatArray:
    """The bilog of each number: sign(c) log(1 + |c|)."""
    return np.asarray(np.sign(C) * np.log1p(np.abs(C)))


def observed(constraints: Sequence[Sequence[float]], infeasible: NDArray[np.bool_]) -> FloatArray | None:
    """C for a history: the numbers that came with the observations, or labels where none had any.

    Args:
        constraints: One tuple an observation: as many numbers as there are constraints, or none; length n.
        infeasible: Whether each observation was infeasible, shape (n,).

    Returns:
        C, shape (n, m); None where no observation was infeasible or came with numbers, so that there is nothing to model.
    """
    m = max(map(len, constraints), default=0)
    if m == 0:
        return np.where(infeasible, 1.0, -1.0)[:, None] if infeasible.any() else None
    return np.array([c if len(c) == m else (np.nan,) * m for c in constraints], dtype=float).reshape(-1, m)
