"""A grammar over symbols as a machine over token ids, so that a sampler can obey it.

A symbol may be several tokens, symbols may share their first tokens, and one may begin another: where a prefix of ids can be
read in several ways, all readings are kept (a non-deterministic automaton, its sets of readings made into states as they
are met). States are numbered, and what they allow stands in one padded table: per step, a batch of rows costs one gather
and one look-up a row.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

from boltbo.problem import END, Grammar

Ids = tuple[int, ...]
Reading = tuple[Hashable, Ids]
"""(grammar state, ids of a symbol begun)"""


class Machine:
    """The grammar of one prompt over token ids.

    Args:
        grammar: Over symbols.
        spell: (symbol, whether it is the first of the text) -> its ids.
        stop: The id that ends a text.
    """

    def __init__(self, grammar: Grammar, spell: Callable[[str, bool], Ids], stop: int) -> None:
        self._grammar = grammar
        self._spell = spell
        self._stop = stop
        self._begin = grammar.start()
        self._numbers: dict[frozenset[Reading], int] = {}
        self._readings: list[frozenset[Reading]] = []
        self._next: list[dict[int, int]] = []
        self._symbols: dict[Hashable, list[tuple[Ids, str]]] = {}
        self.allowed: list[NDArray[np.int64]] = []
        """For each state, the ids that may come next."""
        self.start = self._number(frozenset({(self._begin, ())}))

    def advance(self, state: int, token: int) -> int:
        """The state after an allowed id; -1 after `stop`."""
        known = self._next[state]
        if token not in known:
            known[token] = -1 if token == self._stop else self._number(self._read(self._readings[state], token))
        return known[token]

    def _read(self, readings: frozenset[Reading], token: int) -> frozenset[Reading]:
        after: set[Reading] = set()
        for state, begun in self._closed(readings):
            ids = (*begun, token)
            if any(s[: len(ids)] == ids for s, symbol in self._spelled(state) if symbol != END):
                after.add((state, ids))
        return frozenset(after)

    def _closed(self, readings: frozenset[Reading]) -> set[Reading]:
        """The readings, and those in which a symbol that is spelled out counts as read."""
        closed = set(readings)
        for state, begun in readings:
            for ids, symbol in self._spelled(state):
                if begun and ids == begun:
                    closed.add((self._grammar.advance(state, symbol), ()))
        return closed

    def _spelled(self, state: Hashable) -> list[tuple[Ids, str]]:
        if state not in self._symbols:
            first = state == self._begin
            self._symbols[state] = [
                ((self._stop,) if s == END else self._spell(s, first), s) for s in self._grammar.allowed(state)
            ]
        return self._symbols[state]

    def _number(self, readings: frozenset[Reading]) -> int:
        if readings not in self._numbers:
            self._numbers[readings] = len(self._readings)
            self._readings.append(readings)
            self._next.append({})
            ids = {
                s[len(begun)]
                for state, begun in self._closed(readings)
                for s, _ in self._spelled(state)
                if len(s) > len(begun) and s[: len(begun)] == begun
            }
            self.allowed.append(np.array(sorted(ids), dtype=np.int64))
        return self._numbers[readings]
