"""The columns that an expression reads from the query around it, and not from a subquery's own relations."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from boltbo.domains.plans.parse.names import NOTHING, Names, Scope, alias_of, clause, fold, items, join_in

Level = tuple[frozenset[str], Names]
"""The aliases and columns of one subquery's relations"""


def outside(node: exp.Expr, scope: Scope) -> Iterator[tuple[exp.Column, bool]]:
    """The columns read from around, and whether each is certain: a name without a relation inside a subquery may belong to it
    where its relations' columns are not known."""
    yield from _walk(node, (), scope)


def _walk(node: exp.Expr, levels: tuple[Level, ...], scope: Scope) -> Iterator[tuple[exp.Column, bool]]:
    if isinstance(node, exp.Column):
        inside = _own(node, levels)
        if inside is not True:
            yield node, inside is False
    if isinstance(node, exp.Select):
        yield from _select(node, levels, scope)
        return
    if isinstance(node, exp.Query):
        scope = scope.within(node)
    for key, child in children(node):
        if not (isinstance(node, exp.SetOperation) and key in ("order", "limit", "offset")):
            yield from _walk(child, levels, scope)


def _own(column: exp.Column, levels: tuple[Level, ...]) -> bool | None:
    """Whether a column belongs to one of the subqueries; None: perhaps."""
    if column.table:
        return any(fold(column.args["table"]) in aliases for aliases, _ in levels)
    if not isinstance(column.this, exp.Identifier):
        return True
    name = fold(column.this)
    if any(name in aliases or name in names.known for aliases, names in levels):
        return True
    return False if all(names.complete for _, names in levels) else None


def _select(query: exp.Select, levels: tuple[Level, ...], scope: Scope) -> Iterator[tuple[exp.Column, bool]]:
    with_ = clause(query, "with")
    for table, seen in scope.steps(query):
        if table is not query:
            yield from _walk(table.this, levels, seen)
    scope = scope.within(query)
    sources = items(query)
    outputs = tuple(fold(e.args["alias"]) for e in query.expressions if isinstance(e, exp.Alias))
    columns = sum((scope.columns(source) for source in sources), NOTHING) + Names(outputs, True)
    inner = (*levels, (frozenset(name for s in sources for name in names_of(s)), columns))
    for source in sources:
        yield from _item(source, levels, inner, scope)
    skipped = {id(with_), *(id(source) for source in sources)}
    for _, child in children(query):
        if id(child) in skipped:
            continue
        parts = [c for _, c in children(child)] if isinstance(child, exp.From | exp.Join) else [child]
        for part in parts:
            if id(part) not in skipped:
                yield from _walk(part, inner, scope)


def _item(
    item: exp.Expr, levels: tuple[Level, ...], inner: tuple[Level, ...], scope: Scope
) -> Iterator[tuple[exp.Column, bool]]:
    """A FROM item: a subquery in it sees no relation beside it, unless it is LATERAL."""
    join = join_in(item)
    if join is not None:
        for part in items(join):
            if part is not join or join_in(part) is not None:
                yield from _item(part, levels, inner, scope)
            else:
                content = levels if isinstance(part, exp.Subquery) else inner
                yield from _walk(part.this, content, scope)
        for joined in join.args.get("joins") or ():
            on = joined.args.get("on")
            if on is not None:
                yield from _walk(on, inner, scope)
    else:
        yield from _walk(item, levels if isinstance(item, exp.Subquery) else inner, scope)


def names_of(item: exp.Expr) -> list[str]:
    """The aliases that a FROM item brings: one, or those of a join in parentheses."""
    join = join_in(item)
    if join is not None:
        return [name for part in items(join) for name in names_of(part)]
    alias = alias_of(item)
    return [alias] if alias is not None else []


def children(node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    """The nodes right below one, each with its key."""
    for key, value in node.args.items():
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, exp.Expression):
                yield key, child
