"""Strings of symbols as vectors whose distances say how alike the strings are.

Three groups of features, chosen by how well a Gaussian process on them predicts
(research/scripts/optimizers/string_kernels.py):

    count       how often each symbol occurs
    pair        how often symbol b comes `gap` places after symbol a, gap 1 to 4: which symbols are neighbours (the
                spectrum kernel of Leslie, Eskin & Noble, 2002, with gaps)
    place       which symbol is where, counted from the start and once more from the end, each place blurred over its
                neighbours so that a shift by one is a small change (after the oligo kernel of Meinicke et al., 2004)

As columns, these would be thousands, mostly zeros. Each feature is a fixed random direction instead, and a string is the
sum of the directions of its features: distances keep their size up to a few percent (Johnson & Lindenstrauss, 1984), and a
kernel of such vectors is positive definite whatever they are. Directions are drawn from the names of the features, so that a
string has the same vector in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from boltbo.problem import FloatArray

GAPS = (1, 2, 3, 4)
BLUR = 0.75
"""Standard deviation of a place, in places."""

REACH = 2
"""The number of places on either side that a blur reaches."""

SIZES = (128, 256, 256)
"""Dimensions of count, pair and place."""

SLICES = tuple(slice(sum(SIZES[:g]), sum(SIZES[: g + 1])) for g in range(len(SIZES)))
"""The columns of each group."""


_PLACES, _SYMBOLS = 1 << 42, 1 << 21
"""A feature's key holds three numbers: gap or side, first symbol or place, symbol."""

_WEIGHTS = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / BLUR) ** 2)
_WEIGHTS /= np.sqrt((_WEIGHTS**2).sum())


class Features:
    """A maker of vectors, shape (n, sum of `SIZES`), that can remember them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._symbols: list[str] = []
        self._rows: tuple[dict[int, int], ...] = ({}, {}, {})
        self._directions: tuple[list[FloatArray], ...] = ([], [], [])
        self._tables = [np.zeros((0, size)) for size in SIZES]
        self._remembered: dict[tuple[str, ...], FloatArray] = {}

    def of(self, strings: Sequence[tuple[str, ...]], *, keep: bool = False) -> FloatArray:
        """The vectors of strings, one row each; with `keep`, they are remembered."""
        new = [s for s in dict.fromkeys(strings) if s not in self._remembered]
        fresh = dict(zip(new, self._vectors(new), strict=True)) if new else {}
        if keep:
            self._remembered |= fresh
        vectors = [fresh[s] if s in fresh else self._remembered[s] for s in strings]
        return np.array(vectors).reshape(len(strings), sum(SIZES))

    def _vectors(self, strings: Sequence[tuple[str, ...]]) -> FloatArray:
        ids, lengths = self._padded(strings)
        place = np.arange(ids.shape[1])
        inside = place < lengths[:, None]
        pair = [g * _PLACES + ids[:, :-gap] * _SYMBOLS + ids[:, gap:] for g, gap in enumerate(GAPS)]
        # No key of a place outside the string is read, whatever it is.
        ends = [place * _SYMBOLS + ids, _PLACES + (lengths[:, None] - 1 - place) * _SYMBOLS + ids]
        return np.hstack(
            [
                self._summed(0, ids, inside),
                self._summed(1, np.hstack(pair), np.hstack([inside[:, gap:] for gap in GAPS])),
                self._summed(2, np.hstack(ends), np.hstack([inside, inside])),
            ]
        )

    def _padded(self, strings: Sequence[tuple[str, ...]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The symbols' numbers, shape (n, longest), and the strings' lengths, shape (n,)."""
        lengths = np.array([len(s) for s in strings])
        ids = np.zeros((len(strings), max(int(lengths.max()), max(GAPS) + 1)), dtype=np.int64)
        for row, string in zip(ids, strings, strict=True):
            for symbol in string:
                if symbol not in self._numbers:
                    self._numbers[symbol] = len(self._symbols)
                    self._symbols.append(symbol)
            row[: len(string)] = [self._numbers[symbol] for symbol in string]
        return ids, lengths

    def _summed(self, group: int, keys: NDArray[np.int64], inside: NDArray[np.bool_]) -> FloatArray:
        """The sum of the directions of each string's features, always in the order in which it has them."""
        rows, directions = self._rows[group], self._directions[group]
        distinct, at = np.unique(keys[inside], return_inverse=True)
        for key in distinct.tolist():
            if key not in rows:
                rows[key] = len(directions)
                directions.append(self._direction(group, key))
        if len(self._tables[group]) < len(directions):
            self._tables[group] = np.array(directions)
        columns = np.array([rows[key] for key in distinct.tolist()], dtype=np.int64)[at]
        ends = np.concatenate([[0], inside.sum(axis=1).cumsum()])
        sparse = csr_array((np.ones(len(columns)), columns, ends), shape=(len(keys), len(directions)))
        return np.asarray(sparse @ self._tables[group])

    def _direction(self, group: int, key: int) -> FloatArray:
        """A random vector of expected length 1; that of a place is the blur over its neighbours."""
        first, rest = divmod(key, _PLACES)
        second, third = divmod(rest, _SYMBOLS)
        symbol, size = self._symbols[third], SIZES[group]
        if group == 0:
            return _random((symbol,), size)
        if group == 1:
            return _random((str(GAPS[first]), self._symbols[second], symbol), size)
        side = ("start", "end")[first]
        near = [_random((side, str(second + step), symbol), size) for step in range(-REACH, REACH + 1)]
        return np.asarray(_WEIGHTS @ np.array(near))


def _random(name: tuple[str, ...], size: int) -> FloatArray:
    seed = crc32("\0".join(name).encode())
    return np.asarray(np.random.default_rng(seed).standard_normal(size) / np.sqrt(size))
