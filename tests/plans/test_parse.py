"""From SQL to queries: what is taken apart, what is kept as it was written, and what is refused."""

import pytest

from boltbo.domains.plans.dialects import by_name
from boltbo.domains.plans.language import parse_plan
from boltbo.domains.plans.parse import NotASelect, SqlSyntaxError, UnsupportedQuery, parse_query


def relations(query):
    return {r.alias: r for r in query.relations}


def test_a_query_is_taken_apart():
    query = parse_query("""
        SELECT t.title, COUNT(*) AS n FROM title AS t, public.movie_info mi -- the facts
        INNER JOIN "Info Type" it ON it.id = mi.info_type_id AND it.id IN ('3')
        WHERE t.id = mi.movie_id AND (t.year BETWEEN 1950 AND 1990) AND t.a = t.b AND mi.note || t.note LIKE '%x'
        GROUP BY t.title ORDER BY n DESC LIMIT 5;""")
    found = relations(query)
    assert query.aliases == ("t", "mi", "it")
    assert [r.table for r in query.relations] == ["title", "public.movie_info", '"Info Type"']
    assert found["t"].filters == ("(t.year BETWEEN 1950 AND 1990)", "t.a = t.b")
    assert found["it"].filters == ("it.id IN ('3')",)
    assert found["t"].columns == ("id", "note", "title")
    assert query.classes == ((("it", "id"), ("mi", "info_type_id")), (("t", "id"), ("mi", "movie_id")))
    assert [(r.sql, r.aliases) for r in query.blocks[0].residuals] == [("mi.note || t.note LIKE '%x'", {"mi", "t"})]
    assert query.blocks[0].select == "t.title, COUNT(*) AS n"
    assert query.blocks[0].tail == "GROUP BY t.title ORDER BY n DESC LIMIT 5"
    assert query.sql.endswith("LIMIT 5")


def test_conditions_keep_their_text_and_order():
    query = parse_query(r"""SELECT count(*) FROM a, b WHERE a.x = b.x
        AND (b.info ~ '^(?:[1-9]\d*|0)?(?:\.\d+)?$' AND b.info::float <= 4.0)
        AND (a.y = 1 OR a.z is null) AND ((b.k = a.k AND a.name ILIKE '%Cinecittà; -- no comment%'))
        AND CASE WHEN a.v > 1 AND a.v < 5 THEN true ELSE false END AND a.end = 2""")
    found = relations(query)
    assert found["b"].filters == (r"(b.info ~ '^(?:[1-9]\d*|0)?(?:\.\d+)?$' AND b.info::float <= 4.0)",)
    assert found["a"].filters == (
        "(a.y = 1 OR a.z is null)",
        "a.name ILIKE '%Cinecittà; -- no comment%'",
        "CASE WHEN a.v > 1 AND a.v < 5 THEN true ELSE false END",
        "a.end = 2",
    )
    assert len(query.classes) == 2


def test_classes_close_over_equalities():
    query = parse_query('SELECT 1 FROM a, b, c, d AS "D" WHERE a.x = b.x AND (c.x) = b.x AND "D".Y = c.y AND a.x = c.x')
    assert [set(c) for c in query.classes] == [{("a", "x"), ("b", "x"), ("c", "x")}, {("D", "y"), ("c", "y")}]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM a, b WHERE a.x = b.x", {"a": ("*",), "b": ("*",)}),
        ("SELECT a.* FROM a, b WHERE a.x = b.x", {"a": ("*",), "b": ("x",)}),
        ("SELECT count(a) FROM a, b WHERE a.x = b.x", {"a": ("*",), "b": ("*",)}),
        ("SELECT y FROM a, b WHERE a.x = b.x", {"a": ("*",), "b": ("*",)}),
        ("SELECT a.y AS n FROM a, b WHERE a.x = b.x ORDER BY n", {"a": ("x", "y"), "b": ("x",)}),
        ("SELECT (SELECT max(c.z) FROM c WHERE c.w = b.v) FROM a, b WHERE a.x = b.x", {"a": ("x",), "b": ("v", "x")}),
        ("SELECT x FROM a WHERE y = 1", {"a": ("x",)}),
        ("SELECT a.ctid, a.* FROM a JOIN b USING (x)", {"a": ("*", "ctid"), "b": ("x",)}),
    ],
)
def test_columns_that_are_read(sql, columns):
    assert {r.alias: r.columns for r in parse_query(sql).relations} == columns


def test_a_bare_star_is_spelled_out_in_the_order_of_from():
    assert parse_query("SELECT DISTINCT * FROM a, b WHERE a.x = b.x").blocks[0].select == 'DISTINCT "a".*, "b".*'
    assert parse_query("SELECT 2 * 3, count(*), * FROM a").blocks[0].select == '2 * 3, count(*), "a".*'


def test_known_columns_resolve_names_without_a_relation():
    known = {"a": {"x", "y"}, "b": {"x", "z"}}
    query = parse_query("SELECT y FROM a, b WHERE a.x = b.x AND z = 3", known)
    assert relations(query)["b"].filters == ("z = 3",)
    assert relations(query)["a"].columns == ("x", "y")


