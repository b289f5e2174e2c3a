"""Plans as text: the grammar that a model writes them by, and the one canonical spelling of each.

    plan  = "default" switch*  |  chain (";" chain)*      a chain for each block of the query, in order
    chain = unit (operator unit)*           left-associative, joins like this: ((a op b) op c)
    unit  = [method] alias  |  "(" chain ")"        a chain in parentheses has at least two relations

Symbols are separated by blanks. An alias that could be mistaken for another symbol is written in double quotes, with its
awkward characters percent-encoded. A chain never begins with a parenthesis. Which operators and methods there are depends
on the `Abilities`; the canonical form is that of `canonical.py`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from boltbo.domain import END
from boltbo.domains.plans.language.canonical import JOIN_METHODS, SCAN_METHODS, around, canonical_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities, Method, Operator, Plan
from boltbo.domains.plans.language.query import Query
from boltbo.domains.plans.language.spelling import DEFAULT, NEXT, spell, symbol_of, trees_of
from boltbo.errors import InvalidCandidate

_OPERATORS = frozenset(Operator)
_METHODS = frozenset(Method)
_SHOWN = 12


class Switching(NamedTuple):
    """State inside `default …`: the switches written so far, in order."""

    off: tuple[str, ...]


class Growing(NamedTuple):
    """State inside the trees. Sets of relations are bit masks.

    Attributes:
        frames: The relations of every open chain, the innermost last; an outer chain's do not count an inner one's.
        used: All relations written so far.
        forced: `hash` or `join`, whichever was written first, where they exclude each other; else empty.
        wants: What comes next: the first alias of a block, a unit (after an operator), the first alias of a chain in
            parentheses, or an operator or an end (after a unit).
        scanned: A method was just written: an alias comes next.
    """

    frames: tuple[int, ...]
    used: int
    forced: str
    wants: str
    scanned: bool = False


class Fixed(NamedTuple):
    """The first state and the last."""

    name: str


State = Switching | Growing | Fixed
START, DONE = Fixed("start"), Fixed("done")
_BLOCK, _UNIT, _FIRST, _AFTER = "block", "unit", "first", "after"
_NOTHING = Growing((0,), 0, "", _BLOCK)


class PlanGrammar:
    """The plans of one query, as a state machine (see `problem.Grammar`): no cross product, every relation once.

    Every state can be finished. A chain in parentheses may only open towards a component of at least two unused
    relations that touches the chain around it; within such a component it can always grow until it touches it again.
    """

    separator = " "

    def __init__(self, query: Query, abilities: Abilities = PLAIN_SQL) -> None:
        self.query, self.abilities = query, abilities
        self.symbols = tuple(symbol_of(alias) for alias in query.aliases)
        self._position = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._everyone = (1 << len(self.symbols)) - 1
        self._longest = sum(len(s) + len(" indexonly ( merge ) ; ") for s in self.symbols) + 100
        self._allowed: dict[State, tuple[str, ...]] = {}

    def start(self) -> Hashable:
        return START

    def allowed(self, state: State) -> Sequence[str]:
        symbols = self._allowed.get(state)
        if symbols is None:
            symbols = self._allowed[state] = tuple(self._next(state))
        return symbols

    def advance(self, state: State, symbol: str) -> Hashable:
        if symbol == END:
            return DONE
        if isinstance(state, Switching):
            return Switching((*state.off, symbol))
        if isinstance(state, Growing):
            return self._grow(state, symbol)
        return Switching(()) if symbol == DEFAULT else self._grow(_NOTHING, symbol)

    def canonical(self, text: str) -> str:
        return spell(self.parse(text))

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
            return canonical_plan(Plan((), tuple(symbols[1:])), self.query, self.abilities)
        self._check(symbols)
        return canonical_plan(Plan(trees_of(symbols)), self.query, self.abilities)

    # -- the machine --------------------------------------------------------------------------------------------------

    def _next(self, state: State) -> list[str]:
        if isinstance(state, Switching):
            return [*(s for s in self.abilities.switches if self._may_follow(s, state.off)), END]
        if isinstance(state, Fixed):
            trees = self._next(_NOTHING) if state == START and self.abilities.operators else []
            return [END] if state == DONE else [DEFAULT, *trees]
        here, unused = state.frames[-1], self._everyone & ~state.used
        if state.wants == _AFTER:
            return self._after(state, here, unused)
        methods = [] if state.scanned else [m.value for m in self.abilities.methods]
        if state.wants == _UNIT:
            inner = not state.scanned and self._inner(here, unused)
            return [*methods, *self._named(self._around(here) & unused), *(["("] if inner else [])]
        if state.wants == _FIRST:
            return [*methods, *self._named(self._inner(state.frames[-2], unused))]
        return [*methods, *self._named(next(block for block in self.query.masks if block & unused))]

    def _after(self, state: Growing, here: int, unused: int) -> list[str]:
        symbols: list[str] = []
        if self._around(here) & unused:
            symbols += [o for o in self.abilities.operators if o == Operator.NEST or state.forced in ("", o)]
        if len(state.frames) > 1:
            if here & (here - 1) and self._around(here) & state.frames[-2]:
                symbols.append(")")
        elif here in self.query.masks:
            symbols.append(NEXT if unused else END)
        return symbols

    def _grow(self, state: Growing, symbol: str) -> Growing:
        frames, used, forced, wants, _ = state
        if symbol in _METHODS:
            return Growing(frames, used, forced, wants, True)
        if symbol == NEXT:
            return Growing((0,), used, forced, _BLOCK)
        if symbol == "(":
            return Growing((*frames, 0), used, forced, _FIRST)
        if symbol == ")":
            return Growing((*frames[:-2], frames[-2] | frames[-1]), used, forced, _AFTER)
        if symbol in _OPERATORS:
            forces = self.abilities.exclusive and symbol != Operator.NEST
            return Growing(frames, used, symbol if forces else forced, _UNIT)
        one = 1 << self._position[symbol]
        return Growing((*frames[:-1], frames[-1] | one), used | one, forced, _AFTER)

    def _named(self, relations: int) -> list[str]:
        return [symbol for i, symbol in enumerate(self.symbols) if relations >> i & 1]

    def _around(self, relations: int) -> int:
        return around(self.query.neighbours, relations)

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

    def _may_follow(self, switch: str, off: tuple[str, ...]) -> bool:
        after, order = {*off, switch}, self.abilities.switches
        in_order = not off or order.index(switch) > order.index(off[-1])
        return in_order and not after >= JOIN_METHODS and not after >= SCAN_METHODS

    # -- reading ------------------------------------------------------------------------------------------------------

    def _check(self, symbols: Sequence[str]) -> None:
        """Follow the machine, so that exactly what it can write is read."""
        state: State = START
        for position, symbol in enumerate([*symbols, END], 1):
            allowed = self.allowed(state)
            if symbol not in allowed:
                here = repr(symbol[:40]) if symbol else "the end"
                expected = [a or "the end" for a in allowed[:_SHOWN]] + ["…"] * (len(allowed) > _SHOWN)
                raise InvalidCandidate(f"symbol {position}: {here} cannot stand here; expected {' or '.join(expected)}")
            state = self.advance(state, symbol)  # type: ignore[assignment]


def parse_plan(text: str, query: Query, abilities: Abilities = PLAIN_SQL) -> Plan:
    """The canonical plan that a text writes.

    Raises:
        InvalidCandidate: The text is no plan of this query.
    """
    return PlanGrammar(query, abilities).parse(text)


def format_plan(plan: Plan, query: Query, abilities: Abilities = PLAIN_SQL) -> str:
    """The canonical text of a plan.

    Raises:
        InvalidCandidate: It is no plan of this query.
    """
    return spell(canonical_plan(plan, query, abilities))
