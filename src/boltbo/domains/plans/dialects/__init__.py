"""The ways to make a server follow a plan, best first:

    hints     pg_hint_plan says operators, nested JOINs under collapse limits of 1 the order
    leading   pg_hint_plan says everything, by a Leading hint too: the query's own text stays as it is
    sql       no extension: nested JOINs and lateral subqueries; hash joins and nested loops
    order     no extension: nested JOINs for the order, the server chooses the operators
    bao       the query's own text under switches (enable_hashjoin = off, …)

`auto` is `hints` where the server has pg_hint_plan, and `sql` where it has not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from boltbo.domains.plans.dialects.hints import Hints, Leading
from boltbo.domains.plans.dialects.sql import Order, PlainSql, Switches
from boltbo.domains.plans.dialects.statement import Dialect, Statement
from boltbo.domains.plans.language.plan import SWITCHES

__all__ = ["Dialect", "DialectName", "Statement", "by_name"]

DialectName = Literal["auto", "hints", "leading", "sql", "order", "bao"]

MEMOIZE_SINCE = 14_00_00


def by_name(name: str, *, version: int = 18_00_00) -> Dialect:
    """Make a dialect.

    Args:
        name: One of `DialectName` but `auto`.
        version: The server's `server_version_num`; switches that it lacks cannot be written.

    Raises:
        ValueError: There is no such dialect.
    """
    switches = tuple(s for s in SWITCHES if s != "-memo" or version >= MEMOIZE_SINCE)
    kinds = {kind.name: kind for kind in (Hints, Leading, PlainSql, Order, Switches)}
    if name not in kinds:
        raise ValueError(f"no dialect {name!r}; there are {', '.join(kinds)}")
    return kinds[name](replace(kinds[name]().abilities, switches=switches))
