"""Measured MIC from a CSV file: a column `sequence`, a column of log10 micromolar for each species, empty: not measured."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from boltbo.domains.peptides.oracle.files import LONGEST, SHORTEST
from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.errors import ConfigError
from boltbo.problem import FloatArray

LOWEST, HIGHEST = -5.0, 5.0
"""Bounds of a believable log10 MIC in micromolar."""

LEAST = 100
"""Measurements of a species below which nothing is learnt about it."""

FEWEST = 50
"""Peptides to train on at all."""

EXAMPLES = 3


@dataclass(frozen=True)
class Measurements:
    """Peptides and their log10 MIC.

    Attributes:
        sequences: n distinct peptides.
        species: S names of columns.
        values: log10 micromolar, shape (n, S), NaN: not measured.
        notes: What was left out or merged, for people.
        digest: SHA-256 of the file, empty if there was none.
    """

    sequences: tuple[str, ...]
    species: tuple[str, ...]
    values: FloatArray
    notes: tuple[str, ...] = ()
    digest: str = ""

    def counts(self) -> NDArray[np.int64]:
        """Measurements of each species."""
        counts: NDArray[np.int64] = (~np.isnan(self.values)).sum(0)
        return counts

    def middle(self) -> FloatArray:
        """The mean of each species, 0 where nothing was measured."""
        return np.nan_to_num(_mean(self.values))

    def subset(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Measurements:
        chosen = np.arange(len(self.sequences))[rows]
        return Measurements(tuple(self.sequences[i] for i in chosen), self.species, self.values[chosen])


def read_measurements(path: Path, least: int = LEAST) -> Measurements:
    """Read a CSV. Rows that cannot be used are left out and counted, values of the same peptide are averaged.

    Args:
        path: The file.
        least: Measurements that a species needs.

    Raises:
        ConfigError: No file, no such columns, or too little that can be used; the message says what was wrong where.
    """
    try:
        content = path.read_bytes()
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as CSV: {error}") from error
    header = [cell.strip() for cell in rows[0]] if rows else []
    if header[:1] != ["sequence"] or len(header) < 2 or len(set(header)) < len(header) or "" in header:
        raise ConfigError(
            f"{path}, line 1: expected sequence,SPECIES,… with a distinct name for each column, got {','.join(header)!r}"
        )
    by_sequence: dict[str, list[FloatArray]] = {}
    wrong: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        read = _row(row, len(header))
        if isinstance(read, str):
            wrong[read] += 1
            examples.setdefault(read, []).append(str(line))
        else:
            by_sequence.setdefault(row[0].strip().upper(), []).append(read)
    notes = [
        f"{n} rows left out: {what} (line {', '.join(examples[what][:EXAMPLES])}{', …' if n > EXAMPLES else ''})"
        for what, n in wrong.items()
    ]
    repeated = sum(len(v) - 1 for v in by_sequence.values())
    if repeated:
        notes.append(f"{repeated} rows repeat a peptide: its values were averaged")
    if len(by_sequence) < FEWEST:
        raise ConfigError(f"{path}: {len(by_sequence)} peptides can be used, {FEWEST} are needed. " + "; ".join(notes))
    return _kept(path, header[1:], by_sequence, notes, least, hashlib.sha256(content).hexdigest())


def _row(row: Sequence[str], width: int) -> FloatArray | str:
    """The values of a row, or what is wrong with it."""
    sequence = row[0].strip().upper()
    if len(row) != width:
        return f"other than {width} cells"
    if not sequence or set(sequence) - set(AMINO_ACIDS):
        return f"letters other than {AMINO_ACIDS}"
    if not SHORTEST <= len(sequence) <= LONGEST:
        return f"length outside {SHORTEST} to {LONGEST} residues"
    try:
        values = np.array([float(cell) if cell.strip() else np.nan for cell in row[1:]])
    except ValueError:
        return "a value that is no number"
    given = values[[bool(cell.strip()) for cell in row[1:]]]
    if not len(given):
        return "no value at all"
    if not ((given >= LOWEST) & (given <= HIGHEST)).all():
        return f"a value outside {LOWEST:g} to {HIGHEST:g} (log10 of micromolar is expected)"
    return values


def _kept(
    path: Path, names: list[str], by_sequence: dict[str, list[FloatArray]], notes: list[str], least: int, digest: str
) -> Measurements:
    """Leave out the species that were measured too seldom, and the peptides without a value of any other."""
    values = np.stack([_mean(np.stack(each)) for each in by_sequence.values()])
    counts = (~np.isnan(values)).sum(0)
    often = counts >= least
    if not often.any():
        said = ", ".join(f"{s} {n}" for s, n in zip(names, counts, strict=True))
        raise ConfigError(f"{path}: no species has {least} measurements ({said}): lower --least, or bring more")
    rare = [f"{s} ({n})" for s, n, enough in zip(names, counts, often, strict=True) if not enough]
    if rare:
        notes.append(f"species left out, measured less than {least} times: {', '.join(rare)}")
    values = values[:, often]
    some = np.flatnonzero((~np.isnan(values)).any(axis=1))
    everyone = list(by_sequence)
    sequences = tuple(everyone[i] for i in some)
    species = tuple(s for s, enough in zip(names, often, strict=True) if enough)
    return Measurements(sequences, species, values[some], tuple(notes), digest)


def _mean(values: FloatArray) -> FloatArray:
    measured = ~np.isnan(values)
    total, n = np.where(measured, values, 0.0).sum(0), measured.sum(0)
    means: FloatArray = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return means
