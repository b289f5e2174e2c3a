"""When the plans domain stops an execution; no server is needed to say so."""

import pytest

from boltbo.domains.plans.domain import PlansDomain
from boltbo.problem import Task

TASK = Task("q", "", {"default_value": 1.0})
NOWHERE = "postgresql://nowhere"


@pytest.mark.parametrize(
    ("timeout", "best", "stop"),
    [
        (1.5, None, 3.0),  # three times the default as long as nothing is known
        (1.5, 0.4, 0.6),
        (1.1, 0.4, 0.44),
        (1.5, 2.5, 3.0),
        (1.1, 0.001, 0.002),
        (1.5, 4.0, 4.0),  # never below the best
    ],
)
def test_when_an_execution_is_stopped(timeout, best, stop):
    assert PlansDomain(NOWHERE, timeout=timeout)._limit(TASK, best) == pytest.approx(stop)


def test_never_longer_than_max_seconds():
    assert PlansDomain(NOWHERE, max_seconds=0.3)._limit(TASK, 0.4) == 0.3


def test_no_clock_stops_what_is_counted():
    assert PlansDomain(NOWHERE, objective="work")._limit(TASK, 0.4) == 60.0
