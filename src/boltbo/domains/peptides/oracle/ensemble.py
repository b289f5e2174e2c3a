"""The oracle: an ensemble of small multi-task networks on descriptors of a peptide, in NumPy.

Notation: n sequences, d descriptors (`features.features`), M members, H and K hidden units, S species. A member is
d -> H -> K -> S with x sigmoid(x) between (Ramachandran et al., 2017); its descriptors are standardized and cut at four
standard deviations, so that a strange peptide cannot push it far from what it has seen. Mean and spread are those of the
members (Lakshminarayanan et al., 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltbo.domains.peptides.oracle import files
from boltbo.domains.peptides.oracle.features import feature_names, features
from boltbo.domains.peptides.oracle.sequences import check_sequences
from boltbo.problem import FloatArray

NAME, KIND = "oracle", "ensemble of networks"
CUT = 4.0
_CHUNK = 1024

Float32 = NDArray[np.float32]


class Ensemble:
    """A `MicPredictor`.

    Args:
        arrays: `centre`, `scale` (d,); `w1` (M, d, H), `b1` (M, H); `w2` (M, H, K), `b2` (M, K); `w3` (M, K, S),
            `b3` (M, S); all float32.
        facts: What is written as JSON beside them.

    Raises:
        ValueError: The arrays do not fit together.
    """

    def __init__(self, arrays: files.Arrays, facts: Mapping[str, Any]) -> None:
        self.facts = dict(facts)
        self.species: tuple[str, ...] = tuple(facts["species"])
        d, S = len(feature_names()), len(self.species)
        M: int = facts["members"]
        H, K = (int(units) for units in facts["hidden"])
        shapes = {
            "centre": (d,), "scale": (d,), "w1": (M, d, H), "b1": (M, H), "w2": (M, H, K), "b2": (M, K),
            "w3": (M, K, S), "b3": (M, S),
        }  # fmt: skip
        self.arrays = {name: files.expect(arrays, name, shape, np.float32) for name, shape in shapes.items()}

    def predict(self, sequences: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """See `MicPredictor.predict`. The spread is the standard deviation of the members; 0 of a single one."""
        check_sequences(sequences, files.SHORTEST, files.LONGEST)
        each = [self._members(features(sequences[i : i + _CHUNK])) for i in range(0, len(sequences), _CHUNK)]
        y = np.concatenate(each, 1) if each else np.zeros((self.facts["members"], 0, len(self.species)))
        return y.mean(0), y.std(0, ddof=1 if len(y) > 1 else 0)

    def _members(self, X: Float32) -> FloatArray:
        """What each member predicts of descriptors (n, d): (M, n, S)."""
        a = self.arrays
        z = standardized(X, a["centre"], a["scale"])
        h = _silu(np.matmul(z, a["w1"]) + a["b1"][:, None])
        h = _silu(np.matmul(h, a["w2"]) + a["b2"][:, None])
        y: FloatArray = (np.matmul(h, a["w3"]) + a["b3"][:, None]).astype(np.float64)
        return y

    def save(self, folder: Path) -> None:
        """Write `oracle.safetensors` and `oracle.json`."""
        files.write(folder, NAME, self.arrays, self.facts)

    @classmethod
    def load(cls, folder: Path) -> Ensemble:
        """Read what `save` wrote.

        Raises:
            CorruptModel: A file is missing, damaged, or does not fit.
        """
        return files.load(folder, NAME, KIND, feature_names(), cls)


def standardized(X: Float32, centre: Float32, scale: Float32) -> Float32:
    """(X - centre) / scale within `CUT`."""
    clipped: Float32 = np.clip((X - centre) / scale, -CUT, CUT)
    return clipped


def _silu(x: Float32) -> Float32:
    with np.errstate(over="ignore"):  # exp of a large number: 1 / inf is the 0 that is meant
        activations: Float32 = x / (1 + np.exp(-x))
    return activations
