"""Plans in plain SQL and plain settings, without an extension.

With the collapse limits at 1 the server keeps the order of nested explicit joins. In that order,

- ``hash``  is an ordinary join, with the other join methods switched off for the statement,
- ``nest``  onto one table is a lateral subquery with ``OFFSET 0``: it is executed once per row of the left side, and an
            index on its column serves,
- ``nest``  onto anything else compares by ``= ANY (ARRAY[…])``, which only a nested loop can do,
- ``join``  is an ordinary join with every method allowed.

What a statement returns never depends on the plan. Each class of equal columns gets one equality at every join that brings
two groups of its members together; both groups are equal within, so all are in the end. Filters go with their relation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from boltbo.domains.plans.dialects.statement import Statement
from boltbo.domains.plans.language.canonical import canonical_plan
from boltbo.domains.plans.language.plan import (
    PLAIN_SQL,
    SWITCHES,
    Abilities,
    Join,
    Operator,
    Plan,
    Scan,
    Tree,
    operators_of,
)
from boltbo.domains.plans.language.query import Block, ColumnRef, Query, Relation, fill
from boltbo.domains.plans.parse import quote
from boltbo.errors import InvalidCandidate

ORDER_KEPT = (("join_collapse_limit", "1"), ("from_collapse_limit", "1"), ("geqo", "off"))
ONLY_HASH = (("enable_nestloop", "off"), ("enable_mergejoin", "off"))

_ORDERED = Abilities((Operator.JOIN,))
_SWITCHED = Abilities(())

_SMALL_WHOLE = re.compile(r"('?)(-?[1-9]\d{0,3}|0)\1", re.ASCII)
"""Constants that are handed on to the other columns of a class. The server does so itself, but not into or out of a lateral
subquery: there it must be written. Small whole numbers mean the same to every type that has them; others may not."""

_SUBQUERY = re.compile(r"\bSELECT\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Switches:
    """Bao's hint sets: the server's own plans with some of its methods switched off. Every dialect can say these."""

    abilities: Abilities = _SWITCHED
    name: ClassVar[str] = "bao"

    def render(self, query: Query, plan: Plan) -> Statement:
        plan = canonical_plan(plan, query, self.abilities)
        if plan.trees:
            return self._forced(query, plan)
        return Statement(query.sql, tuple((SWITCHES[symbol], "off") for symbol in plan.off))

    def _forced(self, query: Query, plan: Plan) -> Statement:
        """The statement of a canonical plan with trees."""
        raise InvalidCandidate(f"dialect {self.name!r} forces no trees")


@dataclass(frozen=True, slots=True)
class Order(Switches):
    """The order of the joins; the server chooses their operators."""

    abilities: Abilities = _ORDERED
    name: ClassVar[str] = "order"

    def _forced(self, query: Query, plan: Plan) -> Statement:
        return Statement(joined(query, plan), ORDER_KEPT)


@dataclass(frozen=True, slots=True)
class PlainSql(Switches):
    """Order, hash joins and nested loops, on every PostgreSQL."""

    abilities: Abilities = PLAIN_SQL
    name: ClassVar[str] = "sql"

    def _forced(self, query: Query, plan: Plan) -> Statement:
        hashed = any(Operator.HASH in operators_of(tree) for tree in plan.trees)
        return Statement(joined(query, plan), ORDER_KEPT + (ONLY_HASH if hashed else ()))


def joined(query: Query, plan: Plan, *, semi_joins_last: bool = False) -> str:
    """The query with each block's joins nested as the trees of a canonical plan say.

    Filters with a subquery stand with their relation, or with `semi_joins_last` in the final WHERE: the server makes semi-joins
    of them, and within the tree their relations would be among those that a hint has to name.
    """
    blocks = [
        _Renderer(query, b, semi_joins_last).statement(tree) for b, tree in zip(query.blocks, plan.trees, strict=True)
    ]
    return fill(query.frame, blocks)


def written_out(query: Query, frame: str | None = None) -> str:
    """A query's SQL from its parts: its tables side by side, its equalities in WHERE. Another text may stand for its frame."""
    plain = [_Renderer(query, block).plain() for block in query.blocks]
    return fill(query.frame if frame is None else frame, plain)


