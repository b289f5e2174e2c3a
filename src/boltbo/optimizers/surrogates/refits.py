"""When a surrogate's hyperparameters are fitted again: each time that a tenth of the history is new."""

from __future__ import annotations

SHARE = 0.1
"""The share of the history that must be new."""


class Refits:
    """Counts the observations since the last fit.

    Args:
        first: Iterations of the first fit, which starts from the prior.
        later: Iterations of a later fit, which starts from the last one.
    """

    def __init__(self, first: int, later: int) -> None:
        self.first, self.later = first, later
        self.at = 0
        """Number of observations at the last fit."""

    def due(self, size: int) -> int:
        """Number of iterations of the fit at `size` observations, which counts as made; 0 where no fit is due."""
        if size - self.at < max(1.0, SHARE * size):
            return 0
        iterations = self.later if self.at else self.first
        self.at = size
        return iterations
