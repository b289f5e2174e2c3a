"""Solutions of one task beside each other, as their domain draws them; as text if it has no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from boltbo.drawing import Drawing, Solution
from boltbo.drawing.numbers import number, with_unit
from boltbo.drawing.pages import fragment
from boltbo.errors import InvalidCandidate
from boltbo.problem import Observation, Task

TEXT = 1500
"""Greatest number of letters of a candidate that are shown."""


class TextOnly(Drawing):
    """Draws nothing: for a domain without a drawing of its own."""


@dataclass(frozen=True, slots=True)
class _Card:
    """One solution: its name, its value, its picture (or nothing), and its text."""

    name: str
    value: str
    picture: Markup | str
    text: str


def solutions_of(drawing: Drawing, task: Task, solutions: Sequence[tuple[str, Observation]]) -> Markup:
    """The solutions in one picture where the domain has one, else one by one.

    Args:
        drawing: How the domain shows its solutions.
        task: The task.
        solutions: (which methods found it, the candidate with its value); the default first.
    """
    shown = [Solution(name, o, value_of(o)) for name, o in solutions]
    try:
        together = drawing.together(task, shown)
    except InvalidCandidate:
        together = None
    if together is not None:
        return together
    return fragment(
        "boltbo.report.campaign",
        "solutions.html.j2",
        cards=[_card(drawing, task, solution) for solution in shown],
    )


def value_of(o: Observation) -> str:
    """The value, or that it is only a bound."""
    return number(o.value) if o.complete else f"> {number(o.value)}"


def _card(drawing: Drawing, task: Task, solution: Solution) -> _Card:
    candidate = solution.observation.candidate
    try:
        picture = drawing.candidate(task, candidate)
    except InvalidCandidate:
        picture = ""
    text = candidate[:TEXT] + "…" * (len(candidate) > TEXT)
    return _Card(solution.name, with_unit(solution.value, drawing.unit(task)), picture, text)
