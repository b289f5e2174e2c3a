"""Single-task optimizers: ask for candidates, tell what became of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boltbo.domain import AdaptiveSpace, SearchSpace, StringSpace
from boltbo.optimizers.base import BoxOptimizer, Optimizer
from boltbo.system.named import is_named, load_named

CLASSES: dict[str, tuple[str, type]] = {
    "turbo": ("boltbo.optimizers.box.turbo:Turbo", SearchSpace),
    "lolbo": ("boltbo.latent.lolbo:LolBO", AdaptiveSpace),
    "local": ("boltbo.optimizers.box.local_search:LocalSearch", SearchSpace),
    "random": ("boltbo.optimizers.box.random_search:RandomSearch", SearchSpace),
    "edits": ("boltbo.optimizers.strings.edits:Edits", StringSpace),
    "screened": ("boltbo.optimizers.strings.screened:Screened", StringSpace),
    "evolution": ("boltbo.optimizers.strings.evolution:Evolution", StringSpace),
}
"""The class of each optimizer, and the kind of space that it searches."""

NAMES = tuple(CLASSES)

__all__ = ["NAMES", "BoxOptimizer", "Optimizer", "make_optimizer"]


def make_optimizer(
    name: str | Callable[..., Optimizer],
    space: SearchSpace | StringSpace,
    *,
    seed: int,
    feasible: Callable[[str], bool] | None = None,
    **options: Any,
) -> Optimizer:
    """An optimizer by name, or of a user's own class.

    Args:
        name: `auto` is the one that did best at equal calls: what the space itself names as its `optimizer`, else `turbo`
            in a box and `edits` on strings. In a box `turbo` (trust-region Bayesian optimization), `local` (evolutionary local
            search) or `random`; in a box that learns along `lolbo` (trust-region Bayesian optimization with updates of the
            box); on strings `edits` (trust-region Bayesian optimization), `screened` (Bayesian optimization among the
            children of the best) or `evolution` (evolutionary local search). Or `module:Name`, or a class or function itself,
            which is called with the space and `seed=`; see `contract`.
        space: Candidates as points of a box, or as strings of symbols: of the kind that the optimizer searches.
        seed: Seed of every random choice.
        feasible: Tells which candidates may be asked, where that is known beforehand; None allows all of the space.
        options: Further arguments of the class.

    Raises:
        ValueError: There is no optimizer of this name, it has no such option, or it searches another kind of space.
    """
    # Imported when needed: SciPy takes a third of a second, which `boltbo --help` should not.
    if name == "auto":
        name = getattr(space, "optimizer", "turbo" if isinstance(space, SearchSpace) else "edits")
    chosen = name if callable(name) else _class(name, space)
    try:
        optimizer: Any = chosen(space, seed=seed, **options)
    except TypeError as error:
        raise ValueError(f"optimizer {name!r} cannot take the options {sorted(options)}: {error}") from error
    if feasible is not None:
        optimizer.feasible = feasible
    checked: Optimizer = optimizer
    return checked


def _class(name: str, space: SearchSpace | StringSpace) -> Callable[..., Optimizer]:
    if is_named(name):
        users_class: Callable[..., Optimizer] = load_named(name, "optimizer")
        return users_class
    if name not in CLASSES:
        raise ValueError(f"no optimizer is called {name!r}; choose one of auto, {', '.join(NAMES)}, or module:Name")
    place, kind = CLASSES[name]
    if not isinstance(space, kind):
        fitting = [n for n, (_, searched) in CLASSES.items() if isinstance(space, searched)]
        raise ValueError(
            f"optimizer {name!r} searches a {kind.__name__}, which {type(space).__name__} is not; "
            + (f"{' and '.join(repr(n) for n in fitting)} search it" if fitting else "nor does any other search it")
            + "; some domains have a choice of spaces"
        )
    built_in: Callable[..., Optimizer] = load_named(place, "optimizer")
    return built_in
