"""One oracle call: whatever the oracle answers or raises becomes an observation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from boltbo.domain import Domain
from boltbo.errors import InvalidCandidate, OracleUnavailable
from boltbo.problem import Evaluation, Observation, Status, Task


def call_oracle(domain: Domain, task: Task, candidate: str, source: str, best: float | None) -> Observation:
    """One oracle call. Whatever the oracle does short of `OracleUnavailable` becomes an observation."""
    start = time.perf_counter()
    try:
        answer = domain.evaluate(task, candidate, best)
        evaluation = answer if isinstance(answer, Evaluation) else Evaluation(float(answer))
    except OracleUnavailable:
        raise
    except InvalidCandidate as error:
        evaluation = Evaluation(math.nan, Status.INFEASIBLE, str(error))
    except Exception as error:
        evaluation = Evaluation(math.nan, Status.FAILED, f"{type(error).__name__}: {error}")
    status, note, constraints = evaluation.status, evaluation.note, tuple(map(float, evaluation.constraints))
    if not all(map(math.isfinite, constraints)):
        status, note, constraints = Status.FAILED, f"the oracle answered the constraints {constraints}", ()
    elif any(c > 0 for c in constraints):
        status = Status.INFEASIBLE
    if status in (Status.COMPLETE, Status.CENSORED) and not math.isfinite(evaluation.value):
        status, note = Status.FAILED, f"the oracle answered {evaluation.value}"
    value = evaluation.value if status in (Status.COMPLETE, Status.CENSORED) else math.nan
    seconds, scored = time.perf_counter() - start, evaluation.scored
    asked = candidate if scored and scored != candidate else ""
    return Observation(scored or candidate, value, status, seconds, source, note[:2000], asked, constraints)


def best_value(observations: Sequence[Observation]) -> float | None:
    return min((o.value for o in observations if o.complete), default=None)
