"""Several solutions of one context in one training row, behind one copy of it, each blind to the others.

Fine-tuning has some ten solutions a task. What the model computes for each is the same as in a row of its own, at a fraction
of the work, because the context, which is the longer part, is read once.

Shapes: B rows, L tokens of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from boltbo.llm.backend import Example

SOLUTIONS = 12
"""Of one context in one row at most."""

Ids = Sequence[int]


@dataclass(frozen=True)
class Row:
    """The ids of a context, and of some of its solutions with the id that ends them and their weights."""

    context: Ids
    solutions: Sequence[tuple[Ids, float]]

    @property
    def length(self) -> int:
        return len(self.context) - 1 + sum(len(s) for s, _ in self.solutions)

    def columns(self) -> tuple[Sequence[float], ...]:
        """Ids, targets, weights, positions, places and parts (1 the context, then the solutions), each of `length`.

        The last id of the context, after which a solution is written, stands before each solution: it is part of it.
        """
        *shared, last = self.context
        start = len(shared)
        ids, targets, weights = [*shared], [0] * start, [0.0] * start
        positions, places, part = list(range(start)), list(range(start)), [1] * start
        for i, (solution, weight) in enumerate(self.solutions):
            ids += [last, *solution[:-1]]
            targets += solution
            weights += [weight] * len(solution)
            positions += range(start, start + len(solution))
            places += range(len(solution))
            part += [i + 2] * len(solution)
        return ids, targets, weights, positions, places, part


@dataclass(frozen=True)
class Batch:
    """Rows side by side, padded with zeros at the right.

    Attributes:
        ids: (B, L).
        targets: (B, L), the id that follows; 0 within the context.
        weights: (B, L), of the targets; 0 within the context.
        positions: (B, L), of each token in context and solution as if they stood alone.
        places: (B, L), the same, but a solution's begin again at 0, beside those of the context.
        mask: (B, 1, L, L), whether a token (third index) sees another (fourth).
    """

    ids: Tensor
    targets: Tensor
    weights: Tensor
    positions: Tensor
    places: Tensor
    mask: Tensor


def pack(
    examples: Sequence[Example], context: Callable[[str], Ids], solution: Callable[[str], Ids], most: int = SOLUTIONS
) -> list[Row]:
    """Rows of at most so many solutions; `context` and `solution` turn text into ids, the one that ends it included."""
    by_context: dict[str, list[tuple[Ids, float]]] = {}
    for e in examples:
        by_context.setdefault(e.context, []).append((solution(e.solution), e.weight))
    return [
        Row(ids, solutions[i : i + most])
        for ids, solutions in ((context(text), solutions) for text, solutions in by_context.items())
        for i in range(0, len(solutions), most)
    ]


def stack(rows: Sequence[Row]) -> Batch:
    """One batch of some rows."""
    ids, targets, weights, positions, places, part = (
        _padded(c) for c in zip(*(r.columns() for r in rows), strict=True)
    )
    # a token sees what stands before it in the context and in its own solution; padding (part 0) sees padding
    own = (part[:, :, None] == part[:, None, :]) | (part[:, None, :] == 1)
    mask = own & torch.ones(part.shape[1], part.shape[1], dtype=torch.bool).tril()
    return Batch(ids.long(), targets.long(), weights, positions.long(), places.long(), mask[:, None])


def _padded(columns: Sequence[Sequence[float]]) -> Tensor:
    longest = max(map(len, columns))
    return torch.tensor([[*c, *[0] * (longest - len(c))] for c in columns])
