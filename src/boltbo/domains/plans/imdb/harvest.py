"""The constants of a workload: generated data hold them too, so that the workload's queries find rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

Literals = Mapping[str, Mapping[str, float]]
"""`table.column`, or `table.info#TYPE` where the info type is known -> text -> how often the workload says it."""


def harvest(queries: Iterable[str]) -> Literals:
    """The texts that the queries compare columns with by `=` or `IN`.

    A query that cannot be parsed is passed over: it cannot be optimized either.
    """
    literals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for query in queries:
        try:
            tree = sqlglot.parse_one(query, dialect="postgres")
        except ParseError:
            continue
        _harvest_one(tree, literals)
    _settle(literals)
    return {place: {w: round(n, 6) for w, n in sorted(words.items())} for place, words in sorted(literals.items())}


def _harvest_one(tree: exp.Expr, literals: dict[str, dict[str, float]]) -> None:
    tables = {t.alias_or_name: t.name for t in tree.find_all(exp.Table)}
    compared = list(_comparisons(tree))
    types = _info_types(tree, compared, tables)
    for column, texts in compared:
        table = tables.get(column.table)
        if table is None or table.endswith("_type"):
            continue
        place = f"{table}.{column.name}"
        kinds = types.get(column.table, []) if column.name == "info" else []
        for text in texts:
            # `info_type IN (1, 18)`: either may have been meant, single types tell elsewhere
            for kind in kinds:
                literals[f"{place}#{kind}"][text] += 1 / len(kinds) ** 2
            if not kinds:
                literals[place][text] += 1


def _settle(literals: dict[str, dict[str, float]]) -> None:
    """Leave each text with the info types that it most likely belongs to."""
    for table in {place.split("#")[0] for place in literals if "#" in place}:
        places = [words for place, words in literals.items() if place.startswith(f"{table}#")]
        for text in {text for words in places for text in words}:
            most = max(words.get(text, 0.0) for words in places)
            for words in places:
                if words.get(text, most) < most / 2:
                    del words[text]


def _comparisons(tree: exp.Expr) -> Iterable[tuple[exp.Column, list[str]]]:
    for node in tree.find_all(exp.In, exp.EQ):
        values = node.expressions if isinstance(node, exp.In) else [node.expression]
        if isinstance(node.this, exp.Column):
            texts = [v.name for v in values if isinstance(v, exp.Literal) and v.is_string]
            if texts:
                yield node.this, texts


def _info_types(
    tree: exp.Expr, compared: list[tuple[exp.Column, list[str]]], tables: Mapping[str, str]
) -> dict[str, list[str]]:
    """alias of a table of facts -> the info types that the query asks of it."""
    asked = {c.table: texts for c, texts in compared if tables.get(c.table) == "info_type" and c.name == "id"}
    linked = {}
    for node in tree.find_all(exp.EQ):
        sides = (node.this, node.expression)
        if all(isinstance(side, exp.Column) for side in sides):
            for fact, kind in (sides, sides[::-1]):
                if fact.name == "info_type_id" and kind.table in asked:
                    linked[fact.table] = asked[kind.table]
    return linked
