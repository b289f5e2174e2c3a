"""The one form of each plan: what it must fulfil to be a plan of its query, and which of equal ways to write it counts.

The sides of a join that mean nothing (see `plan.Abilities`) are put in order: the bigger one left, of equal ones the one
with the relation that the query names first. The sides of a `nest` that mean something stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Join, Operator, Plan, Scan, Tree
from boltbo.domains.plans.language.query import Query
from boltbo.errors import InvalidCandidate


def canonical_plan(plan: Plan, query: Query, abilities: Abilities = PLAIN_SQL) -> Plan:
    """The same plan in canonical form.

    Raises:
        InvalidCandidate: It is no plan of this query: a relation is missing or there twice, a join is a cross product, or
            something is written that `abilities` do not have.
    """
    if not plan.trees:
        return Plan((), canonical_switches(plan.off, abilities))
    if len(plan.trees) != len(query.blocks):
        raise InvalidCandidate(f"the plan has {len(plan.trees)} trees, the query {len(query.blocks)} blocks")
    seen: set[Operator] = set()
    trees, everyone = [], 0
    for tree, block in zip(plan.trees, query.masks, strict=True):
        ordered, relations = _ordered(tree, query, abilities, seen)
        missing, strange = block & ~relations, relations & ~block
        if missing:
            raise InvalidCandidate(f"relations are missing: {_names(missing, query)}")
        if strange:
            raise InvalidCandidate(f"relations of another block: {_names(strange, query)}")
        trees.append(ordered)
        everyone |= relations
    if abilities.exclusive and {Operator.HASH, Operator.JOIN} <= seen:
        raise InvalidCandidate("hash and join do not mix in one plan")
    return Plan(tuple(trees))


def _ordered(tree: Tree, query: Query, abilities: Abilities, seen: set[Operator]) -> tuple[Tree, int]:
    """A tree with its sides in canonical order, and the bit mask of its relations; collects the operators."""
    if isinstance(tree, Scan):
        if tree.alias not in query.index:
            raise InvalidCandidate(f"the query has no relation {tree.alias!r}")
        if tree.method is not None and tree.method not in abilities.methods:
            raise InvalidCandidate(f"{tree.method} cannot be forced here")
        return tree, 1 << query.index[tree.alias]
    left, ours = _ordered(tree.left, query, abilities, seen)
    right, theirs = _ordered(tree.right, query, abilities, seen)
    if ours & theirs:
        raise InvalidCandidate(f"a relation is there twice: {_names(ours & theirs, query)}")
    if not around(query.neighbours, ours) & theirs:
        raise InvalidCandidate(f"no joined column between {_names(ours, query)} and {_names(theirs, query)}")
    if tree.operator not in abilities.operators:
        raise InvalidCandidate(f"{tree.operator} cannot be forced here")
    seen.add(tree.operator)
    kept = abilities.sided and tree.operator == Operator.NEST
    if not kept and _rank(theirs) < _rank(ours):
        left, right = right, left
    if left is tree.left and right is tree.right:
        return tree, ours | theirs
    return Join(tree.operator, left, right), ours | theirs


JOIN_METHODS = frozenset({"-hash", "-merge", "-nest"})
SCAN_METHODS = frozenset({"-index", "-indexonly", "-bitmap", "-seq"})


def canonical_switches(symbols: Iterable[str], abilities: Abilities = PLAIN_SQL) -> tuple[str, ...]:
    """Switch symbols in canonical order.

    Raises:
        InvalidCandidate: One is unknown or there twice, or they leave no way to join or to scan.
    """
    seen: set[str] = set()
    for position, symbol in enumerate(symbols, 2):
        if symbol not in abilities.switches:
            expected = " or ".join(abilities.switches)
            raise InvalidCandidate(f"symbol {position}: {symbol[:40]!r} is no switch; expected {expected}")
        if symbol in seen:
            raise InvalidCandidate(f"symbol {position}: {symbol} is there twice")
        seen.add(symbol)
    off = tuple(s for s in abilities.switches if s in seen)
    for methods, what in ((JOIN_METHODS, "join"), (SCAN_METHODS, "scan")):
        if methods <= set(off):
            raise InvalidCandidate(
                f"all {what} methods are off; leave out one of {' '.join(s for s in off if s in methods)}"
            )
    return off


@lru_cache(maxsize=1 << 16)
def around(neighbours: tuple[int, ...], relations: int) -> int:
    """The relations adjacent to any of these (some of these among them), as bit masks."""
    adjacent = 0
    while relations:
        adjacent |= neighbours[(relations & -relations).bit_length() - 1]
        relations &= relations - 1
    return adjacent


def _rank(relations: int) -> tuple[int, int]:
    """A key that sorts the bigger set first, and of equal ones that with the earliest relation."""
    return -relations.bit_count(), relations & -relations


def _names(relations: int, query: Query) -> str:
    return ", ".join(alias for i, alias in enumerate(query.aliases) if relations >> i & 1)
