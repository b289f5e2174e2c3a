"""Numbers and rows as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from boltbo_bench.experiments.ratios import Interval


def with_interval(estimate: Interval | None) -> str:
    """An estimate and its interval, as `0.52 (0.41 to 0.66)`; - where there is none."""
    if estimate is None or math.isnan(estimate.value):
        return "-"
    bounds = "" if math.isnan(estimate.low) else f" ({estimate.low:.3g} to {estimate.high:.3g})"
    return f"{estimate.value:.3g}{bounds}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    out = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*out, *(f"| {' | '.join(row)} |" for row in rows)])
