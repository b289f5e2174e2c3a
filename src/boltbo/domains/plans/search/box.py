"""Join trees as points of a box, and back.

Notation: an *edge* is a pair of relations that share a class of joined columns; a *merge* is one join of the tree.

Decoding is Kruskal's algorithm: edges are taken in the order of their priorities, each merges the two subtrees that it
connects, so that every point is a plan without cross products, and points nearby are plans nearby. What an edge's
coordinates say is the same for every plan: "join these two early", "with this operator". No edge leads from one block of
the query to another, so that a tree for each remains.

A class of `m` columns has m (m - 1) / 2 edges. For a large one they are not coordinates of their own: its relations are
put on a line (a position each), and neighbours on the line have a gap (priority and operator). The priority of an edge is
the largest gap between its ends. Any tree can still be said, because the relations of each of its subtrees stand together
in the order of its leaves.

Encoding gives each merge a priority that grows with its size, so that subtrees are complete before they are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from boltbo.domains.plans.language.canonical import canonical_plan
from boltbo.domains.plans.language.grammar import PlanGrammar, format_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Join, Method, Operator, Plan, Scan, Tree, scans_of
from boltbo.domains.plans.language.query import Query
from boltbo.domains.plans.language.spelling import spell
from boltbo.errors import InvalidCandidate
from boltbo.problem import FloatArray

ServerTrees = Mapping[str, Plan] | Callable[[str], Plan | None]
"""The trees that the server uses, by the text of the `default …` plan"""

PAIRS_UP_TO = 4
"""Classes of more relations are put on a line."""

FORCED = (Operator.HASH, Operator.JOIN)
"""What the mode coordinate chooses between, where the two exclude each other"""

FREE = 0.5
"""Share of a scan coordinate that leaves the method to the server."""


class _Choice(NamedTuple):
    """One meaning of an operator key. `operator` None: the one that the mode coordinate says."""

    operator: Operator | None
    turned: bool = False


def _choices(abilities: Abilities) -> list[_Choice]:
    """What the equal parts of an operator key mean; a sided `nest` has two, one at each end."""
    others = [_Choice(None)] if abilities.exclusive else [_Choice(o) for o in abilities.operators if o != Operator.NEST]
    if Operator.NEST not in abilities.operators:
        return others
    turned = [_Choice(Operator.NEST, turned=True)] if abilities.sided else []
    return [_Choice(Operator.NEST), *others, *turned]


class _Edge(NamedTuple):
    """An edge with its coordinates already read: `first` and `second` are positions in the query's relations."""

    priority: float
    key: float
    first: int
    second: int


class _Merge(NamedTuple):
    """One join of a tree to encode; the sides are bit masks."""

    operator: Operator
    left: int
    right: int

    @property
    def size(self) -> int:
        return (self.left | self.right).bit_count()


class PlanSpace:
    """The join trees of one query as a box (see `problem.SearchSpace`).

    Its coordinates: the mode, where `hash` and `join` exclude each other; the edges; a scan method for each relation,
    where methods can be forced.

    Args:
        query: The query.
        server_trees: What the server makes of `default …` candidates: they are encoded as their trees.
        abilities: What may be written; at least one operator.
    """

    def __init__(self, query: Query, server_trees: ServerTrees | None = None, abilities: Abilities = PLAIN_SQL) -> None:
        self.query, self.abilities = query, abilities
        self._grammar = PlanGrammar(query, abilities)
        self._server_trees = server_trees if server_trees is not None else {}
        self._choices = _choices(abilities)
        self._groups = list(_groups(query))
        self._modes = 1 if abilities.exclusive else 0
        self._scans = len(query.relations) if abilities.methods else 0
        self._dim = self._modes + sum(group.dim for group in self._groups) + self._scans

    @property
    def dim(self) -> int:
        return self._dim

    def decode(self, points: FloatArray) -> list[str]:
        plans = [Plan(self._trees(row)) for row in np.atleast_2d(points).tolist()]
        return [format_plan(plan, self.query, self.abilities) for plan in plans]

    def encode(self, candidate: str) -> FloatArray:
        plan = self._grammar.parse(candidate)
        trees = plan.trees or server_plan(plan, self._server_trees, self.query, self.abilities).trees
        merges: list[_Merge] = []
        leaves: list[int] = []
        for tree in trees:
            _visit(tree, self.query.index, merges, leaves)
        mode = next((FORCED.index(m.operator) for m in merges if m.operator in FORCED), 0)
        point = [_middle(mode, len(FORCED))] * self._modes
        for group in self._groups:
            point += group.encode(merges, leaves, self._key)
        if self._scans:
            methods = {scan.alias: scan.method for tree in trees for scan in scans_of(tree)}
            point += [self._scan_key(methods[alias]) for alias in self.query.aliases]
        return np.array(point)

    def _trees(self, point: list[float]) -> tuple[Tree, ...]:
        forced = FORCED[_part(point[0], len(FORCED))] if self._modes else Operator.JOIN
        edges: list[_Edge] = []
        at = self._modes
        for group in self._groups:
            edges += group.edges(point[at : at + group.dim])
            at += group.dim
        edges.sort()
        methods = [self._method(x) for x in point[at:]] or [None] * len(self.query.relations)
        trees: list[Tree] = [Scan(a, m) for a, m in zip(self.query.aliases, methods, strict=True)]
        root = list(range(len(trees)))
        for edge in edges:
            a, b = root[edge.first], root[edge.second]
            if a == b:
                continue
            choice = self._choices[_part(edge.key, len(self._choices))]
            left, right = (b, a) if choice.turned else (a, b)
            trees[a] = Join(choice.operator or forced, trees[left], trees[right])
            root = [a if r == b else r for r in root]
        firsts = [self.query.index[block.aliases[0]] for block in self.query.blocks]
        return tuple(trees[root[first]] for first in firsts)

    def _key(self, merge: _Merge, first: int) -> float:
        """The operator key of an edge of this merge, seen from the edge's first relation."""
        turned = self.abilities.sided and merge.operator == Operator.NEST and not merge.left >> first & 1
        wanted = {_Choice(merge.operator, turned), _Choice(None, turned)}
        part = next(i for i, choice in enumerate(self._choices) if choice in wanted)
        return _middle(part, len(self._choices))

    def _method(self, x: float) -> Method | None:
        if x < FREE:
            return None
        return self.abilities.methods[_part((x - FREE) / (1 - FREE), len(self.abilities.methods))]

    def _scan_key(self, method: Method | None) -> float:
        if method is None:
            return FREE / 2
        methods = self.abilities.methods
        return FREE + (1 - FREE) * _middle(methods.index(method), len(methods))


