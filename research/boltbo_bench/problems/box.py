"""A box whose candidates are numbers: what optimizers of functions need of a space."""

from __future__ import annotations

import numpy as np

from boltbo.problem import FloatArray


class Numbers:
    """Points of [0, 1]^dim written as numbers."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, candidate: str) -> FloatArray:
        return np.array(candidate.split(), dtype=float)

    def decode(self, points: FloatArray) -> list[str]:
        return [" ".join(f"{x:.9f}" for x in row) for row in points]
