"""Landscapes over peptides for the string benchmarks, from a table of measured MIC values.

The table (CSV) has a column `sequence` and one column a species with log10 MIC in uM. A landscape is a regressor of the mean
over `SPECIES`, fitted to the table when the script starts. Two that see peptides in different ways:

    trees       gradient-boosted trees on composition, thirds, and pairs of residue kinds
    network     a small network on the residues at each end and the composition

Neither says what a peptide does; both are rugged functions of strings that were not made for any optimizer.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
)  # at once: a limit of threads does not reach what loads after it
from sklearn.neural_network import MLPRegressor

from boltbo.problem import FloatArray
from boltbo.spaces import Strings

Landscape = Callable[[Sequence[str]], FloatArray]
"""Values in uM, shape (n,); lower is better."""

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
KINDS = ("AGST", "C", "DE", "FWY", "HNQ", "ILMV", "KR", "P")
SPECIES = ("E_coli", "S_aureus", "P_aeruginosa", "K_pneumoniae")
LANDSCAPES = ("trees", "network")
SIMILARITY = 0.75
LONGEST = 40


def table(path: Path) -> tuple[list[str], FloatArray]:
    """The peptides of natural residues, and their mean log10 MIC."""
    sequences, values = [], []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            known = [float(row[s]) for s in SPECIES if row[s]]
            if known and set(row["sequence"]) <= set(RESIDUES) and 5 <= len(row["sequence"]) <= LONGEST:
                sequences.append(row["sequence"])
                values.append(float(np.mean(known)))
    return sequences, np.array(values)


def landscape(name: str, path: Path) -> Landscape:
    """A regressor fitted to the table, always the same for the same table."""
    sequences, values = table(path)
    if name == "trees":
        features, model = (
            _kinds,
            HistGradientBoostingRegressor(
                max_iter=300, learning_rate=0.06, max_leaf_nodes=24, l2_regularization=1.0, random_state=0
            ),
        )
    elif name == "network":
        features, model = (
            _ends,
            MLPRegressor(hidden_layer_sizes=(128, 64), alpha=3.0, max_iter=60, early_stopping=True, random_state=0),
        )
    else:
        raise ValueError(f"no landscape is called {name!r}; choose one of {', '.join(LANDSCAPES)}")
    model.fit(features(sequences), values)
    return lambda some: np.asarray(10.0 ** model.predict(features(some)))


def templates(n: int, path: Path, values: Landscape, seed: int) -> list[str]:
    """`n` peptides of 12 to 30 residues whose value leaves room for search: 10 to 150 uM."""
    sequences = [s for s in table(path)[0] if 12 <= len(s) <= 30]
    order = np.random.default_rng(seed).permutation(len(sequences))
    some = [sequences[i] for i in order[: 40 * n]]
    return [s for s, v in zip(some, values(some), strict=True) if 10.0 <= v <= 150.0][:n]


def space(template: str) -> Strings:
    """At least 75% similar: (length of the template - edits) / length of the template."""
    edits = int(len(template) * (1.0 - SIMILARITY) + 1e-9)
    return Strings(RESIDUES, (5, LONGEST), template=template, edits=edits)


def _kinds(sequences: Sequence[str]) -> FloatArray:
    kind = {a: k for k, members in enumerate(KINDS) for a in members}
    X = np.zeros((len(sequences), 1 + 20 + 3 * 8 + 4 * 64))
    for row, sequence in zip(X, sequences, strict=True):
        n, kinds = len(sequence), [kind[a] for a in sequence]
        row[0] = n
        for i, (a, k) in enumerate(zip(sequence, kinds, strict=True)):
            row[1 + RESIDUES.index(a)] += 1 / n
            row[21 + 8 * (3 * i // n) + k] += 1 / n
        for gap in range(4):
            for one, other in zip(kinds, kinds[gap + 1 :], strict=False):
                row[45 + 64 * gap + 8 * one + other] += 1 / n
    return X


def _ends(sequences: Sequence[str], width: int = 16) -> FloatArray:
    X = np.zeros((len(sequences), 2 * width * 20 + 21))
    for row, sequence in zip(X, sequences, strict=True):
        for side, run in enumerate((sequence, sequence[::-1])):
            for i, a in enumerate(run[:width]):
                row[20 * (side * width + i) + RESIDUES.index(a)] = 1.0
        for a in sequence:
            row[40 * width + RESIDUES.index(a)] += 3 / len(sequence)
        row[-1] = len(sequence) / 30
    return X
