"""Is one statement faster than another? On made-up series whose answer is known, and on a real server."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo.domains.plans.dialects import Statement
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.server.paired import Comparison, compare
from boltbo.domains.plans.server.work import Work
from boltbo.errors import TooSlow

SLOW = "SELECT count(*) FROM title a, title b WHERE a.id < 300 AND b.id < 300"
QUICK = "SELECT count(*) FROM title a WHERE a.id < 300"


def test_drift_that_meets_both_alike_hides_nothing() -> None:
    drift = np.array([1.0, 3.0, 0.5, 2.0, 9.0, 1.0, 4.0])
    noise = np.exp(np.random.default_rng(0).normal(0, 0.05, 7))
    comparison = Comparison.of(drift, 0.8 * drift * noise)
    assert comparison.faster
    assert 0.7 < comparison.low < comparison.ratio < comparison.high < 0.9
    assert comparison.p < 0.001


def test_noise_passes_for_a_gain_as_seldom_as_the_interval_says() -> None:
    rng = np.random.default_rng(1)
    logs = rng.normal(0, 0.2, (2000, 2, 7))
    found = [Comparison.of(np.exp(a), np.exp(b)) for a, b in logs]
    assert 0.015 < np.mean([c.faster for c in found]) < 0.035
    assert 0.93 < np.mean([c.low < 1 < c.high for c in found]) < 0.97


@given(st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3)), min_size=2, max_size=12))
def test_the_other_way_round_is_the_inverse(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    one, other = Comparison.of(a, b), Comparison.of(b, a)
    assert math.isclose(one.ratio * other.ratio, 1, rel_tol=1e-9)
    assert not (one.faster and other.faster)
    assert one.low <= one.ratio * (1 + 1e-9)
    assert one.ratio <= one.high * (1 + 1e-9)


def test_one_pair_says_nothing() -> None:
    with pytest.raises(ValueError, match="two pairs"):
        Comparison.of([1.0], [0.5])


def test_less_work_is_found_and_more_is_not(domain: PlansDomain) -> None:
    slow, quick = Statement(SLOW), Statement(QUICK)
    comparison = compare(domain.server, slow, quick, pairs=3, objective=Work())
    assert comparison.faster
    assert comparison.low == comparison.high == comparison.ratio < 0.1
    assert not compare(domain.server, quick, slow, pairs=3, objective=Work()).faster
    same = compare(domain.server, slow, slow, pairs=3, objective=Work())
    assert (same.ratio, same.faster, same.p) == (1.0, False, 1.0)


def test_a_candidate_that_takes_too_long_is_stopped(domain: PlansDomain) -> None:
    comparison = compare(domain.server, Statement("SELECT 1"), Statement("SELECT pg_sleep(1)"), pairs=2)
    assert (comparison.ratio, comparison.after, comparison.faster) == (math.inf, (), False)
    with pytest.raises(TooSlow):
        compare(domain.server, Statement("SELECT pg_sleep(1)"), Statement("SELECT 1"), pairs=2, limit=0.05)


def test_planning_is_told_and_counts_where_it_is_to(domain: PlansDomain) -> None:
    slow, quick = Statement(SLOW), Statement(QUICK)
    without = compare(domain.server, slow, quick, pairs=2)
    assert min(without.planning) > 0
    counted = compare(domain.server, Statement("SELECT 1"), Statement("SELECT 1"), pairs=2, planning="included")
    assert min(counted.before) > 0
    assert len(counted.before) == len(counted.after) == 2
