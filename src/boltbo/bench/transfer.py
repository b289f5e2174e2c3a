"""The door to the shared-surrogate methods of `boltbo.transfer`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from boltbo.problem import Constrained, Domain, StringSpace, Trajectory
from boltbo.settings import ConfigError
from boltbo.solve import Make
from boltbo.storage import Run


def transferred(method: str, domain: Domain, trajectories: Sequence[Trajectory], seed: int) -> Make:
    """Learn a surrogate that tasks share, once; then an optimizer with it for any run.

    Strings are seen through the features that `edits` uses, all else through hashed n-grams of its words; beside both stand
    hashed n-grams of the task's context, which is what the language model reads too.

    Raises:
        ConfigError: There is no such method, or it needs a package that is missing.
    """
    from boltbo.optimizers import Optimizer
    from boltbo.transfer import make
    from boltbo.transfer.features import Features, HashedNgrams, StringFeatures, with_context

    strings = bool(trajectories) and isinstance(domain.space(trajectories[0].task), StringSpace)
    features: Features = StringFeatures() if strings else HashedNgrams(places=2)
    try:
        surrogate = make(method, trajectories, with_context(features), seed)
    except ValueError as error:
        raise ConfigError(f"arm transfer:{method}: {error}") from error

    def optimizer(run: Run) -> Optimizer:
        feasible = partial(domain.feasible, run.task) if isinstance(domain, Constrained) else None
        return surrogate.optimizer(run.task, domain.space(run.task), seed=run.seed, feasible=feasible)

    return optimizer
