"""Properties of a peptide that a designer looks at beside its predicted MIC: computed from the sequence alone.

There is no flag for haemolysis or toxicity: the rules of thumb in the literature (haemolysis grows with hydrophobicity and
hydrophobic moment) name no threshold that holds beyond the series of analogues in which it was found. Measure it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from boltbo.domains.peptides.instability import weight
from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS, EISENBERG, HYDROPATHY
from boltbo.errors import ConfigError, InvalidCandidate

PKA_POSITIVE = {"K": 10.67, "R": 12.10, "H": 6.04}
PKA_NEGATIVE = {"D": 3.71, "E": 4.15, "C": 8.14, "Y": 10.10}
PKA_START, PKA_END = 9.38, 2.15
"""CRC Handbook of Chemistry and Physics, 96th edition: the set that modlamp uses."""

WINDOW = 11
HELIX_DEGREES = 100.0

_HYDROPATHY = dict(zip(AMINO_ACIDS, HYDROPATHY.tolist(), strict=True))
_EISENBERG = dict(zip(AMINO_ACIDS, EISENBERG.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Properties:
    """Properties of one peptide with both ends free.

    Attributes:
        length: Number of residues.
        charge: Net charge at pH 7 (see `charge`).
        moment: The largest hydrophobic moment of a window of 11 residues (see `moment`).
        gravy: Mean hydropathy of Kyte and Doolittle.
        instability: The index of Guruprasad et al. (1990); above 40 a protein is called unstable.
    """

    length: int
    charge: float
    moment: float
    gravy: float
    instability: float


def properties(sequence: str) -> Properties:
    """Compute all properties of one peptide.

    Raises:
        InvalidCandidate: It is empty, or a letter is no natural residue.
    """
    if not sequence or set(sequence) - set(AMINO_ACIDS):
        raise InvalidCandidate(f"{sequence[:40]!r}: expected one or more of the letters {AMINO_ACIDS}")
    return Properties(len(sequence), charge(sequence), moment(sequence), gravy(sequence), instability(sequence))


def charge(sequence: str, ph: float = 7.0, amidated: bool = False) -> float:
    """Net charge by Henderson and Hasselbalch, each group by itself; an amidated end has no acid."""
    positive = [PKA_START, *(PKA_POSITIVE[a] for a in sequence if a in PKA_POSITIVE)]
    negative = [PKA_END] * (not amidated) + [PKA_NEGATIVE[a] for a in sequence if a in PKA_NEGATIVE]
    return sum(1 / (1 + 10 ** (ph - pka)) for pka in positive) - sum(1 / (1 + 10 ** (pka - ph)) for pka in negative)


def moment(sequence: str, window: int = WINDOW, degrees: float = HELIX_DEGREES) -> float:
    """The largest mean hydrophobic moment of the windows of a peptide, of the whole one if it is shorter.

    |sum over residues j of H(j) exp(i j angle)| / residues, on the consensus scale of Eisenberg et al. (1984): 100 degrees is
    one residue's turn in an alpha helix.
    """
    H = np.array([_EISENBERG[a] for a in sequence])
    wide = min(window, len(H))
    turns = np.exp(1j * np.deg2rad(degrees) * np.arange(wide))
    return float(np.abs(np.lib.stride_tricks.sliding_window_view(H, wide) @ turns).max() / wide)


def gravy(sequence: str) -> float:
    """The mean hydropathy of Kyte and Doolittle (1982)."""
    return float(np.mean([_HYDROPATHY[a] for a in sequence]))


def instability(sequence: str) -> float:
    """10 / length times the summed weights of neighbours: Guruprasad, Reddy and Pandit, Protein Eng. 4 (1990) 155."""
    return 10 / len(sequence) * sum(weight(a, b) for a, b in pairwise(sequence))


@dataclass(frozen=True, slots=True)
class Nearest:
    """The known peptide that is most alike, the first of equals; `distance` is 1 - identity, 0 for the same peptide.

    Identity: 1 - Levenshtein distance / length of the longer of the two.
    """

    sequence: str
    distance: float


def novelty(sequences: Sequence[str], known: Sequence[str]) -> list[Nearest]:
    """How far each peptide is from the nearest known one.

    Raises:
        ConfigError: The list of known peptides is empty.
    """
    if not known:
        raise ConfigError("novelty: the list of known peptides is empty")
    nearest = []
    for begin in range(0, len(sequences), 256):
        alike = cdist(sequences[begin : begin + 256], known, scorer=Levenshtein.normalized_distance, workers=1)
        nearest += [Nearest(known[i], float(row[i])) for row, i in zip(alike, alike.argmin(1), strict=True)]
    return nearest


def known_peptides(path: Path | None = None) -> list[str]:
    """Peptides that novelty is measured against, each once.

    Args:
        path: A text file with a sequence in each line, or a FASTA file; None: the antimicrobial peptides of APD3 that come
            with the package modlamp.

    Raises:
        ConfigError: It cannot be read, or modlamp is not installed.
    """
    if path is None:
        return _of_modlamp()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the known peptides {path} cannot be read: {error}") from error
    lines = text.splitlines()
    if ">" in text:
        lines = ["".join(record.splitlines()[1:]) for record in ("\n" + text).split("\n>")[1:]]
    peptides = list(dict.fromkeys("".join(line.split()).upper() for line in lines if line.strip()))
    wrong = next((s for s in peptides if set(s) - set(AMINO_ACIDS)), None)
    if wrong is not None:
        raise ConfigError(f"the known peptides {path}: {wrong[:40]!r} has letters other than {AMINO_ACIDS}")
    return peptides


def _of_modlamp() -> list[str]:
    spec = find_spec("modlamp")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "name a file of known peptides, or install those of modlamp: pip install 'boltbo[peptides-train]'"
        )
    path = Path(spec.origin).with_name("data") / "AMPvsUniProt.csv"
    try:
        rows = list(csv.reader(path.read_text().splitlines()))[1:]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): expected modlamp 4.3 or newer") from error
    sequences = (row[0].strip().upper() for row in rows if row[1].strip() == "1")
    return list(dict.fromkeys(s for s in sequences if s and not set(s) - set(AMINO_ACIDS)))
