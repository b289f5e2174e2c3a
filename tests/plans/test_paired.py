"""Is one statement faster than another? On made-up series whose answer is known, and on a real server."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo.domains.plans.dialects import Statement
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.measure import measure
from boltbo.domains.plans.paired import Comparison, TooSlow, compare, same_results
from boltbo.problem import OracleUnavailable

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
    comparison = compare(domain.server, slow, quick, pairs=3, objective="work")
    assert comparison.faster
    assert comparison.low == comparison.high == comparison.ratio < 0.1
    assert not compare(domain.server, quick, slow, pairs=3, objective="work").faster
    same = compare(domain.server, slow, slow, pairs=3, objective="work")
    assert (same.ratio, same.faster, same.p) == (1.0, False, 1.0)


def test_a_candidate_that_takes_too_long_is_stopped(domain: PlansDomain) -> None:
    comparison = compare(domain.server, Statement("SELECT 1"), Statement("SELECT pg_sleep(1)"), pairs=2)
    assert (comparison.ratio, comparison.after, comparison.faster) == (math.inf, (), False)
    with pytest.raises(TooSlow):
        compare(domain.server, Statement("SELECT pg_sleep(1)"), Statement("SELECT 1"), pairs=2, limit=0.05)


def test_results_are_compared_as_multisets(domain: PlansDomain) -> None:
    rows = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) v(n, t)"
    assert same_results(domain.server, Statement(rows), Statement(rows + " ORDER BY 1 DESC"))
    assert not same_results(domain.server, Statement(rows), Statement(rows.replace(", (2, 'b')", "", 1)))
    added = "SELECT 0.1::float8 + 0.2::float8 + 0.3::float8"
    assert same_results(domain.server, Statement(added), Statement("SELECT 0.3::float8 + 0.2::float8 + 0.1::float8"))


def test_what_a_measurement_says(domain: PlansDomain) -> None:
    server = domain.server
    one = measure(server, SLOW, (), objective="latency", limit=10, beat=0.0)
    assert len(one.values) == 1
    assert one.value == one.values[0]
    assert one.planning > 0
    assert not one.censored
    several = measure(server, SLOW, (), objective="latency", limit=10, repeats=4)
    assert len(several.values) == 5
    assert several.value == np.median(several.values[1:])
    least = measure(server, SLOW, (), objective="latency", limit=10, repeats=2, summary="minimum", warm=False)
    assert len(least.values) == 3
    assert least.value == min(least.values)
    both = measure(server, SLOW, (), objective="latency", limit=10, beat=0.0, planning="included")
    assert both.value > both.planning > 0
    late = measure(server, "SELECT pg_sleep(2)", (), objective="latency", limit=0.05)
    assert (late.value, late.censored, late.values) == (0.05, True, ())
    work = [measure(server, SLOW, (), objective="work", limit=10).value for _ in range(2)]
    assert work[0] == work[1] > 0
    assert measure(server, SLOW, (), objective="cpu", limit=10, beat=0.0).value > 0


def test_cpu_seconds_need_a_server_on_this_machine(domain: PlansDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    from boltbo.domains.plans import measure as module

    monkeypatch.setattr(module, "PROC", "/proc/nowhere/{}")
    with pytest.raises(OracleUnavailable, match="Use objective 'latency'"):
        measure(domain.server, QUICK, (), objective="cpu", limit=10)
