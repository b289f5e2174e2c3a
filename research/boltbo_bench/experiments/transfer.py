"""The door to the competing methods of `transfer/`: from finished runs, or a language model, to a run's optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from boltbo.campaign.run import Make
from boltbo.domain import Constrained, Domain, StringSpace
from boltbo.errors import ConfigError
from boltbo.llm.backend import LanguageModel
from boltbo.problem import Task, Trajectory
from boltbo.settings import ModelSettings, Settings
from boltbo.storage import Run
from boltbo.system.progress import Bars


def transferred(method: str, domain: Domain, trajectories: Sequence[Trajectory], seed: int) -> Make:
    """Learn a surrogate that tasks share, once; then an optimizer with it for any run.

    Strings are seen through the features that `edits` uses, all else through hashed n-grams of its words; beside both stand
    hashed n-grams of the task's context, which is what the language model reads too.

    Raises:
        ConfigError: There is no such method, or it needs a package that is missing.
    """
    from boltbo.optimizers import Optimizer
    from boltbo_bench.transfer import make
    from boltbo_bench.transfer.features import Features, HashedNgrams, StringFeatures, with_context
    from boltbo_bench.transfer.optimizer import optimizer_for

    strings = bool(trajectories) and isinstance(domain.space(trajectories[0].task), StringSpace)
    features: Features = StringFeatures() if strings else HashedNgrams(places=2)
    try:
        surrogate = make(method, trajectories, with_context(features), seed)
    except ValueError as error:
        raise ConfigError(f"arm transfer:{method}: {error}") from error

    def optimizer(run: Run) -> Optimizer:
        feasible = _feasible(domain, run.task)
        return optimizer_for(surrogate, run.task, domain.space(run.task), seed=run.seed, feasible=feasible)

    return optimizer


def asked(model: LanguageModel, domain: Domain, settings: ModelSettings, note: str = "") -> Make:
    """An optimizer for any run that asks this model for each candidate; see `transfer.language`."""
    from boltbo.optimizers import Optimizer
    from boltbo_bench.transfer.language import LanguageOptimizer

    def optimizer(run: Run) -> Optimizer:
        space, grammar = domain.space(run.task), domain.grammar(run.task)
        made: Any = LanguageOptimizer(
            model,
            run.task,
            space,
            grammar,
            seed=run.seed,
            temperature=settings.temperature,
            note=note,
        )
        feasible = _feasible(domain, run.task)
        if feasible is not None:
            made.feasible = feasible
        chosen: Optimizer = made
        return chosen

    return optimizer


def in_context(domain: Domain, settings: Settings, tasks: Sequence[Task], bars: Bars) -> Make:
    """The pretrained model that the settings name, as it comes, told what a history is.

    A campaign with the compact model, which knows nothing of itself, gets the model that `model.name` says for `transformers`.

    Raises:
        ConfigError: A package is missing.
    """
    from boltbo.campaign.pretraining import make_base
    from boltbo_bench.transfer.language import READ

    model = settings.model
    if model.backend == "compact":
        model = model.model_copy(update={"backend": "transformers"})
    try:
        base = make_base(domain, model, tasks, settings.seed, bars)
    except ModuleNotFoundError as error:
        raise ConfigError(f"arm transfer:in-context: {error}") from error
    return asked(base, domain, model, READ)


def _feasible(domain: Domain, task: Task) -> Callable[[str], bool] | None:
    return partial(domain.feasible, task) if isinstance(domain, Constrained) else None
