"""What benchmarks write beside their numbers: the commit, and bootstrap intervals."""

from __future__ import annotations

import subprocess

import numpy as np

from boltbo.problem import FloatArray

DRAWS = 10_000


def commit() -> str:
    """The commit of the working tree; take it when the work begins."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return found.stdout.strip()


def interval(values: FloatArray) -> tuple[float, float]:
    """A 95% bootstrap interval of the mean of `values` (n,)."""
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
