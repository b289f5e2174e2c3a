"""Two statements measured in turn, so that the machine's drift meets both alike: is one really faster?

The pairs are run in the order AB, BA, AB, … on one connection, after one execution of each that warms the cache. The ratio is
the geometric mean of the pairs' ratios; its interval and the one-sided test are Student's on the logarithms, which makes
sense of a handful of pairs, as a bootstrap does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, stdev
from typing import Literal

from scipy.stats import t as student

from boltbo.domains.plans.dialects.statement import Statement
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.latency import Latency
from boltbo.domains.plans.server.measure import Measurement, measure
from boltbo.domains.plans.server.objective import Objective
from boltbo.errors import TooSlow

Planning = Literal["excluded", "included"]
"""Whether the server's own planning is part of the time, as it is for who plans at every call"""

LATENCY = Latency()

CONFIDENCE = 0.95
PATIENCE = 5.0
"""A candidate is stopped at this multiple of the default: it is not faster then."""
LEAST = 0.05
"""Seconds that a candidate has in any case"""
PLANNING_LIMIT = 60.0
"""Seconds for planning either statement"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the default.

    Attributes:
        before: The default's values, pair by pair.
        after: The candidate's values; fewer where it was stopped.
        ratio: Geometric mean of after over before; infinity where the candidate was stopped.
        low, high: 95% interval of the ratio.
        p: Chance of pairs like these if the candidate were no faster (one-sided paired t test on the logarithms).
        faster: The interval lies below 1.
        planning: Median seconds that the server planned the default and the candidate, whether they count or not.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    ratio: float
    low: float
    high: float
    p: float
    faster: bool
    planning: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(
        cls,
        before: Sequence[float],
        after: Sequence[float],
        planning: tuple[float, float] = (0.0, 0.0),
        confidence: float = CONFIDENCE,
    ) -> Comparison:
        """The comparison that pairs of values give.

        Raises:
            ValueError: There are fewer than two pairs.
        """
        if len(before) != len(after) or len(before) < 2:
            raise ValueError(f"a comparison needs two pairs of values or more, got {len(before)} and {len(after)}")
        logs = [math.log(b / a) for a, b in zip(before, after, strict=True)]
        mean, n = fmean(logs), len(logs)
        error = stdev(logs) / math.sqrt(n)
        reach = float(student.ppf(0.5 + confidence / 2, n - 1)) * error
        p = float(student.cdf(mean / error, n - 1)) if error else float(mean >= 0)
        low, high = math.exp(mean - reach), math.exp(mean + reach)
        return cls(tuple(before), tuple(after), math.exp(mean), low, high, p, high < 1, planning)


def compare(
    server: Server,
    default: Statement,
    candidate: Statement,
    *,
    pairs: int = 7,
    objective: Objective = LATENCY,
    limit: float = 60.0,
    planning: Planning = "excluded",
) -> Comparison:
    """Execute both in turn and compare.

    Args:
        server: The server that executes both.
        default: What the server does by itself.
        candidate: What is to be faster.
        pairs: Executions of each that count; one of each before warms the cache.
        objective: What is compared.
        limit: Seconds for one execution of the default.
        planning: Whether the seconds of planning count, where the objective counts seconds.

    Raises:
        TooSlow: The default does not end in time.
        psycopg.Error: The server refuses a statement or was lost.
    """

    def once(statement: Statement, seconds: float) -> Measurement:
        m = measure(
            server, statement.sql, statement.settings,
            objective=objective, limit=seconds, beat=0.0, planning_limit=PLANNING_LIMIT,
        )  # fmt: skip
        counts = planning == "included" and objective.clock
        return replace(m, value=m.value + m.planning) if counts else m

    def of_default() -> Measurement:
        m = once(default, limit)
        if m.censored:
            raise TooSlow(f"the default plan does not end in {limit:.3g} s")
        return m

    first = of_default()
    stop_at = min(limit, max(PATIENCE * first.value, LEAST)) if objective.clock else limit
    before: list[Measurement] = []
    after: list[Measurement] = []
    warmed = once(candidate, stop_at)
    if warmed.censored:
        return _stopped([first], after, warmed)
    for i in range(pairs):
        for turn in (i, i + 1):
            if turn % 2 == 0:
                before.append(of_default())
                continue
            m = once(candidate, stop_at)
            if m.censored:
                return _stopped(before or [first], after, m)
            after.append(m)
    return Comparison.of([*map(_positive, before)], [*map(_positive, after)], _planning(before, after))


def _stopped(before: list[Measurement], after: list[Measurement], last: Measurement) -> Comparison:
    ours, theirs = tuple(map(_positive, before)), tuple(map(_positive, after))
    return Comparison(ours, theirs, math.inf, math.inf, math.inf, 1.0, False, _planning(before, [*after, last]))


def _planning(before: list[Measurement], after: list[Measurement]) -> tuple[float, float]:
    return median(m.planning for m in before), median(m.planning for m in after)


def _positive(m: Measurement) -> float:
    """The value, above 0: CPU seconds come in ticks and may be 0, which has no logarithm."""
    return max(m.value, 1e-9)
