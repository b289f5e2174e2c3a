"""Families of candidates that differ, made as ROBOT makes diverse sets (Maus et al., 2023).

The best candidate heads the first; the best of those far enough from all earlier heads heads the next; a candidate belongs
to the first head that it is near to, else to the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from boltbo.campaign.distil import top_k
from boltbo.problem import Observation, Trajectory

APART = 2
"""Least number of edits between any two listed candidates."""


def choose(
    trajectory: Trajectory, template: str, bound: float, least: float, families: int, top: int
) -> list[tuple[int, Observation]]:
    """(family, observation) of the candidates with values below `bound`, family by family, best first in each.

    Two heads are more than half of the edit budget apart, any two candidates at least `APART` edits.
    """
    better = [o for o in trajectory.observations if o.complete and o.value < bound and o.candidate != template]
    shortest = min((len(o.candidate) for o in better), default=1)
    apart = max(APART, math.floor((1 - least) * len(template)) // 2 + 1)

    def spaced(observations: Sequence[Observation], k: int, distance: int) -> list[Observation]:
        """`top_k` measures in shares of the longer text, of which none is shorter than `shortest`."""
        return top_k(Trajectory(trajectory.task, tuple(observations)), k, min(distance / shortest, 1.0), separator="")

    candidates = spaced(better, len(better), APART)
    heads = spaced(candidates, families, apart)
    share = -(-top // max(len(heads), 1))
    members: list[list[Observation]] = [[] for _ in heads]
    spare: list[tuple[int, Observation]] = []
    for o in candidates:
        distances = [0 if o is h else Levenshtein.distance(h.candidate, o.candidate) for h in heads]
        family = next((i for i, d in enumerate(distances) if d < apart), int(np.argmin(distances)))
        if len(members[family]) < share:
            members[family].append(o)
        else:
            spare.append((family, o))
    missing = top - sum(map(len, members))  # where a family is small, others fill up
    for family, o in spare[: max(missing, 0)]:
        members[family].append(o)
    return [(i, o) for i, family_members in enumerate(members, 1) for o in family_members][:top]
