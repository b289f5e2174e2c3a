"""Two methods compared over tasks: the ratio of sums, as the paper has it, and the geometric mean of the tasks' ratios.

Both with 95% percentile bootstrap intervals over tasks, in pairs: a draw of tasks holds for both methods. Where there are
several seeds, a task's values are averaged over them first (their logarithms, for the geometric mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltbo.campaign import intervals
from boltbo.problem import FloatArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic over tasks with its 95% interval; NaN bounds where there is one task only."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """One method over another; below 1 the first is better.

    Attributes:
        sums: Sum of the first's values over tasks over the sum of the second's.
        typical: Geometric mean over tasks of value over value; None where a value is not positive.
        tasks, seeds: How many of both.
        again: Whether the values are of winners measured again side by side.
    """

    sums: Interval
    typical: Interval | None
    tasks: int
    seeds: int
    again: bool = False


def ratio(one: FloatArray, other: FloatArray) -> Ratio:
    """Compare values of the same tasks, shape (seeds, tasks).

    Raises:
        ValueError: The shapes differ, or there is nothing.
    """
    if one.shape != other.shape or one.ndim != 2 or not one.size:
        raise ValueError(f"expected two equal shapes (seeds, tasks), got {one.shape} and {other.shape}")
    seeds, n = one.shape
    a, b = one.mean(axis=0), other.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = interval(lambda i: a[i].sum(axis=-1) / b[i].sum(axis=-1), n)
    typical = None
    if (one > 0).all() and (other > 0).all():
        logs = np.log(one / other).mean(axis=0)
        typical = interval(lambda i: np.exp(logs[i].mean(axis=-1)), n)
    return Ratio(sums, typical, n, seeds)


def interval(statistic: Callable[[NDArray[np.intp]], FloatArray], n: int) -> Interval:
    """A statistic of tasks and its interval.

    Args:
        statistic: Of each row of places of tasks, shape (any, n), one number.
        n: How many tasks.
    """
    value = float(statistic(np.arange(n)[None])[0])
    return Interval(value, *intervals.interval(statistic, n))
