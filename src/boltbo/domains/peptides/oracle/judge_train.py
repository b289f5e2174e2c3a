"""Training the judge with scikit-learn, and its trees as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from boltbo.domains.peptides.oracle.data import Measurements
from boltbo.domains.peptides.oracle.files import fingerprint
from boltbo.domains.peptides.oracle.judge import KIND, Judge, with_species
from boltbo.domains.peptides.oracle.kmers import kmer_names, kmers

TREES, LEAVES, RATE = 400, 31, 0.05
RIDGE, FEATURES = 1.0, 0.2
"""L2 of the leaves; the share of the features that each split may choose from."""


def fit_judge(data: Measurements, seed: int = 0) -> Judge:
    """Train a judge.

    Raises:
        ModuleNotFoundError: scikit-learn is missing.
    """
    return export(*fit_trees(data, seed), data, seed)


def fit_trees(data: Measurements, seed: int) -> tuple[Any, np.ndarray[Any, Any]]:
    """The scikit-learn model of what lies above or below the mean of the species, and those means (S,)."""
    try:
        from sklearn.ensemble import HistGradientBoostingRegressor
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("training needs scikit-learn: pip install 'boltbo[peptides-train]'") from error
    middle = data.middle().astype(np.float32)
    rows, species = np.nonzero(~np.isnan(data.values))
    X = with_species(kmers(data.sequences)[rows], species, len(data.species))
    y = data.values[rows, species] - middle[species]
    model = HistGradientBoostingRegressor(
        max_iter=TREES, max_leaf_nodes=LEAVES, learning_rate=RATE, l2_regularization=RIDGE, max_features=FEATURES,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    return model.fit(X, y), middle


def export(model: Any, middle: np.ndarray[Any, Any], data: Measurements, seed: int) -> Judge:
    """A scikit-learn model as a `Judge` that predicts the same.

    A threshold is rounded down to float32: of float32 features, the same ones are below it.

    Raises:
        ValueError: Its trees are not laid out as expected, by another version of scikit-learn.
    """
    trees = [iteration[0].nodes for iteration in model._predictors]
    nodes = np.concatenate(trees)
    leaf = nodes["is_leaf"].astype(bool)
    at = np.concatenate([np.arange(len(tree)) for tree in trees])
    if (nodes["left"][~leaf] != at[~leaf] + 1).any() or nodes["is_categorical"].any():
        raise ValueError("this version of scikit-learn lays out its trees in another way: take scikit-learn 1.4 to 1.9")
    low = nodes["num_threshold"].astype(np.float32)
    low = np.where(low > nodes["num_threshold"], np.nextafter(low, np.float32(-np.inf)), low)
    roots = np.cumsum([0, *map(len, trees[:-1])])
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int16),
        "threshold": np.where(leaf, nodes["value"], low).astype(np.float32),
        "right": np.where(leaf, 0, nodes["right"] - at).astype(np.int16),
        "root": roots.astype(np.int32),
        "middle": (middle + model._baseline_prediction.item()).astype(np.float32),
    }
    facts = {
        "kind": KIND, "species": list(data.species), "features": fingerprint(kmer_names()), "trees": len(trees),
        "nodes": len(nodes), "seed": seed, "peptides": len(data.sequences),
        "measurements": {s: int(n) for s, n in zip(data.species, data.counts(), strict=True)},
    }  # fmt: skip
    return Judge(arrays, facts)