def test_subqueries_in_filters_of_one_relation():
    query = parse_query("""SELECT 1 FROM a, b WHERE a.x = b.x AND a.y IN (SELECT b.y FROM b WHERE b.z = a.z)
        AND b.w > (SELECT avg(w) FROM b)""")
    assert [len(r.filters) for r in query.relations] == [1, 1]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SELECT 1 FROM a LEFT JOIN b ON a.x = b.x", UnsupportedQuery, "LEFT JOIN"),
        ("SELECT 1 FROM a FULL OUTER JOIN b ON a.x = b.x", UnsupportedQuery, "FULL"),
        ("SELECT 1 FROM a NATURAL JOIN b", UnsupportedQuery, "NATURAL"),
        ("SELECT 1 FROM a, (SELECT 1) b", UnsupportedQuery, "a subquery"),
        ("SELECT 1 FROM a, LATERAL (SELECT 1) b", UnsupportedQuery, "plain|LATERAL|base tables"),
        ("SELECT 1 FROM generate_series(1, 3) g", UnsupportedQuery, "base tables"),
        ("SELECT 1 FROM a TABLESAMPLE SYSTEM (5)", UnsupportedQuery, "plain tables"),
        ("WITH c AS (SELECT 1) SELECT 1 FROM c", UnsupportedQuery, "WITH"),
        ("SELECT 1 FROM a UNION SELECT 1 FROM b", UnsupportedQuery, "UNION"),
        ("SELECT 1", UnsupportedQuery, "no FROM"),
        ("SELECT 1 FROM a, b", UnsupportedQuery, "b: no equality"),
        ("SELECT 1 FROM a, b WHERE a.x < b.x", UnsupportedQuery, "cross products"),
        ("SELECT 1 FROM a, a WHERE a.x = a.y", UnsupportedQuery, "called 'a'"),
        ("SELECT 1 FROM a, b WHERE a.x = b.x AND y = 1", UnsupportedQuery, "ALIAS.y"),
        ("SELECT 1 FROM a, b WHERE a.x = c.x", UnsupportedQuery, "no relation 'c'"),
        ("SELECT 1 FROM a, b WHERE a.x = b.x AND public.a.y = 1", UnsupportedQuery, "alias"),
        ("SELECT x FROM a JOIN b USING (x)", UnsupportedQuery, "USING"),
        ("SELECT * FROM a JOIN b USING (x)", UnsupportedQuery, "USING"),
        ("SELECT a.y FROM a, b WHERE a.x = b.x GROUP BY a.x", UnsupportedQuery, "GROUP BY"),
        (
            "SELECT 1 FROM a, b WHERE a.x = b.x AND EXISTS (SELECT 1 FROM c WHERE c.x = a.y + b.y)",
            UnsupportedQuery,
            "a subquery in a condition",
        ),
        ("DELETE FROM a", NotASelect, "DELETE"),
        ("INSERT INTO a VALUES (1)", NotASelect, "INSERT"),
        ("UPDATE a SET x = 1", NotASelect, "UPDATE"),
        ("DROP TABLE a", NotASelect, "DROP"),
        ("EXPLAIN ANALYZE SELECT 1", NotASelect, "found"),
        ("SELECT 1 FROM a; DROP TABLE a", NotASelect, "found 2"),
        ("SELECT x INTO b FROM a", NotASelect, "INTO"),
        ("SELECT x FROM a FOR UPDATE", NotASelect, "FOR UPDATE"),
        ("WITH d AS (DELETE FROM a RETURNING x) SELECT x FROM d", NotASelect, "DELETE"),
        ("", NotASelect, "no statement"),
        ("SELECT 1 FROM a WHERE\n a.x = = 2", SqlSyntaxError, "line 2, column"),
        ("SELECT 'open FROM a", SqlSyntaxError, "does not parse"),
    ],
)
def test_what_cannot_be_steered_is_refused_with_the_reason(sql, error, message):
    with pytest.raises(error, match=message):
        parse_query(sql)


@pytest.mark.parametrize(
    ("condition", "constant", "handed_on"),
    [
        ("a.x = 3", "3", True),
        ("(a.x IN ('3'))", "'3'", True),
        ("a.x in ( -12 )", "-12", True),
        ("a.x = '03'", "'03'", False),
        ("a.x = 40000", "40000", False),
        ("a.x = 'it''s'", "'it''s'", False),
        ("a.x IN (3, 4)", None, False),
        ("a.x = 3 OR a.x = 4", None, False),
        ("a.x = 3.5", None, False),
        ("a.x = '3'::text", None, False),
    ],
)
def test_constants_are_handed_on_where_the_server_cannot(condition, constant, handed_on):
    query = parse_query(f"SELECT 1 FROM a, b WHERE a.x = b.x AND ({condition})")
    assert query.constants == ({("a", "x"): constant} if constant else {})
    sql = by_name("sql").render(query, parse_plan("a nest b", query)).sql
    assert (f'"b"."x" = {constant}' in sql) == handed_on


def test_real_queries(test_data):
    files = sorted((test_data / "ceb").glob("*/*.sql"))
    assert files
    for file in files[::60]:
        sql = file.read_text()
        query = parse_query(sql)
        assert len(query.relations) >= 6
        pieces = [f for r in query.relations for f in r.filters]
        assert all(piece in sql for piece in [*pieces, query.blocks[0].select, query.blocks[0].tail])
        equalities = sum(len(c) - 1 for c in query.classes)
        assert equalities >= len(query.relations) - 1
        assert not query.blocks[0].residuals
