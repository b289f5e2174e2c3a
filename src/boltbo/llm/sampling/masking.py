"""A grammar over symbols as a machine over token ids, so that a sampler can obey it.

A symbol may be several tokens, symbols may share their first tokens, and one may begin another: where a prefix of ids can be
read in several ways, all readings are kept (a non-deterministic automaton, its sets of readings made into states as they
are met). The symbols that a state allows form a trie, built once for each set: per step, a batch costs one look-up a row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltbo.domain import END, Grammar

Ids = tuple[int, ...]
Reading = tuple[Hashable, bool, Ids]
"""(grammar state, whether the text's first symbol comes next, ids of the symbol begun)."""


class _Trie:
    """A trie of symbols by their ids.

    Attributes:
        after: Maps the ids of a symbol begun to the ids that may follow within it.
        whole: Maps ids to the symbols that they spell in full.
    """

    def __init__(self, spelled: Iterable[tuple[Ids, str]]) -> None:
        self.after: dict[Ids, set[int]] = {(): set()}
        self.whole: dict[Ids, list[str]] = {}
        for ids, symbol in spelled:
            for at, token in enumerate(ids):
                self.after.setdefault(ids[:at], set()).add(token)
            self.whole.setdefault(ids, []).append(symbol)


class Machine:
    """The grammar of one prompt over token ids.

    Args:
        grammar: The grammar over symbols.
        spell: Maps (symbol, whether it is the first of the text) to its ids.
        stop: The id that ends a text.
    """

    def __init__(self, grammar: Grammar, spell: Callable[[str, bool], Ids], stop: int) -> None:
        self._grammar = grammar
        self._spell = spell
        self._stop = stop
        self._numbers: dict[frozenset[Reading], int] = {}
        self._readings: list[frozenset[Reading]] = []
        self._next: list[dict[int, int]] = []
        self._tries: dict[tuple[Hashable, bool], _Trie] = {}
        self._shared_tries: dict[tuple[tuple[str, ...], bool], _Trie] = {}
        self._growing = threading.Lock()  # batches of one prompt may be sampled in several threads
        self.allowed: list[NDArray[np.int64]] = []
        """The ids that may come next, for each state."""
        self.start = self._number({(grammar.start(), True, ())})

    def advance(self, state: int, token: int) -> int:
        """The state after an allowed id; -1 after `stop`."""
        following = self._next[state]
        if token not in following:
            with self._growing:
                following[token] = -1 if token == self._stop else self._number(self._read(self._readings[state], token))
        return following[token]

    def _read(self, readings: Iterable[Reading], token: int) -> set[Reading]:
        """Each reading that may continue with `token`, and each in which it completes a symbol."""
        after: set[Reading] = set()
        for state, first, begun in readings:
            trie, ids = self._trie(state, first), (*begun, token)
            if ids in trie.after:
                after.add((state, first, ids))
            for symbol in trie.whole.get(ids, ()):
                after.add((self._grammar.advance(state, symbol), False, ()))
        return after

    def _trie(self, state: Hashable, first: bool) -> _Trie:
        if (state, first) not in self._tries:
            symbols = tuple(self._grammar.allowed(state))
            if not symbols:
                raise ValueError(f"the grammar allows nothing after state {state!r}, not even END")
            if (symbols, first) not in self._shared_tries:
                self._shared_tries[symbols, first] = _Trie(
                    ((self._stop,) if s == END else self._spell(s, first), s) for s in symbols
                )
            self._tries[state, first] = self._shared_tries[symbols, first]
        return self._tries[state, first]

    def _number(self, readings: set[Reading]) -> int:
        readings_key = frozenset(readings)
        if readings_key not in self._numbers:
            ids = set().union(*(self._trie(state, first).after[begun] for state, first, begun in readings_key))
            self._numbers[readings_key] = len(self._readings)
            self._readings.append(readings_key)
            self._next.append({})
            self.allowed.append(np.array(sorted(ids), dtype=np.int64))
        return self._numbers[readings_key]


def padded(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The allowed ids of many rows as one table (rows, A), padded with -1."""
    width = max(map(len, rows))
    table = np.full((len(rows), width), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def conditional(logits: Tensor, allowed: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities of the allowed ids alone.

    Args:
        logits: Logits of all ids, (rows, V).
        allowed: The allowed ids, (rows, A), padded with -1, whose log-probability is -inf.
        temperature: Divisor of the logits.

    Returns:
        The log-probabilities at this temperature (rows, A) and at temperature 1 (rows, A), and the log of the allowed ids'
        probability among all at this temperature (rows,).
    """
    logits = logits.float()
    allowed_logits = logits.gather(1, allowed.clamp(min=0)).masked_fill(allowed < 0, -torch.inf)
    warm = allowed_logits / temperature
    total = warm.logsumexp(1, keepdim=True)
    log_mass = (total[:, 0] - (logits / temperature).logsumexp(1)).clamp(max=0.0)
    log_p = warm - total
    return log_p, allowed_logits.log_softmax(1), log_mass
