"""The base that every fine-tuning starts from: a model as it comes, or the compact one, pretrained on pairs that cost no call.

A pretrained model is kept in the user's cache under the hash of all that it was made of: the next campaign on the same tasks
with the same seed finds it there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from boltbo.domain import Domain, Pretraining, SearchSpace
from boltbo.errors import ConfigError, CorruptModel
from boltbo.llm.backend import Example, LanguageModel
from boltbo.problem import Task
from boltbo.proposers.base import seed_of
from boltbo.settings import ModelSettings
from boltbo.system.files import whole_folder
from boltbo.system.named import load_named
from boltbo.system.progress import Bars

KEPT = 20
"""Pretrained models in the cache, of some 13 MB each; the one that was used longest ago goes first"""


def cache() -> Path:
    """Where pretrained models are kept."""
    return user_cache_path("boltbo") / "pretrained"


BACKENDS = {
    "compact": "boltbo.llm.compact.model:CompactModel",
    "transformers": "boltbo.llm.pretrained.model:PretrainedModel",
    "openai": "boltbo.llm.service.model:ServiceModel",
}
"""Where the built-in backends are"""


def backend_class(backend: str) -> type[LanguageModel]:
    """The class of a backend, by the name of a built-in one or as `module:Name`.

    Raises:
        ConfigError: It cannot be imported, or is no class.
    """
    kind = load_named(BACKENDS.get(backend, backend), "model")
    if not isinstance(kind, type):
        raise ConfigError(f"model.backend = {backend!r} should name a class with `load`, got {type(kind).__name__}")
    return kind


def make_base(domain: Domain, settings: ModelSettings, tasks: Sequence[Task], seed: int, bars: Bars) -> LanguageModel:
    """The model that `settings` describes, before any fine-tuning.

    Args:
        domain: Domain whose instruction and pretraining pairs are used.
        settings: Backend and pretraining.
        tasks: Tasks of which pretraining pairs may be made, and whose words the compact model knows.
        seed: Seed of the campaign.
        bars: Progress bars.
    """
    separator = domain.grammar(tasks[0]).separator
    if settings.backend == "transformers":
        from boltbo.llm.pretrained.model import Lora, PretrainedModel

        lora = Lora(**settings.lora.model_dump())
        return PretrainedModel.open(
            settings.name, instruction=domain.instruction, separator=separator, seed=seed, lora=lora
        )
    if settings.backend == "openai":
        from boltbo.llm.service import Connection, ServiceModel

        return ServiceModel(settings.name, domain.instruction, Connection(**settings.service.model_dump()))
    if settings.backend != "compact":
        users: Callable[..., LanguageModel] = backend_class(settings.backend)
        return users(instruction=domain.instruction, separator=separator, seed=seed)
    from boltbo.llm.compact.model import CompactModel

    pairs: list[Example] = []
    n = settings.pretraining_pairs
    with bars.track("pretraining pairs", n) as update:
        for context, solution in _pretraining_pairs(domain, tasks, n, seed_of(seed, "pretraining pairs")):
            pairs.append(Example(context, solution))
            update(len(pairs), n)
    corpus = [*pairs, *(Example(t.context, "") for t in tasks)]
    if not pairs:
        return CompactModel.create(corpus, separator=separator, seed=seed)
    kept = cache() / _key(corpus, separator, settings.pretraining_epochs, seed)
    if kept.exists():
        try:
            model = CompactModel.load(kept)
        except CorruptModel:
            shutil.rmtree(kept, ignore_errors=True)
        else:
            kept.touch()
            bars.note("the model was pretrained on these pairs before: taken from the cache")
            return model
    model = CompactModel.create(corpus, separator=separator, seed=seed)
    with bars.track("pretraining", 1) as update:
        model.pretrain(pairs, epochs=settings.pretraining_epochs, seed=seed_of(seed, "warm-up"), progress=update)
    _keep(model, kept)
    return model


def _key(corpus: Sequence[Example], separator: str, epochs: float, seed: int) -> str:
    from boltbo._version import __version__
    from boltbo.llm.compact.model import FORMAT, PRETRAINING_RATE

    made_of = [
        __version__,
        FORMAT,
        PRETRAINING_RATE,
        separator,
        epochs,
        seed,
        *((e.context, e.solution) for e in corpus),
    ]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]


def _keep(model: LanguageModel, path: Path) -> None:
    """In the cache, if it can be written: without it, the next campaign only takes longer."""
    with suppress(OSError):
        with whole_folder(path) as folder:
            model.save(folder)
        for old in sorted(path.parent.iterdir(), key=lambda p: -p.stat().st_mtime)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


def _pretraining_pairs(domain: Domain, tasks: Sequence[Task], n: int, seed: int) -> Iterable[tuple[str, str]]:
    if isinstance(domain, Pretraining):
        return domain.pretraining_pairs(tasks, n, seed)
    return _random_pairs(domain, tasks, n, seed)


def _random_pairs(domain: Domain, tasks: Sequence[Task], n: int, seed: int) -> Iterable[tuple[str, str]]:
    """For a domain without pretraining pairs: its tasks with random valid solutions teach the way to write at least."""
    rng = np.random.default_rng(seed)
    each = -(-n // max(1, len(tasks)))
    for task in tasks:
        space = domain.space(task)
        if isinstance(space, SearchSpace):
            solutions = space.decode(rng.random((each, space.dim)))
        else:
            solutions = domain.initial_design(task, each, rng)
        for solution in dict.fromkeys(solutions):
            yield task.context, solution