def server_plan(plan: Plan, server_trees: ServerTrees, query: Query, abilities: Abilities) -> Plan:
    """The trees that the server uses for a plan that leaves them to it.

    Raises:
        InvalidCandidate: They are not known.
    """
    text = spell(plan)
    found = server_trees(text) if callable(server_trees) else server_trees.get(text)
    if found is None:
        raise InvalidCandidate(f"{text!r} leaves the tree to the server, and which one it uses is not known here")
    return canonical_plan(found, query, abilities)


Key = Callable[[_Merge, int], float]


class _Pair:
    """One edge with coordinates of its own: priority, operator key."""

    dim = 2

    def __init__(self, first: int, second: int, n: int) -> None:
        self.first, self.second, self.n = first, second, n

    def edges(self, x: list[float]) -> list[_Edge]:
        return [_Edge(x[0], x[1], self.first, self.second)]

    def encode(self, merges: list[_Merge], leaves: list[int], key: Key) -> list[float]:
        merge = _merge_of(self.first, self.second, merges)
        return [(merge.size - 1) / self.n, key(merge, self.first)]


class _Line:
    """A large class: the positions of its `m` relations, then the priorities, then the operator keys of its m - 1 gaps."""

    def __init__(self, members: list[int], n: int) -> None:
        self.members, self.n = members, n
        self.dim = 3 * len(members) - 2

    def edges(self, x: list[float]) -> list[_Edge]:
        m = len(self.members)
        order = sorted(range(m), key=x.__getitem__)
        line = [self.members[i] for i in order]
        gaps, keys = x[m : 2 * m - 1], x[2 * m - 1 :]
        edges = []
        for i in range(m - 1):
            widest = i
            for j in range(i + 1, m):
                if gaps[j - 1] > gaps[widest]:
                    widest = j - 1
                edges.append(_Edge(gaps[widest], keys[widest], line[i], line[j]))
        return edges

    def encode(self, merges: list[_Merge], leaves: list[int], key: Key) -> list[float]:
        m = len(self.members)
        line = [i for i in leaves if i in self.members]
        between = [_merge_of(a, b, merges) for a, b in pairwise(line)]
        positions = [(line.index(i) + 0.5) / m for i in self.members]
        keys = [key(merge, a) for merge, a in zip(between, line, strict=False)]
        return [*positions, *((merge.size - 1) / self.n for merge in between), *keys]


def _groups(query: Query) -> Iterator[_Pair | _Line]:
    """The query's edges, each at least once; a pair in two small classes has its coordinates once."""
    n = len(query.relations)
    classes = [sorted({query.index[alias] for alias, _ in members}) for members in query.classes]
    for members in dict.fromkeys(tuple(c) for c in classes if len(c) > PAIRS_UP_TO):
        yield _Line(list(members), n)
    small = [c for c in classes if len(c) <= PAIRS_UP_TO]
    for first, second in dict.fromkeys((a, b) for c in small for i, a in enumerate(c) for b in c[i + 1 :]):
        yield _Pair(first, second, n)


def _visit(tree: Tree, index: Mapping[str, int], merges: list[_Merge], leaves: list[int]) -> int:
    """Collect the merges, inner ones first, and the leaves, left to right; returns the mask of the tree."""
    if isinstance(tree, Scan):
        leaves.append(index[tree.alias])
        return 1 << index[tree.alias]
    left = _visit(tree.left, index, merges, leaves)
    right = _visit(tree.right, index, merges, leaves)
    merges.append(_Merge(tree.operator, left, right))
    return left | right


def _merge_of(a: int, b: int, merges: list[_Merge]) -> _Merge:
    """The merge that brings two relations together: the innermost one that has both."""
    both = 1 << a | 1 << b
    return next(m for m in merges if both & (m.left | m.right) == both)


def _part(x: float, parts: int) -> int:
    """Which of so many equal parts of [0, 1] `x` lies in."""
    return min(max(int(x * parts), 0), parts - 1)


def _middle(part: int, parts: int) -> float:
    return (part + 0.5) / parts
