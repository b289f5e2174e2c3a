"""A user's own predictor, through the door that is open to it: charge and hydrophobic residues lower the MIC, acids raise it.

In a module of its own so that worker processes can import it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boltbo.errors import OracleUnavailable
from boltbo.problem import FloatArray

EFFECT = {**dict.fromkeys("KR", -0.12), **dict.fromkeys("ILWF", -0.06), **dict.fromkeys("DE", 0.15)}


class Additive:
    """Its effects add up, the ones in the middle count more; `calls` and `stop_after` watch and cut short a search."""

    species = ("E_coli", "S_aureus", "my <species>")

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.calls = 0
        self.stop_after: int | None = None

    def predict(self, sequences: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        self.calls += 1
        if self.stop_after is not None and self.calls > self.stop_after:
            raise OracleUnavailable("the predictor's licence has run out")
        mean = np.array([self._of(s) for s in sequences])[:, None] + np.array([0.0, 0.3, 0.5])
        return mean, np.full_like(mean, 0.1)

    def _of(self, sequence: str) -> float:
        if sequence.startswith("WWW"):
            return float("nan")
        if sequence.startswith("CCC"):
            raise ArithmeticError("three cysteines")
        weights = 1.0 + 0.5 * np.sin(np.linspace(0.0, np.pi, len(sequence)))
        return 1.5 + self.factor * sum(w * EFFECT.get(r, 0.0) for w, r in zip(weights, sequence, strict=True))


oracle = Additive()
judge = Additive(0.6)
