"""A family of problems with a known rule, to see how models learn: what hides in the context, and how much of it is found.

A task is a template of 25 letters. Its solution changes a few of them by one rule for all tasks: the letters fall into four
classes, and a table, drawn once, says for some pairs (class of the letter to the left, letter) what the letter becomes. The
oracle counts the places that differ from the solution; a model that has understood reads the rule off the solutions of other
templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from boltbo import Slots, Task

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
LENGTH = 25
CLASSES, SHARE = 4, 0.2
"""Of all pairs, a fifth change: sixteen rules, of which about five apply to a template"""


class Substitutions:
    """See above. `evaluate` is exact; `answers` are solutions as a search would leave them, not all places done."""

    name = "substitutions"
    instruction = "Change a few letters of the template."

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 0])
        k = len(LETTERS)
        self._class = rng.permutation(k) % CLASSES
        self._table = np.tile(np.arange(k), CLASSES)
        changed = rng.permutation(len(self._table))[: round(SHARE * len(self._table))]
        self._table[changed] = (self._table[changed] + rng.integers(1, k, size=len(changed))) % k

    def tasks(self, n: int, seed: int, prefix: str) -> list[Task]:
        rows = np.random.default_rng([seed, 1]).integers(len(LETTERS), size=(n, LENGTH))
        return [Task(f"{prefix}{i}", " ".join(LETTERS[j] for j in row), {}) for i, row in enumerate(rows)]

    def solution(self, task: Task) -> list[str]:
        row = [LETTERS.index(letter) for letter in task.context.split()]
        return [LETTERS[self._table[self._class[row[i - 1]] * len(LETTERS) + row[i]]] for i in range(LENGTH)]

    def answers(self, task: Task, n: int, rng: np.random.Generator, done: float = 0.8) -> list[str]:
        """`n` solutions, each place of which is done with a chance of `done`."""
        pairs = list(zip(task.context.split(), self.solution(task), strict=True))
        return [" ".join(new if rng.random() < done else old for old, new in pairs) for _ in range(n)]

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        return float(sum(a != b for a, b in zip(candidate.split(), self.solution(task), strict=True)))

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return [task.context, *(_mutant(task.context, rng) for _ in range(n - 1))]

    def space(self, task: Task) -> Slots:
        return Slots([LETTERS] * LENGTH)

    grammar = space

    def pretraining_pairs(self, tasks: Sequence[Task], n: int, seed: int) -> Iterator[tuple[str, str]]:
        """Random templates with random mutants of theirs: what solutions look like, not which are good."""
        rng = np.random.default_rng([seed, 2])
        for _ in range(n):
            template = " ".join(LETTERS[i] for i in rng.integers(len(LETTERS), size=LENGTH))
            yield template, _mutant(template, rng)


def _mutant(template: str, rng: np.random.Generator) -> str:
    letters = template.split()
    for place in rng.choice(LENGTH, size=rng.integers(1, 7), replace=False):
        letters[place] = LETTERS[rng.integers(len(LETTERS))]
    return " ".join(letters)
