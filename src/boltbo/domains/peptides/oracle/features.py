"""What the oracle sees of a peptide: composition, properties, their periodicity, ends, windows, and pairs of residue kinds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.domains.peptides.oracle import scales
from boltbo.problem import FloatArray

_SCALES: dict[str, FloatArray] = {
    "hydropathy": scales.HYDROPATHY,
    "eisenberg": scales.EISENBERG,
    "volume": scales.VOLUME,
    "helix": scales.HELIX,
    "strand": scales.STRAND,
    "charge": scales.CHARGE,
    "interface": scales.INTERFACE,
}
_ANGLES = {"alpha": 100.0, "beta": 170.0}
"""Degrees from one residue to the next in a helix and in a strand."""

_WINDOW = 11
_END = 5
_KINDS = ("AGST", "C", "DE", "FWY", "HNQ", "ILMV", "KR", "P")
"""Residues alike in size, charge and greasiness."""

_GAPS = (0, 1, 2, 3)
_CHUNK = 2048


def feature_names() -> list[str]:
    """The name of each column of `features`."""
    return (
        ["length"]
        + [f"share {a}" for a in scales.AMINO_ACIDS]
        + [f"{s} {what}" for s in _SCALES for what in ("mean", "sum", "start", "end", "highest", "lowest")]
        + [f"{s} moment {a} {what}" for s in _SCALES for a in _ANGLES for what in ("whole", "window")]
        + [f"{s} after {lag}" for s in _SCALES for lag in (1, 2, 3, 4, 7)]
        + [f"{one}-{other} gap {gap}" for gap in _GAPS for one in _KINDS for other in _KINDS]
    )


def features(sequences: Sequence[str]) -> NDArray[np.float32]:
    """One row a sequence, one column for each of `feature_names`. Sequences of at least one natural residue."""
    if not sequences:
        return np.zeros((0, len(feature_names())), np.float32)
    return np.concatenate([_chunk(sequences[i : i + _CHUNK]) for i in range(0, len(sequences), _CHUNK)])


def indices(sequences: Sequence[str], width: int = 0) -> NDArray[np.int64]:
    """Places of the residues in `AMINO_ACIDS`, shape (n, at least `width`), 20 behind the end of a sequence."""
    table = np.full(128, len(scales.AMINO_ACIDS))
    table[[ord(a) for a in scales.AMINO_ACIDS]] = np.arange(len(scales.AMINO_ACIDS))
    width = max(width, max(map(len, sequences), default=0))
    text = "".join(s.ljust(width) for s in sequences).encode("ascii")
    places: NDArray[np.int64] = table[np.frombuffer(text, np.uint8)].reshape(len(sequences), width)
    return places


def _chunk(sequences: Sequence[str]) -> NDArray[np.float32]:
    ids = indices(sequences, width=_WINDOW)
    n = np.array([len(s) for s in sequences], dtype=np.float64)
    whole = np.arange(ids.shape[1] - _WINDOW + 1) <= np.maximum(n - _WINDOW, 0)[:, None]  # windows within the peptide
    columns: list[FloatArray] = [n, *np.stack([(ids == a).sum(1) / n for a in range(20)])]
    values = [np.append(scale, 0.0)[ids] for scale in _SCALES.values()]
    for v in values:
        columns += _levels(v, n, whole)
    for v in values:
        for angle in _ANGLES.values():
            columns += _moments(np.where(ids < 20, v - (v.sum(1) / n)[:, None], 0.0), n, whole, angle)
    for v in values:
        columns += [(v[:, lag:] * v[:, :-lag]).sum(1) / n for lag in (1, 2, 3, 4, 7)]
    kind = np.array([next(k for k, members in enumerate(_KINDS) if a in members) for a in scales.AMINO_ACIDS])
    return np.concatenate([np.stack(columns, 1), _pairs(np.append(kind, len(_KINDS))[ids], n)], 1).astype(np.float32)


def _levels(v: FloatArray, n: FloatArray, whole: NDArray[np.bool_]) -> list[FloatArray]:
    """Mean, sum, mean of the first and the last residues, highest and lowest mean of a window."""
    cumulated = np.concatenate([np.zeros((len(v), 1)), v.cumsum(1)], 1)
    rows, last = np.arange(len(v)), n.astype(int)
    end = np.minimum(n, _END)
    from_end = cumulated[rows, last] - cumulated[rows, last - end.astype(int)]
    width = np.minimum(n, _WINDOW)
    windows = (cumulated[:, _WINDOW:] - cumulated[:, :-_WINDOW]) / width[:, None]
    return [
        *(v.sum(1) / n, v.sum(1), cumulated[rows, end.astype(int)] / end, from_end / end),
        *(np.where(whole, windows, -np.inf).max(1), np.where(whole, windows, np.inf).min(1)),
    ]


def _moments(centred: FloatArray, n: FloatArray, whole: NDArray[np.bool_], angle: float) -> list[FloatArray]:
    """Moments of a scale about its mean: that of the whole peptide, and the largest of a window."""
    turns = np.exp(1j * np.deg2rad(angle) * np.arange(centred.shape[1]))
    steps = np.concatenate([np.zeros((len(centred), 1)), (centred * turns).cumsum(1)], 1)
    windows = np.abs(steps[:, _WINDOW:] - steps[:, :-_WINDOW]) / np.minimum(n, _WINDOW)[:, None]
    return [np.abs(steps[:, -1]) / n, np.where(whole, windows, 0.0).max(1)]


def _pairs(kinds: NDArray[np.int64], n: FloatArray) -> FloatArray:
    """Shares of the pairs of kinds, by how many residues stand between them."""
    count, outside = len(_KINDS), len(_KINDS)
    rows = np.arange(len(kinds))[:, None]
    blocks = []
    for gap in _GAPS:
        one, other = kinds[:, : -gap - 1], kinds[:, gap + 1 :]
        whole = (one < outside) & (other < outside)
        cells = (rows * count * count + one * count + other)[whole]
        counts = np.bincount(cells, minlength=len(kinds) * count * count).reshape(len(kinds), count * count)
        blocks.append(counts / np.maximum(n - gap - 1, 1)[:, None])
    return np.concatenate(blocks, 1)
