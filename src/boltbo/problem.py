"""The ground floor: what a task, a candidate and an oracle's answer are.

Nothing here imports anything else of boltbo. Lower values are better, everywhere.

A *candidate* is plain text (a query plan, a peptide, a list of settings). What scores one is a domain: see `domain.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Status(StrEnum):
    """What became of one oracle call."""

    COMPLETE = "complete"
    """The value is the objective."""
    CENSORED = "censored"
    """The oracle stopped early: the objective is at least the value."""
    INFEASIBLE = "infeasible"
    """The candidate breaks a constraint; there is no value."""
    FAILED = "failed"
    """The oracle raised or answered NaN; there is no value."""


@dataclass(frozen=True, slots=True)
class Task:
    """One problem of a domain.

    Attributes:
        id: Unique among the tasks of a campaign.
        context: The text that tells this task from the others; what a language model reads.
        data: What the oracle needs beyond the context. Must survive JSON.
    """

    id: str
    context: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An oracle's answer to one candidate, for oracles that have more to say than a number.

    Attributes:
        value: The objective (lower is better), the bound if `censored`, NaN if there is none.
        status: See `Status`.
        note: Anything a person may want to read about it later.
        scored: The candidate that was scored, in canonical form, where it was not the one asked for: a database that did
            not follow a plan says which one it ran. The value is recorded as this candidate's.
        constraints: Numbers that must be at most 0, always equally many, where the oracle can tell them; a positive one
            makes the candidate infeasible, and how far it is beyond helps an optimizer to find back.
    """

    value: float
    status: Status = Status.COMPLETE
    note: str = ""
    scored: str = ""
    constraints: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One oracle call as it is recorded: the answer, what it cost in seconds, and who proposed the candidate.

    `source` is one of `default`, `design`, `llm`, `bo`, `import`, or an optimizer's own word. `asked` is what was asked
    for where the oracle scored another candidate. `constraints` is as in `Evaluation`.
    """

    candidate: str
    value: float
    status: Status
    seconds: float
    source: str
    note: str = ""
    asked: str = ""
    constraints: tuple[float, ...] = ()

    @property
    def complete(self) -> bool:
        return self.status is Status.COMPLETE


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The observations of one run on one task, in order."""

    task: Task
    observations: tuple[Observation, ...]

    @property
    def best(self) -> Observation | None:
        """The complete observation with the lowest value, the earliest of equals; None if there is none."""
        return min((o for o in self.observations if o.complete), key=lambda o: o.value, default=None)

    @property
    def as_asked(self) -> float:
        """The share of the calls in which the oracle scored what it was asked to; 1 without any call.

        Of query plans this is the match rate: how often the server followed.
        """
        return 1.0 - sum(bool(o.asked) for o in self.observations) / max(len(self.observations), 1)

    def best_values(self) -> list[float]:
        """The best complete value after each call; infinity before the first one. Length: the number of calls."""
        values, best = [], math.inf
        for o in self.observations:
            best = min(best, o.value) if o.complete else best
            values.append(best)
        return values
