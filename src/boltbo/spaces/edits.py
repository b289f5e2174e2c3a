"""Edits and alignments of two sequences of symbols."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Editop, Levenshtein


def apply_edits(source: list[str], ops: Sequence[Editop], target: Sequence[str]) -> list[str]:
    """`source` after some of the edit operations that make it `target`, in their order."""
    out: list[str] = []
    at = 0
    for op in ops:
        out += source[at : op.src_pos]
        at = op.src_pos if op.tag == "insert" else op.src_pos + 1
        if op.tag != "delete":
            out.append(target[op.dest_pos])
    return out + source[at:]


def alignment(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """The corners of a shortest alignment: places in `a` and `b` at which both may be cut."""
    path = []
    for op in Levenshtein.opcodes(a, b):
        i, j = op.src_start, op.dest_start
        while i < op.src_end or j < op.dest_end:
            path.append((i, j))
            i, j = min(i + 1, op.src_end), min(j + 1, op.dest_end)
    return [*path, (len(a), len(b))]
