"""What benchmarks write beside their numbers: commit, machine, and bootstrap intervals."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from boltbo.campaign import intervals
from boltbo.problem import FloatArray

BUSY = "import torch; torch.set_num_threads(1); a = torch.rand(500, 500)\nwhile True: a @ a"
"""The program of a process that keeps one core busy, beside which something else is measured"""


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
    if len(values) == 1:
        return float(values[0]), float(values[0])
    return intervals.interval(lambda places: values[places].mean(axis=-1), len(values))
