"""Strings of symbols as vectors whose distances say how alike the strings are.

Three groups of features, chosen by how well a Gaussian process on them predicts (benchmarks/string_kernels.py):

    count       how often each symbol occurs: what is in the string
    pair        how often symbol b comes `gap` places after symbol a, gap 1 to 4: which symbols are neighbours (the
                spectrum kernel of Leslie, Eskin & Noble, 2002, with gaps)
    place       which symbol is where, counted from the start and once more from the end, each place blurred over its
                neighbours so that a shift by one is a small change (after the oligo kernel of Meinicke et al., 2004)

Exactly, these would be thousands of columns, mostly zeros. Each feature is a fixed random direction instead, and a string
the sum of those of its features: distances keep their size up to a few percent (Johnson & Lindenstrauss, 1984), and a kernel
of such vectors is positive definite whatever they are. Directions are drawn from the names of the features, so that a string
has the same vector in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from scipy.sparse import csr_array

from boltbo.problem import FloatArray

GAPS = (1, 2, 3, 4)
BLUR = 0.75
"""Standard deviation of a place, in places."""

REACH = 2
"""Places on either side that a blur reaches."""

SIZES = (128, 256, 256)
"""Dimensions of count, pair and place."""

SLICES = tuple(slice(sum(SIZES[:g]), sum(SIZES[: g + 1])) for g in range(len(SIZES)))
"""The columns of each group."""


class Features:
    """Makes and keeps vectors, shape (n, sum of `SIZES`)."""

    def __init__(self) -> None:
        self._directions: tuple[list[FloatArray], ...] = ([], [], [])
        self._rows: tuple[dict[tuple[str, ...], int], ...] = ({}, {}, {})
        self._tables: list[FloatArray] = [np.zeros((0, size)) for size in SIZES]
        self._known: dict[tuple[str, ...], FloatArray] = {}

    def of(self, strings: Sequence[tuple[str, ...]], *, keep: bool = False) -> FloatArray:
        """One row a string; with `keep`, vectors are remembered."""
        new = [s for s in dict.fromkeys(strings) if s not in self._known]
        made = dict(zip(new, self._made(new), strict=True)) if new else {}
        if keep:
            self._known |= made
            made = {}
        return np.array([made[s] if s in made else self._known[s] for s in strings]).reshape(len(strings), sum(SIZES))

    def _made(self, strings: Sequence[tuple[str, ...]]) -> FloatArray:
        return np.hstack(
            [self._group(g, [names(s) for s in strings]) for g, names in enumerate((_counts, _pairs, _places))]
        )

    def _group(self, group: int, named: Sequence[Sequence[tuple[str, ...]]]) -> FloatArray:
        """The sum of the directions of each string's features, in the order in which it has them."""
        rows, directions = self._rows[group], self._directions[group]
        indices = []
        for names in named:
            for name in names:
                row = rows.get(name)
                if row is None:
                    row = rows[name] = len(directions)
                    directions.append(_direction(name, group))
                indices.append(row)
        if len(self._tables[group]) < len(directions):
            self._tables[group] = np.array(directions)
        ends = np.cumsum([0, *map(len, named)])
        sparse = csr_array((np.ones(len(indices)), indices, ends), shape=(len(named), len(directions)))
        return np.asarray(sparse @ self._tables[group])


def _counts(string: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(s,) for s in string]


def _pairs(string: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(_GAP_NAMES[g], a, b) for g, gap in enumerate(GAPS) for a, b in zip(string, string[gap:], strict=False)]


def _places(string: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(side, str(i), s) for side, run in (("start", string), ("end", string[::-1])) for i, s in enumerate(run)]


_GAP_NAMES = tuple(str(gap) for gap in GAPS)


def _direction(name: tuple[str, ...], group: int) -> FloatArray:
    """A random vector of expected length 1; of a place, the blur over its neighbours."""
    if name[0] not in ("start", "end") or len(name) < 3:
        return _random(name, SIZES[group])
    side, place, symbol = name
    steps = range(-REACH, REACH + 1)
    weights = np.array([np.exp(-0.5 * (step / BLUR) ** 2) for step in steps])
    weights /= np.sqrt((weights**2).sum())
    near = [_random((side, str(int(place) + step), symbol), SIZES[group]) for step in steps]
    return np.asarray(weights @ np.array(near))


def _random(name: tuple[str, ...], size: int) -> FloatArray:
    seed = crc32("\0".join(name).encode())
    return np.asarray(np.random.default_rng(seed).standard_normal(size) / np.sqrt(size))
