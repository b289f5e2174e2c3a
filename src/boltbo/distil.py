"""Distillation: the best solutions of finished runs, without near-duplicates, as training pairs."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from boltbo.problem import Observation, Trajectory


def top_k(trajectory: Trajectory, k: int, diversity: float = 0.0, separator: str = " ") -> list[Observation]:
    """The best `k` complete observations of one run, each at least `diversity` away from every better one.

    Greedy from the best on, as ROBOT builds diverse sets (Maus et al., 2023). The distance of two candidates is the
    Levenshtein distance of their symbols over the length of the longer one, in [0, 1]; 0 keeps all that differ, which
    is the paper's plain top-K.

    Args:
        trajectory: A finished run.
        k: How many at most.
        diversity: The least distance, in [0, 1].
        separator: What parts a candidate's symbols; empty: every character is one.
    """
    chosen: list[tuple[Observation, Sequence[str]]] = []
    for o in sorted((o for o in trajectory.observations if o.complete), key=lambda o: o.value):
        symbols: Sequence[str] = o.candidate.split(separator) if separator else o.candidate
        if all(o.candidate != other.candidate and _distance(symbols, s) >= diversity for other, s in chosen):
            chosen.append((o, symbols))
        if len(chosen) == k:
            break
    return [o for o, _ in chosen]


def _distance(a: Sequence[str], b: Sequence[str]) -> float:
    return Levenshtein.normalized_distance(a, b)
