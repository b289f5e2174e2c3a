"""What equalities make of columns and relations: classes of equal columns, and whether they connect all relations."""

from __future__ import annotations

from boltbo.domains.plans.language.query import Block, ColumnRef, Query
from boltbo.errors import UnsupportedQuery


class Classes:
    """Union-find over columns."""

    def __init__(self) -> None:
        self._class: dict[ColumnRef, list[ColumnRef]] = {}

    def join(self, a: ColumnRef, b: ColumnRef) -> None:
        into, other = self._class.setdefault(a, [a]), self._class.setdefault(b, [b])
        if into is not other:
            into.extend(other)
            for member in other:
                self._class[member] = into

    def kept(self) -> tuple[tuple[ColumnRef, ...], ...]:
        """The classes over at least two relations, everything in the order in which the query names it."""
        groups: dict[int, list[ColumnRef]] = {}
        for member, members in self._class.items():
            groups.setdefault(id(members), []).append(member)
        return tuple(tuple(m) for m in groups.values() if len({alias for alias, _ in m}) > 1)


def check_connected(block: Block) -> None:
    """Make sure that equalities join every relation to the others.

    Raises:
        UnsupportedQuery: Some relation is apart.
    """
    query = Query("", (block,))
    reached, frontier = 1, 1
    while frontier:
        i = frontier.bit_length() - 1
        frontier &= ~(1 << i)
        new = query.neighbours[i] & ~reached
        reached, frontier = reached | new, frontier | new
    apart = [r.alias for i, r in enumerate(query.relations) if not reached >> i & 1]
    if apart:
        raise UnsupportedQuery(
            f"{', '.join(apart)}: no equality of columns joins this to {query.aliases[0]}; cross products are not supported"
        )
