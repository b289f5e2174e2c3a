"""Every supported version of PostgreSQL that there is on this machine: plans are forced, executed and compared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from boltbo import Status
from boltbo.domains.plans.dialects import DialectName, Statement
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.imdb.load import ensure_database
from boltbo.domains.plans.search.random_plans import random_plans
from boltbo.domains.plans.server.capabilities import NEWEST, OLDEST, capabilities
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.server.rows import same_results
from support.clusters import cluster, folders, major

SQL = """
SELECT t.production_year, COUNT(*), MIN(n.name) FROM title AS t, movie_keyword AS mk, keyword AS k, cast_info AS ci, name AS n
WHERE t.id = mk.movie_id AND mk.keyword_id = k.id AND ci.movie_id = t.id AND ci.person_id = n.id
AND t.production_year > 2000 AND n.gender = 'f' GROUP BY t.production_year ORDER BY 1
"""

SUPPORTED = [f for f in folders() if OLDEST <= major(f) <= NEWEST]

pytestmark = pytest.mark.skipif(
    not SUPPORTED, reason="no PostgreSQL's programs: name folders with initdb in BOLTBO_TEST_POSTGRES_BINS"
)


@pytest.fixture(scope="module", params=SUPPORTED, ids=lambda f: str(major(f)))
def served(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """(major version, URL of a small database)"""
    folder: Path = request.param
    with cluster(folder, "shared_buffers = 64MB", "max_parallel_workers_per_gather = 0") as url:
        yield major(folder), ensure_database(url, 0.005, 0)


def test_capabilities(served: tuple[int, str]) -> None:
    version, url = served
    found = capabilities(Server(url))
    assert found.version // 10_000 == version
    assert found.usable
    assert found.superuser
    assert not found.pooled
    assert found.tables == 21
    assert found.never_analyzed == ()
    assert found.settings["geqo_threshold"] == "12"


@pytest.mark.parametrize("dialect", ["sql", "order", "bao"])
def test_forced_plans_are_followed_and_return_the_same(served: tuple[int, str], dialect: DialectName) -> None:
    check_plans(PlansDomain(served[1], dialect=dialect, objective="work"))


@pytest.mark.parametrize("dialect", ["hints", "leading"])
def test_hinted_plans_are_followed_and_return_the_same(served: tuple[int, str], dialect: DialectName) -> None:
    libraries = ["pg_hint_plan", *filter(None, os.environ.get("BOLTBO_TEST_HINT_PLANS", "").split(":"))]
    for library in libraries:
        if capabilities(Server(served[1], hint_plan=library)).hint_plan != "absent":
            check_plans(PlansDomain(served[1], dialect=dialect, hint_plan=library, objective="work"))
            return
    pytest.skip(
        f"no pg_hint_plan for PostgreSQL {served[0]}; name libraries in BOLTBO_TEST_HINT_PLANS, parted by colons"
    )


def check_plans(domain: PlansDomain) -> None:
    task = domain.task_of("q", SQL, 1.0)
    abilities = domain.dialect.abilities
    plans = random_plans(domain.query(task), 8, np.random.default_rng(1), abilities) if abilities.operators else []
    for candidate in [*domain.initial_design(task, 4, np.random.default_rng(0)), *plans]:
        found = domain.evaluate(task, candidate, None)
        assert found.status is Status.COMPLETE
        assert found.value > 0
        assert not found.scored, f"{candidate} became {found.scored}"
        assert same_results(domain.server, Statement(SQL), domain.statement(task, candidate))
    domain.server.close()


@pytest.mark.parametrize("objective", ["latency", "calibrated"])
def test_times_are_measured(served: tuple[int, str], objective: str) -> None:
    domain = PlansDomain(served[1], objective=objective)
    task = domain.task_of("q", SQL, 1.0)
    assert 0 < domain.evaluate(task, "default", None).value < 10
    domain.server.close()


def test_switches_that_a_version_lacks_are_not_written(served: tuple[int, str]) -> None:
    version, url = served
    domain = PlansDomain(url)
    assert ("-memo" in domain.dialect.abilities.switches) == (version >= 14)
    assert (domain.dialect.name == "sql") == (capabilities(Server(url)).hint_plan == "absent")
    domain.server.close()


def test_a_version_too_old_is_said_to_be() -> None:
    old = [f for f in folders() if major(f) < OLDEST]
    if not old:
        pytest.skip(f"BOLTBO_TEST_POSTGRES_BINS names no PostgreSQL older than {OLDEST}")
    for folder in old:
        with cluster(folder) as url:
            found = capabilities(Server(url))
            assert not found.supported
            assert not found.usable
