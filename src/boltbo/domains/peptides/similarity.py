"""How like its template a candidate must be, and how like each other two peptides are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.sparse.csgraph import connected_components


def similarity(template: str, candidate: str) -> float:
    """(length of the template - Levenshtein distance) / length of the template, as in APEXGo; at most 1."""
    return 1.0 - Levenshtein.distance(template, candidate) / len(template)


def edit_budget(template: str, least: float) -> int:
    """The most edits that leave a candidate `least` similar to the template."""
    return math.floor((1.0 - least) * len(template) + 1e-9)  # (1 - 0.9) * 10 is a little below 1


def identities(some: Sequence[str], others: Sequence[str]) -> NDArray[np.float32]:
    """The share of the longer peptide that need not be edited to make it the other one, shape (some, others)."""
    return np.asarray(cdist(some, others, scorer=Levenshtein.normalized_similarity))


def clusters(sequences: Sequence[str], identity: float) -> NDArray[np.int32]:
    """A number for each sequence: equal for those that a chain of pairs at least `identity` alike connects."""
    if not sequences:
        return np.zeros(0, dtype=np.int32)
    _, numbers = connected_components(identities(sequences, sequences) >= identity, directed=False)
    return np.asarray(numbers, dtype=np.int32)
