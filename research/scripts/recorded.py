"""What benchmarks write beside their numbers: commit, machine, and bootstrap intervals."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import numpy as np

from boltbo.problem import FloatArray

DRAWS = 10_000


def commit() -> str:
    """The commit of the working tree; take it when the work begins."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return found.stdout.strip()


def cpu() -> str:
    """Cores and what they are."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(": ")[2] for line in lines if "model name" in line]
    return f"{len(names)} cores {names[0]}" if names else platform.machine()


def interval(values: FloatArray) -> tuple[float, float]:
    """A 95% bootstrap interval of the mean of `values` (n,)."""
    draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
