"""From SQL to queries: what is taken apart, what is kept as it was written, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boltbo.domains.plans.dialects import by_name
from boltbo.domains.plans.language.grammar import parse_plan
from boltbo.domains.plans.language.query import fill, mark
from boltbo.domains.plans.parse import parse_query
from boltbo.errors import NotASelect, SqlSyntaxError, UnsupportedQuery


def relations(query):
    return {r.alias: r for r in query.relations}


def whole(query):
    """The statement put together from its frame and its blocks as they were written."""
    return fill(query.frame, [block.written for block in query.blocks])


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
        ("SELECT c.y FROM a JOIN b ON a.x = b.x LEFT JOIN c ON c.z = b.v", {"a": ("x",), "b": ("v", "x")}),
        (
            "SELECT 1 FROM a JOIN b ON a.x = b.x LEFT JOIN (c CROSS JOIN LATERAL f(a.v, c.z) AS l) ON c.z = b.w",
            {"a": ("v", "x"), "b": ("w", "x")},
        ),
        ("SELECT 1 FROM a JOIN b ON a.x = b.x LEFT JOIN c ON c.z = v", {"a": ("*",), "b": ("*",)}),
        ("SELECT a.ctid, a.* FROM a JOIN b USING (x)", {"a": ("*", "ctid"), "b": ("x",)}),
    ],
)
def test_columns_that_are_read(sql, columns):
    assert {r.alias: r.columns for r in parse_query(sql).relations} == columns


def test_a_bare_star_is_spelled_out_in_the_order_of_from():
    assert parse_query("SELECT DISTINCT * FROM a, b WHERE a.x = b.x").blocks[0].select == 'DISTINCT "a".*, "b".*'
    query = parse_query("SELECT 2 * 3, count(*), * FROM a LEFT JOIN b ON a.x = b.x JOIN c ON a.x = c.x")
    assert query.blocks[0].select == '2 * 3, count(*), "a".*, "b".*, "c".*'


def test_known_columns_resolve_names_without_a_relation():
    known = {"a": {"x", "y"}, "b": {"x", "z"}}
    query = parse_query("SELECT y FROM a, b WHERE a.x = b.x AND z = 3", known)
    assert relations(query)["b"].filters == ("z = 3",)
    assert relations(query)["a"].columns == ("x", "y")


def test_subqueries_in_filters_of_one_relation():
    query = parse_query("""SELECT 1 FROM a, b WHERE a.x = b.x AND a.y IN (SELECT b.y FROM b WHERE b.z = a.z)
        AND b.w > (SELECT avg(w) FROM b)""")
    assert [len(r.filters) for r in query.relations] == [1, 1]


def test_outer_joins_float_on_top():
    query = parse_query("""SELECT b.y FROM a LEFT JOIN b ON a.x = b.x AND b.w > 3, c JOIN (d LEFT JOIN (e JOIN f ON e.i = f.i)
        ON d.k = e.k) ON c.x = d.x WHERE a.y = c.y AND b.z IS NULL AND (a.v = 1 AND b.u = c.u) AND f.i < 9""")
    [block] = query.blocks
    assert block.aliases == ("a", "c", "d")
    assert (
        block.outer == "LEFT JOIN b ON a.x = b.x AND b.w > 3\nLEFT JOIN (e JOIN f ON e.i = f.i)\n        ON d.k = e.k"
    )
    assert [set(c) for c in block.classes] == [{("c", "x"), ("d", "x")}, {("a", "y"), ("c", "y")}]
    assert [(r.sql, set(r.aliases)) for r in block.residuals] == [
        ("b.z IS NULL", {"b"}),
        ("b.u = c.u", {"b", "c"}),
        ("f.i < 9", {"f"}),
    ]
    assert relations(query)["a"].filters == ("a.v = 1",)
    assert relations(query)["d"].columns == ("k", "x")


def test_joins_in_parentheses_are_opened():
    query = parse_query("""SELECT * FROM ((SELECT 1 AS x) a JOIN b ON a.x = b.x) JOIN (((c JOIN d ON c.x = d.x)) LEFT JOIN
        (((SELECT 2 AS y) e JOIN f ON e.y = f.y) JOIN g ON g.y = f.y) ON e.y = d.y) ON c.x = a.x""")
    assert query.aliases == ("a", "b", "c", "d")
    assert query.blocks[0].select == ", ".join(f'"{alias}".*' for alias in "abcdefg")
    assert relations(query)["d"].columns == ("*",)


def test_what_depends_on_other_relations_floats_too():
    query = parse_query("""SELECT 1 FROM a, LATERAL (SELECT a.x + b.y AS s FROM g WHERE g.y = a.v) l CROSS JOIN unnest(a.k) u,
        generate_series(1, 3) AS n(i), b WHERE a.x = n.i AND b.x = n.i AND l.s > u.u""")
    assert query.aliases == ("a", "n", "b")
    assert query.blocks[0].outer.splitlines() == [
        "CROSS JOIN LATERAL (SELECT a.x + b.y AS s FROM g WHERE g.y = a.v) l",
        "CROSS JOIN unnest(a.k) u",
    ]
    n = relations(query)["n"]
    assert (n.table, n.renamed, n.derived) == ("generate_series(1, 3)", "(i)", True)
    assert relations(query)["a"].columns == ("k", "v", "x")


def test_every_select_of_a_statement_may_be_a_block():
    query = parse_query("""-- all of it
        WITH c AS MATERIALIZED (SELECT f.x FROM f JOIN g ON f.y = g.y), d(x) AS (SELECT 1)
        SELECT 1 FROM c, d, public.c q WHERE c.x = d.x AND q.x = c.x
        UNION (SELECT 2 FROM h, (SELECT i.y FROM (u JOIN i ON u.x = i.x) LIMIT 3) AS "S"(z), LATERAL (SELECT 1) k
               WHERE h.y = "S".z ORDER BY 1)
        EXCEPT ALL SELECT 1 FROM e, w WHERE e.x = w.x GROUP BY e.x ORDER BY 1 LIMIT 3 ;""")
    assert [b.aliases for b in query.blocks] == [("f", "g"), ("c", "d", "q"), ("h", "S"), ("u", "i"), ("e", "w")]
    assert " ".join(query.frame.split()) == (
        f"-- all of it WITH c AS MATERIALIZED ({mark(0)}), d(x) AS (SELECT 1) {mark(1)} UNION ({mark(2)}) "
        f"EXCEPT ALL {mark(4)} ORDER BY 1 LIMIT 3"
    )
    found = relations(query)
    assert [found[a].derived for a in ("c", "d", "q", "S", "h")] == [True, True, False, True, False]
    assert [found[a].inside for a in ("c", "d", "q", "S")] == [("f", "g"), (), (), ("u", "i")]
    assert (found["S"].table, found["S"].renamed) == (f"({mark(3)})", "(z)")
    assert (query.blocks[2].tail, query.blocks[4].tail) == ("ORDER BY 1", "GROUP BY e.x")
    assert whole(query) == query.sql


def test_aliases_are_unique_over_the_blocks():
    query = parse_query("SELECT 1 FROM a, b WHERE a.x = b.x UNION SELECT 1 FROM a, c, d WHERE a.x = c.x AND c.x = d.x")
    assert query.aliases == ("a", "c", "d")
    assert query.frame == "SELECT 1 FROM a, b WHERE a.x = b.x UNION " + mark(0)
    assert query.kept == ("its relation 'a' is called like one of a larger block",)


def test_what_is_no_block_is_kept():
    query = parse_query("""WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT r.x FROM r JOIN o ON o.x = r.x)
        SELECT s.x, (SELECT 1 FROM p JOIN q ON p.x = q.x) FROM a FULL JOIN (SELECT b.x FROM b, r WHERE b.x = r.x) s ON a.x = s.x
        WHERE a.y IN (SELECT v.y FROM v JOIN w ON v.x = w.x)""")
    assert query.aliases == ("b", "r")
    assert set(relations(query)["r"].inside) == {"r", "o"}
    assert query.kept == ("FULL JOIN is not supported; only inner and left joins are",)
    assert whole(query) == query.sql


def test_names_without_a_relation_are_found_through_subqueries_and_common_tables():
    known = {"film": ["id", "year"], "role": ["film", "person"]}
    query = parse_query(
        """WITH c AS (SELECT f.id AS fid, year FROM film f), e(pid) AS (SELECT person FROM role)
        SELECT fid FROM c, (SELECT * FROM role) s, e WHERE fid = film AND pid = person AND year > 3
        AND person IN (SELECT person FROM role WHERE film = fid) AND film > (SELECT max(id) FROM film)""",
        known,
    )
    [block] = query.blocks
    assert [set(c) for c in block.classes] == [{("c", "fid"), ("s", "film")}, {("e", "pid"), ("s", "person")}]
    assert [(r.sql[:9], set(r.aliases)) for r in block.residuals] == [("person IN", {"s", "c"})]
    assert [r.filters for r in block.relations] == [("year > 3",), ("film > (SELECT max(id) FROM film)",), ()]


def test_conditions_over_several_relations_may_have_subqueries():
    query = parse_query("""SELECT 1 FROM a, b WHERE a.x = b.x AND EXISTS (SELECT 1 FROM c WHERE c.x = a.y + b.y)""")
    assert query.blocks[0].residuals[0].aliases == {"a", "b"}
    assert relations(query)["a"].columns == ("x", "y")
    query = parse_query("""SELECT 1 FROM a, b WHERE a.x = b.x AND EXISTS (SELECT 1 FROM c WHERE x = a.y + b.y)""")
    assert relations(query)["a"].columns == ("*",)


def test_an_equality_in_each_branch_of_an_or_joins():
    query = parse_query("SELECT 1 FROM a, b WHERE (a.x = b.x AND a.y = 1) OR ((b.x = a.x) AND (b.y = 2 AND a.z = b.z))")
    assert query.classes == ((("a", "x"), ("b", "x")),)
    assert len(query.blocks[0].residuals) == 1


def test_using_in_a_chain():
    query = parse_query("SELECT a.y FROM z, a JOIN b USING (x) JOIN c USING (x) WHERE z.y = a.y")
    assert query.classes == ((("a", "x"), ("b", "x"), ("c", "x")), (("z", "y"), ("a", "y")))


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SELECT 1 FROM a LEFT JOIN b ON a.x = b.x", UnsupportedQuery, "one relation"),
        ("SELECT 1 FROM a FULL OUTER JOIN b ON a.x = b.x", UnsupportedQuery, "FULL"),
        ("SELECT 1 FROM a NATURAL JOIN b", UnsupportedQuery, "NATURAL"),
        ("SELECT 1 FROM a, (SELECT 1) b", UnsupportedQuery, "b: no equality"),
        ("SELECT 1 FROM a, LATERAL (SELECT 1) b", UnsupportedQuery, "one relation"),
        ("SELECT 1 FROM generate_series(1, 3) g", UnsupportedQuery, "one relation"),
        ("SELECT 1 FROM a TABLESAMPLE SYSTEM (5)", UnsupportedQuery, "plain tables"),
        ("WITH c AS (SELECT 1) SELECT 1 FROM c", UnsupportedQuery, "one relation"),
        ("SELECT 1 FROM a UNION SELECT 1 FROM b", UnsupportedQuery, "one relation"),
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
        ("SELECT f(a.y) FROM a, b WHERE a.x = b.x GROUP BY a.x ORDER BY b.y", UnsupportedQuery, "GROUP BY"),
        ("SELECT f(a.y + 1) FROM a, b WHERE a.x = b.x GROUP BY (a.x, b.y), 1 HAVING a.z > 1", UnsupportedQuery, "a.z"),
        ("SELECT 1 FROM a RIGHT JOIN b ON a.x = b.x", UnsupportedQuery, "RIGHT JOIN"),
        ("SELECT 1 FROM a LEFT JOIN b USING (x) JOIN c ON a.x = c.x", UnsupportedQuery, "USING"),
        ("SELECT 1 FROM a JOIN c USING (x) LEFT JOIN b ON a.x = b.x", UnsupportedQuery, "USING"),
        ("SELECT 1 FROM a LEFT JOIN b ON a.x = b.x JOIN c ON b.x = c.x", UnsupportedQuery, "reads 'b'"),
        ("SELECT 1 FROM a LEFT JOIN b ON x = b.x JOIN c ON a.x = c.x", UnsupportedQuery, "write it as ALIAS.x"),
        ("SELECT 1 FROM a JOIN b JOIN c ON b.x = c.x ON a.x = b.x", UnsupportedQuery, "told apart"),
        ("SELECT 1 FROM a JOIN b USING (x) JOIN c USING (y)", UnsupportedQuery, "could mean several"),
        ("SELECT * FROM a JOIN c ON a.x = c.x LEFT JOIN (b JOIN d USING (y)) ON a.x = b.x", UnsupportedQuery, "USING"),
        (
            "SELECT 1 FROM a FULL JOIN b ON a.x = b.x UNION SELECT 1 FROM c, d, e WHERE c.x = d.x",
            UnsupportedQuery,
            "e: no",
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


@st.composite
def selects(draw, depth=2, name="n"):
    """A query of any shape, and nothing in its text that repeats."""
    kind = draw(st.sampled_from(["block", "block", "union", "parens", "with"] if depth else ["block", "one"]))
    if kind == "union":
        word = draw(st.sampled_from(["UNION", "union all", "INTERSECT", "EXCEPT /* x */ DISTINCT"]))
        left, right = (f"({draw(selects(depth - 1, name + side))})" for side in "lr")
        return f"{left} {word}\n{right}{draw(st.sampled_from(['', ' ORDER BY 1', ' LIMIT 2 OFFSET 1']))}"
    if kind == "parens":
        return f"( {draw(selects(depth - 1, name))} -- )\n)"
    if kind == "with":
        how = draw(st.sampled_from(["", "MATERIALIZED ", "not materialized "]))
        body = draw(selects(depth - 1, name + "w"))
        return f"WITH {name} (x) AS {how}({body}) SELECT 1 FROM {name}, t AS {name}_t WHERE {name}.x = {name}_t.x"
    relations = draw(st.lists(st.sampled_from(["table", "outer", "subquery", "lateral"]), min_size=1, max_size=4))
    sources, conditions = f"t AS {name}", [f"{name}.y IN (SELECT v.y FROM v, w WHERE 'é--' = v.x)"]
    for i, relation in enumerate(relations if kind == "block" else []):
        inner = draw(selects(depth - 1, f"{name}{i}")) if depth else "SELECT 2"
        alias = f"{name}_{i}"
        sources += {
            "table": f"\n INNER JOIN t {alias} ON {alias}.x = {name}.x",
            "outer": f" left join ({inner}) AS {alias} ON {alias}.x = {name}.x",
            "subquery": f", ( {inner}) {alias} (x, y)",
            "lateral": f" CROSS JOIN LATERAL ({inner}) {alias}",
        }[relation]
        conditions += [f"{alias}.x = {name}.x"]
    tail = draw(st.sampled_from(["", " GROUP BY 1 HAVING count(*) > 1", " ORDER BY 1 LIMIT 3"]))
    return f'SELECT {name}.x AS "from" FROM {sources} WHERE {" AND ".join(conditions)}{tail}'


@settings(deadline=None, max_examples=60)
@given(selects(), st.sampled_from(["", ";", " ; -- done"]))
def test_frame_and_blocks_are_the_statement(sql, end):
    try:
        query = parse_query(sql + end)
    except UnsupportedQuery as error:
        assert str(error) == "one relation: there is no join to plan"  # noqa: PT017
        return
    assert whole(query) == query.sql == sql
    assert len(set(query.aliases)) == len(query.aliases)
    for block in query.blocks:
        pieces = [*(r.table for r in block.relations), *(f for r in block.relations for f in r.filters)]
        pieces += [block.select, block.tail, *(r.sql for r in block.residuals), *block.outer.split("\n")]
        assert all(piece in block.written for piece in pieces)
        assert block.written.startswith("SELECT")
    # what was written comes back as it is, block by block
    for i, block in enumerate(query.blocks):
        texts = [b.written for b in query.blocks]
        alone = parse_query(fill(block.written, texts))
        assert block.aliases in [b.aliases for b in alone.blocks], i
