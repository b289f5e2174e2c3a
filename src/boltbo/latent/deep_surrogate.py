"""The deep kernel in place of the exact process of `Surrogate`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltbo.latent.deep_kernel import DeepKernel
from boltbo.latent.deep_posterior import DeepPosterior
from boltbo.latent.deep_training import train_kernel
from boltbo.optimizers.surrogates.surrogate import Surrogate
from boltbo.problem import FloatArray
from boltbo.system.threads import one_torch_thread

STEPS = 5
"""Steps of Adam for each iteration that the exact surrogate would be granted."""


class DeepSurrogate(Surrogate):
    """A `Surrogate` with the deep kernel: the warp is the same, and bounds are part of the likelihood.

    Args:
        kernel: The kernel, which `fit` trains in place.
        X, values, censored: Points, values and which of these are bounds, as for `Surrogate`.
    """

    def __init__(self, kernel: DeepKernel, X: FloatArray, values: FloatArray, censored: NDArray[np.bool_]) -> None:
        self._kernel = kernel
        super().__init__(kernel.theta, X, values, censored)

    @property
    def data(self) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """Points, warped values or bounds, and which are complete; complete ones come first."""
        targets = np.concatenate([self._y, self._bounds])
        return self._X, targets, np.arange(len(targets)) < self._complete

    def fit(self, iterations: int) -> FloatArray:
        with one_torch_thread():
            train_kernel(self._kernel, *self.data, steps=STEPS * iterations)
        self.condition(self._kernel.theta)
        return self.theta

    def condition(self, theta: FloatArray) -> None:
        self.theta = theta
        self.posterior: Any = DeepPosterior(self._kernel, *self.data)
