"""Join trees as strings over the symbols of a schema, in which every string means a plan of every query.

One vocabulary serves all queries of a schema, so that one sequence model serves all their tasks: BayesQO's way (Tao et al.,
"Learned offline query planning via Bayesian optimization", SIGMOD 2025).

As published: a join is written as its two sides and its operator; a side that is a subtree is called by its first leaf; a
relation is its table and which occurrence of that table in the query it is; the joins stand in an order in which sides come
before what is made of them. When a string is read, a relation that the query does not have stands for one that it has,
by a fixed rule, and relations that were never joined are appended.

Different here: table and occurrence are one symbol (``title#1``), not two, so a join is three symbols; joins stand in
postorder; no repair makes a cross product while there is another way, a query with several blocks has their strings one
after the other, and operators that cannot be forced become ones that can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

from boltbo.domains.plans.language.canonical import around
from boltbo.domains.plans.language.plan import EXCLUSIVE, PLAIN_SQL, Abilities, Join, Operator, Scan, Tree, aliases_of
from boltbo.domains.plans.language.query import Query, Relation

OCCURRENCE = "#"
DERIVED = "(derived)"

_NUMBER = re.compile("[0-9]{1,9}")
_OPERATORS = tuple(Operator)


def names_of(relations: Iterable[Relation]) -> dict[str, str]:
    """The symbol of each relation, by alias: its table, and which of that table's occurrences it is, from 1."""
    names: dict[str, str] = {}
    occurrences: dict[str, int] = {}
    for relation in relations:
        table = DERIVED if relation.derived else relation.table
        occurrences[table] = occurrences.get(table, 0) + 1
        names[relation.alias] = f"{table}{OCCURRENCE}{occurrences[table]}"
    return names


def vocabulary(queries: Iterable[Query]) -> list[str]:
    """The symbols of every string about these queries: their relations, sorted, then all operators."""
    return [*sorted({name for q in queries for name in names_of(q.relations).values()}), *_OPERATORS]


def longest(queries: Iterable[Query]) -> int:
    """The number of symbols of the longest string about one of these queries."""
    return max((3 * (len(q.relations) - len(q.blocks)) for q in queries), default=0)


def to_string(trees: Sequence[Tree], query: Query) -> list[str]:
    """The string of a plan's trees; scan methods are not said."""
    names = names_of(query.relations)
    symbols: list[str] = []
    for tree in trees:
        _write(tree, names, symbols)
    return symbols


def from_string(symbols: Sequence[str], query: Query, abilities: Abilities = PLAIN_SQL) -> tuple[Tree, ...]:
    """A tree for each block of the query, whatever the symbols are.

    An operator joins the last two relations named since the operator before it; where only one was named, the other side
    is the first that can be.
    """
    forest = _Forest(query, abilities)
    named: list[str] = []
    for symbol in symbols:
        if symbol in _OPERATORS:
            if named:
                forest.join(named[-2:], Operator(symbol))
            named = []
        else:
            named.append(symbol)
    return forest.finished()


def well_formed(symbols: Sequence[str]) -> bool:
    """Whether a string writes one tree over some relations: nothing in it is superfluous or missing."""
    side: dict[str, int] = {}
    trees = 0
    if not symbols or len(symbols) % 3:
        return False
    for at in range(0, len(symbols), 3):
        left, right, operator = symbols[at : at + 3]
        if operator not in _OPERATORS or left in _OPERATORS or right in _OPERATORS or left == right:
            return False
        for name in (left, right):
            if name not in side:
                side[name] = trees = trees + 1
        kept, gone = side[left], side[right]
        if kept == gone:
            return False
        side = {name: kept if tree == gone else tree for name, tree in side.items()}
    return len(set(side.values())) == 1


def _write(tree: Tree, names: Mapping[str, str], symbols: list[str]) -> None:
    if isinstance(tree, Join):
        _write(tree.left, names, symbols)
        _write(tree.right, names, symbols)
        symbols += [names[aliases_of(tree.left)[0]], names[aliases_of(tree.right)[0]], tree.operator.value]


class _Forest:
    """The trees while a string is read. `root` says for each relation which tree it is in, by one of its relations."""

    def __init__(self, query: Query, abilities: Abilities) -> None:
        self.query, self.abilities = query, abilities
        n = len(query.relations)
        self.names = list(names_of(query.relations).values())
        self.root = list(range(n))
        self.trees: list[Tree] = [Scan(alias) for alias in query.aliases]
        self.masks = [1 << i for i in range(n)]
        self.forced: Operator | None = None

    def join(self, named: Sequence[str], operator: Operator) -> None:
        """Join the trees of two relations, or those that stand for them; nothing where all trees are whole."""
        growing = [i for i in range(len(self.root)) if self._border(i)]
        if not growing:
            return
        left = self._meant(named[0], growing)
        others = self._members(self._border(left))
        self._merge(left, self._meant(named[1], others) if len(named) > 1 else others[0], operator)

    def finished(self) -> tuple[Tree, ...]:
        """One tree a block: to the largest of its trees the others are joined, in the order of the query."""
        for block in self.query.masks:
            relations = self._members(block)
            largest = max(relations, key=lambda i: (self.masks[self.root[i]].bit_count(), -i))
            while border := self._border(largest):
                self._merge(largest, self._members(border)[0], self.abilities.operators[0])
        return tuple(self.trees[self.root[self._members(block)[0]]] for block in self.query.masks)

    def _merge(self, left: int, right: int, operator: Operator) -> None:
        a, b = self.root[left], self.root[right]
        self.trees[a] = Join(self._possible(operator), self.trees[a], self.trees[b])
        self.masks[a] |= self.masks[b]
        self.root = [a if r == b else r for r in self.root]

    def _border(self, relation: int) -> int:
        """The relations of other trees that share a column with this relation's tree."""
        tree = self.masks[self.root[relation]]
        return around(self.query.neighbours, tree) & ~tree

    def _meant(self, name: str, among: Sequence[int]) -> int:
        """The relation of this name; else one of its trees' mates; else another of its table; else any."""
        if name in self.names:
            wanted = self.names.index(name)
            mates = [i for i in among if self.root[i] == self.root[wanted]]
            if mates:
                return wanted if wanted in mates else mates[0]
        table, _, occurrence = name.rpartition(OCCURRENCE)
        same = [i for i in among if self.names[i].rpartition(OCCURRENCE)[0] == table]
        if same:
            return same[(int(occurrence) - 1 if _NUMBER.fullmatch(occurrence) else 0) % len(same)]
        return among[crc32(name.encode()) % len(among)]

    def _possible(self, operator: Operator) -> Operator:
        possible = self.abilities.operators
        if operator not in possible:
            operator = possible[_OPERATORS.index(operator) % len(possible)]
        if self.abilities.exclusive and operator in EXCLUSIVE:
            self.forced = self.forced or operator
            return self.forced
        return operator

    def _members(self, relations: int) -> list[int]:
        return [i for i in range(len(self.root)) if relations >> i & 1]
