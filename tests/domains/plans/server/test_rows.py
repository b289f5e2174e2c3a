"""Do two statements return the same?"""

from __future__ import annotations

from boltbo.domains.plans.dialects import Statement
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.server.rows import order_keys, same_results

ROWS = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b'), (2, 'c')) v(n, t)"


def _same(domain: PlansDomain, a: str, b: str) -> bool:
    return same_results(domain.server, Statement(a), Statement(b))


def test_rows_in_any_order_each_as_often(domain: PlansDomain) -> None:
    assert _same(domain, ROWS, ROWS + " ORDER BY 1 DESC")
    assert not _same(domain, ROWS, ROWS.replace(", (2, 'b')", "", 1))
    assert not _same(domain, ROWS, ROWS.replace("'c'", "'b'"))


def test_an_order_that_was_asked_for_counts_and_its_ties_do_not(domain: PlansDomain) -> None:
    assert not _same(domain, ROWS + " ORDER BY n", ROWS + " ORDER BY n DESC")
    assert _same(domain, ROWS + " ORDER BY n", ROWS + " ORDER BY n, t DESC")
    assert not _same(domain, ROWS + " ORDER BY 1, t", ROWS + " ORDER BY n, t DESC")


def test_the_keys_of_an_order() -> None:
    names = ["n", "t", "n"]
    assert order_keys("SELECT 1", names) == []
    assert order_keys("SELECT a.n, t, b.n FROM a, b ORDER BY 2 DESC, t", names) == [1, 1]
    assert order_keys("SELECT a.n, t, b.n FROM a, b ORDER BY t, n, 1", names) == [1]
    assert order_keys("SELECT n FROM (SELECT n FROM a ORDER BY n) x", ["n"]) == []
    assert order_keys("SELECT n FROM a UNION SELECT n FROM b ORDER BY n", ["n"]) == [0]


def test_sums_of_floats_depend_on_the_order_of_addition(domain: PlansDomain) -> None:
    assert _same(
        domain, "SELECT 0.1::float8 + 0.2::float8 + 0.3::float8", "SELECT 0.3::float8 + 0.2::float8 + 0.1::float8"
    )


def test_values_of_every_kind_are_compared(domain: PlansDomain) -> None:
    odd = "SELECT 'NaN'::float8, 'NaN'::numeric, 'Infinity'::float8, NULL, ARRAY[1, 2], '{\"a\": 1}'::jsonb, '\\x01'::bytea"
    assert _same(domain, odd, odd)
    assert not _same(domain, odd, odd.replace("ARRAY[1, 2]", "ARRAY[2, 1]"))
