"""The history of a run as text that a language model reads, and examples of it cut from finished runs.

    the task's context
                                an empty line
    4 a solution                up to `LINES` observations, the best ones and the last ones, in the order of the calls
    1 another solution
    0                           the wanted level

A *level* says how far a value lies above the best of the observations before, on the scale of `sources.standardised`: 0 is
better than all of them, 1 the best itself, then ever larger gaps up to 9. Fixed levels would hardly tell good
observations apart: from one to the next it is a fraction of what a run gains over its design.
Everything depends on the observations told so far alone: what a model learns from is what it is asked with.

Symbols of solutions are parted by blanks, as the peptides' contexts are: each is one token then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.domain import Domain
from boltbo.llm.backend import Example
from boltbo.llm.compact.tokenizer import split
from boltbo.problem import FloatArray, Observation, Status, Trajectory
from boltbo_bench.transfer.sources import VALUED, chosen, standardised

LINES = 8
GAPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Above the best, on the standardised scale: where level 2 ends, level 3, …, 8"""
BETTER = 0
"""The level of what is better than all before"""
LEAST = 3
"""Observations that have a value, below which nothing is learnt or asked"""
EXAMPLES = 4000
"""Of all runs together, about"""
MOST, FEWEST = 16, 2
"""Of one run"""
DESIGN = ("default", "design")
"""Sources of candidates that no method chose in the light of a history"""


def levels(values: FloatArray, censored: NDArray[np.bool_], known: int | None = None) -> NDArray[np.int64]:
    """The level of each value against the best complete one of the first `known` (all), shape (n,).

    Args:
        values: Objectives, or bounds, in the order of the calls, shape (n,).
        censored: Where they are bounds, shape (n,); such a value is never better than the best.
        known: So many of them the best is looked for among; one of them at least is complete.
    """
    y = standardised(values, censored, "anchored")
    gaps = y - y[:known][~censored[:known]].min()
    found = np.where(gaps > 0, 2 + np.searchsorted(GAPS, gaps, side="right"), np.where(gaps < 0, BETTER, 1))
    return np.where(censored, np.maximum(found, 1), found)


def text(
    context: str,
    candidates: Sequence[str],
    values: FloatArray,
    censored: NDArray[np.bool_],
    wanted: int,
    separator: str,
) -> str:
    """What a model reads.

    Args:
        context: Of the task.
        candidates: Of the observations so far that have a value, in the order of the calls, n of them.
        values: Theirs, shape (n,), one of them at least complete.
        censored: Where they are bounds, shape (n,).
        wanted: The level that the next solution is to have.
        separator: What parts the symbols of a candidate.
    """
    own = levels(values, censored)
    best = np.argsort(np.where(censored, np.inf, values), kind="stable")[: LINES // 2].tolist()
    last = [i for i in reversed(range(len(own))) if i not in best][: LINES - len(best)]
    lines = [f"{own[i]} {' '.join(split(candidates[i], separator))}" for i in sorted([*best, *last])]
    return "\n".join([context, "", *lines, str(wanted)])


def examples(trajectories: Sequence[Trajectory], domain: Domain, seed: int) -> dict[str, list[Example]]:
    """What is learnt from finished runs: after some calls of each the candidate that came next, given the level it had.

    Half of a run's are those with the lowest next value over the best before, the others at random; candidates of the
    design, which nobody chose in the light of a history, and repeats are none.

    Args:
        trajectories: The runs.
        domain: Theirs.
        seed: Of the choice.

    Returns:
        Task id -> its examples, none for a run that is too short.
    """
    rng = np.random.default_rng(seed)
    each = min(MOST, max(FEWEST, EXAMPLES // max(1, len(trajectories))))
    return {x.task.id: _of_one(x, domain.grammar(x.task).separator, each, rng) for x in trajectories}


def _of_one(trajectory: Trajectory, separator: str, most: int, rng: np.random.Generator) -> list[Example]:
    told = [o for o in trajectory.observations if o.status in VALUED and np.isfinite(o.value)]
    candidates, values = [o.candidate for o in told], np.array([o.value for o in told])
    censored = np.array([o.status is Status.CENSORED for o in told], dtype=bool)
    places = _places(told, censored)
    if not len(places):
        return []
    y = standardised(values, censored, "anchored")
    before = np.minimum.accumulate(np.where(censored, np.inf, y))[places - 1]
    found = []
    for t in places[chosen(y[places] - before, most, rng)].tolist():
        wanted = int(levels(values[: t + 1], censored[: t + 1], t)[t])
        context = text(trajectory.task.context, candidates[:t], values[:t], censored[:t], wanted, separator)
        found.append(Example(context, candidates[t]))
    return found


def _places(told: Sequence[Observation], censored: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Of the observations that are examples: chosen by some method, new, and enough is known before them."""
    known, complete, found = set[str](), 0, list[int]()
    for t, o in enumerate(told):
        if t >= LEAST and complete and o.source not in DESIGN and o.candidate not in known:
            found.append(t)
        known.add(o.candidate)
        complete += not censored[t]
    return np.array(found, dtype=np.intp)
