"""One SQL statement as the plans domain sees it: its blocks of inner joins, and everything else as SQL text.

A statement is a frame of SQL in which each block (one SELECT over inner joins) left a mark. What is searched is the join
tree of each block; the frame (WITH, UNION, the statement around a subquery) stays as it was written.

`parse/` makes a `Query` from SQL; the rest of `language/`, `search/` and `dialects/` read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

ColumnRef = tuple[str, str]
"""(alias, column)"""

_CONSTANT = re.compile(
    r"""\(*\s*([a-z_][a-z0-9_]*)\.([a-z_][a-z0-9_]*)\s*(?:=|(?i:IN)\s*\()\s*(-?\d+|'(?:[^'\\]|'')*')[\s)]*""", re.ASCII
)
_MARK = re.compile("\0(\\d+)\0")


def mark(block: int) -> str:
    """What stands in a frame, or in an outer block's text, for a block: no SQL text can hold it."""
    return f"\0{block}\0"


def rewritten(text: str, rewrite: Callable[[int], str]) -> str:
    """A text with each mark replaced by what `rewrite` makes of its block's number."""
    return _MARK.sub(lambda match: rewrite(int(match[1])), text)


def fill(text: str, blocks: list[str]) -> str:
    """A text with each mark replaced by its block's SQL, whose own marks are replaced too."""
    return rewritten(text, lambda block: fill(blocks[block], blocks))


@dataclass(frozen=True)
class Relation:
    """One item of a FROM clause.

    Attributes:
        alias: How the query calls it (the table's name where it gives no alias).
        table: The table, schema-qualified if the query says so; of a `derived` relation its SQL, in parentheses if it is a
            subquery (with a `mark` for each block inside).
        filters: The WHERE conjuncts that read this relation alone, as SQL.
        columns: The columns of it that anything outside `filters` reads (joins, SELECT, GROUP BY, residuals).
        derived: A subquery, a common table expression or a function: no index serves a lookup in it.
        renamed: The column aliases of `AS alias (…)` as SQL with their parentheses, or nothing.
        inside: The aliases of the relations within a derived one, by which EXPLAIN may call it.
    """

    alias: str
    table: str
    filters: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    derived: bool = False
    renamed: str = ""
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Residual:
    """A WHERE conjunct over several relations that is no equality of two columns: applied in the final WHERE."""

    sql: str
    aliases: frozenset[str]


@dataclass(frozen=True)
class Block:
    """One SELECT over inner joins.

    Attributes:
        relations: The relations in the order of the FROM clause, without those of `outer`.
        classes: Join equivalence classes: columns that the conditions make equal, each with at least two aliases.
            Two relations are adjacent in the join graph when they share a class (so implied equalities count).
        residuals: See `Residual`.
        select: The SELECT list as SQL, with DISTINCT if given.
        tail: GROUP BY, HAVING, ORDER BY, LIMIT as SQL; may be empty.
        outer: What is joined onto the finished inner joins, as SQL: `LEFT JOIN … ON …`, `CROSS JOIN LATERAL …`; may be empty.
        written: All of it as it was written, with a `mark` for each block inside.
    """

    relations: tuple[Relation, ...]
    classes: tuple[tuple[ColumnRef, ...], ...]
    residuals: tuple[Residual, ...] = ()
    select: str = "*"
    tail: str = ""
    outer: str = ""
    written: str = ""

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        return tuple(r.alias for r in self.relations)


@dataclass(frozen=True)
class Query:
    """One statement.

    Attributes:
        sql: The text as given, without a trailing semicolon.
        blocks: What is searched, at least one; no two relations of a query have the same alias.
        frame: The statement with a `mark` for each block that stands in no other block.
        kept: Why its other SELECTs of several relations are no blocks, the largest first.
        common: The statement's own WITH clause as it stands in the frame; may be empty.
    """

    sql: str
    blocks: tuple[Block, ...]
    frame: str = mark(0)
    kept: tuple[str, ...] = ()
    common: str = ""

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The relations of all blocks, block after block."""
        return tuple(r for block in self.blocks for r in block.relations)

    @cached_property
    def classes(self) -> tuple[tuple[ColumnRef, ...], ...]:
        return tuple(c for block in self.blocks for c in block.classes)

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        return tuple(r.alias for r in self.relations)

    @cached_property
    def index(self) -> dict[str, int]:
        """alias -> position in `relations`; sets of relations are bit masks over these positions."""
        return {alias: i for i, alias in enumerate(self.aliases)}

    @cached_property
    def masks(self) -> tuple[int, ...]:
        """The relations of each block as a bit mask."""
        return tuple(sum(1 << self.index[alias] for alias in block.aliases) for block in self.blocks)

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
        constants = {}
        for relation in self.relations:
            for condition in relation.filters:
                match = _CONSTANT.fullmatch(condition)
                if match and match[1] == relation.alias:
                    constants[relation.alias, match[2]] = match[3]
        return constants
