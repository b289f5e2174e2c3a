"""What one measurement says, for each objective, on a real server."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from boltbo.domains.plans.build import build
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.server import calibrated
from boltbo.domains.plans.server import cpu_time as module
from boltbo.domains.plans.server.calibrated import Calibrated
from boltbo.domains.plans.server.cpu_time import PROBE, Slowness, cpu_is_all
from boltbo.domains.plans.server.latency import Latency
from boltbo.domains.plans.server.measure import measure
from boltbo.domains.plans.server.objective import Objective
from boltbo.domains.plans.server.work import Work
from boltbo.errors import ConfigError, OracleUnavailable
from boltbo.system.progress import Bars
from support.own_objective import Buffers

SLOW = "SELECT count(*) FROM title a, title b WHERE a.id < 300 AND b.id < 300"
QUICK = "SELECT count(*) FROM title a WHERE a.id < 300"


def test_what_is_no_better_than_the_best_is_executed_once(domain: PlansDomain) -> None:
    one = measure(domain.server, SLOW, (), objective=Latency(), limit=10, beat=0.0)
    assert len(one.values) == 1
    assert one.value == one.values[0]
    assert one.planning > 0
    assert not one.censored


def test_of_an_apparent_best_the_first_execution_warms_the_cache(domain: PlansDomain) -> None:
    several = measure(domain.server, SLOW, (), objective=Latency(), limit=10, beat=10.0, repeats=4)
    assert len(several.values) == 5
    assert several.value == np.median(several.values[1:])


def test_what_takes_too_long_is_censored(domain: PlansDomain) -> None:
    late = measure(domain.server, "SELECT pg_sleep(2)", (), objective=Latency(), limit=0.05)
    assert (late.value, late.censored, late.values) == (0.05, True, ())
    assert domain.server.query("SELECT 1") == [(1,)]


def test_work_is_the_same_number_each_time(domain: PlansDomain) -> None:
    work = [measure(domain.server, SLOW, (), objective=Work(), limit=10) for _ in range(2)]
    assert work[0].value == work[1].value > measure(domain.server, QUICK, (), objective=Work(), limit=10).value > 0
    assert len(work[0].values) == 1


def test_cpu_seconds_of_a_server_on_this_machine(domain: PlansDomain) -> None:
    assert measure(domain.server, SLOW, (), objective=Calibrated(), limit=10, beat=0.0).value > 0


def test_what_is_a_little_above_the_best_is_looked_at_again(
    domain: PlansDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Latency, "execution", lambda *_: lambda: 1.1)
    assert len(measure(domain.server, QUICK, (), objective=Latency(), limit=10, beat=1.0, repeats=2).values) == 3
    monkeypatch.setattr(Latency, "execution", lambda *_: lambda: 1.3)
    assert len(measure(domain.server, QUICK, (), objective=Latency(), limit=10, beat=1.0, repeats=2).values) == 1


def test_calibrated_seconds_are_cpu_seconds_over_the_machines_slowness(
    domain: PlansDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowness = iter([1.5, 2.5, 4.0])
    monkeypatch.setattr(Slowness, "now", lambda _: next(slowness))
    monkeypatch.setattr(calibrated, "cpu_of_execution", lambda cursor, limit: 0.5 * limit)
    found = measure(domain.server, QUICK, (), objective=Calibrated(), limit=0.8, repeats=1)
    # half the limit, at the slowness before, over the mean of before and after
    assert found.values == pytest.approx((0.5 * 0.8 * 1.5 / 2.0, 0.5 * 0.8 * 2.5 / 3.25))


def test_a_slow_machine_is_given_more_seconds(domain: PlansDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = "SELECT count(*) FROM title a, title b WHERE a.id + b.id > 0"
    monkeypatch.setattr(Slowness, "now", lambda _: 3.0)
    late = measure(domain.server, slow, (), objective=Calibrated(), limit=0.01)
    assert late.censored
    assert 0.008 < late.value <= 0.01
    assert domain.server.query("SELECT 1") == [(1,)]


def test_no_planner_setting_changes_the_probes_plan(domain: PlansDomain) -> None:
    def nodes(plan: Mapping[str, Any]) -> list[Any]:
        return [plan["Node Type"], *map(nodes, plan.get("Plans", ()))]

    off = (
        "hashagg",
        "sort",
        "incremental_sort",
        "nestloop",
        "hashjoin",
        "mergejoin",
        "seqscan",
        "indexscan",
        "material",
    )
    usual = nodes(domain.server.explain(PROBE))
    assert "Function Scan" in str(usual)
    for name in off:
        assert nodes(domain.server.explain(PROBE, [(f"enable_{name}", "off")])) == usual


def test_waiting_is_no_cpu_time(domain: PlansDomain) -> None:
    """On a busy machine a process waits for its turn, and the server's timeout runs on."""
    waited = measure(domain.server, "SELECT pg_sleep(0.1)", (), objective=Calibrated(), limit=0.03, beat=0.0)
    assert not waited.censored
    assert 0 < waited.value < 0.03
    endless = measure(domain.server, "SELECT pg_sleep(60)", (), objective=Calibrated(), limit=0.005)
    assert endless.censored
    assert 0 < endless.value <= 0.005
    assert domain.server.query("SELECT 1") == [(1,)]


