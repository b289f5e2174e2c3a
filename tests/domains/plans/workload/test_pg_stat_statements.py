"""Workloads from pg_stat_statements, and the constants that it does not keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from boltbo.domains.plans.build import build
from boltbo.domains.plans.imdb.load import ensure_database
from boltbo.domains.plans.server.connection import Server
from boltbo.domains.plans.workload.constants import Constants
from boltbo.domains.plans.workload.pg_stat_statements import parameters, read_stat_statements
from boltbo.errors import CannotFill, ConfigError
from boltbo.system.progress import Bars
from support.clusters import WHEEL, cluster

JOINED = "SELECT COUNT(*) FROM title t, kind_type kt, movie_info mi WHERE t.kind_id = kt.id AND mi.movie_id = t.id"

RUN = [
    JOINED,
    f"{JOINED} AND kt.kind = 'movie'",
    f"{JOINED} AND t.production_year BETWEEN 1990 AND 2000",
    f"{JOINED} AND kt.kind IN ('movie', 'episode')",
    f"{JOINED} AND t.title LIKE 'A%'",
    f"PREPARE mine (int) AS {JOINED} AND t.production_year < $1",
    "EXECUTE mine (2000)",
    "SELECT id FROM title WHERE production_year > 2000",
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace",
    "CREATE TEMP TABLE x AS SELECT 1",
]


@pytest.fixture(scope="module")
def busy() -> Iterator[str]:
    """A server with statistics of statements, on which some were executed."""
    with cluster(WHEEL, "shared_preload_libraries = 'pg_stat_statements'", "shared_buffers = 64MB") as server:
        url = ensure_database(server, 0.005, 0)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            for statement in RUN:
                connection.execute(statement.encode())
        yield url


@pytest.fixture
def server(busy: str) -> Iterator[Server]:
    with closing(Server(busy)) as server:
        yield server


def test_what_ran_is_found_with_constants_that_can_be_executed(server: Server) -> None:
    found = read_stat_statements(server, 100)
    texts = dict(found.queries)
    assert JOINED in texts.values()
    assert all(not parameters(text) for text in texts.values())
    for text in texts.values():
        server.query(text)
    drawn = [texts[name] for name in found.sampled]
    assert any(re.search(r"kt\.kind = '[a-z ]+'$", text) for text in drawn)
    assert any(re.search(r"BETWEEN \d{4} AND \d{4}$", text) for text in drawn)
    assert any(re.search(r"^SELECT .* AND t\.production_year < \d{4}$", text) for text in drawn)
    assert any(re.search(r"kt\.kind IN \('[a-z ]+', '[a-z ]+'", text) for text in drawn)
    assert not any(word in text for text in texts.values() for word in ("LIKE", "pg_class", "CREATE", "pg_stat"))


def test_it_says_what_was_made_up_and_what_was_left_out(server: Server) -> None:
    notes = " ".join(read_stat_statements(server, 100).notes)
    assert "were drawn from the columns' statistics" in notes
    assert "1: a constant stands in LIKE" in notes
    assert "log_min_duration_statement" in notes


def test_the_same_seed_draws_the_same(server: Server) -> None:
    assert read_stat_statements(server, 100, 1).queries == read_stat_statements(server, 100, 1).queries
    assert read_stat_statements(server, 100, 1).queries != read_stat_statements(server, 100, 2).queries


def test_a_campaign_on_it(busy: str, tmp_path: Path) -> None:
    options = {
        "database": busy, "workload": "pg_stat_statements", "train": 2, "validation": 1, "min_seconds": 0, "objective": "work",
    }  # fmt: skip
    with build(options, 0, tmp_path, Bars(False)) as problem:
        tasks = [*problem.tasks, *problem.validation]
        assert len(tasks) == 3
        assert any(task.data.get("constants") == "sampled" for task in tasks)
        for task in tasks:
            assert problem.domain.evaluate(task, "default", None).value > 0
    with closing(Server(busy)) as server:  # what was executed for the campaign is none of the workload
        assert not any("boltbo" in text or '"t"' in text for _, text in read_stat_statements(server, 100).queries)


def test_a_server_without_it_says_what_to_do(imdb_url: str) -> None:
    with closing(Server(imdb_url)) as server, pytest.raises(ConfigError, match="CREATE EXTENSION pg_stat_statements"):
        read_stat_statements(server, 10)


def test_other_roles_statements_are_hidden(busy: str) -> None:
    with psycopg.connect(busy, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    with closing(Server(busy.replace("postgres@", "reader@", 1))) as server:
        found = read_stat_statements(server, 100)
    assert found.queries == []
    assert "pg_read_all_stats" in found.notes[0]


@pytest.fixture(scope="module")
def constants(imdb_url: str) -> Iterator[Constants]:
    with closing(Server(imdb_url)) as server:
        yield Constants(server)


@pytest.mark.parametrize(
    ("condition", "pattern"),
    [
        ("t.production_year = $1", r"\d{4}"),
        ("t.production_year >= $1", r"\d{4}"),
        ("$1 < t.production_year", r"\d{4}"),
        ("t.production_year = ($1)", r"\d{4}"),
        ("t.production_year = $1::int", r"\d{4}"),
        ("t.id = $1", r"\d+"),
        ("kt.kind = $1", r"'[a-z ]+'"),
        ("kt.kind <> '$2' AND kt.kind = $1", r"'[a-z ]+'"),
        ("kind = $1", r"'[a-z ]+'"),
        ('kt."kind" = $1', r"'[a-z ]+'"),
        ("kt.kind IN ($1 /*, ... */)", r"'[a-z ]+', '[a-z ]+', '[a-z ]+'"),
        ("EXISTS (SELECT FROM movie_info mi WHERE mi.movie_id = t.id AND mi.info = $1)", r"'.+'"),
    ],
)
def test_constants_come_from_the_column(constants: Constants, condition: str, pattern: str) -> None:
    text = f"SELECT COUNT(*) FROM title t, kind_type AS kt WHERE t.kind_id = kt.id AND {condition}"
    head, tail = re.split(r"\$1(?: /\*, \.\.\. \*/)?", text)
    filled = constants.fill(text, [0])
    assert re.fullmatch(re.escape(head) + pattern + re.escape(tail), filled)
    constants.server.explain(filled)


def test_the_bounds_of_a_range_are_in_order_and_a_list_has_no_value_twice(constants: Constants) -> None:
    for seed in range(20):
        filled = constants.fill("SELECT 1 FROM title t WHERE t.production_year BETWEEN $1 AND $2", [seed])
        low, high = map(int, re.findall(r"\d{4}", filled))
        assert low <= high
        filled = constants.fill("SELECT 1 FROM kind_type kt WHERE kt.kind IN ($1, $2, $3)", [seed])
        assert len(set(re.findall(r"'[^']+'", filled))) == 3


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT 1 FROM title t WHERE t.title LIKE $1", r"\$1 stands in LIKE"),
        ("SELECT 1 FROM title t LIMIT $1", r"\$1 stands in LIMIT"),
        ("SELECT $1 FROM title t", r"\$1 stands in SELECT"),
        ("SELECT 1 FROM title t WHERE t.id + $1 = 3", r"\$1 stands in ADD"),
        ("SELECT 1 FROM title t WHERE lower(t.title) = $1", r"\$1 stands in EQ"),
        ("SELECT 1 FROM title t WHERE t.nonsense = $1", "no column of a table"),
        ("SELECT 1 FROM (SELECT 1 AS a) x WHERE x.a = $1", "no column of a table"),
        ("SELECT 1 FROM title t, kind_type k WHERE id = $1", "a column of several tables"),
        ("SELECT FROM WHERE $1", "does not parse"),
    ],
)
def test_what_nobody_can_know_is_refused(constants: Constants, statement: str, reason: str) -> None:
    with pytest.raises(CannotFill, match=reason):
        constants.fill(statement, [0])


def test_parameters_in_quotes_are_none() -> None:
    assert parameters("""SELECT '$1', "$2", 'it''s $3', $4 FROM t WHERE a = $5""") == {"$4", "$5"}
