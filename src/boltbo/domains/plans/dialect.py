"""From a plan to a statement that PostgreSQL executes that way: plain SQL and plain settings, no extension.

With the collapse limits at 1 the server keeps the order of nested explicit joins. In that order,

- ``hash``  is an ordinary join, with the other join methods switched off for the statement,
- ``nest``  onto one relation is a lateral subquery with ``OFFSET 0``: it is executed once per row of the left side, and an
            index on its column serves,
- ``nest``  onto a subtree compares by ``= ANY (ARRAY[…])``, which only a nested loop can do,
- ``join``  is an ordinary join with every method allowed.

What a statement returns never depends on the plan. Each class of equal columns gets one equality at every join that brings
two groups of its members together; both groups are equal within, so all are in the end. Filters go with their relation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from boltbo.domains.plans.language import canonical_tree
from boltbo.domains.plans.parse import UnsupportedQuery, quote
from boltbo.domains.plans.plan import SWITCHES, Join, Operator, Plan, Scan, Tree, operators_of
from boltbo.domains.plans.query import ColumnRef, Query, Relation

ORDER_KEPT = (("join_collapse_limit", "1"), ("from_collapse_limit", "1"), ("geqo", "off"))
ONLY_HASH = (("enable_nestloop", "off"), ("enable_mergejoin", "off"))

_SMALL_WHOLE = re.compile(r"('?)(-?[1-9]\d{0,3}|0)\1", re.ASCII)
"""Constants that are handed on to the other columns of a class. The server does so itself, but not into or out of a lateral
subquery: there it must be written. Small whole numbers mean the same to every type that has them; others may not."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and the server settings (name, value) under which it is to be planned."""

    sql: str
    settings: tuple[tuple[str, str], ...]


def render(query: Query, plan: Plan) -> Statement:
    """The statement of a plan: the same rows as the query's own SQL, executed as the plan says.

    Raises:
        InvalidCandidate: It is no plan of this query.
    """
    if plan.tree is None:
        return Statement(query.sql, tuple((SWITCHES[symbol], "off") for symbol in plan.off))
    tree = canonical_tree(plan.tree, query)
    settings = ORDER_KEPT + (ONLY_HASH if Operator.HASH in operators_of(tree) else ())
    return Statement(_Renderer(query).statement(tree), settings)


class _Renderer:
    def __init__(self, query: Query) -> None:
        self.query = query
        self.nested: set[str] = set()
        self.handed_on = {m: c for m, c in query.constants.items() if _SMALL_WHOLE.fullmatch(c)}

    def statement(self, tree: Tree) -> str:
        source, _ = self._source(tree)
        conditions = [
            condition
            for relation in self.query.relations
            if relation.alias not in self.nested
            for condition in self._own_conditions(relation)
        ]
        conditions += [f"({residual.sql})" for residual in self.query.residuals]
        where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
        tail = f"\n{self.query.tail}" if self.query.tail else ""
        return f"SELECT {self.query.select}\nFROM {source}{where}{tail}"

    def _source(self, tree: Tree) -> tuple[str, frozenset[str]]:
        """A tree as an item of FROM, and its aliases."""
        if isinstance(tree, Scan):
            return self._table(self._relation(tree.alias)), frozenset({tree.alias})
        left, ours = self._source(tree.left)
        if tree.operator == Operator.NEST and isinstance(tree.right, Scan):
            theirs = frozenset({tree.right.alias})
            return f"{left}\nCROSS JOIN {self._lateral(tree.right.alias, ours)}", ours | theirs
        right, theirs = self._source(tree.right)
        if isinstance(tree.right, Join):
            right = f"({right})"
        form = "{1} = ANY (ARRAY[{0}])" if tree.operator == Operator.NEST else "{0} = {1}"
        equalities = [form.format(_ref(a), _ref(b)) for a, b in self._equalities(ours, theirs)]
        return f"{left}\nJOIN {right} ON {' AND '.join(equalities)}", ours | theirs

    def _lateral(self, alias: str, outer: frozenset[str]) -> str:
        self.nested.add(alias)
        relation = self._relation(alias)
        columns = ", ".join(f"{quote(alias)}.{'*' if c == '*' else quote(c)}" for c in relation.columns)
        equalities = [f"{_ref(b)} = {_ref(a)}" for a, b in self._equalities(outer, frozenset({alias}))]
        conditions = " AND ".join([*equalities, *self._own_conditions(relation)])
        return f"LATERAL (SELECT {columns} FROM {self._table(relation)} WHERE {conditions} OFFSET 0) AS {quote(alias)}"

    def _equalities(self, left: frozenset[str], right: frozenset[str]) -> Iterator[tuple[ColumnRef, ColumnRef]]:
        """One pair of columns for each class that has members on both sides."""
        for members in self.query.classes:
            ours = next((m for m in members if m[0] in left), None)
            theirs = next((m for m in members if m[0] in right), None)
            if ours and theirs:
                yield ours, theirs

    def _own_conditions(self, relation: Relation) -> Iterator[str]:
        """A relation's filters, and what its classes demand of its own columns alone."""
        for filter_sql in relation.filters:
            yield f"({filter_sql})"
        for members in self.query.classes:
            own = [m for m in members if m[0] == relation.alias]
            for a, b in pairwise(own):
                yield f"{_ref(a)} = {_ref(b)}"
            constants = [self.handed_on[m] for m in members if m in self.handed_on]
            if own and constants and own[0] not in self.handed_on:
                yield f"{_ref(own[0])} = {constants[0]}"

    def _table(self, relation: Relation) -> str:
        return f"{relation.table} AS {quote(relation.alias)}"

    def _relation(self, alias: str) -> Relation:
        return self.query.relations[self.query.index[alias]]


def _ref(column: ColumnRef) -> str:
    return f"{quote(column[0])}.{quote(column[1])}"


_FAMILIES = (
    frozenset({"smallint", "integer", "bigint"}),
    frozenset({"text", "character varying", "character", "name"}),
)
"""Types whose mixed equalities are transitive; any other type is so only with itself"""


def types_sql(query: Query) -> str:
    """A statement that answers one row: the types of all columns of the query's classes, in order."""
    columns = ", ".join(f"pg_typeof({_ref(m)})::text" for members in query.classes for m in members)
    tables = " ".join(f"LEFT JOIN {r.table} AS {quote(r.alias)} ON false" for r in query.relations)
    return f"SELECT {columns} FROM (SELECT 1) AS {quote('boltbo one row')} {tables}"


def check_types(query: Query, types: Sequence[str]) -> None:
    """Make sure that columns that are equal through a third one are equal: `bigint` and `numeric` may both equal a
    `double precision` and not each other, and then the rows would depend on the order of the joins.

    Args:
        query: The query.
        types: What the server answers to `types_sql(query)`.

    Raises:
        UnsupportedQuery: A class of three or more columns mixes such types.
    """
    rest = iter(types)
    for members in query.classes:
        found = {name: member for member, name in zip(members, rest, strict=False)}
        alike = len(found) == 1 or any(family.issuperset(found) for family in _FAMILIES)
        if len(members) > 2 and not alike:
            named = ", ".join(f"{alias}.{column} {name}" for name, (alias, column) in found.items())
            raise UnsupportedQuery(f"the query makes columns of different types equal: {named}; cast them to one type")
