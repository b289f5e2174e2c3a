"""One task's solution made another's: the edits between its start and its solution, made at the same places elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein


def transplanted(onto: Sequence[str], start: Sequence[str], solution: Sequence[str], budget: int) -> list[str]:
    """The symbols of `onto` after the edits that lead from `start` to `solution`.

    Args:
        onto: Symbols of the task's own start.
        start: Those of the other task's.
        solution: Those of its solution.
        budget: How many edits are made at most, from the beginning.
    """
    before: dict[int, list[str]] = {}
    instead: dict[int, list[str]] = {}
    for op in Levenshtein.editops(start, solution):
        if op.tag == "insert":
            before.setdefault(op.src_pos, []).append(solution[op.dest_pos])
        else:
            instead[op.src_pos] = [] if op.tag == "delete" else [solution[op.dest_pos]]
    symbols: list[str] = []
    left = budget
    for i, own in enumerate(onto):
        inserted = before.get(i, [])[:left] if i < len(start) else []  # ends differ in place: nothing is inserted there
        symbols += inserted
        left -= len(inserted)
        if left > 0 and i in instead and instead[i] != [own]:
            left -= 1
            symbols += instead[i]
        else:
            symbols.append(own)
    return symbols


def edits(start: Sequence[str], solution: Sequence[str]) -> int:
    """How many there are."""
    return Levenshtein.distance(start, solution)
