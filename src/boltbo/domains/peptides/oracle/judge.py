"""The judge: boosted regression trees on composition and pairs of neighbours, in NumPy.

One model of all species: the species is a feature. Trees are trained by scikit-learn (`judge_train`) and kept as arrays, so
that neither scikit-learn nor a pickle is needed to judge.

Notation: n rows, T trees, N nodes of all trees. A node has a feature, a threshold and the distance to its right child; its
left child is the next node; a leaf has distance 0 and its value in place of the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltbo.domains.peptides.oracle import files
from boltbo.domains.peptides.oracle.kmers import kmer_names, kmers
from boltbo.domains.peptides.oracle.sequences import check_sequences
from boltbo.problem import FloatArray

NAME, KIND = "judge", "boosted trees"
_CHUNK = 256


class Judge:
    """A `MicPredictor`; its spread is 0: it is one model, and says nothing of how sure it is.

    Args:
        arrays: `feature` int16 (N,), `threshold` float32 (N,), `right` int16 (N,), `root` int32 (T,), `middle` float32 (S,):
            the mean of each species, to which the trees add.
        facts: What is written as JSON beside them.

    Raises:
        ValueError: The arrays do not fit together.
    """

    def __init__(self, arrays: files.Arrays, facts: Mapping[str, Any]) -> None:
        self.facts = dict(facts)
        self.species: tuple[str, ...] = tuple(facts["species"])
        N, T = facts["nodes"], facts["trees"]
        self.feature = files.expect(arrays, "feature", (N,), np.int16)
        self.threshold = files.expect(arrays, "threshold", (N,), np.float32)
        self.right = files.expect(arrays, "right", (N,), np.int16)
        self.root = files.expect(arrays, "root", (T,), np.int32)
        self.middle = files.expect(arrays, "middle", (len(self.species),), np.float32)
        self._check(N)

    def _check(self, nodes: int) -> None:
        """Every walk must end in a leaf of its own tree."""
        ends = np.append(self.root[1:], nodes)
        if not self.root.size or self.root[0] != 0 or (ends <= self.root).any():
            raise ValueError("root: expected the first nodes of trees, in order")
        own_end = np.repeat(ends, ends - self.root)
        outside = (self.right < 0) | (np.arange(nodes) + self.right >= own_end)
        if outside.any() or self.right[ends - 1].any():
            raise ValueError("right: a child stands outside its tree")
        if (self.feature < 0).any() or (self.feature >= len(kmer_names()) + len(self.species)).any():
            raise ValueError("feature: there is no such feature")

    def predict(self, sequences: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """See `MicPredictor.predict`."""
        check_sequences(sequences, files.SHORTEST, files.LONGEST)
        mean = np.zeros((len(sequences), len(self.species)))
        for begin in range(0, len(sequences), _CHUNK):
            X = kmers(sequences[begin : begin + _CHUNK])
            for s in range(len(self.species)):
                mean[begin : begin + len(X), s] = self.middle[s] + self.sums(with_species(X, s, len(self.species)))
        return mean, np.zeros_like(mean)

    def sums(self, X: NDArray[np.float32]) -> FloatArray:
        """The sum of the trees' leaves for each row of X, shape (n, features and one for each species)."""
        rows = np.arange(len(X))[:, None]
        node = np.tile(self.root, (len(X), 1))
        step = self.right[node]
        while step.any():
            goes_right = X[rows, self.feature[node]] > self.threshold[node]
            node = np.where(step == 0, node, node + np.where(goes_right, step, 1))
            step = self.right[node]
        sums: FloatArray = self.threshold[node].sum(1, dtype=np.float64)
        return sums

    def save(self, folder: Path) -> None:
        """Write `judge.safetensors` and `judge.json`."""
        names = ("feature", "threshold", "right", "root", "middle")
        files.write(folder, NAME, {name: getattr(self, name) for name in names}, self.facts)

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Read what `save` wrote.

        Raises:
            CorruptModel: A file is missing, damaged, or does not fit.
        """
        return files.load(folder, NAME, KIND, kmer_names(), cls)


def with_species(X: NDArray[np.float32], species: int | NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """The rows, each with its species as `count` columns more of which one is 1."""
    which = np.eye(count, dtype=np.float32)[np.broadcast_to(species, len(X))]
    return np.concatenate([X, which], 1)
