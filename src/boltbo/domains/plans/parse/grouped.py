"""GROUP BY a key alone: what the server allows of base tables only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from boltbo.errors import UnsupportedQuery

_OPAQUE = (exp.AggFunc, exp.Anonymous, exp.Filter, exp.WithinGroup, exp.Query, exp.Star)
"""What may read columns that are not grouped: aggregates (any function that is not known may be one), subqueries"""

_SETS = (exp.Rollup, exp.Cube, exp.GroupingSets)


def check_grouped(select: exp.Select) -> None:
    """Make sure that a SELECT reads no column that only depends on a grouped key: the server sees that in base tables
    alone, and not in the lateral subqueries that plans make of them.

    Raises:
        UnsupportedQuery: It reads one, as far as can be seen.
    """
    group = select.args.get("group")
    if group is None or any(v for k, v in group.args.items() if k != "expressions") or group.find(*_SETS):
        return
    keys = [key.unnest() for e in group.expressions for key in (e.expressions if isinstance(e, exp.Tuple) else [e])]
    ordinals = {int(e.name) for e in keys if isinstance(e, exp.Literal) and not e.is_string}
    columns = {(c.table.lower(), c.name.lower()) for c in keys if isinstance(c, exp.Column)}
    whole = {e.sql("postgres").lower() for e in keys}
    whole |= {e.unalias().sql("postgres").lower() for i, e in enumerate(select.expressions, 1) if i in ordinals}
    outputs = {e.alias_or_name.lower() for e in select.expressions}
    items = [e.unalias() for e in select.expressions if ("", e.alias_or_name.lower()) not in columns]
    for item in [*items, *_parts(select, "having"), *_parts(select, "order")]:
        for column in _bare(item, whole):
            table, name = column.table.lower(), column.name.lower()
            fitting = {c for t, c in columns if t == table or not t or not table}
            if name not in fitting and (table or item in items or name not in outputs):
                raise UnsupportedQuery(
                    f"the SELECT reads {column.sql('postgres')}, which GROUP BY does not name; add it there"
                )


def _parts(select: exp.Select, clause: str) -> list[exp.Expr]:
    part = select.args.get(clause)
    if part is None:
        return []
    return [e.this for e in part.expressions] if clause == "order" else [part.this]


def _bare(node: exp.Expr, whole: set[str]) -> Iterator[exp.Column]:
    """The columns outside aggregates and outside the grouped expressions."""
    if isinstance(node, _OPAQUE) or node.sql("postgres").lower() in whole:
        return
    if isinstance(node, exp.Column):
        if isinstance(node.this, exp.Identifier):
            yield node
        return
    for child in node.iter_expressions():
        yield from _bare(child, whole)
