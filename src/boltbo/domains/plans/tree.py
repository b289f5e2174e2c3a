"""The join tree that the server uses, read from EXPLAIN (FORMAT JSON).

The server may do what plans cannot say: join relations that share no column (cheap where a constant pins both sides), or
leave one out that it proved redundant. Such pieces are kept aside and joined as soon as they touch the rest, so that what
comes out is always a plan of the query, and the server's own wherever it could be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boltbo.domains.plans.plan import Join, Operator, Scan, Tree, aliases_of
from boltbo.domains.plans.query import Query

Node = Mapping[str, Any]
Piece = tuple[Tree, int]
"""A tree and the bit mask of its relations"""

_JOINS = {"Hash Join": Operator.HASH, "Merge Join": Operator.HASH, "Nested Loop": Operator.NEST}
_NOT_INPUT = ("InitPlan", "SubPlan")
_SUFFIX = re.compile(r"_\d+$")


def tree_from_explain(explain: Node | Sequence[Node], query: Query) -> Tree:
    """The tree of a statement of `query`, its own or one made by `dialect.render`.

    A merge join counts as `hash`, so that `hash` and `join` never mix. The outer side of a nested loop stands left.

    Args:
        explain: What EXPLAIN (FORMAT JSON) answers: the list, its one entry, or the top plan node.
        query: The query.
    """
    return _Reader(query, _top(explain)).tree()


def same_plan(asked: Tree, executed: Tree, query: Query | None = None) -> bool:
    """Whether `executed` is what `asked` says.

    `join` stands for any operator. `hash` and `join` have no sides, and neither has a `nest` onto a subtree: its sides say
    which one is looked up by index if the server likes, but it may as well turn them.

    Args:
        asked: The tree of a plan.
        executed: What `tree_from_explain` read.
        query: If given, a `hash` whose columns are all equal to constants may be executed by any operator: there is
            nothing left to hash.
    """
    if isinstance(asked, Scan) or isinstance(executed, Scan):
        return asked == executed
    free = asked.operator == Operator.JOIN or (asked.operator == Operator.HASH and query and _constant(asked, query))
    if not free and asked.operator != executed.operator:
        return False
    if same_plan(asked.left, executed.left, query) and same_plan(asked.right, executed.right, query):
        return True
    may_turn = asked.operator != Operator.NEST or isinstance(asked.right, Join)
    return may_turn and same_plan(asked.left, executed.right, query) and same_plan(asked.right, executed.left, query)


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


class _Reader:
    def __init__(self, query: Query, top: Node) -> None:
        self.query, self.top = query, top
        self.exact = {node["Alias"] for node in _nodes(top) if node.get("Alias") in query.index}

    def tree(self) -> Tree:
        pieces = self._pieces(self.top)
        found = 0
        for _, relations in pieces:
            found |= relations
        pieces += [self._scan(a) for i, a in enumerate(self.query.aliases) if not found >> i & 1]
        return self._merged(pieces)[0][0]

    def _pieces(self, node: Node) -> list[Piece]:
        """The trees below a node: one, or more where they share no column."""
        alias = self._alias(node)
        if alias is not None:
            return [self._scan(alias)]
        inputs = [self._pieces(child) for child in node.get("Plans", ()) if _is_input(child)]
        inputs = [pieces for pieces in inputs if pieces]
        operator = _JOINS.get(node["Node Type"])
        if len(inputs) < 2 or operator is None:
            return inputs[0] if inputs else []  # of a partitioned table's parts, one speaks for all
        outer, inner = inputs[0], [p for p in inputs[1] if not any(p[1] & o[1] for o in inputs[0])]
        if not inner:
            return outer
        if self._touch(outer[0], inner[0]):
            joined = Join(operator, outer[0][0], inner[0][0]), outer[0][1] | inner[0][1]
            return self._merged([joined, *outer[1:], *inner[1:]])
        return self._merged([*outer, *inner], operator)

    def _merged(self, pieces: list[Piece], operator: Operator = Operator.HASH) -> list[Piece]:
        """Join what touches until nothing does any more; the operator is for the first such join."""
        for i, a in enumerate(pieces):
            for j in range(i + 1, len(pieces)):
                b = pieces[j]
                if self._touch(a, b):
                    joined = Join(operator, a[0], b[0]), a[1] | b[1]
                    rest = [p for k, p in enumerate(pieces) if k not in (i, j)]
                    return self._merged([joined, *rest])
        return pieces

    def _touch(self, a: Piece, b: Piece) -> bool:
        return any(around & b[1] for i, around in enumerate(self.query.neighbours) if a[1] >> i & 1)

    def _scan(self, alias: str) -> Piece:
        return Scan(alias), 1 << self.query.index[alias]

    def _alias(self, node: Node) -> str | None:
        """The relation that a node scans. A relation within a lateral subquery shows as `alias_1`."""
        name = node.get("Alias")
        if name is None or name in self.query.index:
            return name
        base = _SUFFIX.sub("", name)
        return base if base in self.query.index and base not in self.exact else None


def _is_input(node: Node) -> bool:
    return node.get("Parent Relationship") not in _NOT_INPUT


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        if _is_input(child):
            yield from _nodes(child)
