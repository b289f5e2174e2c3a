"""Candidates aligned with their template: one column for each residue of the template, and some for what is inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz.distance import Levenshtein


class Kind(StrEnum):
    """How a cell differs from the template's."""

    SAME = "same"
    SUBSTITUTED = "substituted"
    INSERTED = "inserted"
    DELETED = "deleted"
    """The letter is the same as the template's."""
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Cell:
    """One letter of an alignment and how it differs from the template's."""

    kind: Kind
    letter: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate beside its template, of length n.

    Attributes:
        at: What stands at each residue of the template, n cells.
        before: What is inserted before each residue and at the end, n + 1 texts.
    """

    at: tuple[Cell, ...]
    before: tuple[str, ...]

    @classmethod
    def of(cls, template: str, candidate: str) -> Pair:
        """Align a candidate with the fewest edits."""
        at: list[Cell] = [Cell(Kind.SAME, letter) for letter in template]
        before = [""] * (len(template) + 1)
        for op in Levenshtein.editops(template, candidate):
            if op.tag == "insert":
                before[op.src_pos] += candidate[op.dest_pos]
            elif op.tag == "delete":
                at[op.src_pos] = Cell(Kind.DELETED, template[op.src_pos])
            else:
                at[op.src_pos] = Cell(Kind.SUBSTITUTED, candidate[op.dest_pos])
        return cls(tuple(at), tuple(before))

    def edits(self, template: str) -> list[str]:
        """Each edit in words: `G1K` for K in place of G at 1, `-G9` for no G at 9, `+K4` for K after 4 of the template."""
        edits: list[str] = []
        for i, inserted in enumerate(self.before):
            edits += [f"+{letter}{i}" for letter in inserted]
            if i < len(self.at) and self.at[i].kind is Kind.SUBSTITUTED:
                edits.append(f"{template[i]}{i + 1}{self.at[i].letter}")
            elif i < len(self.at) and self.at[i].kind is Kind.DELETED:
                edits.append(f"-{template[i]}{i + 1}")
        return edits


def aligned(template: str, candidates: Sequence[str]) -> tuple[list[Cell], list[list[Cell]]]:
    """The row of the template and those of the candidates, all of the same length."""
    pairs = [Pair.of(template, candidate) for candidate in candidates]
    widths = [max((len(pair.before[i]) for pair in pairs), default=0) for i in range(len(template) + 1)]
    return _row(Pair.of(template, template), widths), [_row(pair, widths) for pair in pairs]


def _row(pair: Pair, widths: Sequence[int]) -> list[Cell]:
    cells: list[Cell] = []
    for i, width in enumerate(widths):
        cells += [Cell(Kind.INSERTED, letter) for letter in pair.before[i]]
        cells += [Cell(Kind.GAP, "-")] * (width - len(pair.before[i]))
        cells += pair.at[i : i + 1]
    return cells
