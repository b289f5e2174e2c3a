"""The common part of Bayesian optimizers over strings: their model of the observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from boltbo.domain import StringSpace
from boltbo.optimizers.strings.base import StringOptimizer
from boltbo.optimizers.surrogates.refits import Refits
from boltbo.optimizers.surrogates.string_features import Features
from boltbo.optimizers.surrogates.string_surrogate import StringSurrogate
from boltbo.problem import FloatArray, Observation, Status

FIRST_ITERATIONS, NEXT_ITERATIONS = 20, 10


class ModelledStrings(StringOptimizer):
    """A `StringOptimizer` with a `StringSurrogate`.

    Args:
        space: Candidates as strings of symbols.
        seed: Seed of every random choice.
        max_points: The most observations that the model uses: those nearest to the centre.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, space: StringSpace, *, seed: int, max_points: int) -> None:
        super().__init__(space, seed=seed)
        self.max_points = max_points
        self._features = Features()
        self._theta: FloatArray | None = None
        self._refits = Refits(FIRST_ITERATIONS, NEXT_ITERATIONS)
        self._model: StringSurrogate | None = None
        self._at_least_one("max_points")

    def _at_least_one(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def tell(self, observations: Sequence[Observation]) -> None:
        self._model = None
        super().tell(observations)

    def _fitted(self, centre: int) -> StringSurrogate:
        """The model of all observations; its hyperparameters are fitted again once a tenth of the history is new."""
        model = self._surrogate(centre)
        if iterations := self._refits.due(len(self.history)):
            self._theta = model.fit(iterations)
        return model

    def _surrogate(self, centre: int) -> StringSurrogate:
        """The model with the hyperparameters of the last fit."""
        if self._model is None:
            self._model = StringSurrogate(self._theta, *self._data(centre))
        return self._model

    def _data(self, centre: int) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """The `max_points` observations nearest to the centre: vectors, values, and which values are bounds.

        An infeasible candidate is taken to be no better than the median: if the model left it out, the sampler would come
        back to its neighbours for ever. (`turbo` models feasibility instead.)
        """
        values, complete = self.history.values, self.history.having(Status.COMPLETE)
        values[self.history.having(Status.INFEASIBLE)] = np.median(values[complete])
        strings = self.history.strings
        if len(strings) > self.max_points:
            edits = np.array([Levenshtein.distance(strings[centre], s) for s in strings])
            near = np.sort(np.argsort(edits, kind="stable")[: self.max_points])
            strings, values, complete = [strings[i] for i in near], values[near], complete[near]
        return self._features.of(strings, keep=True), values, ~complete

    def _own_state(self) -> dict[str, Any]:
        return {"theta": None if self._theta is None else self._theta.tolist(), "fitted_at": self._refits.at}

    def _restore_own(self, state: dict[str, Any]) -> None:
        self._theta = None if state["theta"] is None else np.array(state["theta"], dtype=float)
        self._refits.at = int(state["fitted_at"])
        self._model = None
