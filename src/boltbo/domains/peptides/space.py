"""The relatives of a template as strings: what an optimizer may ask for and a model may write."""

from __future__ import annotations

from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.domains.peptides.similarity import edit_budget
from boltbo.domains.peptides.templates import LONGEST, SHORTEST
from boltbo.spaces import Strings


class Relatives(Strings):
    """Peptides of 5 to 50 natural residues that are at least so similar to the template.

    Raises:
        ValueError: The template is no such peptide.
    """

    def __init__(self, template: str, least: float) -> None:
        edits = edit_budget(template, least)
        super().__init__(AMINO_ACIDS, (SHORTEST, LONGEST), template=template, edits=edits)

    def canonical(self, text: str) -> str:
        return super().canonical("".join(text.split()))  # models of a service like to part the letters
