"""Plans as text: the grammar that a model writes them by, and the one canonical spelling of each.

    plan  = "default" switch*  |  chain
    chain = alias (operator unit)*          left-associative, joins like this: ((a op b) op c)
    unit  = alias  |  "(" chain ")"         a chain in parentheses has at least two relations

Symbols are separated by blanks. An alias that could be mistaken for another symbol is written in double quotes, with its
awkward characters percent-encoded. In canonical text the bigger side of a `hash` or `join` stands on the left, of equal
sides the one with the relation that the query names first; the sides of a `nest` are what it means and stay.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from boltbo.domains.plans.plan import SWITCHES, Join, Operator, Plan, Scan, Tree
from boltbo.domains.plans.query import Query
from boltbo.problem import END, InvalidCandidate

DEFAULT = "default"
JOIN_METHODS = frozenset({"-hash", "-merge", "-nest"})
SCAN_METHODS = frozenset({"-index", "-indexonly", "-bitmap", "-seq"})

_SWITCH_ORDER = {switch: i for i, switch in enumerate(SWITCHES)}
_RESERVED = frozenset({DEFAULT, *Operator})
_PLAIN = re.compile(r'[^\s()"\-][^\s()"]*')
_SHOWN = 12


class Switching(NamedTuple):
    """State inside `default …`: the switches written so far, in order."""

    off: tuple[str, ...]


class Growing(NamedTuple):
    """State inside a tree. Sets of relations are bit masks.

    Attributes:
        frames: The relations of every open chain, the innermost last; an outer chain's do not count an inner one's.
        used: All relations written so far.
        forced: `hash` or `join`, whichever was written first; empty before.
        wants: What comes next: a unit (after an operator), the first alias of a chain (after a parenthesis), or an
            operator or an end (after a unit).
    """

    frames: tuple[int, ...]
    used: int
    forced: str
    wants: str


class Fixed(NamedTuple):
    """The first state and the last."""

    name: str


State = Switching | Growing | Fixed
START, DONE = Fixed("start"), Fixed("done")
_UNIT, _FIRST, _AFTER = "unit", "first", "after"


def symbol_of(alias: str) -> str:
    """How plans write an alias."""
    if _PLAIN.fullmatch(alias) and alias not in _RESERVED:
        return alias
    return f'"{quote(alias, safe="")}"'


class PlanGrammar:
    """The plans of one query, as a state machine (see `problem.Grammar`): no cross product, every relation once.

    Every state can be finished. A chain in parentheses may only open towards a component of at least two unused
    relations that touches the chain around it; within such a component it can always grow until it touches it again.
    """

    separator = " "

    def __init__(self, query: Query) -> None:
        self.query = query
        self.symbols = tuple(symbol_of(alias) for alias in query.aliases)
        self._position = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._everyone = (1 << len(self.symbols)) - 1
        self._longest = sum(len(s) + len(" ( join ) ") for s in self.symbols) + 100
        self._known: dict[State, tuple[str, ...]] = {}

    def start(self) -> Hashable:
        return START

    def allowed(self, state: State) -> Sequence[str]:
        known = self._known.get(state)
        if known is None:
            known = self._known[state] = tuple(self._next(state))
        return known

    def advance(self, state: State, symbol: str) -> Hashable:
        if symbol == END:
            return DONE
        if isinstance(state, Switching):
            return Switching((*state.off, symbol))
        if isinstance(state, Growing):
            return self._grow(state, symbol)
        if symbol == DEFAULT:
            return Switching(())
        first = 1 << self._position[symbol]
        return Growing((first,), first, "", _AFTER)

    def canonical(self, text: str) -> str:
        return _spell(self.parse(text))

    def parse(self, text: str) -> Plan:
        """The canonical plan that a text from anywhere writes.

        Raises:
            InvalidCandidate: The text is no plan of this query.
        """
        if len(text) > self._longest:
            raise InvalidCandidate(
                f"the text has {len(text)} characters; plans of this query have {self._longest} at most"
            )
        symbols = text.split()
        if symbols[:1] == [DEFAULT]:
            return Plan(None, _switches(symbols[1:]))
        self._check(symbols)
        return Plan(canonical_tree(self._tree(symbols), self.query))

    # -- the machine --------------------------------------------------------------------------------------------------

    def _next(self, state: State) -> list[str]:
        if isinstance(state, Switching):
            return [*(s for s in SWITCHES if _may_follow(s, state.off)), END]
        if isinstance(state, Fixed):
            return [END] if state == DONE else [DEFAULT, *self.symbols]
        here, unused = state.frames[-1], self._everyone & ~state.used
        if state.wants == _AFTER:
            return self._after(state, here, unused)
        if state.wants == _UNIT:
            inner = self._inner(here, unused)
            return [*self._named(self._around(here) & unused), *(["("] if inner else [])]
        return self._named(self._inner(state.frames[-2], unused))

    def _after(self, state: Growing, here: int, unused: int) -> list[str]:
        symbols: list[str] = []
        if self._around(here) & unused:
            symbols += [o for o in Operator if o == Operator.NEST or state.forced in ("", o)]
        if len(state.frames) > 1 and here & (here - 1) and self._around(here) & state.frames[-2]:
            symbols.append(")")
        if len(state.frames) == 1 and not unused:
            symbols.append(END)
        return symbols

    def _grow(self, state: Growing, symbol: str) -> Growing:
        frames, used, forced, _ = state
        if symbol == "(":
            return Growing((*frames, 0), used, forced, _FIRST)
        if symbol == ")":
            return Growing((*frames[:-2], frames[-2] | frames[-1]), used, forced, _AFTER)
        if symbol in _RESERVED:
            return Growing(frames, used, forced if symbol == Operator.NEST else symbol, _UNIT)
        one = 1 << self._position[symbol]
        return Growing((*frames[:-1], frames[-1] | one), used | one, forced, _AFTER)

    def _named(self, relations: int) -> list[str]:
        return [symbol for i, symbol in enumerate(self.symbols) if relations >> i & 1]

    def _around(self, relations: int) -> int:
        """The relations adjacent to any of these (some of these among them)."""
        return _around(self.query.neighbours, relations)

    def _inner(self, outer: int, unused: int) -> int:
        """The unused relations with which a chain in parentheses may begin: those of all components (of the unused)
        that have at least two relations and touch `outer`."""
        inner, left = 0, unused
        border = self._around(outer)
        while left:
            component = left & -left
            while (grown := component | self._around(component) & unused) != component:
                component = grown
            left &= ~component
            if component & (component - 1) and component & border:
                inner |= component
        return inner

    # -- reading ------------------------------------------------------------------------------------------------------

    def _check(self, symbols: Sequence[str]) -> None:
        """Follow the machine, so that exactly what it can write is read."""
        state: State = START
        for position, symbol in enumerate([*symbols, END], 1):
            allowed = self.allowed(state)
            if symbol not in allowed:
                found = repr(symbol[:40]) if symbol else "the end"
                expected = [a or "the end" for a in allowed[:_SHOWN]] + ["…"] * (len(allowed) > _SHOWN)
                raise InvalidCandidate(
                    f"symbol {position}: {found} cannot stand here; expected {' or '.join(expected)}"
                )
            state = self.advance(state, symbol)  # type: ignore[assignment]

    def _tree(self, symbols: Sequence[str]) -> Tree:
        """The tree of a checked text."""
        frames: list[tuple[Tree | None, Operator | None]] = []
        tree: Tree | None = None
        operator: Operator | None = None
        for symbol in symbols:
            if symbol == "(":
                frames.append((tree, operator))
                tree, operator = None, None
                continue
            if symbol in _RESERVED:
                operator = Operator(symbol)
                continue
            if symbol == ")":
                unit = tree
                tree, operator = frames.pop()
            else:
                unit = Scan(self.query.aliases[self._position[symbol]])
            assert unit is not None
            tree = unit if tree is None or operator is None else Join(operator, tree, unit)
        assert tree is not None
        return tree


def _switches(symbols: Sequence[str]) -> tuple[str, ...]:
    for position, symbol in enumerate(symbols, 2):
        if symbol not in SWITCHES:
            raise InvalidCandidate(f"symbol {position}: {symbol[:40]!r} is no switch; expected {' or '.join(SWITCHES)}")
        if symbol in symbols[: position - 2]:
            raise InvalidCandidate(f"symbol {position}: {symbol} is there twice")
    off = tuple(s for s in SWITCHES if s in symbols)
    for methods, what in ((JOIN_METHODS, "join"), (SCAN_METHODS, "scan")):
        if methods <= set(off):
            raise InvalidCandidate(
                f"all {what} methods are off; leave out one of {' '.join(s for s in off if s in methods)}"
            )
    return off


def _may_follow(switch: str, off: tuple[str, ...]) -> bool:
    after = {*off, switch}
    in_order = not off or _SWITCH_ORDER[switch] > _SWITCH_ORDER[off[-1]]
    return in_order and not after >= JOIN_METHODS and not after >= SCAN_METHODS


@lru_cache(maxsize=1 << 16)
def _around(neighbours: tuple[int, ...], relations: int) -> int:
    around = 0
    while relations:
        around |= neighbours[(relations & -relations).bit_length() - 1]
        relations &= relations - 1
    return around


# -- trees ------------------------------------------------------------------------------------------------------------


def canonical_tree(tree: Tree, query: Query) -> Tree:
    """The same plan with the sides of its `hash` and `join` joins in canonical order.

    Raises:
        InvalidCandidate: It is no plan of this query: a relation is missing or there twice, a join is a cross product,
            or `hash` and `join` both occur.
    """
    neighbours, index = query.neighbours, query.index
    seen: set[Operator] = set()

    def visit(tree: Tree) -> tuple[Tree, int]:
        if isinstance(tree, Scan):
            if tree.alias not in index:
                raise InvalidCandidate(f"the query has no relation {tree.alias!r}")
            return tree, 1 << index[tree.alias]
        left, ours = visit(tree.left)
        right, theirs = visit(tree.right)
        if ours & theirs:
            raise InvalidCandidate(f"a relation is there twice: {_names(ours & theirs, query)}")
        if not _around(neighbours, ours) & theirs:
            raise InvalidCandidate(f"no joined column between {_names(ours, query)} and {_names(theirs, query)}")
        seen.add(tree.operator)
        if tree.operator != Operator.NEST and _rank(theirs) < _rank(ours):
            left, right = right, left
        if left is tree.left and right is tree.right:
            return tree, ours | theirs
        return Join(tree.operator, left, right), ours | theirs

    ordered, everyone = visit(tree)
    missing = (1 << len(query.relations)) - 1 & ~everyone
    if missing:
        raise InvalidCandidate(f"relations are missing: {_names(missing, query)}")
    if {Operator.HASH, Operator.JOIN} <= seen:
        raise InvalidCandidate("hash and join do not mix in one plan")
    return ordered


def _rank(relations: int) -> tuple[int, int]:
    """Sorts the bigger set first; of equal ones that with the earliest relation."""
    return -relations.bit_count(), relations & -relations


def _names(relations: int, query: Query) -> str:
    return ", ".join(alias for i, alias in enumerate(query.aliases) if relations >> i & 1)


def parse_plan(text: str, query: Query) -> Plan:
    """The canonical plan that a text writes.

    Raises:
        InvalidCandidate: The text is no plan of this query.
    """
    return PlanGrammar(query).parse(text)


def format_plan(plan: Plan, query: Query) -> str:
    """The canonical text of a plan.

    Raises:
        InvalidCandidate: It is no plan of this query.
    """
    if plan.tree is None:
        return _spell(Plan(None, _switches(plan.off)))
    return _spell(Plan(canonical_tree(plan.tree, query)))


def _spell(plan: Plan) -> str:
    """The text of a plan that is canonical already."""
    if plan.tree is None:
        return " ".join([DEFAULT, *plan.off])
    words: list[str] = []
    _write(plan.tree, words)
    return " ".join(words)


def _write(tree: Tree, words: list[str]) -> None:
    if isinstance(tree, Scan):
        words.append(symbol_of(tree.alias))
        return
    _write(tree.left, words)
    words.append(tree.operator.value)
    if isinstance(tree.right, Scan):
        words.append(symbol_of(tree.right.alias))
        return
    words.append("(")
    _write(tree.right, words)
    words.append(")")
