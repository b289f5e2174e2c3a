"""What the judge sees of a peptide: composition, a few properties, and counts of short words.

The oracle's view (`features`) is another: it has no words of two or three residues, and the judge has no periodicity but the
helix's, no ends and no windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.domains.peptides.oracle import scales
from boltbo.domains.peptides.oracle.features import indices

KINDS = ("AGST", "C", "DE", "FWY", "HNQ", "ILMV", "KR", "P")
"""Residues alike in size, charge and hydropathy."""

_SCALES = {
    "hydropathy": scales.HYDROPATHY,
    "interface": scales.INTERFACE,
    "volume": scales.VOLUME,
    "charge": scales.CHARGE,
}
_HELIX = np.deg2rad(100.0)
_CHUNK = 2048


def kmer_names() -> list[str]:
    """The name of each column of `kmers`."""
    return (
        ["length"]
        + [f"share {a}" for a in scales.AMINO_ACIDS]
        + [f"{s} {what}" for s in _SCALES for what in ("sum", "mean", "helical moment")]
        + [f"count {a}{b}" for a in scales.AMINO_ACIDS for b in scales.AMINO_ACIDS]
        + [f"count {a}-{b}-{c}" for a in KINDS for b in KINDS for c in KINDS]
    )


def kmers(sequences: Sequence[str]) -> NDArray[np.float32]:
    """One row a sequence, one column for each of `kmer_names`. Sequences of at least one natural residue."""
    if not sequences:
        return np.zeros((0, len(kmer_names())), np.float32)
    return np.concatenate([_chunk(sequences[i : i + _CHUNK]) for i in range(0, len(sequences), _CHUNK)])


def _chunk(sequences: Sequence[str]) -> NDArray[np.float32]:
    ids = indices(sequences, width=3)
    n = np.array([len(s) for s in sequences], dtype=np.float64)
    columns = [n, *((ids == a).sum(1) / n for a in range(20))]
    turns = np.exp(1j * _HELIX * np.arange(ids.shape[1]))
    for scale in _SCALES.values():
        v = np.append(scale, 0.0)[ids]
        total = v.sum(1)
        centred = np.where(ids < 20, v - (total / n)[:, None], 0.0)
        columns += [total, total / n, np.abs((centred * turns).sum(1)) / n]
    kind = np.array([next(k for k, members in enumerate(KINDS) if a in members) for a in scales.AMINO_ACIDS])
    kinds = np.append(kind, len(KINDS))[ids]
    words = [_counts(ids, 20, 2), _counts(kinds, len(KINDS), 3)]
    return np.concatenate([np.stack(columns, 1), *words], 1).astype(np.float32)


def _counts(ids: NDArray[np.int64], letters: int, length: int) -> NDArray[np.int64]:
    """How often each word of `length` of `letters` letters stands in each row; words that leave the peptide do not count."""
    starts = ids.shape[1] - length + 1
    parts = [ids[:, i : i + starts] for i in range(length)]
    whole = np.all([part < letters for part in parts], axis=0)
    word = np.zeros_like(parts[0])
    for part in parts:
        word = word * letters + part
    cells = letters**length
    at = (np.arange(len(ids))[:, None] * cells + word)[whole]
    found: NDArray[np.int64] = np.bincount(at, minlength=len(ids) * cells).reshape(len(ids), cells)
    return found
