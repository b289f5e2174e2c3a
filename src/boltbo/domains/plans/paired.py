"""Two statements measured in turn, so that the machine's drift meets both alike: is one really faster?

The pairs are run in the order AB, BA, AB, … on one connection, after one execution of each that warms the cache. The ratio is the geometric mean
of the pairs' ratios; its interval and the one-sided test are Student's on the logarithms, which makes sense of a
handful of pairs, as a bootstrap does not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import t as student

from boltbo.domains.plans.dialects.statement import Statement
from boltbo.domains.plans.measure import Objective, measure
from boltbo.domains.plans.server import Server

CONFIDENCE = 0.95
PATIENCE = 5.0
"""A candidate is stopped at this multiple of the default: it is not faster then."""
LEAST = 0.05
"""Seconds that it has in any case"""


class TooSlow(RuntimeError):
    """The default plan itself does not end in the time it was given."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the default.

    Attributes:
        before: The default's values, pair by pair.
        after: The candidate's; fewer where it was stopped.
        ratio: Geometric mean of after over before; infinity where the candidate was stopped.
        low, high: 95% interval of it.
        p: Chance of pairs like these if the candidate were no faster (one-sided paired t test on the logarithms).
        faster: The interval lies below 1.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    ratio: float
    low: float
    high: float
    p: float
    faster: bool

    @classmethod
    def of(cls, before: Sequence[float], after: Sequence[float], confidence: float = CONFIDENCE) -> Comparison:
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
        return cls(tuple(before), tuple(after), math.exp(mean), low, high, p, high < 1)


def compare(
    server: Server,
    default: Statement,
    candidate: Statement,
    *,
    pairs: int = 7,
    objective: Objective = "latency",
    limit: float = 60.0,
) -> Comparison:
    """Execute both in turn and compare.

    Args:
        server: Where.
        default: What the server does by itself.
        candidate: What is to be faster.
        pairs: Executions of each that count; one of each before warms the cache.
        objective: What is compared.
        limit: Seconds for one execution of the default.

    Raises:
        TooSlow: The default does not end in time.
        psycopg.Error: The server refuses a statement or was lost.
    """
    first = _once(server, default, objective, limit)
    if first is None:
        raise TooSlow(f"the default plan does not end in {limit:.3g} s")
    before: list[float] = []
    after: list[float] = []
    stop_at = min(limit, max(PATIENCE * first, LEAST)) if objective != "work" else limit
    if _once(server, candidate, objective, stop_at) is None:
        return Comparison((first,), (), math.inf, math.inf, math.inf, 1.0, False)
    for i in range(pairs):
        for turn in (i, i + 1):
            own = turn % 2 == 0
            value = _once(server, default if own else candidate, objective, limit if own else stop_at)
            if value is not None:
                (before if own else after).append(value)
            elif own:
                raise TooSlow(f"the default plan does not end in {limit:.3g} s")
            else:
                return Comparison(tuple(before or [first]), tuple(after), math.inf, math.inf, math.inf, 1.0, False)
    return Comparison.of(before, after)


def _once(server: Server, statement: Statement, objective: Objective, limit: float) -> float | None:
    """One execution; None where it was stopped."""
    m = measure(server, statement.sql, statement.settings, objective=objective, limit=limit, beat=0.0)
    return None if m.censored else max(m.value, 1e-9)


def same_results(server: Server, a: Statement, b: Statement, limit: float = 60.0) -> bool:
    """Whether two statements return the same rows, in any order.

    Numbers that depend on the order of addition are compared to nine digits.

    Raises:
        psycopg.Error: The server refuses a statement, or one did not end in `limit` seconds.
    """
    return _rows(server, a, limit) == _rows(server, b, limit)


def _rows(server: Server, statement: Statement, limit: float) -> Counter[tuple[object, ...]]:
    with server.read_only(statement.settings, limit) as cursor:
        cursor.execute(statement.sql.encode())
        return Counter(tuple(_comparable(v) for v in row) for row in cursor)


def _comparable(value: object) -> object:
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.9g}")
    return repr(value) if isinstance(value, list | dict) else value
