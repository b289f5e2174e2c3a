"""A family of problems with a known rule: the context names the optimum of each of three dials.

In a module of its own so that worker processes can import it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from boltbo import OracleUnavailable, Slots, Task

LEVELS = [str(i) for i in range(16)]
DIALS = 3


class Quadratic:
    """Distance of three dials from where the task wants them. `log` counts the calls of all processes."""

    name = "quadratic"
    instruction = "Set three dials to 0..15."

    def __init__(self, log: Path | None = None, fail: str = "", delay: float = 0.0) -> None:
        self.log = log
        self.fail = fail
        self.delay = delay

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        if self.log is not None:
            with self.log.open("a") as f:
                f.write(f"{task.id} {candidate}\n")
        if self.delay:
            import time

            time.sleep(self.delay)
        if self.fail == "nan":
            return math.nan
        if self.fail == "raise":
            raise ZeroDivisionError("broken oracle")
        if self.fail == "gone":
            raise OracleUnavailable("the oracle is gone; start it again")
        wanted = [int(w) for w in task.data["wanted"]]
        return float(sum((int(c) - w) ** 2 for c, w in zip(candidate.split(), wanted, strict=True)))

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return ["0 0 0", *self.space(task).decode(rng.random((n - 1, DIALS)))]

    def space(self, task: Task) -> Slots:
        return Slots([LEVELS] * DIALS)

    grammar = space


def make_tasks(n: int, seed: int = 0, prefix: str = "t") -> list[Task]:
    rng = np.random.default_rng(seed)
    wanted = rng.integers(16, size=(n, DIALS)).tolist()
    return [Task(f"{prefix}{i}", "want " + " ".join(map(str, w)), {"wanted": w}) for i, w in enumerate(wanted)]
