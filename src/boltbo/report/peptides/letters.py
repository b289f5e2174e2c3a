"""An alignment as HTML: what is another letter than the template's is marked by more than its colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from boltbo.report.peptides.alignment import Cell, Kind

MARKS = {Kind.SUBSTITUTED: "mark", Kind.INSERTED: "ins", Kind.DELETED: "del", Kind.GAP: "i"}

LEGEND = (
    '<p class="legend"><span><span class="peptide"><mark>K</mark></span> substituted (underlined)</span>'
    '<span><span class="peptide"><ins>K</ins></span> inserted (boxed)</span>'
    '<span><span class="peptide"><del>K</del></span> deleted (struck through)</span></p>'
)


def sheet() -> str:
    """The sheet that alignments need beside the common one."""
    return files(__package__).joinpath("style.css").read_text()


def letters(cells: Iterable[Cell]) -> str:
    """One row of an alignment, within an element of class `peptide`."""
    return "".join(
        f"<{MARKS[c.kind]}>{escape(c.letter)}</{MARKS[c.kind]}>" if c.kind in MARKS else escape(c.letter) for c in cells
    )


def ruler(cells: Sequence[Cell]) -> str:
    """The number of every tenth residue of the template, ending above it."""
    text, residue = "", 0
    for column, cell in enumerate(cells, 1):
        residue += cell.kind is Kind.SAME
        if cell.kind is Kind.SAME and residue % 10 == 0:
            text += str(residue).rjust(column - len(text))
    return text or " "
