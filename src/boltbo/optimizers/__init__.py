"""Single-task optimizers: ask for candidates, tell what became of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from boltbo.optimizers.base import BoxOptimizer, Limiting, Optimizer
from boltbo.problem import SearchSpace, StringSpace

CLASSES = {"turbo": "turbo:Turbo", "local": "local_search:LocalSearch", "random": "random_search:RandomSearch"}
NAMES = tuple(CLASSES)

__all__ = ["NAMES", "BoxOptimizer", "Limiting", "Optimizer", "make_optimizer"]


def make_optimizer(name: str, space: SearchSpace | StringSpace, *, seed: int, **options: Any) -> Optimizer:
    """A built-in optimizer by name.

    Args:
        name: `turbo` (trust-region Bayesian optimization), `local` (evolutionary local search) or `random`.
        space: Candidates as points of a box, or as strings of symbols: of the kind that the optimizer searches.
        seed: Of every random choice.
        options: The class's own arguments.

    Raises:
        ValueError: There is no optimizer of this name, it has no such option, or it searches another kind of space.
    """
    # Imported when needed: SciPy takes a third of a second, which `boltbo --help` should not.
    if name not in CLASSES:
        raise ValueError(f"no optimizer is called {name!r}; choose one of {', '.join(NAMES)}")
    kind: type = SearchSpace
    if not isinstance(space, kind):
        raise ValueError(f"optimizer {name!r} searches a {kind.__name__}, {type(space).__name__} is none")
    module, _, cls = CLASSES[name].partition(":")
    chosen = getattr(import_module(f"boltbo.optimizers.{module}"), cls)
    try:
        optimizer: Optimizer = chosen(space, seed=seed, **options)
    except TypeError as error:
        raise ValueError(f"optimizer {name!r} cannot take the options {sorted(options)}: {error}") from error
    return optimizer
