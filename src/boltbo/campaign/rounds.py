"""The outer loop: BOLT (Zeng et al., ICLR 2026, Algorithm 1).

`run_rounds` is the algorithm; each of its steps is one function below it. How a task is solved is in `run.py`, what is kept
of it in `distil.py`, how a model proposes in `proposers/`, how it learns in `llm/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from boltbo.campaign.distil import training_pairs
from boltbo.campaign.parts import Parts
from boltbo.campaign.past_runs import solved_before
from boltbo.campaign.stage import StageSpec
from boltbo.llm.backend import Example
from boltbo.problem import Task
from boltbo.storage import Stage


def run_rounds(parts: Parts, batches: Sequence[Sequence[Task]]) -> None:
    """Go through all rounds, from wherever the storage says the campaign stands.

    Args:
        parts: What the campaign works with.
        batches: The tasks of each round; a round without any is one of self-augmentation.
    """
    solve_from_design(parts)
    for t, tasks in enumerate(batches):
        if tasks:
            solve(parts, t, tasks)
        else:
            augment(parts, t, [task for batch in batches[:t] for task in batch])
        fine_tune(parts, t, distil(parts, t))
        validate(parts, t)


def solve_from_design(parts: Parts) -> None:
    """STBO on the validation tasks: what the model must beat."""
    budget = parts.settings.validation.reference_budget
    if budget:
        parts.run(parts.solving(Stage.REFERENCE, 0, parts.validation, budget, from_design=True))


def solve(parts: Parts, t: int, tasks: Sequence[Task]) -> None:
    """Initial candidates from the last model (the domain's design while there is none), then the optimizer."""
    parts.run(parts.solving(Stage.TRAIN, t, tasks, parts.settings.run.budget))


def augment(parts: Parts, t: int, tasks: Sequence[Task]) -> None:
    """Self-augmentation: the last model's samples for every task solved so far; the good ones are distilled too.

    Each run begins with the best that is known of its task, so that an oracle stops early what is far from it, and scores
    nothing again.
    """
    s, ids = parts.settings.augment, {task.id for task in tasks}
    solved = [x for x in parts.trajectories(t - 1) if x.task.id in ids]
    parts.run(
        StageSpec(
            stage=Stage.AUGMENT,
            round=t,
            tasks=[x.task for x in solved],
            proposer=lambda: parts.proposer(t - 1, retrieval_share=s.retrieval, in_order=False),
            seed=parts.seed(Stage.AUGMENT, t),
            initial=s.samples,
            asked=2 * s.samples,
            budget=s.samples,
            past=solved_before(solved),
        )
    )


def distil(parts: Parts, t: int) -> dict[str, list[Example]]:
    """Task id -> the top-K solutions found for it so far, with the text that describes the task."""
    return training_pairs(parts.domain, parts.trajectories(t), parts.settings.distil)


def fine_tune(parts: Parts, t: int, pairs: Mapping[str, Sequence[Example]]) -> None:
    """BOLT-T: the model that has read the solutions of all T tasks finished so far; none where a user's proposer proposes."""
    if parts.own_proposer is None and t not in parts.models:
        parts.models.fine_tune(t, pairs, pretraining_tasks=parts.tasks, probe=parts.validation or parts.tasks)


def validate(parts: Parts, t: int) -> None:
    """Best@k of this round's model on tasks that it has not seen; no default, no design beside its samples."""
    s = parts.settings.validation
    parts.run(
        StageSpec(
            stage=Stage.VALIDATE,
            round=t,
            tasks=parts.validation,
            proposer=lambda: parts.proposer(t),
            seed=parts.seed(Stage.VALIDATE, t),
            initial=s.samples,
            budget=max(s.samples, s.budget),
            batch=parts.settings.run.batch,
            optimizer=parts.optimizer if s.budget > s.samples else None,
            make=parts.make,
        )
    )
