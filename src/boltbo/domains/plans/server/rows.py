"""Whether two statements return the same: all rows, and their order as far as the query asks for one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from boltbo.domains.plans.dialects.statement import Statement
from boltbo.domains.plans.parse.read import read
from boltbo.domains.plans.server.connection import Server

Row = tuple[object, ...]


def same_results(server: Server, original: Statement, other: Statement, limit: float = 60.0) -> bool:
    """Whether another statement returns what the original does: the same rows, each as often, in any order.

    Where the original has an ORDER BY, its keys must come in the same order too, as far as they are columns of the result;
    rows with equal keys may still change places. Floats, whose sums depend on the order of addition, are compared to nine
    digits.

    Raises:
        psycopg.Error: The server refuses a statement, or one did not end in `limit` seconds.
        ValueError: The original is no SELECT.
    """
    names, ours = _rows(server, original, limit)
    _, theirs = _rows(server, other, limit)
    if Counter(ours) != Counter(theirs):
        return False
    keys = order_keys(original.sql, names)
    return all([row[k] for row in ours] == [row[k] for row in theirs] for k in keys)


def order_keys(sql: str, names: Sequence[str]) -> list[int]:
    """The positions, among the columns of the result, of the leading keys of a statement's ORDER BY.

    It ends at the first key that is no column of the result: later ones only order the rows that are equal in it.
    """
    order = read(sql)[0].args.get("order")
    positions: list[int] = []
    for ordered in order.expressions if order else ():
        key = ordered.this
        if isinstance(key, exp.Literal) and not key.is_string:
            positions.append(int(key.this) - 1)
        elif isinstance(key, exp.Column) and not key.table and names.count(key.name) == 1:
            positions.append(names.index(key.name))
        else:
            break
    return positions


def _rows(server: Server, statement: Statement, limit: float) -> tuple[list[str], list[Row]]:
    with server.read_only(statement.settings, limit) as cursor:
        cursor.execute(statement.sql.encode())
        return [c.name for c in cursor.description or ()], [tuple(map(_comparable, row)) for row in cursor]


def _comparable(value: object) -> object:
    """The value in a form that has a hash and equals itself, which NaN does not."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else str(value)
    return repr(value) if isinstance(value, list | dict) else value
