"""Distillation: the best solutions of finished runs, without near-duplicates, as training pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rapidfuzz.distance import Levenshtein

from boltbo.domain import Domain
from boltbo.llm.backend import Example
from boltbo.problem import Observation, Trajectory
from boltbo.settings import DistilSettings


def training_pairs(
    domain: Domain, trajectories: Iterable[Trajectory], settings: DistilSettings
) -> dict[str, list[Example]]:
    """Task id -> the top-K solutions of its trajectory, each with the text that describes the task."""
    pairs: dict[str, list[Example]] = {}
    for x in trajectories:
        best = top_k(x, settings.top_k, settings.diversity, settings.gap, domain.grammar(x.task).separator)
        pairs[x.task.id] = [Example(x.task.context, o.candidate) for o in best]
    return pairs


def top_k(
    trajectory: Trajectory, k: int, diversity: float = 0.0, gap: float = math.inf, separator: str = " "
) -> list[Observation]:
    """The best `k` complete observations of one run, each at least `diversity` away from every better one.

    Greedy from the best on, as ROBOT builds diverse sets (Maus et al., 2023). The distance of two candidates is the
    Levenshtein distance of their symbols over the length of the longer one, in [0, 1]; 0 keeps all that differ. With
    `diversity` 0 and an infinite `gap` this is the paper's plain top-K.

    Args:
        trajectory: A finished run.
        k: How many at most.
        diversity: The least distance, in [0, 1].
        gap: How much of the gain over the run's default a solution may lack, from 0. Of a run that found little, the
            tenth best is no example to follow. No bound where it is infinite, nor where the default has no value.
        separator: What parts a candidate's symbols; empty: every character is one.
    """
    ranked = sorted((o for o in trajectory.observations if o.complete), key=lambda o: o.value)
    default = next((o.value for o in ranked if o.source == "default"), None)
    if math.isfinite(gap) and default is not None:
        limit = ranked[0].value + gap * (default - ranked[0].value)
        ranked = [o for o in ranked if o.value <= limit]
    chosen: list[tuple[Observation, Sequence[str]]] = []
    for o in ranked:
        symbols: Sequence[str] = o.candidate.split(separator) if separator else o.candidate
        if all(o.candidate != other.candidate and _distance(symbols, s) >= diversity for other, s in chosen):
            chosen.append((o, symbols))
        if len(chosen) == k:
            break
    return [o for o, _ in chosen]


def _distance(a: Sequence[str], b: Sequence[str]) -> float:
    return Levenshtein.normalized_distance(a, b)
