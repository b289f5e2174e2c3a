"""What the judge sees of a peptide: composition, a few properties, and counts of pairs of neighbours.

The oracle's view (`features`) is another: it counts no residues by name beside each other, and the judge has no periodicity but
the helix's, no ends, no windows and no pairs at a distance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.domains.peptides.oracle import scales
from boltbo.domains.peptides.oracle.features import indices

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
    )


def kmers(sequences: Sequence[str]) -> NDArray[np.float32]:
    """One row a sequence, one column for each of `kmer_names`. Sequences of at least one natural residue."""
    if not sequences:
        return np.zeros((0, len(kmer_names())), np.float32)
    return np.concatenate([_chunk(sequences[i : i + _CHUNK]) for i in range(0, len(sequences), _CHUNK)])


def _chunk(sequences: Sequence[str]) -> NDArray[np.float32]:
    ids = indices(sequences, width=2)
    n = np.array([len(s) for s in sequences], dtype=np.float64)
    columns = [n, *((ids == a).sum(1) / n for a in range(20))]
    turns = np.exp(1j * _HELIX * np.arange(ids.shape[1]))
    for scale in _SCALES.values():
        v = np.append(scale, 0.0)[ids]
        total = v.sum(1)
        centred = np.where(ids < 20, v - (total / n)[:, None], 0.0)
        columns += [total, total / n, np.abs((centred * turns).sum(1)) / n]
    return np.concatenate([np.stack(columns, 1), _pairs(ids)], 1).astype(np.float32)


def _pairs(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each residue stands before each other one in each row, shape (n, 400)."""
    first, second = ids[:, :-1], ids[:, 1:]
    at = (np.arange(len(ids))[:, None] * 400 + first * 20 + second)[second < 20]
    counts: NDArray[np.int64] = np.bincount(at, minlength=len(ids) * 400).reshape(len(ids), 400)
    return counts
