"""A monotone map of the objective under which a Gaussian process is a fair model of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from boltbo.problem import FloatArray

EXPONENTS = np.linspace(-1.0, 1.0, 41)

LEAST_SCALE = 1e-9
"""The least scale as a share of the values' range: with quartiles that all but coincide, the other values' powers overflow."""


@dataclass(frozen=True, slots=True)
class Warp:
    """Robust standardisation, a Yeo-Johnson power, standardisation.

    z = (v - median) / (IQR / 1.349), then
        ((z + 1)^e - 1) / e               z >= 0, e != 0        (log(z + 1) for e = 0)
        -((1 - z)^(2 - e) - 1) / (2 - e)  z < 0,
    then mean 0 and variance 1. The exponent e maximises the profile likelihood of a normal sample (Yeo & Johnson, 2000;
    for Bayesian optimization: Cowen-Rivers et al., HEBO, 2022), here only over [-1, 1]: an exponent above 1 would
    squash differences among the best values and stretch those among the worst, and minimisation wants the opposite.
    """

    centre: float
    scale: float
    exponent: float
    mean: float
    sd: float

    @classmethod
    def fit(cls, values: FloatArray) -> Warp:
        """The map for values of shape (n,), n >= 1."""
        low, centre, high = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
        scale = (high - low) / 1.349 or float(values.std()) or 1.0
        scale = max(scale, LEAST_SCALE * float(np.ptp(values)))
        z = (values - centre) / scale
        jacobian = (np.sign(z) * np.log1p(np.abs(z))).sum()
        spread = np.array([_yeo_johnson(z, float(e)).std() for e in EXPONENTS])
        with np.errstate(divide="ignore"):
            likelihood = -len(z) * np.log(spread) + (EXPONENTS - 1.0) * jacobian
        exponent = 1.0 if spread.min() < 1e-12 else float(EXPONENTS[likelihood.argmax()])
        t = _yeo_johnson(z, exponent)
        return cls(centre, scale, exponent, float(t.mean()), float(t.std()) or 1.0)

    def __call__(self, values: FloatArray) -> FloatArray:
        """The warped values, in the same shape and order."""
        return (_yeo_johnson((values - self.centre) / self.scale, self.exponent) - self.mean) / self.sd


def _yeo_johnson(z: FloatArray, e: float) -> FloatArray:
    up = np.log1p(np.maximum(z, 0.0))
    down = np.log1p(np.maximum(-z, 0.0))
    rise = up if abs(e) < 1e-9 else np.expm1(e * up) / e
    return np.asarray(rise - np.expm1((2.0 - e) * down) / (2.0 - e))
