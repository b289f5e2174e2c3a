"""The plans domain against the real server."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from boltbo import Campaign, OracleUnavailable, Settings, Status, Task
from boltbo.domains.plans.build import build, new_task
from boltbo.domains.plans.context import condition_words, power
from boltbo.domains.plans.design import bao_sets, shape
from boltbo.domains.plans.dialects.sql import written_out
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.language.grammar import parse_plan
from boltbo.domains.plans.language.plan import EVERYTHING, Method, scans_of
from boltbo.domains.plans.language.spelling import trees_of
from boltbo.domains.plans.options import PlansOptions
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.parse.find import candidates
from boltbo.domains.plans.search.moves import PlanMoves
from boltbo.domains.plans.search.random_plans import random_plans
from boltbo.domains.plans.server.calibrated import Calibrated
from boltbo.domains.plans.server.connection import Server, redact
from boltbo.domains.plans.server.embedded import EmbeddedServer
from boltbo.domains.plans.server.latency import Latency
from boltbo.domains.plans.server.measure import measure
from boltbo.domains.plans.server.objective import Objective
from boltbo.domains.plans.server.query_cache import QueryCache
from boltbo.domains.plans.workload.files import Workload, read_folder, stratified
from boltbo.domains.plans.workload.outcomes import Outcomes
from boltbo.domains.plans.workload.survey import survey
from boltbo.domains.plans.workload.tasks import make_tasks
from boltbo.errors import ConfigError, UnsupportedQuery
from boltbo.system.progress import Bars

SQL = """
SELECT COUNT(*) FROM title AS t, movie_keyword AS mk, keyword AS k, cast_info AS ci, name AS n
WHERE t.id = mk.movie_id AND mk.keyword_id = k.id AND ci.movie_id = t.id AND ci.person_id = n.id
AND t.production_year > 1990 AND n.gender = 'f'
"""


@pytest.fixture(scope="module")
def task(domain: PlansDomain) -> Task:
    return domain.task_of("q", SQL, 1.0)


def test_a_task_says_what_the_query_is(task: Task) -> None:
    assert task.context == (
        "SELECT COUNT ( * ) FROM title AS t , movie_keyword AS mk , keyword AS k , cast_info AS ci , name AS n "
        "WHERE t.id = mk.movie_id AND t.id = ci.movie_id AND mk.keyword_id = k.id AND ci.person_id = n.id "
        "AND ( t.production_year > 1990 ) AND ( n.gender = 'f' )"
    )


def test_a_task_may_say_what_the_server_expects(imdb_url: str) -> None:
    domain = PlansDomain(imdb_url, context="plan")
    with closing(domain.server):
        lines = domain.task_of("q", SQL, 1.0).context.splitlines()
    assert [line.split()[:2] for line in lines[:5]] == [
        ["t", "title"], ["mk", "movie_keyword"], ["k", "keyword"], ["ci", "cast_info"], ["n", "name"],
    ]  # fmt: skip
    assert "production_year > 1990" in lines[0]
    assert "gender = f" in lines[4]
    assert lines[5].startswith("joins ")
    assert lines[6].startswith("server ")


def test_words_of_conditions_are_few_and_short() -> None:
    assert condition_words("mi.info IN ('Black and White','Color','Sepia')", "mi") == [
        "info", "in", "3", "Black_and_Whi", "Color", "..",
    ]  # fmt: skip
    assert condition_words("t.year <= 1990", "t") == ["year", "<=", "1990"]
    assert (power(0), power(1), power(1000)) == ("2^0", "2^0", "2^10")


def some_plans(domain: PlansDomain, task: Task, n: int) -> list[str]:
    return random_plans(domain.query(task), n, np.random.default_rng(0), domain.dialect.abilities)


def test_the_work_of_a_plan_is_the_same_every_time(imdb_url: str, task: Task) -> None:
    domain = PlansDomain(imdb_url, objective="work")
    with closing(domain.server):
        for candidate in ["default", *some_plans(domain, task, 4)]:
            first, second = (domain.evaluate(task, candidate, None) for _ in range(2))
            assert first == second
            assert first.status is Status.COMPLETE
            assert first.value > 0


@pytest.mark.parametrize("objective", [Latency(), Calibrated()])
def test_measured_time_is_positive_and_a_timeout_is_censored(imdb_url: str, objective: Objective) -> None:
    server = Server(imdb_url)
    found = measure(server, SQL, (), objective=objective, limit=10.0)
    assert not found.censored
    assert 0 < found.value < 10
    slow = measure(server, "SELECT COUNT(*) FROM name a, name b, name c", (), objective=objective, limit=0.05)
    assert slow.censored
    # of CPU seconds, what it had taken when the clock stopped it
    assert slow.value == 0.05 if isinstance(objective, Latency) else 0.02 < slow.value <= 0.05
    assert server.query("SELECT 1") == [(1,)]  # the connection is as good as new
    server.close()


def test_the_initial_design_is_the_default_and_hint_sets_that_differ(domain: PlansDomain, task: Task) -> None:
    design = domain.initial_design(task, 49, np.random.default_rng(0))
    assert design[0] == "default"
    assert 3 <= len(design) <= 49 == len(set(bao_sets()))
    grammar = domain.grammar(task)
    assert [grammar.canonical(c) for c in design] == design
    query = parse_query(SQL)
    explain = domain.server.explain(query.sql)
    assert shape(explain) == shape(json.loads(json.dumps(explain)))
    assert domain.initial_design(task, 49, np.random.default_rng(0)) == design


def test_hint_sets_change_from_the_trees_that_the_server_uses(domain: PlansDomain, task: Task) -> None:
    space, rng = domain.space(task), np.random.default_rng(0)
    assert isinstance(space, PlanMoves)
    for candidate in domain.initial_design(task, 10, rng):
        assert "default" not in space.symbols(candidate)
        assert space.mutants(candidate, 1, 5, rng)


def test_the_servers_plan_can_be_kept_for_reports(domain: PlansDomain, task: Task) -> None:
    assert "default_plan" not in task.data
    kept = domain.task_of("q", SQL, 1.0, explain=domain.server.explain(SQL))
    text = kept.data["default_plan"]
    assert parse_plan(text, domain.query(task), EVERYTHING).trees == trees_of(text.split())
    assert {s.method for s in scans_of(trees_of(text.split())[0])} <= set(Method)


def test_the_servers_cost_is_an_estimate_of_each_plan(
    domain: PlansDomain, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = domain.initial_design(task, 4, np.random.default_rng(0))
    guesses = domain.estimates(task, plans)
    assert (
        guesses[0] == min(guesses) == domain.server.explain(task.data["sql"])["Total Cost"]
    )  # the default costs least

    def refuses(*_: Any) -> Any:
        raise psycopg.errors.QueryCanceled("planning took too long")

    monkeypatch.setattr(domain.server, "explain", refuses)
    assert domain.estimates(task, plans) == [float("inf")] * len(plans)


def test_pretraining_pairs_are_valid_plans_of_new_queries(domain: PlansDomain, task: Task) -> None:
    other = domain.task_of("p", SQL.replace("1990", "2005").replace("'f'", "'m'"), 1.0)
    pairs = list(domain.pretraining_pairs([task, other], 40, 0))
    assert len(pairs) >= 40
    assert len({context for context, _ in pairs}) == 4  # two years x two genders
    for _, solution in pairs:
        assert domain.grammar(task).canonical(solution) == solution
    assert list(domain.pretraining_pairs([task, other], 40, 0)) == pairs


def test_a_query_from_its_parts_finds_the_same(domain: PlansDomain) -> None:
    query = parse_query(SQL)
    assert domain.server.query(written_out(query)) == domain.server.query(query.sql)


def test_columns_written_without_their_relation_are_looked_up(domain: PlansDomain, tmp_path: Path) -> None:
    bare = (
        "SELECT COUNT(*) FROM title AS t, movie_keyword AS mk, keyword AS k "
        "WHERE t.id = movie_id AND keyword_id = k.id AND production_year > 1990 AND keyword LIKE 'a%'"
    )
    with pytest.raises(UnsupportedQuery):
        parse_query(bare)
    (tmp_path / "bare.sql").write_text(bare)
    task = new_task(domain, tmp_path / "bare.sql")
    [surveyed] = survey(Workload([("bare", bare)]), domain.server)
    assert surveyed.relations == (3,)
    assert [r.filters for r in domain.query(task).relations] == [
        ("production_year > 1990",),
        (),
        ("keyword LIKE 'a%'",),
    ]
    expected = domain.server.query(bare)
    for text in some_plans(domain, task, 20):
        statement = domain.statement(task, text)
        with domain.server.read_only(statement.settings) as cursor:
            cursor.execute(statement.sql.encode())
            assert cursor.fetchall() == expected


def test_nothing_can_be_written(imdb_url: str) -> None:
    server = Server(imdb_url)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), server.read_only() as cursor:
        cursor.execute("CREATE TABLE harm (x int)")
    server.close()


def test_a_dead_server_is_a_clear_error_without_the_password() -> None:
    server = Server("postgresql://me:secret@127.0.0.1:1/none", patience=0.3)
    with pytest.raises(OracleUnavailable, match=r"me:\*\*\*@127\.0\.0\.1:1/none does not answer") as caught:
        server.query("SELECT 1")
    assert "secret" not in str(caught.value)
    assert redact("postgresql:///x?host=/tmp") == "postgresql:///x?host=/tmp"
    assert redact("postgresql:///x?password=se%20cret&host=/tmp") == "postgresql:///x?password=***&host=/tmp"
    assert redact("host=db password='se cret' user=me") == "host=db password=*** user=me"


def test_a_server_that_dies_stops_the_campaign_and_the_next_start_goes_on(tmp_path: Path) -> None:
    own = EmbeddedServer(Path(f"/tmp/boltbo-test-{os.getpid()}"))
    try:
        own.start()
        url = own.url("mortal")
        with psycopg.connect(url, autocommit=True) as c:
            for table in "abc":
                c.execute(f"CREATE TABLE {table} AS SELECT i AS id, i % 7 AS x FROM generate_series(1, 300) i")  # type: ignore[arg-type]
            c.execute("CHECKPOINT")  # the embedded server's data survive no crash that comes right after
        sql = "SELECT COUNT(*) FROM a, b, c WHERE a.id = b.id AND b.x = c.id AND a.x > 2"
        domain = PlansDomain(url, objective="work", patience=0.5)
        tasks = [domain.task_of(f"q{i}", sql.replace("> 2", f"> {i}"), 1.0) for i in range(3)]
        settings = Settings(
            rounds=(3,),
            run={"budget": 12, "initial": 4, "optimizer": "evolution"},
            model={"pretraining_pairs": 8, "pretraining_epochs": 1, "epochs": 1},
        )

        class Mortal(PlansDomain):
            calls = 0

            def evaluate(self, task: Task, candidate: str, best: float | None) -> object:  # type: ignore[override]
                Mortal.calls += 1
                if Mortal.calls == 15:
                    pid = int((own.directory / "postmaster.pid").read_text().splitlines()[0])
                    os.kill(pid, signal.SIGKILL)
                    time.sleep(0.5)
                return super().evaluate(task, candidate, best)

        mortal = Mortal(url, objective="work", patience=0.5)
        campaign = Campaign(mortal, tasks, settings=settings, storage=tmp_path / "s.db")
        with pytest.raises(OracleUnavailable, match="does not answer"):
            campaign.run()
        done = sum(len(campaign.storage.observations(r.id)) for r in campaign.storage.runs())
        assert done == 14
        own.restart()
        results = Campaign(domain, tasks, settings=settings, storage=tmp_path / "s.db").run()
        assert results.tasks_done == 3
        assert not [o for t in campaign.trajectories() for o in t.observations if o.status is Status.FAILED]
        domain.server.close()
    finally:
        own.stop()


def test_a_connection_cut_in_the_middle_of_a_plan_is_made_again(domain: PlansDomain, task: Task) -> None:
    pid = domain.server.connection.info.backend_pid
    with psycopg.connect(domain.server.url, autocommit=True) as other:
        cutter = threading.Timer(0.0, lambda: other.execute("SELECT pg_terminate_backend(%s)", [pid]))
        cutter.start()
        cutter.join()
    time.sleep(0.2)
    assert domain.evaluate(task, "default", None).status is Status.COMPLETE
    assert domain.server.connection.info.backend_pid != pid


def test_a_new_query_is_parsed_once(imdb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def counted(tokens: Any, sql: str, scope: Any) -> Any:
        parsed.append(sql)
        return candidates(tokens, sql, scope)

    monkeypatch.setattr("boltbo.domains.plans.parse.candidates", counted)
    (tmp_path / "new.sql").write_text(f"{SQL.strip()};")
    domain = PlansDomain(imdb_url, objective="work")
    task = new_task(domain, tmp_path / "new.sql")
    space = domain.space(task)
    assert isinstance(space, PlanMoves)
    [mutant] = space.mutants("default", 1, 1, np.random.default_rng(0))
    assert domain.evaluate(task, domain.grammar(task).canonical(mutant), None).status is Status.COMPLETE
    assert list(domain.pretraining_pairs([task], 4, 0))
    assert parsed == [f"{SQL.strip()};"]
    options = PlansOptions(min_seconds=0.0, max_seconds=10.0, objective="work")
    tasks, _ = make_tasks(domain, [("other", SQL.replace("1990", "1991"))], options, 1, Bars(False))
    assert domain.grammar(tasks[0]).canonical("default")
    assert len(parsed) == 2
    domain.server.close()


def test_queries_that_were_asked_for_long_ago_are_forgotten(
    domain: PlansDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boltbo.domains.plans.server.query_cache.KEPT", 2)
    cache = QueryCache(domain.server)
    first, second, third = (SQL.replace("1990", str(year)).strip() for year in (1, 2, 3))
    kept = cache.query(first)
    cache.query(second)
    assert cache.query(first) is kept
    cache.query(third)  # in place of the second
    assert cache.query(first) is kept
    assert pickle.loads(pickle.dumps(cache)).query(first) == kept


BAD = {
    "broken.sql": "SELECT FROM WHERE",
    "delete.sql": "DELETE FROM title",
    "single.sql": "SELECT COUNT(*) FROM title t WHERE t.id = 1",
}


def test_queries_that_cannot_be_used_are_counted_and_skipped(
    domain: PlansDomain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {**BAD, "good.sql": SQL}.items():
        (tmp_path / name).write_text(text)
    options = PlansOptions(min_seconds=0.0, max_seconds=10.0, objective="work")
    tasks, dropped = make_tasks(domain, read_folder(tmp_path).queries, options, 9, Bars(False))
    assert [t.id for t in tasks] == ["good"]
    assert sum(dropped.values()) == 3
    told = capsys.readouterr().err
    assert all(name.removesuffix(".sql") in told for name in BAD)


def test_a_screening_that_was_killed_goes_on_where_it_was(
    domain: PlansDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [("one", SQL), ("two", SQL), ("broken", BAD["broken.sql"])]
    options = PlansOptions(min_seconds=0.0, max_seconds=10.0, objective="work")
    kept = tmp_path / "deep" / "screened.jsonl"
    first, _ = make_tasks(domain, [queries[0], queries[2]], options, 9, Bars(False), Outcomes(kept))
    with kept.open("a") as file:
        file.write('\n["two", {"id": "tw')  # the line at which it was killed
    measured = []

    def counted(server: Any, sql: str, *args: Any, **named: Any) -> Any:
        measured.append(sql)
        return measure(server, sql, *args, **named)

    monkeypatch.setattr("boltbo.domains.plans.workload.tasks.measure", counted)
    for _ in range(2):
        tasks, dropped = make_tasks(domain, queries, options, 9, Bars(False), Outcomes(kept))
        assert tasks[:1] == first
        assert [t.id for t in tasks] == ["one", "two"]
        assert sum(dropped.values()) == 1
    assert len(measured) == 1


def test_the_same_queries_elsewhere_are_not_screened_again(
    imdb_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def counted(server: Any, sql: str, *args: Any, **named: Any) -> Any:
        measured.append(sql)
        return measure(server, sql, *args, **named)

    monkeypatch.setattr("boltbo.domains.plans.workload.tasks.measure", counted)

    def tasks_of(folder: Path) -> list[Task]:
        options = {"database": imdb_url, "workload": str(folder), "train": 1, "validation": 1, "objective": "work",
                   "min_seconds": 0.0, "max_seconds": 10.0}  # fmt: skip
        with build(options, 0, tmp_path / "caches", Bars(False)) as problem:
            return [*problem.tasks, *problem.validation]

    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for year in ("1990", "1995"):
        (here / f"{year}.sql").write_text(SQL.replace("1990", year))
    first = tasks_of(here)
    assert len(measured) == 2
    shutil.copytree(here, there)
    assert tasks_of(there) == tasks_of(here) == first
    assert len(measured) == 2
    (there / "1995.sql").write_text(SQL.replace("1990", "2000"))
    (here / "1995.sql").write_text(SQL.replace("1990", "2005"))  # a campaign's tasks stay as they are
    assert tasks_of(here) == first
    assert tasks_of(there) != first
    assert len(measured) == 4


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_query_is_one_clear_error(domain: PlansDomain, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(BAD[name])
    with pytest.raises(ConfigError, match=name):
        new_task(domain, tmp_path / name)


def test_a_folder_without_sql_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.sql file"):
        read_folder(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        read_folder(tmp_path / "none")


def test_too_few_usable_queries_say_why(imdb_url: str, tmp_path: Path) -> None:
    (tmp_path / "delete.sql").write_text(BAD["delete.sql"])
    options = {"database": imdb_url, "workload": str(tmp_path)}
    with (
        pytest.raises(ConfigError, match=r"0 of 1 queries are usable, 34 are needed \(1 not a SELECT"),
        build(options, 0, tmp_path / "caches", Bars(False)),
    ):
        pass


def test_templates_take_turns() -> None:
    queries = [(f"{t}/{i}", "") for t in "ab" for i in range(5)]
    chosen = [name[0] for name, _ in stratified(queries, 6, 0)]
    assert chosen == list("ababab")
