"""Several solutions of one context in one training row, behind one copy of it, each blind to the others.

Fine-tuning has some ten solutions a task. The model computes the same for each as in a row of its own, at a fraction of the
work, because the context, which is the longer part, is read once.

Shapes: B rows, L tokens of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from boltbo.llm.backend import Example

SOLUTIONS = 12
"""The most solutions of one context in one row."""

Ids = Sequence[int]


@dataclass(frozen=True)
class Row:
    """The ids of a context, and of some of its solutions with the id that ends them."""

    context: Ids
    solutions: Sequence[Ids]

    @property
    def length(self) -> int:
        return len(self.context) - 1 + sum(map(len, self.solutions))

    def columns(self) -> tuple[Sequence[int], ...]:
        """Ids, targets, which of these are a solution's (1, others 0), positions, places and parts; each of `length`.

        The context is part 1, then come the solutions. The last id of the context, after which a solution is written,
        stands before each solution: it is part of it.
        """
        *shared, last = self.context
        start = len(shared)
        ids, targets, written = [*shared], [0] * start, [0] * start
        positions, places, part = list(range(start)), list(range(start)), [1] * start
        for i, solution in enumerate(self.solutions):
            ids += [last, *solution[:-1]]
            targets += solution
            written += [1] * len(solution)
            positions += range(start, start + len(solution))
            places += range(len(solution))
            part += [i + 2] * len(solution)
        return ids, targets, written, positions, places, part


@dataclass(frozen=True)
class Batch:
    """Rows side by side, padded with zeros at the right.

    Attributes:
        ids: The tokens, (B, L).
        targets: The id that follows each token, (B, L); 0 within the context.
        written: Whether each target is a solution's, (B, L).
        positions: Position of each token in context and solution as if these stood alone, (B, L).
        places: The same, but a solution's begin again at 0, beside those of the context, (B, L).
        mask: Whether a token (third index) sees another (fourth), (B, 1, L, L).
    """

    ids: Tensor
    targets: Tensor
    written: Tensor
    positions: Tensor
    places: Tensor
    mask: Tensor


def pack(
    examples: Sequence[Example], context: Callable[[str], Ids], solution: Callable[[str], Ids], most: int = SOLUTIONS
) -> list[Row]:
    """The examples as rows of at most `most` solutions each.

    Args:
        examples: Contexts and solutions.
        context: Turns a context into ids, the one that ends it included.
        solution: Turns a solution into ids, the one that ends it included.
        most: The most solutions of a row.
    """
    by_context: dict[str, list[Ids]] = {}
    for e in examples:
        by_context.setdefault(e.context, []).append(solution(e.solution))
    return [
        Row(ids, solutions[i : i + most])
        for ids, solutions in ((context(text), solutions) for text, solutions in by_context.items())
        for i in range(0, len(solutions), most)
    ]


def stack(rows: Sequence[Row]) -> Batch:
    """A batch of rows."""
    ids, targets, written, positions, places, part = (
        _padded(c) for c in zip(*(r.columns() for r in rows), strict=True)
    )
    # a token sees what stands before it in the context and in its own solution; padding (part 0) sees padding
    same_part_or_context = (part[:, :, None] == part[:, None, :]) | (part[:, None, :] == 1)
    mask = same_part_or_context & torch.ones(part.shape[1], part.shape[1], dtype=torch.bool).tril()
    return Batch(ids.long(), targets.long(), written.bool(), positions.long(), places.long(), mask[:, None])


def _padded(columns: Sequence[Sequence[int]]) -> Tensor:
    longest = max(map(len, columns))
    return torch.tensor([[*c, *[0] * (longest - len(c))] for c in columns])
