"""The values of a run's calls as one line of text: what a result file keeps of each task.

    0.153 0.21> ! x . 0.11

A number is a value; with > the call was stopped there, the true value is at least that; `!` failed, `x` is infeasible. The
first `FULL` calls are kept as they are; after them `.` is a call with nothing better than the best before it, so that a long
run takes no more room than it tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boltbo.problem import Observation, Status

FULL = 100
DIGITS = 5
NO_VALUE = {Status.FAILED: "!", Status.INFEASIBLE: "x"}


@dataclass(frozen=True, slots=True)
class Calls:
    """Attributes:
    best: After each call the lowest complete value, or while there is none the lowest bound; infinity before both.
    exact: Whether that is a value, not a bound.
    marks: Of each call one of ` ` (complete), `>`, `!`, `x`, `.` (no better).
    """

    best: tuple[float, ...]
    exact: tuple[bool, ...]
    marks: str

    def __len__(self) -> int:
        return len(self.best)

    def at(self, k: int | None = None) -> tuple[float, bool]:
        """The best of the first `k` calls (of all), and whether it is a value; (inf, False) where there is none."""
        n = len(self.best) if k is None else min(k, len(self.best))
        return (self.best[n - 1], self.exact[n - 1]) if n else (math.inf, False)


def write(observations: Iterable[Observation]) -> str:
    """The line of these observations."""
    words: list[str] = []
    best, bound = math.inf, math.inf
    for o in observations:
        better = (o.complete and o.value < best) or (
            o.status is Status.CENSORED and math.isinf(best) and o.value < bound
        )
        if len(words) >= FULL and not better:
            words.append(".")
        else:
            words.append(NO_VALUE.get(o.status) or f"{o.value:.{DIGITS}g}" + ">" * (o.status is Status.CENSORED))
        best = min(best, o.value) if o.complete else best
        bound = min(bound, o.value) if o.status is Status.CENSORED else bound
    return " ".join(words)


def read(line: str) -> Calls:
    """What `write` wrote.

    Raises:
        ValueError: A word is none of those.
    """
    values: list[float] = []
    exact: list[bool] = []
    marks: list[str] = []
    best, bound = math.inf, math.inf
    for word in line.split():
        mark = word if word in ("!", "x", ".") else ">" if word.endswith(">") else " "
        if mark == " ":
            best = min(best, float(word))
        elif mark == ">":
            bound = min(bound, float(word[:-1]))
        marks.append(mark)
        values.append(best if math.isfinite(best) else bound)
        exact.append(math.isfinite(best))
    return Calls(tuple(values), tuple(exact), "".join(marks))


def curve(calls: Calls, length: int) -> Sequence[float]:
    """The best after each of `length` calls; what ended early stays as it was."""
    if not len(calls):
        return [math.inf] * length
    return [*calls.best[:length], *[calls.best[-1]] * (length - len(calls))]
