"""Round numbers along an axis."""

from __future__ import annotations

import math

MOST = 7
"""Greatest number of ticks of an axis."""


def ticks_between(low: float, high: float, log: bool) -> list[float]:
    """Round numbers of an axis from `low` to `high` (their logarithms, if `log`): 1, 2, 5 times powers of ten, only some of
    these where they are plenty; equal steps where that says more."""
    if not log:
        return _even(low, high)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks: list[float] = []
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{f}e{p}") for p in powers for f in factors if low <= math.log10(float(f"{f}e{p}")) <= high]
        if len(ticks) <= MOST:
            break
    else:
        ticks = ticks[:: -(-len(ticks) // MOST)]
    return ticks if len(ticks) > 2 else _even(10**low, 10**high)


def _even(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    step = 10 ** math.floor(math.log10(rough))
    step *= next(f for f in (1, 2, 5, 10) if f * step >= rough)
    first = math.ceil(low / step)
    return [float(f"{i * step:.10g}") for i in range(first, math.floor(high / step) + 1)]
