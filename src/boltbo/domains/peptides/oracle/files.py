"""A predictor on disk: arrays as safetensors, the rest as JSON, checked when they are read; never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from boltbo.errors import CorruptModel
from boltbo.system.files import write_whole

Arrays = Mapping[str, NDArray[Any]]
T = TypeVar("T")

SHORTEST, LONGEST = 5, 50
"""Residues of the peptides that a predictor learns from and reads."""


def write(folder: Path, name: str, arrays: Arrays, facts: Mapping[str, Any]) -> None:
    """Write `name.safetensors` and `name.json` into `folder`, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / f"{name}.safetensors")
    write_whole(folder / f"{name}.json", json.dumps(facts, indent=1) + "\n")


def load(folder: Path, name: str, kind: str, columns: Sequence[str], make: Callable[[Arrays, dict[str, Any]], T]) -> T:
    """Read the arrays and facts that `write` wrote, and return the predictor that `make` makes of them.

    Args:
        folder: The folder with both files.
        name: Name of both files, without their suffixes.
        kind: What the facts must call themselves.
        columns: The names of the features that the model will be given.
        make: Makes the predictor; raises ValueError, KeyError or TypeError where they do not fit.

    Raises:
        CorruptModel: A file is missing or damaged, or it is of another kind or version.
    """
    path = folder / f"{name}.json"
    try:
        facts = json.loads(path.read_text())
        if facts["kind"] != kind:
            raise ValueError(f"it is a {facts['kind']!r}, expected a {kind!r}")
        if facts["features"] != fingerprint(columns):
            raise ValueError("it was trained on other features, by another version of boltbo")
        species = facts["species"]
        if not species or not all(isinstance(s, str) for s in species):
            raise ValueError("it names no species")
        path = folder / f"{name}.safetensors"
        arrays = safetensors.numpy.load_file(path)
        for key, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{key} holds numbers that are not finite")
        return make(arrays, facts)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise corrupt(path, error) from error


def corrupt(path: Path, error: Exception) -> CorruptModel:
    """The error that says which file cannot be used, why, and what to do."""
    problem = f"{error} is missing in it" if isinstance(error, KeyError) else str(error)
    remedy = "train it again (boltbo peptides train-oracle), or install boltbo again if it came with the package"
    return CorruptModel(f"the predictor {path} cannot be used: {problem}; {remedy}")


def fingerprint(columns: Sequence[str]) -> str:
    """What tells one list of features from another."""
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()[:16]


def expect(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    """The array of this name.

    Raises:
        ValueError: It is missing, or of another shape or type.
    """
    array = arrays.get(name)
    if array is None or array.shape != shape or array.dtype != dtype:
        actual = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise ValueError(f"{name}: expected {np.dtype(dtype)} {shape}, found {actual}")
    return array
