"""Bayesian optimization among the children of the best: evolution proposes, a Gaussian process chooses.

For spaces whose candidates are structures and whose edits are moves, as join trees: there one move is a small step and two are
a large one, and a ball of edits (`edits`) says little. The pool is what `evolution` would try: mutants of the best few, mostly
one edit away, and crossings of these. Every second candidate asked has the pool's greatest expected improvement (Jones,
Schonlau, Welch, 1998) over the best *mean*, because the least of noisy values is a lucky one; the others are Thompson samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import norm

from boltbo.domain import StringSpace
from boltbo.optimizers.strings.modelled import ModelledStrings
from boltbo.optimizers.surrogates.string_surrogate import StringSurrogate
from boltbo.problem import FloatArray

CROSSED = 0.2
"""The number of crossings for each mutant."""

FARTHEST = 6
"""The most edits of a mutant."""


class Screened(ModelledStrings):
    """Expected improvement and Thompson sampling in turn, over mutants and crossings of the best candidates.

    A parent is drawn from the best `parents`, the best twice as often as the second, and so on; most of its mutants are
    one edit away, few more than two.

    Args:
        space: Candidates as strings of symbols.
        seed: Seed of every random choice.
        candidates: Number of mutants in the pool.
        parents: Number of the best candidates that are parents.
        max_points: The most observations that the model uses: those nearest to the best.

    Raises:
        ValueError: An option is below 1.
    """

    attempts = 4

    def __init__(
        self,
        space: StringSpace,
        *,
        seed: int,
        candidates: int = 300,
        parents: int = 5,
        max_points: int = 500,
    ) -> None:
        super().__init__(space, seed=seed, max_points=max_points)
        self.candidates, self.parents = candidates, parents
        self._at_least_one("candidates", "parents")

    def _rankings(self, n: int, attempt: int) -> Iterable[list[str]]:
        top = self.history.top(self.parents)
        if not top:
            return
        with self._timed("fit"):
            model = self._fitted(top[0])
        with self._timed("acquire"):
            pool = self._pool([self.history.candidates[i] for i in top], attempt)
            if not pool:
                return
            vectors = self._features.of([tuple(self.space.symbols(text)) for text in pool])
            drawn = model.posterior.sample(vectors, n, self._rng)
            gains = self._expected_improvement(model, vectors, top)
            first = len(self.history) + len(self._pending)
            values = [drawn[k] if (first + k) % 2 else -gains for k in range(n)]
        for row in values:
            yield [pool[i] for i in np.argsort(row, kind="stable")]

    def _pool(self, parents: Sequence[str], attempt: int) -> list[str]:
        """New candidates near the parents, in a fixed order; further away with each attempt."""
        odds = 0.5 ** np.arange(len(parents))
        odds /= odds.sum()
        counts = self._rng.multinomial(self.candidates, odds)
        drawn: dict[str, None] = {}
        for parent, count in zip(parents, counts, strict=True):
            edits = np.minimum(self._rng.geometric(0.5, size=count) + attempt, FARTHEST)
            for most in np.unique(edits).tolist():
                drawn |= dict.fromkeys(self._mutants(parent, most, int((edits == most).sum())))
        pairs = self._rng.choice(len(parents), size=(int(CROSSED * self.candidates), 2), p=odds)
        for first, second in pairs.tolist():
            if first != second:
                drawn |= dict.fromkeys(self.space.crossed(parents[first], parents[second], 1, self._rng))
        return [text for text in drawn if self._is_new(text)]

    def _expected_improvement(self, model: StringSurrogate, vectors: FloatArray, top: Sequence[int]) -> FloatArray:
        """The expected improvement at each vector over the least mean among the best candidates told, shape (m,)."""
        best_vectors = self._features.of([self.history.strings[i] for i in top])
        best = model.posterior.mean(best_vectors).min()
        mean, variance = model.posterior.marginals(vectors)
        deviation = np.sqrt(variance + 1e-12)
        z = (best - mean) / deviation
        return np.asarray((best - mean) * norm.cdf(z) + deviation * norm.pdf(z))
