"""Statements and EXPLAIN outputs without a server."""

import pytest

from boltbo.domains.plans.dialects import by_name
from boltbo.domains.plans.dialects.sql import ONLY_HASH, ORDER_KEPT
from boltbo.domains.plans.language.explain import follows, plan_from_explain
from boltbo.domains.plans.language.grammar import format_plan, parse_plan
from boltbo.domains.plans.language.plan import Join, Operator, Plan, Scan
from boltbo.domains.plans.parse import parse_query
from boltbo.errors import InvalidCandidate

QUERY = parse_query("""
    SELECT a.y, count(*) FROM a, s.b AS b, c, d WHERE a.x = b.x AND b.x = c.x AND c.z = d.z AND a.w > 1 AND b.w > 2
    AND c.v + a.v = 7 GROUP BY a.y""")
render = by_name("sql").render
HASH, NEST, JOIN = Operator.HASH, Operator.NEST, Operator.JOIN


def sql(text):
    return " ".join(render(QUERY, parse_plan(text, QUERY)).sql.split())


def test_switches_leave_the_sql_alone():
    statement = render(QUERY, Plan((), ("-hash", "-nest")))
    assert statement.sql == QUERY.sql
    assert statement.settings == (("enable_hashjoin", "off"), ("enable_nestloop", "off"))


def test_a_chain_of_joins():
    assert sql("a hash b hash c hash d") == (
        'SELECT a.y, count(*) FROM a AS "a" JOIN s.b AS "b" ON "a"."x" = "b"."x" JOIN c AS "c" ON "a"."x" = "c"."x" '
        'JOIN d AS "d" ON "c"."z" = "d"."z" WHERE (a.w > 1) AND (b.w > 2) AND (c.v + a.v = 7) GROUP BY a.y'
    )


def test_a_nested_relation_takes_its_filters_along():
    assert sql("c nest b join a nest d") == (
        'SELECT a.y, count(*) FROM c AS "c" '
        'CROSS JOIN LATERAL (SELECT "b"."x" FROM s.b AS "b" WHERE "b"."x" = "c"."x" AND (b.w > 2) OFFSET 0) AS "b" '
        'JOIN a AS "a" ON "b"."x" = "a"."x" '
        'CROSS JOIN LATERAL (SELECT "d"."z" FROM d AS "d" WHERE "d"."z" = "c"."z" OFFSET 0) AS "d" '
        "WHERE (a.w > 1) AND (c.v + a.v = 7) GROUP BY a.y"
    )


def test_a_nested_subtree_is_compared_so_that_only_a_loop_can():
    assert 'FROM a AS "a" JOIN (c AS "c" JOIN d AS "d" ON "c"."z" = "d"."z") ON "c"."x" = ANY (ARRAY["a"."x"])' in sql(
        "a nest ( c hash d ) hash b"
    )


def test_other_methods_are_off_only_where_a_hash_is_asked_for():
    assert render(QUERY, parse_plan("a nest b nest c nest d", QUERY)).settings == ORDER_KEPT
    assert render(QUERY, parse_plan("a nest b join c join d", QUERY)).settings == ORDER_KEPT
    assert render(QUERY, parse_plan("a nest b hash c nest d", QUERY)).settings == ORDER_KEPT + ONLY_HASH


def test_columns_of_one_relation_that_a_class_makes_equal():
    query = parse_query("SELECT 1 FROM a, b WHERE a.x = b.x AND a.y = b.x")
    assert '"a"."x" = "a"."y"' in render(query, parse_plan("a hash b", query)).sql
    assert '"a"."x" = "a"."y" OFFSET 0' in render(query, parse_plan("b nest a", query)).sql


def test_no_plan_is_not_rendered():
    with pytest.raises(InvalidCandidate, match="no joined column"):
        render(QUERY, Plan((Join(HASH, Scan("a"), Scan("d")),)))


# -- EXPLAIN ------------------------------------------------------------------------------------------------------------


def scan(alias, kind="Seq Scan"):
    return {"Node Type": kind, "Alias": alias}


def node(kind, *inputs, **more):
    return {"Node Type": kind, "Plans": list(inputs), **more}


def read(explain):
    return format_plan(plan_from_explain(explain, QUERY), QUERY)


def test_joins_are_read_through_everything_else():
    side = {**scan("a"), "Parent Relationship": "InitPlan"}
    explain = node(
        "Aggregate",
        node(
            "Nested Loop",
            node("Gather", node("Merge Join", node("Sort", scan("a")), node("Materialize", scan("b")))),
            node("Memoize", node("Hash Join", scan("c"), node("Hash", scan("d", "Bitmap Heap Scan")))),
            side,
        ),
    )
    for form in (explain, {"Plan": explain}, [{"Plan": explain}]):
        assert read(form) == "a hash b nest ( c hash d )"


def test_aliases_within_lateral_subqueries():
    inner = node("Subquery Scan", scan("b_1"), Alias="b")
    explain = node("Nested Loop", node("Nested Loop", scan("a"), inner), node("Nested Loop", scan("c_2"), scan("d")))
    assert read(explain) == "a nest b nest ( c nest d )"


@pytest.mark.parametrize(
    ("explain", "plan"),
    [
        # the server crosses a with d; d waits until c is there
        (
            node("Hash Join", node("Hash Join", node("Nested Loop", scan("a"), scan("d")), scan("b")), scan("c")),
            "a hash b hash c hash d",
        ),
        # b was proved redundant
        (node("Hash Join", node("Nested Loop", scan("c"), scan("d")), scan("a")), "c nest d hash a hash b"),
        # nothing is read at all
        (node("Result"), "a hash b hash c hash d"),
        # a partitioned table, and a semi-join to a subquery's own table
        (
            node(
                "Nested Loop",
                node("Hash Join", node("Append", scan("a_1"), scan("a_2")), scan("b")),
                node("Hash Join", node("Hash Join", scan("c"), scan("other")), scan("d")),
            ),
            "a hash b nest ( c hash d )",
        ),
    ],
)
def test_what_plans_cannot_say_becomes_the_nearest_plan(explain, plan):
    assert read(explain) == plan


def same_plan(asked, executed, query=None):
    return follows(Plan((executed,)), Plan((asked,)), query)


def test_whether_the_server_followed():
    a, b, c, d = map(Scan, "abcd")
    asked = Join(HASH, Join(NEST, a, b), c)
    assert same_plan(asked, Join(HASH, c, Join(NEST, a, b)))
    assert not same_plan(asked, Join(HASH, c, Join(NEST, b, a)))
    assert not same_plan(asked, Join(NEST, Join(NEST, a, b), c))
    assert not same_plan(asked, Join(HASH, a, Join(NEST, b, c)))
    assert same_plan(Join(JOIN, a, b), Join(NEST, b, a))
    assert same_plan(Join(NEST, a, Join(HASH, c, d)), Join(NEST, Join(HASH, d, c), a))


def test_a_hash_on_a_constant_may_be_anything():
    query = parse_query("SELECT 1 FROM a, b WHERE a.x = b.x AND b.x = '3'")
    asked, executed = Join(HASH, Scan("a"), Scan("b")), Join(NEST, Scan("b"), Scan("a"))
    assert same_plan(asked, executed, query)
    assert not same_plan(asked, executed)
    assert not same_plan(Join(NEST, Scan("a"), Scan("b")), executed, query)