def test_cpu_seconds_beyond_the_limit_are_censored(domain: PlansDomain) -> None:
    slow = "SELECT count(*) FROM title a, title b WHERE a.id + b.id > 0"
    late = measure(domain.server, slow, (), objective=Calibrated(), limit=0.02)
    assert late.censored
    assert 0.01 < late.value <= 0.02


def test_cpu_seconds_need_a_server_on_this_machine(domain: PlansDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROC", "/proc/nowhere/{}")
    with pytest.raises(OracleUnavailable, match="Use objective 'latency'"):
        measure(domain.server, QUICK, (), objective=Calibrated(), limit=10)


def test_cpu_seconds_of_some_other_process_are_not_the_servers(
    domain: PlansDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROC", "/proc/self")
    with pytest.raises(OracleUnavailable, match="not there"):
        measure(domain.server, QUICK, (), objective=Calibrated(), limit=10)


def test_cpu_seconds_of_parallel_workers_are_not_seen(domain: PlansDomain) -> None:
    forced = [
        ("max_parallel_workers_per_gather", "2"), ("parallel_setup_cost", "0"), ("parallel_tuple_cost", "0"),
        ("min_parallel_table_scan_size", "0"), ("min_parallel_index_scan_size", "0"),
    ]  # fmt: skip
    with pytest.raises(OracleUnavailable, match="parallel workers"):
        measure(domain.server, "SELECT count(*) FROM cast_info", forced, objective=Calibrated(), limit=10)
    assert measure(domain.server, "SELECT count(*) FROM cast_info", forced, objective=Latency(), limit=10).value > 0


def test_the_servers_refusal_is_not_a_measurement(domain: PlansDomain) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        measure(domain.server, "SELECT 1 FROM nothing_of_that_name", (), objective=Latency(), limit=1)


def test_auto_is_calibrated_where_it_can_be_had_and_stays_what_it_was(
    imdb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        "database": imdb_url, "train": 2, "validation": 0, "queries": 8, "min_seconds": 0.0, "max_seconds": 10.0,
        "objective": "auto",
    }  # fmt: skip

    def chosen(caches: Path) -> str:
        with build(options, 0, caches, Bars(False)) as problem:
            assert isinstance(problem.domain, PlansDomain)
            return problem.domain.objective.name

    assert chosen(tmp_path / "here") == "calibrated"
    monkeypatch.setattr(module, "PROC", "/proc/nowhere/{}")
    assert chosen(tmp_path / "elsewhere") == "latency"
    assert chosen(tmp_path / "here") == "calibrated"
    monkeypatch.undo()
    assert chosen(tmp_path / "elsewhere") == "latency"


def test_parallel_workers_and_poolers_hide_cpu_seconds(domain: PlansDomain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu_is_all(domain.server)
    with monkeypatch.context() as patched:
        patched.setattr(type(domain.server), "pooled", True)
        assert not cpu_is_all(domain.server)
    server = domain.server.another()
    server.connection.execute("SET max_parallel_workers_per_gather = 2")
    assert not cpu_is_all(server)
    server.close()


@pytest.mark.parametrize("objective", ["support.own_objective:Buffers", Buffers()])
def test_an_objective_may_be_the_users_own(imdb_url: str, objective: str | Objective) -> None:
    named = PlansDomain(imdb_url, objective=objective)
    task = named.task_of("q", "SELECT count(*) FROM title t, movie_keyword k WHERE t.id = k.movie_id", 1.0)
    found = pickle.loads(pickle.dumps(named)).evaluate(task, "default", None)  # as worker processes get it
    assert found.value == int(found.value) > 10
    assert named.objective.name == "support.own_objective:Buffers"
    named.server.close()


@pytest.mark.parametrize("name", ["letency", "support.own_objective:Nothing", "no.such.module:Name"])
def test_a_name_that_leads_to_no_objective_is_one_clear_error(name: str) -> None:
    with pytest.raises(ConfigError, match=f"objective '{name}' cannot be had"):
        PlansDomain("postgresql://nowhere", objective=name)
