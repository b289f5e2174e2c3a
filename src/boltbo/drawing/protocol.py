"""How a domain shows its solutions; a page without any `Drawing` shows them as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from markupsafe import Markup

from boltbo.problem import Observation, Task


@dataclass(frozen=True, slots=True)
class Solution:
    """One candidate of a task that a page shows.

    Attributes:
        name: Which methods found it, such as `STBO, best`.
        observation: The candidate with its value.
        value: The value as the page writes it, without a unit: a number, or that it is only a bound.
    """

    name: str
    observation: Observation
    value: str


class Drawing(Protocol):
    """A domain's own pictures of its solutions. Inherit from it and override what the domain has.

    A drawing reads what was stored and nothing else: no oracle, no server. What it returns as `markupsafe.Markup` stands on
    the page as it is, so it must escape every text within, as the templates of `pages.templates_of` do. A plain `str` is
    shown as text.
    """

    styles: str = ""
    """A style sheet for what is drawn; its colours are the variables of `palette.py`."""

    def unit(self, task: Task) -> str:
        """The unit of this task's values, such as `µM`; empty where that is not known."""
        return ""

    def candidate(self, task: Task, candidate: str) -> Markup | str:
        """A picture of one candidate, which stands above its text; empty: the text alone.

        Raises:
            InvalidCandidate: It cannot be read or is too large to be drawn; its text is shown alone.
        """
        return ""

    def together(self, task: Task, solutions: Sequence[Solution]) -> Markup | None:
        """One picture of all of a task's solutions, in place of one picture for each; None: there is none.

        Raises:
            InvalidCandidate: One of them cannot be read; each is shown by itself.
        """
        return None
