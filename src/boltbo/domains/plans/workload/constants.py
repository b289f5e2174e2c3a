"""Constants for the parameters of a statement, drawn from the server's statistics of the columns that they stand beside.

`col = $1` and `col IN ($1, …)` get frequent values, each as often as it is in the table; `<`, `>` and BETWEEN get bounds of
the column's histogram. A parameter anywhere else is refused: nobody can know what LIKE, LIMIT or a function were given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlglot
from psycopg import sql
from sqlglot import exp
from sqlglot.errors import SqlglotError

from boltbo.domains.plans.server.connection import Server
from boltbo.errors import CannotFill

_MERGED = 3
"""How many constants an IN list gets whose length PostgreSQL 18 did not keep: `IN ($1 /*, ... */)`"""

_OUTSIDE = re.compile(
    r"""(?P<other>'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*)|\$(?P<number>\d+)(?P<merged>\s*/\*, \.\.\. \*/)?"""
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_RANGES = (exp.LT, exp.LTE, exp.GT, exp.GTE)


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What `pg_stats` says of a column.

    Attributes:
        number: Whether its type is numeric.
        frequent, shares: The most common values as text, and the share of the rows that have each.
        bounds: The histogram's bounds as text.
    """

    number: bool
    frequent: tuple[str, ...]
    shares: tuple[float, ...]
    bounds: tuple[str, ...]


class Constants:
    """Constants for the parameters of statements. Each table's statistics are asked for once."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._by_table: dict[str, Mapping[str, ColumnStatistics]] = {}

    def fill(self, statement: str, seed: Sequence[int]) -> str:
        """The statement with a constant for each `$n`; nothing else of it changes.

        Raises:
            CannotFill: One of them cannot be drawn.
            psycopg.Error: The server refuses to show statistics.
        """
        columns = self._columns_of_parameters(statement)

        def constant(match: re.Match[str]) -> str:
            if match["number"] is None:
                return match[0]
            number = int(match["number"])
            if number not in columns:
                raise CannotFill(f"${number} stands where no column says what it may be")
            statistics, kind, place = columns[number]
            # the constants of one list are drawn together, so that they differ
            rng = np.random.default_rng([*seed, number - place if kind == "in" else number])
            if kind == "range":
                values = [_bound(statistics, rng, place)]
            else:
                values = _frequent(statistics, rng)
                values = values[:_MERGED] if match["merged"] else [values[place % len(values)]]
            return ", ".join(_literal(v, statistics.number) for v in values)

        return _OUTSIDE.sub(constant, statement)

    def _columns_of_parameters(self, statement: str) -> dict[int, tuple[ColumnStatistics, str, int]]:
        """Parameter -> statistics of its column, how it is compared (`=`, `in`, `range`), and its place among several."""
        try:
            tree = sqlglot.parse_one(statement, read="postgres")
        except SqlglotError as error:
            raise CannotFill("the statement does not parse") from error
        compared_with = {}
        for parameter in tree.find_all(exp.Parameter):
            compared = _compared(parameter)
            if compared is None:
                where = parameter.parent.key.upper() if parameter.parent is not None else "?"
                raise CannotFill(f"${parameter.name} stands in {where}")
            column, kind, place = compared
            compared_with[int(parameter.name)] = self._statistics(tree, column), kind, place
        return compared_with

    def _statistics(self, tree: exp.Expr, column: exp.Column) -> ColumnStatistics:
        name = _true_name(column.this)
        whose = _true_name(column.args["table"]) if column.table else None
        tables = {
            exp.Table(this=table.this, db=table.args.get("db")).sql(dialect="postgres", comments=False)
            for table in tree.find_all(exp.Table)
            if isinstance(table.this, exp.Identifier) and whose in (None, table.alias, table.name)
        }
        candidates = [statistics for table in tables if (statistics := self._table(table).get(name)) is not None]
        if len(candidates) != 1:
            raise CannotFill(
                f"{column.sql()} is {'a column of several tables' if candidates else 'no column of a table'}"
            )
        if not candidates[0].frequent and not candidates[0].bounds:
            raise CannotFill(f"there are no statistics of {column.sql()}: ANALYZE its table")
        return candidates[0]

    def _table(self, table: str) -> Mapping[str, ColumnStatistics]:
        if table not in self._by_table:
            question = sql.SQL(_STATISTICS).format(sql.Literal(table)).as_string(self.server.connection)
            self._by_table[table] = {
                name: ColumnStatistics(category == "N", tuple(values or ()), tuple(shares or ()), tuple(bounds or ()))
                for name, category, values, shares, bounds in self.server.query(question)
            }
        return self._by_table[table]


_STATISTICS = """
SELECT DISTINCT ON (a.attname) a.attname, t.typcategory::text, s.most_common_vals::text::text[],
       s.most_common_freqs::float8[], s.histogram_bounds::text::text[]
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE a.attrelid = to_regclass({}) AND a.attnum > 0 AND NOT a.attisdropped AND t.typcategory <> 'A'
ORDER BY a.attname, s.inherited DESC
"""


def _compared(parameter: exp.Expr) -> tuple[exp.Column, str, int] | None:
    """The column that a parameter is compared with, how, and the parameter's place where several stand there."""
    inner: Any = parameter
    while isinstance(inner.parent, exp.Cast | exp.Paren):
        inner = inner.parent
    parent = inner.parent
    if isinstance(parent, exp.EQ | exp.LT | exp.LTE | exp.GT | exp.GTE):
        other = parent.expression if parent.this is inner else parent.this
        kind, place = "range" if isinstance(parent, _RANGES) else "=", 0
    elif isinstance(parent, exp.In) and inner is not parent.this:
        other, kind, place = parent.this, "in", next(i for i, e in enumerate(parent.expressions) if e is inner)
    elif isinstance(parent, exp.Between) and inner is not parent.this:
        other, kind, place = parent.this, "range", 2 if inner is parent.args["high"] else 1
    else:
        return None
    return (other, kind, place) if isinstance(other, exp.Column) else None


def _frequent(statistics: ColumnStatistics, rng: np.random.Generator) -> list[str]:
    """The most common values, drawn one after the other by their shares; of a column without any (a key), the bounds of its
    histogram in any order."""
    if not statistics.frequent:
        return [statistics.bounds[i] for i in rng.permutation(len(statistics.bounds))]
    shares = np.array(statistics.shares)
    drawn = rng.choice(len(shares), len(shares), replace=False, p=shares / shares.sum())
    return [statistics.frequent[i] for i in drawn]


def _bound(statistics: ColumnStatistics, rng: np.random.Generator, place: int) -> str:
    """A value from within the column's range: from its lower half for the first of two (1), its upper half for the second."""
    values = statistics.bounds or sorted(statistics.frequent, key=_order)
    half = len(values) / 2
    low, high = {0: (0.0, 2 * half), 1: (0.0, half), 2: (half, 2 * half)}[place]
    return values[min(int(rng.uniform(low, high)), len(values) - 1)]


def _order(value: str) -> tuple[float, str]:
    return (float(value) if _NUMBER.fullmatch(value) else 0.0), value


def _literal(value: str, number: bool) -> str:
    if number and _NUMBER.fullmatch(value):
        return value
    return "'" + value.replace("'", "''") + "'"


def _true_name(identifier: exp.Expr) -> str:
    return str(identifier.name) if identifier.args.get("quoted") else str(identifier.name).lower()
