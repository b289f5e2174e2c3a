"""A query plan as boltbo sees it: either the server's own plan under some switches, or a join tree for each block.

As text (see `grammar.py`):

- ``default``                     the server's own plan of the untouched SQL
- ``default -hash -merge``        the same with ``enable_hashjoin`` and ``enable_mergejoin`` off (a Bao hint set)
- ``t nest ci hash ( mi1 join it1 ) nest n``   a join tree: a left-associative chain; a bushy right side in parentheses
- ``t hash ci ; x nest y``        the trees of a statement with two blocks of inner joins
- ``seq t merge index ci``        relations with the method that scans them

Operators: ``hash`` a hash join, ``merge`` a merge join (the sides of both are the server's choice), ``nest`` a nested loop
with the left side outer and the right side inner, ``join`` whatever join method the server likes for these two sides.
Which of them may be written, and whether the sides of a ``nest`` mean anything, depends on what steers the server: see
`Abilities`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Operator(StrEnum):
    HASH = "hash"
    MERGE = "merge"
    NEST = "nest"
    JOIN = "join"


class Method(StrEnum):
    """How a relation is scanned."""

    SEQ = "seq"
    INDEX = "index"
    ONLY = "indexonly"
    BITMAP = "bitmap"


EXCLUSIVE = (Operator.HASH, Operator.JOIN)
"""The operators that do not stand in one plan where `Abilities.exclusive`"""

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
    """A relation; `method` None: the server chooses how it is scanned."""

    alias: str
    method: Method | None = None


@dataclass(frozen=True, slots=True)
class Join:
    operator: Operator
    left: Tree
    right: Tree


Tree = Scan | Join


@dataclass(frozen=True, slots=True)
class Plan:
    """One tree for each block of the query, in order. No trees: the server's own plan with `off` (switch symbols) off."""

    trees: tuple[Tree, ...] = ()
    off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Abilities:
    """What of a plan a server can be made to follow, and so what is worth writing.

    Attributes:
        operators: Operators that may stand in a tree; none: there are no trees, only switches.
        exclusive: `hash` and `join` never stand in one plan: a hash join is forced by switching every other method off for
            the whole statement, so that `join` would mean `hash`.
        sided: The left side of a `nest` is the outer one. Else it is the server's choice, as it is of the other operators.
        methods: Scan methods that may be written, for plans that say what a server did; no dialect forces any.
        switches: The switches of `SWITCHES` that the server has.
    """

    operators: tuple[Operator, ...]
    exclusive: bool = False
    sided: bool = False
    methods: tuple[Method, ...] = ()
    switches: tuple[str, ...] = tuple(SWITCHES)


PLAIN_SQL = Abilities((Operator.HASH, Operator.NEST, Operator.JOIN), exclusive=True, sided=True)
"""What can be said to every PostgreSQL without an extension: see `dialects/sql.py`."""

EVERYTHING = Abilities(tuple(Operator), sided=True, methods=tuple(Method))
"""All that can be written of trees: to say what a server did, not what it is asked for."""


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


def scans_of(tree: Tree) -> list[Scan]:
    """A tree's leaves, left to right."""
    return [tree] if isinstance(tree, Scan) else scans_of(tree.left) + scans_of(tree.right)
