"""The size of a trust region: it grows after successes, shrinks after failures, and the region ends below a least size.

The rule of TuRBO (Eriksson et al., NeurIPS 2019, section 2), with failures counted over candidates, so that the size of a batch
does not matter.
"""

from __future__ import annotations

from typing import Any

LEAST_GAIN = 1e-3
"""The share of its size by which a value must be undercut for a success."""


class Region:
    """The size of a trust region, and where in the history it began.

    Args:
        size: The first, least and greatest size.
        success_tolerance: Successful batches in a row before it doubles.
        failure_tolerance: Failed candidates in a row before it halves.
        name: The name of the size in errors.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, size: tuple[float, float, float], success_tolerance: int, failure_tolerance: int, name: str = "length"
    ) -> None:
        self.first, self.least, self.greatest = size
        if not 0.0 < self.least <= self.first <= self.greatest:
            raise ValueError(
                f"{name}: expected 0 < least <= first <= greatest, got {self.least}, {self.first} and {self.greatest}"
            )
        if min(success_tolerance, failure_tolerance) < 1:
            raise ValueError(
                f"success_tolerance and failure_tolerance must be at least 1, got {success_tolerance} and {failure_tolerance}"
            )
        self.success_tolerance, self.failure_tolerance = success_tolerance, failure_tolerance
        self.size, self.start = self.first, 0
        self._successes = self._failures = 0

    def learn(self, improved: bool, asked: int, size: int) -> None:
        """Count a batch of `asked` candidates, after which the history holds `size` observations."""
        self._successes, self._failures = (self._successes + 1, 0) if improved else (0, self._failures + asked)
        if self._successes >= self.success_tolerance:
            self.size, self._successes = min(2.0 * self.size, self.greatest), 0
        elif self._failures >= self.failure_tolerance:
            self.size, self._failures = self.size / 2.0, 0
        if self.size < self.least:  # begin anew elsewhere; the model keeps all observations
            self.size, self.start = self.first, size
            self._successes = self._failures = 0

    def state(self) -> dict[str, Any]:
        """The state that `restore` needs."""
        return {"size": self.size, "start": self.start, "successes": self._successes, "failures": self._failures}

    def restore(self, state: dict[str, Any]) -> None:
        self.size, self.start = float(state["size"]), int(state["start"])
        self._successes, self._failures = int(state["successes"]), int(state["failures"])


def better(new: float, old: float) -> bool:
    """Whether `new` is lower than `old` by enough to count as a success."""
    return new < old - LEAST_GAIN * abs(old)
