"""The one bootstrap of this package: 95% percentile intervals over tasks, the same at every call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from boltbo.problem import FloatArray

DRAWS = 10_000
BATCH = 1000
"""Draws that are looked at together: bounds the memory where there are many tasks."""


def interval(statistic: Callable[[Any], FloatArray], n: int) -> tuple[float, float]:
    """The 95% interval of a statistic of `n` tasks; NaN where there are fewer than two.

    Args:
        statistic: Takes places of tasks, shape (..., n), and gives one number for each row, shape (...).
        n: How many tasks there are.
    """
    if n < 2:
        return math.nan, math.nan

    def along(places: Any, axis: int = -1) -> FloatArray:
        return statistic(np.moveaxis(places, axis, -1))

    with np.errstate(invalid="ignore", divide="ignore"):  # of infinite draws the end is no number
        drawn = bootstrap(
            (np.arange(n),),
            along,
            n_resamples=DRAWS,
            batch=BATCH,
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(0),
        )
    ends = drawn.confidence_interval
    return float(ends.low), float(ends.high)
