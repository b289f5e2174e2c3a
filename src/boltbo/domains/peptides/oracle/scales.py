"""Properties of the twenty residues, from the literature, in the order of `AMINO_ACIDS`."""

from __future__ import annotations

import numpy as np

from boltbo.problem import FloatArray

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty natural residues, in the order of every array of the oracle."""


def _scale(values: str) -> FloatArray:
    return np.array(values.split(), dtype=np.float64)


#                    A    C     D     E     F    G    H    I     K    L     M    N     P    Q     R    S     T     V     W     Y
HYDROPATHY = _scale(
    "1.8  2.5  -3.5  -3.5  2.8  -0.4 -3.2 4.5  -3.9 3.8  1.9  -3.5  -1.6 -3.5  -4.5 -0.8  -0.7  4.2  -0.9 -1.3"
)
"""Hydropathy: Kyte and Doolittle, J. Mol. Biol. 157 (1982) 105."""

EISENBERG = _scale(
    " 0.62 0.29 -0.90 -0.74 1.19 0.48 -0.40 1.38 -1.50 1.06 0.64 -0.78 0.12 -0.85 -2.53 -0.18 -0.05 1.08 0.81 0.26"
)
"""The consensus scale of hydrophobicity: Eisenberg et al., PNAS 81 (1984) 140."""

VOLUME = _scale(
    "88.6 108.5 111.1 138.4 189.9 60.1 153.2 166.7 168.6 166.7 162.9 114.1 112.7 143.8 173.4 89.0 116.1 140.0 227.8 193.6"
)
"""Volume of the residue, cubic angstrom: Zamyatnin, Prog. Biophys. Mol. Biol. 24 (1972) 107."""

HELIX = _scale("0.0 0.68 0.69 0.40 0.54 1.0 0.61 0.41 0.26 0.21 0.24 0.65 3.16 0.39 0.21 0.50 0.66 0.61 0.49 0.53")
"""Cost of a residue in a helix, kcal/mol: Pace and Scholtz, Biophys. J. 75 (1998) 422."""

STRAND = _scale("0.83 1.19 0.54 0.37 1.38 0.75 0.87 1.60 0.74 1.30 1.05 0.89 0.55 1.10 0.93 0.75 1.19 1.70 1.37 1.47")
"""Propensity for a beta strand: Chou and Fasman, Adv. Enzymol. 47 (1978) 45."""

CHARGE = _scale("0 0 -1 -1 0 0 0.1 0 1 0 0 0 0 0 1 0 0 0 0 0")
"""Charge of the side chain near pH 7."""

INTERFACE = _scale(
    "0.17 -0.24 1.23 2.02 -1.13 0.01 0.17 -0.31 0.99 -0.56 -0.23 0.42 0.45 0.58 0.81 0.13 0.14 0.07 -1.85 -0.94"
)
"""Cost of moving from water to a membrane's interface, kcal/mol, with histidine neutral.

Wimley and White, Nat. Struct. Biol. 3 (1996) 842.
"""
