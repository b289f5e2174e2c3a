"""What the plans domain knows of one SQL query: its relations, what joins them, and everything else as SQL text.

`parse.py` makes a `Query` from SQL; `language.py`, `space.py` and `dialect.py` read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

ColumnRef = tuple[str, str]
"""(alias, column)"""

_CONSTANT = re.compile(
    r"""\(*\s*([a-z_][a-z0-9_]*)\.([a-z_][a-z0-9_]*)\s*(?:=|(?i:IN)\s*\()\s*(-?\d+|'(?:[^'\\]|'')*')[\s)]*""", re.ASCII
)


@dataclass(frozen=True)
class Relation:
    """One base table of the FROM clause.

    Attributes:
        alias: How the query calls it (the table's name where it gives no alias).
        table: The table, schema-qualified if the query says so.
        filters: The WHERE conjuncts that read this relation alone, as SQL.
        columns: The columns of it that anything outside `filters` reads (joins, SELECT, GROUP BY, residuals).
    """

    alias: str
    table: str
    filters: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Residual:
    """A WHERE conjunct over several relations that is no equality of two columns: applied in the final WHERE."""

    sql: str
    aliases: frozenset[str]


@dataclass(frozen=True)
class Query:
    """One SELECT over an inner-join block.

    Attributes:
        sql: The statement as given, without a trailing semicolon.
        relations: In the order of the FROM clause.
        classes: Join equivalence classes: columns that the WHERE clause makes equal, each with at least two aliases.
            Two relations are adjacent in the join graph when they share a class (so implied equalities count).
        residuals: See `Residual`.
        select: The SELECT list as SQL, with DISTINCT if given.
        tail: GROUP BY, HAVING, ORDER BY, LIMIT as SQL; may be empty.
    """

    sql: str
    relations: tuple[Relation, ...]
    classes: tuple[tuple[ColumnRef, ...], ...]
    residuals: tuple[Residual, ...] = ()
    select: str = "*"
    tail: str = ""

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        return tuple(r.alias for r in self.relations)

    @cached_property
    def index(self) -> dict[str, int]:
        """alias -> position in `relations`; sets of relations are bit masks over these positions."""
        return {alias: i for i, alias in enumerate(self.aliases)}

    @cached_property
    def neighbours(self) -> tuple[int, ...]:
        """For each relation, the bit mask of the relations adjacent to it in the join graph."""
        masks = [0] * len(self.relations)
        for members in self.classes:
            everyone = 0
            for alias, _ in members:
                everyone |= 1 << self.index[alias]
            for alias, _ in members:
                masks[self.index[alias]] |= everyone & ~(1 << self.index[alias])
        return tuple(masks)

    @cached_property
    def constants(self) -> dict[ColumnRef, str]:
        """The columns that a filter equals to one constant, and the constant as SQL."""
        found = {}
        for relation in self.relations:
            for condition in relation.filters:
                match = _CONSTANT.fullmatch(condition)
                if match and match[1] == relation.alias:
                    found[relation.alias, match[2]] = match[3]
        return found
