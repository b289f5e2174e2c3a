"""TuRBO with the deep kernel in place of the exact process: its costs do not grow with the cube of the points."""

from __future__ import annotations

from typing import Any

from boltbo.domain import SearchSpace
from boltbo.latent.deep_kernel import DeepKernel
from boltbo.latent.deep_surrogate import DeepSurrogate
from boltbo.optimizers.box.turbo import Turbo
from boltbo.problem import FloatArray


class DeepTurbo(Turbo):
    """Thompson sampling in a trust region by the variational process on learnt features.

    Args:
        space: Candidates as points of the box.
        seed: Seed of every random choice.
        options: Options of `Turbo`.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, space: SearchSpace, *, seed: int, **options: Any) -> None:
        super().__init__(space, seed=seed, **options)
        self._kernel = DeepKernel(space.dim, seed=seed)

    def _new_surrogate(self, X: FloatArray, values: FloatArray, censored: Any) -> DeepSurrogate:
        return DeepSurrogate(self._kernel, X, values, censored)

    def _own_state(self) -> dict[str, Any]:
        return {**super()._own_state(), "deep": self._kernel.state()}

    def _restore_own(self, state: dict[str, Any]) -> None:
        super()._restore_own(state)
        self._kernel.restore(state["deep"])
