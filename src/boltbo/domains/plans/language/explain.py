"""The plan that the server uses, read from EXPLAIN (FORMAT JSON).

The server may do what plans cannot say: join relations that share no column (cheap where a constant pins both sides), or
leave one out that it proved redundant. Such pieces are kept aside and joined as soon as they touch the rest, so that what
comes out is always a plan of the query, and the server's own wherever it could be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boltbo.domains.plans.language.plan import (
    PLAIN_SQL,
    Abilities,
    Join,
    Method,
    Operator,
    Plan,
    Scan,
    Tree,
    aliases_of,
)
from boltbo.domains.plans.language.query import Query

Node = Mapping[str, Any]
Piece = tuple[Tree, int]
"""A tree and the bit mask of its relations"""

JOINS = {"Hash Join": Operator.HASH, "Merge Join": Operator.MERGE, "Nested Loop": Operator.NEST}
SCANS = {
    "Seq Scan": Method.SEQ,
    "Index Scan": Method.INDEX,
    "Index Only Scan": Method.ONLY,
    "Bitmap Heap Scan": Method.BITMAP,
}
_NOT_INPUT = ("InitPlan", "SubPlan")
SUFFIX = re.compile(r"_\d+$")
"""What the server adds to an alias that it has twice, as it has a relation's within its lateral subquery"""


def plan_from_explain(explain: Node | Sequence[Node], query: Query, abilities: Abilities = PLAIN_SQL) -> Plan:
    """The trees of a statement of `query`, its own or one made by a dialect.

    An operator that `abilities` do not have becomes `hash` if it is a merge join and that can be said, else `join`. The
    outer side of a nested loop stands left. Scan methods are read where they can be said.

    Args:
        explain: What EXPLAIN (FORMAT JSON) answers: the list, its one entry, or the top plan node.
        query: The query.
        abilities: What the plan may say; where that is nothing but switches, it is read as plain SQL could say it.
    """
    said = abilities if abilities.operators else PLAIN_SQL
    tops = [_top(explain), *_common_tables(_top(explain))]
    return Plan(tuple(_Reader(query, block, tops, said).tree() for block in range(len(query.blocks))))


def follows(executed: Plan, asked: Plan, query: Query | None = None, abilities: Abilities = PLAIN_SQL) -> bool:
    """Whether the executed plan is what the requested one says.

    `join` stands for any operator, a scan without a method for any method. Operators have no sides unless they are `sided`
    in `abilities`, and a `nest` onto a subtree has none even then: they say which one is looked up by index if the server
    likes, but it may as well turn them.

    Args:
        executed: What `plan_from_explain` read.
        asked: The requested plan.
        query: If given, a `hash` or `merge` whose columns are all equal to constants may be executed by any operator:
            there is nothing left to hash or to sort.
        abilities: The abilities under which `asked` was written.
    """
    if not asked.trees:
        return True
    return all(_same(a, e, query, abilities) for a, e in zip(asked.trees, executed.trees, strict=True))


def _same(asked: Tree, executed: Tree, query: Query | None, abilities: Abilities) -> bool:
    if isinstance(asked, Scan) or isinstance(executed, Scan):
        if not (isinstance(asked, Scan) and isinstance(executed, Scan)) or asked.alias != executed.alias:
            return False
        return asked.method in (None, executed.method)
    keyed = asked.operator in (Operator.HASH, Operator.MERGE)
    free = asked.operator == Operator.JOIN or (keyed and query is not None and _constant(asked, query))
    if not free and asked.operator != executed.operator:
        return False
    if _same(asked.left, executed.left, query, abilities) and _same(asked.right, executed.right, query, abilities):
        return True
    sided = abilities.sided and asked.operator == Operator.NEST and isinstance(asked.right, Scan)
    if sided:
        return False
    return _same(asked.left, executed.right, query, abilities) and _same(asked.right, executed.left, query, abilities)


def _constant(join: Join, query: Query) -> bool:
    """Whether every class over both sides of a join has a constant."""
    left, right = set(aliases_of(join.left)), set(aliases_of(join.right))
    shared = [
        c for c in query.classes if not left.isdisjoint(a for a, _ in c) and not right.isdisjoint(a for a, _ in c)
    ]
    return all(any(member in query.constants for member in members) for members in shared)


