"""The initial design: the template itself, and relatives that a chemist or nobody in particular would try."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS, EISENBERG
from boltbo.domains.peptides.space import Relatives

LIKE: dict[str, str] = {
    "A": "S", "R": "KQ", "N": "DHS", "D": "EN", "C": "", "Q": "EKR", "E": "DKQ", "G": "", "H": "NY", "I": "LMV",
    "L": "IMV", "K": "RQE", "M": "ILV", "F": "WY", "P": "", "S": "ANT", "T": "S", "W": "FY", "Y": "FHW", "V": "ILM",
}  # fmt: skip
"""Residues that BLOSUM62 scores above zero (Henikoff & Henikoff, 1992)"""

CHARGED, GREASY = "KR", "LIFVWA"
HYDROPHOBICITY = dict(zip(AMINO_ACIDS, EISENBERG.tolist(), strict=True))

TURN = math.radians(100.0)
"""Turn of an alpha helix at each residue, in radians."""

ALIKE, CHARGE, NEUTRALIZE, GREASE = 1.0, 2.0, 3.0, 1.0
"""How often a substitution is chosen: within its class, for K or R, for K or R at an acid, on the hydrophobic face"""


def initial_design(space: Relatives, n: int, rng: np.random.Generator) -> list[str]:
    """Up to `n` distinct relatives: the template, then conservative designs and random mutants in turn."""
    template = "".join(space.template or ())
    chosen = dict.fromkeys([template])
    for _ in range(8):  # a small neighbourhood gives the same relatives again and again
        missing = n - len(chosen)
        if missing <= 0 or not space.edits:
            break
        pairs = zip_longest(conservative(space, -(-missing // 2), rng), mutants(space, missing // 2, rng))
        chosen |= dict.fromkeys(c for pair in pairs for c in pair if c is not None)
    return list(chosen)[:n]


def mutants(space: Relatives, n: int, rng: np.random.Generator) -> list[str]:
    """Random relatives of the template, 1 up to all of its edits away, as in the paper."""
    return space.mutants("".join(space.template or ()), space.edits, n, rng) if n and space.edits else []


def conservative(space: Relatives, n: int, rng: np.random.Generator) -> list[str]:
    """Relatives that keep the template's amphipathic faces, by 1 to all of its edits, substitutions alone.

    Antimicrobial peptides of this kind fold at membranes into helices with a charged and a hydrophobic face; within limits
    they gain from positive charge (Jiang et al., 2008, Biopolymers 90:369) and lose when the faces mix. So a residue becomes
    one of its own class (BLOSUM62); on the polar face K or R, acids above all; on the hydrophobic face a hydrophobic one. The
    faces are the two sides of the helical hydrophobic moment (Eisenberg et al., 1982, Nature 299:371).
    """
    template = "".join(space.template or ())
    moves = _moves(template)
    if not moves or not space.edits:
        return []
    weights = np.array([weight for _, _, weight in moves])
    order = np.log(weights) + rng.gumbel(size=(n, len(moves)))  # largest first: drawn without replacement
    counts = rng.integers(1, space.edits + 1, size=n)
    variants = []
    for row, count in zip(np.argsort(-order, axis=1), counts.tolist(), strict=True):
        residues, changed = list(template), set[int]()
        for place, residue, _ in (moves[m] for m in row):
            if place not in changed and len(changed) < count:
                residues[place] = residue
                changed.add(place)
        variants.append("".join(residues))
    return variants


def _moves(template: str) -> list[tuple[int, str, float]]:
    """(place, residue, weight) of each substitution; what several reasons speak for has the sum of their weights."""
    weights: dict[tuple[int, str], float] = {}

    def add(place: int, residues: str, weight: float) -> None:
        for residue in residues:
            if residue != template[place]:
                key = place, residue
                weights[key] = weights.get(key, 0.0) + weight / len(residues)

    for place, (residue, greasy) in enumerate(zip(template, hydrophobic_face(template), strict=True)):
        add(place, "".join(r for r in LIKE[residue] if r not in "DE"), ALIKE)  # never towards negative charge
        if not greasy and residue not in CHARGED:
            add(place, CHARGED, NEUTRALIZE if residue in "DE" else CHARGE)
        if greasy and HYDROPHOBICITY[residue] < HYDROPHOBICITY["A"] and residue not in CHARGED:
            add(place, GREASY, GREASE)
    return [(place, residue, weight) for (place, residue), weight in weights.items()]


def hydrophobic_face(template: str) -> Sequence[bool]:
    """Which residues point to the side of the helical hydrophobic moment."""
    angles = TURN * np.arange(len(template))
    scale = np.array([HYDROPHOBICITY[r] for r in template])
    east, north = float((scale * np.cos(angles)).sum()), float((scale * np.sin(angles)).sum())
    return [bool(side) for side in np.cos(angles - math.atan2(north, east)) > 0]
