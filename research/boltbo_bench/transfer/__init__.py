"""The competing multi-task methods, behind the same ask and tell: what initialization by a language model is compared with.

Here: methods whose *surrogate* is shared between tasks, a language model that reads the run's own history (`language`), and
random search. `make` learns a surrogate from finished tasks; `optimizer.optimizer_for` gives an optimizer that searches a new
one with it, told the same initial data as any other.

    surrogate = make("rgpe", trajectories, HashedNgrams(64))
    optimizer = optimizer_for(surrogate, task, domain.space(task), seed=0)
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boltbo.domain import SearchSpace, StringSpace
    from boltbo.optimizers import Optimizer
    from boltbo.problem import Trajectory
    from boltbo_bench.transfer.features import Features
    from boltbo_bench.transfer.shared import SharedSurrogate

SURROGATES: dict[str, str] = {
    "icm": "icm:Icm",
    "dkt": "few_shot:Dkt",
    "fsbo": "few_shot:Fsbo",
    "pogpe": "experts:Pogpe",
    "sgpe": "experts:Sgpe",
    "rgpe": "experts:Rgpe",
    "ablr": "ablr:Ablr",
}
"""Where each method is"""

__all__ = ["SURROGATES", "make", "random_search"]


def make(
    name: str, trajectories: Sequence[Trajectory], features: Features, seed: int = 0, **options: Any
) -> SharedSurrogate:
    """A shared surrogate, fitted on finished tasks; without any it is a plain Gaussian process of the target.

    Args:
        name: `icm` (multi-task Gaussian process), `dkt`, `fsbo` (few-shot deep kernels; need torch), `pogpe`, `sgpe`, `rgpe`
            (ensembles of Gaussian processes) or `ablr` (Bayesian linear regression on shared features; needs torch).
        trajectories: The source tasks' runs.
        features: Candidates of all tasks as vectors of one length; see `features`.
        seed: Of every random choice of the fit.
        options: The class's own arguments.

    Raises:
        ValueError: There is no method of this name, it has no such option, or it needs torch, which is missing.
    """
    if name not in SURROGATES:
        raise ValueError(f"no shared surrogate is called {name!r}; choose one of {', '.join(SURROGATES)}")
    module, _, cls = SURROGATES[name].partition(":")
    try:
        chosen = getattr(import_module(f"boltbo_bench.transfer.{module}"), cls)
    except ImportError as error:
        raise ValueError(f"{name!r} needs torch: pip install 'boltbo[compact]' ({error})") from error
    try:
        surrogate: SharedSurrogate = chosen(features, seed=seed, **options)
    except TypeError as error:
        raise ValueError(f"{name!r} cannot take the options {sorted(options)}: {error}") from error
    return surrogate.fit(trajectories)


def random_search(space: SearchSpace | StringSpace, *, seed: int) -> Optimizer:
    """Random search in this space: uniform points of a box (a latent one too), random edits of strings."""
    from boltbo.domain import SearchSpace
    from boltbo.optimizers.box.random_search import RandomSearch
    from boltbo_bench.transfer.random_strings import RandomStrings

    return RandomSearch(space, seed=seed) if isinstance(space, SearchSpace) else RandomStrings(space, seed=seed)
