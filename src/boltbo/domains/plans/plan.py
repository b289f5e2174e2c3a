"""A query plan as boltbo sees it: either the server's own plan under some switches, or a join tree.

As text (see `language.py` for the grammar):

- ``default``                     the server's own plan of the untouched SQL
- ``default -hash -merge``        the same with ``enable_hashjoin`` and ``enable_mergejoin`` off (a Bao hint set)
- ``t nest ci hash ( mi1 join it1 ) nest n``   a join tree: a left-associative chain; a bushy right side in parentheses

Operators: ``hash`` a hash join (sides are the server's choice), ``nest`` a nested loop with the left side outer and the
right side inner (onto a subtree the server may turn them), ``join`` whatever join method the server likes for these two
sides. ``hash`` and ``join`` do not mix in one plan: forcing a hash join switches the other methods off for the whole
statement, so that ``join`` would mean ``hash``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Operator(StrEnum):
    HASH = "hash"
    NEST = "nest"
    JOIN = "join"


SWITCHES = {
    "-hash": "enable_hashjoin",
    "-merge": "enable_mergejoin",
    "-nest": "enable_nestloop",
    "-index": "enable_indexscan",
    "-indexonly": "enable_indexonlyscan",
    "-bitmap": "enable_bitmapscan",
    "-seq": "enable_seqscan",
    "-memo": "enable_memoize",
}
"""Switch symbol -> the server setting that it turns off. Their order here is the order in canonical text."""


@dataclass(frozen=True, slots=True)
class Scan:
    alias: str


@dataclass(frozen=True, slots=True)
class Join:
    operator: Operator
    left: Tree
    right: Tree


Tree = Scan | Join


@dataclass(frozen=True, slots=True)
class Plan:
    """`tree` None: the server's own plan with `off` (switch symbols) turned off. Else the tree, and `off` is empty."""

    tree: Tree | None = None
    off: tuple[str, ...] = ()


def aliases_of(tree: Tree) -> list[str]:
    """The aliases of a tree's leaves, left to right."""
    if isinstance(tree, Scan):
        return [tree.alias]
    return aliases_of(tree.left) + aliases_of(tree.right)


def operators_of(tree: Tree) -> set[Operator]:
    """The operators of a tree's joins."""
    if isinstance(tree, Scan):
        return set()
    return {tree.operator} | operators_of(tree.left) | operators_of(tree.right)
