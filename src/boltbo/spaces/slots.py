"""A space of candidates with a fixed number of symbols: numbers on a grid, flags, categories, letters at fixed places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boltbo.domain import END
from boltbo.errors import InvalidCandidate
from boltbo.problem import FloatArray
from boltbo.spaces.symbols import inseparable, split_symbols


class Slots:
    """Candidates of `len(choices)` symbols; the i-th is one of `choices[i]`, in an order in which neighbours are alike.

    Args:
        choices: For each slot, its symbols: distinct, not empty and, with a separator, without it.
        separator: What parts the symbols of a candidate.

    Raises:
        ValueError: A slot has no symbol, a symbol twice or an unusable one.
    """

    def __init__(self, choices: Sequence[Sequence[str]], separator: str = " ") -> None:
        self.choices = tuple(tuple(c) for c in choices)
        self.separator = separator
        for i, slot in enumerate(self.choices):
            if not slot or len(set(slot)) < len(slot) or "" in slot:
                raise ValueError(f"slot {i} needs distinct, non-empty symbols, got {slot!r}")
            if bad := inseparable(slot, separator):
                raise ValueError(f"slot {i}: {bad[0]!r} cannot be told apart with separator {separator!r}")

    # --- SearchSpace: slot i is coordinate i, cut into len(choices[i]) equal parts ----------------------------------

    @property
    def dim(self) -> int:
        return len(self.choices)

    def encode(self, candidate: str) -> FloatArray:
        symbols = self._symbols(candidate)
        places = [(slot.index(s) + 0.5) / len(slot) for s, slot in zip(symbols, self.choices, strict=True)]
        return np.array(places)

    def decode(self, points: FloatArray) -> list[str]:
        sizes = np.array([len(slot) for slot in self.choices])
        places = np.clip((np.asarray(points) * sizes).astype(int), 0, sizes - 1)
        return [self.separator.join(slot[j] for slot, j in zip(self.choices, row, strict=True)) for row in places]

    # --- Grammar: the state is how many symbols are written ---------------------------------------------------------

    def start(self) -> int:
        return 0

    def allowed(self, state: int) -> Sequence[str]:
        return self.choices[state] if state < len(self.choices) else (END,)

    def advance(self, state: int, symbol: str) -> int:
        return state + 1

    def canonical(self, text: str) -> str:
        return self.separator.join(self._symbols(text))

    def _symbols(self, text: str) -> list[str]:
        symbols = split_symbols(text, self.separator)
        if len(symbols) != len(self.choices):
            raise InvalidCandidate(f"expected {len(self.choices)} symbols, got {len(symbols)}: {text[:80]!r}")
        for i, (symbol, slot) in enumerate(zip(symbols, self.choices, strict=True)):
            if symbol not in slot:
                raise InvalidCandidate(f"symbol {i} is {symbol[:40]!r}, expected one of {', '.join(slot[:12])}")
        return symbols
