"""When the plans domain stops an execution; no server is needed to say so."""

import pytest

from boltbo.domain import Stoppable
from boltbo.domains.plans.domain import PlansDomain
from boltbo.problem import Task

TASK = Task("q", "", {"default_value": 1.0})
NOWHERE = "postgresql://nowhere"


@pytest.mark.parametrize(
    ("timeout", "best", "limit", "stop"),
    [
        ("multiple", None, None, 3.0),  # three times the default as long as nothing is known
        ("multiple", 0.4, None, 0.6),
        ("multiple", 0.4, 0.5, 0.6),  # the model is not asked
        ("multiple", 2.5, None, 3.0),
        ("model", None, None, 3.0),
        ("model", 0.4, None, 0.6),  # no opinion
        ("model", 0.4, 0.5, 0.5),
        ("model", 0.4, 0.4, 0.4),
        ("model", 0.4, 0.1, 0.4),  # never below the best
        ("model", 0.4, 9.0, 3.0),
        ("model", 0.001, 0.001, 0.002),
        ("model", 4.0, 5.0, 4.0),
    ],
)
def test_when_an_execution_is_stopped(timeout, best, limit, stop):
    domain = PlansDomain(NOWHERE, timeout=timeout)
    assert isinstance(domain, Stoppable)
    assert domain._limit(TASK, best, limit) == pytest.approx(stop)


def test_never_longer_than_max_seconds():
    assert PlansDomain(NOWHERE, timeout="model", max_seconds=0.3)._limit(TASK, 0.4, 0.5) == 0.3


def test_no_clock_stops_what_is_counted():
    assert PlansDomain(NOWHERE, timeout="model", objective="work")._limit(TASK, 0.4, 0.5) == 60.0
