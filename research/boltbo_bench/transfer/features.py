"""Candidates of all tasks of a domain as vectors of one length: what a surrogate shared by tasks needs.

A box may differ between tasks (that of a query's plans depends on the query), so a shared surrogate sees candidates through a
`Features`: any callable `(task, candidates) -> (n, F)` with the same F, and the same meaning of each column, for all tasks.

    BoxFeatures     the points of a box that all tasks share (also a latent space that all share)
    StringFeatures  symbols, pairs and places of strings (`optimizers.string_features`), projected to fewer columns
    HashedNgrams    hashed counts of n-grams of symbols: for any text, without knowledge of the domain
    with_context    any of these, with hashed n-grams of the task's context beside them
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from zlib import crc32

import numpy as np

from boltbo.domain import SearchSpace
from boltbo.problem import FloatArray, Task

Symbols = Callable[[Task, str], Sequence[str]]
"""The symbols of a task's candidate"""


class Features(Protocol):
    """Vectors of a task's candidates; deterministic, of one length for all tasks."""

    def __call__(self, task: Task, candidates: Sequence[str]) -> FloatArray:
        """Shape (n, F)."""
        ...


def words(task: Task, candidate: str) -> Sequence[str]:
    """What blanks part, or letters where there is no blank."""
    return candidate.split() if " " in candidate else list(candidate)


class BoxFeatures:
    """The points of a box, F = dim.

    Args:
        space_of: The box of a task, of the same `dim` for all.
    """

    def __init__(self, space_of: Callable[[Task], SearchSpace]) -> None:
        self._space_of = space_of
        self._dim = 0

    def __call__(self, task: Task, candidates: Sequence[str]) -> FloatArray:
        """Shape (n, dim).

        Raises:
            ValueError: This task's box has another dimension than those before.
        """
        space = self._space_of(task)
        self._dim = self._dim or space.dim
        if space.dim != self._dim:
            raise ValueError(
                f"task {task.id!r} has a box of {space.dim} dimensions, others of {self._dim}: "
                "box features need the same for all tasks; use HashedNgrams"
            )
        return np.array([space.encode(c) for c in candidates], dtype=float).reshape(len(candidates), space.dim)


class HashedNgrams:
    """Counts of n-grams of symbols, each added with a hashed sign to a hashed column, in square roots of counts.

    Weinberger et al., "Feature hashing for large scale multitask learning" (ICML 2009): inner products are kept in
    expectation. The square root keeps a frequent n-gram from hiding the rest.

    Args:
        dim: F.
        lengths: Of the n-grams, in symbols.
        symbols: Of a candidate; default: `words`.
        places: Blocks into which a candidate is cut, each with its own n-grams: where something stands counts too (1: not).

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(
        self, dim: int = 64, lengths: Sequence[int] = (1, 2, 3), symbols: Symbols = words, places: int = 1
    ) -> None:
        if dim < 1 or places < 1 or not lengths or min(lengths) < 1:
            raise ValueError(f"dim, places and lengths must be at least 1, got {dim}, {places}, {tuple(lengths)}")
        self.dim, self.lengths, self.symbols, self.places = dim, tuple(lengths), symbols, places

    def __call__(self, task: Task, candidates: Sequence[str]) -> FloatArray:
        X = np.zeros((len(candidates), self.dim))
        for row, candidate in zip(X, candidates, strict=True):
            self._count(row, list(self.symbols(task, candidate)))
        return X

    def _count(self, row: FloatArray, symbols: list[str]) -> None:
        counts: dict[str, int] = {}
        for length in self.lengths:
            for start in range(len(symbols) - length + 1):
                block = start * self.places // len(symbols)
                gram = "\0".join([str(block), *symbols[start : start + length]])
                counts[gram] = counts.get(gram, 0) + 1
        for gram, count in counts.items():
            code = crc32(gram.encode())
            row[(code >> 1) % self.dim] += count**0.5 * (1.0 if code & 1 else -1.0)


class StringFeatures:
    """The vectors of `optimizers.string_features`, projected at random to F = dim columns.

    Their 640 columns are sums of random directions already; a projection to fewer keeps distances up to about 1 / √dim
    (Johnson & Lindenstrauss, 1984), and a process with a lengthscale for each column stays small.

    Args:
        dim: F.
        symbols: Of a candidate; default: `words`.
    """

    def __init__(self, dim: int = 48, symbols: Symbols = words) -> None:
        from boltbo.optimizers.surrogates.string_features import SIZES
        from boltbo.optimizers.surrogates.string_features import Features as Vectors

        if dim < 1:
            raise ValueError(f"dim must be at least 1, got {dim}")
        self._vectors, self.symbols = Vectors(), symbols
        self._projection = np.random.default_rng(0).standard_normal((sum(SIZES), dim)) / dim**0.5

    def __call__(self, task: Task, candidates: Sequence[str]) -> FloatArray:
        if not candidates:
            return np.zeros((0, self._projection.shape[1]))
        strings = [tuple(self.symbols(task, c)) for c in candidates]
        return np.asarray(self._vectors.of(strings) @ self._projection)


def with_context(features: Features, dim: int = 16, lengths: Sequence[int] = (1, 2)) -> Features:
    """`features`, and beside them `dim` columns of hashed n-grams of the task's context, of length 1 together.

    Of one task these columns are all alike: they tell tasks apart in methods that share one function between tasks.
    """
    grams = HashedNgrams(dim, lengths, lambda _, context: context.split())

    def both(task: Task, candidates: Sequence[str]) -> FloatArray:
        context = grams(task, [task.context])
        context /= max(float(np.linalg.norm(context)), 1e-12)
        X = features(task, candidates)
        return np.hstack([X, np.repeat(context, len(X), axis=0)])

    return both
