"""When a surrogate's hyperparameters follow the data: a fit each time that a tenth of the history is new."""

from __future__ import annotations

SHARE = 0.1


class Refits:
    """Counts the observations since the last fit.

    Args:
        first: Iterations of the first fit, which starts from the prior.
        later: Of the others, which start from the last one.
    """

    def __init__(self, first: int, later: int) -> None:
        self.first, self.later = first, later
        self.at = 0
        """Observations at the last fit."""

    def due(self, size: int) -> int:
        """How many iterations the fit at `size` observations may take, 0 where none is due; it counts as made."""
        if size - self.at < max(1.0, SHARE * size):
            return 0
        iterations = self.later if self.at else self.first
        self.at = size
        return iterations
