"""A space of strings over an alphabet: all of some lengths, or those near a template."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from boltbo.domain import END
from boltbo.errors import InvalidCandidate
from boltbo.spaces.edits import alignment, apply_edits
from boltbo.spaces.symbols import inseparable, split_symbols

State = tuple[int, tuple[int, ...]]
"""State of the grammar: number of symbols written, and the last row of their Levenshtein table with the template."""

SUBSTITUTED, INSERTED = 0.6, 0.8
"""Bounds of the shares of a mutant's edits: 60% replace a symbol, 20% insert one, 20% delete one."""

BACK = 0.5
"""The share of mutants that are drawn with moves back towards the template, where the budget asks for some."""

ROUNDS = 24
"""How often mutants and children that broke a bound are drawn again, all of them at once, before fewer are returned."""


class Strings:
    """Candidates of `lengths[0]` to `lengths[1]` symbols of an alphabet; with a template, within some edits of it.

    An edit inserts, deletes or replaces one symbol: distances are Levenshtein's.

    The grammar is a Levenshtein automaton, run symbol by symbol (Schulz & Mihov, 2002): its state is the last row of the
    table of distances between what is written and the beginnings of the template, capped just above the budget. From any
    place of the template on, a candidate can be finished at no further cost, or at one edit for every symbol that it would
    be too long or too short; a symbol is allowed if after it some place is still within the budget. So no prefix is a
    dead end, and every candidate is reachable.

    Args:
        alphabet: The symbols: distinct, not empty and, with a separator, without it.
        lengths: The least and the greatest number of symbols.
        separator: What parts the symbols of a candidate; nothing for letters.
        template: A candidate that all others are near.
        edits: How many edits a candidate may be away from the template.

    Raises:
        ValueError: A symbol or the lengths are unusable, the template is no candidate, or only one of template and edits
            is given.
    """

    def __init__(
        self,
        alphabet: Sequence[str],
        lengths: tuple[int, int],
        *,
        separator: str = "",
        template: str | None = None,
        edits: int | None = None,
    ) -> None:
        self.alphabet = tuple(alphabet)
        self.lengths = lengths
        self.separator = separator
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet) or "" in self.alphabet:
            raise ValueError(f"the alphabet needs distinct, non-empty symbols, got {self.alphabet!r}")
        if bad := inseparable(self.alphabet, separator):
            raise ValueError(f"symbol {bad[0]!r} cannot be told apart with separator {separator!r}")
        if not 1 <= lengths[0] <= lengths[1]:
            raise ValueError(f"lengths must be (least, greatest) with 1 <= least <= greatest, got {lengths}")
        if (template is None) != (edits is None) or (edits is not None and edits < 0):
            raise ValueError(f"a template needs a number of edits, 0 or more, and the other way round, got {edits}")
        self.template: tuple[str, ...] | None = None
        self.edits = 0
        if template is not None and edits is not None:
            try:
                self.template = tuple(self.symbols(template))
            except InvalidCandidate as error:
                raise ValueError(f"the template is no candidate itself: {error}") from error
            self.edits = edits

    def distance(self, candidate: str) -> int:
        """Edits between the candidate and the template; 0 without one.

        Raises:
            InvalidCandidate: The text is no candidate.
        """
        symbols = self.symbols(candidate)
        return 0 if self.template is None else Levenshtein.distance(self.template, symbols)

    # --- StringSpace ------------------------------------------------------------------------------------------------

    def symbols(self, candidate: str) -> list[str]:
        symbols = split_symbols(candidate, self.separator)
        if not self.lengths[0] <= len(symbols) <= self.lengths[1]:
            least, greatest = self.lengths
            raise InvalidCandidate(f"expected {least} to {greatest} symbols, got {len(symbols)}: {candidate[:80]!r}")
        for i, symbol in enumerate(symbols):
            if symbol not in self.alphabet:
                raise InvalidCandidate(
                    f"symbol {i} is {symbol[:40]!r}, expected one of {', '.join(self.alphabet[:24])}"
                )
        if not self._near(symbols):
            raise InvalidCandidate(f"more than {self.edits} edits away from the template: {candidate[:80]!r}")
        return symbols

    def mutants(self, candidate: str, edits: int, n: int, rng: np.random.Generator) -> list[str]:
        """See `StringSpace`. The number of edits is uniform, before those that break a bound are drawn again.

        Near the edge of the budget most edits lead out of it, so half of the mutants first go back towards the template,
        at random places, by half of what the rest may go too far.
        """
        symbols = self.symbols(candidate)
        template = self.template or ()
        back = list(Levenshtein.editops(symbols, template)) if template else []
        mutants: list[str] = []
        for _ in range(ROUNDS):
            missing = n - len(mutants)
            if missing <= 0:
                break
            counts = rng.integers(1, edits + 1, size=missing).tolist()
            returning = (rng.random(missing) < BACK).tolist()
            draws = rng.random((missing, edits, 3)).tolist()
            orders = rng.random((missing, len(back))).argsort(axis=1).tolist()
            for count, returns, draw, order in zip(counts, returning, draws, orders, strict=True):
                child, returned = symbols, 0
                if returns and back:
                    excess = max(0, len(back) + count - self.edits)
                    returned = min(len(back), count, (excess + 1) // 2)
                    ops = [back[i] for i in sorted(order[:returned])]
                    child = apply_edits(symbols, ops, template)
                child = self._edited(child, draw[: count - returned])
                if child != symbols and self._valid(child):
                    mutants.append(self.separator.join(child))
        return mutants

    def crossed(self, one: str, other: str, n: int, rng: np.random.Generator) -> list[str]:
        """See `StringSpace`. A segment of `one` is replaced by the segment of `other` that is aligned with it."""
        a, b = self.symbols(one), self.symbols(other)
        path = alignment(a, b)
        children: list[str] = []
        for _ in range(ROUNDS):
            missing = n - len(children)
            if missing <= 0 or a == b:
                break
            cuts = np.sort(rng.integers(len(path), size=(missing, 2)), axis=1).tolist()
            for start, stop in cuts:
                (i, j), (k, m) = path[start], path[stop]
                child = a[:i] + b[j:m] + a[k:]
                if child != a and child != b and self._valid(child):
                    children.append(self.separator.join(child))
        return children

    def _edited(self, symbols: list[str], draws: Sequence[Sequence[float]]) -> list[str]:
        """One edit for each triple of uniform numbers: kind, place, symbol."""
        symbols, size = list(symbols), len(self.alphabet)
        for kind, where, which in draws:
            if kind < SUBSTITUTED and symbols:
                i = int(where * len(symbols))
                # Any but the one that is there, where there is another.
                step = 1 + int(which * (size - 1)) if size > 1 else 0
                symbols[i] = self.alphabet[(self.alphabet.index(symbols[i]) + step) % size]
            elif kind < INSERTED or not symbols:
                symbols.insert(int(where * (len(symbols) + 1)), self.alphabet[int(which * size)])
            else:
                del symbols[int(where * len(symbols))]
        return symbols

    def _valid(self, symbols: list[str]) -> bool:
        return self.lengths[0] <= len(symbols) <= self.lengths[1] and self._near(symbols)

    def _near(self, symbols: Sequence[str]) -> bool:
        if self.template is None:
            return True
        return Levenshtein.distance(self.template, symbols, score_cutoff=self.edits) <= self.edits

    # --- Grammar ----------------------------------------------------------------------------------------------------

    def start(self) -> State:
        if self.template is None:
            return 0, ()
        return 0, tuple(min(j, self.edits + 1) for j in range(len(self.template) + 1))

    def allowed(self, state: State) -> Sequence[str]:
        length, row = state
        symbols: tuple[str, ...] = ()
        if length < self.lengths[1]:
            symbols = self._nexts(length + 1, row) if self.template else self.alphabet
        may_end = self.lengths[0] <= length and (not row or row[-1] <= self.edits)
        return (*symbols, END) if may_end else symbols

    def advance(self, state: State, symbol: str) -> State:
        length, row = state
        if self.template is None:
            return length + 1, row
        cap = self.edits + 1
        left = min(row[0] + 1, cap)
        new = [left]
        for j, expected in enumerate(self.template):
            left = row[j] if expected == symbol else min(row[j] + 1, row[j + 1] + 1, left + 1, cap)
            new.append(left)
        return length + 1, tuple(new)

    def canonical(self, text: str) -> str:
        return self.separator.join(self.symbols(text))

    def _nexts(self, length: int, row: tuple[int, ...]) -> tuple[str, ...]:
        """The symbols after which a candidate can be finished; `length` counts them, `row` does not."""
        template, (least, greatest) = self.template or (), self.lengths
        rest = length + len(template)  # how long a candidate gets that goes on as the template does, from place 0 on
        # What may be spent until place j, if no more is to be spent afterwards than a wrong length costs.
        spare = [self.edits - max(0, rest - j - greatest, least - rest + j) for j in range(len(row))]
        if row[0] < spare[0] or any(min(row[j - 1], row[j]) < spare[j] for j in range(1, len(row))):
            return self.alphabet
        matching = {template[j - 1] for j in range(1, len(row)) if row[j - 1] <= spare[j]}
        return tuple(s for s in self.alphabet if s in matching)
