"""The bacteria that the shipped predictor and its data know, and how people write their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Wall = Literal["negative", "positive", "acid-fast"]


@dataclass(frozen=True, slots=True)
class Species:
    """One species: its name in full, and how it stains by Gram.

    Mycobacteria are `acid-fast`: relatives of the Gram-positives with a wall of their own, so they are in neither panel.
    """

    name: str
    wall: Wall


SPECIES: dict[str, Species] = {
    "P_aeruginosa": Species("Pseudomonas aeruginosa", "negative"),
    "E_coli": Species("Escherichia coli", "negative"),
    "K_pneumoniae": Species("Klebsiella pneumoniae", "negative"),
    "S_typhimurium": Species("Salmonella typhimurium", "negative"),
    "M_luteus": Species("Micrococcus luteus", "positive"),
    "E_faecalis": Species("Enterococcus faecalis", "positive"),
    "B_subtilis": Species("Bacillus subtilis", "positive"),
    "S_epidermidis": Species("Staphylococcus epidermidis", "positive"),
    "S_aureus": Species("Staphylococcus aureus", "positive"),
    "B_cepacia": Species("Burkholderia cepacia", "negative"),
    "M_smegmatis": Species("Mycolicibacterium smegmatis", "acid-fast"),
    "M_tuberculosis": Species("Mycobacterium tuberculosis", "acid-fast"),
}
"""Name of a column (initial of the genus, underscore, epithet) -> its species."""


def column_of(text: str, columns: tuple[str, ...]) -> str | None:
    """The one of `columns` that `text` names, None if none: `E_coli`, `E. coli`, `e coli` and `Escherichia coli` are one."""
    folded = _folded(text)
    for column in columns:
        species = SPECIES.get(column)
        if folded == _folded(column) or (species is not None and folded == _folded(species.name)):
            return column
    return None


def _folded(name: str) -> str:
    return " ".join(name.replace("_", " ").replace(".", " ").lower().split())
