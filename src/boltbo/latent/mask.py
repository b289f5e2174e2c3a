"""A grammar as a mask on what the VAE's decoder may write next.

Every symbol is one id of the vocabulary, so this is simpler than `llm.sampling.masking`: a state's symbols are a
row of booleans.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from boltbo.domain import END, Grammar


class Mask:
    """A grammar over ids. It remembers the states that it has met, so keep it as long as the task.

    Args:
        grammar: The grammar of the task.
        ids: The vocabulary; symbols of the grammar beyond it are never written.
        stop: The id that ends a sequence.
        size: Number of ids.
    """

    def __init__(self, grammar: Grammar, ids: Mapping[str, int], stop: int, size: int) -> None:
        self._grammar, self._ids, self._stop, self._size = grammar, ids, stop, size
        self._symbols = {i: symbol for symbol, i in ids.items()}
        self._rows: dict[Hashable, Tensor] = {}
        self._next: dict[tuple[Hashable, int], Hashable] = {}

    def start(self) -> Hashable:
        return self._grammar.start()

    def allowed(self, states: Sequence[Hashable]) -> Tensor:
        """Whether each id may come next in each state, shape (B, size).

        Raises:
            ValueError: The grammar allows only symbols beyond the vocabulary.
        """
        return torch.stack([self._row(state) for state in states])

    def advance(self, state: Hashable, token: int) -> Hashable:
        if (state, token) not in self._next:
            self._next[state, token] = self._grammar.advance(state, self._symbols[token])
        return self._next[state, token]

    def _row(self, state: Hashable) -> Tensor:
        if state not in self._rows:
            symbols = self._grammar.allowed(state)
            row = torch.zeros(self._size, dtype=torch.bool)
            row[[self._stop if s == END else self._ids[s] for s in symbols if s == END or s in self._ids]] = True
            if not row.any():
                raise ValueError(f"the grammar asks for one of {list(symbols)[:12]}, none is in the VAE's vocabulary")
            self._rows[state] = row
        return self._rows[state]