def _top(explain: Node | Sequence[Node]) -> Node:
    node = explain if isinstance(explain, Mapping) else explain[0]
    top: Node = node.get("Plan", node)
    return top


def _common_tables(node: Node) -> Iterator[Node]:
    """The plans of the common table expressions that are executed apart, wherever they hang."""
    for child in node.get("Plans", ()):
        if child.get("Parent Relationship") == "InitPlan" and str(child.get("Subplan Name", "")).startswith("CTE "):
            yield child
        yield from _common_tables(child)


class _Reader:
    """Reader of one block's tree."""

    def __init__(self, query: Query, block: int, tops: Sequence[Node], abilities: Abilities) -> None:
        self.query, self.abilities = query, abilities
        self.aliases = frozenset(query.blocks[block].aliases)
        self.tops = tops
        self.inside = {name: r.alias for r in query.blocks[block].relations for name in r.inside}
        self.exact = {n["Alias"] for top in tops for n in _nodes(top) if n.get("Alias") in self.aliases}

    def tree(self) -> Tree:
        pieces = max((self._pieces(top) for top in self.tops), key=_covered)
        covered = 0
        for _, relations in pieces:
            covered |= relations
        rest = [a for a in self.query.aliases if a in self.aliases and not covered >> self.query.index[a] & 1]
        return self._merged([*pieces, *(self._scan(a) for a in rest)])[0][0]

    def _pieces(self, node: Node) -> list[Piece]:
        """The trees below a node: one, or more where they share no column."""
        alias = self._alias(node)
        if alias is not None:
            return [self._scan(alias, self._method(node))]
        inputs = [self._pieces(child) for child in node.get("Plans", ()) if is_input(child)]
        inputs = [pieces for pieces in inputs if pieces]
        joins = node["Node Type"] in JOINS
        if len(inputs) < 2 or not joins:
            return inputs[0] if inputs else []  # of a partitioned table's parts, one speaks for all
        outer, inner = inputs[0], [p for p in inputs[1] if not any(p[1] & o[1] for o in inputs[0])]
        if not inner:
            return outer
        operator = self._operator(node)
        if self._touch(outer[0], inner[0]):
            joined = Join(operator, outer[0][0], inner[0][0]), outer[0][1] | inner[0][1]
            return self._merged([joined, *outer[1:], *inner[1:]])
        return self._merged([*outer, *inner], operator)

    def _merged(self, pieces: list[Piece], operator: Operator | None = None) -> list[Piece]:
        """Join what touches until nothing does any more; the operator is for the first such join."""
        for i, a in enumerate(pieces):
            for j in range(i + 1, len(pieces)):
                b = pieces[j]
                if self._touch(a, b):
                    joined = Join(operator or self._keyed(), a[0], b[0]), a[1] | b[1]
                    rest = [p for k, p in enumerate(pieces) if k not in (i, j)]
                    return self._merged([joined, *rest])
        return pieces

    def _touch(self, a: Piece, b: Piece) -> bool:
        return any(around & b[1] for i, around in enumerate(self.query.neighbours) if a[1] >> i & 1)

    def _scan(self, alias: str, method: Method | None = None) -> Piece:
        return Scan(alias, method), 1 << self.query.index[alias]

    def _operator(self, node: Node) -> Operator:
        operator = JOINS[node["Node Type"]]
        if operator in self.abilities.operators:
            return operator
        return self._keyed() if operator == Operator.MERGE else Operator.JOIN

    def _keyed(self) -> Operator:
        return Operator.HASH if Operator.HASH in self.abilities.operators else Operator.JOIN

    def _method(self, node: Node) -> Method | None:
        method = SCANS.get(node["Node Type"])
        return method if method in self.abilities.methods else None

    def _alias(self, node: Node) -> str | None:
        """The relation that a node scans. A relation within a lateral subquery shows as `alias_1`."""
        name = node.get("Alias")
        if name is None or name in self.aliases:
            return name
        base = SUFFIX.sub("", name)
        if base in self.aliases and base not in self.exact:
            return base
        return self.inside.get(name)


def _covered(pieces: Sequence[Piece]) -> int:
    return sum(relations.bit_count() for _, relations in pieces)


def is_input(node: Node) -> bool:
    """Whether a node feeds the one above it: the plans of subqueries hang beside."""
    return node.get("Parent Relationship") not in _NOT_INPUT


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        if is_input(child):
            yield from _nodes(child)
