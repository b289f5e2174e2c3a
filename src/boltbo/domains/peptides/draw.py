"""Peptides on pages: an alignment with their template, in which other letters are marked by more than their colour."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from boltbo.domains.peptides.alignment import Cell, Kind, aligned
from boltbo.drawing import Drawing, Solution
from boltbo.drawing.pages import fragment, text_of
from boltbo.problem import Task

HERE = "boltbo.domains.peptides"
LONGEST = 400
"""Greatest number of residues of a peptide that is aligned."""


def styles() -> str:
    """The style sheet that alignments need beside the common one."""
    return text_of(HERE, "peptides.css")


class PeptideDrawing(Drawing):
    """All solutions of a task below its template, residue by residue."""

    def __init__(self) -> None:
        self.styles = styles()

    def unit(self, task: Task) -> str:
        """Micromolar, unless the context names species to be spared: then a value is a ratio of concentrations."""
        return "" if " - " in task.context.partition("\n")[2] else "µM"

    def together(self, task: Task, solutions: Sequence[Solution]) -> Markup | None:
        template = task.data.get("template")
        texts = [s.observation.candidate for s in solutions]
        if not template or not isinstance(template, str) or max(map(len, [template, *texts])) > LONGEST:
            return None
        first, rows = aligned(template, texts)
        return fragment(
            HERE,
            "alignment.html.j2",
            unit=self.unit(task),
            ruler=ruler(first),
            template=first,
            rows=[(s.name, s.value, row) for s, row in zip(solutions, rows, strict=True)],
        )


def ruler(cells: Sequence[Cell]) -> str:
    """The number of every tenth residue of the template, ending above it."""
    text, residue = "", 0
    for column, cell in enumerate(cells, 1):
        residue += cell.kind is Kind.SAME
        if cell.kind is Kind.SAME and residue % 10 == 0:
            text += str(residue).rjust(column - len(text))
    return text or " "


drawing = PeptideDrawing()
"""The drawing that the command line hands to the report."""