class _Renderer:
    def __init__(self, query: Query, block: Block, semi_joins_last: bool = False) -> None:
        self.query, self.block, self.semi_joins_last = query, block, semi_joins_last
        self.carried: set[str] = set()
        """Relations whose filters stand in a subquery of their own"""
        self.handed_on = {m: c for m, c in query.constants.items() if _SMALL_WHOLE.fullmatch(c)}

    def statement(self, tree: Tree) -> str:
        source, _ = self._source(tree)
        return self._whole(source, [])

    def plain(self) -> str:
        conditions = []
        for first, *others in self.block.classes:
            conditions += [f"{_ref(first)} = {_ref(other)}" for other in others]
        # a list has no order that the server would keep; only an outer join needs one
        between = "\nCROSS JOIN " if self.block.outer else ", "
        tables = between.join(self._table(r) for r in self.block.relations)
        return self._whole(tables, conditions)

    def _whole(self, source: str, conditions: list[str]) -> str:
        conditions += [
            condition
            for relation in self.block.relations
            if relation.alias not in self.carried
            for condition in self._own_conditions(relation)
        ]
        conditions += [f"({residual.sql})" for residual in self.block.residuals]
        where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
        outer = f"\n{self.block.outer}" if self.block.outer else ""
        tail = f"\n{self.block.tail}" if self.block.tail else ""
        return f"SELECT {self.block.select}\nFROM {source}{outer}{where}{tail}"

    def _source(self, tree: Tree) -> tuple[str, frozenset[str]]:
        """A tree as an item of FROM, and its aliases."""
        if isinstance(tree, Scan):
            return self._item(self._relation(tree.alias)), frozenset({tree.alias})
        left, ours = self._source(tree.left)
        if tree.operator == Operator.NEST and isinstance(tree.right, Scan):
            relation = self._relation(tree.right.alias)
            if not relation.derived:
                theirs = frozenset({relation.alias})
                return f"{left}\nCROSS JOIN LATERAL {self._alone(relation, ours)}", ours | theirs
        right, theirs = self._source(tree.right)
        if isinstance(tree.right, Join):
            right = f"({right})"
        form = "{1} = ANY (ARRAY[{0}])" if tree.operator == Operator.NEST else "{0} = {1}"
        equalities = [form.format(_ref(a), _ref(b)) for a, b in self._equalities(ours, theirs)]
        return f"{left}\nJOIN {right} ON {' AND '.join(equalities)}", ours | theirs

    def _item(self, relation: Relation) -> str:
        """A relation by itself, with its filters if there is a subquery among them (see `joined`)."""
        if not self.semi_joins_last and not relation.derived and any(_SUBQUERY.search(f) for f in relation.filters):
            return self._alone(relation, frozenset(), fence="")
        return self._table(relation)

    def _alone(self, relation: Relation, outer: frozenset[str], fence: str = " OFFSET 0") -> str:
        """A subquery of one relation with its filters and its equalities with the relations of `outer`."""
        self.carried.add(relation.alias)
        alias = quote(relation.alias)
        columns = ", ".join(f"{alias}.{'*' if c == '*' else quote(c)}" for c in relation.columns)
        equalities = [f"{_ref(b)} = {_ref(a)}" for a, b in self._equalities(outer, frozenset({relation.alias}))]
        conditions = " AND ".join([*equalities, *self._own_conditions(relation)])
        return f"(SELECT {columns} FROM {self._table(relation)} WHERE {conditions}{fence}) AS {alias}"

    def _equalities(self, left: frozenset[str], right: frozenset[str]) -> Iterator[tuple[ColumnRef, ColumnRef]]:
        """One pair of columns for each class that has members on both sides."""
        for members in self.block.classes:
            ours = next((m for m in members if m[0] in left), None)
            theirs = next((m for m in members if m[0] in right), None)
            if ours and theirs:
                yield ours, theirs

    def _own_conditions(self, relation: Relation) -> Iterator[str]:
        """A relation's filters, and what its classes demand of its own columns alone."""
        for filter_sql in relation.filters:
            yield f"({filter_sql})"
        for members in self.block.classes:
            here = [m for m in members if m[0] == relation.alias]
            for a, b in pairwise(here):
                yield f"{_ref(a)} = {_ref(b)}"
            constants = [self.handed_on[m] for m in members if m in self.handed_on]
            if here and constants and here[0] not in self.handed_on:
                yield f"{_ref(here[0])} = {constants[0]}"

    def _table(self, relation: Relation) -> str:
        return f"{relation.table} AS {quote(relation.alias)}{relation.renamed}"

    def _relation(self, alias: str) -> Relation:
        return self.query.relations[self.query.index[alias]]


def _ref(column: ColumnRef) -> str:
    return f"{quote(column[0])}.{quote(column[1])}"
