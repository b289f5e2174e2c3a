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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from boltbo.domains.plans.language import canonical_tree
from boltbo.domains.plans.parse import quote
from boltbo.domains.plans.plan import SWITCHES, Join, Operator, Plan, Scan, Tree, operators_of
from boltbo.domains.plans.query import ColumnRef, Query, Relation

ORDER_KEPT = (("join_collapse_limit", "1"), ("from_collapse_limit", "1"), ("geqo", "off"))
ONLY_HASH = (("enable_nestloop", "off"), ("enable_mergejoin", "off"))


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
        """A relation's filters, and the equalities that a class demands among its own columns."""
        for filter_sql in relation.filters:
            yield f"({filter_sql})"
        for members in self.query.classes:
            own = [m for m in members if m[0] == relation.alias]
            for a, b in pairwise(own):
                yield f"{_ref(a)} = {_ref(b)}"

    def _table(self, relation: Relation) -> str:
        return f"{relation.table} AS {quote(relation.alias)}"

    def _relation(self, alias: str) -> Relation:
        return self.query.relations[self.query.index[alias]]


def _ref(column: ColumnRef) -> str:
    return f"{quote(column[0])}.{quote(column[1])}"
