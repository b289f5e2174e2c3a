"""Trust-region Bayesian optimization in edit distance: TuRBO-1 on strings, without a latent space.

As `turbo` (Eriksson et al., 2019), with a ball of edits for the box: the centre is the region's best candidate, its radius
doubles after successes and halves after failures, and below one edit the search begins anew. The posterior is sampled at
mutants and crossings, which the space makes, so that every candidate is valid and none has to be decoded:

- half of the pool are mutants of the centre and of other good candidates in the ball, and crossings of these;
- the other half are mutants of those of the first half that have the lowest means under the model: random edits alone find few
  good pairs and triples of edits.

One function is drawn from the posterior, jointly at the whole pool, for each candidate asked: Thompson sampling.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from boltbo.domain import StringSpace
from boltbo.optimizers.region import Region, better
from boltbo.optimizers.strings.modelled import ModelledStrings
from boltbo.optimizers.surrogates.string_surrogate import StringSurrogate
from boltbo.problem import FloatArray

PARENTS = 16
PROMISING = 32
CENTRE_SHARE, CROSSED_SHARE = 0.5, 0.2


class Edits(ModelledStrings):
    """An optimizer by Thompson sampling in a ball of edits around the best candidate.

    Args:
        space: Candidates as strings of symbols.
        seed: Seed of every random choice.
        initial: Number of candidates that a region starts from, those told included.
        candidates: Size of the pool at which the posterior is sampled.
        max_points: The most observations that the model uses: those nearest to the centre.
        success_tolerance: Successful batches in a row before the radius doubles.
        failure_tolerance: Failed candidates in a row before it halves.
        radius: The region's first and greatest radius in edits; below 1 the search begins anew.

    Raises:
        ValueError: An option is out of range.
    """

    attempts = 4

    def __init__(
        self,
        space: StringSpace,
        *,
        seed: int,
        initial: int = 10,
        candidates: int = 600,
        max_points: int = 500,
        success_tolerance: int = 3,
        failure_tolerance: int = 10,
        radius: tuple[float, float] = (4.0, 8.0),
    ) -> None:
        super().__init__(space, seed=seed, max_points=max_points)
        self.initial, self.candidates = initial, candidates
        self._at_least_one("initial", "candidates")
        self.region = Region((radius[0], 1.0, radius[1]), success_tolerance, failure_tolerance, "radius")

    # --- the trust region -------------------------------------------------------------------------------------------

    def _learn(self, start: int, asked: int) -> None:
        before = self.history.best(self.region.start, start)
        if asked == 0 or before is None or self._missing(start) > 0:
            return  # initial candidates are neither successes nor failures
        best, values = self.history.best(self.region.start), self.history.values
        assert best is not None
        self.region.learn(better(values[best], values[before]), asked, len(self.history))

    def _centre(self) -> int | None:
        return self.history.best(self.region.start)

    def _missing(self, size: int) -> int:
        """Number of initial candidates that the region still lacked when the history had this size."""
        return self.initial - (size - self.region.start)

    def _rankings(self, n: int, attempt: int) -> Iterable[list[str]]:
        centre = self._centre()
        missing = self._missing(len(self.history)) - len(self._pending)
        filling = n if centre is None else min(n, max(0, missing))
        for _ in range(filling):
            yield self._far()
        if centre is None or filling == n:
            return
        n -= filling
        radius = int(min(self.region.size * 2.0**attempt, 2.0 * self.region.greatest))
        with self._timed("fit"):
            model = self._fitted(centre)
        with self._timed("acquire"):
            pool, vectors = self._pool(model, centre, radius)
            if not pool:
                return
            values = model.posterior.sample(vectors, n, self._rng)
            order = np.argsort(values, axis=1, kind="stable")
        for row in order:
            yield [pool[i] for i in row]

    def _far(self) -> list[str]:
        """Candidates far from one that was told."""
        candidates = self.history.candidates
        if not candidates:
            return []
        origin = candidates[int(self._rng.integers(len(candidates)))]
        return self._mutants(origin, int(self.region.greatest), 16)

    def _pool(self, model: StringSurrogate, centre: int, radius: int) -> tuple[list[str], FloatArray]:
        """Candidates in the ball that were neither told nor asked, and their vectors."""
        half = (self.candidates + 1) // 2
        near = [i for i in self.history.top(4 * PARENTS) if self._within(self.history.strings[i], centre, radius)]
        parents = [self.history.candidates[i] for i in near[:PARENTS]]
        heart = self.history.candidates[centre]
        drawn = self._mutants(heart, radius, int(half * CENTRE_SHARE))
        for _ in range(8):
            first, second = (
                (parents[i] for i in self._rng.integers(len(parents), size=2)) if parents else (heart, heart)
            )
            drawn += self.space.crossed(first, second, max(1, int(half * CROSSED_SHARE) // 8), self._rng)
        drawn += self._spread(parents or [heart], half - int(half * (CENTRE_SHARE + CROSSED_SHARE)), radius)
        drawn_strings = self._ball(drawn, (), centre, radius)
        vectors = self._features.of(list(drawn_strings.values()))
        texts = list(drawn_strings)
        if texts:
            means = model.posterior.mean(vectors)
            promising = [texts[i] for i in np.argsort(means, kind="stable")[:PROMISING]]
            promising_strings = self._ball(self._spread(promising, half, 2), drawn_strings, centre, radius)
            vectors = np.vstack([vectors, self._features.of(list(promising_strings.values()))])
            texts += list(promising_strings)
        return texts, vectors

    def _spread(self, origins: list[str], n: int, edits: int) -> list[str]:
        """About `n` mutants, the same number of each origin."""
        each = -(-n // len(origins))
        return [m for origin in origins for m in self._mutants(origin, edits, each)]

    def _ball(
        self, texts: Iterable[str], pooled: Collection[str], centre: int, radius: int
    ) -> dict[str, tuple[str, ...]]:
        """The symbols of each text that is new, not yet `pooled`, and in the ball."""
        strings = {}
        for text in dict.fromkeys(texts):
            if text not in pooled and self._is_new(text):
                string = tuple(self.space.symbols(text))
                if self._within(string, centre, radius):
                    strings[text] = string
        return strings

    def _within(self, string: tuple[str, ...], centre: int, radius: int) -> bool:
        return Levenshtein.distance(self.history.strings[centre], string, score_cutoff=radius) <= radius

    # --- state ------------------------------------------------------------------------------------------------------

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "region": self.region.state()}

    def _restore_own(self, state: dict[str, Any]) -> None:
        super()._restore_own(state)
        self.region.restore(state["region"])
